"""Clocks: which events they give, what these carry, and what is refused."""

from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import cloudpickle
import pytest
from dateutil import rrule, tz
from hypothesis import given
from hypothesis import strategies as st

from flowbook.schedules.clocks import (
    Clock,
    ClockEvent,
    CronClock,
    DatesClock,
    IntervalClock,
    RRuleClock,
)

UTC = dt.timezone.utc

PARIS = ZoneInfo("Europe/Paris")

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)

SUNDAY = dt.datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def times(clock: Clock, n: int, after: dt.datetime = SUNDAY) -> list[dt.datetime]:
    return [event.start_time for event in islice(clock.events(after), n)]


def shown(clock: Clock, n: int, after: dt.datetime = SUNDAY) -> list[str]:
    return [f"{time:%a %d %b %H:%M}" for time in times(clock, n, after)]


# -- intervals ---------------------------------------------------------------------------------------------------------


def test_an_interval_counts_from_its_start() -> None:
    start = dt.datetime(2026, 11, 1, 9, 5, tzinfo=UTC)
    assert times(IntervalClock(7 * HOUR, start), 3, after=start - DAY) == [start, start + 7 * HOUR, start + 14 * HOUR]
    assert times(IntervalClock(7 * HOUR, start), 1) == [start + 73 * 7 * HOUR]


def test_without_a_start_hours_are_full_and_weeks_begin_on_monday() -> None:
    assert shown(IntervalClock(HOUR), 2) == ["Sun 22 Nov 10:00", "Sun 22 Nov 11:00"]
    assert shown(IntervalClock(DAY), 2) == ["Mon 23 Nov 00:00", "Tue 24 Nov 00:00"]
    assert shown(IntervalClock(7 * DAY), 2) == ["Mon 23 Nov 00:00", "Mon 30 Nov 00:00"]
    assert shown(IntervalClock(DAY), 1, after=dt.datetime(1999, 12, 31, 12)) == ["Sat 01 Jan 00:00"]


def test_less_than_a_second_is_fine() -> None:
    clock = IntervalClock(dt.timedelta(milliseconds=250), SUNDAY)
    assert [time - SUNDAY for time in times(clock, 3)] == [dt.timedelta(milliseconds=250 * n) for n in (1, 2, 3)]


@pytest.mark.parametrize("interval", [dt.timedelta(0), -HOUR])
def test_an_interval_is_more_than_nothing(interval: dt.timedelta) -> None:
    with pytest.raises(ValueError, match=r"would never pass\. Give one of more than nothing"):
        IntervalClock(interval)


@pytest.mark.parametrize("interval", [None, 60, "1h"])
def test_an_interval_is_a_timedelta(interval: Any) -> None:
    with pytest.raises(TypeError, match=rf"{interval!r} is not an interval. Give a timedelta, such as"):
        IntervalClock(interval)


def test_an_interval_ends_with_the_calendar() -> None:
    assert len(times(IntervalClock(365_000 * DAY, SUNDAY), 99)) == 7


# -- cron --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 9 * * MON-FRI", ["Mon 23 Nov 09:00", "Tue 24 Nov 09:00"]),
        ("0 9 * * 1", ["Mon 23 Nov 09:00", "Mon 30 Nov 09:00"]),
        ("0 9 * * 0", ["Sun 29 Nov 09:00", "Sun 06 Dec 09:00"]),
        ("0 9 * * 7", ["Sun 29 Nov 09:00", "Sun 06 Dec 09:00"]),
        ("*/20 * * * *", ["Sun 22 Nov 09:40", "Sun 22 Nov 10:00"]),
        ("0 0 1 jan,jul *", ["Fri 01 Jan 00:00", "Thu 01 Jul 00:00"]),
        ("0 0 L * *", ["Mon 30 Nov 00:00", "Thu 31 Dec 00:00"]),
        ("0 0 * * FRI#2", ["Fri 11 Dec 00:00", "Fri 08 Jan 00:00"]),
        ("0 0 29 2 *", ["Tue 29 Feb 00:00", "Sun 29 Feb 00:00"]),
        ("@hourly", ["Sun 22 Nov 10:00", "Sun 22 Nov 11:00"]),
        ("@daily", ["Mon 23 Nov 00:00", "Tue 24 Nov 00:00"]),
        (" @Weekly ", ["Sun 29 Nov 00:00", "Sun 06 Dec 00:00"]),
        ("@monthly", ["Tue 01 Dec 00:00", "Fri 01 Jan 00:00"]),
        ("@yearly", ["Fri 01 Jan 00:00", "Sat 01 Jan 00:00"]),
    ],
)
def test_cron_texts(cron: str, expected: list[str]) -> None:
    assert shown(CronClock(cron), 2) == expected


def test_cron_follows_the_wall_of_its_start() -> None:
    clock = CronClock("0 9 * * *", dt.datetime(2026, 3, 28, tzinfo=PARIS))
    assert [str(time) for time in times(clock, 2, after=dt.datetime(2026, 3, 28))] == [
        "2026-03-28 09:00:00+01:00",
        "2026-03-29 09:00:00+02:00",
    ]


@pytest.mark.parametrize(
    ("day_or", "expected"),
    [
        (None, ["Fri 27 Nov 00:00", "Fri 04 Dec 00:00", "Fri 11 Dec 00:00", "Sun 13 Dec 00:00"]),
        (True, ["Fri 27 Nov 00:00", "Fri 04 Dec 00:00", "Fri 11 Dec 00:00", "Sun 13 Dec 00:00"]),
        (False, ["Fri 13 Aug 00:00", "Fri 13 Oct 00:00", "Fri 13 Apr 00:00", "Fri 13 Jul 00:00"]),
    ],
)
def test_two_kinds_of_day_are_either_or_both(day_or: bool | None, expected: list[str]) -> None:
    assert shown(CronClock("0 0 13 * FRI", day_or=day_or), 4) == expected


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("", "has 0 fields"),
        ("0 9 * *", "has 4 fields"),
        ("0 9 * * * 30", "has 6 fields"),
        ("soon", "has 1 fields"),
        ("61 9 * * *", "has a bad minute"),
        ("0 24 * * *", "has a bad hour"),
        ("0 9 32 * *", "has a bad day-of-month"),
        ("0 9 * 13 *", "has a bad month"),
        ("0 9 * * SOMEDAY", "has a bad day-of-week"),
        ("0 0 30 2 *", "has a bad day-of-month"),
    ],
)
def test_a_bad_cron_text_is_refused_at_once(cron: str, said: str) -> None:
    with pytest.raises(ValueError, match=rf"the cron text '.*' {said}. Write five fields: minute 0-59, .*'30 9"):
        CronClock(cron)


def test_a_cron_text_is_text() -> None:
    with pytest.raises(TypeError, match="5 is not a cron text"):
        CronClock(5)  # type: ignore[arg-type]


def test_a_day_that_never_comes_is_refused_too() -> None:
    # cronsim sees it by itself, or it is seen when no time is found: that depends on its version
    with pytest.raises(ValueError, match=r"the cron text '0 0 31 2 MON' (names a day that never comes|has a bad day)"):
        CronClock("0 0 31 2 MON", day_or=False)


# -- dates -------------------------------------------------------------------------------------------------------------


def test_dates_come_in_order_once_and_in_their_own_zones() -> None:
    first, second = dt.datetime(2026, 11, 23, 9, tzinfo=PARIS), dt.datetime(2026, 11, 23, 9)
    clock = DatesClock([second, first, second])
    assert [str(time) for time in times(clock, 9)] == ["2026-11-23 09:00:00+01:00", "2026-11-23 09:00:00+00:00"]
    assert (clock.start_date, clock.end_date) == (first, second)
    assert times(clock, 9, after=first) == [second.replace(tzinfo=UTC)]
    assert times(clock, 9, after=second) == []


def test_dates_are_given() -> None:
    with pytest.raises(ValueError, match="Give at least one datetime"):
        DatesClock([])
    with pytest.raises(TypeError, match="is not a list of dates"):
        DatesClock(SUNDAY)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"datetime.date\(2026, 11, 22\) is not a datetime"):
        DatesClock([dt.date(2026, 11, 22)])  # type: ignore[list-item]


# -- recurrence rules --------------------------------------------------------------------------------------------------


def test_a_rule_of_dateutil() -> None:
    rule = rrule.rrule(rrule.WEEKLY, dtstart=dt.datetime(2026, 11, 2, 9), byweekday=(rrule.MO, rrule.TH))
    assert shown(RRuleClock(rule), 3) == ["Mon 23 Nov 09:00", "Thu 26 Nov 09:00", "Mon 30 Nov 09:00"]


def test_a_rule_is_where_its_dtstart_is() -> None:
    rule = rrule.rrule(rrule.DAILY, dtstart=dt.datetime(2026, 11, 2, 9, tzinfo=PARIS))
    assert str(times(RRuleClock(rule), 1)[0]) == "2026-11-23 09:00:00+01:00"


def test_a_set_of_rules() -> None:
    rules = rrule.rruleset()
    rules.rrule(rrule.rrule(rrule.DAILY, dtstart=dt.datetime(2026, 11, 20, 9), count=6))
    rules.exdate(dt.datetime(2026, 11, 23, 9))
    rules.rdate(dt.datetime(2026, 12, 24, 18))
    assert shown(RRuleClock(rules), 9) == ["Tue 24 Nov 09:00", "Wed 25 Nov 09:00", "Thu 24 Dec 18:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17", ["Fri 27 Nov 17:00", "Fri 25 Dec 17:00"]),
        ("RRULE:FREQ=DAILY;COUNT=2", ["Sun 22 Nov 08:00", "Mon 23 Nov 08:00"]),
        ("DTSTART:20261123T090000\nRRULE:FREQ=DAILY", ["Mon 23 Nov 09:00", "Tue 24 Nov 09:00"]),
    ],
)
def test_the_text_of_a_rule(text: str, expected: list[str]) -> None:
    start = dt.datetime(2026, 11, 22, 8, tzinfo=PARIS)
    assert shown(RRuleClock(text, start), 2, after=start - HOUR) == expected


def test_the_text_of_a_rule_without_a_start_does_not_depend_on_when_it_was_read() -> None:
    assert shown(RRuleClock("FREQ=WEEKLY"), 2) == ["Mon 23 Nov 00:00", "Mon 30 Nov 00:00"]


def test_bad_rules_are_refused_at_once() -> None:
    with pytest.raises(
        ValueError, match=r"the recurrence rule 'FREQ=SOMETIMES' can't be read: .* Write it as RFC 5545"
    ):
        RRuleClock("FREQ=SOMETIMES")
    with pytest.raises(TypeError, match="7 is not a recurrence rule"):
        RRuleClock(7)


# -- what all have in common -------------------------------------------------------------------------------------------

CLOCKS = [
    IntervalClock(HOUR),
    IntervalClock(DAY, dt.datetime(2026, 1, 1, 9, 30, tzinfo=PARIS)),
    CronClock("*/30 * * * *", dt.datetime(2020, 1, 1, tzinfo=PARIS)),
    CronClock("0,30 0,9 * * *", dt.datetime(2020, 1, 1, tzinfo=PARIS)),
    DatesClock([SUNDAY, SUNDAY + HOUR, SUNDAY + DAY]),
    RRuleClock("FREQ=DAILY;BYHOUR=9,10;BYMINUTE=30", dt.datetime(2026, 10, 1, tzinfo=PARIS)),
    RRuleClock("FREQ=HOURLY", dt.datetime(2026, 10, 24, tzinfo=PARIS)),
]

each_clock = pytest.mark.parametrize("clock", CLOCKS, ids=repr)


@each_clock
@given(seconds=st.integers(0, 40 * 86_400))
def test_events_go_forward_and_are_the_same_whenever_asked(clock: Clock, seconds: int) -> None:
    after = dt.datetime(2026, 10, 23, tzinfo=UTC) + dt.timedelta(seconds=seconds)
    moments = [event.moment for event in islice(clock.events(after), 5)]
    assert all(moment > after for moment in moments)
    assert moments == sorted(set(moments))
    for number, moment in enumerate(moments):
        assert [event.moment for event in islice(clock.events(moment), 4 - number)] == moments[number + 1 :]


@each_clock
def test_now_is_when_nothing_else_is_said(clock: Clock) -> None:
    before = dt.datetime.now(UTC)
    assert all(event.moment > before for event in islice(clock.events(), 1))


@each_clock
@pytest.mark.parametrize("pickled", [pickle, cloudpickle])
def test_clocks_can_be_pickled(clock: Clock, pickled: Any) -> None:
    assert times(pickle.loads(pickled.dumps(clock)), 3) == times(clock, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda **given: IntervalClock(HOUR, **given),
        lambda **given: IntervalClock(DAY, **given),
        lambda **given: CronClock("0 * * * *", **given),
        lambda **given: CronClock("0 9,10 * * *", **given),
        lambda **given: RRuleClock("FREQ=HOURLY;BYMINUTE=0", **given),
        lambda **given: RRuleClock("FREQ=DAILY;BYHOUR=9", **given),
    ],
)
def test_start_and_end_are_both_part_of_it(make: Any) -> None:
    start = dt.datetime(2026, 11, 22, 9, tzinfo=PARIS)
    endless = times(make(start_date=start), 4, after=start - 9 * DAY)
    assert endless[0] == start
    assert times(make(start_date=start, end_date=endless[2]), 9, after=start - 9 * DAY) == endless[:3]
    assert times(make(start_date=start, end_date=endless[2] - dt.timedelta(seconds=1)), 9, after=start) == endless[1:2]
    assert times(make(start_date=start), 2, after=endless[0]) == endless[1:3]


def test_a_time_without_a_zone_is_in_utc() -> None:
    naive = dt.datetime(2026, 11, 22, 9)
    assert times(IntervalClock(HOUR, naive), 1, after=naive) == [dt.datetime(2026, 11, 22, 10, tzinfo=UTC)]


@pytest.mark.parametrize("zone", [tz.gettz("Europe/Paris"), dt.timezone(HOUR)])
def test_other_kinds_of_zone_will_do(zone: dt.tzinfo) -> None:
    clock = CronClock("0 9 * * *", dt.datetime(2026, 11, 22, tzinfo=zone))
    assert [time.isoformat() for time in times(clock, 1)] == ["2026-11-23T09:00:00+01:00"]


def test_a_zone_of_pytz_is_replaced_by_the_one_it_is_named_after() -> None:
    class OneOffset(dt.tzinfo):
        """What pytz gives: a zone of one offset, whichever was right when it was made."""

        zone = "Europe/Paris"

        def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
            return HOUR

        def tzname(self, when: dt.datetime | None) -> str:
            return "CET"

        def dst(self, when: dt.datetime | None) -> dt.timedelta:
            return dt.timedelta(0)

    clock = IntervalClock(DAY, dt.datetime(2026, 3, 28, 9, tzinfo=OneOffset()))
    assert [time.isoformat() for time in times(clock, 2, after=dt.datetime(2026, 3, 28))] == [
        "2026-03-28T09:00:00+01:00",
        "2026-03-29T09:00:00+02:00",
    ]


def test_a_datetime_of_a_derived_class_is_taken_for_a_plain_one() -> None:
    class Loud(dt.datetime):
        """As in pendulum, where adding a day means something else."""

        def __add__(self, other: Any) -> Any:
            raise AssertionError

    clock = IntervalClock(DAY, Loud(2026, 11, 22, 9, tzinfo=PARIS))
    assert type(times(clock, 1)[0]) is dt.datetime


@pytest.mark.parametrize("what", ["start_date", "end_date"])
def test_start_and_end_are_datetimes(what: str) -> None:
    with pytest.raises(TypeError, match="'tomorrow' is not a datetime, but a schedule needs one: datetime"):
        IntervalClock(HOUR, **{what: "tomorrow"})  # type: ignore[arg-type]


def test_after_is_a_datetime() -> None:
    with pytest.raises(TypeError, match=r"datetime.date\(2026, 11, 22\) is not a datetime"):
        next(IntervalClock(HOUR).events(after=dt.date(2026, 11, 22)))  # type: ignore[arg-type]


def test_a_clock_of_ones_own_says_when() -> None:
    with pytest.raises(NotImplementedError, match="Clock does not say when: give it a method moments"):
        next(Clock().events(SUNDAY))

    class Restless(Clock):
        """Goes to and fro."""

        def moments(self, after: dt.datetime) -> Iterator[dt.datetime]:
            yield from (after - HOUR, after, after + HOUR, after, after + HOUR, after + 2 * HOUR)

    assert times(Restless(), 9) == [SUNDAY + HOUR, SUNDAY + 2 * HOUR]


def test_clocks_show_themselves() -> None:
    clock = CronClock("0 9 * * *", end_date=SUNDAY, parameter_defaults={"x": 1}, labels=["night"])
    words = "CronClock('0 9 * * *', end_date=datetime.datetime(2026, 11, 22, 9, 30, tzinfo=datetime.timezone.utc), "
    assert repr(clock) == words + "parameter_defaults={'x': 1}, labels=['night'])"
    assert repr(DatesClock([dt.datetime(2026, 1, 1)])) == "DatesClock([datetime.datetime(2026, 1, 1, 0, 0)])"


def test_cronsim_and_dateutil_are_loaded_by_the_clocks_that_need_them() -> None:
    code = (
        "import sys, datetime as dt; from flowbook.schedules import *;"
        "IntervalSchedule(interval=dt.timedelta(1)).next(1);"
        "print([n for n in ('cronsim', 'dateutil', 'zoneinfo') if n in sys.modules]);"
        "CronSchedule('@daily'); print('cronsim' in sys.modules, 'dateutil' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True False"]


# -- what events carry -------------------------------------------------------------------------------------------------


def test_events_carry_parameters_and_labels() -> None:
    clock = IntervalClock(HOUR, parameter_defaults={"country": "NL"}, labels=["night"])
    event = next(clock.events(SUNDAY))
    assert (event.parameter_defaults, event.labels) == ({"country": "NL"}, ["night"])
    bare = next(IntervalClock(HOUR).events(SUNDAY))
    assert (bare.parameter_defaults, bare.labels) == ({}, None)


def test_what_one_run_does_to_its_parameters_stays_there() -> None:
    defaults = {"rows": [1, {"deep": {2}}], "pair": ([], 1)}
    labels = ["night"]
    clock = IntervalClock(HOUR, parameter_defaults=defaults, labels=labels)
    first, second = islice(clock.events(SUNDAY), 2)
    first.parameter_defaults["rows"][1]["deep"].add(3)
    first.parameter_defaults["pair"][0].append(1)
    first.parameter_defaults["new"] = 1
    assert first.labels is not None
    first.labels.append("loud")
    defaults["rows"].clear()  # type: ignore[attr-defined]
    labels.clear()
    assert second.parameter_defaults == {"rows": [1, {"deep": {2}}], "pair": ([], 1)}
    assert second.labels == ["night"]
    third = next(clock.events(second.start_time))
    assert third.parameter_defaults == second.parameter_defaults


def test_other_values_are_shared_not_copied() -> None:
    value = object()
    assert next(IntervalClock(HOUR, parameter_defaults={"x": value}).events()).parameter_defaults["x"] is value


def test_parameters_are_a_dict_and_labels_a_list() -> None:
    with pytest.raises(TypeError, match="parameter_defaults=5 is not a dict of parameter values"):
        IntervalClock(HOUR, parameter_defaults=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"labels='night' is not a list of labels. Write labels="):
        IntervalClock(HOUR, labels="night")


def test_events_are_ordered_by_moment_and_equal_when_they_ask_for_the_same() -> None:
    here = ClockEvent(dt.datetime(2026, 11, 22, 9, tzinfo=PARIS), {"x": 1})
    there = ClockEvent(dt.datetime(2026, 11, 22, 8, tzinfo=UTC), {"x": 1})
    later = ClockEvent(dt.datetime(2026, 11, 22, 9, tzinfo=UTC), {"x": 1})
    assert here == there
    assert hash(here) == hash(there)
    assert sorted([later, here]) == [here, later]
    assert here != ClockEvent(here.start_time, {"x": 2})
    assert here != ClockEvent(here.start_time, {"x": 1}, ["night"])
    assert here != "an event"


def test_two_hours_of_one_name_are_two_moments() -> None:
    first = ClockEvent(dt.datetime(2026, 10, 25, 2, 30, tzinfo=PARIS))
    second = ClockEvent(dt.datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1))
    assert first.start_time == second.start_time  # says Python
    assert first != second
    assert first < second
    assert second.moment - first.moment == HOUR


def test_values_that_refuse_to_be_compared_differ() -> None:
    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

        __hash__ = None  # type: ignore[assignment]

    assert ClockEvent(SUNDAY, {"x": Array()}) != ClockEvent(SUNDAY, {"x": Array()})
