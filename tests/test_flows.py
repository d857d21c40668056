"""Flows: their block, their tasks and edges, and how they are changed, copied, compared and kept."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import cloudpickle
import pytest

from flowbook import Edge, Flow, Parameter, Task, context, task
from flowbook.errors import UnknownArgument
from flowbook.executors import Executor
from flowbook.states import Failed, State, Success


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def one() -> int:
    return 1


@task
def same(x: Any) -> Any:
    return x


def named(names: str) -> list[Task]:
    return [Task(name) for name in names]


# -- name and block --------------------------------------------------------------------------------------------------


def test_an_unknown_option_of_a_flow_is_named_with_the_nearest_one() -> None:
    with pytest.raises(TypeError, match=r"Flow has no option 'exectuor'. Did you mean 'executor'\? Known: name, sched"):
        Flow("f", exectuor="threads")  # type: ignore[call-arg]
    assert list(inspect.signature(Flow).parameters)[:3] == ["name", "schedule", "executor"]


def test_a_flow_needs_a_name() -> None:
    with pytest.raises(TypeError):
        Flow()  # type: ignore[call-arg]
    for name in ("", None, 0, 7):
        with pytest.raises(ValueError, match=r"a flow needs a name, not .*: Flow\('etl'\)"):
            Flow(name)  # type: ignore[arg-type]
    assert repr(Flow("etl")) == '<Flow: name="etl">'


def test_the_block_sets_the_flow_in_the_context_and_takes_it_back() -> None:
    with Flow("outer") as outer:
        assert context.flow is outer
        with Flow("inner") as inner:
            assert context.flow is inner
        assert context.flow is outer
    assert context.get("flow") is None


def test_a_block_may_be_entered_again_to_add_more() -> None:
    with Flow("again") as flow:
        first = one()
    with flow as same, flow:
        second = add(first)
    assert same is flow
    assert flow.tasks == {first, second}


def test_a_flow_cannot_be_run_inside_its_block() -> None:
    with Flow("open") as flow:
        one()
        with pytest.raises(RuntimeError, match=r"inside a `with Flow\(...\)` block.*Call it after the block"):
            flow.run()


def test_a_flow_takes_tasks_edges_and_reference_tasks_when_it_is_made() -> None:
    a, b, c = named("abc")
    flow = Flow("made", tasks=[c], edges=[Edge(a, b), Edge(a, c, key="x", mapped=True)], reference_tasks=[b])
    assert flow.tasks == {a, b, c}
    assert flow.edges == {Edge(a, b), Edge(a, c, key="x", mapped=True)}
    assert flow.reference_tasks() == {b}


def test_a_flow_can_check_the_edges_it_is_made_with() -> None:
    a, b = named("ab")
    around = [Edge(a, b), Edge(b, a)]
    assert len(Flow("unchecked", edges=around).edges) == 2
    with pytest.raises(ValueError, match="Cycle found"):
        Flow("checked", edges=around, validate=True)


def test_handlers_of_a_flow_must_be_a_list_of_functions() -> None:
    with pytest.raises(TypeError, match="list of functions"):
        Flow("handlers", state_handlers=print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="terminal_state_handler='x' is not a function"):
        Flow("handlers", terminal_state_handler="x")  # type: ignore[arg-type]


# -- looking ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def diamond() -> tuple[Flow, Task, Task, Task, Task]:
    a, b, c, d = named("abcd")
    edges = [Edge(a, b), Edge(a, c, key="x"), Edge(b, d), Edge(c, d, key="y")]
    return Flow("diamond", edges=edges), a, b, c, d


Diamond = tuple[Flow, Task, Task, Task, Task]


def test_neighbours_of_tasks_are_found(diamond: Diamond) -> None:
    flow, a, b, c, d = diamond
    assert (flow.root_tasks(), flow.terminal_tasks()) == ({a}, {d})
    assert (flow.upstream_tasks(d), flow.downstream_tasks(a)) == ({b, c}, {b, c})
    assert flow.edges_to(d) == {Edge(b, d), Edge(c, d, key="y")}
    assert flow.edges_from(a) == {Edge(a, b), Edge(a, c, key="x")}
    assert flow.all_upstream_edges() == {each: flow.edges_to(each) for each in flow.tasks}
    assert flow.all_downstream_edges() == {each: flow.edges_from(each) for each in flow.tasks}
    assert (len(flow), bool(Flow("empty")), a in flow, Task() in flow, Edge(a, b) in flow) == (
        4,
        True,
        True,
        False,
        True,
    )


def test_tasks_are_sorted_so_that_they_could_run_in_that_order(diamond: Diamond) -> None:
    flow, a, b, c, d = diamond
    assert flow.sorted_tasks() == (a, b, c, d)
    first = Task("first")
    flow.add_edge(first, a)
    assert tuple(flow) == flow.sorted_tasks() == (first, a, b, c, d)
    assert flow.sorted_tasks(root_tasks=[c]) == (c, d)
    assert flow.sorted_tasks(root_tasks=[]) == ()


def test_what_was_looked_up_is_looked_up_anew_after_a_change(diamond: Diamond) -> None:
    flow, a, b, c, d = diamond
    before = (flow.tasks, flow.edges, flow.sorted_tasks(), flow.slugs)
    assert (flow.tasks, flow.edges, flow.sorted_tasks(), flow.slugs) == before

    e = Task("e")
    flow.add_edge(e, a)

    assert flow.tasks == {a, b, c, d, e}
    assert flow.sorted_tasks()[0] is e
    assert Edge(e, a) in flow.edges
    assert flow.slugs[e] == "e-1"
    flow.set_dependencies(e, keyword_tasks={"x": 1})
    assert flow.constants == {e: {"x": 1}}


@pytest.mark.parametrize(
    "method", ["edges_to", "edges_from", "upstream_tasks", "downstream_tasks", "set_reference_tasks", "sorted_tasks"]
)
def test_a_task_that_is_not_in_the_flow_is_named_together_with_those_that_are(diamond: Diamond, method: str) -> None:
    flow, *_ = diamond
    stranger = Task("stranger")
    argument: Any = [stranger] if method in {"set_reference_tasks", "sorted_tasks"} else stranger
    with pytest.raises(
        ValueError, match=r"task 'stranger' is not in flow 'diamond'\.\s+Tasks here: a, b, c, d\. Add it"
    ):
        getattr(flow, method)(argument)


def test_tasks_are_found_by_name_slug_tags_and_type_together() -> None:
    a1, a2, b = Task("a", tags=["x", "y"]), Task("a", tags=["x"]), Task("b", tags=["x"])
    x = Parameter("x", tags=["x"])
    flow = Flow("find", tasks=[a1, a2, b, x])
    assert flow.get_tasks() == [a1, a2, b, x]
    assert flow.get_tasks(name="a") == [a1, a2]
    assert flow.get_tasks(slug="a-x-1") == [a2]
    assert flow.get_tasks(tags=["x", "y"]) == [a1]
    assert flow.get_tasks(task_type=Parameter) == [x]
    assert flow.get_tasks(name="a", tags={"x"}, slug="a-x-y-1") == [a1]
    assert flow.get_tasks(name="b", tags={"y"}) == []
    with pytest.raises(TypeError, match="one text"):
        flow.get_tasks(tags="x")


# -- reference tasks -------------------------------------------------------------------------------------------------


def test_terminal_tasks_decide_unless_others_are_chosen(diamond: Diamond) -> None:
    flow, _, b, _, d = diamond
    assert flow.reference_tasks() == {d}
    flow.set_reference_tasks([b, b])
    assert flow.reference_tasks() == {b}
    flow.set_reference_tasks([])
    assert flow.reference_tasks() == {d}


def test_the_chosen_reference_tasks_decide_the_final_state() -> None:
    @task
    def fail() -> None:
        raise ZeroDivisionError

    with Flow("reference") as flow:
        good, bad = one(), fail()

    failed = flow.run()
    assert (type(failed), failed.message) == (Failed, "Some reference tasks failed.")
    flow.set_reference_tasks([good])
    state = flow.run()
    assert (type(state), state.message) == (Success, "All reference tasks succeeded.")
    assert isinstance(state.result[bad].result, ZeroDivisionError)


def test_a_terminal_state_handler_may_change_the_final_state() -> None:
    def forgive(flow: Flow, state: State, reference: set[State]) -> State | None:
        seen.append((flow.name, state.is_failed(), {each.is_failed() for each in reference}))
        return Success("Forgiven.", result=state.result)

    seen: list[Any] = []
    flow = Flow("handler", tasks=[task(lambda: 1 / 0)], terminal_state_handler=forgive)
    assert flow.run().message == "Forgiven."
    assert seen == [("handler", True, {True})]


# -- changing --------------------------------------------------------------------------------------------------------


def test_a_flow_takes_over_all_of_another() -> None:
    with Flow("first") as first:
        a = one()
    with Flow("second") as second:
        b = one()
        c = add(b, y=5)
        second.add_edge(b, c, mapped=True)

    first.update(second)

    assert first.tasks == {a, b, c}
    assert first.edges == {Edge(b, c, key="x"), Edge(b, c, mapped=True)}
    assert first.constants == {c: {"y": 5}}
    assert first.slugs == {a: "one-1", b: "one-2", c: "add-1"}
    assert second.tasks == {b, c}


def test_parameters_of_the_same_name_are_merged_only_when_asked_for() -> None:
    with Flow("first") as first:
        mine = Parameter("x")
        add(mine)
    with Flow("second") as second:
        total = add(Parameter("x"))

    with pytest.raises(ValueError, match="a parameter with the slug 'x' is already part of flow 'first'"):
        first.copy().update(second)
    first.update(second, merge_parameters=True)

    assert first.parameters() == {mine}
    assert first.upstream_tasks(total) == {mine}
    assert first.run(x=3).result[total].result == 4


def test_reference_tasks_are_merged_only_when_asked_for() -> None:
    (a, b), (c, d) = named("ab"), named("cd")
    other = Flow("other", edges=[Edge(c, d)], reference_tasks=[c])
    plain, merged = Flow("plain", edges=[Edge(a, b)]), Flow("merged", edges=[Edge(a, b)])

    plain.update(other)
    merged.update(other, merge_reference_tasks=True)

    assert plain.reference_tasks() == {b, d}
    assert merged.reference_tasks() == {b, c}


def test_a_task_is_replaced_with_all_its_edges(diamond: Diamond) -> None:
    flow, a, b, c, d = diamond
    flow.set_reference_tasks([c, d])
    new = Task("new")

    flow.replace(c, new)

    assert flow.tasks == {a, b, new, d}
    assert flow.edges == {Edge(a, b), Edge(a, new, key="x"), Edge(b, d), Edge(new, d, key="y")}
    assert flow.reference_tasks() == {new, d}
    assert flow.sorted_tasks()[0] is a


def test_default_reference_tasks_stay_the_default_when_a_task_is_replaced(diamond: Diamond) -> None:
    flow, *_, d = diamond
    new = Task("new")
    flow.replace(d, new)
    assert flow.reference_tasks() == {new}
    assert flow.reference_tasks() == flow.terminal_tasks()


def test_a_value_may_take_the_place_of_a_task() -> None:
    with Flow("replace") as flow:
        x = Parameter("x")
        middle = add(x, y=2)
        total = add(middle, y=100)

    flow.replace(x, 55)
    assert flow.constants == {middle: {"x": 55, "y": 2}, total: {"y": 100}}
    assert flow.run().result[total].result == 157


def test_values_go_along_to_a_new_task_that_takes_them() -> None:
    with Flow("replace") as flow:
        total = add(1, y=2)
        last = add(total)
    fixed, other = one.copy(), task(lambda x: 10 * x)

    flow.replace(total, other)
    assert flow.constants == {other: {"x": 1}}
    flow.replace(other, fixed)

    assert flow.constants == {}
    assert flow.run().result[last].result == 2


def test_a_task_with_the_same_slug_may_take_the_place_of_another() -> None:
    old, new = Task(slug="load"), Task(slug="load")
    flow = Flow("replace", tasks=[old])
    flow.replace(old, new)
    assert flow.slugs == {new: "load"}


def test_a_value_that_is_bound_after_a_run_is_seen_by_the_next_one() -> None:
    with Flow("change") as flow:
        total = add(1)
    assert flow.run().result[total].result == 2
    flow.set_dependencies(total, keyword_tasks={"y": 5})
    assert flow.run().result[total].result == 6


def test_a_value_that_takes_the_place_of_a_task_with_arguments_takes_none_of_them() -> None:
    with Flow("replace") as flow:
        first = one()
        total = add(add(first, y=2), y=100)
    (middle,) = flow.upstream_tasks(total)

    flow.replace(middle, 5)

    state = flow.run()
    assert state.is_successful()
    assert state.result[total].result == 105
    assert first in flow


def test_what_cannot_take_the_place_of_a_task_is_refused_before_anything_changes(diamond: Diamond) -> None:
    flow, a, b, _, d = diamond
    before = flow.copy()
    with pytest.raises(ValueError, match="'stranger' is not in flow 'diamond'"):
        flow.replace(Task("stranger"), a)
    with pytest.raises(ValueError, match="parameter 'p' cannot wait for 'b'"):
        flow.replace(d, Parameter("p"))
    with pytest.raises(ValueError, match="'a' cannot take the place of 'b': there is an edge between the two"):
        flow.replace(b, a)
    flow.replace(a, a)
    assert flow == before


def test_flows_are_equal_by_name_tasks_edges_and_reference_tasks(diamond: Diamond) -> None:
    flow, a, b, _, d = diamond
    twin = flow.copy()
    assert flow == twin
    assert flow != "diamond"
    twin.set_reference_tasks([b])
    assert flow != twin
    twin.set_reference_tasks([d])
    assert flow == twin
    twin.add_edge(a, d)
    assert flow != twin
    twin = flow.copy()
    twin.name = "other"
    assert flow != twin
    assert len({flow, twin}) == 2


def test_a_copy_shares_tasks_and_nothing_else(diamond: Diamond) -> None:
    flow, a, *_, d = diamond
    twin = flow.copy()
    twin.add_edge(d, Task("e"))
    twin.set_dependencies(a, keyword_tasks={"x": 1})
    twin.state_handlers.append(print)
    twin.add_task(Task("a"))

    assert len(flow.tasks) == 4
    assert flow.constants == {}
    assert flow.state_handlers == []
    other = flow.add_task(Task("a"))
    assert flow.slugs[other] == "a-2"
    assert a in twin


# -- keeping ---------------------------------------------------------------------------------------------------------


def built_and_run() -> tuple[Flow, Task]:
    with Flow("kept") as flow:
        total = add([one(), 2][0], y=Parameter("y", default=5)) + one()
    flow.run()
    return flow, total


def test_a_flow_survives_cloudpickle_also_after_a_run() -> None:
    flow, _ = built_and_run()

    again = cloudpickle.loads(cloudpickle.dumps(flow))

    assert [again.slugs[each] for each in again] == [flow.slugs[each] for each in flow]
    (total,) = again.terminal_tasks()
    assert again.run(y=7).result[total].result == 9
    assert again.last_run is not None
    again.add_edge(total, Task("e"), key="x")
    assert len(again.edges_from(total)) == 1


def test_a_flow_can_be_pickled_while_its_block_is_open() -> None:
    with Flow("open") as flow:
        flow.add_task(Task("a"))
        again = pickle.loads(pickle.dumps(flow))
    assert [each.name for each in again] == ["a"]


def test_a_deep_copy_has_tasks_of_its_own() -> None:
    flow, _ = built_and_run()
    twin = copy.deepcopy(flow)
    assert not twin.tasks & flow.tasks
    assert sorted(twin.slugs.values()) == sorted(flow.slugs.values())
    assert twin.run().is_successful()


def test_a_value_in_the_place_of_a_task_takes_nothing_of_its_arguments() -> None:
    with Flow("value") as flow:
        first, other = same(1), same(2)
        last = same(first)
    flow.replace(first, [1, other])
    assert flow.run(show=False).result[last].result == [1, 2]


def test_an_executor_that_cannot_drive_is_refused() -> None:
    class Mine(Executor):
        pass

    with Flow("driven") as flow:
        one()
    with pytest.raises(UnknownArgument, match="cannot drive a run"):
        flow.run(executor=Mine(), show=False)  # type: ignore[abstract]  # what a user without mypy does
