"""Cancel in each state a task can be in, and what is then left of the run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from flowbook import Flow, Task, signals, task, triggers
from flowbook.engine import messages as m
from flowbook.engine.machine import Machine
from flowbook.states import Cancelled, Failed, Retrying, State, Success
from tests.engine.bare import Bare


def handler(subject: Any, old: State, new: State) -> None: ...


def made(**options: Any) -> tuple[Flow, Task, Task]:
    """Make two tasks in a row; the options are those of the first."""

    @task(**options)
    def body() -> None: ...

    @task
    def after(x: object) -> None: ...

    with Flow("cancelled") as flow:
        first = body()
        second = after(first)
    return flow, first, second


RETRY = {"max_retries": 2, "retry_delay": dt.timedelta(minutes=1)}
LATER = dt.datetime.fromtimestamp(1e9, dt.timezone.utc)


def _started(bare: Bare, only: Task) -> None:
    bare.start(only)


def _nothing(bare: Bare, only: Task) -> None: ...


def _failing(error: BaseException) -> Callable[[Bare, Task], None]:
    return lambda bare, only: bare.fail(only, error)


def _asked_at_its_end(bare: Bare, only: Task) -> None:
    bare.agree()
    bare.fail(only, ValueError("no"))


def _retry_asked(bare: Bare, only: Task) -> None:
    _asked_at_its_end(bare, only)
    (asked,) = bare.asked()
    assert isinstance(asked, m.AskHandlers)
    bare.answer(only, asked.new)


def _resumed(bare: Bare, only: Task) -> None:
    bare.fail(only, signals.PAUSE())
    bare.ask(m.ResumeAsked(1.0))


SITUATIONS: list[Any] = [
    pytest.param({}, _nothing, id="ready"),
    pytest.param(RETRY, _failing(ValueError("no")), id="waits for its retry"),
    pytest.param({}, _failing(signals.PAUSE()), id="paused"),
    pytest.param({}, _failing(signals.PAUSE(start_time=LATER)), id="paused until later"),
    pytest.param({}, _resumed, id="resumed"),
    pytest.param({}, _failing(signals.LOOP()), id="looped"),
    pytest.param({"trigger": triggers.manual_only}, _nothing, id="waits for a person"),
    pytest.param({"trigger": lambda states: True}, _nothing, id="its trigger is asked"),
    pytest.param({"state_handlers": [handler]}, _nothing, id="handlers are asked before its start"),
    pytest.param({"state_handlers": [handler]}, _asked_at_its_end, id="handlers are asked about its failure"),
    pytest.param({"state_handlers": [handler], **RETRY}, _retry_asked, id="handlers are asked about its retry"),
]


@pytest.mark.parametrize(("options", "lead"), SITUATIONS)
def test_cancel_ends_a_task_that_does_not_run_at_once(options: Any, lead: Callable[[Bare, Task], None]) -> None:
    flow, only, after = made(**options)
    bare = Bare(flow)
    lead(bare, only)
    bare.ask(m.CancelAsked(2.0, "enough"))
    bare.machine.check()
    assert type(bare[only]) is Cancelled
    assert bare[only].message == "enough"
    assert type(bare[after]) is Cancelled
    assert bare.machine.is_done
    assert not bare.machine.may_start
    assert bare.machine.outcome() == Cancelled(result={only: bare[only], after: bare[after]})


def test_a_running_task_is_asked_to_stop_and_its_end_is_awaited() -> None:
    flow, only, after = made()
    bare = Bare(flow)
    bare.start(only)
    bare.ask(m.CancelAsked(1.0, "enough"))
    assert bare.asked() == [m.StopBody(0)]
    assert type(bare[only]).__name__ == "Cancelling"
    assert type(bare[after]) is Cancelled
    assert not bare.machine.is_done
    bare.ask(m.Ended(0, Cancelled("stopped"), 2.0))
    assert bare[only].message == "stopped"
    assert bare.machine.is_done


def test_a_body_that_succeeds_in_spite_of_a_cancel_keeps_its_result() -> None:
    flow, only, _ = made()
    bare = Bare(flow)
    bare.start(only)
    bare.ask(m.CancelAsked(1.0))
    bare.ask(m.Returned(0, "worth keeping", 2.0))
    assert bare[only] == Success(result="worth keeping")
    assert type(bare.machine.outcome()) is Cancelled


@pytest.mark.parametrize("error", [ValueError("no"), signals.RETRY(), signals.LOOP(), signals.PAUSE()])
def test_however_else_a_body_ends_after_a_cancel_it_is_cancelled(error: BaseException) -> None:
    flow, only, _ = made(**RETRY)
    bare = Bare(flow)
    bare.start(only)
    bare.ask(m.CancelAsked(1.0))
    bare.ask(m.Raised(0, error, 2.0))
    assert type(bare[only]) is Cancelled
    assert bare.machine.is_done


def test_a_success_that_handlers_are_asked_about_is_kept() -> None:
    flow, only, _ = made(state_handlers=[handler])
    bare = Bare(flow)
    bare.agree()
    bare.give(only, "worth keeping")
    bare.ask(m.CancelAsked(1.0))
    assert bare[only] == Success(result="worth keeping")
    assert bare.machine.is_done


def test_after_a_cancel_handlers_are_not_asked_any_more() -> None:
    flow, only, _ = made(state_handlers=[handler])
    bare = Bare(flow)
    bare.agree()
    bare.start(only)
    bare.ask(m.CancelAsked(1.0))
    assert bare.asked() == [m.StopBody(0)]
    bare.ask(m.Returned(0, 1, 2.0))
    assert bare.asked() == []
    assert bare.machine.is_done


def test_finished_results_are_kept_and_a_second_cancel_changes_nothing() -> None:
    flow, only, after = made()
    bare = Bare(flow)
    bare.give(only, "kept")
    bare.ask(m.CancelAsked(1.0, "first"))
    length = len(bare.machine.log)
    bare.ask(m.CancelAsked(2.0, "second"))
    assert len(bare.machine.log) == length
    assert bare[only] == Success(result="kept")
    assert bare[after].message == "first"


def test_a_held_run_can_be_cancelled() -> None:
    flow, only, _ = made()
    bare = Bare(flow)
    bare.ask(m.PauseAsked(1.0))
    bare.ask(m.CancelAsked(2.0))
    assert bare.machine.is_done
    assert not bare.machine.held
    assert type(bare[only]) is Cancelled


# -- a run that is broken off ----------------------------------------------------------------------------------------


def _torn(machine: Machine, place: str) -> None:
    """Leave the books as an interrupt inside a move would."""
    if place == "column":
        machine.log.at.append(9.0)
    elif place == "state without an event":
        machine.states[0] = Success(result=1)
    elif place == "count":
        machine.unfinished -= 1
        machine.running = 7


@pytest.mark.parametrize("place", ["nothing", "column", "state without an event", "count"])
@pytest.mark.parametrize(("options", "lead"), [*SITUATIONS, pytest.param({}, _started, id="runs")])
def test_a_run_broken_off_anywhere_has_whole_books_again(
    place: str, options: Any, lead: Callable[[Bare, Task], None]
) -> None:
    flow, only, after = made(**options)
    bare = Bare(flow)
    lead(bare, only)
    _torn(bare.machine, place)
    bare.machine.abandon("broken off", 10.0)
    bare.machine.check()
    assert bare.machine.is_done
    assert type(bare[after]) is Cancelled
    assert not isinstance(bare[only], Retrying)
    assert bare[only].is_finished()


def test_a_run_broken_off_keeps_what_had_ended() -> None:
    flow, only, after = made()
    bare = Bare(flow)
    bare.fail(only, ValueError("real"))
    bare.machine.abandon("broken off", 1.0)
    assert type(bare[only]) is Failed
    assert type(bare[after]).__name__ == "TriggerFailed"
