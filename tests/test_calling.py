"""Calling, copying, binding: how tasks get into a flow and what becomes of the ones they were made from."""

from __future__ import annotations

import datetime as dt
import threading
import warnings
from typing import Any

import pytest

from flowbook import Edge, Flow, Task, tags, task, triggers
from flowbook.tasks.core.collections import Constant


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def one() -> int:
    return 1


# -- calling ---------------------------------------------------------------------------------------------------------


def test_a_call_makes_a_copy_and_the_original_stays_outside() -> None:
    with Flow("calls") as flow:
        first, second = add(1), add(2)

    assert len({first, second, add}) == 3
    assert flow.tasks == {first, second}
    assert add not in flow
    assert flow.constants == {first: {"x": 1}, second: {"x": 2}}


def test_a_call_needs_a_flow_and_says_how_to_run_the_function_itself() -> None:
    with pytest.raises(ValueError, match=r"could not infer an active flow for task 'add'.*call \.run\(\) on the task"):
        add(1)


def test_a_call_takes_a_flow_by_hand() -> None:
    flow = Flow("by hand")
    total = add(1, flow=flow)
    assert flow.tasks == {total}


def test_arguments_are_checked_when_the_task_is_called() -> None:
    with Flow("wrong") as flow:
        for args, kwargs in [((), {}), ((), {"y": 1}), ((1, 2, 3), {}), ((1,), {"z": 1}), ((1,), {"x": 1})]:
            with pytest.raises(TypeError, match=r"^task 'add': .*It takes \(x: 'int', y: 'int' = 1\)"):
                add(*args, **kwargs)  # type: ignore[arg-type]

    assert flow.tasks == set()


def test_task_args_sets_attributes_on_the_copy_alone() -> None:
    with Flow("options") as flow:
        special = add(1, task_args={"name": "special", "trigger": triggers.any_failed, "tags": ["a"], "nout": 2})

    assert (special.name, special.trigger, special.tags, special.nout) == (
        "special",
        triggers.any_failed,
        {"a"},
        2,
    )
    assert (add.name, add.trigger, add.tags, add.nout) == ("add", triggers.all_successful, set(), None)
    assert flow.slugs[special] == "special-a-1"


@pytest.mark.parametrize(
    ("task_args", "error", "words"),
    [
        ({"colour": "red"}, AttributeError, "task 'add' has no attribute 'colour' to set. Known: .*trigger"),
        ({"triger": triggers.any_failed}, AttributeError, "Did you mean 'trigger'"),
        ({"max_retries": 1}, ValueError, "needs a retry_delay"),
        ({"retry_delay": dt.timedelta(1)}, ValueError, "needs max_retries"),
        ({"timeout": 1.5}, TypeError, "whole number of seconds"),
        ({"trigger": "any_failed"}, TypeError, "not a function"),
        ({"tags": "slow"}, TypeError, "one text"),
        ({"state_handlers": print}, TypeError, "list of functions"),
        ({"nout": "2"}, TypeError, "whole number"),
    ],
)
def test_task_args_are_checked_like_options(task_args: dict[str, Any], error: type[Exception], words: str) -> None:
    with Flow("options") as flow, pytest.raises(error, match=words):
        add(1, task_args=task_args)
    assert flow.tasks == set()


def test_retries_can_be_taken_back_on_a_copy() -> None:
    patient = task(add.run, max_retries=3, retry_delay=dt.timedelta(seconds=1))
    assert patient.copy(max_retries=0).max_retries == 0
    assert patient.copy(timeout=dt.timedelta(minutes=1)).timeout == 60


# -- copying ---------------------------------------------------------------------------------------------------------


def test_what_is_set_on_one_copy_is_seen_by_nobody_else() -> None:
    original = Task(name="original", tags=["a"])
    first, second = original.copy(), original.copy()

    first.name = "first"
    second.tags.add("b")
    original.timeout = 5
    first.colour = "red"  # type: ignore[attr-defined]
    third = first.copy()
    del first.colour  # type: ignore[attr-defined]

    assert [each.name for each in (original, first, second, third)] == ["original", "first", "original", "first"]
    assert [each.tags for each in (original, first, second, third)] == [{"a"}, {"a"}, {"a", "b"}, {"a"}]
    assert [each.timeout for each in (original, first, second, third)] == [5, None, None, None]
    assert third.colour == "red"  # type: ignore[attr-defined]
    assert not hasattr(first, "colour")


def test_a_copy_of_a_task_with_a_slug_gets_a_slug_of_its_own() -> None:
    named = Task(slug="load")
    assert named.copy().slug == "load-copy"
    assert named.copy(slug="other").slug == "other"
    assert named.slug == "load"


def test_copying_a_task_that_has_edges_here_warns_that_they_stay_behind() -> None:
    with Flow("edges") as flow:
        total = add(one())
        with pytest.warns(UserWarning, match="'add' already has edges in flow 'edges'; the copy starts without them"):
            twin = flow.add_task(total.copy())
        with pytest.warns(UserWarning, match="already has edges"):
            total(5)
    with warnings.catch_warnings(), Flow("elsewhere"):
        warnings.simplefilter("error")
        total(5)  # the edges are those of another flow

    assert flow.edges_to(twin) == set()


# -- binding ---------------------------------------------------------------------------------------------------------


def test_bind_makes_no_copy_and_can_be_chained() -> None:
    flow = Flow("bind")
    total = add.copy()

    assert total.bind(1, y=2, flow=flow) is total
    assert flow.tasks == {total}
    assert flow.constants == {total: {"x": 1, "y": 2}}


def test_a_task_may_be_bound_in_two_flows() -> None:
    total = add.copy()
    with Flow("first") as first:
        total.bind(1)
    with Flow("second") as second:
        total.bind(2)

    assert (first.run().result[total].result, second.run().result[total].result) == (2, 3)


def test_binding_an_argument_twice_is_refused_only_while_edges_are_validated() -> None:
    flow = Flow("twice")
    total, upstream = add.copy().bind(1, flow=flow), one.copy()
    total.bind(2, flow=flow)
    assert flow.constants == {total: {"x": 2}}

    with pytest.raises(ValueError, match=r"argument 'x' of task 'add' is already bound to 2\. Copy the task"):
        total.set_dependencies(flow=flow, keyword_tasks={"x": upstream}, validate=True)

    total.set_dependencies(flow=flow, keyword_tasks={"x": upstream})
    with pytest.raises(ValueError, match="'x' of task 'add' is bound more than once: to 2 and the result of 'one'"):
        flow.run()


def test_a_name_that_cannot_be_an_argument_is_refused_whatever_is_bound_to_it() -> None:
    @task
    def collect(**things: object) -> object:
        return things

    for value in (1, one.copy(), [one.copy()]):
        with pytest.raises(ValueError, match="'two words' cannot be the key of an edge"):
            collect.copy().bind(flow=Flow("keys"), **{"two words": value})  # type: ignore[arg-type]


def test_what_is_upstream_is_added_first_so_that_the_flow_is_in_an_order_in_which_it_can_run() -> None:
    with Flow("order") as flow:
        total, first, second = add.copy(), one.copy(), one.copy()
        total.bind(first, upstream_tasks=[second])
    assert list(flow.nodes) == [first, second, total]


def test_missing_arguments_are_found_when_binding() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        add.copy().bind(flow=Flow("bind"))


def test_bind_needs_a_flow() -> None:
    with pytest.raises(ValueError, match=r"no flow to bind task 'add' in: .* or pass flow="):
        add.copy().bind(1)


def test_several_tasks_bound_to_themselves_are_refused() -> None:
    flow = Flow("self")
    total = add.copy()
    with pytest.raises(ValueError, match=r"'add' cannot depend on itself. Copy it first"):
        total.bind(x=total, flow=flow)


# -- dependencies ----------------------------------------------------------------------------------------------------


def test_dependencies_can_be_chained_and_have_a_key_or_none() -> None:
    flow = Flow("dependencies")
    a, b, c = one.copy(), add.copy(), add.copy()

    assert b.set_upstream(a, flow=flow).set_downstream(c, flow=flow, key="x") is b

    assert flow.edges == {Edge(a, b), Edge(b, c, key="x")}


def test_dependencies_convert_plain_values() -> None:
    with Flow("values") as flow:
        total = add.copy().set_dependencies(upstream_tasks=[[1, 2]], keyword_tasks={"x": 5, "y": one})

    (constant,) = flow.upstream_tasks(total) - {one}
    assert isinstance(constant, Constant)
    assert flow.edges == {Edge(constant, total), Edge(one, total, key="y")}
    assert flow.constants == {total: {"x": 5}}


def test_mapped_is_for_what_is_upstream() -> None:
    a, b, c, d = (Task(name) for name in "abcd")
    with Flow("mapped") as flow:
        b.set_dependencies(upstream_tasks=[a], downstream_tasks=[c], keyword_tasks={"x": d}, mapped=True)

    assert flow.edges == {Edge(a, b, mapped=True), Edge(d, b, key="x", mapped=True), Edge(b, c)}


@pytest.mark.parametrize("argument", ["upstream_tasks", "downstream_tasks"])
def test_one_task_where_a_list_belongs_is_refused(argument: str) -> None:
    words = rf"{argument}=<Task: a> is one task; give a list: {argument}=\[a\]"
    with pytest.raises(TypeError, match=words):
        Task("b").set_dependencies(flow=Flow("one"), **{argument: Task("a")})  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["set_upstream", "set_downstream"])
def test_dependencies_need_a_flow(method: str) -> None:
    with pytest.raises(ValueError, match="no flow to set the dependencies of task"):
        getattr(Task("a"), method)(Task("b"))
    with pytest.raises(ValueError, match="no flow"):
        Task("a").set_dependencies(upstream_tasks=[Task("b")])


def test_upstream_tasks_of_a_call_are_waited_for() -> None:
    with Flow("waits") as flow:
        first = one()
        second = one(upstream_tasks=[first, "a value"])

    (constant,) = flow.upstream_tasks(second) - {first}
    assert flow.edges == {Edge(first, second), Edge(constant, second)}


# -- the pipe and the bar --------------------------------------------------------------------------------------------


def test_pipe_hands_a_task_on_from_left_to_right() -> None:
    with Flow("pipe") as flow:
        total = one().pipe(add, y=10).pipe(add, y=100)

    assert flow.run().result[total].result == 111


def test_pipe_takes_anything_that_can_be_called() -> None:
    assert one.pipe(lambda given, other: (given, other), other=2) == (one, 2)


def test_pipe_cannot_pass_a_keyword_called_self() -> None:
    with pytest.raises(ValueError, match="keyword called 'self'"):
        one.pipe(add, self=1)


def test_a_bar_lets_the_right_side_wait_for_the_left_side() -> None:
    a, b, c = (Task(name) for name in "abc")
    with Flow("bar") as flow:
        assert (a | b | c) is c

    assert flow.edges == {Edge(a, b), Edge(b, c)}


def test_a_bar_takes_a_value_on_the_left() -> None:
    b, c = Task("b"), Task("c")
    with Flow("bar") as flow:
        assert (5 | b) is b
        assert ([b, 1] | c) is c

    (five,) = flow.upstream_tasks(b)
    assert isinstance(five, Constant)
    assert {type(each).__name__ for each in flow.upstream_tasks(c)} == {"List"}


# -- tasks and blocks ------------------------------------------------------------------------------------------------


def test_tasks_made_in_a_block_and_left_out_are_named_at_its_end() -> None:
    words = r"Flow\('left out'\)` but are not part of the flow: 'forgotten', 'copied'. Call"

    def leave_out() -> None:
        with Flow("left out"):
            Task("forgotten")
            Task("copied").copy()

    with pytest.warns(UserWarning, match=words):
        leave_out()


def test_a_task_that_was_called_or_copied_stands_for_the_one_it_was_made_from() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Flow("fine") as flow:
            Task("called")()
            flow.add_task(Task("copied").copy())
            Task("bound").bind()
            total = task(lambda x: x)(1) + 1
            Task("upstream").set_downstream(total)

    assert len(flow.tasks) == 6


def test_constants_may_be_left_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Flow("constants"):
            Constant(5)


def test_a_block_that_ends_with_an_error_does_not_warn_on_top() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KeyError), Flow("broken"):
            {Task("forgotten"): 1}["missing"]  # type: ignore[index]


def test_blocks_of_several_threads_do_not_mix() -> None:
    def build(number: int) -> None:
        with Flow(str(number)) as flow, tags(f"tag-{number}"):
            for _ in range(50):
                add(one())
        flows[number] = flow

    flows: dict[int, Flow] = {}
    threads = [threading.Thread(target=build, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {number: len(flow.tasks) for number, flow in flows.items()} == dict.fromkeys(range(4), 100)
    assert all(each.tags == {f"tag-{number}"} for number, flow in flows.items() for each in flow.tasks)
