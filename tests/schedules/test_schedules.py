"""Schedule: clocks merged, filtered and moved."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import cloudpickle
import pytest

from flowbook.schedules import (
    CronSchedule,
    IntervalSchedule,
    RRuleSchedule,
    Schedule,
    adjustments,
    clocks,
    filters,
)
from flowbook.schedules.clocks import ClockEvent, CronClock, DatesClock, IntervalClock, RRuleClock

UTC = dt.timezone.utc

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)

# a Sunday
MIDNIGHT = dt.datetime(2026, 11, 22, tzinfo=UTC)


def shown(schedule: Schedule, n: int, after: dt.datetime = MIDNIGHT) -> list[str]:
    return [f"{time:%a %d %H:%M}" for time in schedule.next(n, after=after)]


def at(*times: str) -> DatesClock:
    return DatesClock([dt.datetime.fromisoformat(f"2026-11-{time}") for time in times])


# -- next --------------------------------------------------------------------------------------------------------------


def test_next_gives_so_many_times_after_a_moment() -> None:
    hourly = IntervalSchedule(interval=HOUR)
    assert hourly.next(3, after=MIDNIGHT) == [MIDNIGHT + n * HOUR for n in (1, 2, 3)]
    assert hourly.next(1, after=MIDNIGHT - MINUTE) == [MIDNIGHT]
    assert hourly.next(0, after=MIDNIGHT) == []


def test_next_gives_events_on_demand() -> None:
    schedule = Schedule([IntervalClock(HOUR, parameter_defaults={"x": 1}, labels=["night"])])
    assert schedule.next(1, after=MIDNIGHT, return_events=True) == [ClockEvent(MIDNIGHT + HOUR, {"x": 1}, ["night"])]


def test_next_counts_from_now_when_nothing_else_is_said() -> None:
    now = dt.datetime.now(UTC)
    (first,) = IntervalSchedule(interval=MINUTE).next(1)
    assert now < first <= now + 2 * MINUTE


def test_fewer_than_none_can_not_be_asked_for() -> None:
    with pytest.raises(ValueError, match=r"next\(-1\): ask for 0 or more times"):
        IntervalSchedule(interval=HOUR).next(-1)


def test_a_schedule_that_ends_gives_what_is_left() -> None:
    assert shown(Schedule([at("22T09:00", "23T09:00")]), 5) == ["Sun 22 09:00", "Mon 23 09:00"]
    assert Schedule([]).next(5) == []


# -- clocks ------------------------------------------------------------------------------------------------------------


def test_clocks_are_merged_in_order_and_each_time_is_given_once() -> None:
    schedule = Schedule([IntervalClock(3 * HOUR), IntervalClock(2 * HOUR), at("22T05:00")])
    assert shown(schedule, 5) == ["Sun 22 02:00", "Sun 22 03:00", "Sun 22 04:00", "Sun 22 05:00", "Sun 22 06:00"]


def test_clocks_of_several_zones_are_merged_by_moment() -> None:
    tokyo, new_york = (dt.datetime(2026, 1, 1, tzinfo=ZoneInfo(name)) for name in ("Asia/Tokyo", "America/New_York"))
    schedule = Schedule([CronClock("0 9 * * *", new_york), CronClock("0 9 * * *", tokyo)])
    assert [time.isoformat() for time in schedule.next(3, after=MIDNIGHT)] == [
        "2026-11-22T09:00:00-05:00",
        "2026-11-23T09:00:00+09:00",
        "2026-11-23T09:00:00-05:00",
    ]


def test_events_of_one_moment_that_ask_for_different_runs_are_all_given() -> None:
    different = [IntervalClock(HOUR, parameter_defaults={"country": country}) for country in ("NL", "NZ", "NL")]
    schedule = Schedule(different)
    events = schedule.next(3, after=MIDNIGHT, return_events=True)
    assert [(event.start_time.hour, event.parameter_defaults["country"]) for event in events] == [
        (1, "NL"),
        (1, "NZ"),
        (2, "NL"),
    ]
    assert schedule.next(2, after=MIDNIGHT) == [MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR]


def test_parameters_of_one_clock_do_not_reach_the_events_of_another() -> None:
    schedule = Schedule(
        [
            IntervalClock(2 * HOUR, parameter_defaults={"x": 1}, labels=["even"]),
            IntervalClock(2 * HOUR, MIDNIGHT + HOUR),
        ],
        adjustments=[adjustments.add(MINUTE)],
    )
    events = schedule.next(4, after=MIDNIGHT + MINUTE, return_events=True)
    assert [event.parameter_defaults for event in events] == [{}, {"x": 1}, {}, {"x": 1}]
    assert [event.labels for event in events] == [None, ["even"], None, ["even"]]


def test_a_repeated_hour_is_two_times() -> None:
    start = dt.datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Paris"))
    schedule = IntervalSchedule(start_date=start, interval=HOUR)
    assert [str(time)[11:] for time in schedule.next(4, after=start)] == [
        "01:00:00+02:00",
        "02:00:00+02:00",
        "02:00:00+01:00",
        "03:00:00+01:00",
    ]


# -- filters -----------------------------------------------------------------------------------------------------------


def test_all_filters_must_hold() -> None:
    schedule = Schedule([IntervalClock(HOUR)], filters=[filters.is_weekday, filters.at_time(dt.time(9))])
    assert shown(schedule, 2) == ["Mon 23 09:00", "Tue 24 09:00"]


def test_one_of_the_or_filters_must_hold() -> None:
    nine, five = (filters.between_times(dt.time(hour), dt.time(hour)) for hour in (9, 17))
    schedule = Schedule([IntervalClock(HOUR)], or_filters=[nine, five])
    assert shown(schedule, 3) == ["Sun 22 09:00", "Sun 22 17:00", "Mon 23 09:00"]
    assert shown(Schedule([IntervalClock(HOUR)], or_filters=[]), 1) == ["Sun 22 01:00"]


def test_none_of_the_not_filters_may_hold() -> None:
    schedule = Schedule([IntervalClock(DAY)], not_filters=[filters.is_weekend, filters.on_date(11, 24)])
    assert shown(schedule, 2) == ["Mon 23 00:00", "Wed 25 00:00"]


def test_all_kinds_together() -> None:
    schedule = Schedule(
        clocks=[IntervalClock(HOUR)],
        filters=[filters.is_weekday],
        or_filters=[filters.at_time(dt.time(9)), filters.at_time(dt.time(17))],
        not_filters=[filters.between_dates(11, 1, 11, 30)],
    )
    assert shown(schedule, 3) == ["Tue 01 09:00", "Tue 01 17:00", "Wed 02 09:00"]


def test_a_filter_is_asked_in_the_zone_of_the_clock() -> None:
    start = dt.datetime(2026, 11, 22, tzinfo=ZoneInfo("Asia/Kathmandu"))
    schedule = Schedule([IntervalClock(HOUR, start)], filters=[filters.at_time(dt.time(9))])
    assert [str(time) for time in schedule.next(1, after=start)] == ["2026-11-22 09:00:00+05:45"]


def test_ten_thousand_events_are_checked_then_it_gives_up() -> None:
    asked: list[dt.datetime] = []

    def never(time: dt.datetime) -> bool:
        asked.append(time)
        return False

    assert Schedule([IntervalClock(MINUTE)], filters=[never]).next(1, after=MIDNIGHT) == []
    assert len(asked) == 10_000
    assert len(IntervalSchedule(interval=MINUTE).next(10_001, after=MIDNIGHT)) == 10_000


# -- adjustments -------------------------------------------------------------------------------------------------------


def test_adjustments_move_one_after_the_other_what_has_passed() -> None:
    schedule = Schedule(
        [IntervalClock(DAY)],
        filters=[filters.at_time(dt.time(0)), filters.is_weekend],
        adjustments=[adjustments.add(9 * HOUR), adjustments.next_weekday],
    )
    assert shown(schedule, 2) == ["Mon 23 09:00", "Mon 30 09:00"]


def test_times_that_are_moved_to_one_moment_are_one() -> None:
    schedule = Schedule([IntervalClock(DAY)], adjustments=[adjustments.next_weekday])
    assert shown(schedule, 3, after=MIDNIGHT - 3 * DAY) == ["Fri 20 00:00", "Mon 23 00:00", "Tue 24 00:00"]
    one_each = Schedule([IntervalClock(DAY, parameter_defaults={"x": [1]})], adjustments=[adjustments.next_weekday])
    events = one_each.next(3, after=MIDNIGHT - 3 * DAY, return_events=True)
    assert [event.start_time.day for event in events] == [20, 23, 24]


def test_moved_times_come_in_order() -> None:
    schedule = Schedule([at("21T18:00", "22T09:00", "23T12:00")], adjustments=[adjustments.next_weekday])
    assert shown(schedule, 3, after=MIDNIGHT - 2 * DAY) == ["Mon 23 09:00", "Mon 23 12:00", "Mon 23 18:00"]


@pytest.mark.parametrize(
    "moved",
    [
        [adjustments.add(90 * MINUTE)],
        [adjustments.add(-90 * MINUTE)],
        [adjustments.add(3 * DAY)],
        [adjustments.add(-3 * DAY)],
        [adjustments.next_weekday],
        [adjustments.add(2 * DAY), adjustments.next_weekday, adjustments.add(-HOUR)],
    ],
    ids=repr,
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_asking_one_by_one_gives_the_same_as_asking_at_once(moved: Any, zone: str) -> None:
    """A time that was moved over the moment asked about is neither lost nor given again."""
    start = dt.datetime(2026, 10, 25, tzinfo=ZoneInfo(zone))
    schedule = Schedule([CronClock("15 */7 * * *", start)], adjustments=moved)
    at_once = schedule.next(60, after=start + 5 * DAY)
    assert len(at_once) == 60
    one_by_one, after = [], start + 5 * DAY
    for _ in range(60):
        (after,) = schedule.next(1, after=after)
        one_by_one.append(after)
    assert one_by_one == at_once
    by_hand = {adjust(moved, event.start_time) for event in _until(schedule.clocks[0].events(start), start + 40 * DAY)}
    assert at_once == sorted(time for time in by_hand if time > start + 5 * DAY)[:60]


def adjust(moves: Any, time: dt.datetime) -> dt.datetime:
    for move in moves:
        time = move(time)
    return time


def _until(events: Iterator[ClockEvent], end: dt.datetime) -> Iterator[ClockEvent]:
    for event in events:
        if event.start_time > end:
            return
        yield event


def test_a_function_of_ones_own_can_move_times() -> None:
    holidays = [dt.date(2026, 11, 23), dt.date(2026, 11, 24)]

    def after_holidays(time: dt.datetime) -> dt.datetime:
        while time.date() in holidays:
            time += DAY
        return time

    schedule = Schedule([CronClock("0 9 * * *")], adjustments=[after_holidays])
    assert shown(schedule, 3) == ["Sun 22 09:00", "Wed 25 09:00", "Thu 26 09:00"]
    assert shown(schedule, 1, after=dt.datetime(2026, 11, 24)) == ["Wed 25 09:00"]


def test_a_function_that_moves_times_back_says_how_far() -> None:
    def weekday_before(time: dt.datetime) -> dt.datetime:
        return time - DAY * max(0, time.weekday() - 4)

    weekday_before.shift = (-2 * DAY, 0 * DAY)  # type: ignore[attr-defined]
    schedule = Schedule([at("21T18:00", "22T09:00", "23T12:00")], adjustments=[weekday_before])
    assert shown(schedule, 3, after=MIDNIGHT - 5 * DAY) == ["Fri 20 09:00", "Fri 20 18:00", "Mon 23 12:00"]


def test_times_looked_at_only_because_they_may_be_moved_do_not_count() -> None:
    schedule = Schedule([IntervalClock(MINUTE)], adjustments=[lambda time: time])
    assert schedule.next(2, after=MIDNIGHT) == [MIDNIGHT + MINUTE, MIDNIGHT + 2 * MINUTE]


def test_an_adjustment_returns_a_datetime() -> None:
    def forgets(time: dt.datetime) -> Any:
        time += HOUR  # and returns nothing

    schedule = Schedule([CronClock("0 9 * * *")], adjustments=[forgets])
    with pytest.raises(TypeError, match=r"forgets.* returned None. It must return a datetime"):
        schedule.next(1)


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_start_and_end_are_those_of_all_clocks() -> None:
    early, late = (
        IntervalClock(HOUR, MIDNIGHT, MIDNIGHT + DAY),
        IntervalClock(HOUR, MIDNIGHT + HOUR, MIDNIGHT + 2 * DAY),
    )
    assert (Schedule([late, early]).start_date, Schedule([late, early]).end_date) == (MIDNIGHT, MIDNIGHT + 2 * DAY)
    endless = Schedule([early, CronClock("@daily")])
    assert (endless.start_date, endless.end_date) == (None, None)
    assert (Schedule([]).start_date, Schedule([]).end_date) == (None, None)


def test_schedules_of_one_clock() -> None:
    start, end = MIDNIGHT, MIDNIGHT + DAY
    for schedule, clock in (
        (IntervalSchedule(start, HOUR, end), IntervalClock),
        (CronSchedule("0 * * * *", start, end, day_or=False), CronClock),
        (RRuleSchedule("FREQ=HOURLY", start, end), RRuleClock),
    ):
        assert isinstance(schedule, Schedule)
        assert [type(each) for each in schedule.clocks] == [clock]
        assert schedule.next(99, after=MIDNIGHT) == [MIDNIGHT + n * HOUR for n in range(1, 25)]
    assert CronSchedule("0 0 13 * FRI", day_or=False).next(1, after=MIDNIGHT)[0].year == 2027


def test_an_interval_schedule_needs_an_interval() -> None:
    with pytest.raises(TypeError, match=r"None is not an interval\. Give a timedelta"):
        IntervalSchedule()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"clocks": IntervalClock(HOUR)}, "is not a list of clocks. Write Schedule"),
        ({"clocks": "@daily"}, "'@' in clocks is not a clock"),
        ({"clocks": [HOUR]}, r"datetime.timedelta\(seconds=3600\) in clocks is not a clock"),
        ({"clocks": [], "filters": filters.is_weekday}, "filters=.* is not a list. Write filters="),
        ({"clocks": [], "or_filters": [1]}, "1 in or_filters can't be called. .*flowbook.schedules.filters"),
        ({"clocks": [], "adjustments": [HOUR]}, "in adjustments can't be called. .*flowbook.schedules.adjustments"),
    ],
)
def test_what_is_no_schedule_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Schedule(**given)


@pytest.mark.parametrize("pickled", [pickle, cloudpickle])
def test_a_schedule_can_be_pickled(pickled: Any) -> None:
    schedule = Schedule(
        [CronClock("0 * * * *"), RRuleClock("FREQ=HOURLY;BYMINUTE=30"), at("23T09:15")],
        filters=[filters.is_weekday, filters.between_times(dt.time(9), dt.time(17))],
        adjustments=[adjustments.add(HOUR), adjustments.next_weekday],
    )
    assert pickle.loads(pickled.dumps(schedule)).next(30, after=MIDNIGHT) == schedule.next(30, after=MIDNIGHT)


def test_a_schedule_shows_itself() -> None:
    schedule = Schedule([CronClock("@daily")], not_filters=[filters.on_date(1, 1)])
    assert repr(schedule) == "Schedule(clocks=[CronClock('@daily')], not_filters=[on_date(1, 1)])"


def test_names_are_where_the_reference_api_has_them() -> None:
    from flowbook.schedules import schedules

    assert schedules.Schedule is Schedule
    assert {"ClockEvent", "CronClock", "DatesClock", "IntervalClock", "RRuleClock"} <= set(clocks.__all__)
