"""The runner: carries out what the machine decides.

All that comes in (a finished body, a timer, a Cancel button) goes through one mailbox and is taken in by `pump`. Events
are published first and acted on afterwards, so nobody ever sees a child start before its parent's end. Which thread
runs the bodies is the executor's business: it drives the runner by `pump`, the machine's ``ready`` and `arguments`.
"""

from __future__ import annotations

import contextlib
import heapq
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook.engine import messages as m
from flowbook.engine.attempt import BodyTimedOut
from flowbook.engine.coroutines import AsyncBody, RunLoop
from flowbook.engine.ends import failure, said
from flowbook.engine.errands import Errands
from flowbook.engine.interrupts import BodyStopped, Interruption
from flowbook.engine.logs import KEPT_LINES
from flowbook.engine.machine import Machine
from flowbook.engine.mapping import flattened
from flowbook.engine.plan import GATHERED
from flowbook.engine.questions import answer
from flowbook.engine.stream import Stream
from flowbook.states import Cancelled, Failed, State, TimedOut
from flowbook.utilities.debug import is_raising

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.artifacts import Artifact
    from flowbook.engine.clock import Clock
    from flowbook.engine.frame import RunFrame
    from flowbook.engine.plan import Plan
    from flowbook.tasks.base import Task

__all__ = ["Bell", "Runner"]


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
        with contextlib.suppress(RuntimeError):  # rung already and not heard yet
            self._lock.release()

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
        task_handlers: state handlers for all tasks, called after those of the task itself.

    Attributes:
        scheduled_for: the time a schedule gave, in the zone of its clock.
        artifacts: what bodies left for people to look at, by id.
        raises: break off at the first failing body, whose error is then kept in `raised`.
        interruption: what the SIGINT handler and the driving loop tell each other.
        coroutines: the event loop of async bodies.
        stop_body: how the executor stops a body, or lets go of it; None when there is nothing to stop.
        ask: how the executor has handlers and triggers asked.
        on_post: told of news by whoever posts them, while bodies run on the driving thread.

    """

    # declared here for those who read a runner from below: mypy follows no circle of imports to find them
    plan: Plan
    machine: Machine
    run_id: str
    name: str
    parameters: dict[str, Any]
    clock: Clock
    interruption: Interruption

    def __init__(
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
        task_handlers: Sequence[Callable[..., Any]] = (),
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.run_id = run_id
        self.name = name
        self.parameters = dict(parameters or {})
        self.all_parameters: dict[str, Any] = {**plan.defaults, **self.parameters}
        self.given = dict(given or {})
        self.task_contexts = dict(task_contexts or {})
        self.task_handlers = tuple(task_handlers)
        if self.task_handlers:
            plan.handled = [True] * len(plan.tasks)
        let_go_on = [task for task, values in self.task_contexts.items() if values.get("resume")]
        self.machine = Machine(plan, seeds, range(len(plan.tasks)) if self.given.get("resume") else let_go_on)
        self.stream = Stream(self.machine.log, plan.slugs)
        self.mailbox: deque[m.Stimulus] = deque()
        self.bell = Bell()
        self.timers: list[tuple[float, int]] = []
        self.started: float = clock.now()
        self.scheduled_for: dt.datetime | None = None
        self.artifacts: dict[str, Artifact] = {}
        self.lines: deque[tuple[int, float, str, str]] = deque(maxlen=KEPT_LINES)
        self.raises = is_raising()
        self.raised: BaseException | None = None
        self.interruption = Interruption()
        self.errands = Errands(lambda: self.bell.ring())  # noqa: PLW0108 - an executor may bring a bell of its own
        self.coroutines = RunLoop()
        self.stop_body: Callable[[int], None] | None = None
        self.ask: Callable[[m.Question], None] = _nobody_to_ask
        self.on_post: Callable[[m.Stimulus], None] | None = None

    # -- for everybody, on any thread ---------------------------------------------------------------------------------

    def post(self, stimulus: m.Stimulus) -> None:
        """Put something into the mailbox; it is taken in before the next body starts."""
        self.mailbox.append(stimulus)
        self.bell.ring()
        if self.on_post is not None:
            self.on_post(stimulus)

    def note_line(self, number: int, at: float, level: str, text: str) -> None:
        """Keep what a task logged."""
        self.lines.append((number, at, level, text))

    # -- for the executor ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the run."""
        log = self.machine.log
        # the clock on the wall may have been set back while the run waited for its time
        self.started = max(self.clock.now(), log.at[-1]) if log.at else self.clock.now()
        self.machine.begin(self.started)
        self.stream.publish()

    def pump(self) -> None:
        """Take in the mailbox, carry out what the machine instructs, and let go on what is due, until all is done.

        What people ask comes first: a Cancel is heard between two handlers that answer for ever.
        """
        machine, mailbox, timers = self.machine, self.mailbox, self.timers
        self.stream.publish()
        while True:
            if mailbox:
                machine.handle(mailbox.popleft())
            elif machine.instructions:
                self._carry_out(machine.instructions.popleft())
            elif timers and timers[0][0] <= self.clock.now():
                machine.handle(m.LetGoOn(heapq.heappop(timers)[1], self.clock.now()))
            else:
                return
            self.stream.publish()

    def _carry_out(self, instruction: m.Instruction) -> None:
        if isinstance(instruction, m.StartTimer):
            heapq.heappush(self.timers, (instruction.due, instruction.task))
            self.bell.ring()  # who sleeps until an earlier timer, or for ever, must look again
        elif isinstance(instruction, m.StopBody):
            if self.stop_body is not None:
                self.stop_body(instruction.task)
        elif isinstance(instruction, (m.AskHandlers, m.AskTrigger, m.AskKept, m.AskWidth)):
            if instruction.task in self.machine.asking:  # else the run was cancelled meanwhile
                self.ask(instruction)
        else:
            m.never(instruction)

    def seconds_to_wait(self) -> float | None:
        """Return how long nothing can happen by itself; None when only a message can change that.

        With a virtual clock and nothing running or ready the time jumps, and the answer is 0.
        """
        if self.mailbox:
            return 0.0
        if not self.timers:
            return None
        due = self.timers[0][0]
        if self.clock.is_virtual:
            if self.machine.running or self.machine.asking or self.machine.may_start:
                return None  # what is ready begins now, on whatever thread, and not at a later time
            self.clock.advance(due)
            return 0.0
        return max(0.0, due - self.clock.now())

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself: all tasks ended, or only a person can go on."""
        return not self.mailbox and not self.machine.instructions and (self.machine.is_done or self.machine.is_parked)

    def arguments(self, task: int) -> dict[str, Any]:
        """Gather what a body is called with: its constants, and the results upstream by reference.

        Raises:
            Exception: whatever a sequence of a user's own raises when a mapped child takes its element, or a TypeError
                when there is nothing to flatten.

        """
        structure, states = self.plan.structure, self.machine.states
        if task >= self.machine.static:
            return self.plan.homes[task - self.machine.static].arguments(task, states)
        constants, inputs = structure.constants[task], structure.inputs[task]
        kwargs = dict(constants) if constants else {}
        if inputs is GATHERED:
            for edge, state in self.machine.upstream_states(task).items():
                if edge.key is not None:
                    kwargs[edge.key] = flattened(state) if edge.flattened else state.result
            return kwargs
        for key, upstream in inputs or ():
            kwargs[key] = states[upstream].result
        return kwargs

    def described(self, task: int) -> Task:
        """Return the task of a task run; a mapped child's is that of its family."""
        return self.plan.described[task]

    def body(self, task: int) -> Callable[..., Any]:
        """Return the function to call for a task run."""
        return self.plan.bodies[task]

    def slug(self, task: int) -> str:
        """Return the slug of a task run; a mapped child's has its index, ``double-1[3]``."""
        return self.plan.slugs[task]

    def is_guarded(self, task: int) -> bool:
        """Tell whether an attempt needs more than a call of its body."""
        return self.plan.guarded[task]

    def answer(self, question: m.Question, frame: RunFrame) -> m.Stimulus:
        """Ask the state handlers or the trigger of a task, on this thread, and return their answer as a stimulus."""
        return answer(self, question, frame)

    def ending(self, task: int, error: BaseException) -> m.Stimulus:
        """Say how an attempt ended that raised, as a stimulus; the traceback starts in the user's code."""
        at = self.clock.now()
        if isinstance(error, BodyStopped):
            return m.Ended(task, Cancelled(self.machine.cancelled or "Stopped."), at)
        if isinstance(error, BodyTimedOut):
            return m.Ended(task, self.timed_out(task), at)
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            # not by assignment: an exception may be a frozen dataclass
            BaseException.with_traceback(error, error.__traceback__.tb_next)
        if self.raises and self.raised is None and isinstance(failure(error), Failed):
            self.raised = error
            self.mailbox.append(m.CancelAsked(at, f"Broken off by raise_on_exception: {said(error)}"))
        return m.Raised(task, error, at)

    def timed_out(self, task: int, *, is_let_go: bool = False) -> State:
        """Return the state of a task whose time is over."""
        seconds = self.plan.described[task].timeout
        message = f"Timed out after {seconds} s.{self.said_of_body(task) if is_let_go else ''}"
        return TimedOut(message, result=TimeoutError(message))

    def said_of_body(self, task: int) -> str:
        """Say what becomes of a body that was let go of."""
        if isinstance(self.plan.bodies[task], AsyncBody):
            return ""  # it ends at its next await
        return " Its body is still running on its thread: only a process can be stopped."


def _nobody_to_ask(question: m.Question) -> None:
    msg = f"no executor drives this run, so nobody can answer {question!r}."
    raise RuntimeError(msg)
