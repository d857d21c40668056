"""State handlers in real runs: order, answers, errors, and what they may ask."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from flowbook import Flow, Task, context, signals, task
from flowbook.engine.questions import TaskRunner, consult
from flowbook.states import Failed, Pending, Retrying, Running, Skipped, State, Success
from tests.engine.conftest import Run

MINUTE = dt.timedelta(minutes=1)


def flow_of(body: Any, **options: Any) -> tuple[Flow, Task]:
    with Flow("handled") as flow:
        made = task(**options)(body)()
    return flow, made


def good() -> int:
    return 1


def bad() -> int:
    raise ZeroDivisionError("no")


class Heard:
    """A state handler that remembers what it heard and answers nothing."""

    def __init__(self) -> None:
        self.moves: list[str] = []

    def __call__(self, subject: Any, old: State, new: State) -> None:
        self.moves.append(f"{type(old).__name__}→{type(new).__name__}")


def test_a_usual_success_is_two_changes(run: Run) -> None:
    heard = Heard()
    flow, _ = flow_of(good, state_handlers=[heard])
    run(flow)
    assert heard.moves == ["Pending→Running", "Running→Success"]


def test_a_failure_with_a_retry_is_five_changes(run: Run) -> None:
    heard = Heard()
    flow, _ = flow_of(bad, state_handlers=[heard], max_retries=1, retry_delay=MINUTE)
    run(flow)
    assert heard.moves == [
        "Pending→Running",
        "Running→Failed",
        "Failed→Retrying",
        "Retrying→Running",
        "Running→Failed",
    ]


def test_handlers_are_called_in_order_and_each_sees_the_state_of_the_one_before(run: Run) -> None:
    seen: list[str | None] = []

    def first(one: Task, old: State, new: State) -> State | None:
        return Success("from the first", result=10) if new.is_successful() else None

    def second(one: Task, old: State, new: State) -> None:
        seen.append(new.message)

    flow, made = flow_of(good, state_handlers=[first, second])
    state = run(flow).result[made]
    assert (state.message, state.result) == ("from the first", 10)
    assert seen == ["Starting task run.", "from the first"]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_error_in_a_handler_fails_the_task_without_a_retry(kind: type[BaseException], run: Run) -> None:
    def handler(one: Task, old: State, new: State) -> None:
        if new.is_successful():
            raise kind("broken")

    calls: list[int] = []

    def body() -> None:
        calls.append(1)

    flow, made = flow_of(body, state_handlers=[handler], max_retries=3, retry_delay=MINUTE)
    state = run(flow).result[made]
    assert type(state) is Failed
    assert isinstance(state.result, kind)
    assert calls == [1]


def test_a_signal_in_a_handler_becomes_the_state(run: Run) -> None:
    def handler(one: Task, old: State, new: State) -> None:
        if new.is_running():
            raise signals.SKIP("not on my watch")

    flow, made = flow_of(bad, state_handlers=[handler])
    state = run(flow).result[made]
    assert (type(state), state.message) == (Skipped, "not on my watch")


@pytest.mark.parametrize("answer", ["Success", 1, State("base")])
def test_a_handler_that_answers_something_else_fails_the_task_and_is_told_what_to_return(
    answer: object, run: Run
) -> None:
    flow, made = flow_of(good, state_handlers=[lambda one, old, new: answer])
    assert "must return a State or None" in (run(flow).result[made].message or "")


def test_on_failure_hears_of_each_failed_attempt_and_of_no_success(run: Run) -> None:
    heard: list[tuple[Task, str]] = []

    def remember(one: Task, state: State) -> None:
        heard.append((one, type(state).__name__))

    flow, made = flow_of(bad, on_failure=remember, max_retries=1, retry_delay=MINUTE)
    run(flow)
    assert heard == [(made, "Failed")] * 2
    heard.clear()
    flow, _ = flow_of(good, on_failure=remember)
    run(flow)
    assert heard == []


def test_a_handler_may_ask_the_context_about_its_own_task(run: Run) -> None:
    seen: list[Any] = []

    def handler(one: Task, old: State, new: State) -> None:
        seen.append((context.task_name, context.task_run_count, type(new).__name__))

    flow, _ = flow_of(bad, state_handlers=[handler], max_retries=1, retry_delay=MINUTE)
    run(flow)
    assert seen == [
        ("bad", 1, "Running"),
        ("bad", 1, "Failed"),
        ("bad", 1, "Retrying"),
        ("bad", 2, "Running"),
        ("bad", 2, "Failed"),
    ]


def test_handlers_appended_after_a_run_count_for_the_next(run: Run) -> None:
    heard = Heard()
    flow, made = flow_of(good)
    run(flow)
    made.state_handlers.append(heard)
    run(flow)
    assert heard.moves == ["Pending→Running", "Running→Success"]


def test_the_time_that_handlers_take_is_not_given_to_the_next_task(run: Run) -> None:
    def slow(one: Task, old: State, new: State) -> None:
        time.sleep(0.01)

    with Flow("in time") as flow:
        task(state_handlers=[slow])(good)()
        first = task(good)()
        task(good)(upstream_tasks=[first])
    run(flow, clock="real")
    assert flow.last_run is not None
    times = [event.at for event in flow.last_run.events]
    assert times == sorted(times)


def test_handlers_for_all_tasks_come_after_the_tasks_own_and_get_the_task(run: Run) -> None:
    order: list[Any] = []

    def own(one: Task, old: State, new: State) -> State | None:
        order.append(one.name)
        return Success("own", result=0) if new.is_successful() else None

    def for_all(runner: TaskRunner, old: State, new: State) -> None:
        order.append((runner.task.name, new.message))

    with Flow("all") as flow:
        task(state_handlers=[own])(good)()
        task(name="plain")(good)()
    run(flow, task_runner_state_handlers=[for_all])
    assert [entry for entry in order if entry in {"good", ("good", "own")}][-2:] == ["good", ("good", "own")]
    assert ("plain", "Task run succeeded.") in order


def test_handlers_may_have_a_failed_task_wait_and_run_again(run: Run) -> None:
    def again(one: Task, old: State, new: State) -> State | None:
        if type(new) is Failed and context.task_run_count < 3:
            return Retrying("as the handler wants it", start_time=dt.datetime.now(dt.timezone.utc))
        return None

    counts: list[int] = []

    def body() -> int:
        counts.append(context.task_run_count)
        raise ValueError

    flow, _ = flow_of(body, state_handlers=[again])
    run(flow)
    assert counts == [1, 2, 3]


def test_a_handler_that_sends_its_task_back_for_ever_can_still_be_cancelled(run: Run) -> None:
    turns: list[int] = []

    def for_ever(one: Task, old: State, new: State) -> State | None:
        turns.append(1)
        if len(turns) == 50:
            assert flow.last_run is not None
            flow.last_run.cancel("enough")
        return Pending("once more")

    flow, made = flow_of(good, state_handlers=[for_ever])
    state = run(flow)
    assert state.message == "enough"
    assert state.result[made].message == "enough"


def test_consult_leaves_a_state_alone_when_nobody_answers() -> None:
    state = Running()
    assert consult(None, [lambda *_: None], Pending(), state) == (state, False)
    assert consult(None, [], Pending(), state) == (state, False)
