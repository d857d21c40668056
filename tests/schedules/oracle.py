"""What should happen where clocks are turned: walk through the minutes and look at the clock on the wall.

Nothing here knows how flowbook does it, nor uses folds: a minute that was skipped is one that was not seen, a minute
that comes twice is one that was seen before.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Container, Iterator
from functools import cache
from typing import NamedTuple

UTC = dt.timezone.utc

FIRST, LAST = dt.datetime(2024, 1, 1, tzinfo=UTC), dt.datetime(2036, 1, 1, tzinfo=UTC)

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


class Turn(NamedTuple):
    """A moment at which a zone turns its clocks, and by how much."""

    moment: dt.datetime
    by: dt.timedelta


class Walk(NamedTuple):
    """The minutes around a turn.

    Attributes:
        begin, end: the first and last moment of it.
        daily: for times of day (in minutes), when something due at that time should happen.
        hourly: for minutes of the hour, when the clock on the wall shows it.

    """

    begin: dt.datetime
    end: dt.datetime
    daily: dict[int, list[dt.datetime]]
    hourly: dict[int, list[dt.datetime]]


def walk_through(zone: dt.tzinfo, turn: dt.datetime, wanted: Container[int]) -> Walk:
    """Walk from a day before a turn to a day and a half after it, minute by minute; note the wanted times of day."""
    begin, end = turn - DAY, turn + 1.5 * DAY
    daily: dict[int, list[dt.datetime]] = defaultdict(list)
    hourly: dict[int, list[dt.datetime]] = defaultdict(list)
    seen: set[dt.datetime] = set()
    last = (begin - MINUTE).astimezone(zone).replace(tzinfo=None)
    moment = begin
    while moment <= end:
        shown = moment.astimezone(zone).replace(tzinfo=None)
        skipped = last + MINUTE
        while skipped < shown:  # due while the clocks were moved: happens as soon as they have been
            if minute_of_day(skipped) in wanted:
                daily[minute_of_day(skipped)].append(moment)
            skipped += MINUTE
        if minute_of_day(shown) in wanted:
            hourly[shown.minute].append(moment)
            if shown not in seen:
                daily[minute_of_day(shown)].append(moment)
        seen.add(shown)
        last = shown
        moment += MINUTE
    return Walk(begin, end, daily, hourly)


def minute_of_day(wall: dt.datetime) -> int:
    return wall.hour * 60 + wall.minute


def turns(zone: dt.tzinfo) -> Iterator[Turn]:
    """Find the moments of 2024 to 2035 at which a zone turns its clocks: day by day, then to the second."""
    day = FIRST
    while day < LAST:
        by = offset(day + DAY, zone) - offset(day, zone)
        if by:
            low, high = 0, 86_400
            while high - low > 1:
                middle = (low + high) // 2
                turned = offset(day + dt.timedelta(seconds=middle), zone) != offset(day, zone)
                low, high = (low, middle) if turned else (middle, high)
            yield Turn(day + dt.timedelta(seconds=high), by)
        day += DAY


def offset(moment: dt.datetime, zone: dt.tzinfo) -> dt.timedelta:
    found = moment.astimezone(zone).utcoffset()
    assert found is not None
    return found


@cache
def turning_zones() -> dict[tuple[dt.timedelta, tuple[Turn, ...]], list[str]]:
    """Return all zones that turn their clocks in these years, those together that do it at the same moments alike."""
    alike = defaultdict(list)
    for name in sorted(zoneinfo.available_timezones()):
        zone = zoneinfo.ZoneInfo(name)
        alike[offset(FIRST, zone), tuple(turns(zone))].append(name)
    return {ways: names for ways, names in alike.items() if ways[1]}
