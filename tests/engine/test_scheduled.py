"""A flow with a schedule waits for each of its times, and runs then."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import signal
import threading
import time
import weakref
from typing import Any

import pytest

from flowbook import Flow, config, context, signals, task
from flowbook.engine.clock import VirtualClock
from flowbook.engine.machine import Machine
from flowbook.engine.scheduled import KEPT, ScheduledRuns
from flowbook.schedules import CronSchedule, Schedule, adjustments, clocks, filters
from flowbook.states import Cancelled, Failed, Running, Scheduled, State, Success
from tests.engine.diary import DAY, HOUR, MONDAY, UTC, Diary, at, daily, soon

# -- when ------------------------------------------------------------------------------------------------------------


def test_a_run_begins_at_each_time_of_the_schedule_and_the_last_state_is_returned() -> None:
    diary = Diary(daily(3))
    state = diary.flow.run(clock=VirtualClock(MONDAY.timestamp() - 1), show=False)
    assert diary.times == [MONDAY, MONDAY + DAY, MONDAY + 2 * DAY]
    assert state.result[diary.noted].result == 3


def test_a_year_of_a_schedule_passes_in_no_time() -> None:
    diary = Diary(daily(365))
    began = time.monotonic()
    diary.flow.run(clock="fast", show=False)
    assert len(diary.entries) == 365
    assert time.monotonic() - began < 5


def test_the_time_in_the_context_has_the_zone_of_its_clock() -> None:
    zone = dt.timezone(HOUR)
    diary = Diary(at(MONDAY.astimezone(zone)))
    diary.flow.run(clock="fast", show=False)
    assert diary.times[0].utcoffset() == HOUR


def test_filters_and_adjustments_have_their_say() -> None:
    week = Schedule(daily(7).clocks, filters=[filters.is_weekend], adjustments=[adjustments.next_weekday])
    diary = Diary(week)
    diary.flow.run(clock="fast", show=False)
    assert diary.times == [MONDAY + 7 * DAY]


def test_times_that_come_while_a_run_goes_on_are_let_go_by() -> None:
    diary = Diary(daily(6))
    clock = VirtualClock(MONDAY.timestamp() - 1)
    slow = task(lambda: clock.advance(clock.now() + 2.5 * 86400))
    with diary.flow:
        slow()
    diary.flow.run(clock=clock, show=False)
    assert [time.day for time in diary.times] == [1, 4]


def test_retries_may_outlast_the_next_time() -> None:
    attempts = []

    @task(max_retries=1, retry_delay=1.5 * DAY)
    def moody() -> None:
        attempts.append(context.scheduled_start_time.day)
        if context.task_run_count == 1:
            raise ValueError

    with Flow("moody", schedule=daily(4)) as flow:
        moody()
    flow.run(clock="fast", show=False)
    assert attempts == [1, 1, 3, 3]


def test_a_failing_run_does_not_stop_the_schedule() -> None:
    states: list[State] = []
    tried: list[int] = []

    @task
    def fails_at_first() -> None:
        tried.append(1)
        if len(tried) == 1:
            raise ValueError("the first time")

    with Flow("unlucky", schedule=daily(2), state_handlers=[lambda f, o, n: states.append(n)]) as flow:
        fails_at_first()
    state = flow.run(clock="fast", show=False)
    assert [type(s) for s in states if s.is_finished()] == [Failed, Success]
    assert state.is_successful()


def test_handlers_of_the_flow_see_that_it_was_scheduled() -> None:
    seen: list[tuple[type, type]] = []
    handler = lambda f, old, new: seen.append((type(old), type(new)))  # noqa: E731
    with Flow("handled", schedule=daily(1), state_handlers=[handler]) as flow:
        task(lambda: 1)()
    flow.run(clock="fast", show=False)
    assert seen == [(Scheduled, Running), (Running, Success)]


def test_two_clocks_that_ask_for_different_runs_at_one_moment_get_both() -> None:
    both = Schedule([*at(MONDAY, country="NL").clocks, *at(MONDAY, country="NZ").clocks])
    diary = Diary(both, "country")
    diary.flow.run(clock="fast", show=False)
    assert diary.given == [{"country": "NL"}, {"country": "NZ"}]


def test_a_schedule_that_has_ended_is_refused_with_a_way_out() -> None:
    flow = Diary(at(dt.datetime(2020, 1, 1, tzinfo=UTC))).flow
    with pytest.raises(ValueError, match=r"no more scheduled runs.*run_on_schedule=False"):
        flow.run(show=False)
    assert flow.last_run is None


def test_filters_that_contradict_each_other_leave_no_run() -> None:
    never = Schedule([clocks.IntervalClock(DAY)], filters=[filters.is_weekday, filters.is_weekend])
    with pytest.raises(ValueError, match="no more scheduled runs"):
        Diary(never).flow.run(show=False)


def test_the_schedule_can_be_left_out_for_one_run_or_by_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    diary = Diary(daily(3))
    assert diary.flow.run(run_on_schedule=False, show=False).is_successful()
    assert diary.flow.run(None, False, show=False).is_successful()
    monkeypatch.setitem(config.flows.__dict__, "run_on_schedule", False)
    assert diary.flow.run(show=False).is_successful()
    assert len(diary.entries) == 3
    diary.flow.run(run_on_schedule=True, clock="fast", show=False)
    assert len(diary.entries) == 6


def test_a_run_of_a_part_is_meant_for_now() -> None:
    diary = Diary(daily(3))
    assert diary.flow.run(until=diary.noted, show=False).is_successful()
    assert diary.flow.run(start_at=diary.noted, show=False).is_successful()
    assert len(diary.entries) == 2


def test_a_failed_run_of_a_schedule_can_be_gone_on_with() -> None:
    broken = [True]

    @task
    def mend() -> int:
        if broken:
            raise ValueError
        return 1

    with Flow("mended", schedule=daily(1)) as flow:
        mended = mend()
    flow.run(clock="fast", show=False)
    broken.clear()
    assert flow.last_run is not None
    assert flow.last_run.resume().wait(5).result[mended].result == 1


def test_a_flow_without_a_schedule_runs_at_once_whatever_is_asked() -> None:
    assert Diary(None).flow.run(run_on_schedule=True, show=False).is_successful()


@pytest.mark.parametrize("wrong", [clocks.IntervalClock(DAY), "daily"])
def test_what_is_no_schedule_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"is not a schedule. Write Schedule\(clocks="):
        Flow("wrong", schedule=wrong)
    flow = Diary(None).flow
    flow.schedule = wrong
    with pytest.raises(TypeError, match="is not a schedule"):
        flow.run(show=False)


def test_a_schedule_cannot_be_run_while_the_flow_is_being_built() -> None:
    diary = Diary(daily(1))
    with diary.flow, pytest.raises(RuntimeError, match="inside a `with Flow"):
        diary.flow.run(show=False)


# -- the handle ------------------------------------------------------------------------------------------------------


def test_start_returns_a_handle_at_once_and_its_first_run_is_scheduled() -> None:
    diary = Diary(CronSchedule("0 9 * * *"))
    runs = diary.flow.start(show=False)
    try:
        assert isinstance(runs, ScheduledRuns)
        assert type(runs.state) is Scheduled
        assert str(runs.state.message).startswith("Waits for ")
        assert runs.next_start == runs.state.start_time
        assert runs.current is diary.flow.last_run
        assert [event.state for event in runs.events] == ["Scheduled"]
        assert runs.events[0].due == runs.state.start_time.timestamp()  # type: ignore[union-attr]
        assert not runs.is_over
        assert f"diary, Scheduled, next {runs.next_start}, run 1" in repr(runs)
    finally:
        runs.cancel()
    assert type(runs.wait(5)) is Cancelled


def test_a_cancel_ends_the_sleep_at_once_and_the_schedule() -> None:
    diary = Diary(at(soon(3600), soon(7200)))
    runs = diary.flow.start(show=False)
    began = time.monotonic()
    runs.cancel("No more.")
    state = runs.wait(5)
    assert time.monotonic() - began < 1
    assert (type(state), state.message) == (Cancelled, "No more.")
    assert type(state.result[diary.noted]) is Cancelled
    assert (runs.is_over, runs.next_start, runs.count, diary.entries) == (True, None, 1, [])


def test_cancelling_the_run_that_waits_ends_the_schedule_too() -> None:
    diary = Diary(at(soon(3600), soon(7200)))
    runs = diary.flow.start(show=False)
    diary.flow.last_run.cancel()  # type: ignore[union-attr]  # what the button of its picture does
    assert type(runs.wait(5)) is Cancelled
    assert runs.count == 1


def test_cancelling_a_run_that_goes_on_leaves_the_schedule_alone() -> None:
    begun, seen = threading.Event(), []

    @task
    def first_waits() -> None:
        seen.append(1)
        if len(seen) == 1:
            begun.set()
            time.sleep(0.2)

    with Flow("patient", schedule=at(soon(0.05), soon(0.6))) as flow:
        first_waits()
    runs = flow.start(show=False)
    assert begun.wait(5)
    runs.current.cancel()
    assert runs.wait(5).is_successful()
    assert [type(run.state) for run in runs.runs] == [Cancelled, Success]


def test_cancelling_the_schedule_ends_it_while_a_run_goes_on_too() -> None:
    begun = threading.Event()

    @task
    def waits() -> None:
        begun.set()
        time.sleep(0.2)

    with Flow("patient", schedule=at(soon(0.05), soon(0.6))) as flow:
        waits()
    runs = flow.start(show=False)
    assert begun.wait(5)
    runs.cancel("No more.")
    assert type(runs.wait(5)) is Cancelled
    assert runs.count == 1


def test_runs_begin_when_their_time_has_come() -> None:
    first = soon(0.15)
    diary = Diary(at(first, first + dt.timedelta(seconds=0.15)))
    runs = diary.flow.start(show=False)
    assert runs.wait(5).is_successful()
    for run in runs.runs:
        begins = next(when for when, who, what in run.runner.machine.log.rows() if type(what) is Running)
        assert 0 <= begins - run.runner.scheduled_for.timestamp() < 1
    assert [run.runner.machine.log.what[0].message.partition(".")[2][:4] for run in runs.runs] == ["", " The"]
    assert (runs.count, runs.next_start) == (2, None)


def test_while_a_run_goes_on_the_next_start_is_known() -> None:
    seen: list[Any] = []
    runs_of: list[ScheduledRuns] = []
    is_there = threading.Event()

    @task
    def ask() -> None:
        is_there.wait(5)
        seen.append(runs_of[0].next_start)

    with Flow("asking", schedule=daily(2)) as flow:
        ask()
    runs_of.append(flow.start(clock=VirtualClock(MONDAY.timestamp() - 1), show=False))
    is_there.set()
    runs_of[0].wait(5)
    assert seen == [MONDAY + DAY, None]


def test_only_the_last_runs_are_kept_and_their_results_go(machines: list[Machine]) -> None:
    class Big:
        pass

    alive: list[Any] = []

    @task
    def make() -> Big:
        made = Big()
        alive.append(weakref.ref(made))
        return made

    with Flow("long", schedule=daily(40)) as flow:
        make()
    runs = flow.start(clock="fast", show=False)
    runs.wait(20)
    machines.clear()  # which are kept for their check
    gc.collect()
    assert (runs.count, len(runs.runs)) == (40, KEPT)
    assert sum(ref() is not None for ref in alive) <= KEPT


def test_waiting_for_a_schedule_may_be_given_up() -> None:
    runs = Diary(at(soon(3600))).flow.start(show=False)
    with pytest.raises(TimeoutError, match=r"it goes on. Ask runs.next_start, or runs.cancel\(\)"):
        runs.wait(0.01)
    runs.cancel()
    runs.wait(5)


def test_a_task_that_waits_for_its_own_schedule_is_told_so() -> None:
    runs_of: list[ScheduledRuns] = []
    with Flow("own tail", schedule=at(soon(0.1))) as flow:
        task(lambda: runs_of[0].wait())()  # noqa: PLW0108 - the handle comes later
    runs_of.append(flow.start(show=False))
    state = runs_of[0].wait(5)
    assert "waits for its schedule, which waits for the task" in str(next(iter(state.result.values())).result)


def test_a_run_that_cannot_be_made_ends_the_schedule_and_wait_raises() -> None:
    diary = Diary(daily(3))

    def spoil(flow: Flow, old: State, new: State) -> None:
        if new.is_finished():
            flow.schedule = None

    diary.flow.state_handlers = [spoil]
    runs = diary.flow.start(clock="fast", show=False)
    with pytest.raises(AttributeError):
        runs.wait(5)
    assert runs.is_over


def test_a_paused_run_waits_on_while_the_schedule_goes_on() -> None:
    seen: list[int] = []

    @task
    def first_asks() -> str:
        seen.append(1)
        if len(seen) == 1:
            raise signals.PAUSE("Look at it.")
        return "done"

    with Flow("asks", schedule=daily(2)) as flow:
        asked = first_asks()
    runs = flow.start(clock="fast", show=False)
    assert runs.wait(5).is_successful()
    paused = runs.runs[0]
    assert paused.is_over
    assert not paused.state.is_finished()
    paused.resume()
    assert paused.wait(5).result[asked].result == "done"


def test_what_was_given_around_the_start_holds_for_all_runs() -> None:
    seen = []
    with Flow("around", schedule=daily(3)) as flow:
        task(lambda: seen.append(context.get("country")))()
    with context(country="NL"):
        runs = flow.start(clock="fast", show=False)
    runs.wait(5)
    assert seen == ["NL"] * 3


# -- interrupts, other ways to drive ---------------------------------------------------------------------------------


def test_an_interrupt_ends_the_sleep_at_once() -> None:
    diary = Diary(at(soon(3600)))
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))  # type: ignore[arg-type]
    timer.start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            diary.flow.run(show=False)
    finally:
        timer.cancel()  # or it would end the suite
    assert time.monotonic() - began < 2
    assert diary.flow.last_run is not None
    assert type(diary.flow.last_run.state) is Cancelled


def test_a_schedule_can_be_awaited() -> None:
    diary = Diary(daily(3))
    assert asyncio.run(diary.flow.run_async(clock="fast", show=False)).is_successful()
    assert len(diary.entries) == 3


def test_who_awaits_a_schedule_can_be_cancelled() -> None:
    diary = Diary(at(soon(3600)))

    async def give_up() -> None:
        awaiting = asyncio.ensure_future(diary.flow.run_async(show=False))
        await asyncio.sleep(0.05)
        awaiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await awaiting

    asyncio.run(give_up())
    assert diary.flow.last_run is not None
    assert type(diary.flow.last_run.wait(5)) is Cancelled


async def over(runs: ScheduledRuns) -> None:
    while not runs.is_over:  # noqa: ASYNC110 - as a cell would look
        await asyncio.sleep(0.02)


@pytest.mark.usefixtures("no_threads")
def test_without_threads_a_schedule_runs_in_turns_on_the_event_loop() -> None:
    diary = Diary(at(soon(0.1), soon(0.2)))
    assert asyncio.run(diary.flow.run_async(show=False)).is_successful()
    assert len(diary.entries) == 2

    async def start() -> ScheduledRuns:
        runs: ScheduledRuns = diary.flow.start(show=False)
        with pytest.raises(RuntimeError, match="await flow"):
            runs.wait()
        await over(runs)
        return runs

    diary.flow.schedule = at(soon(0.1), soon(0.2))
    assert asyncio.run(start()).count == 2


@pytest.mark.usefixtures("no_threads")
def test_without_threads_and_event_loop_a_schedule_is_over_when_start_returns() -> None:
    diary = Diary(daily(2))
    assert diary.flow.start(clock="fast", show=False).is_over
    assert len(diary.entries) == 2


@pytest.mark.usefixtures("no_threads")
def test_without_threads_a_cancel_ends_the_sleep_too() -> None:
    async def start() -> State:
        runs: ScheduledRuns = Diary(at(soon(3600))).flow.start(show=False)
        await asyncio.sleep(0.02)
        runs.cancel()
        await over(runs)
        return runs.state

    assert type(asyncio.run(start())) is Cancelled


def test_wait_false_is_start() -> None:
    runs = Diary(daily(1)).flow.run(wait=False, clock="fast", show=False)
    assert isinstance(runs, ScheduledRuns)
    assert runs.wait(5).is_successful()
