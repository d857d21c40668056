"""Adjustments: they move the times that have passed a schedule's filters.

An adjustment is any callable that takes a datetime and returns one. One that moves times to a later day, by a week at
most, needs to say nothing; another one may have an attribute `shift`, the least and the most it adds.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.schedules.filters import is_weekend
from flowbook.schedules.zones import UTC, moment_of, own_time, wall_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Adjustment", "add", "next_weekday"]

_DAY = dt.timedelta(days=1)
_NOTHING = dt.timedelta(0)


@dataclass(frozen=True)
class Adjustment:
    """A built-in adjustment: it can be called, shown, compared and pickled, and says how far it moves times."""

    name: str
    rule: Callable[..., dt.datetime]
    arguments: tuple[Any, ...]
    shift: tuple[dt.timedelta, dt.timedelta]

    def __call__(self, time: dt.datetime) -> dt.datetime:
        """Return the moved time."""
        return self.rule(time, *self.arguments)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(shown, self.arguments))})" if self.arguments else self.name


def add(interval: dt.timedelta) -> Adjustment:
    """Return an adjustment that adds an interval; a negative one moves times to the past.

    A day or more keeps the time of day when clocks are turned, less than a day the time that passes.

    Raises:
        TypeError: the interval is no timedelta.

    >>> str(add(dt.timedelta(hours=1))(dt.datetime(2026, 11, 22, 9)))
    '2026-11-22 10:00:00+00:00'

    """
    if not isinstance(interval, dt.timedelta):
        raise TypeError(f"add({shown(interval)}): give a timedelta, such as add(timedelta(hours=1)).")
    # A day may have 23 hours or 25; a day either way is plenty.
    slack = _DAY if abs(interval) >= _DAY else _NOTHING
    return Adjustment("add", _add, (interval,), (interval - slack, interval + slack))


def _add(time: dt.datetime, interval: dt.timedelta) -> dt.datetime:
    zone = zone_of(time)
    if abs(interval) < _DAY:
        return (moment_of(time) + interval).astimezone(zone)
    wall = wall_of(time) + interval
    return (own_time(wall, zone) or wall.replace(tzinfo=zone).astimezone(UTC)).astimezone(zone)


def _next_weekday(time: dt.datetime) -> dt.datetime:
    while is_weekend(time):
        time = _add(time, _DAY)
    return time


# Moves Saturdays and Sundays to the Monday after, at the same time of day.
next_weekday = Adjustment("next_weekday", _next_weekday, (), (_NOTHING, 3 * _DAY))
