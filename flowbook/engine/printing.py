"""Printing that goes to the log: what ``log_stdout=True`` does.

``sys.stdout`` belongs to the process, and several bodies may print at the same time. So one router stands in its place
while any body wants its printing logged, and looks at each write who is printing. All others print as before.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook import redaction
from flowbook.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flowbook.tasks.base import Task

__all__ = ["masked_printing", "printing_to_log"]


class _Lines:
    """Send each printed line to a task's logger at INFO."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.rest = ""

    def take(self, text: str) -> None:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.log(line)

    def log(self, line: str) -> None:
        # the logger's own handler prints: that must reach what lies beneath the router
        token = _lines.set(None)
        try:
            self.task.logger.info("%s", line)
        finally:
            _lines.reset(token)

    def finish(self) -> None:
        """Log a last line that had no line break."""
        if self.rest:
            self.log(self.rest)
            self.rest = ""


_lines: contextvars.ContextVar[_Lines | None] = contextvars.ContextVar("flowbook_lines", default=None)


class _Router:
    """Stands in the place of a standard stream; in all that is not asked of it, it is what lies beneath."""

    def __init__(self, name: str, beneath: Any) -> None:
        self.name = name
        self.beneath = beneath
        self.users = 0

    def write(self, text: str) -> int:
        lines = _lines.get() if self.name == "stdout" else None
        if lines is None:
            return int(self.beneath.write(redact(text)) or 0)
        lines.take(text)
        return len(text)

    def writelines(self, texts: Any) -> None:
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


_lock = threading.Lock()
# `print` in older Pythons holds no reference of its own to sys.stdout: a router that another thread takes out of its
# place must not be freed while it is being printed to. So the last ones are kept, and taken again for the same stream.
_routers: deque[_Router] = deque(maxlen=32)


def _router(name: str) -> _Router:
    """Return the router that stands in the place of a stream, after putting it there when there is none."""
    beneath: Any = getattr(sys, name)
    if isinstance(beneath, _Router):
        return beneath
    router = next((kept for kept in _routers if kept.beneath is beneath and kept.name == name), None)
    if router is None:
        router = _Router(name, beneath)
        _routers.append(router)
    setattr(sys, name, router)  # it has all that the stream beneath has
    return router


@contextlib.contextmanager
def _routed(*names: str) -> Iterator[None]:
    """Have routers in the places of streams while the block lasts."""
    with _lock:
        routers = [_router(name) for name in names]
        for router in routers:
            router.users += 1
    try:
        yield
    finally:
        with _lock:
            for router in routers:
                router.users -= 1
                if not router.users and getattr(sys, router.name) is router:
                    setattr(sys, router.name, router.beneath)


@contextlib.contextmanager
def printing_to_log(task: Task) -> Iterator[None]:
    """Send what the body prints to the task's logger."""
    lines = _Lines(task)
    with _routed("stdout"):
        token = _lines.set(lines)
        try:
            yield
        finally:
            try:
                lines.finish()
            finally:
                _lines.reset(token)


def masked_printing(tasks: Iterable[Task]) -> contextlib.AbstractContextManager[None]:
    """Mask secrets in what is printed while the block lasts, when there are any or one of these tasks gives one."""
    if redaction.known or any(task.sensitive for task in tasks):
        return _routed("stdout", "stderr")
    return contextlib.nullcontext()
