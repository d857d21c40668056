"""Time on the wall and time that passes, and how the one becomes the other where a zone turns its clocks.

A *wall time* is a naive datetime: what a clock on the wall of some zone shows. A *moment* is a datetime in UTC; moments
are what is compared, since Python compares two datetimes of one zone by their wall times, also in an hour that comes
twice. When clocks go forward some wall times never come (a gap); when they go back some come twice.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flowbook.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["UTC", "each_time_it_comes", "local", "moment_of", "once_each", "own_time", "turn_of", "wall_of", "zone_of"]

UTC = dt.timezone.utc

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)


def zone_of(given: dt.datetime | None) -> dt.tzinfo:
    """Return the zone of a datetime: UTC when it has none.

    A zone of pytz is replaced by Python's own of that name: it stands for one offset, and does not know the others.
    """
    if given is None or given.tzinfo is None:
        return UTC
    name = getattr(given.tzinfo, "zone", None)
    if not isinstance(name, str):
        return given.tzinfo
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - whoever uses pytz pays for it

    return ZoneInfo(name)


def wall_of(given: dt.datetime) -> dt.datetime:
    """Return what the clock on the wall shows, as a plain datetime also of a class derived from it.

    >>> wall_of(dt.datetime(2026, 11, 22, 9, tzinfo=UTC))
    datetime.datetime(2026, 11, 22, 9, 0)
    """
    return dt.datetime(  # noqa: DTZ001 - a wall time
        given.year, given.month, given.day, given.hour, given.minute, given.second, given.microsecond
    )


def moment_of(given: dt.datetime) -> dt.datetime:
    """Return the moment in UTC that a user's datetime names.

    One without a zone is in UTC. In a gap it is the first moment after it; in an hour that comes twice, `fold` tells.

    Raises:
        TypeError: it is no datetime.

    """
    if not isinstance(given, dt.datetime):
        raise TypeError(
            f"{shown(given)} is not a datetime, but a schedule needs one: datetime(2026, 11, 22, 9, tzinfo=zone). "
            "Without a tzinfo it is in UTC."
        )
    if type(given) is dt.datetime and given.tzinfo is UTC:
        return given
    wall, zone = wall_of(given), zone_of(given)
    named = wall.replace(tzinfo=given.tzinfo or UTC, fold=given.fold).astimezone(UTC)
    return named if local(named, zone) == wall else own_time(wall, zone) or named


def local(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return what the clock on the wall shows at a moment."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def own_time(wall: dt.datetime, zone: dt.tzinfo) -> dt.datetime | None:
    """Return the one moment, in UTC, at which what is meant for a wall time happens.

    Where clocks go back that is the first of the two moments; in a gap, the first moment after it. None when the whole
    day was left out, as 30 December 2011 was on Samoa: that day had no times at all.

    >>> from zoneinfo import ZoneInfo
    >>> str(own_time(dt.datetime(2026, 3, 8, 2, 30), ZoneInfo("America/New_York")))  # clocks go from 2 to 3, at 7 UTC
    '2026-03-08 07:00:00+00:00'
    """
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if local(moment, zone) == wall:
        return moment
    # In a gap the two folds give the moments that the offsets after and before would make of it, one on each side.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if moment - before >= _DAY:
        return None
    return _first(before, moment, lambda between: local(between, zone) >= wall)


def turn_of(zone: dt.tzinfo, after: dt.datetime, until: dt.datetime) -> dt.datetime | None:
    """Return the first moment after `after`, and not after `until`, at which the zone has another offset than before.

    It looks once a day: no zone has ever turned its clocks to and fro within one.
    """
    while after < until:
        step = min(after + _DAY, until)
        if _offset(step, zone) != _offset(after, zone):
            return _turn_between(zone, after, step)
        after = step
    return None


def _turn_between(zone: dt.tzinfo, low: dt.datetime, high: dt.datetime) -> dt.datetime:
    offset = _offset(low, zone)
    return _first(low, high, lambda between: _offset(between, zone) != offset)


def once_each(walls: Iterable[dt.datetime], zone: dt.tzinfo) -> Iterator[dt.datetime]:
    """Give the moments of ascending wall times, one for each; those of a gap fall on one."""
    for wall in walls:
        moment = own_time(wall, zone)
        if moment is not None:
            yield moment


def each_time_it_comes(
    walls_from: Callable[[dt.datetime], Iterable[dt.datetime]], after: dt.datetime, zone: dt.tzinfo
) -> Iterator[dt.datetime]:
    """Give all moments at which the clock on the wall shows one of certain times: twice, or never, where it is turned.

    Args:
        walls_from: gives the ascending wall times from one on, itself included.
        after: a moment in UTC; the first that is given may be this one.
        zone: where the wall is.

    """
    turn: dt.datetime | None = after
    while turn is not None:
        after, turn = turn, None
        offset = _offset(after, zone)
        for wall in walls_from(local(after, zone)):
            moment = wall.replace(tzinfo=UTC) - offset
            turn = turn_of(zone, after, moment)
            if turn is not None:  # from there on this wall time is another moment
                break
            yield moment
            after = moment


def _offset(moment: dt.datetime, zone: dt.tzinfo) -> dt.timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _first(low: dt.datetime, high: dt.datetime, holds: Callable[[dt.datetime], bool]) -> dt.datetime:
    """Return the first second in (low, high] at which something holds that goes on to hold until `high`."""
    low = low.replace(microsecond=0)  # zones turn on whole seconds
    seconds = -(-(high - low) // _SECOND)
    below = 0
    while seconds - below > 1:
        middle = (below + seconds) // 2
        if holds(low + middle * _SECOND):
            seconds = middle
        else:
            below = middle
    return low + seconds * _SECOND
