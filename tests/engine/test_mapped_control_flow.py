"""Branches, merges and resources for each element: apply_map, and control flow that is mapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowbook import (
    Flow,
    Parameter,
    apply_map,
    case,
    flatten,
    mapped,
    resource_manager,
    signals,
    task,
    triggers,
    unmapped,
)
from flowbook.states import Failed, Mapped, Skipped, State, Success, TriggerFailed
from flowbook.tasks.control_flow import CompareValue, FilterTask, ifelse, merge, switch
from flowbook.tasks.core.resource_manager import ResourceCleanupTask, ResourceInitTask, ResourceSetupTask

Run = Callable[..., State]


@task
def numbers(n: int = 4) -> list[int]:
    return list(range(n))


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def is_even(x: int) -> bool:
    return x % 2 == 0


@task
def picky(x: int) -> int:
    """Fail for 1 and leave itself out for 2."""
    if x == 1:
        raise ValueError("one")
    if x == 2:
        raise signals.SKIP("two")
    return x


@task
def gather(xs: Any) -> Any:
    return list(xs)


def kinds(state: State) -> list[type[State | None]]:
    assert isinstance(state, Mapped)
    return [type(child) for child in state.map_states]


# -- mapped switches and merges --------------------------------------------------------------------------------------


def test_ifelse_and_merge_that_are_mapped_decide_for_each_element(run: Run) -> None:
    with Flow("ifelse") as flow:
        xs = numbers()
        even, odd = add.map(xs, unmapped(100)), add.map(xs, unmapped(0))
        ifelse(is_even.map(xs), even, odd, mapped=True)
        end = merge(even, odd, mapped=True)
    result = run(flow).result
    assert result[end].result == [100, 1, 102, 3]
    assert kinds(result[even]) == [Success, Skipped, Success, Skipped]
    assert kinds(result[odd]) == [Skipped, Success, Skipped, Success]


def test_a_mapped_switch_skips_elements_without_a_case(run: Run) -> None:
    with Flow("switch") as flow:
        xs = numbers()
        branches = {number: add.map(xs, unmapped(10 * number)) for number in (0, 2)}
        switch(xs, branches, mapped=True)
        end = merge(*branches.values(), mapped=True)
        kept = FilterTask()(end, task_args={"skip_on_upstream_skip": False})
    result = run(flow).result
    assert result[end].result == [0, None, 22, None]
    assert kinds(result[end]) == [Success, Skipped, Success, Skipped]
    assert result[kept].result == [0, 22]


def test_one_condition_leaves_a_mapped_branch_out_as_a_whole(run: Run) -> None:
    with Flow("whole") as flow:
        xs, wanted = numbers(), Parameter("wanted", default=True)
        with case(wanted, True):
            sums = add.map(xs)
        with case(wanted, False):
            others = add.map(xs, unmapped(100))
        end = merge(sums, others)
    result = run(flow).result
    assert result[end].result == [1, 2, 3, 4]
    assert type(result[others]) is Skipped
    result = run(flow, wanted=False).result
    assert result[end].result == [100, 101, 102, 103]


# -- apply_map -------------------------------------------------------------------------------------------------------


def make_even(x: Any) -> Any:
    with case(is_even(x), False):
        larger = add(x)
    return merge(larger, x)


@pytest.mark.parametrize("given", ["task", "constant", "mapped task", "parameter"])
def test_a_case_in_a_mapped_function_decides_for_each_element(run: Run, given: str) -> None:
    sources: dict[str, Callable[[], Any]] = {
        "task": numbers,
        "constant": lambda: range(4),
        "mapped task": lambda: add.map(numbers(), unmapped(0)),
        "parameter": lambda: Parameter("xs", default=[0, 1, 2, 3]),
    }
    with Flow("case") as flow:
        evens = apply_map(make_even, sources[given]())
        total = gather(evens)
    result = run(flow).result
    assert result[evens].result == result[total].result == [0, 2, 2, 4]
    (compared,) = flow.get_tasks(task_type=CompareValue)
    assert kinds(result[compared]) == [Skipped, Success, Skipped, Success]


def test_what_is_unmapped_and_what_is_made_inside_without_elements_is_there_for_each(run: Run) -> None:
    def pipeline(x: Any, whole: Any, extra: Any) -> Any:
        return gather([x, whole, extra, numbers(1)])

    with Flow("whole") as flow:
        xs = numbers(2)
        made = apply_map(pipeline, xs, unmapped(xs), extra=flatten([["a"], ["b", "c"]]))
    assert run(flow).result[made].result == [[0, [0, 1], "a", [0]], [1, [0, 1], "b", [0]]]


def test_a_failure_stays_in_its_own_pipeline(run: Run) -> None:
    with Flow("failures") as flow:
        first, last = apply_map(lambda x: (a := picky(x), add(a)), numbers())
        kept = FilterTask()(first, task_args={"skip_on_upstream_skip": False})
    result = run(flow).result
    assert kinds(result[first]) == [Success, Failed, Skipped, Success]
    assert kinds(result[last]) == [Success, TriggerFailed, Skipped, Success]
    assert result[kept].result == [0, 3]


def test_a_filter_keeps_what_children_returned(run: Run) -> None:
    with Flow("filter") as flow:
        kept = FilterTask()(picky.map(numbers()))
        large = FilterTask(filter_func=lambda x: isinstance(x, int) and x > 2)(picky.map(numbers()))
        again = add.map(kept)
    result = run(flow).result
    assert result[kept].result == [0, 3]
    assert result[large].result == [3]
    assert result[again].result == [1, 4]


def test_nested_cases_in_a_mapped_function(run: Run) -> None:
    def classify(x: Any) -> Any:
        with case(is_even(x), True):
            small = add(x, -2)
            with case(small, 0):
                two = add(x, 100)
        return merge(two, x)

    with Flow("nested") as flow:
        made = apply_map(classify, numbers())
    assert run(flow).result[made].result == [0, 1, 102, 3]


def test_ten_thousand_elements_go_through_a_branch() -> None:
    with Flow("many") as flow:
        evens = apply_map(make_even, range(10_000))
    state = flow.run(show=False)
    assert state.result[evens].result == [x + x % 2 for x in range(10_000)]


# -- resources -------------------------------------------------------------------------------------------------------


def rooms(story: list[str], broken: int | None = None) -> Any:
    class Room:
        def __init__(self, number: int) -> None:
            self.number = number

        def setup(self) -> str:
            if self.number == broken:
                raise ValueError("closed")
            story.append(f"open {self.number}")
            return f"room {self.number}"

        def cleanup(self, room: str) -> None:
            story.append(f"leave {self.number}")

    return resource_manager(Room)


def three(flow: Flow, result: Any) -> list[list[type[State | None]]]:
    tasks = [flow.get_tasks(task_type=kind)[0] for kind in (ResourceInitTask, ResourceSetupTask, ResourceCleanupTask)]
    return [kinds(result[each]) for each in tasks]


def test_a_resource_is_set_up_and_cleaned_up_for_each_element(run: Run) -> None:
    story: list[str] = []
    manager = rooms(story, broken=1)

    def stay(x: Any) -> Any:
        with manager(x) as room:
            return gather([room, picky(x)])

    with Flow("rooms") as flow:
        nights = apply_map(stay, numbers())
    state = run(flow)
    assert kinds(state.result[nights]) == [Success, TriggerFailed, Skipped, Success]
    assert three(flow, state.result) == [
        [Success] * 4,
        [Success, Failed, Success, Success],
        [Success, Skipped, Success, Success],
    ]
    assert sorted(story) == ["leave 0", "leave 2", "leave 3", "open 0", "open 2", "open 3"]
    for number in (0, 2, 3):
        assert story.index(f"open {number}") < story.index(f"leave {number}")
    assert state.is_failed()


def test_a_resource_around_a_map_is_cleaned_up_after_all_children(run: Run) -> None:
    story: list[str] = []

    @task
    def use(room: str, x: int) -> None:
        story.append(f"{room}: {x}")
        picky.run(x)

    with Flow("around") as flow, rooms(story)(7) as room:
        used = use.map(unmapped(room), numbers())
    state = run(flow)
    assert kinds(state.result[used]) == [Success, Failed, Skipped, Success]
    assert story[0] == "open 7"
    assert story[-1] == "leave 7"
    assert sorted(story[1:-1]) == [f"room 7: {number}" for number in range(4)]
    assert state.is_failed()
    assert state.result[flow.get_tasks(task_type=ResourceCleanupTask)[0]].is_successful()


def test_a_mapped_resource_is_set_up_again_when_a_run_is_restarted() -> None:
    story: list[str] = []
    manager = rooms(story)
    wanted: set[int] = {0, 1, 2, 3}

    @task
    def visit(room: str, x: int) -> str:
        if x in wanted:
            wanted.discard(x)
            raise ValueError("not yet")
        return f"visited {room}"

    def stay(x: Any) -> Any:
        with manager(x) as room:
            return visit(room, x)

    with Flow("rooms") as flow:
        nights = apply_map(stay, numbers(2))
    first = flow.run(show=False)
    assert kinds(first.result[nights]) == [Failed, Failed]
    story.clear()
    kept = {each: state for each, state in first.result.items() if each is not nights}
    assert flow.run(task_states=kept, show=False).result[nights].result == ["visited room 0", "visited room 1"]
    assert sorted(story) == ["leave 0", "leave 1", "open 0", "open 1"]


# -- triggers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "runs"),
    [
        (triggers.all_successful, False),
        (triggers.any_failed, True),
        (triggers.any_successful, True),
        (triggers.all_failed, False),
        (triggers.all_finished, True),
        (triggers.some_failed(at_least=1, at_most=1), True),
        (triggers.some_failed(at_least=2), False),
        (triggers.some_successful(at_least=0.75), True),
        (triggers.some_successful(at_least=4), False),
    ],
)
def test_triggers_count_the_children_of_a_map(run: Run, trigger: Any, runs: bool) -> None:
    with Flow("count") as flow:
        picked = picky.map([0, 1, 3, 4])
        end = gather(picked, task_args={"trigger": trigger})
    assert isinstance(run(flow).result[end], Success if runs else TriggerFailed)


def test_a_trigger_of_ones_own_sees_the_map_as_one_state(run: Run) -> None:
    seen: list[type[State]] = []

    def look(states: Any) -> bool:
        seen.extend(map(type, states.values()))
        return True

    with Flow("own") as flow:
        gather(picky.map([0, 1]), task_args={"trigger": look})
    run(flow)
    assert seen == [Mapped]


def test_mapped_annotations_work_in_a_call(run: Run) -> None:
    with Flow("annotated") as flow:
        xs = numbers(3)
        sums = add(mapped(xs), 10)
        whole = add.map(xs, unmapped(sums), task_args={"name": "whole"})
    result = run(flow).result
    assert result[sums].result == [10, 11, 12]
    assert kinds(result[whole]) == [Failed] * 3
