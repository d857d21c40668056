"""One attempt at a body that needs more than a call: a timeout, or printing that goes to the log."""

from __future__ import annotations

import contextlib
import contextvars
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from flowbook.engine.interrupts import in_main_thread
from flowbook.engine.printing import printing_to_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

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
            with _alarm(task.timeout):
                return body(**kwargs)
        if can_start_threads():
            return _call_on_thread(task, body, kwargs)
        return body(**kwargs)


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `BodyTimedOut` in the block when its time is over; also at its end, when the block caught it."""
    is_armed, has_rung = True, False

    def ring(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        nonlocal has_rung
        has_rung = True
        if is_armed:
            raise BodyTimedOut

    before = signal.signal(signal.SIGALRM, ring)
    began = time.monotonic()
    # a task around this one, in whose body this one runs, may have an alarm of its own
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        is_armed = False  # from here on a late alarm must not keep the rest from being put back
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, outer - (time.monotonic() - began)))
    if has_rung:
        raise BodyTimedOut


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
