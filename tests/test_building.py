"""Building: tasks, edges and constants find their place, or are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowbook import Edge, Flow, Parameter, Task, config, task
from flowbook.errors import CycleError
from flowbook.tasks.core.collections import Constant


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def one() -> int:
    return 1


@pytest.fixture
def eager() -> Iterator[None]:
    """Have edges checked when they are made."""
    config.flows.eager_edge_validation = True
    yield
    config.flows.eager_edge_validation = False


def named(names: str) -> list[Task]:
    return [Task(name) for name in names]


# -- adding ----------------------------------------------------------------------------------------------------------


def test_adding_a_task_returns_it_and_adding_it_twice_changes_nothing() -> None:
    flow, a = Flow("add"), Task("a")
    assert flow.add_task(a) is a
    assert flow.add_task(a) is a
    assert flow.tasks == {a}
    assert flow.slugs == {a: "a-1"}


@pytest.mark.parametrize("thing", [1, "add", add.run, [add], None])
def test_only_tasks_can_be_added(thing: Any) -> None:
    with pytest.raises(
        TypeError, match=r"is not a task\. Decorate a function with @task, or convert a value with as_task"
    ):
        Flow("add").add_task(thing)


def test_adding_an_edge_returns_it_and_adds_both_ends() -> None:
    flow, (a, b) = Flow("edge"), named("ab")
    assert flow.add_edge(a, b, "x", True, True) == Edge(a, b, "x", True, True)
    assert flow.tasks == {a, b}


def test_adding_the_same_edge_twice_keeps_one() -> None:
    flow, (a, b) = Flow("edge"), named("ab")
    for _ in range(2):
        flow.add_edge(a, b)
        flow.add_edge(a, b, key="x")
    flow.add_edge(a, b, mapped=True)
    assert flow.edges == {Edge(a, b), Edge(a, b, key="x"), Edge(a, b, mapped=True)}
    assert len(flow.nodes[a].downstream) == 3


def test_the_edge_of_a_constant_is_returned_and_its_value_is_kept() -> None:
    flow, b = Flow("constant"), add.copy()
    edge = flow.add_edge(5, b, key="x")
    assert isinstance(edge.upstream_task, Constant)
    assert flow.tasks == {b}
    assert flow.edges == set()
    assert flow.constants == {b: {"x": 5}}


def test_chains_wait_one_for_the_other() -> None:
    a, b, c = named("abc")
    with Flow("chain") as flow:
        flow.add_task(a)
        assert flow.chain(a, b, c) == [Edge(a, b), Edge(b, c)]
    assert flow.tasks == {a, b, c}
    assert flow.chain(a) == []


def test_dependencies_of_a_flow_convert_any_value() -> None:
    flow, (a, b, c) = Flow("dependencies"), named("abc")
    flow.set_dependencies(b, upstream_tasks=[a], downstream_tasks=[c], keyword_tasks={"x": [a, 1], "y": 2})
    (gathered,) = flow.tasks - {a, b, c}
    assert flow.edges == {Edge(a, b), Edge(b, c), Edge(gathered, b, key="x"), Edge(a, gathered, key="item_1")}
    assert flow.constants == {b: {"y": 2}, gathered: {"item_2": 1}}


@pytest.mark.parametrize(
    "by",
    [
        lambda flow, x, a: flow.add_edge(a, x),
        lambda flow, x, a: flow.add_edge(5, x, key="y"),
        lambda flow, x, a: flow.set_dependencies(x, keyword_tasks={"y": a}),
        lambda flow, x, a: flow.set_dependencies(x, keyword_tasks={"y": 5}),
        lambda flow, x, a: x.set_upstream(a, flow=flow),
        lambda flow, x, a: x(upstream_tasks=[a], flow=flow),
    ],
)
def test_a_parameter_cannot_wait_for_anything(by: Callable[[Flow, Parameter, Task], object]) -> None:
    flow, x, a = Flow("parameter"), Parameter("x"), Task("a")
    with pytest.raises(ValueError, match=r"parameter 'x'.*(have|waits for) nothing.*flow\.run\(x=\.\.\.\)"):
        by(flow, x, a)
    assert flow.edges == set()
    assert flow.constants == {}


# -- slugs -----------------------------------------------------------------------------------------------------------


def test_slugs_are_name_and_sorted_tags_and_a_number_for_each_such_prefix() -> None:
    a1, a2, tagged, b = Task("a"), Task("a"), Task("a", tags=["z", "c"]), Task("b")
    flow = Flow("slugs", tasks=[a1, a2, tagged, b])
    assert flow.slugs == {a1: "a-1", a2: "a-2", tagged: "a-c-z-1", b: "b-1"}


def test_a_slug_belongs_to_task_and_flow() -> None:
    a, b = Task("a"), Task("a")
    assert Flow("one", tasks=[a, b]).slugs[b] == "a-2"
    assert Flow("two", tasks=[b]).slugs[b] == "a-1"


def test_slugs_that_people_give_are_kept_and_avoided_by_others() -> None:
    given = Task("other", slug="a-1")
    a = Task("a")
    assert Flow("slugs", tasks=[given, a]).slugs == {given: "a-1", a: "a-2"}


def test_renaming_a_task_keeps_its_slug() -> None:
    a = Task("a")
    flow = Flow("slugs", tasks=[a])
    a.name = "b"
    assert flow.slugs[a] == "a-1"
    b = flow.add_task(Task("b"))
    assert flow.slugs == {a: "a-1", b: "b-1"}


def test_the_same_slug_twice_is_refused() -> None:
    flow = Flow("slugs", tasks=[Task(slug="load"), Parameter("x")])
    with pytest.raises(ValueError, match="a task with the slug 'load' is already part of flow 'slugs'"):
        flow.add_task(Task(slug="load"))
    with pytest.raises(ValueError, match=r"a parameter with the slug 'x' is already part of flow 'slugs'\. Use"):
        flow.add_task(Parameter("x"))
    assert len(flow) == 2


# -- validation ------------------------------------------------------------------------------------------------------


def test_cycles_are_found_when_the_order_matters_and_not_before() -> None:
    a, b, c = named("abc")
    flow = Flow("cycle", edges=[Edge(a, b), Edge(b, c), Edge(c, a), Edge(Task("d"), a)])
    for look in (flow.sorted_tasks, flow.validate, flow.run):
        with pytest.raises(CycleError, match=r"^Cycle found; .*acyclic: '.' -> '.' -> '.' -> '.'\."):
            look()


def test_a_cycle_error_carries_the_cycle_in_order() -> None:
    a, b, c, d = named("abcd")
    flow = Flow("cycle", edges=[Edge(d, a), Edge(a, b), Edge(b, c), Edge(c, a), Edge(c, Task("e"))])
    with pytest.raises(CycleError) as caught:
        flow.validate()
    around = caught.value.cycle
    assert set(around) == {a, b, c}
    assert all(Edge(up, down) in flow.edges for up, down in zip(around, (*around[1:], around[0]), strict=True))


def test_eager_validation_refuses_an_edge_and_leaves_the_flow_as_it_was(eager: None) -> None:
    a, b, c = named("abc")
    flow = Flow("eager")
    flow.chain(a, b, c)
    with pytest.raises(CycleError) as caught:
        flow.add_edge(c, a)
    assert caught.value.cycle == (a, b, c)
    assert flow.edges == {Edge(a, b), Edge(b, c)}
    assert flow.sorted_tasks() == (a, b, c)

    flow.set_dependencies(b, keyword_tasks={"x": 5})
    for value in (c.copy(), 6):
        with pytest.raises(ValueError, match=r"argument 'x' of task 'b' is already bound to 5\. Copy the task"):
            flow.add_edge(value, b, key="x")


def test_one_edge_can_be_checked_without_the_others() -> None:
    a, b = named("ab")
    flow = Flow("one", edges=[Edge(a, b)])
    with pytest.raises(ValueError, match="Cycle found"):
        flow.add_edge(b, a, validate=True)
    flow.add_edge(b, a)
    with pytest.raises(ValueError, match="Cycle found"):
        flow.validate()


def test_an_argument_bound_twice_is_found_when_the_flow_is_validated_or_run() -> None:
    total, first, second = add.copy(), one.copy(name="first"), one.copy(name="second")
    flow = Flow("twice", edges=[Edge(first, total, key="x"), Edge(second, total, key="x")])
    for check in (flow.validate, flow.run):
        with pytest.raises(
            ValueError, match="bound more than once: to the result of 'first' and the result of 'second'"
        ):
            check()
