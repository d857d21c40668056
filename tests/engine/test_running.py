"""Running a flow: how it is asked for, what the flow's own handlers may say, and who drives."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from typing import Any

import pytest

from flowbook import Flow, Parameter, Task, context, signals, task
from flowbook.engine.executors import LocalExecutor, ThreadExecutor
from flowbook.engine.flow_run import FlowRun
from flowbook.errors import CycleError, FlowError, UnknownArgument
from flowbook.states import Cancelled, Failed, Paused, Running, Scheduled, State, Success
from flowbook.utilities.logging import get_logger
from tests.engine.conftest import Run


@task
def double(x: int) -> int:
    return 2 * x


@task
def wait_for(event: threading.Event) -> bool:
    return event.wait(10)


def doubling() -> tuple[Flow, Task]:
    with Flow("doubling") as flow:
        made = double(Parameter("x", default=1))
    return flow, made


# -- being asked -----------------------------------------------------------------------------------------------------


def test_run_returns_the_final_state_with_every_task_of_the_flow(run: Run) -> None:
    flow, made = doubling()
    state = run(flow)
    assert repr(state) == '<Success: "All reference tasks succeeded.">'
    assert set(state.result) == flow.tasks
    assert state.result[made].result == 2


def test_an_empty_flow_succeeds(run: Run) -> None:
    assert run(Flow("empty")) == Success(result={})


def test_a_flow_can_be_run_again_and_changed_in_between(run: Run) -> None:
    flow, made = doubling()
    run(flow)
    with flow:
        more = double(made)
    assert run(flow).result[more].result == 4


def test_the_reference_tasks_decide_the_state_of_the_flow(run: Run) -> None:
    @task
    def bad() -> None:
        raise ValueError

    with Flow("reference") as flow:
        good = double(1)
        bad()
    assert run(flow).is_failed()
    flow.set_reference_tasks([good])
    assert run(flow).message == "All reference tasks succeeded."


def test_run_inside_a_flow_block_is_refused() -> None:
    with Flow("open") as flow, pytest.raises(RuntimeError, match="Call it after the block"):
        flow.run()


def test_a_circle_is_refused_before_anything_runs() -> None:
    flow = Flow("circle")
    one, other = double.copy(), double.copy()
    flow.add_edge(one, other, "x", validate=False)
    flow.add_edge(other, one, "x", validate=False)
    with pytest.raises(CycleError, match="Cycle found"):
        flow.run(show=False)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"exectuor": "local"}, UnknownArgument, "Did you mean 'executor'"),
        ({"y": 3}, FlowError, "has no parameter 'y'.* Its parameters: 'x'"),
        ({"parameters": {"y": 3}}, FlowError, "has no parameter 'y'"),
        ({"context": {"parameters": {"y": 3}}}, FlowError, "has no parameter 'y'"),
        ({"parameters": 3}, UnknownArgument, "must be a dict"),
        ({"return_tasks": []}, FlowError, "state.result"),
        ({"executor": "thread"}, UnknownArgument, "Did you mean 'threads'"),
        ({"executor": 3}, UnknownArgument, "cannot drive a run"),
        ({"clock": "slow"}, UnknownArgument, "is not a clock"),
        ({"context": 3}, UnknownArgument, "context=3 must be a dict"),
        ({"context": {"date": "rubbish"}}, FlowError, "is not a date"),
        ({"task_states": {double: "Success"}}, UnknownArgument, "must be a flowbook.states.State"),
        ({"task_states": {double: Success()}}, FlowError, "is not in flow"),
        ({"task_contexts": {double: {}}}, FlowError, "is not in flow"),
        ({"state": "Success"}, UnknownArgument, "must be the state of an earlier run"),
        ({"runner_cls": object}, UnknownArgument, "executor="),
    ],
)
def test_what_cannot_be_meant_is_refused_with_advice(options: Any, kind: type[Exception], words: str) -> None:
    flow, _ = doubling()
    with pytest.raises(kind, match=words):
        flow.run(**options)
    with pytest.raises(kind, match=words):
        flow.start(**options)
    assert flow.last_run is None


def test_states_and_signals_are_found_where_the_reference_has_them() -> None:
    from flowbook.engine import signals as engine_signals
    from flowbook.engine import state as engine_state

    assert engine_state.Success is Success
    assert engine_signals.SKIP is signals.SKIP


def test_a_missing_parameter_is_named_with_an_example() -> None:
    with Flow("needs") as flow:
        double(Parameter("x"))
    with pytest.raises(FlowError, match=r"needs a value for: x. Give it: flow.run\(x=...\)"):
        flow.run()
    with pytest.raises(ValueError, match="needs a value"):
        flow.run()


def test_parameters_nearest_to_the_run_win(run: Run) -> None:
    flow, made = doubling()

    def result(*args: Any, **options: Any) -> Any:
        return run(flow, *args, **options).result[made].result

    assert result() == 2
    with context(parameters={"x": 5, "for another flow": 1}):
        assert result() == 10
        assert result(context={"parameters": {"x": 6}}) == 12
        assert result({"x": 7}, context={"parameters": {"x": 6}}) == 14
        assert result({"x": 7}, x=8) == 16


def test_a_parameter_may_be_called_like_an_option() -> None:
    with Flow("clash") as flow:
        made = double(Parameter("clock"))
    assert flow.run(clock=4).result[made].result == 8


def test_an_executor_is_chosen_by_the_run_then_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, _ = doubling()
    flow.run(show=False)
    assert flow.last_run is not None
    assert isinstance(flow.last_run.executor, LocalExecutor)
    flow.executor = ThreadExecutor(workers=2)
    flow.run(show=False)
    assert flow.last_run.executor is flow.executor
    flow.run(show=False, executor=LocalExecutor)
    assert isinstance(flow.last_run.executor, LocalExecutor)


def test_a_run_has_a_name_and_an_id_of_its_own() -> None:
    flow, _ = doubling()
    first, second = flow.start(show=False), flow.start(show=False)
    assert first.id != second.id
    assert first.name.startswith("doubling-")
    named = flow.start(show=False, flow_run_id="abc", flow_run_name="mine")
    assert (named.id, named.name) == ("abc", "mine")
    for run in (first, second, named):
        run.wait(10)


def test_wait_false_is_start() -> None:
    event = threading.Event()
    with Flow("waits") as flow:
        made = wait_for(event)
    run = flow.run(wait=False, show=False)
    assert isinstance(run, FlowRun)
    assert not run.is_over
    event.set()
    assert run.wait(10).result[made].result is True


def test_an_hour_of_retries_takes_no_time_with_a_virtual_clock(run: Run) -> None:
    @task(max_retries=60, retry_delay=dt.timedelta(minutes=1))
    def never() -> None:
        raise ValueError

    with Flow("patient") as flow:
        never()
    begun = time.monotonic()
    assert run(flow).is_failed()
    assert time.monotonic() - begun < 5
    assert flow.last_run is not None
    events = flow.last_run.events
    assert events[-1].at - events[0].at == pytest.approx(3600, abs=0.01)


# -- states to start from --------------------------------------------------------------------------------------------


def test_task_states_are_kept_and_their_bodies_do_not_run(run: Run) -> None:
    @task
    def expensive() -> int:
        raise AssertionError("run again")

    with Flow("restart") as flow:
        first = expensive()
        second = double(first)
    state = run(flow, task_states={first: Success(result=21)})
    assert state.result[second].result == 42


def test_a_flow_that_failed_is_restarted_from_its_states(run: Run) -> None:
    calls: list[str] = []

    @task
    def first() -> int:
        calls.append("first")
        return 1

    @task
    def second(x: int) -> int:
        calls.append("second")
        if len(calls) < 3:
            raise ValueError
        return x + 1

    with Flow("restart") as flow:
        one = first()
        two = second(one)
    failed = run(flow)
    states = {one: state for one, state in failed.result.items() if state.is_successful()}
    assert run(flow, task_states=states).result[two].result == 2
    assert calls == ["first", "second", "second"]


def test_a_scheduled_task_state_waits_for_its_time(run: Run) -> None:
    flow, made = doubling()
    later = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=2)
    run(flow, task_states={made: Scheduled(start_time=later)})
    assert flow.last_run is not None
    assert flow.last_run.story(made).events[-1].at >= later.timestamp()


def test_a_finished_flow_state_is_returned_unchanged(run: Run) -> None:
    flow, _ = doubling()
    earlier = Failed("before", result={})
    assert run(flow, state=earlier) is earlier


def test_an_unfinished_flow_state_gives_its_task_states(run: Run) -> None:
    flow, made = doubling()
    (x,) = flow.parameters()
    state = run(flow, state=Running(result={x: Success(result=50)}))
    assert state.result[made].result == 100


# -- the flow's own handlers -----------------------------------------------------------------------------------------


def test_flow_handlers_hear_of_both_changes_in_order(run: Run) -> None:
    heard: list[tuple[str, str]] = []

    def handler(flow: Flow, old: State, new: State) -> None:
        heard.append((type(old).__name__, type(new).__name__))

    flow, _ = doubling()
    flow.state_handlers.append(handler)
    run(flow)
    assert heard == [("Pending", "Running"), ("Running", "Success")]


def test_each_flow_handler_sees_what_the_one_before_it_answered(run: Run) -> None:
    seen: list[str | None] = []

    def first(flow: Flow, old: State, new: State) -> State | None:
        return Success("changed", result=new.result) if new.is_finished() else None

    def second(flow: Flow, old: State, new: State) -> None:
        seen.append(new.message)

    flow, _ = doubling()
    flow.state_handlers.extend([first, second])
    assert run(flow).message == "changed"
    assert seen == ["Running flow.", "changed"]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("moment", ["Running", "Success"])
def test_an_error_in_a_flow_handler_fails_the_flow_and_keeps_its_results(
    kind: type[BaseException], moment: str, run: Run
) -> None:
    def handler(flow: Flow, old: State, new: State) -> None:
        if type(new).__name__ == moment:
            raise kind("broken")

    flow, made = doubling()
    flow.state_handlers.append(handler)
    state = run(flow)
    assert type(state) is Failed
    assert "A state handler raised" in (state.message or "")
    assert state.result[made].is_successful() == (moment == "Success")


def test_a_flow_handler_may_end_the_run_before_it_begins(run: Run) -> None:
    def handler(flow: Flow, old: State, new: State) -> State | None:
        return Cancelled("closed today") if new.is_running() else None

    flow, made = doubling()
    flow.state_handlers.append(handler)
    state = run(flow)
    assert (type(state), state.message) == (Cancelled, "closed today")
    assert repr(state.result[made]) == '<Pending: "Task not run.">'


def test_a_flow_handler_that_answers_an_unfinished_state_at_the_end_changes_nothing(run: Run) -> None:
    flow, _ = doubling()
    flow.state_handlers.append(lambda flow, old, new: Running("never ending") if new.is_finished() else None)
    assert run(flow).is_successful()


def test_on_failure_hears_of_a_failed_flow_only(run: Run) -> None:
    heard: list[State] = []

    @task
    def maybe(fails: bool) -> None:
        if fails:
            raise ValueError

    with Flow("maybe", on_failure=lambda flow, state: heard.append(state)) as flow:
        maybe(Parameter("fails"))
    run(flow, fails=False)
    assert heard == []
    state = run(flow, fails=True)
    assert heard == [state]


def test_the_terminal_state_handler_may_answer_another_final_state(run: Run) -> None:
    decisive: list[set[State]] = []

    def terminal(flow: Flow, state: State, reference_task_states: set[State]) -> State | None:
        decisive.append(reference_task_states)
        return Failed("on second thoughts") if len(decisive) == 1 else None

    flow, made = doubling()
    flow.terminal_state_handler = terminal
    state = run(flow)
    assert (type(state), state.message) == (Failed, "on second thoughts")
    assert state.result[made].result == 2
    assert decisive == [{state.result[made]}]
    assert run(flow).is_successful()


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_an_error_in_the_terminal_state_handler_fails_the_flow(kind: type[BaseException], run: Run) -> None:
    def terminal(flow: Flow, state: State, reference_task_states: set[State]) -> State | None:
        raise kind("broken")

    flow, made = doubling()
    flow.terminal_state_handler = terminal
    state = run(flow)
    assert type(state) is Failed
    assert state.result[made].result == 2


def test_flow_handlers_may_ask_the_context_about_the_run_and_about_no_task(run: Run) -> None:
    seen: list[Any] = []

    def handler(flow: Flow, old: State, new: State) -> None:
        seen.append((context.flow_name, context.parameters, context.get("task_name")))

    flow, _ = doubling()
    flow.state_handlers.append(handler)
    run(flow, x=3)
    assert seen == [("doubling", {"x": 3}, None)] * 2


# -- runs in runs ----------------------------------------------------------------------------------------------------


def test_a_flow_may_run_in_a_task_of_another_flow(run: Run) -> None:
    inner, made = doubling()

    @task
    def outer(x: int) -> int:
        result: int = inner.run(x=x, show=False).result[made].result
        return result + 1

    with Flow("outer") as flow:
        last = double(outer(10))
    assert run(flow).result[last].result == 42


def test_a_task_cannot_wait_for_its_own_run(run: Run) -> None:
    @task
    def body() -> None:
        assert flow.last_run is not None
        flow.last_run.wait(1)

    with Flow("ouroboros") as flow:
        made = body()
    state = run(flow).result[made]
    assert "waits for that run, which waits for the task" in (state.message or "")


# -- await -----------------------------------------------------------------------------------------------------------


def test_run_async_returns_the_final_state_and_lets_the_loop_turn() -> None:
    event = threading.Event()
    with Flow("awaited") as flow:
        made = wait_for(event)

    async def main() -> State:
        running = asyncio.ensure_future(flow.run_async(show=False))
        await asyncio.sleep(0.05)
        event.set()
        return await running

    assert asyncio.run(main()).result[made].result is True


def test_run_async_returns_when_only_a_person_can_go_on() -> None:
    @task
    def body() -> None:
        if not context.get("resume"):
            raise signals.PAUSE

    with Flow("paused") as flow:
        made = body()

    async def main() -> State:
        state = await flow.run_async(show=False)
        assert type(state.result[made]) is Paused
        assert flow.last_run is not None
        flow.last_run.resume()
        return flow.last_run.wait(10)

    assert asyncio.run(main()).is_successful()


def test_cancelling_who_awaits_a_run_cancels_the_run() -> None:
    event = threading.Event()
    with Flow("awaited") as flow:
        wait_for(event)

    async def main() -> None:
        running = asyncio.ensure_future(flow.run_async(show=False))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert flow.last_run is not None
    assert type(flow.last_run.wait(10)) is Cancelled
    event.set()


def test_a_failing_run_without_a_picture_says_in_the_log_what_failed(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def boom() -> None:
        raise ValueError("no rows")

    line = boom.run.__code__.co_firstlineno + 2
    with Flow("script") as flow:
        boom()
    logger = get_logger()
    logger.addHandler(caplog.handler)
    try:
        flow.run()
        flow.run(show=False)
    finally:
        logger.removeHandler(caplog.handler)
    assert [record.getMessage() for record in caplog.records] == [
        f"Task 'boom-1' failed at test_running.py:{line}: ValueError: no rows.",
        "Flow 'script': Some reference tasks failed.",
    ]


def test_a_parameter_may_be_called_flow() -> None:
    with Flow("named") as named:
        value = Parameter("flow") + 0
    assert named.run(flow=3, show=False).result[value].result == 3
    assert named.start(flow=4, show=False).wait(5).result[value].result == 4
