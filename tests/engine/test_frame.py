"""The context of a run: what a body may ask, and what beats what."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest

from flowbook import Flow, Parameter, Task, config, context, task
from flowbook.engine.frame import NO_TASK, RunFrame, read_date
from flowbook.errors import FlowError
from flowbook.states import Success
from tests.engine.conftest import Run

KEYS = [
    "date",
    "today",
    "yesterday",
    "tomorrow",
    "today_nodash",
    "yesterday_nodash",
    "tomorrow_nodash",
    "flow_name",
    "flow_id",
    "flow_run_id",
    "flow_run_name",
    "scheduled_start_time",
    "parameters",
    "task_name",
    "task_full_name",
    "task_slug",
    "task_tags",
    "task_run_id",
    "task_run_count",
    "task_loop_count",
    "resume",
    "logger",
    "config",
]


@task
def everything() -> dict[str, Any]:
    return context.to_dict()


def asking(*keys: str, **options: Any) -> tuple[Flow, Task]:
    """Make a flow of one task that asks for some keys."""

    @task(name="ask", **options)
    def ask() -> dict[str, Any]:
        return {key: context.get(key, "missing") for key in keys}

    with Flow("asking") as flow:
        made = ask()
        Parameter("x", default=1)()
    return flow, made


def test_a_body_finds_every_key_of_the_reference(run: Run) -> None:
    with Flow("all") as flow:
        made = everything(task_args={"tags": {"blue"}})
        Parameter("x", default=1)()
    values = run(flow, x=5).result[made].result
    assert set(KEYS) <= set(values)
    assert values["flow_name"] == "all"
    assert values["parameters"] == {"x": 5}
    assert (values["task_name"], values["task_full_name"]) == ("everything", "everything")
    assert values["task_slug"] == flow.slugs[made]
    assert values["task_tags"] == {"blue"}
    assert (values["task_run_count"], values["task_loop_count"], values["resume"]) == (1, 1, False)
    assert flow.last_run is not None
    assert (values["flow_run_id"], values["flow_run_name"]) == (flow.last_run.id, flow.last_run.name)
    assert values["task_run_id"] == f"{flow.last_run.id}:{values['task_slug']}"
    assert values["logger"].name == "flowbook.everything"
    assert values["config"] is config
    assert values["date"] == values["scheduled_start_time"]
    assert values["date"].tzinfo is not None
    assert values["today"] == values["date"].strftime("%Y-%m-%d")


def test_outside_of_a_body_nothing_is_left(run: Run) -> None:
    flow, _ = asking("task_name")
    run(flow)
    assert set(context) & set(KEYS) <= {"config"}
    assert context.get("task_name") is None


# -- what beats what -------------------------------------------------------------------------------------------------


def test_what_people_give_beats_what_is_worked_out_and_the_nearer_beats_the_farther(run: Run) -> None:
    flow, made = asking("task_name", "a", "b", "c", "d")

    def values(**options: Any) -> Any:
        return run(flow, **options).result[made].result

    assert values() == {"task_name": "ask", "a": "missing", "b": "missing", "c": "missing", "d": "missing"}
    with context(a="around", b="around", c="around"):
        given = values(
            context={"b": "run", "c": "run", "task_name": "mine"}, task_contexts={made: {"c": "task", "d": None}}
        )
    assert given == {"task_name": "mine", "a": "around", "b": "run", "c": "task", "d": None}


def test_a_task_context_is_for_that_task_alone(run: Run) -> None:
    flow, made = asking("a")
    with flow:
        other = task(name="other")(lambda: context.get("a", "missing"))()
    result = run(flow, task_contexts={made: {"a": 1}}).result
    assert (result[made].result, result[other].result) == ({"a": 1}, "missing")


def test_what_a_body_sets_in_a_block_beats_everything_and_ends_with_the_block(run: Run) -> None:
    @task
    def body() -> tuple[Any, Any]:
        with context(a="inside"):
            inside = context.a
        return inside, context.a

    with Flow("block") as flow:
        made = body()
    state = run(flow, task_contexts={made: {"a": "task"}})
    assert state.result[made].result == ("inside", "task")


def test_what_was_set_around_the_run_is_there_again_after_it(run: Run) -> None:
    flow, _ = asking("a")
    with context(a="around"):
        run(flow)
        assert context.a == "around"
        assert context.given() == {"a": "around"}
    assert "a" not in context


def test_threads_of_the_run_see_what_was_set_around_it() -> None:
    seen: list[Any] = []

    @task
    def body() -> None:
        seen.append((context.a, threading.current_thread() is threading.main_thread()))

    with Flow("threads") as flow:
        body()
    with context(a=1):
        flow.run(show=False, executor="threads")
        flow.start(show=False).wait(5)
    assert seen == [(1, False), (1, False)]


# -- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "date", ["2024-03-01", "2024-03-01T10:30:00Z", dt.datetime(2024, 3, 1, tzinfo=dt.timezone.utc), dt.date(2024, 3, 1)]
)
@pytest.mark.parametrize("for_task", [False, True])
def test_a_given_date_shifts_the_days_around_it(date: object, for_task: bool, run: Run) -> None:
    flow, made = asking("yesterday", "today", "tomorrow", "yesterday_nodash", "today_nodash", "tomorrow_nodash")
    options: dict[str, Any] = {"task_contexts": {made: {"date": date}}} if for_task else {"context": {"date": date}}
    assert run(flow, **options).result[made].result == {
        "yesterday": "2024-02-29",
        "today": "2024-03-01",
        "tomorrow": "2024-03-02",
        "yesterday_nodash": "20240229",
        "today_nodash": "20240301",
        "tomorrow_nodash": "20240302",
    }


def test_a_date_given_as_text_is_a_moment() -> None:
    flow, made = asking("date")
    state = flow.run(show=False, context={"date": "2024-03-01T10:30:00Z"})
    assert state.result[made].result["date"] == dt.datetime(2024, 3, 1, 10, 30, tzinfo=dt.timezone.utc)


def test_a_day_that_is_given_itself_is_kept() -> None:
    flow, made = asking("today", "tomorrow")
    state = flow.run(show=False, context={"date": "2024-03-01", "today": "a good day"})
    assert state.result[made].result == {"today": "a good day", "tomorrow": "2024-03-02"}


def test_a_text_that_is_no_date_is_refused() -> None:
    with pytest.raises(FlowError, match=r"context date='soon' is not a date\. Write it as 2026-11-22"):
        read_date("soon")
    assert read_date(None) is None


# -- runs in runs ----------------------------------------------------------------------------------------------------


def test_a_run_in_a_task_inherits_what_people_gave_and_nothing_that_was_worked_out(run: Run) -> None:
    inner, made = asking("task_name", "flow_name", "parameters", "country", "map_index", "task_loop_result", "mine")

    @task(name="outer task")
    def outer() -> Any:
        with context(mine=1):
            return inner.run(show=False).result[made].result

    with Flow("outer") as flow:
        out = outer()
        Parameter("x", default=7)()
    state = run(flow, x=9, context={"country": "NL"}, task_contexts={out: {"map_index": 3}})
    assert state.result[out].result == {
        "task_name": "ask",
        "flow_name": "asking",
        "parameters": {},
        "country": "NL",
        "map_index": None,
        "task_loop_result": "missing",
        "mine": 1,
    }


def test_a_body_is_itself_again_after_a_run_inside_of_it(run: Run) -> None:
    inner, _ = asking("task_name")

    @task(name="outer task")
    def outer() -> tuple[str, str]:
        before = context.task_name
        inner.run(show=False)
        return before, context.task_name

    with Flow("outer") as flow:
        made = outer()
    assert run(flow).result[made].result == ("outer task", "outer task")


def test_parameters_are_those_of_the_run(run: Run) -> None:
    flow, made = asking("parameters")
    assert run(flow).result[made].result == {"parameters": {}}
    assert run(flow, x=2).result[made].result == {"parameters": {"x": 2}}


def test_a_frame_between_two_bodies_answers_about_the_run_only() -> None:
    flow, _ = asking()
    flow.run(show=False)
    assert flow.last_run is not None
    frame = RunFrame(flow.last_run.runner)
    assert frame.task == NO_TASK
    assert "flow_name" in frame.keys()  # noqa: SIM118 - a frame is no mapping
    assert not {key for key in frame.keys() if key.startswith("task")}  # noqa: SIM118
    with pytest.raises(KeyError):
        frame.lookup("task_name")
    with pytest.raises(KeyError):
        frame.lookup("unheard of")


def test_a_state_made_in_a_body_carries_the_tags_of_its_task(run: Run) -> None:
    @task(tags=["blue"])
    def body() -> Any:
        return Success().context

    with Flow("tags") as flow:
        made = body()
    assert run(flow).result[made].result == {"tags": ["blue"]}
