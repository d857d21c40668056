"""The machine as lists of stimuli: no sleep, no clock, no thread, no mock."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flowbook import Flow, signals, triggers
from flowbook.engine import messages as m
from flowbook.engine.ends import failure
from flowbook.errors import InvalidTransition
from flowbook.states import (
    Failed,
    Pending,
    Retrying,
    Running,
    Skipped,
    State,
    Submitted,
    Success,
    TimedOut,
)
from tests.engine.bare import Bare, chain, fan_in, moment, plain, step

MINUTE = dt.timedelta(minutes=1)


# -- the way of a plain task -----------------------------------------------------------------------------------------


def test_a_plain_success_goes_from_pending_over_running() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    assert bare[only].is_pending()
    bare.start(only)
    assert bare[only].is_running()
    bare.ask(m.Returned(0, 42, 1.0))
    assert bare[only] == Success(result=42)
    assert bare.moves(only) == ["Running", "Success"]
    assert bare.machine.is_done


def test_a_task_is_ready_when_all_upstream_has_ended_and_not_before() -> None:
    flow, upstream, last = fan_in(3)
    bare = Bare(flow)
    for up in upstream:
        assert last not in bare.ready
        bare.give(up)
    assert bare.ready == [last]


def test_a_task_bound_twice_to_one_upstream_waits_for_both_edges_and_is_ready_once() -> None:
    with Flow("double") as flow:
        up = plain()
        down = step(x=up, y=up)
    bare = Bare(flow)
    bare.give(up)
    assert bare.ready == [down]


def test_tasks_are_ready_in_the_order_in_which_they_could_run() -> None:
    with Flow("order") as flow:
        first, second, third = plain(), plain(), plain()
    assert Bare(flow).ready == [first, second, third]


def test_an_empty_flow_is_done_when_it_begins_and_succeeds() -> None:
    bare = Bare(Flow("empty"))
    assert bare.machine.is_done
    assert bare.machine.outcome() == Success(result={})


def test_a_chain_of_skips_of_any_length_needs_no_recursion() -> None:
    flow, tasks = chain(5_000)
    bare = Bare(flow)
    bare.fail(tasks[0], signals.SKIP())
    assert bare.machine.is_done
    assert bare[tasks[-1]].is_skipped()


def test_time_in_the_log_never_runs_backwards_although_a_message_lay_in_the_mailbox() -> None:
    flow, (first, _) = chain(2)
    bare = Bare(flow, at=10.0)
    bare.give(first)
    bare.ask(m.PauseAsked(at=3.0))
    assert bare.machine.log.at == sorted(bare.machine.log.at)


# -- skips and triggers ----------------------------------------------------------------------------------------------


def test_skip_goes_before_the_trigger() -> None:
    flow, (up, other), last = fan_in(2, trigger=triggers.any_failed)
    bare = Bare(flow)
    bare.fail(up, signals.SKIP())
    bare.fail(other, ValueError("no"))
    assert bare[last].is_skipped()
    assert "skip_on_upstream_skip=False" in (bare[last].message or "")


def test_skip_beats_failure_when_both_are_upstream() -> None:
    flow, (up, other), last = fan_in(2)
    bare = Bare(flow)
    bare.fail(other, ValueError("no"))
    bare.fail(up, signals.SKIP())
    assert type(bare[last]) is Skipped


def test_a_task_that_does_not_skip_asks_its_trigger_about_a_skipped_upstream_as_a_success() -> None:
    flow, (up,), last = fan_in(1, skip_on_upstream_skip=False)
    bare = Bare(flow)
    bare.fail(up, signals.SKIP())
    assert bare.ready == [last]


def test_a_failed_upstream_fails_the_default_trigger_with_the_words_of_the_reference() -> None:
    flow, (up, last) = chain(2)
    bare = Bare(flow)
    bare.fail(up, ValueError("no"))
    assert type(bare[last]).__name__ == "TriggerFailed"
    assert bare[last].message == 'Trigger was "all_successful" but some of the upstream tasks failed.'
    assert bare.moves(last) == ["TriggerFailed"]


def test_a_trigger_failure_goes_down_the_whole_chain() -> None:
    flow, tasks = chain(4)
    bare = Bare(flow)
    bare.fail(tasks[0], ValueError("no"))
    assert [type(bare[one]).__name__ for one in tasks] == ["Failed", *["TriggerFailed"] * 3]


def test_trigger_failed_child_does_not_consume_a_retry() -> None:
    flow, (up, last) = chain(2, max_retries=3, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.fail(up, ValueError("no"))
    assert bare.machine.is_done
    assert bare.moves(last) == ["TriggerFailed"]
    assert not bare.asked()


def test_a_custom_trigger_is_asked_once_by_an_instruction() -> None:
    flow, (up, last) = chain(2, trigger=lambda states: True)
    bare = Bare(flow)
    bare.give(up)
    assert bare.asked() == [m.AskTrigger(1)]
    assert bare.ready == []
    bare.ask(m.VerdictAnswered(1, triggers.Verdict(passed=True, reason="yes"), 1.0))
    assert bare.ready == [last]


def test_a_custom_trigger_that_says_no_ends_the_task_in_the_state_of_its_verdict() -> None:
    flow, (up, last) = chain(2, trigger=lambda states: False)
    bare = Bare(flow)
    bare.give(up)
    bare.asked()
    bare.ask(m.VerdictAnswered(1, triggers.Verdict(passed=False, reason="no", state=Skipped("no")), 1.0))
    assert type(bare[last]) is Skipped


def test_a_trigger_object_that_raises_fails_its_task_and_not_the_machine() -> None:
    def rule(states: Any) -> triggers.Verdict:
        raise ZeroDivisionError("broken rule")

    flow, (up, last) = chain(2, trigger=triggers.Trigger("broken", rule, "Raise."))
    bare = Bare(flow)
    bare.give(up)
    assert type(bare[last]).__name__ == "TriggerFailed"
    assert isinstance(bare[last].result, ZeroDivisionError)


# -- retries ---------------------------------------------------------------------------------------------------------


def test_a_failure_with_retries_left_waits_for_a_timer() -> None:
    flow, (only,) = chain(1, max_retries=2, retry_delay=MINUTE)
    bare = Bare(flow, at=100.0)
    bare.fail(only, ValueError("no"))
    state = bare[only]
    assert isinstance(state, Retrying)
    assert state.start_time == moment(160.0)
    assert state.run_count == 1
    assert bare.asked() == [m.StartTimer(0, 160.0)]
    assert bare.machine.run_count(0) == 2


def test_max_retries_two_is_three_attempts() -> None:
    flow, (only,) = chain(1, max_retries=2, retry_delay=MINUTE)
    bare = Bare(flow)
    for attempt in range(1, 4):
        assert bare.machine.run_count(0) == attempt
        bare.fail(only, ValueError("no"))
        bare.at += 60
        bare.ring(only)
    assert type(bare[only]) is Failed
    assert bare.moves(only) == [*["Running", "Failed", "Retrying"] * 2, "Running", "Failed"]


def test_a_waiting_retry_holds_up_nobody_else() -> None:
    with Flow("two") as flow:
        slow = plain(task_args={"max_retries": 1, "retry_delay": MINUTE})
        other = plain()
        after = step(x=other)
    bare = Bare(flow)
    bare.fail(slow, ValueError("no"))
    bare.give(other)
    assert bare.ready == [after]


def test_a_stale_timer_moves_nothing() -> None:
    flow, (only,) = chain(1, max_retries=3, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.fail(only, ValueError("no"))
    bare.ring(only)  # too early: due at 60
    assert bare.ready == []
    bare.at = 60.0
    bare.ring(only)
    bare.ring(only)  # the same timer twice
    assert bare.ready == [only]
    bare.fail(only, ValueError("again"))
    bare.at = 61.0
    bare.ring(only)  # meant for the attempt before
    assert bare.ready == []


def test_retry_on_retries_only_what_it_names() -> None:
    flow, (only,) = chain(1, max_retries=3, retry_delay=MINUTE, retry_on=(OSError,))
    bare = Bare(flow)
    bare.fail(only, ConnectionError("again"))
    assert isinstance(bare[only], Retrying)
    bare.at = 60.0
    bare.ring(only)
    bare.fail(only, ValueError("no"))
    assert type(bare[only]) is Failed


@pytest.mark.parametrize("error", [signals.FAIL("no"), signals.VALIDATIONFAIL("no"), ValueError("no")])
def test_fail_is_retried_like_an_error(error: BaseException) -> None:
    flow, (only,) = chain(1, max_retries=1, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.fail(only, error)
    assert isinstance(bare[only], Retrying)


def test_a_timeout_is_retried() -> None:
    flow, (only,) = chain(1, max_retries=1, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.end(only, TimedOut("late"))
    assert bare.moves(only) == ["Running", "TimedOut", "Retrying"]


def test_a_retried_task_does_not_ask_its_trigger_again() -> None:
    flow, (up, last) = chain(2, trigger=lambda states: True, max_retries=1, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.give(up)
    bare.asked()
    bare.ask(m.VerdictAnswered(1, triggers.Verdict(passed=True, reason="yes"), 0.0))
    bare.fail(last, ValueError("no"))
    bare.asked()
    bare.at = 60.0
    bare.ring(last)
    assert bare.asked() == []
    assert bare.ready == [last]


# -- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "name"),
    [
        (signals.FAIL("x"), "Failed"),
        (signals.TRIGGERFAIL("x"), "TriggerFailed"),
        (signals.VALIDATIONFAIL("x"), "ValidationFailed"),
        (signals.SUCCESS("x"), "Success"),
        (signals.SKIP("x"), "Skipped"),
    ],
)
def test_a_signal_becomes_its_state_and_is_its_result(signal: signals.FlowbookSignal, name: str) -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    bare.fail(only, signal)
    assert type(bare[only]).__name__ == name
    assert bare[only].message == "x"
    assert bare[only].result is signal


def test_a_signal_with_a_result_gives_that_result_even_when_it_is_none() -> None:
    assert failure(signals.SKIP("x", result=None)).result is None
    assert failure(signals.SUCCESS(result=3)).result == 3


def test_a_signal_whose_subclass_forgot_its_state_is_a_failure() -> None:
    class Forgetful(signals.FlowbookSignal):
        def __init__(self) -> None:
            """Forget to call the parent."""

    assert type(failure(Forgetful())) is Failed


def test_retry_ignores_max_retries() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    for attempt in range(5):
        bare.fail(only, signals.RETRY(start_time=moment(10.0 * (attempt + 1))))
        assert isinstance(bare[only], Retrying)
        assert bare.machine.run_count(0) == attempt + 2
        bare.at = 10.0 * (attempt + 1)
        bare.ring(only)
    bare.give(only)
    assert bare.machine.is_done


def test_a_raised_triggerfail_is_not_retried() -> None:
    flow, (only,) = chain(1, max_retries=3, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.fail(only, signals.TRIGGERFAIL("no"))
    assert bare.machine.is_done


def test_endrun_ends_in_its_state_and_nothing_is_retried() -> None:
    flow, (only,) = chain(1, max_retries=3, retry_delay=MINUTE)
    bare = Bare(flow)
    bare.fail(only, signals.ENDRUN(Failed("that is all")))
    assert bare.machine.is_done
    assert bare[only].message == "that is all"


def test_endrun_is_not_retried_when_handlers_are_asked_either() -> None:
    flow, (only,) = chain(1, max_retries=3, retry_delay=MINUTE, state_handlers=[print])
    bare = Bare(flow)
    bare.agree()
    bare.fail(only, signals.ENDRUN(Failed("that is all")))
    bare.agree()
    assert type(bare[only]) is Failed
    assert bare.machine.is_done


@pytest.mark.parametrize("state", [State("odd"), Pending(), Running(), Submitted()])
def test_a_body_cannot_end_in_a_state_that_would_run_it_again_for_ever(state: State) -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    bare.fail(only, signals.ENDRUN(state))
    assert type(bare[only]) is Failed
    assert "can end in a final state" in (bare[only].message or "")


def test_a_message_that_is_no_text_becomes_one() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    bare.fail(only, signals.FAIL(ValueError("no")))  # type: ignore[arg-type]  # a slip that people make
    assert bare[only].message == "ValueError('no')"


def test_loop_runs_again_at_once_with_its_index_and_result() -> None:
    flow, (only, after) = chain(2)
    bare = Bare(flow)
    for index in range(1, 4):
        bare.fail(only, signals.LOOP(result=index * 10))
        state = bare[only]
        assert state.is_looped()
        assert bare.machine.loops[0] == (index + 1, index * 10)
        assert bare.ready == [only]
    bare.give(only, "done")
    assert bare.ready == [after]
    assert bare.moves(only) == [*["Running", "Looped"] * 3, "Running", "Success"]


def test_a_loop_keeps_its_index_over_retries_and_resets_the_run_count() -> None:
    flow, (only,) = chain(1, max_retries=1, retry_delay=MINUTE)
    bare = Bare(flow)
    for index in range(1, 4):
        bare.fail(only, ValueError("once per iteration"))
        assert bare.machine.run_count(0) == 2
        bare.at += 60
        bare.ring(only)
        bare.fail(only, signals.LOOP(result=index))
        assert bare.machine.run_count(0) == 1
        assert bare.machine.loops[0] == (index + 1, index)


def test_one_signal_raised_over_and_over_leaves_its_history_alone() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    signal = signals.LOOP(result="same")
    for _ in range(3):
        bare.fail(only, signal)
    counts = [what.loop_count for _, _, what in bare.machine.log.rows() if getattr(what, "loop_count", None)]
    assert counts == [1, 2, 3]


# -- refusing --------------------------------------------------------------------------------------------------------


def test_a_second_end_is_refused_with_the_story() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    bare.give(only)
    with pytest.raises(
        InvalidTransition, match=r"cannot go Success → Success.\n  story: 1 Pending→Running · 2 Running→"
    ):
        bare.ask(m.Returned(0, 2, 1.0))


def test_an_end_without_a_start_is_refused() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    with pytest.raises(InvalidTransition, match="cannot go Pending → Failed"):
        bare.ask(m.Raised(0, ValueError("no"), 1.0))
    bare.give(only)


def test_what_is_no_stimulus_is_refused() -> None:
    flow, _ = chain(1)
    with pytest.raises(TypeError, match="no such message"):
        Bare(flow).ask(Odd())  # type: ignore[arg-type]


class Odd:
    """Is no stimulus, but knows a time like one."""

    at = 0.0
