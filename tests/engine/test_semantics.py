"""What the reference API promises of task runs, in real runs with every executor."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any

import pytest

from flowbook import Flow, Task, signals, task, triggers
from flowbook.states import (
    Cancelled,
    Failed,
    Finished,
    Looped,
    Retrying,
    Skipped,
    State,
    Success,
    TriggerFailed,
    ValidationFailed,
)
from tests.engine.conftest import Run

MINUTE = dt.timedelta(minutes=1)

ENDS: dict[str, BaseException | None] = {
    "success": None,
    "skipped": signals.SKIP("not today"),
    "failed": ValueError("no"),
    "trigger failed": signals.TRIGGERFAIL("no"),
    "cancelled": signals.ENDRUN(Cancelled("no")),
}


@task(skip_on_upstream_skip=False)
def end_as(error: BaseException | None) -> str:
    if error is not None:
        raise error
    return "done"


def upstream_and_last(ends: list[str], **options: Any) -> tuple[Flow, Task]:
    """Make tasks that end like this, and one that waits for all of them."""

    @task(**options)
    def last() -> str:
        return "ran"

    with Flow("ends") as flow:
        tasks = [end_as(ENDS[end]) for end in ends]
        made = last(upstream_tasks=tasks)
    return flow, made


# -- triggers --------------------------------------------------------------------------------------------------------


TABLE: list[tuple[Any, list[str], type[State]]] = [
    (triggers.all_successful, [], Success),
    (triggers.all_successful, ["success", "skipped"], Success),
    (triggers.all_successful, ["success", "failed"], TriggerFailed),
    (triggers.all_successful, ["success", "trigger failed"], TriggerFailed),
    (triggers.all_successful, ["cancelled"], TriggerFailed),
    (triggers.all_failed, [], Success),
    (triggers.all_failed, ["failed", "trigger failed"], Success),
    (triggers.all_failed, ["failed", "success"], TriggerFailed),
    (triggers.any_successful, [], Success),
    (triggers.any_successful, ["failed", "skipped"], Success),
    (triggers.any_successful, ["failed", "cancelled"], TriggerFailed),
    (triggers.any_failed, [], Success),
    (triggers.any_failed, ["success", "trigger failed"], Success),
    (triggers.any_failed, ["success", "cancelled"], TriggerFailed),
    (triggers.all_finished, ["failed", "cancelled", "skipped"], Success),
    (triggers.always_run, ["failed"], Success),
    (triggers.not_all_skipped, ["skipped", "success"], Success),
    (triggers.not_all_skipped, ["skipped", "skipped"], Skipped),
    (triggers.not_all_skipped, ["skipped", "failed"], TriggerFailed),
    (triggers.some_failed(at_least=1), ["failed", "success"], Success),
    (triggers.some_failed(at_least=2), ["failed", "success"], TriggerFailed),
    (triggers.some_failed(at_most=1), ["failed", "failed"], TriggerFailed),
    (triggers.some_failed(at_least=0.5), ["failed", "success"], Success),
    (triggers.some_failed(at_most=0.4), ["failed", "success"], TriggerFailed),
    (triggers.some_failed(at_least=3), [], Success),
    (triggers.some_successful(at_least=1, at_most=1), ["failed", "success"], Success),
    (triggers.some_successful(at_least=2), ["failed", "success"], TriggerFailed),
    (triggers.some_successful(at_least=1), ["skipped"], Success),
    (lambda states: len(states) == 2, ["success", "failed"], Success),
    (lambda states: len(states) == 1, ["success", "failed"], TriggerFailed),
]


@pytest.mark.parametrize(("trigger", "ends", "expected"), TABLE)
def test_every_trigger_decides_in_a_real_run(trigger: Any, ends: list[str], expected: type[State], run: Run) -> None:
    flow, last = upstream_and_last(ends, trigger=trigger, skip_on_upstream_skip=False)
    state = run(flow)
    assert type(state.result[last]) is expected


@pytest.mark.parametrize(
    ("trigger", "ends", "words"),
    [
        (triggers.all_successful, ["failed"], 'Trigger was "all_successful" but some of the upstream tasks failed.'),
        (triggers.all_failed, ["success"], 'Trigger was "all_failed" but some of the upstream tasks succeeded.'),
        (triggers.any_successful, ["failed"], 'Trigger was "any_successful" but none of the upstream tasks succeeded.'),
        (triggers.any_failed, ["success"], 'Trigger was "any_failed" but none of the upstream tasks failed.'),
        (lambda states: False, ["success"], "Trigger failed"),
    ],
)
def test_a_trigger_that_does_not_pass_says_why(trigger: Any, ends: list[str], words: str) -> None:
    flow, last = upstream_and_last(ends, trigger=trigger)
    assert flow.run(show=False).result[last].message == words


def test_a_custom_trigger_may_raise_a_signal(run: Run) -> None:
    def trigger(states: Any) -> bool:
        raise signals.SKIP("by trigger")

    flow, last = upstream_and_last(["success"], trigger=trigger)
    state = run(flow).result[last]
    assert type(state) is Skipped
    assert state.message == "by trigger"


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_exception_in_a_trigger_is_a_trigger_failure_with_it_as_the_result(
    kind: type[BaseException], run: Run
) -> None:
    def trigger(states: Any) -> bool:
        raise kind("broken")

    flow, last = upstream_and_last(["success"], trigger=trigger, max_retries=2, retry_delay=MINUTE)
    state = run(flow).result[last]
    assert type(state) is TriggerFailed
    assert isinstance(state.result, kind)


def test_a_trigger_sees_the_edges_and_final_states(run: Run) -> None:
    seen: dict[Any, State] = {}

    def trigger(states: dict[Any, State]) -> bool:
        seen.update(states)
        return True

    flow, last = upstream_and_last(["success", "failed"], trigger=trigger)
    state = run(flow)
    assert seen == {edge: state.result[edge.upstream_task] for edge in flow.edges_to(last)}


# -- the pipeline's order --------------------------------------------------------------------------------------------


def test_skip_goes_before_the_trigger_and_the_trigger_before_the_body(run: Run) -> None:
    calls: list[str] = []

    def trigger(states: Any) -> bool:
        calls.append("trigger")
        return True

    def handler(one: Any, old: State, new: State) -> None:
        calls.append(type(new).__name__)

    @task(trigger=trigger, state_handlers=[handler])
    def body() -> None:
        calls.append("body")

    for end, expected in (("success", ["trigger", "Running", "body", "Success"]), ("skipped", ["Skipped"])):
        calls.clear()
        with Flow("order") as flow:
            body(upstream_tasks=[end_as(ENDS[end])])
        run(flow)
        assert calls == expected


def test_trigger_failed_never_retries(run: Run) -> None:
    flow, last = upstream_and_last(["failed"], max_retries=5, retry_delay=MINUTE)
    run(flow)
    assert flow.last_run is not None
    assert [event.state for event in flow.last_run.story(last).events] == ["TriggerFailed"]


def test_cancelled_upstream_is_neither_success_nor_failure_for_the_flow(run: Run) -> None:
    with Flow("cancelled") as flow:
        end_as(ENDS["cancelled"])
    assert run(flow).message == "No reference tasks failed."


# -- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "kind"),
    [
        (signals.FAIL, Failed),
        (signals.TRIGGERFAIL, TriggerFailed),
        (signals.VALIDATIONFAIL, ValidationFailed),
        (signals.SUCCESS, Success),
        (signals.SKIP, Skipped),
    ],
)
def test_signals_and_their_results(signal: type[signals.FlowbookSignal], kind: type[State], run: Run) -> None:
    raised = [signal("plain"), signal("none", result=None), signal("with", result=5)]
    with Flow("signals") as flow:
        ends = [end_as(error) for error in raised]
    states = [run(flow).result[end] for end in ends]
    assert [type(state) for state in states] == [kind] * 3
    assert [state.message for state in states] == ["plain", "none", "with"]
    assert [state.result for state in states] == [raised[0], None, 5]


def test_a_body_cannot_swallow_a_signal_with_except_exception(run: Run) -> None:
    @task
    def body() -> None:
        with contextlib.suppress(Exception):
            raise signals.SKIP("really")

    with Flow("signals") as flow:
        made = body()
    assert type(run(flow).result[made]) is Skipped


def test_endrun_ends_in_the_given_state_without_a_retry(run: Run) -> None:
    calls: list[int] = []

    @task(max_retries=3, retry_delay=MINUTE)
    def body() -> None:
        calls.append(1)
        raise signals.ENDRUN(Failed("that is all", result="kept"))

    with Flow("endrun") as flow:
        made = body()
    state = run(flow).result[made]
    assert (state.message, state.result, calls) == ("that is all", "kept", [1])


def test_a_failed_task_has_the_exception_as_its_result_with_the_users_traceback(run: Run) -> None:
    @task
    def culprit() -> None:
        raise ZeroDivisionError("mine")

    with Flow("fails") as flow:
        made = culprit()
    error = run(flow).result[made].result
    assert isinstance(error, ZeroDivisionError)
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_frame.f_code.co_name == "culprit"


def test_results_are_passed_by_reference(run: Run) -> None:
    class Thing:
        """Can be neither copied nor pickled."""

        def __reduce__(self) -> Any:
            raise AssertionError("copied")

    thing = Thing()

    @task
    def make() -> Thing:
        return thing

    @task
    def take(x: Thing, also: Thing) -> bool:
        return x is thing and also is thing

    with Flow("by reference") as flow:
        made = make()
        taken = take(made, thing)
    assert run(flow).result[taken].result is True


def test_a_none_of_an_upstream_that_was_skipped_or_failed_is_passed_on_as_its_result(run: Run) -> None:
    @task(trigger=triggers.all_finished, skip_on_upstream_skip=False)
    def take(failed: Any, skipped: Any) -> tuple[Any, Any]:
        return failed, skipped

    error = ValueError("no")
    with Flow("results") as flow:
        taken = take(end_as(error), end_as(signals.SKIP(result=None)))
    assert run(flow).result[taken].result == (error, None)


# -- states are what the log says ------------------------------------------------------------------------------------


def test_a_usual_success_has_three_states_and_times_in_order(run: Run) -> None:
    flow, last = upstream_and_last(["success"])
    state = run(flow)
    assert flow.last_run is not None
    events = flow.last_run.events
    assert [event.state for event in events if not event.task] == ["Running", "Success"]
    assert [event.state for event in flow.last_run.story(last).events] == ["Running", "Success"]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert state is flow.last_run.state
    assert all(isinstance(one, Finished) and not isinstance(one, Looped) for one in state.result.values())
    assert not any(isinstance(one, Retrying) for one in state.result.values())


def test_states_carry_the_tags_of_their_own_task(run: Run) -> None:
    with Flow("tags") as flow:
        bad = end_as(ValueError("no"), task_args={"tags": {"bad", "ugly"}})
        untagged = end_as(None, upstream_tasks=[bad])
        tagged = end_as(None, upstream_tasks=[bad], task_args={"tags": {"late"}})
        good = end_as(None, task_args={"tags": {"good"}})
    states = run(flow).result
    assert [states[one].context for one in (bad, untagged, tagged, good)] == [
        {"tags": ["bad", "ugly"]},
        {},
        {"tags": ["late"]},
        {"tags": ["good"]},
    ]
