from __future__ import annotations

import datetime as dt
import threading
from typing import Any

from flowbook import Flow, Task, context, signals, task, triggers
from flowbook.states import (
    Cancelled,
    Failed,
    Mapped,
    Pending,
    Retrying,
    Running,
    Skipped,
    State,
    Success,
    TriggerFailed,
)
from tests.engine.mapped_tasks import Run, double, gather, kinds, numbers, picky

# -- attempts, handlers, people ----------------------------------------------------------------------------------------


def test_only_the_child_that_failed_is_tried_again(run: Run) -> None:
    seen: list[int] = []

    @task(max_retries=2, retry_delay=dt.timedelta(minutes=1))
    def flaky(x: int) -> int:
        seen.append(x)
        if x == 1 and context.task_run_count < 3:
            raise ValueError("not yet")
        return x

    with Flow("retry") as flow:
        last = double(flaky([0, 1, 2], mapped=True), mapped=True)
    state = run(flow)
    assert state.result[last].result == [0, 2, 4]
    assert sorted(seen) == [0, 1, 1, 1, 2]


def test_each_child_loops_by_itself(run: Run) -> None:
    @task
    def count_down(x: int) -> int:
        left = context.get("task_loop_result", x)
        if left > 0:
            raise signals.LOOP(result=left - 1)
        return context.task_loop_count  # type: ignore[no-any-return]

    with Flow("loop") as flow:
        counted = count_down([0, 3, 1], mapped=True)
    assert run(flow).result[counted].result == [1, 4, 2]


def test_state_handlers_see_each_child_and_the_parent(run: Run) -> None:
    seen: list[tuple[str, str]] = []

    def watch(_: Task, old: State, new: State) -> None:
        seen.append((type(old).__name__, type(new).__name__))

    with Flow("handlers") as flow:
        doubled = double([1, 2], mapped=True, task_args={"state_handlers": [watch]})
    assert run(flow).result[doubled].result == [2, 4]
    assert sorted(seen) == sorted([*[("Pending", "Running"), ("Running", "Success")] * 2, ("Pending", "Mapped")])


def test_a_handler_may_fail_one_child(run: Run) -> None:
    def refuse_four(_: Task, __: State, new: State) -> State | None:
        return Failed("four") if new.is_successful() and new.result == 4 else None

    with Flow("refuse") as flow:
        doubled = double([1, 2], mapped=True, task_args={"state_handlers": [refuse_four]})
    assert kinds(run(flow).result[doubled]) == ["Success", "Failed"]


def test_a_trigger_of_its_own_is_asked_for_each_child(run: Run) -> None:
    asked: list[list[str]] = []

    def mine(states: dict[Any, State]) -> bool:
        asked.append([type(state).__name__ for state in states.values()])
        return True

    with Flow("custom") as flow:
        first = picky([0, 1], mapped=True)
        after = double(first, mapped=True, task_args={"trigger": mine})
    state = run(flow)
    assert sorted(asked) == [["Failed"], ["Success"]]
    assert kinds(state.result[after]) == ["Success", "Failed"]


def test_timeouts_hold_for_each_child() -> None:
    forever = threading.Event()

    @task(timeout=1)
    def sleeps(x: int) -> int:
        if x:
            forever.wait(30)
        return x

    with Flow("timeout") as flow:
        slept = sleeps([0, 1], mapped=True)
    state = flow.run(show=False, executor="threads")
    forever.set()
    assert kinds(state.result[slept]) == ["Success", "TimedOut"]


def test_a_cancel_ends_children_and_parents() -> None:
    begun, go_on = threading.Event(), threading.Event()

    @task
    def blocks(x: int) -> int:
        begun.set()
        go_on.wait(10)
        return x

    with Flow("cancel") as flow:
        first = blocks([1, 2, 3], mapped=True)
        second = double(first, mapped=True)
        last = gather(second)
    run = flow.start(show=False, executor="threads")
    assert begun.wait(10)
    run.cancel("enough")
    state = run.wait(10)
    go_on.set()
    assert type(state) is Cancelled
    assert all(type(state.result[one]) is Cancelled for one in (first, second, last))


def test_a_manual_child_waits_for_a_person() -> None:
    with Flow("manual") as flow:
        doubled = double([1, 2], mapped=True, task_args={"trigger": triggers.manual_only})
    assert type(flow.run(show=False)) is Running
    assert flow.last_run is not None
    assert [type(state).__name__ for state in flow.last_run.children(doubled)] == ["Paused", "Paused"]
    assert flow.last_run.state.message == "Waits for a person to resume 'double[0]', 'double[1]'."
    flow.last_run.resume(doubled)
    assert flow.last_run.wait(10).result[doubled].result == [2, 4]


# -- starting from states of an earlier run ----------------------------------------------------------------------------


def test_a_restart_runs_only_the_children_that_did_not_end_well(run: Run) -> None:
    seen: list[int] = []
    is_broken = [True]

    @task
    def flaky(x: int) -> int:
        seen.append(x)
        if x == 1 and is_broken[0]:
            raise ValueError("broken")
        return x

    with Flow("restart") as flow:
        first = flaky(numbers(3), mapped=True)
        second = double(first, mapped=True)
        last = gather(second)
    failed = run(flow)
    assert failed.is_failed()
    is_broken[0] = False
    seen.clear()
    kept = {one: state for one, state in failed.result.items() if not isinstance(state, (TriggerFailed, Pending))}
    state = run(flow, task_states=kept)
    assert seen == [1]
    assert state.result[last].result == [0, 2, 4]
    assert state.is_successful()


def test_a_kept_map_is_mapped_over_without_being_run(run: Run) -> None:
    children: list[Any] = [Success(result=1), Skipped("not this one"), Success(result=3)]
    with Flow("kept") as flow:
        first = picky(numbers(3), mapped=True)
        second = double(first, mapped=True)
    state = run(flow, task_states={first: Mapped(result=[1, None, 3], map_states=children)})
    assert kinds(state.result[second]) == ["Success", "Skipped", "Success"]
    assert state.result[second].result[0] == 2


def test_waiting_for_a_retry_is_seen_on_the_child_alone() -> None:
    with Flow("waiting") as flow:
        mapped = picky([0, 3], mapped=True)
    run = flow.start(show=False)
    run.wait(10)
    assert [type(state) for state in run.children(mapped)] == [Success, Success]
    assert not any(isinstance(state, Retrying) for state in run.children(mapped))
