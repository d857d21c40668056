"""The context: what people set and what a run works out, per thread, and gone at the end of the block."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import Any

import cloudpickle
import pytest

from flowbook import Flow, config, context, task
from flowbook.contexts import current_flow, current_frame, given_values, install_frame, restore_frame


def test_values_hold_inside_the_block_and_come_back_at_its_end() -> None:
    with context(a=1, b=2):
        with context({"a": 10}, c=3) as inner:
            assert inner is context
            assert (context.a, context["b"], context.get("c")) == (10, 2, 3)
        assert (context.a, context.get("c")) == (1, None)
    assert "a" not in context


def test_values_can_be_set_and_removed_inside_a_block() -> None:
    with context(a=1):
        context.a = 2
        context["b"] = 3
        context.update({"c": 4}, d=5)
        del context.a
        assert context.to_dict() == {"b": 3, "c": 4, "d": 5}
        assert sorted(context) == context.keys() == ["b", "c", "d"]
    assert context.to_dict() == {}


def test_a_block_ends_also_with_an_error() -> None:
    with pytest.raises(KeyError), context(a=1):
        raise KeyError
    assert "a" not in context


def test_a_value_that_is_not_there_is_named_with_its_nearest_neighbour() -> None:
    with context(country="NL"):
        with pytest.raises(
            AttributeError, match=r"nothing named 'contry' .* Did you mean 'country'\? Present now: country"
        ):
            context.contry  # noqa: B018 - looked at, not used
        with pytest.raises(KeyError, match="contry"):
            context["contry"]
        assert context.get("contry", "none") == "none"
    with pytest.raises(AttributeError, match="Present now: nothing"):
        context.anything  # noqa: B018


def test_the_settings_are_in_the_context() -> None:
    assert context.config is config
    with context(config="mine"):
        assert context.get("config") == "mine"


def test_a_dict_of_the_context_is_a_copy() -> None:
    with context(a=1):
        taken = context.copy()
        taken["a"] = 2
        assert context.a == 1
        assert repr(context) == "<Context: a>"


def test_the_context_is_pickled_by_its_name_and_its_values_stay_here() -> None:
    for dumps in (pickle.dumps, cloudpickle.dumps):
        with context(a="a value of this thread"):
            pickled = dumps(context)
        assert b"a value" not in pickled
        assert pickle.loads(pickled) is context
    with context(a=1):
        assert pickle.loads(pickle.dumps(context.to_dict())) == {"a": 1}


def test_threads_do_not_see_each_other_s_values() -> None:
    def look() -> None:
        seen.append(context.get("a"))
        with context(a="mine"):
            inside.wait(5)
            seen.append(context.a)

    seen: list[Any] = []
    inside = threading.Barrier(2)
    with context(a="theirs"):
        thread = threading.Thread(target=look)
        thread.start()
        inside.wait(5)
        thread.join()
        assert context.a == "theirs"
    assert seen == [None, "mine"]


def test_tasks_of_an_event_loop_do_not_see_each_other_s_values() -> None:
    async def look(value: int) -> int:
        with context(a=value):
            await asyncio.sleep(0)
            seen: int = context.a
            return seen

    async def everybody() -> list[int]:
        return await asyncio.gather(*(look(value) for value in range(5)))

    assert asyncio.run(everybody()) == [0, 1, 2, 3, 4]


class Answers:
    """A frame, as the engine puts one on a thread that runs a body."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def lookup(self, key: str) -> Any:
        return self.values[key]

    def keys(self) -> list[str]:
        return list(self.values)


def test_what_people_give_beats_what_a_run_works_out_but_for_the_run_s_parameters() -> None:
    token = install_frame(Answers(today="2026-11-22", task_name="add", parameters={"x": 1}))
    try:
        with context(today="1979-10-12", parameters={"x": 2}, more=3):
            assert (context.today, context.task_name, context.parameters, context.more) == (
                "1979-10-12",
                "add",
                {"x": 1},
                3,
            )
            assert set(context) == {"today", "task_name", "parameters", "more"}
    finally:
        restore_frame(token)
    assert current_frame() is None
    with context(parameters={"x": 2}):
        assert context.parameters == {"x": 2}


def test_an_open_block_of_a_flow_is_in_the_context_and_does_not_show_its_private_parts() -> None:
    with Flow("open") as flow:
        assert current_flow() is flow
        assert context.to_dict() == {"flow": flow}
        assert context.given() == {}
        assert given_values()["flow"] is flow
    assert current_flow() is None


def test_a_body_asks_the_context_about_its_run() -> None:
    @task(name="asks", tags=["curious"])
    def ask() -> dict[str, Any]:
        return {key: context.get(key) for key in ("flow_name", "task_name", "task_tags", "task_run_count", "country")}

    flow = Flow("questions", tasks=[ask])
    with context(country="NL"):
        answers = flow.run().result[ask].result

    assert answers == {
        "flow_name": "questions",
        "task_name": "asks",
        "task_tags": {"curious"},
        "task_run_count": 1,
        "country": "NL",
    }
    assert context.get("task_name") is None


def test_setdefault_adds_what_is_not_there() -> None:
    with context(a=1):
        assert (context.setdefault("a", 2), context.setdefault("b", 3), context.b) == (1, 3, 3)
    assert "b" not in context


def test_a_given_date_can_be_compared_with_the_time_of_the_run() -> None:
    seen: list[Any] = []

    @task
    def look() -> None:
        seen.append(context.scheduled_start_time - context.date)

    with Flow("date") as flow:
        look()
    assert flow.run(show=False, context={"date": "2020-01-01"}).is_successful()
    assert seen[0].days > 365
