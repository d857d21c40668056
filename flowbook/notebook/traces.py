"""Traces: what cells have left in the names of a kernel, which a whole run of the notebook would not leave so.

A name that a cell made is not that cell's any more when something else has changed it since: an earlier text of a cell,
a cell that was deleted, or code that stands in no cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowbook.sources import CellSyntaxError, analyse
from flowbook.states import Cancelled, Skipped, TriggerFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.states import State

__all__ = ["Traces", "changes_of", "has_begun", "overtaken"]


class _Ending(Protocol):
    """How a cell ended: see `flowbook.notebook.live_document.Ended` and `flowbook.notebook.book.Ended`."""

    @property
    def state(self) -> State: ...

    @property
    def serial(self) -> int: ...

    @property
    def changes(self) -> frozenset[str] | None: ...

    @property
    def started(self) -> float | None: ...


class Traces:
    """Keeps the names that were changed by what is not in the notebook any more, with the number of that.

    >>> traces = Traces()
    >>> traces.leave(frozenset({"x"}), 3)
    >>> traces.leave(None, 2)  # it may have changed anything
    >>> sorted(traces.left().items())
    [('*', 2), ('x', 3)]

    """

    def __init__(self) -> None:
        self._left: dict[str, int] = {}

    def leave(self, names: frozenset[str] | None, serial: int) -> None:
        """Note that names were changed; None stands for any."""
        for name in {"*"} if names is None else names:
            self._left[name] = max(serial, self._left.get(name, 0))

    def replace(self, before: _Ending, after: _Ending) -> None:
        """Note that a cell has run with another text: what only its text before has changed is left behind."""
        if has_begun(before):
            gone = None if before.changes is None else before.changes - (after.changes or frozenset())
            self.leave(gone, before.serial)

    def left(self, gone: Iterable[tuple[_Ending, frozenset[str]]] = ()) -> dict[str, int]:
        """Return the names that were changed by what does not stand in the notebook now, and when.

        Args:
            gone: how cells ended whose text is another one by now, or that are not there; with what they change now.

        """
        found = Traces()
        found._left.update(self._left)
        for ended, own in gone:
            if has_begun(ended):
                found.leave(None if ended.changes is None else ended.changes - own, ended.serial)
        return found._left


def overtaken(ended: _Ending, left: Mapping[str, int]) -> str:
    """Return a name of those that a cell changed which something else has changed after it; "" when there is none."""
    if ended.serial < left.get("*", 0):
        return "everything"
    mine = sorted(ended.changes) if ended.changes is not None else sorted(left)
    return next((name for name in mine if ended.serial < left.get(name, 0)), "")


def has_begun(ended: _Ending) -> bool:
    """Tell whether a cell that ended so has run at all; one that was cancelled may have done half of it."""
    return ended.started is not None or not isinstance(ended.state, (TriggerFailed, Skipped, Cancelled))


def changes_of(source: str) -> frozenset[str] | None:
    """Return the names that a text changes, seen by itself; None when that cannot be told."""
    try:
        names = analyse(source)
    except CellSyntaxError:
        return frozenset()
    if names.opaque is not None:
        return None
    return names.writes | names.maybe_writes | names.mutates | names.may_mutate | names.deletes
