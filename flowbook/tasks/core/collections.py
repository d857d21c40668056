"""Constants and collections: how plain values take their place in a flow.

A list, tuple, set or dict that holds a task, however deep, becomes a collection task that gathers the results; any
other value is one constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, shown
from flowbook.mapping import EdgeAnnotation
from flowbook.tasks.base import Task, constructors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.flows import Flow

__all__ = ["Constant", "Dict", "List", "Set", "Tuple", "as_task", "holds_tasks"]


class Constant(Task):
    """A task that returns the value it was made with.

    >>> Constant([1, 2]).run()
    [1, 2]

    """

    auto_generated = True

    def __init__(self, value: Any, name: str | None = None, **kwargs: Any) -> None:
        self.value = value
        super().__init__(name=name or type(value).__name__, **kwargs)

    def run(self) -> Any:
        """Return the value."""
        return self.value


class _Collection(Task):
    auto_generated = True

    def gather(self, items: Iterable[Any], flow: Flow | None) -> Task:
        """Bind the items under keys that tell their order."""
        return self.bind(flow=flow, **{f"item_{number}": item for number, item in enumerate(items, 1)})

    @staticmethod
    def in_order(items: dict[str, Any]) -> list[Any]:
        """Return the items in the order of their numbers: constants are handed over before results."""
        return [items[f"item_{number}"] for number in range(1, len(items) + 1)]


class List(_Collection):
    """Gather results in a list."""

    def run(self, **items: Any) -> list[Any]:
        """Return the items in the order in which they were bound."""
        return self.in_order(items)


class Tuple(_Collection):
    """Gather results in a tuple."""

    def run(self, **items: Any) -> tuple[Any, ...]:
        """Return the items in the order in which they were bound."""
        return tuple(self.in_order(items))


class Set(_Collection):
    """Gather results in a set."""

    def run(self, **items: Any) -> set[Any]:
        """Return the distinct items."""
        return set(items.values())


class Dict(Task):
    """Gather results in a dict."""

    auto_generated = True

    def run(self, keys: list[Any], values: list[Any]) -> dict[Any, Any]:
        """Return the dict of keys to values."""
        return dict(zip(keys, values, strict=True))


_PLAIN = frozenset({int, float, str, bytes, bool, type(None), complex})


def _members(value: Any) -> Iterable[Any]:
    """Return what a collection holds, or nothing when it cannot hold tasks."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return ()


def holds_tasks(value: Any) -> bool:
    """Tell whether a value is a task or a collection in which there is one.

    Raises:
        FlowError: a collection holds something that is said about an edge, such as ``unmapped(x)``.

    >>> holds_tasks([1, {"a": (2, 3)}])
    False

    """
    if type(value) in _PLAIN:
        return False
    seen: set[int] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Task):
            return True
        if isinstance(item, EdgeAnnotation):
            raise FlowError(
                f"{shown(item)} stands inside a collection, but it says how a whole argument is handed over. "
                "Put it around the collection, or give the value as an argument of its own."
            )
        members = _members(item)
        # a long list of numbers is looked through at the speed of C
        if id(item) not in seen and not _PLAIN.issuperset(map(type, members)):
            seen.add(id(item))
            stack.extend(member for member in members if type(member) not in _PLAIN)
    return False


def as_task(value: Any, flow: Flow | None = None) -> Task:
    """Turn any value into a task; a task is returned as it is.

    Args:
        value: anything; what `flowbook.unmapped` and the like say of an edge is left out.
        flow: where a collection of tasks binds its items; the active flow when not given.

    Raises:
        FlowError: a collection that holds a task and itself.

    >>> as_task([1, 2]).run()
    [1, 2]

    """
    if isinstance(value, Task):
        return value
    if isinstance(value, EdgeAnnotation):
        return as_task(value.task, flow)
    if not holds_tasks(value):
        return Constant(value)
    _refuse_endless(value, ())
    if isinstance(value, dict):
        keys, values = list(value.keys()), list(value.values())
        return Dict().bind(keys=keys, values=List().gather(values, flow), flow=flow)
    kind = List if isinstance(value, list) else Tuple if isinstance(value, tuple) else Set
    return kind().gather(value, flow)


def _refuse_endless(value: Any, around: tuple[int, ...]) -> None:
    if id(value) in around:
        raise FlowError(
            f"{shown(value)} holds a task and itself, so its parts have no end. Give a copy without the circle."
        )
    for member in _members(value):
        _refuse_endless(member, (*around, id(value)))


constructors["as_task"] = as_task
