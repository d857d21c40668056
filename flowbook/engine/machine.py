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
  their own, because a run before left a state for them, or because something other than a plain success arrived from
  upstream. All others are ready at once.
* ``asking``: tasks whose handlers or trigger are being asked, with what the answer is for.
* ``due``: tasks that wait for a moment in time, with that moment; a timer that fires too early was meant for an earlier
  state of the task.
* ``families``: the mapped tasks that were spread; their children have the numbers after those of all tasks.
* ``undecided``: tasks that were flagged and whose waiting is over; empty between two moves.
* ``kept``: what was found when a kept result was looked for, and why it was taken or not.
* ``runs``, ``loops``, ``resumed``: attempts after the first, loop indices and results, and tasks a person let go on;
  kept only for the few tasks that have any.

A task that has not ended is in exactly one place: it waits for something upstream, is ready, running, asked about, due,
paused, or spread over children that have not all ended. `check` proves this.

The two moves that every task makes, `started` and `returned`, have doors of their own beside `handle`, because the
price of a stimulus object is that of half the move. They are the same code path.
"""

from __future__ import annotations

import operator
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook import redaction, signals
from flowbook.engine import kept
from flowbook.engine import messages as m
from flowbook.engine.ends import failure, innermost, keep_secrets, said, verdict_of
from flowbook.engine.invariants import check_machine, is_final, is_legal, refuse_transition
from flowbook.engine.lazy import PLAIN
from flowbook.engine.mapping import (
    Family,
    child_finished,
    child_states,
    gathered,
    is_known,
    supplies_of,
    take_supplies,
    was_skipped,
)
from flowbook.engine.outcome import NOT_RUN, PENDING, outcome_of
from flowbook.engine.retries import has_attempts_left, moment, retrying, try_again
from flowbook.errors import shown
from flowbook.events import FLOW, Log, Note
from flowbook.states import (
    Cancelled,
    Cancelling,
    Failed,
    Finished,
    Looped,
    Mapped,
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
from flowbook.triggers import Trigger, Verdict, manual_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.edges import Edge
    from flowbook.engine.plan import Plan

__all__ = ["RUNNING", "Machine"]

# Shared by all plain task runs: a state is a value, and these say nothing of their own.
RUNNING = Running("Starting task run.")
SUCCEEDED = "Task run succeeded."

_TEXT = {str, type(None)}

_new = Success.__new__


class Asked(NamedTuple):
    """What an answer of handlers or of a trigger is waited for.

    Attributes:
        new: the state the task is about to have, or None when its trigger is asked.
        may_retry: a failure may lead to another attempt.

    """

    new: State | None = None
    may_retry: bool = True


class Machine:
    """One run of one flow, as a function of what happens.

    Args:
        plan: the flow as numbers.
        seeds: states to start from, by task number; finished ones are kept as they are.
        resumed: tasks which a person has let go on before the run began.

    """

    def __init__(self, plan: Plan, seeds: Mapping[int, State] | None = None, resumed: Iterable[int] = ()) -> None:
        structure = plan.structure
        self.plan = plan
        self.static = len(structure.tasks)
        self.children = structure.children
        self.states: list[State] = [PENDING] * len(structure.tasks)
        self.waiting = list(structure.waiting)
        # a task with handlers is flagged too: they are asked before it is ready
        self.flagged = list(map(operator.or_, plan.special, plan.handled)) if any(plan.handled) else plan.special.copy()
        for task in structure.mapped:
            self.flagged[task] = True
        self.ready: deque[int] = deque()
        self.log: Log = Log()
        self.instructions: deque[m.Instruction] = deque()
        self.unfinished = len(structure.tasks) - len(plan.left_out)
        for task in plan.left_out:
            self.states[task] = NOT_RUN
        self.running = 0
        self.asking: dict[int, Asked] = {}
        self.due: dict[int, float] = {}
        self.runs: dict[int, int] = {}
        self.loops: dict[int, tuple[int, Any]] = {}
        self.resumed: set[int] = set(resumed)
        self.verdicts: dict[int, Verdict] = {}
        self.approved: dict[int, State] = {}
        self.flow_state: State = PENDING
        self.held = False
        self.steps = 0
        self.cancelled: str | None = None
        self.undecided: deque[int] = deque()
        self._extras = plan.extras
        # bound once: the two moves that every task makes append to the columns directly
        self._log_at, self._log_task, self._log_what = (
            self.log.at.append,
            self.log.task.append,
            self.log.what.append,
        )
        self.families: dict[int, Family] = {}
        self.family_seeds: dict[int, list[State | None]] = {}
        self.kept: dict[int, kept.Kept] = {}
        self._seeds: dict[int, State] = {}
        for task, state in (seeds or {}).items():
            self._plant(task, innermost(state))

    def _plant(self, task: int, state: State) -> None:
        """Take in what a run before this one left of a task."""
        self.flagged[task] = True
        if isinstance(state, Looped):
            self.loops[task] = (state.loop_count + 1, state.result)
        elif isinstance(state, Resume):
            self.resumed.add(task)
        elif isinstance(state, Mapped) and not all(map(kept.is_settled, state.map_states)):
            self.family_seeds[task] = state.map_states  # it is spread anew, and only what did not end well is run again
        elif isinstance(state, (Finished, Scheduled)):
            self._seeds[task] = state

    # -- doors -------------------------------------------------------------------------------------------------------

    def begin(self, at: float) -> None:
        """Start the run: every task with nothing upstream is decided on."""
        self._say(at, FLOW, Running("Running flow."))
        for task in [task for task, state in self._seeds.items() if kept.is_begun_with(self, task, state)]:
            self.enter(task, self._seeds.pop(task), at, may_retry=False)
        self.undecided.extend(self.plan.structure.roots)
        self._settle(at)

    def handle(self, stimulus: m.Stimulus) -> None:  # noqa: C901, PLR0912 - one row per stimulus, nothing else
        """Take one stimulus: append to `log`, `ready` and `instructions` what follows from it."""
        # a message may have lain in the mailbox for a while, and the log's time never runs backwards
        at = max(stimulus.at, self.log.at[-1]) if self.log.at else stimulus.at
        if isinstance(stimulus, m.Started):
            self.started(stimulus.task, at)
        elif isinstance(stimulus, m.Returned):
            self.returned(stimulus.task, stimulus.value, at)
        elif isinstance(stimulus, m.Raised):
            self._ended(
                stimulus.task, failure(stimulus.error), at, may_retry=not isinstance(stimulus.error, signals.ENDRUN)
            )
        elif isinstance(stimulus, m.Ended):
            self._ended(stimulus.task, stimulus.state, at)
        elif isinstance(stimulus, m.StateAnswered):
            self._state_answered(stimulus.task, stimulus.state, at, final=stimulus.final)
        elif isinstance(stimulus, m.VerdictAnswered):
            if self.asking.pop(stimulus.task, None) is not None:  # else the run was cancelled meanwhile
                self._take_verdict(stimulus.task, stimulus.verdict, at)
        elif isinstance(stimulus, m.KeptAnswered):
            if self.asking.pop(stimulus.task, None) is not None:
                kept.take_kept(self, stimulus.task, stimulus.kept, at)
        elif isinstance(stimulus, m.WidthAnswered):
            if self.asking.pop(stimulus.task, None) is not None:
                take_supplies(self, stimulus.task, stimulus.supplies, at)
        elif isinstance(stimulus, m.LetGoOn):
            self.let_go_on(stimulus.task, at)
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
        elif isinstance(stimulus, m.RetryAsked):
            self._note(at, "retry")
            try_again(self, stimulus.task, at)
        else:
            m.never(stimulus)
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
            # handlers have a say, the value is kept somewhere, or the run was cancelled meanwhile
            self._ended(task, kept.succeeded(SUCCEEDED, value), at)
            self._settle(at)
            return
        state = _new(Success)  # what Success(SUCCEEDED, value) makes, without looking for tags
        state.message = SUCCEEDED
        state.result = value
        state._extra = self._extras[task]  # noqa: SLF001 - a state's own slots
        self.states[task] = state
        self._log_at(at)
        self._log_task(task)
        self._log_what(state)
        self.running -= 1
        self.unfinished -= 1
        if task >= self.static:
            child_finished(self, task, is_plain=True)
        else:
            waiting = self.waiting
            for child in self.children[task]:
                left = waiting[child] - 1
                waiting[child] = left
                if not left:
                    if self.flagged[child]:
                        self.undecided.append(child)
                    else:
                        self.ready.append(child)
        if self.undecided:
            self._settle(at)

    def end(self, state: State, at: float) -> None:
        """Note the state of the flow as a whole: its final one, or that it waits for a person."""
        self._say(at, FLOW, state)

    def abandon(self, why: str, at: float) -> None:
        """End all that has not ended, after the runner itself was broken off somewhere, perhaps inside a move.

        The books are not trusted any more: columns are cut to equal length, and the rest is made up from the states.
        """
        log = self.log
        whole = min(len(log.at), len(log.task), len(log.what))
        del log.at[whole:], log.task[whole:], log.what[whole:]
        last = {task: what for _, task, what in log.rows() if isinstance(what, State)}
        for books in (self.ready, self.instructions, self.undecided, self.asking, self.due, self.approved):
            books.clear()
        at = max(at, log.at[-1]) if log.at else at
        self.cancelled = self.cancelled or why
        left_out = self.plan.left_out
        for task, state in enumerate(self.states):
            if task in left_out:
                continue
            if not is_final(state):
                self._say(at, task, Cancelled(why))
            elif last.get(task) is not state:
                log.append(at, task, state)
        self.waiting = [0] * len(self.states)
        for task in left_out:
            upstream = (self.plan.structure.index[edge.upstream_task] for edge in self.plan.structure.edges[task])
            self.waiting[task] = 1 + sum(number in left_out for number in upstream)
        self.unfinished = self.running = 0
        self.held = False

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
        return bool(self.unfinished) and not (self.running or self.ready or self.due or self.asking)

    def run_count(self, task: int) -> int:
        """Return which attempt the task is at, from 1."""
        return self.runs.get(task, 1)

    def upstream_states(self, task: int) -> dict[Edge, State]:
        """Return the states upstream of a task, by edge."""
        if task >= self.static:
            return child_states(self, task)
        index, states = self.plan.structure.index, self.states
        return {edge: states[index[edge.upstream_task]] for edge in self.plan.structure.edges[task]}

    def outcome(self) -> State:
        """Return the state of the flow which the states of its tasks lead to."""
        return outcome_of(self)

    def check(self) -> None:
        """Assert every invariant; a failing one prints the story of the task run."""
        check_machine(self)

    # -- moves -------------------------------------------------------------------------------------------------------

    def _say(self, at: float, task: int, state: State) -> None:
        if redaction.known:
            keep_secrets(state)
        if task == FLOW:
            self.flow_state = state
        else:
            if not is_legal(self.states[task], state):
                refuse_transition(self, task, state)
            self.states[task] = self._completed(task, state)
        self.log.append(at, task, state)

    def _completed(self, task: int, state: State) -> State:
        """Return a new state, with text for a message, and with the tags of its task when the machine made it."""
        if type(state.message) not in _TEXT:
            state.message = said(state.message)  # FAIL(error): events carry text
        extra, own = state._extra, self._extras[task]  # noqa: SLF001 - a state's own slots
        if extra is None or "context" not in extra:  # there may be the place where its result is kept
            state._extra = {**own, **extra} if own and extra else own or extra  # noqa: SLF001
        return state

    def _note(self, at: float, text: str) -> None:
        self.log.append(at, FLOW, Note("request", redaction.redact(text)))

    def _settle(self, at: float) -> None:
        """Decide on all tasks whose waiting is over; a queue, since a skip may run down a chain of any length."""
        while self.undecided:
            task = self.undecided.popleft()
            if is_final(self.states[task]):
                continue
            if self.cancelled is not None:
                self.enter(task, Cancelled(self.cancelled), at)
            else:
                self._decide(task, at)

    def _decide(self, task: int, at: float) -> None:
        """Decide on a task whose upstream tasks have all ended: skip, ask the trigger, or make it ready."""
        if task in self.families:
            self.move(task, gathered(self, self.families[task]), at, may_retry=False)
            return
        described = self.plan.described[task]
        upstream = self.upstream_states(task)
        if described.skip_on_upstream_skip:
            skipped = [edge for edge, state in upstream.items() if was_skipped(edge, state)]
            if skipped:
                message = (
                    f"Left out because upstream {shown(skipped[0].upstream_task.name, 60)} was skipped. "
                    "With skip_on_upstream_skip=False this task would ask its trigger."
                )
                self.verdicts[task] = Verdict(passed=False, reason=message, decided_by=tuple(skipped))
                self.move(task, Skipped(message), at)
                return
        if task in self.plan.structure.mapped:
            if is_known(self, task):
                take_supplies(self, task, supplies_of(self, task), at)
            else:
                self.asking[task] = Asked()
                self.instructions.append(m.AskWidth(task))
            return
        if kept.is_to_be_asked(self, task):
            self.asking[task] = Asked()
            self.instructions.append(kept.ask_kept(self, task))
            return
        trigger = described.trigger
        if trigger is manual_only and task in self.resumed:
            self._take_verdict(task, Verdict(passed=True, reason="A person let the task go on."), at)
        elif isinstance(trigger, Trigger):
            self._take_verdict(task, verdict_of(trigger, upstream), at)
        else:
            self.asking[task] = Asked()
            self.instructions.append(m.AskTrigger(task))

    def has_ended(self, task: int) -> bool:
        """Tell whether nothing follows for a task run, not even another attempt."""
        return is_final(self.states[task]) and task not in self.asking

    def _take_verdict(self, task: int, verdict: Verdict, at: float) -> None:
        self.verdicts[task] = verdict
        if not verdict.passed:
            self.move(task, verdict.state or TriggerFailed(verdict.reason), at)
            return
        seed = self._seeds.pop(task, None)
        if seed is None:
            self._approve(task)
        else:
            self.move(task, seed, at)  # it was waiting when the run before this one ended

    def _approve(self, task: int) -> None:
        """Make a task ready, after its handlers have seen that it is going to run."""
        if self.plan.handled[task]:
            self._ask(task, Asked(Running(RUNNING.message)))
            return
        if self.plan.keeps[task]:
            self.approved[task] = self._completed(task, Running(RUNNING.message))  # a state of its own, see `returned`
        self.ready.append(task)

    def _ask(self, task: int, asked: Asked) -> None:
        self.asking[task] = asked
        if asked.new is not None:
            self.instructions.append(m.AskHandlers(task, self.states[task], asked.new))

    def move(self, task: int, new: State, at: float, *, may_retry: bool = True) -> None:
        """Take a task to a new state, after its handlers have had their say."""
        if self.plan.handled[task] and self.cancelled is None:
            self._ask(task, Asked(new, may_retry))
        else:
            self.enter(task, new, at, may_retry=may_retry)

    def _state_answered(self, task: int, state: State, at: float, *, final: bool) -> None:
        asked = self.asking.pop(task, None)
        if asked is None:
            return  # the run was cancelled meanwhile
        # handlers which answer a retry with a failure do not want the retry
        may_retry = asked.may_retry and not final and not isinstance(self.states[task], Failed)
        self.enter(task, innermost(state), at, may_retry=may_retry)

    def _ended(self, task: int, state: State, at: float, *, may_retry: bool = True) -> None:
        """Take in how a body ended."""
        if not isinstance(self.states[task], Running) or task in self.asking:
            refuse_transition(self, task, state)
        self.running -= 1
        if not isinstance(state, (Finished, Scheduled)):
            problem = TypeError(f"a body ended as {said(state)}: it can end in a final state, or in one that waits.")
            state, may_retry = Failed(str(problem), result=problem), False
        if self.cancelled is not None and not isinstance(state, (Success, Cancelled)):
            state = Cancelled(self.cancelled, result=state.result)
        elif isinstance(state, Looped):
            count = self.loops.get(task, (1, None))[0]
            if state.loop_count != count:
                state = Looped(state.message, state.result, loop_count=count, context=state.context)
        self.move(task, state, at, may_retry=may_retry)

    def enter(self, task: int, state: State, at: float, *, may_retry: bool = True) -> None:
        """Give a task run its new state and draw the consequences."""
        if isinstance(state, Running):  # what handlers agreed to begin with: said when the body begins
            if isinstance(self.states[task], (Failed, Success)):
                self._say(at, task, Pending("Runs again at once, as its state handlers want it."))
            self.approved[task] = self._completed(task, state)
            self.ready.append(task)
            return
        self._say(at, task, state)
        if isinstance(state, Looped):
            self.loops[task] = (state.loop_count + 1, state.result)
            self.runs.pop(task, None)
            self._approve(task)
        elif isinstance(state, Failed) and may_retry and has_attempts_left(self, task, state):
            self.move(task, retrying(self, task, state, at), at)
        elif type(state) is Success and (cached := kept.after_success(self, task, state, at)) is not None:
            self.move(task, cached, at, may_retry=False)
        elif isinstance(state, Finished):
            self._finish(task, state)
        elif isinstance(state, Resume):
            self.resumed.add(task)
            self.undecided.append(task)
        elif isinstance(state, Scheduled):
            if isinstance(state, Retrying):
                self.runs[task] = max(self.run_count(task), state.run_count) + 1
            if state.start_time is not None:
                self.due[task] = state.start_time.timestamp()
                self.instructions.append(m.StartTimer(task, self.due[task]))
        else:
            self._approve(task)  # handlers sent it back to the start

    def _finish(self, task: int, state: State) -> None:
        """Count down what waits for a task that has ended."""
        self.unfinished -= 1
        is_plain = type(state) in PLAIN
        if task >= self.static:
            child_finished(self, task, is_plain=is_plain)
            return
        for child in self.children[task]:
            self.release(child, is_plain=is_plain)
        if task not in self.families:  # else they were released when it was spread
            for child in self.plan.structure.followers.get(task, ()):
                self.release(child, is_plain=False)

    def release(self, task: int, *, is_plain: bool) -> None:
        """Count down one edge of what waits."""
        if not is_plain:
            self.flagged[task] = True
        self.waiting[task] -= 1
        if not self.waiting[task]:
            if self.flagged[task] or self.cancelled is not None:
                self.undecided.append(task)
            else:
                self.ready.append(task)

    def reopen(self, task: int, state: State, at: float) -> None:
        """Take a task that had ended back to a state that waits: what was counted down for it is counted up."""
        self._say(at, task, state)
        self.verdicts.pop(task, None)
        self.unfinished += 1
        self.flagged[task] = True
        for child in self.children[task]:
            self.waiting[child] += 1

    # -- people and timers -------------------------------------------------------------------------------------------

    def let_go_on(self, task: int, at: float) -> None:
        """Take a task on whose wait is over."""
        if at < self.due.get(task, float("inf")):
            return  # the timer was meant for an earlier state of the task
        del self.due[task]
        state = self.states[task]
        if isinstance(state, Paused):
            self.enter(task, Resume(state.message, start_time=moment(at)), at)
        elif isinstance(state, Retrying):
            self._approve(task)  # nothing upstream has changed: the trigger has answered
        else:
            self.undecided.append(task)

    def _hold(self, at: float) -> None:
        if not self.held:
            self._note(at, "pause")
        self.held, self.steps = True, 0

    def _resume(self, task: int | None, at: float) -> None:
        self._note(at, "resume")
        if task is None:
            self.held, self.steps = False, 0
        for number, state in enumerate(self.states):
            if not isinstance(state, Paused) or number in self.asking:
                continue
            if task in {None, number, self.plan.origin(number)}:
                self.due.pop(number, None)
                self.enter(number, Resume(state.message, start_time=moment(at)), at)

    def _cancel(self, why: str, at: float) -> None:
        """End the run: what has not started is cancelled at once, what runs is asked to stop.

        From here on handlers have no say, so that one which does not return cannot hold the run up; what they are asked
        about now ends as its body did, when it did well.
        """
        if self.cancelled is not None:
            return
        self._note(at, "cancel")
        self.cancelled = why
        self.held = False
        self.ready.clear()
        self.approved.clear()
        self.due.clear()
        asking = self.asking.copy()
        self.asking.clear()
        for task, state in enumerate(self.states):
            if isinstance(state, Running) and task not in asking:
                self._say(at, task, Cancelling("Asked to stop."))
                self.instructions.append(m.StopBody(task))
            elif task in asking or not (is_final(state) or task in self.plan.left_out):
                new = asking[task].new if task in asking else None
                self.enter(task, new if isinstance(new, Success) else Cancelled(why), at, may_retry=False)
        self.undecided.clear()
