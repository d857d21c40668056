"""The thread executor: bodies side by side, one taker for tiny ones, and letting go of what cannot be stopped."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowbook import Flow, Task, context, signals, task
from flowbook.engine.clock import SystemClock, VirtualClock
from flowbook.engine.executors import ThreadExecutor, executor_of
from flowbook.engine.executors.threads import _Pool, _Worker
from flowbook.engine.flow_run import FlowRun
from flowbook.engine.frame import RunFrame
from flowbook.engine.machine import Machine
from flowbook.engine.plan import Plan
from flowbook.engine.runner import Runner
from flowbook.states import Cancelled, State, Success, TimedOut


@task
def sleep(seconds: float, name: str = "") -> float:
    time.sleep(seconds)
    return seconds


@task
def tiny(x: object = None) -> int:
    return threading.get_ident()


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    took = time.monotonic() - begun
    assert took < seconds, f"took {took:.3f} s"


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers=0 must be at least 1"):
        ThreadExecutor(workers=0)
    assert 1 <= ThreadExecutor().workers <= 32
    assert executor_of(ThreadExecutor).name == "threads"


# -- side by side ----------------------------------------------------------------------------------------------------


def test_bodies_that_wait_run_side_by_side() -> None:
    with Flow("wide") as flow:
        for _ in range(16):
            sleep(0.2)
    with within(1.6):  # one after another: 3.2 s
        flow.run(show=False, executor=ThreadExecutor(workers=16))


def test_never_more_at_a_time_than_workers() -> None:
    now, most = 0, 0
    lock = threading.Lock()

    @task
    def count() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    with Flow("limited") as flow:
        for _ in range(12):
            count()
    flow.run(show=False, executor=ThreadExecutor(workers=3))
    assert most == 3


def test_a_long_body_is_not_held_up_by_short_ones_nor_they_by_it() -> None:
    with Flow("mixed") as flow:
        for place in range(200):
            sleep(0.3, task_args={"name": "long"}) if place % 50 == 0 else tiny()
    with within(0.8):  # one after another: 1.2 s
        flow.run(show=False, executor="threads")


def test_bodies_of_different_functions_that_all_wait_are_soon_all_running() -> None:
    started: list[float] = []
    ended: list[float] = []

    def waiting() -> Callable[[], None]:
        def body() -> None:
            started.append(time.monotonic())
            time.sleep(0.4)
            ended.append(time.monotonic())

        return body

    with Flow("strangers") as flow:
        for _ in range(8):
            task(waiting())()
    flow.run(show=False, executor=ThreadExecutor(workers=8))
    assert max(started) < min(ended)


def test_stages_of_long_bodies_are_each_run_side_by_side() -> None:
    with Flow("stages") as flow:
        last: list[Any] = []
        for _ in range(5):
            stage = [sleep(0.03, upstream_tasks=last) for _ in range(4)]
            last = [tiny(upstream_tasks=stage)]
    with within(0.45):  # one after another: 0.6 s
        flow.run(show=False, executor=ThreadExecutor(workers=4))


def test_a_chain_of_tiny_bodies_stays_on_one_thread() -> None:
    with Flow("chain") as flow:
        made = [tiny()]
        for _ in range(50):
            made.append(tiny(made[-1]))
    result = flow.run(show=False, executor="threads").result
    assert len({result[one].result for one in made}) == 1


def test_all_tasks_of_a_wide_and_deep_flow_run_once() -> None:
    calls: list[int] = []

    @task
    def note(place: int, x: object = None, y: object = None) -> int:
        calls.append(place)
        if place % 97 == 0:
            time.sleep(0.002)
        return place

    with Flow("net") as flow:
        made: list[Task] = []
        for place in range(1500):
            made.append(note(place, *made[max(0, place - 40) : place - 20 : 10][:2]))
    assert flow.run(show=False, executor="threads").is_successful()
    assert sorted(calls) == list(range(1500))


def test_a_system_that_gives_no_more_threads_is_made_do_with(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = threading.Thread.start
    begun: list[str] = []

    def start(thread: threading.Thread) -> None:
        if thread.name == "flowbook-worker":
            if len(begun) == 2:
                raise RuntimeError("can't start new thread")
            begun.append(thread.name)
        begin(thread)

    with Flow("poor") as flow:
        for _ in range(8):
            sleep(0.02)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert flow.run(show=False, executor="threads").is_successful()
    assert len(begun) == 2


def test_a_system_that_gives_no_thread_at_all_breaks_the_run_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name == "flowbook-worker":
            raise RuntimeError("can't start new thread")
        begin(thread)

    with Flow("none") as flow:
        made = tiny()
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        flow.run(show=False, executor="threads")
    assert flow.last_run is not None
    assert flow.last_run.is_over
    assert type(flow.last_run[made]) is Cancelled
    assert "broken off by RuntimeError" in (flow.last_run.state.message or "")
    run = flow.start(show=False)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run.wait(5)


# -- waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["threads", ThreadExecutor(workers=2)])
def test_a_retry_is_due_in_time_although_everybody_else_is_busy(executor: Any) -> None:
    moments: list[float] = []

    @task(max_retries=1, retry_delay=dt.timedelta(seconds=0.2))
    def flaky() -> None:
        moments.append(time.monotonic())
        if len(moments) == 1:
            raise ValueError

    with Flow("busy") as flow:
        flaky()
        sleep(1.5)
    flow.run(show=False, executor=executor)
    assert 0.2 <= moments[1] - moments[0] < 1.0


def test_a_timer_that_is_due_sooner_than_the_one_that_is_waited_for_is_heard() -> None:
    ended: dict[str, float] = {}
    begun = time.monotonic()

    def after(seconds: float) -> dt.datetime:
        return dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=seconds)

    @task
    def later(name: str, wait: float, work: float = 0.0) -> None:
        if context.task_run_count == 1:
            time.sleep(work)
            raise signals.RETRY(start_time=after(wait))
        ended[name] = time.monotonic() - begun

    with Flow("timers") as flow:
        later("long", 1.0)
        later("short", 0.1, work=0.1)
    flow.run(show=False, executor="threads")
    assert 0.2 <= ended["short"] < 0.8 < ended["long"]


def test_virtual_time_does_not_jump_while_a_body_or_a_handler_runs() -> None:
    clock = VirtualClock(start=1000.0)
    seen: list[float] = []

    def handler(one: Task, old: State, new: State) -> None:
        time.sleep(0.05)
        seen.append(clock.now())

    @task(max_retries=1, retry_delay=dt.timedelta(hours=1))
    def flaky() -> None:
        if context.task_run_count == 1:
            raise ValueError

    with Flow("virtual") as flow:
        flaky()
        sleep(0.1, task_args={"state_handlers": [handler]})
    flow.run(show=False, executor="threads", clock=clock)
    assert seen == [1000.0, 1000.0]
    assert clock.now() == pytest.approx(4600.0)


# -- letting go ------------------------------------------------------------------------------------------------------


def started(flow: Flow, **options: Any) -> FlowRun:
    run: FlowRun = flow.start(show=False, **options)
    time.sleep(0.05)
    return run


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_cancel_lets_go_of_running_bodies_at_once_and_says_so(executor: str) -> None:
    with Flow("stuck") as flow:
        quick = tiny()
        stuck = sleep(5.0, upstream_tasks=[quick])
        after = tiny(stuck)
    run = started(flow, executor=executor)
    with within(2.0):
        run.cancel("by button")
        state = run.wait(5)
    assert (type(state), state.message) == (Cancelled, "by button")
    assert type(state.result[quick]) is Success
    assert state.result[stuck].message == (
        "by button Its body is still running on its thread: only a process can be stopped."
    )
    assert type(state.result[after]) is Cancelled


def test_cancel_does_not_wait_for_a_handler_that_does_not_return() -> None:
    release = threading.Event()

    def handler(one: Task, old: State, new: State) -> None:
        release.wait(10)

    with Flow("stuck") as flow:
        made = tiny(task_args={"state_handlers": [handler]})
    run = started(flow)
    with within(2.0):
        run.cancel()
        run.wait(5)
    release.set()
    assert type(run[made]) is Cancelled


def test_a_body_whose_time_is_over_is_let_go_of_and_its_late_result_is_dropped() -> None:
    done = threading.Event()

    @task(timeout=1)
    def slow() -> str:
        time.sleep(1.4)
        done.set()
        return "late"

    with Flow("slow") as flow:
        made = slow()
        other = sleep(1.8)
    state = flow.run(show=False, executor=ThreadExecutor(workers=2))
    assert done.is_set()
    assert type(state.result[made]) is TimedOut
    assert state.result[made].message == (
        "Timed out after 1 s. Its body is still running on its thread: only a process can be stopped."
    )
    assert state.result[other].result == 1.8


def test_the_place_of_a_body_that_was_let_go_of_is_free_again() -> None:
    release = threading.Event()

    @task(timeout=1)
    def stuck() -> None:
        release.wait(10)

    with Flow("one place") as flow:
        stuck()
        after = tiny()
    with within(4.0):
        state = flow.run(show=False, executor=ThreadExecutor(workers=1))
    release.set()
    assert type(state.result[after]) is Success


def test_the_deadline_of_an_attempt_is_not_that_of_the_next_on_the_same_thread() -> None:
    @task(timeout=1, max_retries=1, retry_delay=dt.timedelta(seconds=0.01))
    def body() -> str:
        if context.task_run_count == 1:
            time.sleep(0.6)
            raise ValueError
        time.sleep(0.7)
        return "in time"

    with Flow("twice") as flow:
        made = body()
    assert flow.run(show=False, executor=ThreadExecutor(workers=1)).result[made].result == "in time"


def test_no_thread_of_a_run_is_left_when_it_has_ended() -> None:
    before = threading.active_count()
    with Flow("wide") as flow:
        for _ in range(20):
            sleep(0.01)
    for executor in ("threads", ThreadExecutor(workers=1)):
        flow.run(show=False, executor=executor)
        flow.start(show=False, executor=executor).wait(5)
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_a_fault_of_ours_on_a_workers_thread_breaks_the_run_off_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*args: Any) -> None:
        raise ZeroDivisionError("ours")

    with Flow("faulty") as flow:
        made = tiny()
        after = tiny(made)
    monkeypatch.setattr(Machine, "returned", faulty)
    with pytest.raises(ZeroDivisionError, match="ours"):
        flow.run(show=False, executor="threads")
    assert flow.last_run is not None
    assert flow.last_run.is_over
    assert [type(flow.last_run[one]) for one in (made, after)] == [Cancelled, Cancelled]
    run = flow.start(show=False)
    with pytest.raises(ZeroDivisionError, match="ours"):
        run.wait(5)
    assert "broken off by ZeroDivisionError" in (run.state.message or "")


@pytest.mark.parametrize("limit", [4, 1])
def test_a_taker_that_rests_has_the_other_one_looked_after(limit: int) -> None:
    """The other one may be in a long body while tasks are ready."""
    with Flow("two takers") as flow:
        tiny(), tiny()
    runner = Runner(Plan(flow), SystemClock(), run_id="r")
    runner.begin()
    pool = _Pool(runner, limit)
    pool.takers, pool.idle, pool.is_closed = 2, 0, True
    worker = _Worker(RunFrame(runner))
    pool.workers.add(worker)
    with pool.lock:
        assert not pool.goes_on(worker, 0, took=0.0)
    assert pool.is_glancing
    assert runner.bell.wait(0)


class HalfThere:
    """A sequence that refuses every other element."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> int:
        if index % 2:
            raise ValueError(f"no element {index}")
        return index


def test_elements_that_cannot_be_taken_leave_no_worker_away() -> None:
    @task
    def elements() -> HalfThere:
        return HalfThere()

    @task(max_retries=1, retry_delay=dt.timedelta(seconds=0.2))
    def long(x: int) -> int:
        time.sleep(0.01)
        return x

    with Flow("half") as flow:
        made = long(elements(), mapped=True)
    run = flow.start(executor="threads", show=False)
    assert run.wait(10).is_failed()  # it hung: workers counted as away were never called for the second attempts
    assert sum(child.is_failed() for child in run.children(made)) == 15


def test_what_is_due_first_is_begun_before_the_virtual_clock_jumps_on() -> None:
    def later(hours: int) -> Any:
        @task(name=f"after {hours} h", max_retries=1, retry_delay=dt.timedelta(hours=hours))
        def again() -> float:
            if context.task_run_count == 1:
                raise ValueError("not yet")
            return 0.0

        return again

    with Flow("hours") as flow:
        for hours in (1, 2, 3):
            later(hours)()
    run = flow.start(executor="threads", show=False, clock="fast")
    run.wait(10)
    ended = {event.task: event.at - run.events[0].at for event in run.events if event.state == "Success"}
    assert {name: round(at / 3600) for name, at in ended.items() if name} == {
        run.runner.slug(number): int(run.runner.described(number).name.split()[1]) for number in range(3)
    }
