"""Constants and collections: how plain values take their place in a flow.

A list, tuple, set or dict that holds a task, however deep, becomes a collection task that gathers the results; any
other value is one constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.tasks.base import Task, constructors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.flows import Flow

__all__ = ["Constant", "Dict", "List", "Set", "Tuple", "as_task", "holds_tasks"]


class Constant(Task):
    """A task that returns the value it was made with."""

    auto_generated = True

    def __init__(self, value: Any, name: str | None = None, **kwargs: Any) -> None:
        self.value = value
        super().__init__(name=name if name is not None else type(value).__name__, **kwargs)

    def run(self) -> Any:
        """Return the value."""
        return self.value


class _Collection(Task):
    auto_generated = True

    def gather(self, items: Iterable[Any], flow: Flow | None) -> Task:
        """Bind the items under keys that keep their order."""
        return self.bind(flow=flow, **{f"item_{index + 1}": item for index, item in enumerate(items)})


class List(_Collection):
    """Gather results in a list."""

    def run(self, **items: Any) -> list[Any]:
        """Return the items in the order in which they were bound."""
        return list(items.values())


class Tuple(_Collection):
    """Gather results in a tuple."""

    def run(self, **items: Any) -> tuple[Any, ...]:
        """Return the items in the order in which they were bound."""
        return tuple(items.values())


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
        return dict(zip(keys, values))


_PLAIN = frozenset({int, float, str, bytes, bool, type(None), complex})


def holds_tasks(value: Any) -> bool:
    """Tell whether a value is a task or a collection in which there is one.

    >>> holds_tasks([1, {"a": (2, 3)}])
    False

    """
    kind = type(value)
    if kind in _PLAIN:
        return False
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return any(type(item) not in _PLAIN and holds_tasks(item) for item in value)
    if kind is dict:
        return any(type(item) not in _PLAIN and holds_tasks(item) for pair in value.items() for item in pair)
    return isinstance(value, Task)


def as_task(value: Any, flow: Flow | None = None) -> Task:
    """Turn any value into a task; a task is returned as it is.

    Args:
        value: anything.
        flow: where a collection of tasks binds its items; the active flow when not given.

    >>> as_task([1, 2]).run()
    [1, 2]

    """
    if isinstance(value, Task):
        return value
    if not holds_tasks(value):
        return Constant(value)
    if isinstance(value, dict):
        keys = (
            List().gather(list(value.keys()), flow) if holds_tasks(list(value.keys())) else Constant(list(value.keys()))
        )
        values = List().gather(list(value.values()), flow)
        return Dict().bind(keys=keys, values=values, flow=flow)
    kind = {list: List, tuple: Tuple}.get(type(value), Set)
    return kind().gather(value, flow)


constructors["as_task"] = as_task
