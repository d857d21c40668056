"""Async tasks: their coroutines are run to the end, wherever the flow is run."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flowbook import Flow, Task, context, signals, task, triggers
from flowbook.engine import attempt
from flowbook.engine.coroutines import AsyncBody, RunLoop, awaited
from flowbook.engine.frame import RunFrame
from flowbook.states import Cancelled, Failed, State, Success, TimedOut
from tests.engine.conftest import Run
from tests.engine.people import interrupt, meanwhile


@task
async def fetch(x: int, seconds: float = 0.0) -> int:
    await asyncio.sleep(seconds)
    return x + 1


@task
def plain(x: int) -> int:
    return x * 10


def fetching() -> tuple[Flow, Task]:
    with Flow("fetching") as flow:
        made = fetch(plain(fetch(1)))
    return flow, made


def in_a_running_loop(do: Callable[[], Any]) -> Any:
    """Call something plain where an event loop is running already, as every cell of a notebook is."""

    async def main() -> Any:
        return do()

    return asyncio.run(main())


def test_only_coroutine_functions_and_what_wraps_them_are_awaited() -> None:
    async def one() -> None: ...

    class Called:
        async def __call__(self) -> None: ...

    class Method:
        async def run(self) -> None: ...

    @functools.wraps(one)
    def wrapper() -> Any:
        return one()

    def plain() -> None: ...

    kinds = [type(body).__name__ for body in awaited([one, Called(), Method().run, functools.partial(one), wrapper])]
    assert kinds == ["AsyncBody"] * 5
    assert awaited([plain, print, Method]) == [plain, print, Method]


def test_an_async_task_gives_what_its_coroutine_returns(run: Run) -> None:
    flow, made = fetching()
    assert run(flow).result[made].result == 21


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_running_loop_on_the_calling_thread_is_no_obstacle(executor: str) -> None:
    flow, made = fetching()
    state = in_a_running_loop(lambda: flow.run(show=False, executor=executor))
    assert state.result[made].result == 21


def test_what_a_coroutine_raises_is_how_its_task_ends(run: Run) -> None:
    @task
    async def end_as(error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    errors = [ValueError("no"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()]
    with Flow("ends") as flow:
        skipped = end_as(signals.SKIP("not today"))
        broken = [end_as(error) for error in errors]
        fine = fetch(1)
    result = run(flow).result
    assert result[skipped].is_skipped()
    assert [type(result[one]) for one in broken] == [Failed] * len(errors)
    assert [type(result[one].result) for one in broken] == [type(error) for error in errors]
    assert result[fine].result == 2


def test_async_bodies_ask_the_context_about_their_own_task(run: Run) -> None:
    @task
    async def ask() -> tuple[str, int]:
        await asyncio.sleep(0.001)
        return context.task_name, context.task_run_count

    with Flow("asking") as flow:
        made = [ask(task_args={"name": f"number {place}"}) for place in range(5)]
    result = run(flow).result
    assert [result[one].result for one in made] == [(f"number {place}", 1) for place in range(5)]


def test_async_bodies_of_one_run_share_one_loop(run: Run) -> None:
    @task
    async def which(x: object = None) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    with Flow("loops") as flow:
        first = which()
        second = which(first)
    result = run(flow).result
    assert result[first].result is result[second].result
    assert result[first].result.is_closed()


def test_what_async_bodies_leave_running_is_cancelled_at_the_end(run: Run) -> None:
    ended: list[str] = []

    async def background() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("cleaned up")

    kept: list[Any] = []

    @task
    async def leave() -> None:
        kept.append(asyncio.ensure_future(background()))
        await asyncio.sleep(0)

    with Flow("leaves") as flow:
        leave()
    assert run(flow).is_successful()
    assert ended == ["cleaned up"]


def test_with_run_async_bodies_run_on_the_loop_that_awaits_the_run() -> None:
    @task
    async def which() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    with Flow("here") as flow:
        made = which()

    async def main() -> bool:
        state = await flow.run_async(show=False)
        return state.result[made].result is asyncio.get_running_loop()

    assert asyncio.run(main())


def test_async_bodies_are_awaited_side_by_side_with_threads() -> None:
    with Flow("wide") as flow:
        for place in range(6):
            fetch(place, 0.3)
    begun = time.monotonic()
    flow.run(show=False, executor="threads")
    assert time.monotonic() - begun < 1.3  # one after another: 1.8 s


def test_an_async_body_that_times_out_is_cancelled(run: Run) -> None:
    ended: list[str] = []

    @task(timeout=1)
    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with Flow("slow") as flow:
        made = slow()
    state = run(flow).result[made]
    assert type(state) is TimedOut
    assert state.message == "Timed out after 1 s."
    assert ended == ["cancelled"]


def test_an_async_body_that_timed_out_is_cancelled_before_the_run_goes_on(run: Run) -> None:
    ended: list[str] = []

    @task(timeout=1)
    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("cancelled")

    @task(trigger=triggers.always_run)
    def after() -> list[str]:
        time.sleep(0.3)
        return list(ended)

    with Flow("slow") as flow:
        made = after(upstream_tasks=[slow()])
    assert run(flow).result[made].result == ["cancelled"]


@pytest.mark.parametrize("in_loop", [True, False])
def test_an_interrupt_stops_an_async_body(in_loop: bool) -> None:
    with Flow("long") as flow:
        made = fetch(1, 30.0)
    begun = time.monotonic()
    with meanwhile(interrupt, flow), contextlib.suppress(KeyboardInterrupt):
        in_a_running_loop(lambda: flow.run(show=False)) if in_loop else flow.run(show=False)
    assert time.monotonic() - begun < 5
    assert flow.last_run is not None
    assert type(flow.last_run[made]) is Cancelled


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_cancel_stops_an_async_body(executor: str) -> None:
    with Flow("long") as flow:
        made = fetch(1, 30.0)
    begun = time.monotonic()

    def cancel() -> None:
        assert flow.last_run is not None
        flow.last_run.cancel("by button")

    with meanwhile(cancel, flow):
        state = flow.run(show=False, executor=executor)
    assert time.monotonic() - begun < 2
    assert (type(state.result[made]), state.result[made].message) == (Cancelled, "by button")


def test_an_async_body_that_blocks_its_loop_does_not_keep_a_cancelled_run_from_ending() -> None:
    release = threading.Event()

    @task
    async def rude() -> None:
        release.wait(10)

    with Flow("rude") as flow:
        rude()
    run = flow.start(show=False)
    time.sleep(0.1)
    begun = time.monotonic()
    run.cancel()
    assert type(run.wait(5)) is Cancelled
    assert time.monotonic() - begun < 2
    release.set()


def test_a_flow_may_run_in_an_async_task(run: Run) -> None:
    inner, made = fetching()

    @task
    async def plainly() -> int:
        result: int = inner.run(show=False).result[made].result
        return result

    @task
    async def awaiting() -> int:
        state = await inner.run_async(show=False)
        result: int = state.result[made].result
        return result

    with Flow("outer") as flow:
        both = [plainly(), awaiting()]
    result = run(flow).result
    assert [result[one].result for one in both] == [21, 21]


def test_an_async_body_prints_to_its_log(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    @task(log_stdout=True)
    async def talk() -> None:
        await asyncio.sleep(0)
        print("from a coroutine")

    with Flow("talks") as flow:
        talk()
    run(flow)
    assert "INFO - flowbook.talk | from a coroutine" in capsys.readouterr().out


def test_a_wrapper_that_awaits_by_itself_is_left_alone(run: Run) -> None:
    async def inner(x: int) -> int:
        await asyncio.sleep(0)
        return x

    @task
    @functools.wraps(inner)
    def outer(x: int) -> int:
        return asyncio.run(inner(x)) + 1

    with Flow("wrapped") as flow:
        made = outer(1)
    assert run(flow).result[made].result == 2


# -- without threads -------------------------------------------------------------------------------------------------


def test_without_threads_async_bodies_run_where_no_loop_is_running(no_threads: None) -> None:
    flow, made = fetching()
    assert flow.run(show=False).result[made].result == 21


def test_without_threads_a_running_loop_is_named_as_the_obstacle(no_threads: None) -> None:
    with Flow("stuck") as flow:
        made = fetch(1)
    state: State = in_a_running_loop(lambda: flow.run(show=False))
    assert type(state.result[made]) is Failed
    assert "await flow.run_async()" in (state.result[made].message or "")


def test_without_threads_run_async_awaits_async_bodies(no_threads: None) -> None:
    flow, made = fetching()
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def main() -> State:
        beside = asyncio.ensure_future(others())
        state = await flow.run_async(show=False)
        beside.cancel()
        return state

    assert asyncio.run(main()).result[made].result == 21
    assert turns


def test_without_threads_async_bodies_time_out_and_fail_and_print(
    no_threads: None, capsys: pytest.CaptureFixture[str]
) -> None:
    @task(timeout=1, log_stdout=True)
    async def slow() -> None:
        print("begun")
        await asyncio.sleep(30)

    @task
    async def bad() -> None:
        raise ValueError("no")

    @task(timeout=5)
    async def gives_up() -> None:
        raise asyncio.TimeoutError

    with Flow("ends") as flow:
        ends = [slow(), bad(), gives_up(), fetch(1)]
    state = asyncio.run(flow.run_async(show=False))
    assert [type(state.result[one]) for one in ends] == [TimedOut, Failed, Failed, Success]
    assert "| begun" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["cancel", "who awaits"])
def test_without_threads_an_awaited_body_can_be_cancelled(how: str, no_threads: None) -> None:
    with Flow("long") as flow:
        made = fetch(1, 30.0)

    async def main() -> None:
        running = asyncio.ensure_future(flow.run_async(show=False))
        await asyncio.sleep(0.05)
        assert flow.last_run is not None
        flow.last_run.cancel("by button") if how == "cancel" else running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    begun = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begun < 2
    assert flow.last_run is not None
    assert type(flow.last_run.wait(0)) is Cancelled
    assert type(flow.last_run[made]) is Cancelled


def test_without_threads_a_timeout_off_the_main_thread_is_not_noticed(no_threads: None) -> None:
    @task(timeout=1)
    def slow() -> str:
        time.sleep(1.2)
        return "late"

    with Flow("slow") as flow:
        made = slow()
    states: list[State] = []
    thread = threading.Thread(target=lambda: states.append(flow.run(show=False)))
    thread.start()
    thread.join(10)
    assert states[0].result[made].result == "late"


def test_a_system_without_threads_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(attempt, "_can_start_threads", [])
    monkeypatch.setattr(threading.Thread, "start", start)
    assert not attempt.can_start_threads()
    assert not attempt.can_start_threads()


def test_an_awaitable_that_is_stopped_before_its_first_step_is_closed() -> None:
    async def body() -> None: ...

    loop = RunLoop()
    blocker = threading.Event()
    frame, other = (RunFrame(Any) for _ in range(2))  # type: ignore[arg-type]  # only told apart

    async def block() -> None:
        blocker.wait(5)

    ended: list[BaseException] = []

    def waiting() -> None:
        try:
            loop.run(body(), frame)
        except BaseException as error:  # noqa: BLE001 - what is under test
            ended.append(error)

    threads = [threading.Thread(target=lambda: loop.run(block(), other)), threading.Thread(target=waiting)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    loop.stop(frame)
    blocker.set()
    for thread in threads:
        thread.join(5)
    loop.close()
    assert [type(error) for error in ended] == [asyncio.CancelledError]


def test_this_interpreter_can_start_threads() -> None:
    assert attempt.can_start_threads()
    assert isinstance(awaited([fetch.run])[0], AsyncBody)
