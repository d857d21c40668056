"""The runner: carries out what the machine decides.

All that comes in (a finished body, a timer, a Cancel button) goes through one mailbox and is taken in by `pump`. Events
are published first and acted on afterwards, so nobody ever sees a child start before its parent's end. Which thread
runs the bodies is the executor's business: it drives the runner by `pump`, `take`, `attempt` and `settle`.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.contexts import install_frame, restore_frame
from flowbook.engine import messages as m
from flowbook.engine.attempt import BodyTimedOut, call_guarded
from flowbook.engine.frame import RunFrame
from flowbook.engine.machine import Machine
from flowbook.engine.stream import Stream
from flowbook.errors import shown
from flowbook.states import Cancelled, Failed, State, TimedOut
from flowbook.triggers import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.clock import Clock
    from flowbook.engine.plan import Plan

__all__ = ["BodyStopped", "Bell", "Runner", "consult"]


class BodyStopped(BaseException):
    """Raised inside a body that was asked to stop."""


class Bell:
    """Wake one waiting thread, from anywhere, signal handlers included.

    A raw lock that is released to ring: unlike a condition, ringing takes no other lock, so a signal handler that
    interrupts the waiting thread itself can ring without a deadlock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake the waiter, now or when it next waits; ringing twice is ringing once."""
        try:
            self._lock.release()
        except RuntimeError:
            pass  # rung already and not heard yet

    def wait(self, seconds: float | None) -> bool:
        """Wait for a ring; return whether there was one."""
        return self._lock.acquire(timeout=-1 if seconds is None else max(0.0, min(seconds, threading.TIMEOUT_MAX)))


class Runner:
    """One run: the machine, its mailbox, its timers.

    Args:
        plan: the flow as numbers.
        clock: tells the time.
        run_id: identifies the run.
        name: of the run, for people.
        parameters: values of the flow's parameters.
        given: context values people set.
        task_contexts: context values for single tasks, by number.
        seeds: states to start from, by number.

    """

    def __init__(  # noqa: PLR0913 - everything a run depends on is an argument
        self,
        plan: Plan,
        clock: Clock,
        *,
        run_id: str,
        name: str = "",
        parameters: Mapping[str, Any] | None = None,
        given: Mapping[str, Any] | None = None,
        task_contexts: Mapping[int, Mapping[str, Any]] | None = None,
        seeds: Mapping[int, State] | None = None,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.run_id = run_id
        self.name = name
        self.parameters = dict(parameters or {})
        self.given = dict(given or {})
        self.task_contexts = dict(task_contexts or {})
        self.machine = Machine(plan, seeds)
        self.stream = Stream(self.machine.log, plan.structure.slugs)
        self.mailbox: deque[m.Stimulus] = deque()
        self.bell = Bell()
        self.timers: list[tuple[float, int]] = []
        self.started = clock.now()
        # The executor's own ways: how to stop a body, and where to ask handlers (None: here and now).
        self.stop_body: Callable[[int], None] | None = None
        self.ask_elsewhere: Callable[[m.Instruction], None] | None = None
        # Set by an executor that can be told of news while it waits or runs a body.
        self.on_post: Callable[[m.Stimulus], None] | None = None

    # -- for everybody, on any thread ---------------------------------------------------------------------------------

    def post(self, stimulus: m.Stimulus) -> None:
        """Put something into the mailbox; it is taken in before the next body starts."""
        self.mailbox.append(stimulus)
        self.bell.ring()
        if self.on_post is not None:
            self.on_post(stimulus)

    # -- for the executor ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the run."""
        self.started = self.clock.now()
        self.machine.begin(self.started)
        self.carry_out()

    def pump(self) -> None:
        """Take in the mailbox and the timers that are due, and carry out what follows."""
        machine = self.machine
        while self.mailbox:
            machine.handle(self.mailbox.popleft())
            self.carry_out()
        while self.timers and self.timers[0][0] <= self.clock.now():
            machine.handle(m.LetGoOn(heapq.heappop(self.timers)[1], self.clock.now()))
            self.carry_out()
        if machine.instructions or self.stream.readers:
            self.carry_out()

    def carry_out(self) -> None:
        """Publish what happened, then do what the machine instructs, until it has no more instructions."""
        machine = self.machine
        self.stream.publish()
        while machine.instructions:
            todo = machine.instructions.copy()
            machine.instructions.clear()
            for instruction in todo:
                self._carry_out(instruction)
            self.stream.publish()

    def _carry_out(self, instruction: m.Instruction) -> None:
        if isinstance(instruction, m.StartTimer):
            heapq.heappush(self.timers, (instruction.due, instruction.task))
        elif isinstance(instruction, m.StopBody):
            if self.stop_body is not None:
                self.stop_body(instruction.task)
        elif self.ask_elsewhere is not None:
            self.ask_elsewhere(instruction)
        else:
            self.machine.handle(self.answer(instruction, RunFrame(self)))

    def seconds_to_wait(self) -> float | None:
        """Return how long nothing can happen by itself; None when only a message can change that.

        With a virtual clock and nothing running the time jumps, and the answer is 0.
        """
        if self.mailbox:
            return 0.0
        if not self.timers:
            return None
        due = self.timers[0][0]
        if self.clock.is_virtual:
            if self.machine.running:
                return None
            self.clock.advance(due)
            return 0.0
        return max(0.0, due - self.clock.now())

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself: all tasks ended, or only a person can go on."""
        return not self.mailbox and not self.machine.instructions and (self.machine.is_done or self.machine.is_parked)

    def arguments(self, task: int) -> dict[str, Any]:
        """Gather what a body is called with: its constants, and the results upstream by reference."""
        structure, states = self.plan.structure, self.machine.states
        constants, inputs = structure.constants[task], structure.inputs[task]
        kwargs = dict(constants) if constants else {}
        for key, upstream in inputs or ():
            kwargs[key] = states[upstream].result
        return kwargs

    def guarded(self, task: int, kwargs: dict[str, Any]) -> Any:
        """Call a body with its task's timeout and printing."""
        return call_guarded(self.plan.tasks[task], self.plan.bodies[task], kwargs)

    def ending(self, task: int, error: BaseException) -> m.Stimulus:
        """Say how an attempt ended that raised, as a stimulus; the traceback starts in the user's code."""
        at = self.clock.now()
        if isinstance(error, BodyStopped):
            return m.Ended(task, Cancelled(self.machine.cancelled or "Stopped."), at)
        if isinstance(error, BodyTimedOut):
            return m.Ended(task, self.timed_out(task), at)
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            error.__traceback__ = error.__traceback__.tb_next
        return m.Raised(task, error, at)

    def timed_out(self, task: int, *, still_running: bool = False) -> State:
        """Return the state of a task whose time is over."""
        seconds = self.plan.tasks[task].timeout
        more = " Its body is still running on its thread: only a process can be stopped." if still_running else ""
        message = f"Timed out after {seconds} s.{more}"
        return TimedOut(message, result=TimeoutError(message))

    def answer(self, instruction: m.Instruction, frame: RunFrame) -> m.Stimulus:
        """Ask the state handlers or the trigger of a task, and return their answer as a stimulus."""
        frame.task = instruction.task
        task = self.plan.tasks[instruction.task]
        token = install_frame(frame)
        try:
            if isinstance(instruction, m.AskHandlers):
                state, failed = consult(task, task.state_handlers, instruction.old, instruction.new)
                return m.StateAnswered(instruction.task, state, self.clock.now(), final=failed)
            verdict = judge(task.trigger, self.machine.upstream_states(instruction.task))
            return m.VerdictAnswered(instruction.task, verdict, self.clock.now())
        finally:
            restore_frame(token)


def consult(subject: Any, handlers: list[Callable[..., Any]], old: State, new: State) -> tuple[State, bool]:
    """Call state handlers in order; each sees the state of the one before it, and None keeps it.

    Returns:
        The state they agreed on, and whether one of them raised an error (a signal is an answer, not an error).

    """
    for handler in handlers:
        try:
            answered = handler(subject, old, new)
        except signals.FlowbookSignal as signal:
            new = signal.state
        except Exception as error:  # noqa: BLE001 - a user's handler may raise anything; the run ends in a state
            return Failed(f"A state handler raised {shown(error, 300)}", result=error), True
        else:
            if isinstance(answered, State):
                new = answered
            elif answered is not None:
                problem = TypeError(f"a state handler returned {shown(answered)}; it must return a State or None.")
                return Failed(str(problem), result=problem), True
    return new, False
