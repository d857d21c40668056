"""The handle of a run: looking, and the buttons."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flowbook import Flow, Task, context, signals, task
from flowbook.engine.flow_run import FlowRun
from flowbook.errors import FlowError
from flowbook.events import Event
from flowbook.states import Cancelled, Running, State, Success


@task
def gate(event: threading.Event, x: object = None) -> bool:
    return event.wait(10)


@task
def step(x: object = None) -> int:
    return 1


@task
def pausing() -> str:
    if not context.get("resume"):
        raise signals.PAUSE("look")
    return "seen"


def gated() -> tuple[Flow, threading.Event, list[Task]]:
    event = threading.Event()
    with Flow("gated") as flow:
        first = gate(event)
        second = step(first)
        third = step(second)
    return flow, event, [first, second, third]


def until(true: Any, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def is_running(run: FlowRun, one: Task) -> bool:
    return run[one].is_running()


def is_finished(run: FlowRun, one: Task) -> bool:
    return run[one].is_finished()


# -- looking ---------------------------------------------------------------------------------------------------------


def test_a_run_can_be_looked_at_while_it_goes_on() -> None:
    flow, event, (first, second, _) = gated()
    run = flow.start(show=False)
    until(lambda: is_running(run, first))
    assert type(run.state) is Running
    assert run.states == {task: run[task] for task in flow.tasks}
    assert run[second].is_pending()
    assert not run.is_over
    assert repr(run) == f"<FlowRun: {run.name}, Running, 0 of 3 tasks>"
    event.set()
    assert run.wait(5).is_successful()
    assert repr(run) == f"<FlowRun: {run.name}, Success, 3 of 3 tasks>"
    assert flow.last_run is run


def test_waiting_too_long_says_what_to_do_and_the_run_goes_on() -> None:
    flow, event, _ = gated()
    run = flow.start(show=False)
    with pytest.raises(TimeoutError, match=r"has not ended after 0.01 s; it goes on. Ask run.state, or run.cancel\(\)"):
        run.wait(0.01)
    event.set()
    assert run.wait(5).is_successful()


def test_a_task_of_another_flow_is_not_known() -> None:
    flow, event, _ = gated()
    run = flow.start(show=False)
    event.set()
    run.wait(5)
    for look in (run.__getitem__, run.story, run.resume):
        with pytest.raises(FlowError, match="is not in flow 'gated'"):
            look(step)


def test_a_task_added_after_the_run_began_is_named_as_such() -> None:
    flow, event, _ = gated()
    run = flow.start(show=False)
    with flow:
        late = step()
    event.set()
    run.wait(5)
    with pytest.raises(FlowError, match="was added to flow 'gated' after this run began"):
        run.story(late)


# -- the buttons -----------------------------------------------------------------------------------------------------


def test_a_paused_run_starts_nothing_and_goes_on_when_resumed() -> None:
    flow, event, (first, second, third) = gated()
    run = flow.start(show=False)
    until(lambda: is_running(run, first))
    run.pause()
    until(lambda: run.is_held)
    event.set()
    until(lambda: is_finished(run, first))
    time.sleep(0.05)
    assert run[second].is_pending()
    run.step()
    until(lambda: is_finished(run, second))
    time.sleep(0.05)
    assert run[third].is_pending()
    run.resume()
    assert run.wait(5).is_successful()
    assert [event.message for event in run.events if event.kind == "request"] == ["pause", "step", "resume"]


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_buttons_act_on_a_run_that_blocks_its_cell(executor: str) -> None:
    flow, event, _ = gated()
    seen: list[State] = []

    def person() -> None:
        until(lambda: flow.last_run is not None and flow.last_run.runner.machine.running)
        assert flow.last_run is not None
        flow.last_run.pause()
        event.set()
        until(lambda: not flow.last_run.runner.machine.running)
        seen.append(flow.last_run.state)
        flow.last_run.resume()

    thread = threading.Thread(target=person)
    thread.start()
    assert flow.run(show=False, executor=executor).is_successful()
    thread.join()
    assert type(seen[0]) is Running


def test_a_late_click_changes_nothing() -> None:
    flow, event, _ = gated()
    event.set()
    run = flow.start(show=False)
    state = run.wait(5)
    count = len(run.events)
    for click in (run.cancel, run.pause, run.step, run.resume):
        click()
    assert run.wait(5) is state
    assert len(run.events) == count
    assert not run.runner.mailbox


def test_a_cancel_right_after_the_start_is_heard() -> None:
    for _ in range(20):
        flow, event, _ = gated()
        run = flow.start(show=False)
        run.cancel("at once")
        assert run.wait(5).message == "at once"
        event.set()


# -- paused tasks ----------------------------------------------------------------------------------------------------


def paused() -> tuple[Flow, Task, Task]:
    with Flow("paused") as flow:
        made = pausing()
        after = step(made)
    return flow, made, after


@pytest.mark.parametrize("button", ["resume", "resume one", "cancel"])
@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_run_that_waits_for_a_person_is_driven_on_when_one_acts(executor: str, button: str) -> None:
    flow, made, after = paused()
    assert type(flow.run(show=False, executor=executor)) is Running
    run = flow.last_run
    assert run is not None
    buttons: dict[str, Callable[[], object]]
    buttons = {"resume": run.resume, "resume one": lambda: run.resume(made), "cancel": run.cancel}
    buttons[button]()
    state = run.wait(5)
    assert type(state) is (Cancelled if button == "cancel" else Success)
    assert type(state.result[after]) is type(state)


def test_a_run_is_driven_on_again_and_again() -> None:
    rounds: list[int] = []

    @task
    def body() -> None:
        rounds.append(1)
        if len(rounds) < 5:
            raise signals.PAUSE

    with Flow("again") as flow:
        body()
    assert type(flow.run(show=False)) is Running
    run = flow.last_run
    assert run is not None
    for _ in range(4):
        assert type(run.state) is Running
        run.resume()
        run.wait(5)
    assert run.state.is_successful()
    assert len(rounds) == 5


def test_pausing_a_run_that_waits_for_a_person_leaves_it_waiting() -> None:
    flow, _, _ = paused()
    flow.run(show=False)
    run = flow.last_run
    assert run is not None
    run.pause()
    assert type(run.wait(5)) is Running
    run.resume()
    assert run.wait(5).is_successful()


def test_a_reader_that_resumes_a_run_when_it_hears_that_it_waits_is_heard() -> None:
    flow, made, after = paused()

    def resume(events: list[Event]) -> None:
        if any((event.message or "").startswith("Waits for a person") for event in events):
            assert flow.last_run is not None
            flow.last_run.resume(made)

    def listen(flow: Flow, old: State, new: State) -> None:
        if new.is_running():
            assert flow.last_run is not None
            flow.last_run.subscribe(resume)

    flow.state_handlers.append(listen)
    for executor in ("local", "threads"):
        assert flow.run(show=False, executor=executor).result[after].result == 1


def test_a_resume_that_comes_while_the_driver_is_leaving_is_not_lost() -> None:
    for turn in range(60):
        flow, made, _ = paused()
        run = flow.start(show=False)
        until(lambda run=run, made=made: run[made].is_scheduled())
        time.sleep(turn * 2e-5)
        run.resume()
        until(lambda run=run: run.state.is_finished())
        assert run.wait(5).is_successful()


def test_watchers_hear_when_a_run_waits_goes_on_and_ends() -> None:
    flow, _, _ = paused()
    heard: list[tuple[str, bool]] = []

    def watch(run: FlowRun) -> None:
        heard.append((type(run.state).__name__, run.is_over))

    def listen(flow: Flow, old: State, new: State) -> None:
        if new.is_running():
            assert flow.last_run is not None
            flow.last_run.on_change(watch)

    flow.state_handlers.append(listen)
    flow.run(show=False)
    assert flow.last_run is not None
    flow.last_run.resume()
    flow.last_run.wait(5)
    until(lambda: len(heard) == 3)
    assert heard == [("Running", True), ("Running", False), ("Success", True)]


async def over(run: FlowRun) -> None:
    while not run.is_over:  # noqa: ASYNC110 - what is awaited has no event
        await asyncio.sleep(0.005)


# -- without threads -------------------------------------------------------------------------------------------------


def test_without_threads_a_started_run_is_over_at_once_when_no_loop_is_running(no_threads: None) -> None:
    with Flow("plain") as flow:
        made = step(step())
    run = flow.start(show=False)
    assert run.is_over
    assert run.wait().result[made].result == 1
    assert flow.run(show=False, executor="threads").is_successful()
    assert flow.last_run is not None
    assert flow.last_run.executor.name == "local"


def test_without_threads_a_started_run_takes_turns_with_the_loop(no_threads: None) -> None:
    with Flow("plain") as flow:
        last = step()
        for _ in range(20):
            last = step(last)

    async def main() -> int:
        run = flow.start(show=False)
        turns = 0
        while not run.is_over:
            turns += 1
            await asyncio.sleep(0)
        assert run.wait().is_successful()
        return turns

    assert asyncio.run(main()) >= 20


def test_without_threads_waiting_runs_the_rest_here_and_now(no_threads: None) -> None:
    with Flow("plain") as flow:
        step(step(step()))

    async def main() -> None:
        run = flow.start(show=False)
        await asyncio.sleep(0)
        assert run.wait().is_successful()
        await asyncio.sleep(0.05)
        assert [event.state for event in run.events].count("Success") == 4

    asyncio.run(main())


def test_without_threads_a_wait_that_would_never_end_is_refused(no_threads: None) -> None:
    @task
    async def slow() -> None:
        await asyncio.sleep(0.2)

    with Flow("async") as flow:
        slow()

    async def main() -> None:
        run = flow.start(show=False)
        await asyncio.sleep(0.05)
        with pytest.raises(RuntimeError, match=r"await flow\.run_async"):
            run.wait()
        await over(run)

    asyncio.run(main())


def test_without_threads_run_async_retries_pauses_and_goes_on(no_threads: None) -> None:
    flow, made, after = paused()

    async def main() -> None:
        state = await flow.run_async(show=False)
        assert type(state) is Running
        run = flow.last_run
        assert run is not None
        run.resume(made)
        await over(run)
        assert run.wait().result[after].result == 1

    asyncio.run(main())


def test_without_threads_two_runs_take_turns(no_threads: None) -> None:
    order: list[str] = []

    @task
    def note(name: str, x: object = None) -> None:
        order.append(f"{name} {context.flow_name}")

    flows = []
    for name in ("first", "second"):
        with Flow(name) as flow:
            note(name, note(name, note(name)))
        flows.append(flow)

    async def main() -> None:
        await asyncio.gather(*(flow.run_async(show=False) for flow in flows))

    asyncio.run(main())
    assert sorted(order) == ["first first"] * 3 + ["second second"] * 3
    assert order != sorted(order)


@pytest.mark.parametrize("executor", ["local", "threads", "processes"])
def test_what_tasks_log_can_be_looked_up_by_task(executor: str) -> None:
    @task
    def talks(x: int) -> None:
        context.logger.warning("element %s", x)

    @task(log_stdout=True)
    def prints() -> None:
        print("printed")

    @task
    def quiet() -> None: ...

    with Flow("logs") as flow:
        many, one, none = talks.map([1, 2]), prints(), quiet()
    flow.run(executor=executor, show=False)
    run = flow.last_run
    assert run is not None
    assert sorted(str(entry) for entry in run.logs(many)) == ["WARNING element 1", "WARNING element 2"]
    assert {entry.task for entry in run.logs(many)} == {"talks-1[0]", "talks-1[1]"}
    assert [entry.text for entry in run.logs(one)] == ["printed"]
    assert run.logs(none) == []
    assert len(run.logs()) == 3
