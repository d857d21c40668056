"""Operators on tasks, and the collections and constants that plain values become."""

from __future__ import annotations

import operator
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from flowbook import Edge, Flow, Parameter, Task, as_task, task
from flowbook.results import PrefectResult
from flowbook.tasks.core.collections import Constant, Dict, List, Set, Tuple, holds_tasks
from flowbook.tasks.core.operators import GetAttr, GetItem


@task
def value(x: Any) -> Any:
    return x


def outcome(build: Callable[[], Task]) -> Any:
    """Return the result of the task that a function builds inside a flow."""
    with Flow("outcome") as flow:
        built = build()
    state = flow.run()
    assert state.is_successful(), state.result[built].result
    return state.result[built].result


# -- operators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        operator.add,
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.floordiv,
        operator.mod,
        operator.pow,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
    ],
)
def test_operators_work_on_two_tasks_and_with_a_value_on_either_side(function: Callable[[Any, Any], Any]) -> None:
    wanted = function(7, 2)
    assert outcome(lambda: function(value(7), value(2))) == wanted
    assert outcome(lambda: function(value(7), 2)) == wanted
    assert outcome(lambda: function(7, value(2))) == wanted


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda: value(1) & value(2), 2),
        (lambda: value(0) & 2, 0),
        (lambda: 0 & value(2), 0),
        (lambda: value(0).or_(2), 2),
        (lambda: value(1).or_(value(2)), 1),
        (lambda: value(1).is_equal(1), True),
        (lambda: value(1).is_equal(value(2)), False),
        (lambda: value(1).is_not_equal(2), True),
        (lambda: value(1).not_(), False),
        (lambda: value([]).not_(), True),
        (lambda: value({"a": 1})["a"], 1),
        (lambda: value([10, 20])[value(1)], 20),
        (lambda: value([10, 20, 30])[1:], [20, 30]),
        (lambda: (value(1) + 2) * value(3), 9),
    ],
)
def test_operators_and_methods_give_what_they_give_on_values(build: Callable[[], Task], wanted: Any) -> None:
    assert outcome(build) == wanted


def test_equality_of_tasks_is_identity() -> None:
    with Flow("same"):
        one, other = value(1), value(1)
        assert (one == other) is False
        assert (one != other) is True
        assert one in [other, one]


def test_an_item_is_named_after_task_and_key() -> None:
    place = PrefectResult()
    with Flow("items"):
        made = value({"a": 1}, task_args={"name": "table", "checkpoint": False, "result": place})
        by_text, by_number, by_task = made["a"], made[0], made[value("a")]

    assert (by_text.name, by_number.name, by_task.name) == ("table['a']", "table[0]", "table[value]")
    assert isinstance(by_text, GetItem)
    assert (by_text.checkpoint, by_text.result) == (False, place)


def test_attributes_are_reached_with_getattr_also_through_dots() -> None:
    person = SimpleNamespace(name="Ford", ship=SimpleNamespace(name="Heart of Gold"))
    assert outcome(lambda: GetAttr()(value(person), "name")) == "Ford"
    assert outcome(lambda: GetAttr()(value(person), "ship.name")) == "Heart of Gold"
    assert outcome(lambda: GetAttr()(value(person), value("ship.name"))) == "Heart of Gold"
    assert outcome(lambda: GetAttr()(value(person), "towel", default="none")) == "none"


def test_a_missing_attribute_fails_the_task() -> None:
    with Flow("missing") as flow:
        missing = GetAttr()(value(1), "towel")
    assert isinstance(flow.run().result[missing].result, AttributeError)


@pytest.mark.parametrize(
    "build", [lambda one: one + 1, lambda one: one["a"], Task.not_, lambda one: one < 1, lambda one: one.is_equal(1)]
)
def test_operators_need_a_flow(build: Callable[[Task], Task]) -> None:
    with pytest.raises(ValueError, match="inside `with Flow"):
        build(Task("one"))


def test_operators_work_on_parameters() -> None:
    with Flow("parameters") as flow:
        x = Parameter("x")
        doubled, first, same = x * 2, x[0], x.is_equal([3])
    result = flow.run(x=[3]).result
    assert (result[doubled].result, result[first].result, result[same].result) == ([3, 3], 3, True)


@pytest.mark.parametrize(
    "use",
    [bool, lambda one: not one, lambda one: one and 1, lambda one: 1 < one < 3, lambda one: "a" if one else "b"],
)
def test_a_task_has_no_truth_value_while_the_flow_is_built(use: Callable[[Task], Any]) -> None:
    with Flow("truth"):
        one = value(1)
        with pytest.raises(
            TypeError,
            match=r"has no truth value.*Branch with `with flowbook\.case\(task, value\):` or inside a task.*SKIP",
        ):
            use(one)


# -- collections -----------------------------------------------------------------------------------------------------

Point = namedtuple("Point", "x y")  # noqa: PYI024 - one that says nothing of types, as people write them


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda: [value(1), 2, value(3)], [1, 2, 3]),
        (lambda: (0, value(1)), (0, 1)),
        (lambda: {value(1), 2}, {1, 2}),
        (lambda: frozenset({value(1), 2}), {1, 2}),
        (lambda: {"a": value(1), "b": 2}, {"a": 1, "b": 2}),
        (lambda: {value("a"): 1}, {"a": 1}),
        (lambda: [{"a": (value(1), [value(2)])}, 3], [{"a": (1, [2])}, 3]),
        (lambda: Point(value(1), 2), (1, 2)),
        (lambda: OrderedDict(b=value(1), a=2), {"b": 1, "a": 2}),
        (lambda: [value(number) if number % 3 else number for number in range(25)], list(range(25))),
    ],
)
def test_collections_that_hold_tasks_gather_their_results_in_order(build: Callable[[], Any], wanted: Any) -> None:
    assert outcome(lambda: value(build())) == wanted


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (lambda: [value(1)], List),
        (lambda: (value(1),), Tuple),
        (lambda: {value(1)}, Set),
        (lambda: {"a": value(1)}, Dict),
        (lambda: [1, (2, {"a": 3})], Constant),
        (lambda: 5, Constant),
        (lambda: None, Constant),
    ],
)
def test_values_become_tasks_of_their_kind(build: Callable[[], Any], kind: type[Task]) -> None:
    with Flow("kinds"):
        made = as_task(build())
    assert type(made) is kind
    assert made.auto_generated
    assert not value.auto_generated


def test_a_task_stays_the_task_it_is() -> None:
    one = Task()
    assert as_task(one) is one


def test_values_can_become_tasks_of_a_flow_that_is_given() -> None:
    flow, one = Flow("given"), Task()
    gathered = as_task([one], flow=flow)
    assert flow.edges == {Edge(one, gathered, key="item_1")}
    with pytest.raises(ValueError, match="no flow"):
        as_task([one])


def test_a_collection_of_plain_values_is_one_constant() -> None:
    with Flow("plain") as flow:
        made = value([1, [2, 3], {"a": 4}])
    assert flow.tasks == {made}
    assert flow.constants == {made: {"x": [1, [2, 3], {"a": 4}]}}


def test_the_keys_of_a_dict_are_no_task_of_their_own() -> None:
    with Flow("dict") as flow:
        value({"a": value(1)})
    assert sorted(type(each).__name__ for each in flow.tasks) == ["Dict", "FunctionTask", "FunctionTask", "List"]


def test_a_constant_is_a_node_only_where_it_has_to_be() -> None:
    with Flow("constants") as flow:
        keyed = value(Constant(1))
        waited_for = value(2, upstream_tasks=[Constant(3)])
        mapped = value(Constant([4]), mapped=True)
        shared = flow.add_task(Constant(5))
        by_hand = value(shared)

    assert flow.upstream_tasks(keyed) == set()
    assert [each.value for each in flow.upstream_tasks(waited_for)] == [3]  # type: ignore[attr-defined]
    assert [each.value for each in flow.upstream_tasks(mapped)] == [[4]]  # type: ignore[attr-defined]
    assert flow.upstream_tasks(by_hand) == {shared}
    assert flow.constants == {keyed: {"x": 1}, waited_for: {"x": 2}}


def test_constants_are_named_after_the_type_of_their_value() -> None:
    assert [Constant(given).name for given in (1, "a", [1])] == ["int", "str", "list"]
    assert Constant(1, name="one").name == "one"


def test_looking_for_tasks_ends_in_values_that_hold_themselves() -> None:
    endless: list[Any] = [1]
    endless.append(endless)
    assert not holds_tasks(endless)
    endless.append(Task())
    assert holds_tasks(endless)
    with Flow("endless"), pytest.raises(ValueError, match="holds a task and itself"):
        value(endless)


def test_a_flow_with_collections_is_in_an_order_in_which_it_can_run() -> None:
    with Flow("order") as flow:
        value([value(1), {"a": value(2)}])
    assert list(flow.nodes) == list(flow.sorted_tasks())
