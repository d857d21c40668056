"""Edges: one task waits for another, and may be given its result under a key."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, shown
from flowbook.mapping import EdgeAnnotation, flags_of
from flowbook.tasks.base import Task, constructors

if TYPE_CHECKING:
    from flowbook.flows import Flow

__all__ = ["Edge", "checked_key"]

# Keys that were found good once: the same few argument names come again and again while a flow is built.
_good_keys: set[str] = set()
_GOOD_KEYS_KEPT = 10_000


def checked_key(key: object) -> str:
    """Return the key of a data edge, or raise FlowError when it cannot name an argument."""
    if isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key):
        if len(_good_keys) < _GOOD_KEYS_KEPT:
            _good_keys.add(key)
        return key
    raise FlowError(
        f"{shown(key)} cannot be the key of an edge: it must be a Python identifier and not a keyword. "
        "Use the name of an argument of the downstream task."
    )


class Edge:
    """A dependency between two tasks.

    Args:
        upstream_task: the task that goes first; `flowbook.mapped`, `unmapped` and `flatten` around either end beat
            the flags.
        downstream_task: the task that waits.
        key: the argument of the downstream task that gets the result; None for a state dependency.
        mapped: run the downstream task once per element of the result.
        flattened: take one level of nesting out of the result before mapping.
        flow: where values that are not tasks become some; the active flow when not given.

    Raises:
        FlowError: the two tasks are the same, or the key cannot name an argument.

    >>> from flowbook import Task
    >>> Edge(Task("extract"), Task("load"), key="rows")
    <Edge: extract to load as rows>

    """

    __slots__ = ("downstream_task", "flattened", "key", "mapped", "upstream_task")

    def __init__(
        self,
        upstream_task: Any,
        downstream_task: Any,
        key: str | None = None,
        mapped: bool | None = None,
        flattened: bool | None = None,
        flow: Flow | None = None,
    ) -> None:
        is_mapped, is_flattened = bool(mapped), bool(flattened)
        for end in (upstream_task, downstream_task):
            if isinstance(end, EdgeAnnotation):
                _, is_mapped, is_flattened = flags_of(end, is_mapped=is_mapped, is_flattened=is_flattened)
        if not isinstance(upstream_task, Task):
            upstream_task = constructors["as_task"](upstream_task, flow=flow)
        if not isinstance(downstream_task, Task):
            downstream_task = constructors["as_task"](downstream_task, flow=flow)
        if upstream_task is downstream_task:
            raise FlowError(f"task {shown(upstream_task.name)} cannot depend on itself. Copy it first: task.copy().")
        self.upstream_task: Task = upstream_task
        self.downstream_task: Task = downstream_task
        self.key = key if key is None or (type(key) is str and key in _good_keys) else checked_key(key)
        self.mapped = is_mapped
        self.flattened = is_flattened

    @property
    def tasks(self) -> set[Task]:
        """Both ends."""
        return {self.upstream_task, self.downstream_task}

    def _identity(self) -> tuple[Any, ...]:
        return (self.upstream_task, self.downstream_task, self.key, self.mapped, self.flattened)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Edge) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        key = f" as {self.key}" if self.key else ""
        flags = "".join(f", {flag}" for flag in ("mapped", "flattened") if getattr(self, flag))
        ends = (shown(task.name, 40)[1:-1] for task in (self.upstream_task, self.downstream_task))
        return f"<Edge: {' to '.join(ends)}{key}{flags}>"
