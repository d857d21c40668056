"""The machine: decides, from what happens, what becomes of every task of one run.

Stimulus in; events and instructions out. The machine never sleeps, reads a clock, starts a thread, or calls code of a
user: where a state handler or a custom trigger has a say, it gives the instruction to ask and goes on when the answer
comes back. So a run is a list of stimuli, and any situation can be written down as a test without a single ``sleep``.

A task run's way through the machine::

    Pending ──(all upstream finished)── skip? ── trigger? ── ready ── Running ── Success, Failed, …
                                                               │                    │
                                          Retrying, Scheduled ─┘ ◄──(timer)─────────┤
                                                        Paused ◄──(a person)────────┤
                                                        Looped ─────────────────────┘

Data sheet (all lists are indexed by the task's number in the plan):

* ``states``: the state each task run has now.
* ``waiting``: how many of its upstream edges are not finished yet. At 0 the task is decided on, once.
* ``ready``: tasks whose body may be run now, in the order in which they became so. The runner takes them out.
* ``log``: all events so far, append-only; the truth.
* ``instructions``: what the runner has to do; it takes them out.
* ``flagged``: tasks that need a look (`_decide`) when their waiting is over, because they have a trigger or handlers of
  their own or because something other than a plain success arrived from upstream. All others are ready at once.
* ``asking``: tasks whose handlers or trigger are being asked, with what the answer is for.
* ``runs``, ``loops``, ``resumed``: attempts after the first, loop indices and results, and tasks a person let go on;
  kept only for the few tasks that have any.

The two moves that every task makes, `started` and `returned`, have doors of their own beside `handle`, because the
price of a stimulus object is that of half the move. They are the same code path.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.engine import messages as m
from flowbook.engine.invariants import check_machine, refuse_transition
from flowbook.errors import shown
from flowbook.events import FLOW, Log, Note
from flowbook.states import (
    Cancelled,
    Cancelling,
    Failed,
    Finished,
    Looped,
    Paused,
    Pending,
    Resume,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Success,
    TriggerFailed,
)
from flowbook.triggers import Trigger, Verdict, all_successful, judge, manual_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.edges import Edge
    from flowbook.engine.plan import Plan

__all__ = ["Machine", "failure"]

# Shared by all plain task runs: a state is a value, and these two say nothing of their own.
PENDING = Pending("Waits for its turn.")
RUNNING = Running("Starting task run.")
SUCCEEDED = "Task run succeeded."

_new = Success.__new__


def failure(error: BaseException) -> State:
    """Return the state which an error in a body leads to: that of a signal, else `Failed`."""
    if isinstance(error, signals.FlowbookSignal):
        return error.state
    return Failed(f"Unexpected error: {shown(error, 500)}", result=error)


class Machine:
    """One run of one flow, as a function of what happens.

    Args:
        plan: the flow as numbers.
        seeds: states to start from, by task number; finished ones are kept as they are.

    """

    def __init__(self, plan: Plan, seeds: Mapping[int, State] | None = None) -> None:
        structure = plan.structure
        self.plan = plan
        self.children = structure.children
        self.states: list[State] = [PENDING] * len(structure.tasks)
        self.waiting = list(structure.waiting)
        # a task with handlers is flagged too: they are asked before it is ready
        self.flagged = list(map(operator.or_, plan.special, plan.handled)) if any(plan.handled) else plan.special.copy()
        self.ready: deque[int] = deque()
        self.log = Log()
        self.instructions: list[m.Instruction] = []
        self.unfinished = len(structure.tasks)
        self.running = 0
        self.timers = 0
        self.asking: dict[int, str] = {}
        self.runs: dict[int, int] = {}
        self.loops: dict[int, tuple[int, Any]] = {}
        self.resumed: set[int] = set()
        self.verdicts: dict[int, Verdict] = {}
        self.approved: dict[int, State] = {}
        self.flow_state: State = PENDING
        self.held = False
        self.steps = 0
        self.cancelled: str | None = None
        self._undecided: deque[int] = deque()
        # bound once: the two moves that every task makes append to the columns directly
        self._log_at, self._log_task, self._log_what = (
            self.log.at.append,
            self.log.task.append,
            self.log.what.append,
        )
        self._seeds = dict(seeds or {})

    # -- doors -------------------------------------------------------------------------------------------------------

    def begin(self, at: float) -> None:
        """Start the run: every task with nothing upstream is decided on."""
        self._say(at, FLOW, Running("Running flow."))
        for task in [task for task, state in self._seeds.items() if isinstance(state, Finished)]:
            self._enter(task, self._seeds.pop(task), at, may_retry=False)
        self._undecided.extend(self.plan.structure.roots)
        self._settle(at)

    def handle(self, stimulus: m.Stimulus) -> None:  # noqa: C901, PLR0912 - one row per stimulus, nothing else
        """Take one stimulus: append to `log`, `ready` and `instructions` what follows from it."""
        at = stimulus.at
        if isinstance(stimulus, m.Started):
            self.started(stimulus.task, at)
        elif isinstance(stimulus, m.Returned):
            self.returned(stimulus.task, stimulus.value, at)
        elif isinstance(stimulus, m.Raised):
            self._ended(stimulus.task, failure(stimulus.error), at)
        elif isinstance(stimulus, m.Ended):
            self._ended(stimulus.task, stimulus.state, at)
        elif isinstance(stimulus, m.StateAnswered):
            self._state_answered(stimulus)
        elif isinstance(stimulus, m.VerdictAnswered):
            del self.asking[stimulus.task]
            self._take_verdict(stimulus.task, stimulus.verdict, at)
        elif isinstance(stimulus, m.LetGoOn):
            self._let_go_on(stimulus.task, at)
        elif isinstance(stimulus, m.CancelAsked):
            self._cancel(stimulus.why, at)
        elif isinstance(stimulus, m.PauseAsked):
            self._hold(at)
        elif isinstance(stimulus, m.ResumeAsked):
            self._resume(stimulus.task, at)
        elif isinstance(stimulus, m.StepAsked):
            self._note(at, "step")
            self.steps += 1
            self.held = True
        else:  # pragma: no cover - mypy proves that no stimulus is left
            msg = f"no such stimulus: {shown(stimulus)}"
            raise TypeError(msg)
        self._settle(at)

    def started(self, task: int, at: float) -> None:
        """Note that the runner took a task out of `ready` and begins its body."""
        state = self.approved.pop(task, RUNNING) if self.approved else RUNNING
        self.states[task] = state
        self._log_at(at)
        self._log_task(task)
        self._log_what(state)
        self.running += 1
        if self.held:
            self.steps -= 1

    def returned(self, task: int, value: Any, at: float) -> None:
        """Note that a body returned a value."""
        if self.states[task] is not RUNNING:
            # handlers have a say, or the run was cancelled meanwhile
            self._ended(task, Success(SUCCEEDED, result=value), at)
            self._settle(at)
            return
        state = _new(Success)  # what Success(SUCCEEDED, value) makes, without looking for tags
        state.message = SUCCEEDED
        state.result = value
        state._extra = None  # noqa: SLF001 - a state's own slots
        self.states[task] = state
        self._log_at(at)
        self._log_task(task)
        self._log_what(state)
        self.running -= 1
        self.unfinished -= 1
        children = self.children[task]
        if children:
            waiting = self.waiting
            for child in children:
                left = waiting[child] - 1
                waiting[child] = left
                if not left:
                    if self.flagged[child]:
                        self._undecided.append(child)
                    else:
                        self.ready.append(child)
            if self._undecided:
                self._settle(at)

    def end(self, state: State, at: float) -> None:
        """Note the final state of the flow."""
        self._say(at, FLOW, state)

    # -- what it can be asked ----------------------------------------------------------------------------------------

    @property
    def may_start(self) -> bool:
        """Whether a ready task may be started now."""
        return bool(self.ready) and (not self.held or self.steps > 0)

    @property
    def is_done(self) -> bool:
        """Whether every task has ended."""
        return not self.unfinished and not self.running

    @property
    def is_parked(self) -> bool:
        """Whether nothing can go on without a person: tasks are paused, and all others wait for them."""
        return bool(self.unfinished) and not (self.running or self.ready or self.timers or self.asking)

    def run_count(self, task: int) -> int:
        """Return which attempt the task is at, from 1."""
        return self.runs.get(task, 1)

    def upstream_states(self, task: int) -> dict[Edge, State]:
        """Return the states upstream of a task, by edge."""
        index, states = self.plan.structure.index, self.states
        return {edge: states[index[edge.upstream_task]] for edge in self.plan.structure.edges[task]}

    def outcome(self) -> State:
        """Return the state of the flow which the states of its tasks lead to."""
        plan, states = self.plan, self.states
        result = dict(zip(plan.tasks, states))
        if self.cancelled is not None:
            return Cancelled(self.cancelled, result=result)
        # a flow may have as many terminal tasks as tasks: look at each once, and then at the few kinds of states they have
        if not all(issubclass(kind, Finished) for kind in {type(states[task]) for task in plan.terminal}):
            paused = [task.name for task, state in result.items() if isinstance(state, Paused)]
            names = ", ".join(shown(name, 40) for name in paused[:5])
            return Running(
                f"Waits for a person to resume {names}." if paused else "Some tasks have not ended.",
                result=result,
            )
        decisive = {type(states[task]) for task in plan.reference}
        if any(issubclass(kind, Failed) for kind in decisive):
            return Failed("Some reference tasks failed.", result=result)
        if all(issubclass(kind, Success) for kind in decisive):
            return Success("All reference tasks succeeded.", result=result)
        return Success("No reference tasks failed.", result=result)

    def check(self) -> None:
        """Assert every invariant; a failing one prints the story of the task run."""
        check_machine(self)

    # -- moves -------------------------------------------------------------------------------------------------------

    def _say(self, at: float, task: int, state: State) -> None:
        if task == FLOW:
            self.flow_state = state
        else:
            self.states[task] = state
        self.log.append(at, task, state)

    def _note(self, at: float, text: str) -> None:
        self.log.append(at, FLOW, Note("request", text))

    def _settle(self, at: float) -> None:
        """Decide on all tasks whose waiting is over; a queue, since a skip may run down a chain of any length."""
        while self._undecided:
            task = self._undecided.popleft()
            if isinstance(self.states[task], Finished):
                continue
            if self.cancelled is not None:
                self._enter(task, Cancelled(self.cancelled), at)
            else:
                self._decide(task, at)

    def _decide(self, task: int, at: float) -> None:
        """Decide on a task whose upstream tasks have all ended: skip, ask the trigger, or make it ready."""
        described = self.plan.tasks[task]
        upstream = self.upstream_states(task)
        if described.skip_on_upstream_skip:
            skipped = [edge for edge, state in upstream.items() if isinstance(state, Skipped)]
            if skipped:
                name = shown(skipped[0].upstream_task.name, 60)
                message = f"Left out because upstream {name} was skipped. With skip_on_upstream_skip=False this task would ask its trigger."
                self.verdicts[task] = Verdict(passed=False, reason=message, decided_by=tuple(skipped))
                self._move(task, Skipped(message), at)
                return
        trigger = described.trigger
        if trigger is manual_only and task in self.resumed:
            self._take_verdict(task, Verdict(passed=True, reason="A person let the task go on."), at)
        elif trigger is all_successful or isinstance(trigger, Trigger):
            self._take_verdict(task, judge(trigger, upstream), at)
        else:
            self.asking[task] = "trigger"
            self.instructions.append(m.AskTrigger(task))

    def _take_verdict(self, task: int, verdict: Verdict, at: float) -> None:
        self.verdicts[task] = verdict
        if self.cancelled is not None:
            self._enter(task, Cancelled(self.cancelled), at)
        elif not verdict.passed:
            self._move(task, verdict.state or TriggerFailed(verdict.reason), at)
        else:
            seed = self._seeds.pop(task, None)
            if isinstance(seed, Scheduled) and not isinstance(seed, Resume):
                self._move(task, seed, at)  # it was waiting when the run before this one ended
            else:
                self._approve(task)

    def _approve(self, task: int) -> None:
        """Make a task ready, after its handlers have seen that it is going to run."""
        if self.plan.handled[task]:
            self._ask(task, Running(RUNNING.message), "start")
        else:
            self.ready.append(task)

    def _ask(self, task: int, new: State, purpose: str) -> None:
        self.asking[task] = purpose
        self.instructions.append(m.AskHandlers(task, self.states[task], new))

    def _move(self, task: int, new: State, at: float) -> None:
        """Take a task to a new state, after its handlers have had their say."""
        if self.plan.handled[task]:
            self._ask(task, new, "move")
        else:
            self._enter(task, new, at)

    def _state_answered(self, answer: m.StateAnswered) -> None:
        purpose = self.asking.pop(answer.task)
        if self.cancelled is not None and not isinstance(answer.state, Finished):
            self._enter(answer.task, Cancelled(self.cancelled), answer.at)
        elif purpose == "start" and isinstance(answer.state, Running):
            self.approved[answer.task] = answer.state
            self.ready.append(answer.task)
        else:
            self._enter(answer.task, answer.state, answer.at, may_retry=not answer.final)

    def _ended(self, task: int, state: State, at: float) -> None:
        """Take in how a body ended."""
        if not isinstance(self.states[task], Running):
            refuse_transition(self, task, state)
        self.running -= 1
        if self.cancelled is not None and not isinstance(state, Success):
            state = state if isinstance(state, Cancelled) else Cancelled(self.cancelled, result=state.result)
        elif isinstance(state, Looped):
            count = self.loops.get(task, (1, None))[0]
            state.loop_count = count
        self._move(task, state, at)

    def _enter(self, task: int, state: State, at: float, *, may_retry: bool = True) -> None:
        """Give a task run its new state and draw the consequences."""
        self._say(at, task, state)
        if isinstance(state, Looped):
            self.loops[task] = (state.loop_count + 1, state.result)
            self.runs.pop(task, None)
            self._approve(task)
        elif isinstance(state, Failed) and may_retry and self._has_attempts_left(task, state):
            self._move(task, self._retrying(task, at), at)
        elif isinstance(state, Finished):
            self._finish(task, state)
        elif isinstance(state, Resume):
            self.resumed.add(task)
            self._undecided.append(task)
        elif isinstance(state, Scheduled):
            if isinstance(state, Retrying):
                self.runs[task] = self.run_count(task) + 1
            if state.start_time is not None:
                self.timers += 1
                self.instructions.append(m.StartTimer(task, state.start_time.timestamp()))
        elif isinstance(state, Running):
            self.approved[task] = state
            self.ready.append(task)
        else:
            self._approve(task)  # a handler sent it back to the start

    def _has_attempts_left(self, task: int, state: State) -> bool:
        described = self.plan.tasks[task]
        if (
            isinstance(state, TriggerFailed)
            or self.cancelled is not None
            or self.run_count(task) > described.max_retries
        ):
            return False
        return described.retry_on is None or isinstance(state.result, described.retry_on)

    def _retrying(self, task: int, at: float) -> State:
        described = self.plan.tasks[task]
        count = self.run_count(task)
        due = dt.datetime.fromtimestamp(at, dt.timezone.utc) + (described.retry_delay or dt.timedelta())
        message = f"Attempt {count} of {described.max_retries + 1} failed; the next one follows."
        return Retrying(message, start_time=due, run_count=count)

    def _finish(self, task: int, state: State) -> None:
        """Count down what waits for a task that has ended."""
        self.unfinished -= 1
        plain = type(state) is Success
        for child in self.children[task]:
            if not plain:
                self.flagged[child] = True
            self.waiting[child] -= 1
            if not self.waiting[child]:
                if self.flagged[child] or self.cancelled is not None or child in self._seeds:
                    self._undecided.append(child)
                else:
                    self._approve(child)

    # -- people ------------------------------------------------------------------------------------------------------

    def _let_go_on(self, task: int, at: float) -> None:
        state = self.states[task]
        if not isinstance(state, Scheduled):
            return  # cancelled meanwhile, or asked twice
        if state.start_time is not None:
            self.timers -= 1
        if isinstance(state, Paused):
            self._enter(task, Resume(state.message), at)
        elif isinstance(state, Retrying):
            self._approve(task)  # nothing upstream has changed: the trigger has answered
        else:
            self._undecided.append(task)

    def _hold(self, at: float) -> None:
        if not self.held:
            self._note(at, "pause")
        self.held, self.steps = True, 0

    def _resume(self, task: int | None, at: float) -> None:
        self._note(at, "resume")
        if task is None:
            self.held, self.steps = False, 0
        for number, state in enumerate(self.states):
            if (
                isinstance(state, Paused)
                and state.start_time is None
                and task in {None, number}
                and number not in self.asking
            ):
                self._let_go_on(number, at)

    def _cancel(self, why: str, at: float) -> None:
        """End the run: what has not started is cancelled at once, what runs is asked to stop."""
        if self.cancelled is not None:
            return
        self._note(at, "cancel")
        self.cancelled = why
        self.held = False
        self.ready.clear()
        self.approved.clear()
        self._undecided.clear()
        for task, state in enumerate(self.states):
            if isinstance(state, Running):
                self._say(at, task, Cancelling("Asked to stop."))
                self.instructions.append(m.StopBody(task))
            elif not isinstance(state, Finished) and task not in self.asking:
                if isinstance(state, Scheduled) and state.start_time is not None:
                    self.timers -= 1
                self._enter(task, Cancelled(why), at)
