"""Filters: they choose among the times of a schedule's clocks.

A filter is any callable that takes a datetime, in the zone of its clock, and answers yes or no. Ranges include both
their ends, and may run past midnight or the end of the year.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.schedules.zones import moment_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Filter",
    "at_time",
    "between_dates",
    "between_datetimes",
    "between_times",
    "is_day_of_week",
    "is_month_end",
    "is_month_start",
    "is_weekday",
    "is_weekend",
    "on_date",
    "on_datetime",
]

_DAY = dt.timedelta(days=1)
_SATURDAY = 5  # as Python counts, from Monday
_LEAP_YEAR = 2024


@dataclass(frozen=True)
class Filter:
    """A built-in filter that was given arguments: it can be called, shown, compared and pickled."""

    name: str
    rule: Callable[..., bool]
    arguments: tuple[Any, ...]

    def __call__(self, time: dt.datetime) -> bool:
        """Return whether a time passes."""
        return self.rule(time, *self.arguments)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(shown, self.arguments))})"


def on_datetime(dt: dt.datetime) -> Filter:
    """Return a filter that lets one moment pass.

    >>> import datetime
    >>> day = datetime.datetime(2026, 11, 22, 9, tzinfo=datetime.timezone.utc)
    >>> on_datetime(day)(day)
    True
    """
    moment_of(dt)
    return Filter("on_datetime", _on_datetime, (dt,))


def between_datetimes(start: dt.datetime, end: dt.datetime) -> Filter:
    """Return a filter that lets pass what lies between two moments, these included.

    >>> import datetime
    >>> between_datetimes(datetime.datetime(2026, 1, 1), datetime.datetime(2026, 12, 31))(
    ...     datetime.datetime(2026, 11, 22)
    ... )
    True
    """
    moment_of(start)
    moment_of(end)
    return Filter("between_datetimes", _between_datetimes, (start, end))


def on_date(month: int, day: int) -> Filter:
    """Return a filter that lets one day of each year pass.

    Raises:
        ValueError: there is no such day.

    >>> import datetime
    >>> on_date(12, 25)(datetime.datetime(2026, 12, 25, 9))
    True

    """
    return Filter("on_date", _on_date, _checked_day("on_date", month, day))


def between_dates(start_month: int, start_day: int, end_month: int, end_day: int) -> Filter:
    """Return a filter that lets pass what lies between two days of each year, these included.

    Raises:
        ValueError: there is no such day.

    >>> import datetime
    >>> between_dates(12, 15, 1, 6)(datetime.datetime(2026, 12, 31))  # past the end of the year
    True

    """
    start = _checked_day("between_dates", start_month, start_day)
    return Filter("between_dates", _between_dates, (*start, *_checked_day("between_dates", end_month, end_day)))


def at_time(t: dt.time) -> Filter:
    """Return a filter that lets one time of day pass.

    >>> import datetime
    >>> at_time(datetime.time(9))(datetime.datetime(2026, 11, 22, 9))
    True
    """
    return Filter("at_time", _at_time, (_checked_time("at_time", t),))


def between_times(start: dt.time, end: dt.time) -> Filter:
    """Return a filter that lets pass what lies between two times of day, these included.

    >>> import datetime
    >>> between_times(datetime.time(22), datetime.time(6))(datetime.datetime(2026, 11, 22, 3))  # past midnight
    True
    """
    times = (_checked_time("between_times", start), _checked_time("between_times", end))
    return Filter("between_times", _between_times, times)


def is_day_of_week(day_of_week: int) -> Filter:
    """Return a filter that lets one day of the week pass, counted from Sunday, 0, to Saturday, 6, as cron does.

    Raises:
        ValueError: there is no such day.

    >>> import datetime
    >>> is_day_of_week(0)(datetime.datetime(2026, 11, 22))
    True

    """
    if day_of_week not in range(7):
        raise ValueError(f"is_day_of_week({shown(day_of_week)}): days are counted from Sunday, 0, to Saturday, 6.")
    return Filter("is_day_of_week", _is_day_of_week, (day_of_week,))


def is_weekday(dt: dt.datetime) -> bool:
    """Return whether it is Monday to Friday."""
    return dt.weekday() < _SATURDAY


def is_weekend(dt: dt.datetime) -> bool:
    """Return whether it is Saturday or Sunday."""
    return dt.weekday() >= _SATURDAY


def is_month_start(dt: dt.datetime) -> bool:
    """Return whether it is the first day of its month."""
    return dt.day == 1


def is_month_end(dt: dt.datetime) -> bool:
    """Return whether it is the last day of its month.

    >>> import datetime
    >>> is_month_end(datetime.datetime(2028, 2, 29))
    True
    """
    return (dt + _DAY).day == 1


def _on_datetime(time: dt.datetime, given: dt.datetime) -> bool:
    return moment_of(time) == moment_of(given)


def _between_datetimes(time: dt.datetime, start: dt.datetime, end: dt.datetime) -> bool:
    return moment_of(start) <= moment_of(time) <= moment_of(end)


def _on_date(time: dt.datetime, month: int, day: int) -> bool:
    return (time.month, time.day) == (month, day)


def _between_dates(time: dt.datetime, start_month: int, start_day: int, end_month: int, end_day: int) -> bool:
    return _between((time.month, time.day), (start_month, start_day), (end_month, end_day))


def _at_time(time: dt.datetime, given: dt.time) -> bool:
    return time.time() == given


def _between_times(time: dt.datetime, start: dt.time, end: dt.time) -> bool:
    return _between(time.time(), start, end)


def _is_day_of_week(time: dt.datetime, day: int) -> bool:
    return time.isoweekday() % 7 == day


def _between(value: Any, start: Any, end: Any) -> bool:
    if start <= end:
        return bool(start <= value <= end)
    return bool(value >= start or value <= end)


def _checked_day(name: str, month: int, day: int) -> tuple[int, int]:
    try:
        dt.date(_LEAP_YEAR, month, day)
    except ValueError as error:
        raise ValueError(
            f"{name}: no year has a day {shown(day)} in month {shown(month)} ({error}). Give month, then day."
        ) from None
    return month, day


def _checked_time(name: str, given: object) -> dt.time:
    if not isinstance(given, dt.time) or given.tzinfo is not None:
        raise TypeError(
            f"{name}({shown(given)}): a time of day is a datetime.time without a zone, such as time(9, 30); "
            "the zone is that of the clock."
        )
    return given
