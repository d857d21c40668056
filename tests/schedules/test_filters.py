"""Filters: what they let pass."""

from __future__ import annotations

import datetime as dt
import pickle
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowbook.schedules import filters

UTC = dt.timezone.utc

PARIS = ZoneInfo("Europe/Paris")

# a Sunday
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)

SECOND = dt.timedelta(seconds=1)

# As code without annotations would call them.
at_time: Any = filters.at_time
between_datetimes: Any = filters.between_datetimes
on_datetime: Any = filters.on_datetime


def test_on_datetime_is_about_the_moment() -> None:
    assert filters.on_datetime(NOON)(NOON)
    assert filters.on_datetime(NOON)(NOON.astimezone(PARIS))
    assert filters.on_datetime(dt.datetime(2026, 11, 22, 12))(NOON)
    assert not filters.on_datetime(NOON)(NOON + SECOND)
    assert not filters.on_datetime(NOON)(NOON.replace(tzinfo=PARIS))


def test_between_datetimes_includes_both_ends() -> None:
    passes = filters.between_datetimes(NOON, NOON + 2 * SECOND)
    assert [passes(NOON + n * SECOND) for n in range(-1, 4)] == [False, True, True, True, False]


def test_on_date() -> None:
    assert filters.on_date(11, 22)(NOON)
    assert not filters.on_date(11, 23)(NOON)
    assert not filters.on_date(12, 22)(NOON)
    assert filters.on_date(2, 29)(dt.datetime(2028, 2, 29))


@pytest.mark.parametrize(
    ("between", "inside", "outside"),
    [
        ((3, 1, 4, 15), ["03-01", "03-31", "04-15"], ["02-28", "04-16", "12-01"]),
        ((12, 15, 1, 6), ["12-15", "12-31", "01-01", "01-06"], ["12-14", "01-07", "06-01"]),
        ((5, 5, 5, 5), ["05-05"], ["05-04", "05-06"]),
    ],
)
def test_between_dates(between: tuple[int, int, int, int], inside: list[str], outside: list[str]) -> None:
    passes = filters.between_dates(*between)
    assert all(passes(dt.datetime.fromisoformat(f"2026-{day}T23:59")) for day in inside)
    assert not any(passes(dt.datetime.fromisoformat(f"2026-{day}T00:00")) for day in outside)


def test_at_time_is_about_the_clock_on_the_wall() -> None:
    assert filters.at_time(dt.time(12))(NOON)
    assert filters.at_time(dt.time(13))(NOON.astimezone(PARIS))
    assert not filters.at_time(dt.time(12))(NOON + SECOND)


@pytest.mark.parametrize(
    ("start", "end", "inside", "outside"),
    [
        ("09:00", "17:00", ["09:00", "12:00", "17:00"], ["08:59", "17:01"]),
        ("22:00", "06:00", ["22:00", "23:59", "00:00", "06:00"], ["21:59", "06:01", "12:00"]),
        ("09:00", "09:00", ["09:00"], ["08:59", "09:01"]),
    ],
)
def test_between_times(start: str, end: str, inside: list[str], outside: list[str]) -> None:
    passes = filters.between_times(dt.time.fromisoformat(start), dt.time.fromisoformat(end))
    assert all(passes(dt.datetime.fromisoformat(f"2026-11-22T{time}")) for time in inside)
    assert not any(passes(dt.datetime.fromisoformat(f"2026-11-22T{time}")) for time in outside)


def test_days_of_the_week() -> None:
    week = [NOON + dt.timedelta(days=n) for n in range(7)]
    assert [filters.is_weekday(day) for day in week] == [False, True, True, True, True, True, False]
    assert [filters.is_weekend(day) for day in week] == [True, False, False, False, False, False, True]
    assert [[filters.is_day_of_week(n)(day) for day in week].index(True) for n in range(7)] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("day", "is_start", "is_end"),
    [
        ("2026-11-01", True, False),
        ("2026-11-30", False, True),
        ("2026-12-31", False, True),
        ("2026-02-28", False, True),
        ("2028-02-28", False, False),
        ("2028-02-29", False, True),
        ("2026-11-22", False, False),
    ],
)
def test_ends_of_the_month(day: str, is_start: bool, is_end: bool) -> None:
    time = dt.datetime.fromisoformat(day)
    assert (filters.is_month_start(time), filters.is_month_end(time)) == (is_start, is_end)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: on_datetime("noon"), TypeError, "'noon' is not a datetime"),
        (lambda: between_datetimes(NOON, None), TypeError, "None is not a datetime"),
        (lambda: filters.on_date(13, 1), ValueError, r"on_date: no year has a day 1 in month 13 \(.*Give month, then"),
        (lambda: filters.between_dates(1, 1, 2, 30), ValueError, "between_dates: no year has a day 30 in month 2"),
        (lambda: at_time(9), TypeError, r"at_time\(9\): a time of day is a datetime.time without a zone"),
        (lambda: filters.between_times(dt.time(9), dt.time(17, tzinfo=UTC)), TypeError, "the zone is that of the"),
        (lambda: filters.is_day_of_week(7), ValueError, r"is_day_of_week\(7\): days are counted from Sunday, 0"),
    ],
)
def test_what_can_not_be_meant_is_refused_when_it_is_said(make: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        make()


def test_filters_show_themselves_can_be_compared_and_pickled() -> None:
    nights = filters.between_times(dt.time(22), dt.time(6))
    assert repr(nights) == "between_times(datetime.time(22, 0), datetime.time(6, 0))"
    assert pickle.loads(pickle.dumps(nights)) == nights == filters.between_times(start=dt.time(22), end=dt.time(6))
