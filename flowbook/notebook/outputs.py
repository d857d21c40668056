"""Outputs: what a cell prints and shows, kept for that cell while others run beside it.

``sys.stdout``, ``sys.stderr`` and IPython's display publisher belong to the process. While outputs are collected,
routers stand in their places and look at each write whose cell it comes from; what belongs to none passes as before.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

from flowbook import redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Outputs", "collecting", "current_outputs", "remember", "take_clear", "take_display"]


class Outputs:
    """What one cell printed and showed, as a notebook file keeps it.

    Args:
        echo: called with the name of the stream and each text that is written, as it comes.
        changed: called after each change; on whatever thread, so it must be quick.

    Attributes:
        threads: those that the cell has started.
        printed_past: asked for what programs have printed that the cell started, by stream, since the last time.
        count: the number in the prompt of the cell, None as long as it has none.

    """

    def __init__(
        self, echo: Callable[[str, str], None] | None = None, changed: Callable[[], object] | None = None
    ) -> None:
        self.threads: list[threading.Thread] = []
        self.printed_past: Callable[[], list[tuple[str, str]]] | None = None
        self.count: int | None = None
        self._items: list[dict[str, Any]] = []
        # of the last item, a stream: what was written since its text was put together; a cell may write a million times
        self._written: list[str] = []
        self._size_written = 0
        self.echo = echo
        self.changed = changed or _nothing
        self._lock = threading.Lock()
        self._is_to_be_cleared = False

    @property
    def items(self) -> list[dict[str, Any]]:
        """The outputs, in nbformat's form."""
        with self._lock:
            return self._settled()

    def _settled(self) -> list[dict[str, Any]]:
        if self._written:
            self._items[-1]["text"] += "".join(self._written)
            self._written.clear()
            self._size_written = 0
        return self._items

    def _clear_if_asked(self) -> None:
        if self._is_to_be_cleared:
            self._is_to_be_cleared = False
            self._settled().clear()

    def write(self, stream: str, text: str) -> None:
        """Take what was written to "stdout" or "stderr"."""
        if not text:
            return
        self.take_printed_past()
        self._write(stream, text)

    def take_printed_past(self) -> None:
        """Take what programs have printed that the cell started: it came before what comes now."""
        if self.printed_past is not None:
            for stream, text in self.printed_past():
                if text:
                    self._write(stream, text)

    def _write(self, stream: str, text: str) -> None:
        with self._lock:
            self._clear_if_asked()
            last = self._items[-1] if self._items else {}
            if last.get("output_type") == "stream" and last["name"] == stream:
                self._written.append(text)
                self._size_written += len(text)
            else:
                self._settled().append({"output_type": "stream", "name": stream, "text": text})
        self.changed()
        if self.echo is not None:
            self.echo(stream, text)

    def show(self, data: dict[str, Any], metadata: dict[str, Any] | None, transient: dict[str, Any] | None) -> None:
        """Take what ``display`` showed."""
        item: dict[str, Any] = {"output_type": "display_data", "data": dict(data), "metadata": dict(metadata or {})}
        display_id = (transient or {}).get("display_id")
        if display_id:
            item["transient"] = {"display_id": display_id}
        self.take_printed_past()
        with self._lock:
            self._clear_if_asked()
            self._settled().append(item)
        self.changed()

    def update(self, data: dict[str, Any], metadata: dict[str, Any] | None, display_id: str) -> bool:
        """Replace what was shown under a display id; return whether this cell had any."""
        with self._lock:
            found = [item for item in self._items if item.get("transient", {}).get("display_id") == display_id]
            for item in found:
                item.update(data=dict(data), metadata=dict(metadata or {}))
        if found:
            self.changed()
        return bool(found)

    def clear(self, *, wait: bool = False) -> None:
        """Forget all outputs so far, or when the next one comes: ``clear_output()``."""
        with self._lock:
            self._is_to_be_cleared = wait
            if not wait:
                self._settled().clear()
        self.changed()

    def result(self, data: dict[str, Any], metadata: dict[str, Any], count: int | None) -> None:
        """Take the value of the last expression."""
        item = {"output_type": "execute_result", "data": data, "metadata": metadata, "execution_count": count}
        self.take_printed_past()
        with self._lock:
            self._clear_if_asked()
            self._settled().append(item)
        self.changed()

    def error(self, kind: str, words: str, traceback: list[str]) -> None:
        """Take the error in which the cell ended."""
        self.take_printed_past()
        with self._lock:
            self._settled().append({"output_type": "error", "ename": kind, "evalue": words, "traceback": traceback})
        self.changed()

    @property
    def size(self) -> int:
        """How many characters of text there are, about."""
        with self._lock:
            shown = sum(_size(value) for item in self._items for value in (item, *item.get("data", {}).values()))
            return shown + self._size_written

    def saved(self) -> list[dict[str, Any]]:
        """Return the outputs as a notebook file keeps them, with secrets masked."""
        with self._lock:
            items = [{key: value for key, value in item.items() if key != "transient"} for item in self._settled()]
        return [_masked(item) for item in items] if redaction.known else items


def _masked(item: dict[str, Any]) -> dict[str, Any]:
    """Return an output with the secrets in its texts masked; pictures are no texts."""
    return {key: _without_secrets(value) for key, value in item.items()}


def _without_secrets(value: Any, kind: str = "") -> Any:
    if isinstance(value, str):
        is_text = not kind.startswith(("image/", "audio/", "video/", "font/")) or kind == "image/svg+xml"
        return redaction.redact(value) if is_text else value
    if isinstance(value, dict):
        return {key: _without_secrets(one, str(key)) for key, one in value.items()}
    return [_without_secrets(one, kind) for one in value] if isinstance(value, list) else value


def _size(value: Any) -> int:
    text = value.get("text", "") if isinstance(value, dict) else value
    return len(text) if isinstance(text, str) else 100


def _nothing() -> None:
    """Tell nobody of a change."""


_current: contextvars.ContextVar[Outputs | None] = contextvars.ContextVar("flowbook_outputs", default=None)


def current_outputs() -> Outputs | None:
    """Return where the outputs of the cell go that runs in this context."""
    return _current.get()


class _Stream:
    """Stands in the place of ``sys.stdout`` or ``sys.stderr``; all else that is asked of it, the stream beneath is."""

    def __init__(self, name: str, beneath: Any) -> None:
        self.flowbook_name = name
        self.beneath = beneath
        self.home = os.getpid()

    def write(self, text: str) -> int:
        outputs = _current.get()
        if outputs is None or os.getpid() != self.home:  # a process that a cell has forked has only a copy of it
            return int(self.beneath.write(text) or 0)
        outputs.write(self.flowbook_name, text)
        return len(text)

    def writelines(self, texts: Any) -> None:
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        if _current.get() is None:
            self.beneath.flush()

    def close(self) -> None:
        if _current.get() is None:  # a cell must not close what belongs to all
            self.beneath.close()

    def isatty(self) -> bool:
        return False if _current.get() is not None else bool(self.beneath.isatty())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


def take_display(data: Any, metadata: Any, transient: Any, *, update: bool = False) -> bool:
    """Take what is shown for the cell that runs in this context; False when none does."""
    outputs = _current.get()
    if outputs is None:
        return False
    if update:
        display_id = str((transient or {}).get("display_id", ""))
        for one in [outputs, *_others(outputs)]:
            one.update(data, metadata, display_id)
    else:
        outputs.show(data, metadata, transient)
    return True


def take_clear(*, wait: bool) -> bool:
    """Forget the outputs of the cell that runs in this context; False when none does."""
    outputs = _current.get()
    if outputs is None:
        return False
    outputs.clear(wait=wait)
    return True


class _Publisher:
    """Stands before a display publisher's ``publish`` and ``clear_output``."""

    def __init__(self, publisher: Any) -> None:
        self.publisher = publisher
        self.publish, self.clear_output = publisher.publish, publisher.clear_output

    def take(
        self,
        data: Any,
        metadata: Any = None,
        *args: Any,
        transient: Any = None,
        update: bool = False,
        **more: Any,
    ) -> None:
        if not take_display(data, metadata, transient, update=update):
            self.publish(data, metadata, *args, transient=transient, update=update, **more)

    def clear(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's own signature
        if not take_clear(wait=wait):
            self.clear_output(wait)

    def put(self) -> None:
        self.before = {name: one for name, one in vars(self.publisher).items() if name in {"publish", "clear_output"}}
        self.publisher.publish, self.publisher.clear_output = self.take, self.clear

    def take_away(self) -> None:
        # mostly they were found on the class before, and then nothing of ours may stay on the instance
        for name in ("publish", "clear_output"):
            self.publisher.__dict__.pop(name, None)
        self.publisher.__dict__.update(self.before)


_lock = threading.Lock()
_users = [0]
_undo: list[Callable[[], None]] = []
_known: list[weakref.ref[Outputs]] = []
# What cells have put in the places of the streams, by name.
_left: dict[str, Any] = {}


def _others(outputs: Outputs) -> list[Outputs]:
    """Return the outputs of other cells of this process, in which a display may be updated."""
    with _lock:
        return [one for known in _known if (one := known()) is not None and one is not outputs]


def _route_threads() -> None:
    """Let what a thread prints go to the cell that starts it."""
    before = threading.Thread.start  # not always Python's own: profilers and debuggers put theirs in its place

    def start(thread: threading.Thread) -> None:
        outputs = _current.get()
        if outputs is not None:
            run = thread.run

            def run_for_cell() -> None:
                _current.set(outputs)  # each thread has a context of its own
                run()

            thread.run = run_for_cell  # type: ignore[method-assign]
            outputs.threads.append(thread)
        before(thread)

    def put_back() -> None:
        if threading.Thread.start is start:  # else a cell put another one in its place
            threading.Thread.start = before  # type: ignore[method-assign]

    threading.Thread.start = start  # type: ignore[method-assign,assignment]
    _undo.append(put_back)


def _route_stream(name: str) -> None:
    """Let what is written to "stdout" or "stderr" go to the cell that writes it."""
    beneath = _own(getattr(sys, name))
    if beneath is not _left.get(name):  # else a cell before has put it there, so that cells write to it from then on
        setattr(sys, name, _Stream(name, beneath))

    def put_back() -> None:
        now = getattr(sys, name)
        if isinstance(now, _Stream):  # ours, or one that a cell has kept and put back
            setattr(sys, name, _own(now))
            _left.pop(name, None)
        else:
            _left[name] = now

    _undo.append(put_back)


def _own(stream: Any) -> Any:
    """Return the stream beneath our routers."""
    while isinstance(stream, _Stream):
        stream = stream.beneath
    return stream


def _install(publisher: Any) -> None:
    _route_threads()
    for name in ("stdout", "stderr"):
        _route_stream(name)
    if publisher is not None:
        before = _Publisher(publisher)
        before.put()
        _undo.append(before.take_away)


@contextlib.contextmanager
def collecting(outputs: Outputs, publisher: Any = None) -> Iterator[None]:
    """Collect what this context prints and shows.

    Args:
        outputs: where it goes.
        publisher: the display publisher of the IPython of this process, when it has one.

    """
    with _lock:
        if not _users[0]:
            _install(publisher)
        _users[0] += 1
        _remember(outputs)
    token = _current.set(outputs)
    try:
        yield
    finally:
        _current.reset(token)
        with _lock:
            _users[0] -= 1
            if not _users[0]:
                while _undo:
                    _undo.pop()()


def _remember(outputs: Outputs) -> None:
    if not _known or _known[-1]() is not outputs:
        _known.append(weakref.ref(outputs))  # others keep them, as long as somebody may look at them
        del _known[:-_KEPT]


def remember(outputs: Outputs) -> None:
    """Let other cells update what is shown in these outputs, which were not collected here."""
    with _lock:
        _remember(outputs)


# How many cells back a display may still be updated in.
_KEPT = 1000


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let what this context prints and shows pass while the block lasts."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)
