"""Traces: what cells have left in the names of a kernel, which a whole run of the notebook would not leave so.

A name that a cell made is not that cell's any more when something else has changed it since: an earlier text of a cell,
a cell that was deleted, or code that stands in no cell.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from flowbook.sources import CellSyntaxError, analyse
from flowbook.sources.trees import parsed
from flowbook.states import Cancelled, Skipped, TriggerFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from flowbook.states import State

__all__ = ["Traces", "changes_of", "has_begun", "overtaken", "reached"]


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


_MISSING = re.compile(r"has no attribute '(\w+)'|object has no method '(\w+)'|name '(\w+)' is not defined")
_ASKING = frozenset({"__getattr__", "__getattribute__"})


def reached(source: str, error: object, filename: str) -> str:
    r"""Return the part of a cell's text that was run before it failed.

    That is all up to the statement that failed. Of this one, the call of a method that is not there and the use of a
    name that is not there did not come about: something harmless stands in their place.

    Args:
        source: the text.
        error: in which the cell ended.
        filename: what tracebacks call the cell.

    >>> try:
    ...     exec(compile("a = 1\na.nope()\nb = 2", "<cell>", "exec"))
    ... except AttributeError as error:
    ...     print(reached("a = 1\na.nope()\nb = 2", error, "<cell>"))
    a = 1
    a.copy()

    """
    place = _place(error, filename)
    if place is None:
        return source
    line, is_missing = place
    try:
        statements = parsed(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source  # a magic; its lines are other ones
    failed = next((one for one in statements if one.lineno <= line <= (one.end_lineno or one.lineno)), None)
    if failed is None:
        return source
    lines = source.splitlines()
    before, last = lines[: failed.lineno - 1], lines[failed.lineno - 1 : failed.end_lineno]
    text = "\n".join(last)
    found = _MISSING.search(str(error)) if is_missing else None
    if found is not None and isinstance(error, AttributeError):
        text = re.sub(rf"\.\s*{found[1] or found[2]}\b", ".copy", text)
    elif found is not None and isinstance(error, NameError) and found[3]:
        text = re.sub(rf"(?<![\w.]){found[3]}\b", "None", text)
    return "\n".join([*before, text])


def _place(error: object, filename: str) -> tuple[int, bool] | None:
    """Return the line of the cell at which it failed, and whether something was missing right there."""
    if not isinstance(error, BaseException):
        return None
    trace: TracebackType | None = error.__traceback__
    line, below = None, True
    while trace is not None:
        code = trace.tb_frame.f_code
        if line is None and code.co_filename == filename and code.co_name == "<module>":
            line = trace.tb_lineno
        elif line is not None:
            below = below and code.co_name in _ASKING
        trace = trace.tb_next
    return None if line is None else (line, below and isinstance(error, (AttributeError, NameError)))
