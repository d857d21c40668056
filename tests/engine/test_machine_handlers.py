"""State handlers as the machine sees them: it instructs to ask, and goes on when the answer comes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flowbook import Flow, Task, signals, task, triggers
from flowbook.engine import messages as m
from flowbook.states import (
    Cancelled,
    Failed,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Submitted,
    Success,
)
from tests.engine.bare import Bare

MINUTE = dt.timedelta(minutes=1)


def handler(subject: Any, old: State, new: State) -> None:
    """Stand for any handler; the machine never calls it."""


def handled(**options: Any) -> tuple[Flow, Task]:
    @task(state_handlers=[handler], **options)
    def watched() -> None: ...

    with Flow("watched") as flow:
        made = watched()
    return flow, made


def question(bare: Bare) -> m.AskHandlers:
    """Take out the one question that is asked now."""
    (asked,) = bare.asked()
    assert isinstance(asked, m.AskHandlers)
    return asked


def test_handlers_are_asked_at_each_change_and_the_task_moves_only_after_their_answer() -> None:
    flow, only = handled()
    bare = Bare(flow)
    asked = question(bare)
    assert (type(asked.old), type(asked.new)) == (Pending, Running)
    assert bare.ready == []
    bare.answer(only, asked.new)
    bare.give(only, 5)
    asked = question(bare)
    assert (type(asked.old), asked.new) == (Running, Success(result=5))
    assert bare[only].is_running()
    bare.answer(only, asked.new)
    assert bare[only] == Success(result=5)
    assert bare.moves(only) == ["Running", "Success"]


def test_what_handlers_answer_at_the_start_is_the_state_the_body_runs_in() -> None:
    flow, only = handled()
    bare = Bare(flow)
    bare.asked()
    bare.answer(only, Running("with my words"))
    bare.start(only)
    assert bare[only].message == "with my words"
    bare.ask(m.Returned(0, 1, 1.0))
    bare.agree()


def test_handlers_may_end_a_task_before_it_begins() -> None:
    flow, only = handled()
    bare = Bare(flow)
    bare.asked()
    bare.answer(only, Skipped("not today"))
    assert bare.machine.is_done
    assert bare.moves(only) == ["Skipped"]


def test_handlers_may_turn_a_failure_into_a_success() -> None:
    flow, only = handled(max_retries=3, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.agree()
    bare.fail(only, ValueError("no"))
    bare.asked()
    bare.answer(only, Success("good enough", result=0))
    assert bare[only] == Success(result=0)
    assert bare.machine.is_done


def test_a_failure_and_its_retry_are_two_changes() -> None:
    flow, only = handled(max_retries=1, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.agree()
    bare.fail(only, ValueError("no"))
    first = question(bare)
    assert (type(first.old), type(first.new)) == (Running, Failed)
    bare.answer(only, first.new)
    second = question(bare)
    assert (type(second.old), type(second.new)) == (Failed, Retrying)
    bare.answer(only, second.new)
    assert isinstance(bare[only], Retrying)


def test_an_error_in_a_handler_fails_the_task_without_a_retry() -> None:
    flow, only = handled(max_retries=3, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.agree()
    bare.give(only)
    bare.asked()
    bare.answer(only, Failed("a handler raised"), final=True)
    assert type(bare[only]) is Failed
    assert bare.machine.is_done


def test_handlers_may_refuse_a_retry_and_are_not_asked_for_ever() -> None:
    flow, only = handled(max_retries=3, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.agree()
    bare.fail(only, ValueError("no"))
    bare.answer(only, question(bare).new)
    question(bare)
    bare.answer(only, Failed("once is enough"))
    assert bare.machine.is_done
    assert bare.moves(only) == ["Running", "Failed", "Failed"]


def test_handlers_may_send_a_task_back_to_the_start() -> None:
    flow, only = handled()
    bare = Bare(flow)
    bare.agree()
    bare.give(only)
    bare.asked()
    bare.answer(only, Submitted(state=Pending("once more")))
    bare.agree()
    assert bare.ready == [only]


def test_handlers_may_make_a_task_wait() -> None:
    for state in (Paused(), Scheduled(start_time=dt.datetime.fromtimestamp(9.0, dt.timezone.utc))):
        flow, only = handled()
        bare = Bare(flow)
        bare.asked()
        bare.answer(only, state)
        assert bare[only] is state
        bare.at = 9.0
        bare.ask(m.ResumeAsked(9.0)) if isinstance(state, Paused) else bare.ring(only)
        bare.agree()
        assert bare.ready == [only]


def test_handlers_that_answer_a_success_with_running_have_the_body_run_again() -> None:
    flow, only = handled()
    bare = Bare(flow)
    bare.agree()
    bare.give(only)
    bare.asked()
    bare.answer(only, Running("again"))
    assert bare.ready == [only]
    bare.give(only)
    bare.agree()
    assert bare.machine.is_done


def test_handlers_that_answer_a_retry_with_running_have_the_body_run_again_at_once() -> None:
    flow, only = handled(max_retries=1, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.agree()
    bare.fail(only, ValueError("no"))
    bare.answer(only, question(bare).new)
    question(bare)
    bare.answer(only, Running("at once"))
    bare.give(only)
    bare.agree()
    assert bare.moves(only) == ["Running", "Failed", "Pending", "Running", "Success"]


def test_handlers_hear_of_skips_and_trigger_failures_too() -> None:
    @task
    def up() -> None: ...

    @task(state_handlers=[handler], trigger=triggers.all_successful)
    def down(x: object) -> None: ...

    for error, name in ((signals.SKIP(), "Skipped"), (ValueError("no"), "TriggerFailed")):
        with Flow("two") as flow:
            first = up()
            second = down(first)
        bare = Bare(flow)
        bare.fail(first, error)
        asked = question(bare)
        assert type(asked.new).__name__ == name
        bare.answer(second, asked.new)
        assert bare.machine.is_done


def test_handlers_are_asked_in_each_iteration_of_a_loop() -> None:
    flow, only = handled()
    bare = Bare(flow)
    bare.agree()
    bare.fail(only, signals.LOOP(result=1))
    assert type(question(bare).new).__name__ == "Looped"
    bare.answer(only, failed_loop())
    assert (type(question(bare).old).__name__, bare.ready) == ("Looped", [])
    bare.answer(only, Running())
    assert bare.ready == [only]


def failed_loop() -> State:
    return signals.LOOP(result=1).state


def test_children_start_after_the_handlers_of_their_parent_have_answered() -> None:
    @task(state_handlers=[handler])
    def up() -> None: ...

    @task
    def down(x: object) -> None: ...

    with Flow("two") as flow:
        first = up()
        second = down(first)
    bare = Bare(flow)
    bare.agree()
    bare.give(first)
    assert bare.ready == []
    bare.agree()
    assert bare.ready == [second]


def test_a_late_answer_after_a_cancel_is_not_taken_in() -> None:
    flow, only = handled()
    bare = Bare(flow)
    bare.asked()
    bare.ask(m.CancelAsked(1.0, "enough"))
    bare.answer(only, Running())
    bare.ask(m.VerdictAnswered(0, triggers.Verdict(passed=True, reason="late"), 2.0))
    assert bare[only] == Cancelled()
