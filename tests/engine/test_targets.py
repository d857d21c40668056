"""Targets, checkpoints and names of runs, in whole runs with every executor of this process."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow, Parameter, Task, config, context, signals, task
from flowbook.contexts import caches
from flowbook.engine.keeping import ResultNotWritten
from flowbook.results import ConstantResult, FSSpecResult, LocalResult, NoResult, PrefectResult
from flowbook.serializers import JSONSerializer
from flowbook.states import Cached, Failed, Success
from tests.engine.counted import counted, run, why

HOUR = dt.timedelta(hours=1)
NO_TIME = dt.timedelta()


@pytest.fixture(autouse=True)
def empty_caches() -> Iterator[None]:
    caches.clear()
    yield
    caches.clear()


@pytest.fixture(params=["local", "threads"])
def executor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# ---------------------------------------------------------------- targets


def test_a_target_that_exists_ends_the_task_without_running(tmp_path: Path, executor: str) -> None:
    made, body = counted(target="{date:%Y}/{task_name}-{x}.pickle", result=LocalResult(tmp_path))
    with Flow("target") as flow:
        kept = made(3)

    first = run(flow, executor=executor, context={"date": "2026-01-01"}).result[kept]
    assert type(first) is Success
    assert first._result.location == "2026/counted-3.pickle"
    assert "its target '2026/counted-3.pickle' was not there. Its result was written to" in why(flow, kept)

    second = run(flow, executor=executor, context={"date": "2026-02-01"}).result[kept]
    assert isinstance(second, Cached)
    assert second.message == "Result found at task target '2026/counted-3.pickle'."
    assert (second.result, second._result.location) == ([3, 1], "2026/counted-3.pickle")
    assert body.calls == [3]


def test_a_target_alone_is_kept_in_the_home_of_flowbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "home_dir", str(tmp_path))
    made, _ = counted(target="a.pickle")
    with Flow("home") as flow:
        made()
    run(flow)
    assert pickle.loads((tmp_path / "results/a.pickle").read_bytes()) == [0, 1]


def test_inputs_beat_the_context_and_the_context_beats_parameters(tmp_path: Path) -> None:
    @task(result=LocalResult(tmp_path, location="{a}-{b}-{c}-{parameters[c]}"))
    def named(a: str) -> int:
        return 1

    with Flow("names") as flow:
        for name in "abc":
            flow.add_task(Parameter(name, default=f"default-{name}"))
        named("input")
    run(flow, context={"a": "context", "b": "context"})
    assert [path.name for path in tmp_path.iterdir()] == ["input-context-default-c-default-c"]


def test_a_target_may_be_a_function(tmp_path: Path) -> None:
    def where(x: int, task_name: str, **_: Any) -> str:
        return f"{task_name}/{x}"

    made, body = counted(target=where, result=LocalResult(tmp_path))
    with Flow("function") as flow:
        made(4)
    run(flow)
    run(flow)
    assert (tmp_path / "counted/4").is_file()
    assert len(body.calls) == 1


def test_a_target_that_cannot_be_filled_in_fails_the_task_before_it_runs() -> None:
    made, body = counted(target="{nope}", result=LocalResult("x"))
    with Flow("nope") as flow:
        kept = made()
    state = run(flow).result[kept]
    assert isinstance(state, Failed)
    assert "names 'nope', which is not there" in str(state.message)
    assert body.calls == []


def test_a_target_that_cannot_be_read_fails_the_task_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"not a pickle")
    made, body = counted(target="a", result=LocalResult(tmp_path))
    with Flow("spoilt") as flow:
        kept = made()
    state = run(flow).result[kept]
    assert isinstance(state, Failed)
    assert "Remove it, and the task runs and writes it anew" in str(state.message)
    assert body.calls == []


def test_target_and_location_are_one_too_many(tmp_path: Path) -> None:
    place = LocalResult(tmp_path, location="a")
    with pytest.warns(UserWarning, match="has a target and a result with a location; the target is used"):
        made = Task(target="b", result=place)
    assert made.result is not place
    assert made.result is not None
    assert (made.result.location, place.location) == ("b", "a")


def test_secrets_and_objects_are_not_for_names(tmp_path: Path) -> None:
    made, _ = counted(result=LocalResult(tmp_path, location="{secrets}"))
    with Flow("secret") as flow:
        kept = made()
    state = run(flow, context={"secrets": {"a": "sesame"}}).result[kept]
    assert isinstance(state, Failed)
    assert "sesame" not in str(state.message)


# ---------------------------------------------------------------- checkpoints


def test_a_flow_says_where_for_all_its_tasks(tmp_path: Path, executor: str) -> None:
    made, _ = counted()
    with Flow("all", result=LocalResult(tmp_path)) as flow:
        first = made(Parameter("x", default=1))
        second = made([first, 2])  # a list that holds a task is a task of its own, which is nobody's result
        left_out = made(task_args={"checkpoint": False})

    result = run(flow, executor=executor).result
    files = sorted(path.relative_to(tmp_path).parts[2] for path in tmp_path.rglob("*.result"))
    assert files == ["counted-1.result", "counted-2.result"]
    assert LocalResult(tmp_path).read(result[second]._result.location).value == result[second].result
    assert result[left_out]._result.location is None


def test_a_flow_may_be_told_later(tmp_path: Path) -> None:
    made, _ = counted()
    with Flow("later") as flow:
        made()
    run(flow)
    flow.result = LocalResult(tmp_path)
    run(flow)
    assert len(list(tmp_path.rglob("*.result"))) == 1
    flow.result = None
    run(flow)
    assert len(list(tmp_path.rglob("*.result"))) == 1


def test_none_is_not_written(tmp_path: Path) -> None:
    @task(result=LocalResult(tmp_path, location="a"))
    def nothing() -> None:
        return None

    with Flow("none") as flow:
        kept = nothing()
    assert run(flow).result[kept]._result is NoResult
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("asked", "written"), [(None, True), (True, True), (False, False)])
def test_the_setting_is_honoured_when_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool | None, written: bool
) -> None:
    monkeypatch.setattr(config.flows, "checkpointing", asked)
    made, body = counted(target="a", result=LocalResult(tmp_path))
    with Flow("switched") as flow:
        kept = made()
    run(flow)
    assert (tmp_path / "a").exists() is written

    LocalResult(tmp_path, location="a").write("there")
    assert run(flow).result[kept].result == "there", "a target is looked at in any case"
    assert len(body.calls) == 1


def test_the_context_may_switch_writing_off(tmp_path: Path) -> None:
    made, _ = counted(result=LocalResult(tmp_path, location="a"))
    with Flow("context") as flow:
        made()
    run(flow, context={"checkpointing": False})
    assert list(tmp_path.iterdir()) == []


def test_a_failure_to_write_fails_the_task_and_keeps_the_value(tmp_path: Path, executor: str) -> None:
    (tmp_path / "file").touch()
    made, _ = counted(result=LocalResult(tmp_path, location="file/a"))

    @task
    def goes_on() -> int:
        return 1

    with Flow("full") as flow:
        kept, other = made(), goes_on()
    state = run(flow, executor=executor)

    failed = state.result[kept]
    assert isinstance(failed, Failed)
    assert "The task did its work, but its result could not be written to 'file/a'" in str(failed.message)
    assert isinstance(failed.result, ResultNotWritten)
    assert failed.result.value == [0, 1]
    assert isinstance(failed.result.__cause__ or failed.result, Exception)
    assert state.result[other].is_successful()


def test_a_failure_to_write_is_retried_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made, body = counted(result=LocalResult(tmp_path, location="file/a"), max_retries=1, retry_delay=NO_TIME)
    with Flow("retry") as flow:
        kept = made()
    assert isinstance(run(flow).result[kept], Failed)
    assert len(body.calls) == 2


def test_a_success_that_was_raised_is_written(tmp_path: Path, executor: str) -> None:
    @task(result=LocalResult(tmp_path, location="a"))
    def raises(is_empty: bool) -> None:
        if is_empty:
            raise signals.SUCCESS("nothing to say")
        raise signals.SUCCESS("fine", result=7)

    with Flow("raised") as flow:
        kept = raises(Parameter("is_empty"))
    run(flow, is_empty=True, executor=executor)
    assert list(tmp_path.iterdir()) == [], "a signal without a result has none to write"
    state = run(flow, is_empty=False, executor=executor).result[kept]
    assert (state.message, state.result, state._result.location) == ("fine", 7, "a")
    assert LocalResult(tmp_path).read("a").value == 7


def test_an_async_body_is_written_too(tmp_path: Path, executor: str) -> None:
    @task(result=LocalResult(tmp_path, location="{x}"), task_run_name="run-{x}")
    async def later(x: int) -> str:
        return str(context.task_run_name)

    with Flow("async") as flow:
        kept = later(5)
    assert run(flow, executor=executor).result[kept].result == "run-5"
    assert LocalResult(tmp_path).read("5").value == "run-5"


def test_tags_stay_with_a_state_whose_result_was_written(tmp_path: Path) -> None:
    made, _ = counted(result=LocalResult(tmp_path, location="a"), tags=["slow"], cache_for=HOUR)
    with Flow("tagged") as flow:
        kept = made()
    state = run(flow).result[kept]
    assert (type(state), state.context, state._result.location) == (Cached, {"tags": ["slow"]}, "a")


def test_an_item_is_not_written_over_the_whole(tmp_path: Path) -> None:
    made, _ = counted(result=LocalResult(tmp_path, location="whole"))
    with Flow("items") as flow:
        whole = made(5)
        item = whole[0]
    result = run(flow).result
    assert LocalResult(tmp_path).read("whole").value == [5, 1]
    assert LocalResult(tmp_path).read(result[item]._result.location).value == 5


def test_a_result_of_any_kind_is_used(tmp_path: Path) -> None:
    in_text, _ = counted(result=PrefectResult())
    constant, body = counted(result=ConstantResult(3))
    in_memory, _ = counted(target="{x}.json", result=FSSpecResult("memory://keeping", serializer=JSONSerializer()))
    with Flow("kinds") as flow:
        text, fixed, memory = in_text(1), constant(2), in_memory(3)
    result = run(flow).result
    assert result[text]._result.location == "[1, 1]"
    assert result[fixed]._result.location is None, "a constant is not written"
    assert json.loads(FSSpecResult("memory://keeping")._store("3.json")[0].cat_file("/keeping/3.json")) == [3, 1]
    assert type(run(flow).result[memory]) is Cached
    assert len(body.calls) == 2


def test_a_timeout_holds_for_a_task_that_is_written(tmp_path: Path, executor: str) -> None:
    @task(result=LocalResult(tmp_path, location="a"), timeout=30, log_stdout=True)
    def prints() -> int:
        print("hello")
        return 1

    with Flow("guarded") as flow:
        kept = prints()
    assert run(flow, executor=executor).result[kept].result == 1
    assert (tmp_path / "a").exists()


# ---------------------------------------------------------------- names of task runs


def test_a_run_is_named_by_its_inputs_context_and_parameters(executor: str) -> None:
    @task(task_run_name="{p}-{task_name}-{x}")
    def named(x: int) -> str:
        return str(context.task_run_name)

    with Flow("named") as flow:
        flow.add_task(Parameter("p", default="one"))
        single, children = named(1), named.map([2, 3])
    result = run(flow, executor=executor).result
    assert result[single].result == "one-named-1"
    assert result[children].result == ["one-named-2", "one-named-3"]


def test_a_name_may_be_made_by_a_function_and_be_part_of_a_location(tmp_path: Path) -> None:
    made, _ = counted(task_run_name=lambda x, **_: f"n{x}", target="{task_run_name}", result=LocalResult(tmp_path))
    with Flow("function") as flow:
        kept = made(4)
    run(flow)
    assert (tmp_path / "n4").is_file()
    assert type(run(flow).result[kept]) is Cached


def test_a_name_that_cannot_be_filled_in_fails_the_task() -> None:
    made, body = counted(task_run_name="{nope}")
    with Flow("nope") as flow:
        kept = made()
    state = run(flow).result[kept]
    assert isinstance(state, Failed)
    assert "names 'nope'" in str(state.message)
    assert body.calls == []


def test_a_run_without_a_name_has_none_in_its_context() -> None:
    @task
    def asks() -> Any:
        return context.get("task_run_name"), "task_run_name" in list(context)

    with Flow("none") as flow:
        asked = asks()
    assert run(flow).result[asked].result == (None, False)
