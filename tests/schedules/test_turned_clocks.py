"""Each zone, each time it turns its clocks from 2024 to 2035: what is due once a day happens exactly once a day.

What is expected comes from an oracle that walks through the minutes (oracle.py). Zones that turn their clocks at the
same moments by the same amounts are walked through once: all that flowbook asks a zone for is its offset.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from itertools import islice, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from flowbook.schedules.clocks import Clock, CronClock, IntervalClock, RRuleClock
from tests.schedules.oracle import DAY, HOUR, MINUTE, UTC, Turn, Walk, turning_zones, walk_through

TIMES_OF_DAY = range(0, 24 * 60, 30)

NEW_YORK = ZoneInfo("America/New_York")

Make = Callable[[int, dt.datetime], Clock]


def by_cron(minute: int, begin: dt.datetime) -> Clock:
    return CronClock(f"{minute % 60} {minute // 60} * * *", start_date=begin)


def by_interval(minute: int, begin: dt.datetime) -> Clock:
    start = (begin - 3 * DAY).replace(hour=minute // 60, minute=minute % 60)
    return IntervalClock(dt.timedelta(days=1), start_date=start)


def by_rule(minute: int, begin: dt.datetime) -> Clock:
    start = (begin - 3 * DAY).replace(hour=minute // 60, minute=minute % 60)
    return RRuleClock("FREQ=DAILY", start_date=start)


def moments(clock: Clock, walk: Walk) -> list[dt.datetime]:
    """Return what a clock gives during a walk, in UTC."""
    events = clock.events(after=walk.begin - MINUTE)
    return list(takewhile(lambda moment: moment <= walk.end, (event.moment for event in events)))


class Case(NamedTuple):
    name: str
    zone: ZoneInfo
    turn: Turn
    walk: Walk


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Walk through each turn of each kind of zone."""
    return [
        Case(name, zone, turn, walk_through(zone, turn.moment, TIMES_OF_DAY))
        for (_, times), (name, *_) in turning_zones().items()
        for zone in [ZoneInfo(name)]
        for turn in times
    ]


def test_there_are_zones_to_look_at() -> None:
    found = turning_zones()
    assert sum(map(len, found.values())) > 100
    assert {"America/New_York", "Africa/Casablanca", "America/Nuuk", "Australia/Lord_Howe"} <= {
        name for names in found.values() for name in names
    }
    turned = {turn.by for _, times in found for turn in times}
    assert {HOUR, -HOUR, HOUR / 2, -HOUR / 2} <= turned
    assert min(turn.moment for _, times in found for turn in times).year == 2024
    assert max(turn.moment for _, times in found for turn in times).year == 2035


@pytest.mark.parametrize("make", [by_cron, by_interval, by_rule])
def test_a_daily_time_comes_exactly_once_a_day(make: Make, cases: list[Case]) -> None:
    wrong = [
        f"{name} {minute // 60:02}:{minute % 60:02}, clocks turned by {turn.by} at {turn.moment}"
        for name, zone, turn, walk in cases
        for minute in TIMES_OF_DAY
        if moments(make(minute, walk.begin.astimezone(zone)), walk) != walk.daily[minute]
    ]
    assert wrong == []


def test_asking_anew_after_each_event_gives_the_same(cases: list[Case]) -> None:
    """Just before an event it is the next one; at the event itself it no longer is."""
    wrong = []
    for name, zone, turn, walk in cases:
        for minute in TIMES_OF_DAY[::6]:
            clock = by_cron(minute, walk.begin.astimezone(zone))
            expected = walk.daily[minute]
            anew = [next(clock.events(after=moment.astimezone(zone))).moment for moment in expected[:-1]]
            before = [next(clock.events(after=moment - MINUTE / 60)).moment for moment in expected]
            if (anew, before) != (expected[1:], expected):
                wrong.append(f"{name} {minute} {turn}")
    assert wrong == []


def test_a_cron_text_that_leaves_the_hour_open_follows_the_clock_on_the_wall(cases: list[Case]) -> None:
    wrong = []
    for name, zone, turn, walk in cases:
        for minute in (0, 30):
            clock = CronClock(f"{minute} * * * *", start_date=walk.begin.astimezone(zone))
            if moments(clock, walk) != walk.hourly[minute]:
                wrong.append(f"{name} {minute} {turn}")
    assert wrong == []


def test_an_hourly_interval_keeps_the_time_that_passes(cases: list[Case]) -> None:
    for _, zone, _, walk in cases:
        clock = IntervalClock(HOUR, start_date=walk.begin.astimezone(zone))
        assert moments(clock, walk) == [walk.begin + hour * HOUR for hour in range(61)]


def test_each_single_zone_at_a_time_of_day_drawn_by_lot() -> None:
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    for (_, times), names in turning_zones().items():
        for name in names:
            zone, turn, minute = ZoneInfo(name), draw.choice(times), draw.randrange(24 * 60)
            walk = walk_through(zone, turn.moment, [minute])
            for make in (by_cron, by_interval, by_rule):
                found = moments(make(minute, walk.begin.astimezone(zone)), walk)
                assert found == walk.daily[minute], f"{make.__name__} {name} {minute} {turn} (seed {seed})"


# -- the same, to be read ----------------------------------------------------------------------------------------------


def shown(clock: Clock, after: dt.datetime, n: int) -> list[str]:
    return [event.start_time.strftime("%d %H:%M %Z") for event in islice(clock.events(after), n)]


def test_a_time_that_is_left_out_comes_at_the_first_moment_after_the_gap() -> None:
    clock = CronClock("30 2 * * *", start_date=dt.datetime(2026, 3, 7, tzinfo=NEW_YORK))
    assert shown(clock, dt.datetime(2026, 3, 7), 3) == ["07 02:30 EST", "08 03:00 EDT", "09 02:30 EDT"]


def test_a_time_that_comes_twice_counts_once_and_first() -> None:
    clock = CronClock("30 1 * * *", start_date=dt.datetime(2026, 10, 31, tzinfo=NEW_YORK))
    assert shown(clock, dt.datetime(2026, 10, 31), 3) == ["31 01:30 EDT", "01 01:30 EDT", "02 01:30 EST"]


def test_several_times_in_one_gap_are_one_event() -> None:
    clock = CronClock("*/15 2,3 * * *", start_date=dt.datetime(2026, 3, 8, tzinfo=NEW_YORK))
    assert shown(clock, dt.datetime(2026, 3, 8), 3) == ["08 03:00 EDT", "08 03:15 EDT", "08 03:30 EDT"]


@pytest.mark.parametrize("hours", ["*", "*/1", "0-23"])
def test_an_hourly_cron_runs_each_hour_however_it_is_written(hours: str) -> None:
    clock = CronClock(f"0 {hours} * * *", start_date=dt.datetime(2026, 1, 1, tzinfo=NEW_YORK))
    autumn = dt.datetime(2026, 11, 1, tzinfo=NEW_YORK)
    assert shown(clock, autumn, 3) == ["01 01:00 EDT", "01 01:00 EST", "01 02:00 EST"]
    spring = dt.datetime(2026, 3, 8, tzinfo=NEW_YORK)
    assert shown(clock, spring, 3) == ["08 01:00 EST", "08 03:00 EDT", "08 04:00 EDT"]


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=MINUTELY;INTERVAL=60", "FREQ=DAILY;BYHOUR=0,1,2,3,4"])
def test_a_rule_that_leaves_the_hour_open_does_so_too(rule: str) -> None:
    clock = RRuleClock(rule, start_date=dt.datetime(2026, 11, 1, tzinfo=NEW_YORK))
    named = "BYHOUR" in rule
    expected = ["01 01:00 EDT", *([] if named else ["01 01:00 EST"]), "01 02:00 EST", "01 03:00 EST"]
    assert shown(clock, dt.datetime(2026, 11, 1, tzinfo=NEW_YORK), len(expected)) == expected


def test_every_minute_of_an_hour_that_comes_twice() -> None:
    clock = CronClock("* * * * *", start_date=dt.datetime(2026, 11, 1, tzinfo=NEW_YORK))
    events = list(islice(clock.events(after=dt.datetime(2026, 11, 1, tzinfo=NEW_YORK)), 1500))
    assert [event.moment for event in events] == [
        dt.datetime(2026, 11, 1, 4, tzinfo=UTC) + number * MINUTE for number in range(1, 1501)
    ]


def test_rare_hours_are_found_across_many_turns() -> None:
    """From one day of the month to the next, clocks may go to and fro: around Ramadan in Morocco."""
    zone = ZoneInfo("Africa/Casablanca")
    clock = CronClock("0 * 1 1 *", start_date=dt.datetime(2025, 1, 1, 22, tzinfo=zone))
    assert shown(clock, dt.datetime(2025, 1, 1), 4) == ["01 22:00 +01", "01 23:00 +01", "01 00:00 +01", "01 01:00 +01"]


def test_a_day_that_was_left_out_has_no_event() -> None:
    """Samoa went from 29 to 31 December 2011."""
    zone = ZoneInfo("Pacific/Apia")
    begin = dt.datetime(2011, 12, 28, 12, tzinfo=zone)
    for clock in (
        CronClock("0 9 * * *", begin),
        IntervalClock(DAY, begin.replace(hour=9)),
        RRuleClock("BYHOUR=9;FREQ=DAILY", begin),
    ):
        assert shown(clock, begin, 3) == ["29 09:00 -10", "31 09:00 +14", "01 09:00 +14"]


def test_the_second_of_two_hours_can_be_a_start() -> None:
    start = dt.datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=1)
    for interval, second in ((DAY, "02 01:30 EST"), (HOUR, "01 02:30 EST")):
        assert shown(IntervalClock(interval, start), dt.datetime(2026, 11, 1), 2) == ["01 01:30 EST", second]


def test_a_start_in_a_gap_keeps_its_time_of_day() -> None:
    start = dt.datetime(2026, 3, 8, 2, 30, tzinfo=NEW_YORK)
    assert shown(IntervalClock(DAY, start), dt.datetime(2026, 3, 1), 2) == ["08 03:00 EDT", "09 02:30 EDT"]


def test_a_gap_ends_on_a_full_second() -> None:
    start = dt.datetime(2026, 3, 7, 2, 30, 0, 123_456, tzinfo=NEW_YORK)
    (moved,) = islice(IntervalClock(DAY, start).events(after=start), 1)
    assert moved.start_time == dt.datetime(2026, 3, 8, 3, tzinfo=NEW_YORK)


def test_after_tells_the_two_hours_apart() -> None:
    clock = IntervalClock(HOUR, dt.datetime(2026, 11, 1, tzinfo=NEW_YORK))
    first = dt.datetime(2026, 11, 1, 1, tzinfo=NEW_YORK)
    assert shown(clock, first, 1) == ["01 01:00 EST"]
    assert shown(clock, first.replace(fold=1), 1) == ["01 02:00 EST"]


def test_a_week_keeps_wall_time_as_well_and_so_do_36_hours() -> None:
    start = dt.datetime(2026, 3, 6, 9, tzinfo=NEW_YORK)
    assert shown(IntervalClock(7 * DAY, start), start, 1) == ["13 09:00 EDT"]
    assert shown(IntervalClock(1.5 * DAY, start), start, 2) == ["07 21:00 EST", "09 09:00 EDT"]
