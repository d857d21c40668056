"""Mapping while a flow is built: which edges are mapped, which flattened, and which values become nodes."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import flowbook
from flowbook import Edge, Flow, Parameter, Task, flatten, mapped, task, unmapped
from flowbook.errors import FlowError
from flowbook.mapping import EdgeAnnotation, flags_of, like
from flowbook.tasks.core.collections import Constant, List, as_task


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def numbers() -> list[int]:
    return [1, 2, 3]


def flags(flow: Flow, downstream: Task) -> dict[str | None, tuple[bool, bool]]:
    return {edge.key: (edge.mapped, edge.flattened) for edge in flow.edges_to(downstream)}


# -- annotations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotated", "says"),
    [
        (mapped(1), (True, None)),
        (unmapped(1), (False, None)),
        (flatten(1), (None, True)),
        (unmapped(flatten(1)), (False, True)),
        (flatten(unmapped(1)), (False, True)),
        (flatten(mapped(1)), (True, True)),
        (mapped(unmapped(1)), (True, None)),
        (unmapped(mapped(flatten(1))), (False, True)),
    ],
)
def test_annotations_nest_and_the_outermost_counts(annotated: EdgeAnnotation, says: tuple[Any, Any]) -> None:
    assert (annotated.is_mapped, annotated.is_flattened) == says
    assert annotated.task == 1


def test_an_annotation_is_shown_as_it_is_written() -> None:
    assert repr(unmapped(flatten([1]))) == "unmapped(flatten([1]))"
    assert repr(mapped("a")) == "mapped('a')"
    assert repr(flatten(numbers)) == "flatten(<Task: numbers>)"


def test_what_is_not_annotated_follows_the_call() -> None:
    assert flags_of(1, is_mapped=True) == (1, True, False)
    assert flags_of(flatten(1), is_mapped=True) == (1, True, True)
    assert flags_of(unmapped(1), is_mapped=True) == (1, False, False)
    assert like(flatten("b"), unmapped("a")).is_mapped is False


def test_annotations_survive_pickle() -> None:
    copied = pickle.loads(pickle.dumps(unmapped(flatten([1]))))
    assert (copied.task, copied.is_mapped, copied.is_flattened) == ([1], False, True)


def test_the_names_stand_where_programs_look_for_them() -> None:
    from flowbook.utilities import edges

    assert flowbook.unmapped is edges.unmapped
    assert flowbook.mapped is edges.mapped
    assert flowbook.flatten is edges.flatten
    assert flowbook.utilities.edges is edges


# -- map -------------------------------------------------------------------------------------------------------------


def test_map_makes_a_copy_whose_edges_are_mapped() -> None:
    with Flow("map") as flow:
        xs = numbers()
        sums = add.map(xs, y=xs)
    assert sums is not add
    assert flags(flow, sums) == {"x": (True, False), "y": (True, False)}


def test_a_constant_that_is_mapped_over_is_a_node_and_an_unmapped_one_is_not() -> None:
    with Flow("constants") as flow:
        sums = add.map([1, 2, 3], unmapped(10))
    constant = next(node for node in flow.tasks if node is not sums)
    assert isinstance(constant, Constant)
    assert constant.value == [1, 2, 3]
    assert flow.edges == {Edge(constant, sums, "x", mapped=True)}
    assert flow.constants == {sums: {"y": 10}}


def test_a_constant_task_is_folded_unless_it_is_mapped_or_flattened() -> None:
    with Flow("constants") as flow:
        whole = add(Constant(1))
        spread = add.map(Constant([1]))
        flat = add(flatten(Constant([[1]])))
    assert flow.constants[whole] == {"x": 1}
    assert flags(flow, whole) == {}
    assert flags(flow, spread) == {"x": (True, False)}
    assert flags(flow, flat) == {"x": (False, True)}


def test_a_flattened_constant_is_a_node_in_a_call_that_is_not_mapped() -> None:
    with Flow("flat") as flow:
        total = add(flatten([[1], [2]]), 5)
    assert flags(flow, total) == {"x": (False, True)}
    assert flow.constants[total] == {"y": 5}


def test_a_list_of_tasks_is_gathered_and_then_mapped_over() -> None:
    with Flow("list") as flow:
        a, b = numbers(), numbers()
        sums = add.map([a, b])
    gathered = next(iter(flow.upstream_tasks(sums)))
    assert isinstance(gathered, List)
    assert flow.upstream_tasks(gathered) == {a, b}
    assert not any(edge.mapped for edge in flow.edges_to(gathered))


def test_annotations_beat_the_call() -> None:
    with Flow("beat") as flow:
        xs = numbers()
        one = add.map(xs, unmapped(xs))
        two = add(mapped(xs), xs)
        three = add.map(flatten(xs), unmapped(flatten(xs)))
    assert flags(flow, one) == {"x": (True, False), "y": (False, False)}
    assert flags(flow, two) == {"x": (True, False), "y": (False, False)}
    assert flags(flow, three) == {"x": (True, True), "y": (False, True)}


def test_what_is_upstream_without_a_key_is_mapped_too_unless_it_is_unmapped() -> None:
    with Flow("upstream") as flow:
        a, b, c = numbers(), numbers(), numbers()
        sums = add.map([1], upstream_tasks=[a, unmapped(b), flatten(c)])
    found = {edge.upstream_task: (edge.mapped, edge.flattened) for edge in flow.edges_to(sums) if edge.key is None}
    assert found == {a: (True, False), b: (False, False), c: (True, True)}


def test_a_plain_value_upstream_without_a_key_becomes_a_node() -> None:
    with Flow("upstream") as flow:
        sums = add.map([1], upstream_tasks=[[1, 2], unmapped(3)])
    kinds = sorted((edge.key or "", edge.mapped, edge.upstream_task.run()) for edge in flow.edges_to(sums))
    assert kinds == [("", False, 3), ("", True, [1, 2]), ("x", True, [1])]


@pytest.mark.parametrize("value", [1, None, {1, 2}, iter([1]), 1.5, flatten(3), mapped(1)])
def test_what_is_given_by_position_must_have_elements(value: Any) -> None:
    with Flow("elements"), pytest.raises(TypeError, match=r"cannot be mapped over .* which has no elements"):
        add.map(value)


@pytest.mark.parametrize("value", [[1], (1,), "ab", range(3), {"a": 1}, unmapped(1)])
def test_what_has_elements_may_be_mapped_over(value: Any) -> None:
    with Flow("elements") as flow:
        sums = add.map(value)
    assert sums in flow.tasks


def test_a_keyword_without_elements_is_found_out_by_the_run() -> None:
    with Flow("keyword") as flow:
        sums = add.map([1], y=2)
    assert flags(flow, sums) == {"x": (True, False), "y": (True, False)}


def test_map_needs_a_flow_and_arguments_that_fit() -> None:
    with pytest.raises(FlowError, match="could not infer an active flow"):
        add.map([1])
    with Flow("fit"), pytest.raises(TypeError, match="missing a required argument: 'x'"):
        add.map()
    outside = Flow("outside")
    assert add.map([1], flow=outside) in outside.tasks


def test_a_mapped_copy_does_not_promise_how_many_results_there_are() -> None:
    @task(nout=2)
    def pair(x: int) -> tuple[int, int]:
        return x, x

    with Flow("nout"):
        assert pair(1).nout == 2
        assert pair.map([1]).nout is None
        assert pair.map([1], task_args={"nout": 3, "name": "three"}).nout == 3
    assert pair.nout == 2


def test_a_parameter_is_not_mapped_but_may_be_mapped_over() -> None:
    with Flow("parameter") as flow:
        xs = Parameter("xs")
        sums = add.map(xs)
        with pytest.raises(ValueError, match="takes no arguments"):
            xs.map()
    assert flags(flow, sums) == {"x": (True, False)}


# -- the other ways to make an edge ----------------------------------------------------------------------------------


def test_bind_understands_annotations() -> None:
    flow, xs, sums = Flow("bind"), numbers.copy(), add.copy()
    sums.bind(unmapped(xs), flatten(xs), mapped=True, flow=flow)
    assert flags(flow, sums) == {"x": (False, False), "y": (True, True)}


def test_set_upstream_and_its_companions_understand_annotations() -> None:
    flow, (a, b, c, d, e) = Flow("set"), [Task(name) for name in "abcde"]
    b.set_upstream(mapped(a), flow=flow)
    c.set_upstream(unmapped(a), flow=flow, key="x", mapped=True)
    a.set_downstream(mapped(flatten(d)), flow=flow)
    e.set_dependencies(
        flow=flow, upstream_tasks=[mapped(a)], keyword_tasks={"y": flatten(b)}, downstream_tasks=[mapped(Task("f"))]
    )
    assert flags(flow, b) == {None: (True, False)}
    assert flags(flow, c) == {"x": (False, False)}
    assert flags(flow, d) == {None: (True, True)}
    assert flags(flow, e) == {None: (True, False), "y": (False, True)}
    assert [edge.mapped for edge in flow.edges_from(e)] == [True]


def test_an_edge_takes_annotations_at_either_end_before_its_flags() -> None:
    a, b = Task("a"), Task("b")
    assert Edge(mapped(a), b) == Edge(a, b, mapped=True)
    assert Edge(a, flatten(b), "x", mapped=True) == Edge(a, b, "x", True, True)
    assert Edge(unmapped(a), b, mapped=True) == Edge(a, b)
    assert Edge(mapped([1]), b, "x").upstream_task.run() == [1]


def test_add_edge_takes_annotations_and_folds_only_plain_constants() -> None:
    flow, b = Flow("edge"), add.copy()
    flow.add_edge(unmapped(5), b, "y", mapped=True)
    edge = flow.add_edge(flatten([[1]]), mapped(b), "x")
    assert flow.constants == {b: {"y": 5}}
    assert flow.edges == {edge}
    assert (edge.mapped, edge.flattened) == (True, True)


def test_the_bar_takes_annotations_on_both_sides() -> None:
    with Flow("bar") as flow:
        a, b, c = (flow.add_task(Task(name)) for name in "abc")
        assert (a | mapped(b)) is b
        assert (mapped(b) | c) is c
    assert flow.edges == {Edge(a, b, mapped=True), Edge(b, c, mapped=True)}


def test_pipe_goes_through_annotations() -> None:
    with Flow("pipe") as flow:
        xs = numbers()
        one = xs.pipe(unmapped).pipe(add.map, y=[1, 2])
        two = xs.pipe(flatten).pipe(unmapped).pipe(add)
    assert flags(flow, one) == {"x": (False, False), "y": (True, False)}
    assert flags(flow, two) == {"x": (False, True)}


def test_an_annotation_inside_a_collection_is_refused() -> None:
    with Flow("inside"), pytest.raises(FlowError, match=r"unmapped\(<Task: numbers>\) stands inside a collection"):
        add([1, unmapped(numbers)])


def test_as_task_leaves_out_what_is_said_of_an_edge() -> None:
    assert as_task(unmapped(numbers)) is numbers
    assert as_task(flatten([1])).run() == [1]


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_map_over_nothing_that_is_mapped_fails_in_words(executor: str) -> None:
    with Flow("nothing to map") as flow:
        whole = add.map(unmapped(add(1)))
        after = add(whole)
    state = flow.run(show=False, executor=executor)
    assert state.result[whole].is_failed()
    assert state.result[whole].message == "No upstream states can be mapped over."
    copied = pickle.loads(pickle.dumps(flow.copy()))
    assert copied.run(show=False).is_failed()
    assert state.result[after].is_failed()


def test_flatten_says_which_item_has_none() -> None:
    with Flow("flat") as flow:
        opened = add(flatten(Constant([[1], 2])))
    state = flow.run(show=False)
    assert "item 1 is 2, which has none" in str(state.result[opened].result)


def test_the_tasks_that_flows_make_are_found_in_their_package() -> None:
    from flowbook.tasks import core

    assert core.List is List
    with pytest.raises(AttributeError, match="Lists"):
        core.Lists  # noqa: B018  to ask for it is what is tried
