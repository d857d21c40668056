"""Interrupts: how code of a user that runs on the main thread is stopped, and how a run survives that.

On the main thread a SIGINT handler of our own is in place while a run lasts. An interrupt that arrives between two
bodies is noted and becomes a clean cancel; one that arrives inside a body is raised there. Without it a
`KeyboardInterrupt` could land inside the machine and leave its books half written.

A Cancel from another thread comes the same way: it sends SIGINT to the main thread, after saying which run means it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

from flowbook.engine import messages as m

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from flowbook.engine.runner import Runner

__all__ = ["BodyStopped", "Interruption", "RunInterrupted", "in_main_thread", "interrupts", "wake_main_thread"]

BY_KEYBOARD = "Interrupted from the keyboard."
BY_OUTER_RUN = "The run around this one was cancelled."


class BodyStopped(BaseException):
    """Raised inside code of a user that is to stop; a BaseException, so that ``except Exception`` lets it pass."""


class RunInterrupted(KeyboardInterrupt):
    """An interrupt that cancelled a run; a run around that run knows by it that it was interrupted too."""


class Interruption:
    """What the SIGINT handler and the driving loop of one run tell each other.

    Attributes:
        in_body: code of the user runs on the main thread, so an exception may be raised there.
        asked: a person interrupted.
        stopping: this run, cancelled from another thread, asks its body to stop; SIGINT is on its way.
        unwinding: a run around this one is cancelled, and this one is in the way.
        outer: the same of the run in whose body this run goes on.

    """

    __slots__ = ("asked", "in_body", "outer", "stopping", "unwinding")

    def __init__(self) -> None:
        self.in_body = False
        self.asked = False
        self.stopping = False
        self.unwinding = False
        self.outer: tuple[Interruption, Runner] | None = None

    def take_stop(self) -> bool:
        """Find the outermost run that asks its body to stop; ask all runs inside of it to unwind."""
        levels = [self]
        while levels[-1].outer is not None:
            levels.append(levels[-1].outer[0])
        for depth in reversed(range(len(levels))):
            if levels[depth].stopping:
                levels[depth].stopping = False
                for inner in levels[:depth]:
                    inner.unwinding = True
                return True
        return False


def in_main_thread() -> bool:
    """Tell whether this is the thread on which signals arrive."""
    return threading.current_thread() is threading.main_thread()


# The run that goes on in the main thread now, the innermost when runs are nested; only the main thread changes it.
_innermost: list[tuple[Interruption, Runner]] = []


@contextlib.contextmanager
def interrupts(runner: Runner) -> Iterator[None]:
    """Turn an interrupt into a clean cancel while the block lasts, and raise it again at its end.

    Raises:
        RunInterrupted: a person interrupted meanwhile.
        BodyStopped: a run in whose body this one goes on was cancelled meanwhile.

    """
    before = signal.getsignal(signal.SIGINT) if in_main_thread() else None
    if before is None:  # another thread, or a handler that was not set from Python and could not be put back
        yield
        return
    state = runner.interruption
    state.outer = _innermost[-1] if _innermost else None
    has_left = False

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if has_left:  # a body kept this handler and put it back too late
            if callable(before):
                before(number, frame)
            return
        stopped = state.take_stop()
        if not stopped and before == signal.SIG_IGN:
            return
        if not stopped:
            state.asked = True
        if state.asked or state.unwinding:
            runner.mailbox.append(m.CancelAsked(runner.clock.now(), BY_OUTER_RUN if stopped else BY_KEYBOARD))
            runner.bell.ring()
        if state.in_body:
            raise BodyStopped if stopped else RunInterrupted

    _innermost.append((state, runner))
    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        # what a body set in our place is left alone: it would also stand after a plain cell
        if signal.getsignal(signal.SIGINT) is on_interrupt:
            signal.signal(signal.SIGINT, before)
        has_left = True
        _innermost.pop()
    if state.unwinding:
        raise BodyStopped
    if state.asked:
        raise RunInterrupted(BY_KEYBOARD)


def wake_main_thread() -> None:
    """Send SIGINT to the main thread, so that a body that sleeps there notices at once."""
    if hasattr(signal, "pthread_kill"):
        ident = threading.main_thread().ident
        if ident is not None:
            signal.pthread_kill(ident, signal.SIGINT)
    else:
        import _thread  # noqa: PLC0415 - Windows only: wakes at the next bytecode

        _thread.interrupt_main()
