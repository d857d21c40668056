"""Control flow: cases, switches, merges and filters, as edges and as states of a run."""

from __future__ import annotations

import contextlib
import logging
import pickle
from typing import Any

import pytest

from flowbook import Edge, Flow, Parameter, Task, as_task, case, mapped, signals, task, triggers
from flowbook.errors import FlowError
from flowbook.states import Failed, Skipped, Success, TriggerFailed
from flowbook.tasks.control_flow import CompareValue, FilterTask, Merge, ifelse, merge, switch
from flowbook.tasks.core.collections import Constant


@task
def identity(x: Any) -> Any:
    return x


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def fail() -> None:
    raise ValueError("no")


@task
def skip() -> None:
    raise signals.SKIP("left out")


def only_condition(flow: Flow) -> CompareValue:
    (found,) = [node for node in flow.tasks if isinstance(node, CompareValue)]
    return found


def states(flow: Flow, **parameters: Any) -> Any:
    return flow.run(show=False, **parameters).result


# -- case: edges -----------------------------------------------------------------------------------------------------


def test_only_tasks_with_nothing_upstream_in_the_block_wait_for_the_condition() -> None:
    with Flow("case") as flow:
        cond, outside = identity(1), identity(2)
        with case(cond, 1):
            first = add(outside)
            second = add(first)
            third = add(second, outside)
    compared = only_condition(flow)
    assert flow.edges_to(compared) == {Edge(cond, compared, "value")}
    assert flow.downstream_tasks(compared) == {first}
    assert Edge(compared, first) in flow.edges
    assert flow.upstream_tasks(third) == {second, outside}
    assert (compared.name, compared.tags) == ("CompareValue: 1", {"case"})


def test_an_empty_block_adds_nothing() -> None:
    with Flow("empty") as flow:
        cond = identity(1)
        with case(cond, 1):
            pass
    assert flow.tasks == {cond}


def test_parameters_and_constants_stay_outside_of_a_block() -> None:
    with Flow("outside") as flow:
        cond = identity(1)
        with case(cond, 1):
            x = Parameter("x")
            sums = add(x, [1])
            constant = flow.add_task(Constant(5))
            mapped_sums = add.map([1, 2])
    compared = only_condition(flow)
    assert flow.downstream_tasks(compared) == {sums, mapped_sums}
    assert flow.upstream_tasks(constant) == flow.upstream_tasks(x) == set()
    assert not next(edge for edge in flow.edges_to(mapped_sums) if edge.key is None).mapped


def test_only_parameters_inside_are_as_good_as_nothing() -> None:
    with Flow("empty") as flow:
        cond = identity(1)
        with case(cond, 1):
            x = Parameter("x")()
    assert flow.tasks == {cond, x}


def test_tasks_that_were_there_before_do_not_join() -> None:
    with Flow("before") as flow:
        cond, before = identity(1), identity(2)
        with case(cond, 1):
            flow.add_task(before)
            after = add(before)
    assert flow.downstream_tasks(only_condition(flow)) == {after}


def test_the_order_of_tasks_is_the_one_they_are_read_in() -> None:
    with Flow("order") as flow:
        cond = identity(1)
        with case(cond, 1):
            inside = add(1)
    assert list(flow.nodes) == [cond, only_condition(flow), inside]


def test_blocks_nest_and_the_inner_condition_waits_for_the_outer_one() -> None:
    with Flow("nested") as flow:
        one, two = identity(1), identity(2)
        with case(one, 1):
            with case(two, 2):
                inner = add(1)
            outer = add(2)
    outer_condition, inner_condition = (
        next(node for node in flow.tasks if node.name == name) for name in ("CompareValue: 1", "CompareValue: 2")
    )
    assert flow.downstream_tasks(outer_condition) == {inner_condition, outer}
    assert flow.downstream_tasks(inner_condition) == {inner}


def test_a_condition_made_in_the_outer_block_is_followed() -> None:
    with Flow("nested") as flow:
        one = identity(1)
        with case(one, 1):
            two = add(one)
            with case(two, 2):
                inner = add(5)
    (second,) = flow.upstream_tasks(inner)
    assert flow.upstream_tasks(second) == {two}
    assert isinstance(second, CompareValue)


def test_a_block_has_tasks_of_one_flow() -> None:
    other = Flow("other")
    with Flow("one"):
        cond = identity(1)
        with case(cond, 1):
            add(1)
            with pytest.raises(ValueError, match=r"task 'add' of flow 'other' was made inside case\(.*flow 'one'"):
                add(1, flow=other)
    assert other.tasks == set()


def test_the_value_of_a_case_is_no_task() -> None:
    with Flow("value"):
        cond = identity(1)
        with pytest.raises(TypeError, match=r"the value of case\(.*\) is a task, whose result is not known yet"):
            case(cond, cond)


def test_a_case_decides_about_the_whole_block() -> None:
    with pytest.raises(TypeError, match=r"flowbook\.apply_map"):
        case(mapped(identity), 1)


def test_tasks_join_a_case_imperatively() -> None:
    flow, cond, first, second = Flow("imperative"), identity.copy(), add.copy(), add.copy()
    branch = case(cond, 1)
    branch.add_task(first, flow)
    second.bind(first, flow=flow)
    branch.add_task(second, flow)
    branch.add_task(Parameter("x"), flow)
    compared = only_condition(flow)
    assert flow.edges == {Edge(cond, compared, "value"), Edge(compared, first), Edge(first, second, "x")}


def test_a_case_can_be_opened_again() -> None:
    with Flow("again") as flow:
        cond = identity(1)
        branch = case(cond, 1)
        with branch:
            first = add(1)
        outside = add(2)
        with branch:
            second = add(3)
    assert flow.downstream_tasks(only_condition(flow)) == {first, second}
    assert flow.upstream_tasks(outside) == set()


def test_a_block_that_breaks_off_leaves_no_block_open() -> None:
    with Flow("broken") as flow:
        cond = identity(1)
        with contextlib.suppress(TypeError), case(cond, 1):
            add(1)
            add()
        add(2)
    assert [flow.upstream_tasks(sums) for sums in flow.get_tasks(name="add")] == [set(), set()]


# -- case: runs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "runs"), [("a", "a"), ("b", "b"), ("z", None)])
def test_tasks_of_a_case_run_only_for_its_value(value: str, runs: str | None) -> None:
    with Flow("cases") as flow:
        x = Parameter("x")
        with case(x, "a"):
            a = identity("ran a")
            after_a = identity(a)
        with case(x, "b"):
            b = identity("ran b")
        end = merge(after_a, b)
    result = states(flow, x=value)
    assert result[after_a].is_skipped() == (runs != "a")
    assert result[b].is_skipped() == (runs != "b")
    assert result[end].result == (f"ran {runs}" if runs else None)
    assert result[end].is_skipped() == (runs is None)


def test_a_skipped_case_says_what_it_is_for() -> None:
    with Flow("words") as flow:
        cond = identity(1)
        with case(cond, "one"):
            identity(2)
    state = states(flow)[only_condition(flow)]
    assert isinstance(state, Skipped)
    assert state.message == "The result is 1, and this branch is for 'one'."


@pytest.mark.parametrize(
    ("value", "wanted", "matches"),
    [(None, None, True), (True, 1, True), ([1], [1], True), ("a", None, False), (float("nan"), float("nan"), False)],
)
def test_a_case_compares_with_equality(value: Any, wanted: Any, matches: bool) -> None:
    with Flow("equal") as flow:
        cond = identity(value)
        with case(cond, wanted):
            inside = identity(2)
    assert states(flow)[inside].is_skipped() != matches


def test_an_object_is_its_own_value_even_when_it_cannot_be_compared() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("never")

        __hash__ = None  # type: ignore[assignment]  # as arrays

    odd = Odd()
    CompareValue(odd).run(odd)
    with pytest.raises(TypeError, match="Compare in a task of your own"):
        CompareValue(odd).run(Odd())


def test_a_failed_condition_fails_what_is_inside() -> None:
    with Flow("failed") as flow:
        cond = fail()
        with case(cond, 1):
            inside = identity(2)
    assert isinstance(states(flow)[inside], TriggerFailed)


def test_a_task_that_does_not_mind_skips_runs_whatever_the_case_says() -> None:
    with Flow("mind") as flow:
        cond = identity(1)
        with case(cond, 2):
            inside = identity(2, task_args={"skip_on_upstream_skip": False})
    assert states(flow)[inside].result == 2


# -- switch and ifelse -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a", "b", "z"])
def test_a_switch_runs_the_task_of_the_value(value: str) -> None:
    with Flow("switch") as flow:
        x = Parameter("x")
        branches = {key: identity(key.upper()) for key in "ab"}
        switch(x, branches)
        end = merge(*branches.values())
    compared = flow.get_tasks(task_type=CompareValue)
    assert [found.name for found in compared] == ["CompareValue: 'a'", "CompareValue: 'b'"]
    assert all(found.tags == {"switch"} for found in compared)
    result = states(flow, x=value)
    assert {key: result[branch].is_skipped() for key, branch in branches.items()} == {key: key != value for key in "ab"}
    assert result[end].result == (value.upper() if value in "ab" else None)


def test_a_switch_takes_values_for_tasks() -> None:
    with Flow("values") as flow:
        switch(identity("a"), {"a": 1, "b": [2]})
    assert sorted(str(found.value) for found in flow.get_tasks(task_type=Constant) if isinstance(found, Constant)) == [
        "1",
        "[2]",
    ]


def test_a_switch_that_cannot_be_meant_is_refused() -> None:
    with Flow("refused"):
        cond = identity(1)
        with pytest.raises(TypeError, match="the cases of a switch are a dict"):
            switch(cond, [add])  # type: ignore[arg-type]  # what people get wrong
        with pytest.raises(TypeError, match="as a case of a switch is a task"):
            switch(cond, {add: add})
    with pytest.raises(ValueError, match="could not infer an active flow for switch"):
        switch(cond, {1: add})
    with pytest.raises(ValueError, match="could not infer an active flow for ifelse"):
        ifelse(cond, add, add)


@pytest.mark.parametrize(("value", "is_true"), [(True, True), (1, True), ([], False), (None, False), ("no", True)])
def test_ifelse_asks_for_the_truth_of_a_condition(value: Any, is_true: bool) -> None:
    with Flow("ifelse") as flow:
        cond = identity(value)
        yes, no = identity("yes"), identity("no")
        ifelse(cond, yes, no)
        end = merge(yes, no)
    result = states(flow)
    assert result[end].result == ("yes" if is_true else "no")
    assert result[yes].is_skipped() != is_true
    assert result[no].is_skipped() == is_true


def test_a_branch_may_be_nothing() -> None:
    with Flow("nothing") as flow:
        cond = identity(1)
        ifelse(cond, None, None)
        assert flow.tasks == {cond}
        no = identity("no")
        ifelse(cond, None, no)
    assert [found.value for found in flow.get_tasks(task_type=CompareValue) if isinstance(found, CompareValue)] == [
        False
    ]
    assert states(flow)[no].is_skipped()


def test_mapped_branches_have_mapped_conditions() -> None:
    with Flow("mapped") as flow:
        xs = identity([0, 1])
        yes, no = identity.map(xs), add.map(xs)
        ifelse(xs, yes, no, mapped=True)
        end = merge(yes, no, mapped=True)
    assert all(edge.mapped for edge in flow.edges)
    assert {edge.key for edge in flow.edges_to(end)} == {"task_1", "task_2"}
    assert {edge.key for edge in flow.edges_to(yes)} == {"x", None}


# -- merge -----------------------------------------------------------------------------------------------------------


def test_merge_takes_the_first_result_that_is_there() -> None:
    with Flow("merge") as flow:
        nothing, zero, one = identity(None), identity(0), identity(1)
        end = merge(nothing, zero, one)
        value = merge(nothing, "otherwise")
    result = states(flow)
    assert (result[end].result, result[value].result) == (0, "otherwise")


@pytest.mark.parametrize("there", [1, 2, 9, 10, 11, 12])
def test_merge_keeps_the_order_of_many_branches(there: int) -> None:
    with Flow("many") as flow:
        branches = [identity(number if number >= there else None) for number in range(1, 13)]
        end = merge(*branches)
        mixed = merge(*branches[:9], 100, *branches[9:])
    result = states(flow)
    assert result[end].result == there
    assert result[mixed].result == (there if there < 10 else 100)


def test_merge_is_skipped_only_when_all_branches_are_and_fails_with_one_that_failed() -> None:
    with Flow("states") as flow:
        none, some, bad = merge(skip(), skip()), merge(skip(), identity(None)), merge(skip(), fail())
    result = states(flow)
    assert isinstance(result[none], Skipped)
    assert (type(result[some]), result[some].result) == (Success, None)
    assert isinstance(result[bad], TriggerFailed)


def test_merge_goes_on_with_what_cannot_be_compared() -> None:
    class Uncomparable:
        def __eq__(self, other: object) -> bool:
            raise TypeError("ambiguous")

        __hash__ = None  # type: ignore[assignment]  # as arrays

    value = Uncomparable()
    assert Merge().run(task_1=None, task_2=value) is value


def test_merge_takes_the_options_of_a_task() -> None:
    flow = Flow("options")
    end = merge(identity.copy(), flow=flow, name="both", checkpoint=False, tags=["end"])
    assert (end.name, end.checkpoint, end.tags) == ("both", False, {"end"})
    assert end in flow.tasks
    assert end.trigger is triggers.not_all_skipped
    assert not end.skip_on_upstream_skip
    assert merge(1, flow=flow, trigger=triggers.all_finished).trigger is triggers.all_finished
    with pytest.raises(ValueError, match="a merge cannot have skip_on_upstream_skip=True"):
        merge(1, flow=flow, skip_on_upstream_skip=True)
    with pytest.raises(FlowError, match=r"no flow to bind task 'Merge' in"):
        merge(1)


def test_merge_in_a_case_follows_what_is_upstream() -> None:
    with Flow("inside") as flow:
        cond, outside = identity(1), identity("outside")
        with case(cond, 2):
            inside = identity("inside")
            end = merge(inside, outside)
    assert states(flow)[end].result == "outside"


# -- filter ----------------------------------------------------------------------------------------------------------


def test_a_filter_keeps_what_is_a_result() -> None:
    with Flow("filter") as flow:
        bad, good, none = fail(), identity(0), identity(None)
        kept = FilterTask()([bad, good, none, skip()])
    # a plain list of tasks is not gathered when one of them failed: what is upstream of the filter is the list
    assert isinstance(states(flow)[kept], Failed)
    assert FilterTask().run([1, None, KeyError(), signals.SKIP(), 0, ""]) == [1, 0, ""]
    assert FilterTask(filter_func=bool).run([1, None, 0, "a"]) == [1, "a"]


def test_a_filter_runs_whatever_is_upstream() -> None:
    made = FilterTask()
    assert made.trigger is triggers.all_finished
    assert not made.skip_on_upstream_skip
    other = FilterTask(trigger=triggers.all_successful, skip_on_upstream_skip=True, name="strict")
    assert (other.trigger, other.skip_on_upstream_skip, other.name) == (triggers.all_successful, True, "strict")


def test_a_filter_logs_what_it_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    made = FilterTask(filter_func=bool, log_func=lambda x: f"without {x!r}")
    logger = logging.getLogger("filter under test")
    made.logger = logger
    with caplog.at_level("INFO", logger.name):
        made.run([1, 0, None])
    assert caplog.messages == ["without 0", "without None"]


def test_the_functions_of_a_filter_are_functions() -> None:
    with pytest.raises(TypeError, match="filter_func=3 is not a function of one result"):
        FilterTask(filter_func=3)  # type: ignore[arg-type]  # what people get wrong
    with pytest.raises(TypeError, match="log_func='x' is not a function"):
        FilterTask(log_func="x")  # type: ignore[arg-type]  # likewise


# -- all of it -------------------------------------------------------------------------------------------------------


def test_the_names_stand_where_programs_look_for_them() -> None:
    import importlib

    import flowbook

    for path, names in {
        "flowbook.tasks.control_flow": ["case", "switch", "ifelse", "merge", "FilterTask"],
        "flowbook.tasks.control_flow.case": ["case"],
        "flowbook.tasks.control_flow.conditional": ["switch", "ifelse", "merge", "CompareValue", "Merge"],
        "flowbook.tasks.control_flow.filter": ["FilterTask"],
    }.items():
        module = importlib.import_module(path)
        assert all(hasattr(module, name) for name in names)
    assert flowbook.case is case


def test_tasks_of_control_flow_survive_pickle() -> None:
    for made in (CompareValue([1]), Merge(), FilterTask()):
        again: Task = pickle.loads(pickle.dumps(made))
        assert (type(again), again.name) == (type(made), made.name)


def test_a_flow_with_branches_can_be_drawn() -> None:
    with Flow("drawn") as flow:
        cond = identity(1)
        with case(cond, 1):
            a = add(1)
        merge(a, as_task("b"))
    assert "CompareValue" in flow.to_mermaid()
