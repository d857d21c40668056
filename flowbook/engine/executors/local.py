"""The local executor: bodies run one after another on the calling thread.

So matplotlib, debuggers and `input` work as in a plain cell. On the main thread a SIGINT handler of our own is in place
while the run lasts: an interrupt that arrives between two bodies is noted and becomes a clean cancel, and one that
arrives inside a body is raised there. Without it a KeyboardInterrupt could land inside the machine.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any

from flowbook.contexts import install_frame, restore_frame
from flowbook.engine import messages as m
from flowbook.engine.attempt import in_main_thread
from flowbook.engine.frame import RunFrame
from flowbook.engine.runner import BodyStopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from flowbook.engine.runner import Runner

__all__ = ["Interruption", "LocalExecutor", "RunInterrupted", "interrupts"]


class RunInterrupted(KeyboardInterrupt):
    """An interrupt that cancelled a run; a run around that run knows by it that it was interrupted too."""


class Interruption:
    """What the SIGINT handler and the driving loop tell each other.

    Attributes:
        in_body: a body of the user runs on the main thread, so an exception may be raised there.
        asked: an interrupt came.
        stopping: the run asks the body to stop.

    """

    __slots__ = ("asked", "in_body", "stopping")

    def __init__(self) -> None:
        self.in_body = False
        self.asked = False
        self.stopping = False


@contextlib.contextmanager
def interrupts(runner: Runner, state: Interruption) -> Iterator[None]:
    """Turn an interrupt into a clean cancel while the block lasts, and raise it again at its end."""
    if not in_main_thread():
        yield
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        if state.stopping:
            state.stopping = False
            if state.in_body:
                state.in_body = False
                raise BodyStopped
            return  # the body ended by itself in between; the mailbox holds the cancel
        state.asked = True
        runner.mailbox.append(m.CancelAsked(runner.clock.now(), "Interrupted from the keyboard."))
        runner.bell.ring()
        if state.in_body:
            state.in_body = False
            raise RunInterrupted

    try:
        before = signal.signal(signal.SIGINT, on_interrupt)
    except ValueError:  # a subinterpreter: signals arrive elsewhere
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if state.asked:
        raise RunInterrupted


def _wake_main_thread() -> None:
    """Deliver SIGINT to the main thread, so that a sleeping body notices at once."""
    if hasattr(signal, "pthread_kill"):
        ident = threading.main_thread().ident
        if ident is not None:
            signal.pthread_kill(ident, signal.SIGINT)
    else:
        import _thread  # Windows: wakes at the next bytecode only

        _thread.interrupt_main()


class LocalExecutor:
    """Run bodies one after another on the calling thread."""

    name = "local"

    def drive(self, runner: Runner) -> None:
        """Run bodies until all tasks have ended or only a person can go on."""
        state = Interruption()
        frame = RunFrame(runner)
        token = install_frame(frame)
        runner.stop_body = None

        def on_post(stimulus: m.Stimulus) -> None:
            if isinstance(stimulus, m.CancelAsked) and state.in_body and not in_main_thread():
                state.stopping = True
                _wake_main_thread()

        if in_main_thread():
            runner.on_post = on_post
        try:
            with interrupts(runner, state):
                while True:
                    runner.pump()
                    run_ready(runner, frame, state)
                    if runner.is_over:
                        break
                    if not runner.machine.may_start:
                        seconds = runner.seconds_to_wait()
                        if seconds is None or seconds > 0:
                            runner.bell.wait(seconds)
        finally:
            runner.on_post = None
            restore_frame(token)


def run_ready(runner: Runner, frame: RunFrame, state: Interruption, *, at_most: int | None = None) -> None:  # noqa: C901 - the loop that must be fast
    """Run ready bodies until there are none, or there is something else to take in.

    This is the hot path of every sequential run: what it needs is in local names, and a plain task makes two calls
    into the machine and none elsewhere.
    """
    machine, mailbox, stream = runner.machine, runner.mailbox, runner.stream
    structure, guarded, bodies = runner.plan.structure, runner.plan.guarded, runner.plan.bodies
    inputs, constants = structure.inputs, structure.constants
    ready, states, timers, readers = machine.ready, machine.states, runner.timers, stream.readers
    started, returned, instructions = machine.started, machine.returned, machine.instructions
    monotonic, offset = runner.clock.reading
    at = monotonic() + offset
    while machine.may_start:
        task = ready.popleft()
        started(task, at)
        if readers:
            stream.publish()
        frame.task = task
        fixed, wanted = constants[task], inputs[task]
        kwargs: dict[str, Any] = dict(fixed) if fixed else {}
        if wanted:
            for key, upstream in wanted:
                kwargs[key] = states[upstream].result
        try:
            state.in_body = True
            value = runner.guarded(task, kwargs) if guarded[task] else bodies[task](**kwargs)
            state.in_body = False
        except BaseException as error:  # noqa: BLE001 - whatever a user's body raises ends in a state
            state.in_body = False
            _take_in(runner, task, error, state)
            at = monotonic() + offset
        else:
            at = monotonic() + offset
            returned(task, value, at)
        if mailbox or instructions or readers or timers:
            runner.carry_out()
            runner.pump()
        if at_most is not None:
            at_most -= 1
            if not at_most:
                return


def _take_in(runner: Runner, task: int, error: BaseException, state: Interruption) -> None:
    """Take in how a body ended that raised; an interrupt also cancels the run."""
    if isinstance(error, RunInterrupted) or (isinstance(error, KeyboardInterrupt) and state.asked):
        if not state.asked:  # a run inside the body was interrupted, and so is this one
            state.asked = True
            runner.mailbox.append(m.CancelAsked(runner.clock.now(), "Interrupted from the keyboard."))
        runner.pump()
        error = BodyStopped()
    elif isinstance(error, BodyStopped):
        runner.pump()
    runner.machine.handle(runner.ending(task, error))
