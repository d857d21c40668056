"""Recognise what sort of node a task is, and which tasks belong to a resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.parameters import Parameter
from flowbook.redaction import redact
from flowbook.tasks.base import Task
from flowbook.tasks.control_flow.conditional import AsBool, CompareValue, Merge
from flowbook.tasks.core import collections, operators
from flowbook.tasks.core.resource_manager import ResourceCleanupTask, ResourceInitTask, ResourceSetupTask
from flowbook.view.measure import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flowbook.view.protocol import Kind

__all__ = ["COLLECTIONS", "Band", "bands", "is_aside", "kind_of", "name_of"]


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
    return next((kind for classes, kind in _KINDS if isinstance(task, classes)), "task")


def name_of(task: Task) -> str:
    """Return what is written on the node of a task: its name, or its value where that says more.

    >>> name_of(collections.Constant([1, 2]))
    '[1, 2]'
    """
    if isinstance(task, collections.Constant):
        return shown(task.value, 60)
    if isinstance(task, CompareValue):
        return f"= {shown(task.value, 60)}"
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
    if not any(isinstance(task, ResourceCleanupTask) for task in tasks):
        return ()
    above: dict[int, list[int]] = {number: [] for number in range(len(tasks))}
    below: dict[int, list[int]] = {number: [] for number in range(len(tasks))}
    for source, target in pairs:
        above[target].append(source)
        below[source].append(target)
    found = []
    for cleanup in (number for number, task in enumerate(tasks) if isinstance(task, ResourceCleanupTask)):
        # a class without setup is ready as soon as it is made
        made = _first(tasks, above[cleanup], ResourceInitTask)
        setup = _first(tasks, above[cleanup], ResourceSetupTask)
        setup = made if setup is None else setup
        if setup is not None:
            members = (_reached(below, setup) & _reached(above, cleanup)) | {setup, cleanup}
            found.append(Band(clean(name_of(tasks[setup if made is None else made])), setup, frozenset(members)))
    return tuple(sorted(found, key=lambda band: (-len(band.members), band.setup)))


def _first(tasks: Sequence[Task], numbers: Iterable[int], kind: type[Task]) -> int | None:
    return next((number for number in numbers if isinstance(tasks[number], kind)), None)


def _reached(steps: Mapping[int, Sequence[int]], start: int) -> set[int]:
    seen, todo = {start}, [start]
    while todo:
        for number in steps[todo.pop()]:
            if number not in seen:
                seen.add(number)
                todo.append(number)
    return seen


def _classes(module: Any) -> tuple[type[Task], ...]:
    found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Task))
    return tuple(value for value in found if value.__module__ == module.__name__)


COLLECTIONS = _classes(collections)
_KINDS: tuple[tuple[tuple[type[Task], ...], Kind], ...] = (
    ((Parameter,), "parameter"),
    ((collections.Constant,), "constant"),
    (COLLECTIONS, "collection"),
    ((*_classes(operators), AsBool), "operator"),
    ((CompareValue,), "condition"),
    ((Merge,), "merge"),
    ((ResourceInitTask, ResourceSetupTask, ResourceCleanupTask), "resource"),
)
