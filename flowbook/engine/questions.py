"""Questions: what state handlers and triggers of a user answer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.contexts import install_frame, restore_frame
from flowbook.engine import messages as m
from flowbook.engine.ends import said, verdict_of
from flowbook.engine.interrupts import BodyStopped, RunInterrupted
from flowbook.engine.keeping import look_for_kept
from flowbook.engine.mapping import UNMAPPABLE, Supply, supplies_of
from flowbook.states import Failed, Finished, Pending, Running, State, TriggerFailed
from flowbook.triggers import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.engine.frame import RunFrame
    from flowbook.engine.runner import Runner
    from flowbook.tasks.base import Task

__all__ = ["TaskRunner", "answer", "consult"]


@dataclass(frozen=True)
class TaskRunner:
    """What handlers given as ``task_runner_state_handlers`` get as their first argument: it has the task."""

    task: Task


def answer(runner: Runner, question: m.Question, frame: RunFrame) -> m.Stimulus:
    """Ask the state handlers or the trigger of a task, on this thread, and return their answer as a stimulus."""
    number = question.task
    task = runner.plan.described[number]
    before, frame.task = frame.task, number
    token = install_frame(frame)
    try:
        if isinstance(question, m.AskHandlers):
            state, failed = consult(task, task.state_handlers, question.old, question.new)
            if not failed and runner.task_handlers:
                state, failed = consult(TaskRunner(task), runner.task_handlers, question.old, state)
            return m.StateAnswered(number, state, runner.clock.now(), final=failed)
        if isinstance(question, m.AskKept):
            return m.KeptAnswered(number, look_for_kept(runner, question), runner.clock.now())
        if isinstance(question, m.AskWidth):
            return m.WidthAnswered(number, _supplies(runner, number), runner.clock.now())
        return m.VerdictAnswered(number, _verdict(runner, number), runner.clock.now())
    finally:
        restore_frame(token)
        frame.task = before


def _supplies(runner: Runner, number: int) -> tuple[Supply, ...] | State:
    try:
        return supplies_of(runner.machine, number)
    except (BodyStopped, RunInterrupted):
        raise
    except BaseException as error:  # noqa: BLE001 - a user's sequence may raise SystemExit; the run goes on
        return Failed(UNMAPPABLE, result=error)


def _verdict(runner: Runner, number: int) -> Verdict:
    upstream = runner.machine.upstream_states(number)
    try:
        return verdict_of(runner.plan.described[number].trigger, upstream)
    except (BodyStopped, RunInterrupted):
        raise
    except BaseException as error:  # noqa: BLE001 - a user's trigger may raise SystemExit; the run goes on
        state = TriggerFailed(f"Unexpected error while checking task trigger: {said(error)}", result=error)
        return Verdict(passed=False, reason=state.message or "", state=state, decided_by=tuple(upstream))


def consult(subject: Any, handlers: Sequence[Callable[..., Any]], old: State, new: State) -> tuple[State, bool]:
    """Call state handlers in order; each sees the state of the one before it, and None keeps it.

    Returns:
        The state they agreed on, and whether one of them raised an error (a signal is an answer, not an error).

    """
    for handler in handlers:
        try:
            answered = handler(subject, old, new)
        except signals.FlowbookSignal as signal:
            answered = getattr(signal, "state", None) or signal
        except (BodyStopped, RunInterrupted):
            raise
        except BaseException as error:  # noqa: BLE001 - a user's handler may raise anything; the run ends in a state
            return Failed(f"A state handler raised {said(error)}", result=error), True
        if isinstance(answered, (Finished, Pending, Running)):
            new = answered
        elif answered is not None:
            problem = TypeError(f"a state handler answered {said(answered)}; it must return a State or None.")
            return Failed(str(problem), result=problem), True
    return new, False
