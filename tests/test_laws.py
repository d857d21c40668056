"""Laws of building: however a flow is described, it is the same flow; and its order respects every edge."""

from __future__ import annotations

import graphlib
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook import Edge, Flow, Task, task
from flowbook.errors import CycleError

# A description: for each task what it takes (a number, a place of an earlier task as ("ref", place), or a list of both)
# and the places of the earlier tasks it only waits for.
Argument = Any
Description = list[tuple[dict[str, Argument], set[int]]]


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    described: Description = []
    for place in range(draw(st.integers(1, 7))):
        number = st.integers(-5, 5)
        one = number | st.tuples(st.just("ref"), st.integers(0, place - 1)) if place else number
        argument = one | st.lists(one, max_size=4)
        arguments = draw(st.dictionaries(st.sampled_from("xyz"), argument, max_size=3))
        waits_for = draw(st.sets(st.integers(0, place - 1), max_size=2)) if place else set()
        described.append((arguments, waits_for))
    return described


@task
def total(**numbers: Any) -> int:
    """Add up all numbers, those in lists too."""
    return sum(sum(each) if isinstance(each, list) else each for each in numbers.values())


def resolved(argument: Argument, made: list[Any]) -> Any:
    """Put the tasks (or results) that were made in the places of their references."""
    if isinstance(argument, list):
        return [resolved(item, made) for item in argument]
    return made[argument[1]] if isinstance(argument, tuple) else argument


def functional(described: Description, order: list[int]) -> tuple[Flow, list[Task]]:
    made: list[Task] = []
    with Flow("law") as flow:
        for place, (arguments, waits_for) in enumerate(described):
            taken = {key: resolved(argument, made) for key, argument in arguments.items()}
            before = [made[each] for each in sorted(waits_for)]
            made.append(total(**taken, upstream_tasks=before, task_args={"name": f"t{place}"}))
    return flow, made


def imperative(described: Description, order: list[int]) -> tuple[Flow, list[Task]]:
    made: list[Task] = [total.copy(name=f"t{place}") for place in range(len(described))]
    flow = Flow("law")
    for place in order:
        flow.add_task(made[place])
    for place in reversed(order):
        arguments, waits_for = described[place]
        for each in waits_for:
            made[each].set_downstream(made[place], flow=flow)
        made[place].bind(flow=flow, **{key: resolved(argument, made) for key, argument in arguments.items()})
    return flow, made


def mixed(described: Description, order: list[int]) -> tuple[Flow, list[Task]]:
    """Some tasks are called, others bound; some edges are made by the task, others by the flow."""
    made: list[Task] = []
    flow = Flow("law")
    for place, (arguments, waits_for) in enumerate(described):
        taken = {key: resolved(argument, made) for key, argument in arguments.items()}
        if order.index(place) % 2:
            with flow:
                made.append(total(**taken, task_args={"name": f"t{place}"}))
        else:
            made.append(flow.add_task(total.copy(name=f"t{place}")))
            flow.set_dependencies(made[place], keyword_tasks=taken)
        for each in waits_for:
            flow.add_edge(made[each], made[place])
    return flow, made


WAYS = [functional, imperative, mixed]


def written(flow: Flow) -> tuple[set[str], set[tuple[str, str, str | None]], dict[str, dict[str, Any]]]:
    """Write a flow down by slugs; a list of tasks is named after the argument it is made for."""

    def name(node: Task) -> str:
        if not node.auto_generated:
            return flow.slugs[node]
        (edge,) = flow.edges_from(node)
        return f"{name(edge.downstream_task)}.{edge.key}"

    names = {node: name(node) for node in flow.tasks}
    edges = {(names[edge.upstream_task], names[edge.downstream_task], edge.key) for edge in flow.edges}
    return set(names.values()), edges, {names[node]: values for node, values in flow.constants.items()}


@given(descriptions(), st.randoms(use_true_random=False))
def test_a_flow_is_the_same_however_it_is_built(described: Description, random: Any) -> None:
    order = list(range(len(described)))
    random.shuffle(order)
    one, *others = [written(build(described, order)[0]) for build in WAYS]
    assert len(one[0]) >= len(described)
    for other in others:
        assert other == one


@pytest.mark.parametrize("build", WAYS, ids=lambda build: build.__name__)
@given(described=descriptions())
def test_the_order_of_a_flow_respects_all_edges(build: Callable[..., Any], described: Description) -> None:
    flow, _ = build(described, list(range(len(described))))
    order = flow.sorted_tasks()
    place = {node: number for number, node in enumerate(order)}
    assert len(order) == len(flow.tasks) == len(place)
    assert all(place[edge.upstream_task] < place[edge.downstream_task] for edge in flow.edges)
    assert all(
        edge in flow.edges_to(edge.downstream_task) and edge in flow.edges_from(edge.upstream_task)
        for edge in flow.edges
    )


@pytest.mark.parametrize("build", WAYS, ids=lambda build: build.__name__)
@given(described=descriptions())
def test_a_run_gives_what_plain_python_gives(build: Callable[..., Any], described: Description) -> None:
    flow, made = build(described, list(range(len(described))))
    results: list[int] = []
    for arguments, _ in described:
        results.append(total.run(**{key: resolved(argument, results) for key, argument in arguments.items()}))

    state = flow.run()

    assert [state.result[node].result for node in made] == results


@given(descriptions())
def test_a_flow_is_the_same_after_copying_and_pickling(described: Description) -> None:
    flow, _ = functional(described, [])
    assert flow.copy() == flow
    assert written(flow.copy()) == written(flow)
    assert written(cloudpickle.loads(cloudpickle.dumps(flow))) == written(flow)
    empty = Flow("law")
    empty.update(flow)
    assert written(empty) == written(flow)


# -- any graph, also with circles ------------------------------------------------------------------------------------

GRAPHS = st.integers(1, 8).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.sets(
            st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(lambda pair: pair[0] != pair[1]),
            max_size=14,
        ),
    )
)


@given(GRAPHS)
def test_a_circle_is_found_exactly_when_there_is_one(graph: tuple[int, set[tuple[int, int]]]) -> None:
    size, pairs = graph
    tasks = [Task(f"t{number}") for number in range(size)]
    flow = Flow("circles", tasks=tasks, edges=[Edge(tasks[up], tasks[down]) for up, down in pairs])
    sorter = graphlib.TopologicalSorter({down: {up for up, other in pairs if other == down} for down in range(size)})
    try:
        sorter.prepare()
    except graphlib.CycleError:
        with pytest.raises(CycleError) as caught:
            flow.sorted_tasks()
        around = caught.value.cycle
        assert len(set(around)) == len(around) >= 2
        for up, down in zip(around, (*around[1:], around[0]), strict=True):
            assert Edge(up, down) in flow.edges
    else:
        place = {node: number for number, node in enumerate(flow.sorted_tasks())}
        assert all(place[tasks[up]] < place[tasks[down]] for up, down in pairs)


@given(GRAPHS)
def test_eager_validation_never_lets_a_circle_in(graph: tuple[int, set[tuple[int, int]]]) -> None:
    size, pairs = graph
    tasks = [Task(f"t{number}") for number in range(size)]
    flow = Flow("eager", tasks=tasks)
    for up, down in sorted(pairs):
        before = flow.edges
        if tasks[up] in flow.sorted_tasks(root_tasks=[tasks[down]]):
            with pytest.raises(CycleError) as caught:
                flow.add_edge(tasks[up], tasks[down], validate=True)
            assert (caught.value.cycle[0], caught.value.cycle[-1]) == (tasks[down], tasks[up])
            assert flow.edges == before
        else:
            flow.add_edge(tasks[up], tasks[down], validate=True)
            assert flow.edges == before | {Edge(tasks[up], tasks[down])}
    flow.validate()
