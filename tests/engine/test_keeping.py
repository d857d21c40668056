"""Keeping: caches in whole runs, with every executor of this process."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from flowbook import Flow, Parameter, Task, context, signals, task
from flowbook.caching import all_inputs, all_parameters, never_use, partial_inputs_only
from flowbook.contexts import caches
from flowbook.engine.keeping import KeepingBody, store
from flowbook.engine.propagate import propagate
from flowbook.results import LocalResult
from flowbook.states import Cached, Failed, Mapped, Pending, Retrying, Running, Skipped, State, Success, TriggerFailed
from tests.engine.counted import counted, run, why

HOUR = dt.timedelta(hours=1)
NO_TIME = dt.timedelta()


@pytest.fixture(autouse=True)
def empty_caches() -> Iterator[None]:
    caches.clear()
    yield
    caches.clear()


@pytest.fixture(params=["local", "threads"])
def executor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# ---------------------------------------------------------------- caches


def test_a_kept_result_stands_for_the_next_run(executor: str) -> None:
    made, body = counted(cache_for=HOUR, cache_validator=all_inputs)
    with Flow("cached") as flow:
        x = Parameter("x")
        kept = made(x)

    first = run(flow, x=1, executor=executor).result[kept]
    assert isinstance(first, Cached)
    assert first.hashed_inputs is not None
    assert set(first.hashed_inputs) == {"x"}
    assert first.cached_parameters == {"x": 1}
    assert first.cached_result_expiration is not None
    assert "nothing is kept under 'counted' yet" in why(flow, kept)

    second = run(flow, x=1, executor=executor).result[kept]
    assert isinstance(second, Cached)
    assert (second.result, body.calls) == ([1, 1], [1])
    assert second is not first
    assert "Taken from the cache 'counted', which holds until" in why(flow, kept)

    third = run(flow, x=2, executor=executor).result[kept]
    assert (third.result, body.calls) == ([2, 2], [1, 2])
    assert "was made from these inputs" in why(flow, kept)


def test_a_kept_result_is_taken_whatever_the_inputs_are_unless_somebody_compares_them() -> None:
    made, body = counted(cache_for=HOUR)
    with Flow("default") as flow:
        kept = made(Parameter("x"))

    run(flow, x=1)
    assert run(flow, x=2).result[kept].result == [1, 1]
    assert body.calls == [1]


def test_results_are_shared_between_flows_by_key() -> None:
    one, first = counted(cache_for=HOUR, cache_key="shared")
    other, second = counted(cache_for=HOUR, cache_key="shared")
    with Flow("one") as flow:
        one()
    with Flow("other") as another:
        taken = other()

    run(flow)
    assert run(another).result[taken].result == [0, 1]
    assert (len(first.calls), len(second.calls)) == (1, 0)
    assert list(caches) == ["shared"]


def test_two_tasks_of_one_name_in_one_run_do_not_take_each_others_results() -> None:
    made, body = counted(cache_for=HOUR)
    with Flow("twins") as flow:
        first = made(1)
        second = made(2, upstream_tasks=[first])

    assert run(flow).result[second].result == [2, 2]
    assert body.calls == [1, 2]


def test_a_result_expires_by_the_clock_of_the_run() -> None:
    made, _body = counted(cache_for=dt.timedelta(seconds=30))

    @task
    def waits() -> None:
        if context.task_run_count == 1:
            raise signals.RETRY(start_time=dt.datetime.now(dt.timezone.utc) + HOUR)

    with Flow("late") as flow:
        kept = made(upstream_tasks=[waits()])
    with Flow("early") as early:
        made()

    run(early)
    assert run(flow, clock="fast").result[kept].result == [0, 2]
    assert "expired at" in why(flow, kept)


def test_what_has_expired_leaves_the_cache() -> None:
    made, _ = counted(cache_for=NO_TIME)
    with Flow("gone") as flow:
        made()
    run(flow)
    assert caches["counted"] == []


def test_the_same_inputs_are_kept_once() -> None:
    made, _ = counted(cache_for=HOUR, cache_validator=all_parameters)
    with Flow("once") as flow:
        made(Parameter("x", default=0))
    for x in (1, 2, 1, 2):
        run(flow, x=x)
    assert len(caches["counted"]) == 2


def test_parameters_count_with_their_defaults() -> None:
    made, body = counted(cache_for=HOUR, cache_validator=all_parameters)
    with Flow("defaults") as flow:
        made(Parameter("x", default=5))
    run(flow)
    run(flow, x=5)
    assert body.calls == [5]
    run(flow, x=6)
    assert body.calls == [5, 6]


def test_candidates_can_be_given_in_the_context() -> None:
    made, body = counted(cache_for=HOUR)
    with Flow("given") as flow:
        kept = made()
    mine: dict[str, list[State]] = {"counted": [Cached(result="mine")]}

    assert run(flow, context={"caches": mine}).result[kept].result == "mine"
    assert body.calls == []
    assert not caches


def test_a_validator_gets_the_values_themselves_and_may_refuse() -> None:
    seen: list[Any] = []

    def refuses(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:
        seen.append((state.result, dict(inputs), parameters))
        return False

    made, body = counted(cache_for=HOUR, cache_validator=refuses)
    with Flow("own") as flow:
        kept = made(Parameter("x"))
    run(flow, x=1)
    run(flow, x=1)

    assert seen == [([1, 1], {"x": 1}, {"x": 1})]
    assert body.calls == [1, 1]
    assert "its validator 'refuses' refused it" in why(flow, kept)


def test_a_validator_that_raises_fails_the_task_and_says_so(executor: str) -> None:
    def broken(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:
        raise SystemExit(3)

    made, body = counted(cache_for=HOUR, cache_validator=broken)
    with Flow("broken") as flow:
        kept = made()
    run(flow)
    state = run(flow, executor=executor).result[kept]

    assert isinstance(state, Failed)
    assert "could not be looked for: SystemExit(3)" in str(state.message)
    assert len(body.calls) == 1


def test_a_body_that_changes_its_input_is_found_by_what_it_was_given() -> None:
    calls: list[int] = []

    @task(cache_for=HOUR, cache_validator=all_inputs)
    def appends(x: list[int]) -> int:
        calls.append(1)
        x.append(1)
        return len(x)

    with Flow("changing") as flow:
        appends(Parameter("x"))
    run(flow, x=[1])
    run(flow, x=[1])
    assert len(calls) == 1


def test_arrays_are_inputs_like_all_others() -> None:
    made, body = counted(cache_for=HOUR, cache_validator=all_inputs)
    with Flow("arrays") as flow:
        made(Parameter("x"))
    run(flow, x=np.arange(10))
    run(flow, x=np.arange(10))
    run(flow, x=np.arange(11))
    assert len(body.calls) == 2


def test_handlers_see_running_then_success_then_cached(executor: str) -> None:
    moves: list[tuple[str, str]] = []

    def handler(_: Task, old: State, new: State) -> None:
        moves.append((type(old).__name__, type(new).__name__))

    made, _ = counted(cache_for=HOUR, state_handlers=[handler])
    with Flow("handled") as flow:
        made()
    run(flow, executor=executor)
    assert moves == [("Pending", "Running"), ("Running", "Success"), ("Success", "Cached")]
    moves.clear()
    run(flow, executor=executor)
    assert moves == [("Pending", "Cached")]


@pytest.mark.parametrize("answer", [Success(result="other"), Failed("no"), Skipped(), Pending(), Running()])
def test_handlers_may_answer_anything_to_cached(answer: State) -> None:
    answers = [answer]

    def handler(_: Task, old: State, new: State) -> State | None:
        return answers.pop() if new.is_cached() and answers else None

    made, _ = counted(cache_for=HOUR, state_handlers=[handler])
    with Flow("answered") as flow:
        kept = made()
    state = run(flow).result[kept]
    assert type(state) is (Success if isinstance(answer, (Pending, Running)) else type(answer))


def test_a_failure_and_a_skip_are_not_kept() -> None:
    @task(cache_for=HOUR)
    def fails() -> None:
        raise ValueError("no")

    @task(cache_for=HOUR)
    def skips() -> None:
        raise signals.SKIP

    with Flow("bad") as flow:
        fails()
        skips()
    run(flow)
    assert not caches


def test_a_success_that_was_raised_is_kept() -> None:
    @task(cache_for=HOUR)
    def raises() -> None:
        raise signals.SUCCESS("fine", result=7)

    with Flow("raised") as flow:
        kept = raises()
    run(flow)
    assert run(flow).result[kept].result == 7
    assert "Taken from the cache" in why(flow, kept)


def test_a_skip_comes_before_the_cache_and_the_cache_before_the_trigger() -> None:
    made, body = counted(cache_for=HOUR)

    @task
    def does(what: str) -> None:
        if what == "skip":
            raise signals.SKIP
        if what == "fail":
            raise ValueError

    with Flow("order") as flow:
        kept = made(upstream_tasks=[does(Parameter("what"))])

    assert isinstance(run(flow, what="fail").result[kept], TriggerFailed)
    run(flow, what="")
    assert isinstance(run(flow, what="fail").result[kept], Cached)
    assert isinstance(run(flow, what="skip").result[kept], Skipped)
    assert len(body.calls) == 1


def test_a_cached_state_that_a_run_begins_with_proves_itself_again() -> None:
    made, body = counted(cache_for=HOUR, cache_validator=all_inputs)
    with Flow("again") as flow:
        kept = made(Parameter("x"))
    state = run(flow, x=1).result[kept]
    caches.clear()

    assert run(flow, x=1, task_states={kept: state}).result[kept] is state
    assert "still holds" in why(flow, kept)
    assert run(flow, x=2, task_states={kept: state}).result[kept].result == [2, 2]
    assert "does not hold any more: the input x is another one" in why(flow, kept)
    assert body.calls == [1, 2]


def test_a_cached_state_of_a_task_that_keeps_nothing_is_run_again() -> None:
    made, body = counted()
    with Flow("plain") as flow:
        plain = made()
    assert type(run(flow, task_states={plain: Cached(result=9)}).result[plain]) is Success
    assert body.calls == [0]


def test_a_retry_is_kept_and_attempts_are_counted_as_ever() -> None:
    @task(cache_for=HOUR, max_retries=1, retry_delay=NO_TIME)
    def second_time() -> int:
        if context.task_run_count == 1:
            raise ValueError
        return 2

    with Flow("retried") as flow:
        kept = second_time()
    state = run(flow).result[kept]
    assert (type(state), state.result) == (Cached, 2)
    assert flow.last_run is not None
    states = [event.state for event in flow.last_run.story(kept).events]
    assert states == ["Running", "Failed", "Retrying", "Running", "Success", "Cached"]


def test_a_cancelled_run_ends_while_a_validator_thinks() -> None:
    import threading

    asked, answer = threading.Event(), threading.Event()

    def thinks(*_: Any) -> bool:
        asked.set()
        return answer.wait(10)

    made, _ = counted(cache_for=HOUR, cache_validator=thinks)
    with Flow("thinking") as flow:
        made()
    run(flow)
    handle = flow.start(show=False)
    assert asked.wait(10)
    handle.cancel()
    assert handle.wait(10).__class__.__name__ == "Cancelled"
    answer.set()


# ---------------------------------------------------------------- mapping


def test_each_child_is_kept_by_its_own_inputs(executor: str) -> None:
    made, body = counted(cache_for=HOUR, cache_validator=all_inputs)
    with Flow("children") as flow:
        children = made.map(Parameter("xs"))

    run(flow, xs=[1, 2, 3], executor=executor)
    state = run(flow, xs=[3, 4, 1], executor=executor).result[children]

    assert isinstance(state, Mapped)
    assert sorted(body.calls) == [1, 2, 3, 4]
    assert [item[0] for item in state.result] == [3, 4, 1]
    assert all(isinstance(child, Cached) for child in state.map_states)


def test_children_never_take_what_was_kept_for_other_elements() -> None:
    made, _ = counted(cache_for=HOUR)  # a validator that does not look at inputs
    with Flow("apart") as flow:
        children = made.map(Parameter("xs"))
    run(flow, xs=[1, 2, 3])
    state = run(flow, xs=[3, 2])
    assert [item[0] for item in state.result[children].result] == [3, 2]


def test_ten_thousand_children_find_theirs_quickly() -> None:
    made, body = counted(cache_for=HOUR, cache_validator=all_inputs)
    with Flow("many") as flow:
        made.map(Parameter("xs"))
    run(flow, xs=list(range(5000)))
    run(flow, xs=list(range(5000)))  # going through all of all would take minutes
    assert len(body.calls) == 5000


def test_children_have_targets_of_their_own(tmp_path: Path, executor: str) -> None:
    made, body = counted(target="{map_index}-{x}.pickle", result=LocalResult(tmp_path))
    with Flow("targets") as flow:
        children = made.map([10, 20])

    run(flow, executor=executor)
    state = run(flow, executor=executor).result[children]

    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-10.pickle", "1-20.pickle"]
    assert [type(child) for child in state.map_states] == [Cached, Cached]
    assert len(body.calls) == 2


def test_a_run_that_begins_with_mapped_states_looks_at_those_that_are_cached() -> None:
    made, body = counted(cache_for=HOUR, cache_validator=all_inputs)
    with Flow("restarted") as flow:
        children = made.map(Parameter("xs"))
    state = run(flow, xs=[1, 2]).result[children]
    caches.clear()

    again = run(flow, xs=[1, 5], task_states={children: state}).result[children]
    assert [item[0] for item in again.result] == [1, 5]
    assert sorted(body.calls) == [1, 2, 5]


# ---------------------------------------------------------------- the engine


def test_what_keeps_nothing_goes_the_short_way() -> None:
    made, _ = counted()
    with Flow("short") as flow:
        made()
    run(flow)
    assert flow.last_run is not None
    plan = flow.last_run.runner.plan
    assert (plan.special, plan.keeps) == ([False], [False])
    assert not isinstance(plan.bodies[0], KeepingBody)


def test_a_keeping_body_travels_and_needs_no_runner(tmp_path: Path) -> None:
    made, _ = counted(result=LocalResult(tmp_path, location="{x}-{p}"))
    body = cloudpickle.loads(cloudpickle.dumps(KeepingBody(made, made.run, None, {"p": 1})))
    written = body(x=3)
    assert (written.value[0], written.result.location) == (3, "3-1")
    assert (tmp_path / "3-1").exists()


def test_a_value_can_be_stored_without_a_body(tmp_path: Path) -> None:
    made, _ = counted()
    assert store(made, 1, {}) is None
    kept = store(made, 1, {"x": 2}, LocalResult(tmp_path, location="{x}"))
    assert kept is not None
    assert (kept.value, kept.location) == (1, "2")


def test_what_if_takes_nothing_from_what_is_kept() -> None:
    made, body = counted(cache_for=HOUR, target="a")
    with Flow("if") as flow:
        kept = made()
    assert propagate(flow, {kept: Failed("no")})[kept].is_failed()
    assert body.calls == []


def test_nothing_is_said_where_nothing_went_wrong(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made, _ = counted(
        cache_for=HOUR, cache_validator=partial_inputs_only(["x"]), target="a", result=LocalResult(tmp_path)
    )
    with Flow("quiet") as flow:
        made()
    with caplog.at_level(logging.DEBUG):
        flow.run()
        flow.run()
    assert caplog.records == []
    assert never_use(Cached(), {}, {}) is False
    assert isinstance(Retrying(), Pending)
