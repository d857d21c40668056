"""Interrupts: how code of a user that runs on the main thread is stopped, and how a run survives that.

On the main thread a SIGINT handler of our own is in place while a run lasts. An interrupt that arrives between two
bodies is noted and becomes a clean cancel; one that arrives inside a body is raised there. Without it a
`KeyboardInterrupt` could land inside the machine and leave its books half written.

A Cancel from another thread comes the same way: it sends SIGINT to the main thread, after saying which run means it.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from flowbook.engine import messages as m

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from flowbook.engine.runner import Runner

__all__ = [
    "BodyStopped",
    "Interruption",
    "RunInterrupted",
    "in_main_thread",
    "innermost_run",
    "interrupts",
    "unwind_inside",
]

# How long (seconds) a signal to our own process may take; a person never waits for it.
_ON_ITS_WAY = 0.5

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
        unwinding: a run around this one is to stop, and this one is in the way.
        is_listening: our handler is in place.
        lock: held by another thread while it looks whether we listen and sends SIGINT, and while we stop listening.

    """

    __slots__ = ("asked", "in_body", "is_listening", "lock", "stopping", "unwinding")

    def __init__(self) -> None:
        self.in_body = False
        self.asked = False
        self.stopping = False
        self.unwinding = False
        self.is_listening = False
        self.lock = threading.Lock()

    def stop_body(self) -> None:
        """Have the body that runs on the main thread stopped, from another thread, if one runs there now."""
        with self.lock:
            if self.is_listening and self.in_body:
                self.stopping = True
                _wake_main_thread()

    def stop_listening(self) -> None:
        """Let no other thread send SIGINT any more, and hear the one that is on its way: later it would be stray."""
        with self.lock:
            self.is_listening = False
        deadline = time.monotonic() + _ON_ITS_WAY
        while self.stopping and time.monotonic() < deadline:
            time.sleep(0.0001)


def in_main_thread() -> bool:
    """Tell whether this is the thread on which signals arrive."""
    return threading.current_thread() is threading.main_thread()


# The run that goes on in the main thread now, the innermost when runs are nested; only the main thread changes it.
_innermost: list[tuple[Interruption, Runner]] = []


def innermost_run() -> Interruption | None:
    """Return the run that goes on in the main thread, the innermost when runs are nested."""
    return _innermost[-1][0] if _innermost else None


def unwind_inside(run: Interruption | None) -> bool:
    """Ask all runs that go on inside the body of a run to unwind, and return whether there are any.

    Raises:
        BodyStopped: inside the innermost body.

    """
    levels = [state for state, _ in _innermost]
    inner = _innermost[levels.index(run) + 1 :] if run in levels else _innermost
    if not inner:
        return False
    for state, _ in inner:
        state.unwinding = True
    state, runner = inner[-1]
    runner.mailbox.append(m.CancelAsked(runner.clock.now(), BY_OUTER_RUN))
    runner.bell.ring()
    if state.in_body:
        raise BodyStopped
    return True


class interrupts:  # noqa: N801 - read as a verb: `with interrupts(runner):`
    """Turn an interrupt into a clean cancel while the block lasts, and raise it again at its end.

    Raises:
        RunInterrupted: a person interrupted meanwhile.
        BodyStopped: a run in whose body this one goes on was cancelled meanwhile.

    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.state = runner.interruption
        self.before: Any = None
        self.has_left = False

    def __enter__(self) -> None:
        if not in_main_thread():
            return
        self.before = signal.getsignal(signal.SIGINT)
        if self.before is None:  # not set from Python: it could not be put back
            return
        signal.signal(signal.SIGINT, self.on_interrupt)
        _innermost.append((self.state, self.runner))
        self.state.is_listening = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.before is None:
            return
        self.state.stop_listening()
        # ours stays in place until the books are in order: the one before it may raise at any moment
        if _innermost and _innermost[-1][0] is self.state:
            _innermost.pop()
        # what a body set in our place is left alone: it would also stand after a plain cell
        if signal.getsignal(signal.SIGINT) == self.on_interrupt:
            signal.signal(signal.SIGINT, self.before)
        self.has_left = True
        if kind is None and self.state.unwinding:
            raise BodyStopped
        if kind is None and self.state.asked:
            raise RunInterrupted(BY_KEYBOARD)

    def on_interrupt(self, number: int, frame: FrameType | None) -> None:
        """Take SIGINT; raises inside code of a user, and only there."""
        if self.has_left:  # a body kept this handler and put it back too late
            if callable(self.before):
                self.before(number, frame)
            return
        state, runner = self.state, self.runner
        stopping = next((level for level, _ in _innermost if level.stopping), None)  # the outermost one counts
        if stopping is not None:
            stopping.stopping = False
            if not unwind_inside(stopping) and state.in_body:
                raise BodyStopped
        elif self.before != signal.SIG_IGN:
            state.asked = True
            runner.mailbox.append(m.CancelAsked(runner.clock.now(), BY_KEYBOARD))
            runner.bell.ring()
            if state.in_body:
                raise RunInterrupted


def _wake_main_thread() -> None:
    """Send SIGINT to the main thread, so that a body that sleeps there notices at once."""
    if hasattr(signal, "pthread_kill"):
        ident = threading.main_thread().ident
        if ident is not None:
            signal.pthread_kill(ident, signal.SIGINT)
    else:
        import _thread  # noqa: PLC0415 - Windows only: wakes at the next bytecode

        _thread.interrupt_main()
