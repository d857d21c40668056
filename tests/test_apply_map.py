"""`apply_map`: a function is called once, and all it made is mapped."""

from __future__ import annotations

from typing import Any

import pytest

import flowbook
from flowbook import Edge, Flow, Parameter, apply_map, case, flatten, mapped, resource_manager, task, unmapped
from flowbook.errors import FlowError
from flowbook.tasks.control_flow import CompareValue, ifelse, merge
from flowbook.tasks.core.collections import Constant, List
from flowbook.tasks.core.resource_manager import ResourceCleanupTask, ResourceInitTask, ResourceSetupTask


@task
def numbers() -> list[int]:
    return [1, 2, 3]


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def is_even(x: int) -> bool:
    return x % 2 == 0


@task
def one() -> int:
    return 1


def flags(flow: Flow, downstream: Any) -> dict[Any, tuple[bool, bool]]:
    return {edge.key or edge.upstream_task: (edge.mapped, edge.flattened) for edge in flow.edges_to(downstream)}


MAPPED, UNMAPPED = (True, False), (False, False)


def test_every_edge_of_what_the_function_makes_is_mapped() -> None:
    with Flow("apply") as flow:
        xs = numbers()
        first, second = apply_map(lambda x: (a := add(x), add(a, x)), xs)
    assert flow.tasks == {xs, first, second}
    assert flow.edges == {
        Edge(xs, first, "x", mapped=True),
        Edge(first, second, "x", mapped=True),
        Edge(xs, second, "y", mapped=True),
    }


def test_the_function_is_called_once_and_what_it_returns_is_returned() -> None:
    calls: list[Any] = []

    def look(x: Any, *, y: Any) -> str:
        calls.append((x, y))
        return "returned"

    with Flow("once"):
        assert apply_map(look, [1], y=[2]) == "returned"
    assert len(calls) == 1
    assert all(isinstance(each, Constant) for each in calls[0])


def test_constants_are_mapped_over_and_unmapped_ones_are_kept_beside_their_tasks() -> None:
    with Flow("constants") as flow:
        sums = apply_map(add, [1, 2], unmapped(10))
        plain = apply_map(lambda x: add(x, 5), range(3))
    assert flags(flow, sums) == {"x": MAPPED}
    assert flow.constants == {sums: {"y": 10}, plain: {"y": 5}}
    assert sorted(str(node.value) for node in flow.tasks if isinstance(node, Constant)) == ["[1, 2]", "range(0, 3)"]


def test_what_is_unmapped_goes_whole_to_every_pipeline() -> None:
    with Flow("unmapped") as flow:
        xs, whole = numbers(), numbers()
        sums = apply_map(lambda x, y: add(add(x, y), y), xs, y=unmapped(whole))
    assert flags(flow, sums) == {"x": MAPPED, "y": UNMAPPED}


def test_what_is_flattened_is_flattened_wherever_it_is_taken() -> None:
    with Flow("flatten") as flow:
        xs, ys = numbers(), numbers()
        sums = apply_map(add, flatten(xs), unmapped(flatten(ys)))
        inside = apply_map(lambda x: add(flatten(x)), xs)
    assert flags(flow, sums) == {"x": (True, True), "y": (False, True)}
    assert flags(flow, inside) == {"x": (True, True)}


def test_a_task_that_takes_no_element_waits_for_all_that_is_mapped() -> None:
    with Flow("roots") as flow:
        xs, ys, whole = numbers(), numbers(), numbers()
        root, of_whole = apply_map(lambda x, y, z: (one(), add(z)), xs, flatten(ys), unmapped(whole))
    assert flags(flow, root) == {xs: MAPPED, ys: (True, True)}
    assert flags(flow, of_whole) == {xs: MAPPED, ys: (True, True), "x": UNMAPPED}


def test_tasks_from_outside_and_parameters_made_inside_go_whole() -> None:
    with Flow("outside") as flow:
        xs, outside = numbers(), one()
        sums = apply_map(lambda x: add(x, outside), xs)
        given = apply_map(lambda x: add(x, Parameter("y", default=1)), xs)
    assert flags(flow, sums) == {"x": MAPPED, "y": UNMAPPED}
    assert flags(flow, given) == {"x": MAPPED, "y": UNMAPPED}
    assert {each.name for each in flow.parameters()} == {"y"}


def test_lists_of_tasks_are_gathered_before_they_are_mapped_over_and_inside_for_each_element() -> None:
    with Flow("lists") as flow:
        a, b = one(), one()
        sums = apply_map(lambda x: add([x, 1]), [a, b])
    inner = next(iter(flow.upstream_tasks(sums)))
    outer = next(edge.upstream_task for edge in flow.edges_to(inner) if edge.key == "item_1")
    assert isinstance(inner, List)
    assert isinstance(outer, List)
    assert flags(flow, inner) == {"item_1": MAPPED}
    assert flow.constants[inner] == {"item_2": 1}
    assert flags(flow, outer) == {"item_1": UNMAPPED, "item_2": UNMAPPED}


def test_cases_and_merges_inside_decide_for_each_element() -> None:
    def make_even(x: Any) -> Any:
        with case(is_even(x), False):
            larger = add(x)
        return merge(larger, x)

    with Flow("cases") as flow:
        xs = numbers()
        evens = apply_map(make_even, xs)
    (compared,) = flow.get_tasks(task_type=CompareValue)
    (larger,) = flow.downstream_tasks(compared)
    assert all(edge.mapped for edge in flow.edges)
    assert flow.upstream_tasks(larger) == {compared, xs}
    assert flow.upstream_tasks(evens) == {larger, xs}


def test_a_case_that_is_the_same_for_all_is_decided_for_each() -> None:
    def perhaps(x: Any, wanted: Any) -> Any:
        with case(wanted, True):
            return add(x)

    with Flow("same") as flow:
        xs, wanted = numbers(), Parameter("wanted", default=True)
        apply_map(perhaps, xs, unmapped(wanted))
    (compared,) = flow.get_tasks(task_type=CompareValue)
    assert flags(flow, compared) == {"value": UNMAPPED, xs: MAPPED}


def test_ifelse_inside_is_mapped() -> None:
    def choose(x: Any) -> Any:
        yes, no = add(x), add(x, 10)
        ifelse(is_even(x), yes, no)
        return merge(yes, no)

    with Flow("ifelse") as flow:
        apply_map(choose, numbers())
    assert all(edge.mapped for edge in flow.edges)


def test_resources_inside_are_set_up_for_each_element() -> None:
    class Room:
        def __init__(self, number: int) -> None:
            self.number = number

        def setup(self) -> int:
            return self.number

        def cleanup(self, room: int) -> None: ...

    manager = resource_manager(Room)

    def stay(x: Any) -> Any:
        with manager(x) as room:
            return add(room)

    with Flow("rooms") as flow:
        nights = apply_map(stay, numbers())
    init, setup, cleanup = (
        flow.get_tasks(task_type=kind)[0] for kind in (ResourceInitTask, ResourceSetupTask, ResourceCleanupTask)
    )
    assert all(edge.mapped for edge in flow.edges)
    assert flow.upstream_tasks(cleanup) == {init, setup, nights}
    assert flow.reference_tasks() == {nights}


def test_what_is_made_joins_the_block_around_as_a_whole() -> None:
    with Flow("around") as flow:
        xs, wanted = numbers(), one()
        with case(wanted, 1):
            first, second = apply_map(lambda x: (a := add(x), add(a)), xs)
    (compared,) = flow.get_tasks(task_type=CompareValue)
    assert flow.downstream_tasks(compared) == {first}
    assert flags(flow, first) == {"x": MAPPED, compared: UNMAPPED}
    assert flow.upstream_tasks(second) == {first}


def test_the_flow_can_be_given() -> None:
    flow, xs = Flow("given"), numbers.copy()
    sums = apply_map(add, xs, flow=flow)
    assert flags(flow, sums) == {"x": MAPPED}
    with pytest.raises(FlowError, match=r"could not infer an active flow for apply_map\(\.\.\.\)"):
        apply_map(add, xs)


@pytest.mark.parametrize("value", [1, None, {1}, mapped(2), flatten(3)])
def test_what_has_no_elements_is_refused(value: Any) -> None:
    with Flow("elements"), pytest.raises(TypeError, match=r"apply_map cannot map over .*, which has no elements"):
        apply_map(add, [1], y=value)


def test_mapping_inside_is_refused() -> None:
    with Flow("nested") as flow:
        xs = numbers()
        with pytest.raises(ValueError, match="task 'add' is mapped inside a function that is given to apply_map"):
            apply_map(add.map, xs)
        with pytest.raises(ValueError, match="stands inside another apply_map"):
            apply_map(lambda x: apply_map(add, x), xs)
        with pytest.raises(ValueError, match="task 'add' takes a flattened result inside a function"):
            apply_map(lambda x: add(flatten(add(x))), xs)
        add(1)
    assert not any(edge.mapped for edge in flow.edges)


def test_one_task_may_be_given_by_the_element_and_whole() -> None:
    with Flow("twice") as flow:
        xs = numbers()
        share = apply_map(add, xs, unmapped(xs))
        other = apply_map(lambda whole, x: add(add(x, whole)), unmapped(xs), flatten(xs))
        both = apply_map(add, xs, xs)
        assert apply_map(lambda x, y: y, xs, unmapped(xs)) is xs
    inner = next(iter(flow.upstream_tasks(other)))
    assert flags(flow, share) == {"x": MAPPED, "y": UNMAPPED}
    assert flags(flow, inner) == {"x": (True, True), "y": UNMAPPED}
    assert flags(flow, both) == {"x": MAPPED, "y": MAPPED}
    assert flow.tasks == {xs, share, inner, other, both}


def test_a_function_that_breaks_leaves_nothing_in_the_flow() -> None:
    def broken(x: Any) -> None:
        add(x)
        raise RuntimeError("in between")

    with Flow("broken") as flow:
        xs = numbers()
        with pytest.raises(RuntimeError, match="in between"):
            apply_map(broken, xs)
        after = add(xs)
    assert flow.tasks == {xs, after}


def test_the_names_stand_where_programs_look_for_them() -> None:
    from flowbook.utilities import tasks

    assert flowbook.apply_map is tasks.apply_map
