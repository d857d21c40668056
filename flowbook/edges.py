"""Edges: one task waits for another, and may be given its result under a key."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, shown

if TYPE_CHECKING:
    from flowbook.tasks.base import Task

__all__ = ["Edge", "checked_key"]


def checked_key(key: object) -> str:
    """Return the key of a data edge, or raise FlowError when it cannot name an argument."""
    if isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key):
        return key
    msg = f"{shown(key)} cannot be the key of an edge: it must be a Python identifier and not a keyword."
    raise FlowError(msg)


class Edge:
    """A dependency between two tasks.

    Args:
        upstream_task: the task that goes first.
        downstream_task: the task that waits.
        key: the argument of the downstream task that gets the result; None for a state dependency.
        mapped: run the downstream task once per element of the result.
        flattened: take one level of nesting out of the result before mapping.

    Raises:
        FlowError: the two tasks are the same, or the key cannot name an argument.

    """

    __slots__ = ("downstream_task", "flattened", "key", "mapped", "upstream_task")

    def __init__(
        self,
        upstream_task: Task,
        downstream_task: Task,
        key: str | None = None,
        mapped: bool | None = None,  # noqa: FBT001 - the reference API takes them by position
        flattened: bool | None = None,  # noqa: FBT001
        flow: Any = None,  # noqa: ARG002 - accepted as in the reference; an edge itself needs no flow
    ) -> None:
        if upstream_task is downstream_task:
            msg = f"task {shown(upstream_task.name)} cannot depend on itself. Copy it first: task.copy()."
            raise FlowError(msg)
        self.upstream_task = upstream_task
        self.downstream_task = downstream_task
        self.key = None if key is None else checked_key(key)
        self.mapped = bool(mapped)
        self.flattened = bool(flattened)

    @property
    def tasks(self) -> set[Task]:
        """Both ends."""
        return {self.upstream_task, self.downstream_task}

    def _identity(self) -> tuple[Any, ...]:
        return (id(self.upstream_task), id(self.downstream_task), self.key, self.mapped, self.flattened)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Edge) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        key = f" as {self.key}" if self.key else ""
        flags = "".join(f", {flag}" for flag in ("mapped", "flattened") if getattr(self, flag))
        return f"<Edge: {shown(self.upstream_task.name, 40)} to {shown(self.downstream_task.name, 40)}{key}{flags}>"
