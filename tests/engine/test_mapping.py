from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook import Flow, Task, context, signals, task, triggers, unmapped
from flowbook.edges import Edge
from flowbook.engine.machine import Machine
from flowbook.engine.mapping import was_skipped
from flowbook.events import fold
from flowbook.states import (
    Failed,
    Mapped,
    Skipped,
    State,
    TriggerFailed,
)
from tests.engine.mapped_tasks import Run, add, double, gather, kinds, numbers, picky, wait

# -- the children ----------------------------------------------------------------------------------------------------


def test_a_mapped_task_runs_once_per_element_and_ends_as_mapped(run: Run) -> None:
    with Flow("map") as flow:
        doubled = double(numbers(4), mapped=True)
    state = run(flow)
    assert state.is_successful()
    ended = state.result[doubled]
    assert ended.is_mapped()
    assert ended.is_successful()
    assert ended.result == [0, 2, 4, 6]
    assert ended.n_map_states == 4
    assert kinds(ended) == ["Success"] * 4


def test_the_parent_goes_from_pending_to_mapped_and_never_runs() -> None:
    with Flow("map") as flow:
        doubled = double(numbers(2), mapped=True)
    flow.run(show=False)
    run = flow.last_run
    assert run is not None
    assert [event.state for event in run.events if event.task == "double-1" and event.kind == "state"] == ["Mapped"]
    assert [(event.task, event.width) for event in run.events if event.kind == "mapped"] == [("double-1", 2)]
    assert [event.state for event in run.events if event.task == "double-1[1]"] == ["Running", "Success"]
    assert run[doubled].is_mapped()


@pytest.mark.parametrize("nothing", [[], ()])
def test_mapping_over_nothing_succeeds_with_an_empty_list(run: Run, nothing: Any) -> None:
    with Flow("empty") as flow:
        doubled = double(nothing, mapped=True)
        after = double(doubled, mapped=True)
        last = gather(after)
    state = run(flow)
    assert state.is_successful()
    assert state.result[doubled].result == [] == state.result[after].result == state.result[last].result
    assert state.result[doubled].is_mapped()


def test_inputs_of_unequal_length_are_cut_to_the_shortest(run: Run) -> None:
    with Flow("zip") as flow:
        added = add(numbers(5), numbers(3), mapped=True)
    assert run(flow).result[added].result == [0, 2, 4]


def test_a_result_that_is_not_mapped_goes_to_every_child_as_it_is(run: Run) -> None:
    with Flow("shared") as flow:
        many, shared = numbers(3), numbers(2)
        added = add.copy()
        flow.add_edge(many, added, key="x", mapped=True)
        flow.add_edge(shared, added, key="y")
    flow.nodes[added].constants.clear()

    def pair(x: Any, y: Any) -> Any:
        return (x, id(y))

    added.run = pair  # type: ignore[method-assign]
    result = run(flow).result[added].result
    assert [x for x, _ in result] == [0, 1, 2]
    assert len({shared for _, shared in result}) == 1


def test_children_of_a_mapped_task_map_child_to_child(run: Run) -> None:
    with Flow("chain") as flow:
        first = picky(numbers(4), mapped=True)
        second = double(first, mapped=True)
    state = run(flow)
    assert kinds(state.result[first]) == ["Success", "Failed", "Skipped", "Success"]
    assert kinds(state.result[second]) == ["Success", "TriggerFailed", "Skipped", "Success"]
    assert state.is_failed()


def test_a_chain_of_maps_runs_one_element_to_its_end_before_the_next() -> None:
    seen: list[tuple[str, int]] = []

    @task
    def first(x: int) -> int:
        seen.append(("first", x))
        return x

    @task
    def second(x: int) -> int:
        seen.append(("second", x))
        return x

    with Flow("deep") as flow:
        second(first([0, 1, 2], mapped=True), mapped=True)
    flow.run(show=False)
    assert seen == [(name, x) for x in range(3) for name in ("first", "second")]


def test_a_slow_child_does_not_hold_up_what_follows_its_siblings() -> None:
    second_done = threading.Event()

    @task
    def first(x: int) -> int:
        if x == 0:
            assert second_done.wait(10)
        return x

    @task
    def second(x: int) -> int:
        if x == 1:
            second_done.set()
        return x

    with Flow("pipelines") as flow:
        second(first([0, 1], mapped=True), mapped=True)
    assert flow.run(show=False, executor="threads").is_successful()


def test_a_map_that_is_spread_after_its_upstream_children_have_ended_takes_their_results(run: Run) -> None:
    with Flow("late") as flow:
        first = picky(numbers(4), mapped=True)
        late = wait(upstream_tasks=[numbers(1)], task_args={"trigger": triggers.all_finished})
        second = double.copy()
        flow.add_edge(first, second, key="x", mapped=True)
        flow.add_edge(late, second)
        gate = wait(upstream_tasks=[first], task_args={"trigger": triggers.always_run, "skip_on_upstream_skip": False})
        flow.add_edge(gate, late)
    state = run(flow)
    assert kinds(state.result[second]) == ["Success", "TriggerFailed", "Skipped", "Success"]


def test_two_maps_of_different_length_meet_child_by_child(run: Run) -> None:
    with Flow("meet") as flow:
        long, short = double(numbers(5), mapped=True), double(numbers(2), mapped=True)
        added = add(long, short, mapped=True)
    assert run(flow).result[added].result == [0, 4]


def test_context_tells_a_child_its_index_and_full_name(run: Run) -> None:
    @task
    def who(x: int) -> tuple[Any, ...]:
        return context.map_index, context.task_full_name, context.task_name, context.task_slug

    @task
    def alone() -> Any:
        return context.map_index

    with Flow("names") as flow:
        them, one = who([5, 6], mapped=True), alone()
    state = run(flow)
    assert state.result[them].result == [(0, "who[0]", "who", "who-1[0]"), (1, "who[1]", "who", "who-1[1]")]
    assert state.result[one].result is None


def test_state_only_upstream_of_a_map_gives_the_width_when_it_is_mapped(run: Run) -> None:
    with Flow("unkeyed") as flow:
        first = picky(numbers(4), mapped=True)
        after = wait.copy()
        flow.add_edge(first, after, mapped=True)
    assert kinds(run(flow).result[after]) == ["Success", "TriggerFailed", "Skipped", "Success"]


# -- what cannot be mapped -------------------------------------------------------------------------------------------


@task
def fails() -> Any:
    raise ValueError("no")


@task
def gives(value: Any) -> Any:
    return value


@pytest.mark.parametrize("value", [3, None, {1, 2}, iter([1])])
def test_a_result_without_elements_fails_the_mapped_task(run: Run, value: Any) -> None:
    with Flow("unmappable") as flow:
        doubled = double(gives(value), mapped=True)
    state = run(flow)
    ended = state.result[doubled]
    assert type(ended) is Failed
    assert ended.message == "At least one upstream state has an unmappable result."
    assert state.is_failed()


class Raising:
    def __len__(self) -> int:
        raise SystemExit("a length that ends the program")

    def __getitem__(self, index: int) -> int:
        return index


class RaisingItems:
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        if index == 1:
            raise OSError("item 1 is gone")
        return index


def test_a_sequence_of_a_users_own_that_raises_harms_only_the_task_or_child(run: Run) -> None:
    with Flow("raising") as flow:
        whole = double(gives(Raising()), mapped=True)
        one = double(gives(RaisingItems()), mapped=True)
        fine = numbers(1)
    state = run(flow)
    assert type(state.result[whole]) is Failed
    assert kinds(state.result[one]) == ["Success", "Failed", "Success"]
    assert "item 1 is gone" in str(state.result[one].map_states[1].message)
    assert state.result[fine].is_successful()


def test_a_map_whose_upstream_failed_has_nothing_to_map_over(run: Run) -> None:
    with Flow("failed") as flow:
        doubled = double(fails(), mapped=True)
        after = double(doubled, mapped=True)
    state = run(flow)
    assert state.result[doubled].message == "No upstream states can be mapped over."
    assert type(state.result[doubled]) is Failed
    assert state.result[after].message == "No upstream states can be mapped over."


def test_a_skipped_upstream_skips_the_mapped_task_as_a_whole(run: Run) -> None:
    @task
    def skips() -> Any:
        raise signals.SKIP("nothing today")

    with Flow("skipped") as flow:
        doubled = double(skips(), mapped=True)
        after = double(doubled, mapped=True)
    state = run(flow)
    assert type(state.result[doubled]) is type(state.result[after]) is Skipped


# -- gathering -------------------------------------------------------------------------------------------------------


def test_a_task_after_a_map_gets_the_list_of_all_results(run: Run) -> None:
    with Flow("reduce") as flow:
        total = gather(double(numbers(3), mapped=True))
    assert run(flow).result[total].result == [0, 2, 4]


def test_the_trigger_of_a_task_after_a_map_sees_every_child(run: Run) -> None:
    with Flow("reduce") as flow:
        first = picky([0, 1, 3], mapped=True)
        plain = gather(first)
        anyway = gather(first, task_args={"trigger": triggers.always_run})
        rescue = wait(upstream_tasks=[first], task_args={"trigger": triggers.any_failed})
    state = run(flow)
    assert type(state.result[plain]) is TriggerFailed
    values = state.result[anyway].result
    assert values[0] == 0
    assert isinstance(values[1], ValueError)
    assert values[2] == 3
    assert state.result[rescue].result == "done"


def test_one_skipped_child_skips_what_gathers_them(run: Run) -> None:
    with Flow("skip") as flow:
        first = picky([0, 2], mapped=True)
        gathered = gather(first)
        stubborn = gather(first, task_args={"skip_on_upstream_skip": False})
    state = run(flow)
    assert type(state.result[gathered]) is Skipped
    assert state.result[stubborn].result[0] == 0
    assert len(state.result[stubborn].result) == 2


def test_a_mapped_reference_task_is_judged_by_its_children(run: Run) -> None:
    with Flow("judged") as flow:
        mapped = picky([0, 1], mapped=True)
    state = run(flow)
    assert state.result[mapped].is_successful()
    assert state.is_failed()
    assert state.message == "Some reference tasks failed."


def test_the_story_of_a_gathering_task_names_the_child_where_it_began() -> None:
    with Flow("story") as flow:
        gathered = gather(picky([0, 1, 3], mapped=True))
    flow.run(show=False)
    assert flow.last_run is not None
    story = flow.last_run.story(gathered)
    assert story.root_cause == "picky-1[1]"
    assert "picky[1] Failed (ValueError: one)" in story.why


# -- flattening ------------------------------------------------------------------------------------------------------


def flat(flow: Flow, upstream: Any, downstream: Task, key: str = "x", *, mapped: bool = True) -> Task:
    flow.add_edge(upstream, downstream, key=key, mapped=mapped, flattened=True)
    return downstream


@task
def nested() -> list[list[int]]:
    return [[1, 2], [], [3]]


@task
def several(x: int) -> list[int]:
    if x == 1:
        raise ValueError("one")
    if x == 2:
        raise signals.SKIP("two")
    return [x] * (x + 1)


def test_a_flattened_result_loses_one_level(run: Run) -> None:
    with Flow("flat") as flow:
        source = nested()
        mapped = flat(flow, source, double.copy())
        whole = flat(flow, source, gather.copy(), "xs", mapped=False)
    state = run(flow)
    assert state.result[mapped].result == [2, 4, 6]
    assert state.result[whole].result == [1, 2, 3]


def test_flattening_a_map_joins_its_results_and_keeps_failing_children_as_elements(run: Run) -> None:
    with Flow("flat map") as flow:
        first = several([0, 1, 3], mapped=True)
        second = flat(flow, first, double.copy())
        whole = gather.copy(trigger=triggers.always_run)
        flat(flow, first, whole, "xs", mapped=False)
    state = run(flow)
    assert kinds(state.result[second]) == ["Success", "TriggerFailed", *["Success"] * 4]
    values = state.result[whole].result
    assert values[0] == 0
    assert isinstance(values[1], ValueError)
    assert values[2:] == [3, 3, 3, 3]


def test_a_skipped_child_stays_one_skipped_element_when_flattened(run: Run) -> None:
    with Flow("flat skip") as flow:
        second = flat(flow, several([0, 2], mapped=True), double.copy())
    assert kinds(run(flow).result[second]) == ["Success", "Skipped"]


def test_flattening_what_is_not_nested_fails_with_a_type_error(run: Run) -> None:
    with Flow("not nested") as flow:
        source = numbers(2)
        mapped = flat(flow, source, double.copy())
        whole = flat(flow, source, gather.copy(), "xs", mapped=False)
        shared = add.copy()
        flow.add_edge(numbers(2), shared, key="x", mapped=True)
        flat(flow, source, shared, "y", mapped=False)
    state = run(flow)
    for ended in (state.result[mapped], state.result[whole], state.result[shared]):
        assert type(ended) is Failed
        assert isinstance(ended.result, TypeError)


# -- laws and size -----------------------------------------------------------------------------------------------------


def test_the_fold_of_the_events_is_what_the_machine_says(machines: list[Machine]) -> None:
    with Flow("fold") as flow:
        gather(double(picky(numbers(4), mapped=True), mapped=True))
    flow.run(show=False)
    assert flow.last_run is not None
    folded = fold(flow.last_run.events)
    machine = machines[-1]
    slugs = machine.plan.slugs
    assert len(slugs) == len(machine.states) == 4 + 2 * 4
    assert slugs[-1:] == ["double-1[3]"]
    for number, state in enumerate(machine.states):
        of_task = folded.tasks.get(slugs[number])
        assert (of_task.state if of_task else "Pending") == type(state).__name__


ENDS = st.sampled_from(["ok", "fail", "skip", "retry"])


@settings(max_examples=60, deadline=None)
@given(st.lists(ENDS, max_size=6), st.lists(ENDS, max_size=6), st.integers(0, 3))
def test_end_states_of_maps_do_not_depend_on_who_runs_them(first: list[str], second: list[str], extra: int) -> None:
    def end(kind: str) -> None:
        if kind == "fail":
            raise ValueError(kind)
        if kind == "skip":
            raise signals.SKIP(kind)
        if kind == "retry" and context.task_run_count == 1:
            raise signals.RETRY(kind)

    @task
    def one(kind: str) -> str:
        end(kind)
        return kind

    @task
    def two(kind: str, before: Any) -> str:
        end(kind)
        return f"{kind} after {before}"

    with Flow("random") as flow:
        upper = one([*first, *["ok"] * extra], mapped=True)
        lower = two([*second, *["ok"] * extra], upper, mapped=True)
        gather(lower, task_args={"trigger": triggers.all_finished, "skip_on_upstream_skip": False})
        gather(upper, task_args={"trigger": triggers.some_successful(at_least=0.5)})

    def ended(executor: str) -> Iterator[Any]:
        state = flow.run(show=False, clock="fast", executor=executor)
        yield type(state)
        for one_task in flow.sorted_tasks():
            found = state.result[one_task]
            yield one_task.name, type(found), kinds(found) if isinstance(found, Mapped) else repr(found.result)

    assert list(ended("local")) == list(ended("threads"))


def test_ten_thousand_children_cost_no_recursion_and_little_memory() -> None:
    with Flow("many") as flow:
        mapped = numbers(10_000)
        for _ in range(3):
            mapped = double(mapped, mapped=True)
        last = gather(mapped)
    state = flow.run(show=False)
    assert state.result[last].result == [8 * x for x in range(10_000)]


def test_what_all_children_share_is_looked_at_once_and_not_by_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Edge] = []

    def looking(edge: Edge, state: State) -> bool:
        looked.append(edge)
        return was_skipped(edge, state)

    monkeypatch.setattr("flowbook.engine.machine.was_skipped", looking)
    with Flow("shared") as flow:
        first = double(numbers(50), mapped=True)
        shared = wait.map(x=first, y=unmapped(first))
    state = flow.run(show=False)
    assert state.result[shared].n_map_states == 50
    assert len(looked) < 20  # each of 50 children would look through the 50 it shares


def test_a_failed_child_among_those_that_all_share_is_seen_by_each(run: Run) -> None:
    with Flow("shared") as flow:
        first = picky(numbers(2), mapped=True)
        shared = wait.map(x=numbers(3), y=unmapped(first))
    assert kinds(run(flow).result[shared]) == ["TriggerFailed"] * 3
