"""What the runs of a schedule are given, what time it is for them, and how they look while they wait."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from flowbook import Flow, Parameter, task
from flowbook.engine.clock import SystemClock, VirtualClock
from flowbook.engine.plan import Plan
from flowbook.engine.runner import Runner
from flowbook.engine.scheduled import ScheduledRuns
from flowbook.errors import FlowError
from flowbook.schedules import IntervalSchedule, Schedule
from flowbook.states import Scheduled, Success
from flowbook.view.feed import Feed
from tests.engine.diary import DAY, HOUR, MONDAY, UTC, Diary, at, daily, soon

# -- parameters ------------------------------------------------------------------------------------------------------


def test_what_a_clock_gives_stands_above_what_was_given_to_the_run_and_does_not_leak() -> None:
    mixed = Schedule([*at(MONDAY, country="NL").clocks, *at(MONDAY + DAY).clocks, *at(MONDAY + 2 * DAY, n=3).clocks])
    diary = Diary(mixed, country="nowhere", n=0)
    diary.flow.run(country="DE", clock="fast", show=False)
    assert diary.given == [{"country": "NL", "n": 0}, {"country": "DE", "n": 0}, {"country": "DE", "n": 3}]


def test_what_a_clock_gives_stands_above_the_context() -> None:
    diary = Diary(daily(2, country="NL"), country="nowhere")
    diary.flow.run(context={"parameters": {"country": "FR"}}, clock="fast", show=False)
    assert diary.given == [{"country": "NL"}] * 2


def test_what_a_run_does_to_a_value_of_a_clock_no_other_run_sees() -> None:
    seen = []

    @task
    def spoil(values: list[int]) -> None:
        seen.append(list(values))
        values.append(1)

    with Flow("spoiling", schedule=daily(2, values=[])) as flow:
        spoil(Parameter("values"))
    flow.run(clock="fast", show=False)
    assert seen == [[], []]


def test_a_required_parameter_may_come_from_the_clock() -> None:
    diary = Diary(daily(1, country="NL"), "country")
    diary.flow.run(clock="fast", show=False)
    assert diary.given == [{"country": "NL"}]


def test_a_parameter_that_only_some_clocks_give_is_missed_before_anything_is_waited_for() -> None:
    mixed = Schedule([*at(MONDAY, country="NL").clocks, *at(MONDAY + DAY).clocks])
    with pytest.raises(FlowError, match="needs a value for: country"):
        Diary(mixed, "country").flow.run(clock="fast", show=False)


def test_a_clock_that_gives_an_unknown_parameter_is_told_of_at_once() -> None:
    with pytest.raises(FlowError, match=r"no parameter 'contry'\. Did you mean 'country'"):
        Diary(daily(1, contry="NL"), country="DE").flow.run(clock="fast", show=False)


def test_states_to_start_from_are_meant_for_the_first_run() -> None:
    diary = Diary(daily(2))
    state = diary.flow.run(task_states={diary.noted: Success(result="kept")}, clock="fast", show=False)
    assert len(diary.entries) == 1
    assert state.result[diary.noted].result == 1


# -- the clock on the wall -------------------------------------------------------------------------------------------


def test_who_waits_follows_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.now()
    later = time.time() + 3600
    monkeypatch.setattr("flowbook.engine.clock.time.time", lambda: later)
    clock.follow_the_wall()
    assert 3590 < clock.now() - before < 3610
    monotonic, offset = clock.reading
    assert abs(monotonic() + offset - clock.now()) < 1


def test_the_clock_on_the_wall_is_not_followed_for_a_trifle(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.reading
    nudged = time.time() + 0.2
    monkeypatch.setattr("flowbook.engine.clock.time.time", lambda: nudged)
    clock.follow_the_wall()
    assert clock.reading == before


def test_the_log_does_not_run_backwards_when_a_clock_is_set_back_in_the_sleep() -> None:
    begun = Runner(Plan(Diary(None).flow), VirtualClock(0.0), run_id="x")
    begun.machine.end(Scheduled("Waits."), 3600.0)
    begun.begin()
    assert begun.started == 3600.0


def test_a_clock_that_is_set_back_does_not_give_an_event_twice() -> None:
    clock = VirtualClock(MONDAY.timestamp() - 1)
    runs: ScheduledRuns = Diary(daily(3)).flow.start(clock=clock, show=False)
    runs.wait(5)
    assert runs._after(runs.current) == MONDAY + 2 * DAY
    clock._now -= 3600
    assert runs._after(runs.current) == MONDAY + 2 * DAY


# -- how it looks ----------------------------------------------------------------------------------------------------


def test_a_run_that_waits_looks_scheduled_with_the_time_it_is_due() -> None:
    runs = Diary(at(soon(3600))).flow.start(show=False)
    look = Feed(runs.current.runner).snapshot(0.0).flow
    runs.cancel()
    runs.wait(5)
    assert (look.state, look.started, look.ended) == ("Scheduled", None, None)
    assert look.due == runs.current.runner.scheduled_for.timestamp()
    assert look.sentence == look.message
    after = Feed(runs.current.runner).snapshot(0.0).flow
    assert (after.state, after.due) == ("Cancelled", None)


def test_once_it_has_begun_nothing_is_due_any_more() -> None:
    diary = Diary(daily(1))
    diary.flow.run(clock="fast", show=False)
    assert diary.flow.last_run is not None
    look = Feed(diary.flow.last_run.runner).snapshot(0.0).flow
    assert (look.state, look.due, look.sentence) == ("Success", None, "")
    assert look.started == MONDAY.timestamp()
    assert diary.flow.last_run.events[0].state == "Scheduled"


def test_an_interval_without_a_start_works_in_virtual_time() -> None:
    ends = dt.datetime.now(UTC) + 5 * HOUR
    diary = Diary(IntervalSchedule(interval=HOUR, end_date=ends))
    diary.flow.run(clock="fast", show=False)
    assert len(diary.entries) == 5
    assert all(time.minute == 0 for time in diary.times)
