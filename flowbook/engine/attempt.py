"""One attempt at a body that needs more than a call: a timeout, or printing that goes to the log."""

from __future__ import annotations

import contextlib
import contextvars
import io
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from flowbook.contexts import current_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from flowbook.tasks.base import Task

__all__ = ["BodyTimedOut", "call_guarded", "in_main_thread", "printing_to_log"]


class BodyTimedOut(BaseException):
    """Raised inside a body whose time is over; a BaseException, so that ``except Exception`` lets it pass."""


def in_main_thread() -> bool:
    """Tell whether this is the thread on which signals arrive."""
    return threading.current_thread() is threading.main_thread()


def call_guarded(task: Task, body: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """Call a body with the task's timeout and printing.

    Raises:
        BodyTimedOut: the time is over. On the main thread the body was stopped by an alarm; elsewhere nothing can stop
            it, so it is let go of and still runs.

    """
    with contextlib.ExitStack() as stack:
        if task.log_stdout:
            stack.enter_context(printing_to_log(task))
        if task.timeout is None:
            return body(**kwargs)
        if in_main_thread() and hasattr(signal, "SIGALRM"):
            stack.enter_context(_alarm(task.timeout))
            return body(**kwargs)
        return _call_on_thread(task, body, kwargs)


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        raise BodyTimedOut

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _call_on_thread(task: Task, body: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """Call a body on a thread that can be let go of."""
    box: list[tuple[bool, Any]] = []
    done = threading.Event()
    carried = contextvars.copy_context()

    def call() -> None:
        try:
            box.append((True, carried.run(body, **kwargs)))
        except BaseException as error:  # noqa: BLE001 - whatever a body raises is handed to the caller
            box.append((False, error))
        done.set()

    threading.Thread(target=call, name=f"flowbook-body-{task.name[:40]}", daemon=True).start()
    if not done.wait(task.timeout):
        raise BodyTimedOut
    well, what = box[0]
    if well:
        return what
    raise what


class _LogWriter(io.TextIOBase):
    """Send each written line to the task's logger at INFO."""

    def __init__(self, task: Task, beneath: Any) -> None:
        self.task = task
        self.owner = current_frame()
        self.beneath = beneath
        self.rest = ""

    def write(self, text: str) -> int:
        if current_frame() is not self.owner:
            return int(self.beneath.write(text))  # another thread prints meanwhile
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self._log(line)
        return len(text)

    def _log(self, line: str) -> None:
        # the logger's own handler prints: it must reach what lies beneath, not this writer
        with contextlib.redirect_stdout(self.beneath):
            self.task.logger.info(line)

    def finish(self) -> None:
        """Log a last line that had no line break."""
        if self.rest:
            self._log(self.rest)
            self.rest = ""


@contextlib.contextmanager
def printing_to_log(task: Task) -> Iterator[None]:
    """Send what the body prints to the task's logger."""
    writer = _LogWriter(task, sys.stdout)
    with contextlib.redirect_stdout(writer):
        try:
            yield
        finally:
            writer.finish()
