"""Recognise what sort of node a task is, and which tasks belong to a resource.

Classes of control flow are known by their names: whoever draws a flow without them must not load them.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.parameters import Parameter
from flowbook.redaction import redact
from flowbook.tasks.base import Task
from flowbook.tasks.core import collections, operators
from flowbook.view.measure import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flowbook.view.protocol import Kind

__all__ = ["COLLECTIONS", "Band", "bands", "is_aside", "kind_of", "name_of"]

_BY_NAME: dict[str, Kind] = {
    "AsBool": "operator",
    "CompareValue": "condition",
    "Merge": "merge",
    "ResourceInitTask": "resource",
    "ResourceSetupTask": "resource",
    "ResourceCleanupTask": "resource",
}
_OURS = "flowbook.tasks."


@dataclass(frozen=True, slots=True)
class Band:
    """The tasks between the setup of a resource and its cleanup, both included; `setup` is where its name stands."""

    name: str
    setup: int
    members: frozenset[int]


def kind_of(task: Task) -> Kind:
    """Return what sort of node a task is.

    >>> kind_of(Parameter("month"))
    'parameter'
    """
    if isinstance(task, Parameter):
        return "parameter"
    if isinstance(task, collections.Constant):
        return "constant"
    if isinstance(task, COLLECTIONS):
        return "collection"
    if isinstance(task, _OPERATORS):
        return "operator"
    return _BY_NAME.get(_class_of(task), "task")


def name_of(task: Task) -> str:
    """Return what is written on the node of a task: its name, or its value where that says more.

    >>> name_of(collections.Constant([1, 2]))
    '[1, 2]'
    """
    if isinstance(task, collections.Constant):
        return shown(task.value, 60)
    if _class_of(task) == "CompareValue":
        return f"= {shown(getattr(task, 'value', None), 60)}"
    return redact(task.name)


def is_aside(kind: Kind) -> bool:
    """Return whether a node was made by flowbook to connect those that a person wrote."""
    return kind in {"constant", "collection", "operator"}


def bands(tasks: Sequence[Task], pairs: Iterable[tuple[int, int]]) -> tuple[Band, ...]:
    """Find the resources of a flow, an outer one before what is inside it.

    Args:
        tasks: by number.
        pairs: which task comes before which.

    """
    roles = {number: role for number, task in enumerate(tasks) if (role := _class_of(task)).startswith("Resource")}
    if not roles:
        return ()
    above: dict[int, list[int]] = {number: [] for number in range(len(tasks))}
    below: dict[int, list[int]] = {number: [] for number in range(len(tasks))}
    for source, target in pairs:
        above[target].append(source)
        below[source].append(target)
    found = []
    for cleanup in (number for number, role in roles.items() if role == "ResourceCleanupTask"):
        # a class without setup is ready as soon as it is made
        setup = next(
            (one for role in _FIRST for one in above[cleanup] if roles.get(one) == role),
            None,
        )
        if setup is not None:
            members = (_reached(below, setup) & _reached(above, cleanup)) | {setup, cleanup}
            found.append(Band(_manager(tasks, above[setup], roles, setup), setup, frozenset(members)))
    return tuple(sorted(found, key=lambda band: (-len(band.members), band.setup)))


_FIRST = ("ResourceSetupTask", "ResourceInitTask")


def _manager(tasks: Sequence[Task], upstream: Iterable[int], roles: Mapping[int, str], setup: int) -> str:
    makers = [tasks[number].name for number in upstream if roles.get(number) == "ResourceInitTask"]
    return clean(makers[0] if makers else tasks[setup].name.removesuffix(".setup"))


def _reached(steps: Mapping[int, Sequence[int]], start: int) -> set[int]:
    seen, todo = {start}, [start]
    while todo:
        for number in steps[todo.pop()]:
            if number not in seen:
                seen.add(number)
                todo.append(number)
    return seen


def _class_of(task: Task) -> str:
    """The name of the class of control flow that a task is of, or an empty text."""
    kind = type(task)
    found = _FOUND.get(kind)
    if found is None:
        ours = (cls.__name__ for cls in kind.__mro__ if cls.__module__.startswith(_OURS))
        found = _FOUND[kind] = next((name for name in ours if name in _BY_NAME), "")
    return found


# Asked for each edge of a flow. Weak, because a class defined in a cell is gone when the cell runs again.
_FOUND: weakref.WeakKeyDictionary[type[Task], str] = weakref.WeakKeyDictionary()


def _classes(module: Any) -> tuple[type[Task], ...]:
    found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Task))
    return tuple(value for value in found if value.__module__ == module.__name__)


COLLECTIONS = _classes(collections)
_OPERATORS = _classes(operators)
