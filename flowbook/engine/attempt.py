"""One attempt at a body that needs more than a call: a timeout, or printing that goes to the log."""

from __future__ import annotations

import contextlib
import contextvars
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from flowbook.engine.interrupts import BodyStopped, in_main_thread, innermost_run, unwind_inside
from flowbook.engine.printing import printing_to_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from flowbook.tasks.base import Task

__all__ = ["BodyTimedOut", "call_guarded", "can_start_threads"]


class BodyTimedOut(BaseException):
    """Raised inside a body whose time is over; a BaseException, so that ``except Exception`` lets it pass."""


_can_start_threads: list[bool] = []


def can_start_threads() -> bool:
    """Tell whether this interpreter can start threads; Pyodide cannot."""
    if not _can_start_threads:
        try:
            thread = threading.Thread(target=int, daemon=True)
            thread.start()
        except RuntimeError:
            _can_start_threads.append(False)
        else:
            thread.join()
            _can_start_threads.append(True)
    return _can_start_threads[0]


def call_guarded(task: Task, body: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """Call a body with the task's timeout and printing.

    Raises:
        BodyTimedOut: the time is over. On the main thread the body was stopped by an alarm; elsewhere nothing can stop
            it, so it is let go of and still runs. Where there are neither alarms nor threads it is not noticed.

    """
    with contextlib.ExitStack() as stack:
        if task.log_stdout:
            stack.enter_context(printing_to_log(task))
        if not task.timeout:
            return body(**kwargs)
        if in_main_thread() and hasattr(signal, "SIGALRM"):
            with _Alarm(task.timeout):
                return body(**kwargs)
        if can_start_threads():
            return _call_on_thread(task, body, kwargs)
        return body(**kwargs)


class _Alarm:
    """A timeout on the main thread, around one body.

    Alarms nest, since a body may run a flow whose tasks have timeouts: there is only one timer, set to whichever is
    due first. An alarm that was set by somebody else is served like one of ours.
    """

    def __init__(self, seconds: float) -> None:
        self.due = time.monotonic() + seconds
        self.run = innermost_run()
        self.is_armed = True
        self.has_rung = False
        self.before: Any = None
        self.due_before = float("inf")

    def __enter__(self) -> None:
        self.before = signal.signal(signal.SIGALRM, self.ring)
        left, _ = signal.setitimer(signal.ITIMER_REAL, max(_SOON, self.due - time.monotonic()))
        if left:
            self.due_before = time.monotonic() + left
            if self.due_before < self.due:
                signal.setitimer(signal.ITIMER_REAL, left)

    def ring(self, number: int, frame: FrameType | None) -> None:
        """Take the signal; raises `BodyTimedOut`, or what the alarm before this one raises."""
        now = time.monotonic()
        if now >= self.due_before and callable(self.before):
            self.due_before = float("inf")
            if now < self.due:
                signal.setitimer(signal.ITIMER_REAL, self.due - now)
            self.before(number, frame)
        if now >= self.due and self.is_armed and not self.has_rung:
            self.has_rung = True
            if not unwind_inside(self.run):
                raise BodyTimedOut

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_armed = False  # from here on a late alarm must not keep the rest from being put back
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)
        if self.due_before < float("inf"):
            signal.setitimer(signal.ITIMER_REAL, max(_SOON, self.due_before - time.monotonic()))
        # the body caught it, or runs inside of it were stopped for it
        if self.has_rung and (kind is None or kind is BodyStopped):
            raise BodyTimedOut from None


# A timer cannot be set to no time at all: zero means never.
_SOON = 1e-3


def _call_on_thread(task: Task, body: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """Call a body on a thread that can be let go of."""
    box: list[tuple[Any, BaseException | None]] = []
    done = threading.Event()
    carried = contextvars.copy_context()

    def call() -> None:
        try:
            box.append((carried.run(body, **kwargs), None))
        except BaseException as error:  # noqa: BLE001 - whatever a body raises is handed to the caller
            box.append((None, error))
        done.set()

    threading.Thread(target=call, name=f"flowbook-body-{task.name[:40]}", daemon=True).start()
    if not done.wait(task.timeout):
        raise BodyTimedOut
    value, error = box[0]
    if error is not None:
        raise error
    return value
