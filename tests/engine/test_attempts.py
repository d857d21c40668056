"""Attempts: retries, loops, timeouts and pauses, in real runs with every executor."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from flowbook import Flow, Task, context, signals, task, triggers
from flowbook.states import Failed, Paused, Pending, TimedOut
from tests.engine.conftest import Run

MINUTE = dt.timedelta(minutes=1)


# -- retries ---------------------------------------------------------------------------------------------------------


class Tries:
    """Fail so many times, then succeed; remember the run counts."""

    def __init__(self, failures: int, error: BaseException | None = None) -> None:
        self.failures = failures
        self.error = error or ValueError("not yet")
        self.counts: list[int] = []

    def __call__(self) -> str:
        self.counts.append(context.task_run_count)
        if len(self.counts) <= self.failures:
            raise self.error
        return "at last"

    def flow(self, **options: Any) -> tuple[Flow, Task]:
        @task(**options)
        def body() -> str:
            return self()

        with Flow("tries") as flow:
            made = body()
        return flow, made


def test_max_retries_two_is_three_attempts_and_the_run_count_begins_at_one(run: Run) -> None:
    tries = Tries(2)
    flow, body = tries.flow(max_retries=2, retry_delay=dt.timedelta(hours=1))
    state = run(flow)
    assert state.result[body].result == "at last"
    assert tries.counts == [1, 2, 3]


def test_an_attempt_too_many_fails_with_the_last_error(run: Run) -> None:
    error = ValueError("the last one")
    tries = Tries(3, error)
    flow, body = tries.flow(max_retries=2, retry_delay=MINUTE)
    state = run(flow)
    assert type(state.result[body]) is Failed
    assert state.result[body].result is error
    assert state.result[body].message == "Unexpected error: ValueError('the last one')"
    assert tries.counts == [1, 2, 3]


@pytest.mark.parametrize(
    "error", [signals.FAIL("no"), signals.VALIDATIONFAIL("no"), SystemExit(3), KeyboardInterrupt()]
)
def test_whatever_a_body_raises_is_retried_like_an_error(error: BaseException, run: Run) -> None:
    tries = Tries(1, error)
    flow, body = tries.flow(max_retries=1, retry_delay=MINUTE)
    assert run(flow).result[body].result == "at last"


def test_retry_ignores_max_retries_and_keeps_counting(run: Run) -> None:
    tries = Tries(4, signals.RETRY("not yet"))
    flow, body = tries.flow(max_retries=1, retry_delay=MINUTE)
    assert run(flow).result[body].result == "at last"
    assert tries.counts == [1, 2, 3, 4, 5]


def test_retry_with_a_time_waits_until_then(run: Run) -> None:
    begun = dt.datetime.now(dt.timezone.utc)
    tries = Tries(1, signals.RETRY(start_time=begun + dt.timedelta(hours=5)))
    flow, body = tries.flow()
    run(flow)
    assert flow.last_run is not None
    *_, ended = flow.last_run.story(body).events
    assert ended.at >= begun.timestamp() + 5 * 3600


@pytest.mark.parametrize(("error", "attempts"), [(ConnectionError("x"), 3), (ValueError("x"), 1)])
def test_retry_on_retries_only_these_errors(error: Exception, attempts: int, run: Run) -> None:
    tries = Tries(9, error)
    flow, _ = tries.flow(max_retries=2, retry_delay=MINUTE, retry_on=OSError)
    run(flow)
    assert len(tries.counts) == attempts


def test_a_retrying_task_holds_up_neither_others_nor_its_children_too_little(run: Run) -> None:
    order: list[str] = []
    tries = Tries(2)

    @task(max_retries=2, retry_delay=MINUTE)
    def flaky() -> None:
        try:
            tries()
        finally:
            order.append("flaky")

    @task
    def note(name: str, x: object = None) -> None:
        order.append(name)

    with Flow("side by side") as flow:
        first = flaky()
        note("child", first)
        note("second", note("other"))
    assert run(flow).is_successful()
    assert order[-3:] == ["flaky", "flaky", "child"]
    assert set(order[:3]) == {"flaky", "other", "second"}


# -- loops -----------------------------------------------------------------------------------------------------------


def test_a_loop_knows_its_index_and_the_last_result(run: Run) -> None:
    seen: list[tuple[int, Any]] = []

    @task
    def count() -> int:
        seen.append((context.task_loop_count, context.get("task_loop_result", "none yet")))
        if context.task_loop_count < 4:
            raise signals.LOOP(result=context.task_loop_count * 10)
        return 99

    with Flow("loop") as flow:
        made = count()
    assert run(flow).result[made].result == 99
    assert seen == [(1, "none yet"), (2, 10), (3, 20), (4, 30)]


def test_the_default_result_of_a_loop_is_its_text(run: Run) -> None:
    seen: list[Any] = []

    @task
    def count() -> None:
        seen.append(context.get("task_loop_result"))
        if len(seen) < 2:
            raise signals.LOOP("round")

    with Flow("loop") as flow:
        count()
    run(flow)
    assert seen == [None, "LOOP('round')"]


def test_a_loop_of_a_hundred_thousand_iterations_needs_no_depth() -> None:
    @task
    def count() -> int:
        index: int = context.task_loop_count
        if index < 100_000:
            raise signals.LOOP(result=index)
        return index

    with Flow("deep") as flow:
        made = count()
    for executor in ("local", "threads"):
        assert flow.run(show=False, executor=executor).result[made].result == 100_000


def test_a_loop_keeps_its_index_over_retries_and_each_iteration_has_all_its_retries(run: Run) -> None:
    seen: list[tuple[int, int]] = []

    @task(max_retries=1, retry_delay=MINUTE)
    def body() -> str:
        seen.append((context.task_loop_count, context.task_run_count))
        if context.task_run_count == 1:
            raise ValueError("first try of each round")
        if context.task_loop_count < 3:
            raise signals.LOOP(result=context.task_loop_count)
        return "done"

    with Flow("loop") as flow:
        made = body()
    assert run(flow).result[made].result == "done"
    assert seen == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]


def test_children_wait_for_the_end_of_a_loop_that_retries(run: Run) -> None:
    order: list[str] = []

    @task(max_retries=1, retry_delay=MINUTE)
    def body() -> None:
        order.append("body")
        if context.task_run_count == 1:
            raise ValueError
        if context.task_loop_count == 1:
            raise signals.LOOP

    @task
    def child(x: object) -> None:
        order.append("child")

    with Flow("loop") as flow:
        child(body())
    run(flow)
    assert order == ["body"] * 4 + ["child"]


# -- timeouts --------------------------------------------------------------------------------------------------------


def test_a_body_that_takes_too_long_is_timed_out_and_retried(run: Run) -> None:
    counts: list[int] = []

    @task(timeout=1, max_retries=1, retry_delay=MINUTE)
    def slow() -> str:
        counts.append(context.task_run_count)
        if len(counts) == 1:
            time.sleep(30)
        return "in time"

    with Flow("slow") as flow:
        made = slow()
    begun = time.monotonic()
    state = run(flow)
    assert time.monotonic() - begun < 5
    assert state.result[made].result == "in time"
    assert flow.last_run is not None
    states = [event.state for event in flow.last_run.story(made).events]
    assert states == ["Running", "TimedOut", "Retrying", "Running", "Success"]


def test_a_timeout_is_a_failure_with_a_timeout_error(run: Run) -> None:
    @task(timeout=1)
    def slow() -> None:
        time.sleep(30)

    with Flow("slow") as flow:
        made = slow()
    state = run(flow).result[made]
    assert type(state) is TimedOut
    assert isinstance(state.result, TimeoutError)
    assert (state.message or "").startswith("Timed out after 1 s.")


# -- pausing ---------------------------------------------------------------------------------------------------------


def test_a_run_never_hangs_on_a_paused_task_and_goes_on_when_it_is_resumed(run: Run) -> None:
    seen: list[Any] = []

    @task
    def body() -> str:
        seen.append(context.get("resume"))
        if not context.get("resume"):
            raise signals.PAUSE("look at it")
        return "seen"

    @task
    def after(x: str) -> str:
        return x + "!"

    with Flow("paused") as flow:
        made = body()
        last = after(made)
    state = run(flow)
    assert not state.is_finished()
    assert type(state.result[made]) is Paused
    assert type(state.result[last]) is Pending
    assert flow.last_run is not None
    assert flow.last_run.is_over
    flow.last_run.resume()
    assert flow.last_run.wait(10).result[last].result == "seen!"
    assert seen == [False, True]


def manual() -> tuple[Flow, Task]:
    @task
    def up() -> None: ...

    @task(trigger=triggers.manual_only)
    def last() -> str:
        return "ran"

    with Flow("manual") as flow:
        made = last(upstream_tasks=[up()])
    return flow, made


def test_manual_only_runs_after_a_person_has_resumed_it(run: Run) -> None:
    flow, last = manual()
    assert type(run(flow).result[last]) is Paused
    assert flow.last_run is not None
    flow.last_run.resume(last)
    assert flow.last_run.wait(10).is_successful()


def test_manual_only_runs_at_once_with_resume_in_the_context_of_the_run_or_the_task(run: Run) -> None:
    flow, last = manual()
    assert run(flow, context={"resume": True}).result[last].result == "ran"
    assert run(flow, task_contexts={last: {"resume": True}}).result[last].result == "ran"


def test_a_resumed_upstream_does_not_let_a_manual_task_go_on(run: Run) -> None:
    @task
    def body() -> None:
        if not context.get("resume"):
            raise signals.PAUSE

    @task(trigger=triggers.manual_only)
    def manual(x: object) -> None: ...

    with Flow("two pauses") as flow:
        first = body()
        second = manual(first)
    run(flow)
    assert flow.last_run is not None
    flow.last_run.resume(first)
    assert type(flow.last_run.wait(10).result[second]) is Paused


def test_a_pause_with_a_time_goes_on_by_itself(run: Run) -> None:
    @task
    def body() -> str:
        if not context.get("resume"):
            raise signals.PAUSE(start_time=dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=3))
        return "rested"

    with Flow("rest") as flow:
        made = body()
    assert run(flow).result[made].result == "rested"
