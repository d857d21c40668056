"""Clocks: they give the times of a schedule, each time as an event that may carry parameters and labels.

Where clocks are turned, for daylight saving or otherwise, these rules hold:

* A time of day that is named (a cron hour, a daily interval, a date) gives exactly one event on each day. If it comes
  twice that day, the first one counts; if it is left out, the event comes at the first moment after the gap.
* What is not bound to a time of day goes on as time goes: an interval of less than a day keeps the time that passes; a
  cron text that leaves the hour open gives an event each time the clock on the wall shows one of its minutes.
* Events never go backwards, and no moment is given twice.

A datetime without a zone is in UTC. The zone of `start_date` is the zone of a clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.schedules.zones import (
    UTC,
    each_time_it_comes,
    local,
    moment_of,
    once_each,
    own_time,
    wall_of,
    zone_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Clock", "ClockEvent", "CronClock", "DatesClock", "IntervalClock", "RRuleClock"]

# Intervals without a start are counted from here, so that hours are full and weeks begin on a Monday, whenever asked.
_ANCHOR = dt.datetime(2018, 1, 1, tzinfo=UTC)

_DAY = dt.timedelta(days=1)
_INSTANT = dt.timedelta(microseconds=1)
_SECOND = dt.timedelta(seconds=1)

_SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_CRON_FIELDS = 5
_CRON_RULE = (
    "Write five fields: minute 0-59, hour 0-23, day of the month 1-31, month 1-12 or JAN-DEC, "
    "day of the week 0-7 or SUN-SAT; for instance '30 9 * * MON-FRI'."
)


@dataclass(frozen=True, eq=False)
class ClockEvent:
    """One time at which a flow is to be run.

    Two events are equal when moment, parameters and labels are; they are ordered by moment.

    Args:
        start_time: when, in the zone of the clock.
        parameter_defaults: parameter values for this one run; the event has a copy of its own.
        labels: labels for this one run; None for those the flow has.

    Attributes:
        moment: when, in UTC. Compare and subtract these: Python takes two times of one zone for what the clock on the
            wall shows, so an hour that comes twice seems to take no time.

    >>> event = ClockEvent(dt.datetime(2026, 11, 22, 9, tzinfo=UTC), {"country": "NL"})
    >>> event.parameter_defaults, event.labels
    ({'country': 'NL'}, None)

    """

    start_time: dt.datetime
    parameter_defaults: dict[str, Any] = field(default_factory=dict)
    labels: list[str] | None = None
    moment: dt.datetime = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "moment", moment_of(self.start_time))
        object.__setattr__(self, "parameter_defaults", _own(dict(self.parameter_defaults or {})))
        object.__setattr__(self, "labels", None if self.labels is None else list(self.labels))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClockEvent):
            return NotImplemented
        return self.moment == other.moment and self.asks_the_same(other)

    def __lt__(self, other: ClockEvent) -> bool:
        return self.moment < other.moment

    def __hash__(self) -> int:
        return hash(self.moment)

    def asks_the_same(self, other: ClockEvent) -> bool:
        """Return whether both ask for the same run, apart from its time."""
        try:
            same = bool(self.parameter_defaults == other.parameter_defaults)
        except Exception:  # noqa: BLE001 - a user's value (an array, say) may refuse; what can't be told equal is not
            same = False
        return same and self.labels == other.labels


class Clock:
    """Base of the clocks; a clock of your own gives its times in `moments`.

    Args:
        start_date: no event comes before; its zone is the zone of the events.
        end_date: no event comes after; one may come exactly then.
        parameter_defaults: parameter values for the runs of this clock's events.
        labels: labels for these runs.

    >>> class FullHours(Clock):
    ...     def moments(self, after):
    ...         hour = after.replace(minute=0, second=0, microsecond=0)
    ...         while True:
    ...             hour += dt.timedelta(hours=1)
    ...             yield hour
    >>> str(next(FullHours().events(after=dt.datetime(2026, 11, 22, 9, 30))).start_time)
    '2026-11-22 10:00:00+00:00'

    """

    def __init__(
        self,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        self.start_date = start_date
        self.end_date = end_date
        self.parameter_defaults = _checked_parameters(parameter_defaults)
        self.labels = _checked_labels(labels)
        self._first = None if start_date is None else moment_of(start_date)
        self._last = None if end_date is None else moment_of(end_date)
        self.zone = zone_of(start_date)

    def moments(self, after: dt.datetime) -> Iterator[dt.datetime]:
        """Give the ascending times of this clock, at least all that come after a moment in UTC; others do no harm."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say when: give it a method moments(after) that yields datetimes."
        )

    def events(self, after: dt.datetime | None = None) -> Iterator[ClockEvent]:
        """Give the events that come after a moment, in order, for ever if the clock has no end.

        Args:
            after: a datetime; an event exactly then is not given again. Now, if left out.

        """
        reached = dt.datetime.now(UTC) if after is None else moment_of(after)
        if self._first is not None:
            reached = max(reached, self._first - _INSTANT)
        for time in self.moments(reached):
            moment = moment_of(time)
            if self._last is not None and moment > self._last:
                return
            if moment > reached:
                reached = moment
                yield ClockEvent(moment.astimezone(self._zone_at(time)), self.parameter_defaults, self.labels)

    def _zone_at(self, time: dt.datetime) -> dt.tzinfo:  # noqa: ARG002 - dates may come from several zones
        return self.zone

    def _names(self) -> list[str]:
        return []

    def __repr__(self) -> str:
        given = {name: getattr(self, name) for name in ("start_date", "end_date", "parameter_defaults", "labels")}
        words = [shown(getattr(self, name)) for name in self._names()]
        words += [f"{name}={shown(value)}" for name, value in given.items() if value]
        return f"{type(self).__name__}({', '.join(words)})"


class IntervalClock(Clock):
    """Give an event each time an interval has passed since `start_date`, the first at `start_date` itself.

    Intervals of a day or more keep the time of day when clocks are turned, shorter ones the time that passes.

    Args:
        interval: how long; more than nothing.
        start_date: where counting begins. If left out, full hours, midnights and Mondays in UTC are met.
        end_date: no event comes after.
        parameter_defaults: parameter values for the runs of this clock's events.
        labels: labels for these runs.

    Raises:
        TypeError: the interval is no timedelta.
        ValueError: it is not more than nothing.

    >>> clock = IntervalClock(dt.timedelta(hours=8))
    >>> str(next(clock.events(after=dt.datetime(2026, 11, 22, 9))).start_time)
    '2026-11-22 16:00:00+00:00'

    """

    def __init__(
        self,
        interval: dt.timedelta,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        if not isinstance(interval, dt.timedelta):
            raise TypeError(f"{shown(interval)} is not an interval. Give a timedelta, such as timedelta(hours=1).")
        if interval <= dt.timedelta(0):
            raise ValueError(f"the interval {shown(interval)} would never pass. Give one of more than nothing.")
        super().__init__(start_date, end_date, parameter_defaults, labels)
        self.interval = interval

    def moments(self, after: dt.datetime) -> Iterator[dt.datetime]:
        """Give the times of this clock."""
        try:
            yield from self._by_day(after) if self.interval >= _DAY else self._by_time(after)
        except OverflowError:  # the calendar ends with the year 9999
            return

    def _by_time(self, after: dt.datetime) -> Iterator[dt.datetime]:
        first = self._first or _ANCHOR
        moment = first + ((after - first) // self.interval) * self.interval
        while True:
            yield moment
            moment += self.interval

    def _by_day(self, after: dt.datetime) -> Iterator[dt.datetime]:
        wall = wall_of(self.start_date or _ANCHOR)
        number = (local(after, self.zone) - wall) // self.interval
        if self._first is not None and number <= 0:
            yield self._first  # as it was given, also in the second of two hours of one name
            number = 1
        while True:
            moment = own_time(wall + number * self.interval, self.zone)
            if moment is not None:
                yield moment
            number += 1

    def _names(self) -> list[str]:
        return ["interval"]


class CronClock(Clock):
    """Give an event at the times a cron text describes, as clocks on the wall show them in the zone of `start_date`.

    Args:
        cron: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly, @monthly, @yearly.
        start_date: no event comes before; its zone is where the wall is.
        end_date: no event comes after.
        parameter_defaults: parameter values for the runs of this clock's events.
        labels: labels for these runs.
        day_or: when both kinds of day are given, either is enough; with False both must hold. (If one of them begins
            with ``*`` both must hold in any case, as cron has it.)

    Raises:
        TypeError: the cron text is no text.
        ValueError: it can't be read, or no such day ever comes.

    >>> clock = CronClock("0 9 13 * FRI", day_or=False)
    >>> str(next(clock.events(after=dt.datetime(2026, 1, 1))).start_time)
    '2026-02-13 09:00:00+00:00'

    """

    def __init__(
        self,
        cron: str,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Iterable[str] | None = None,
        day_or: bool | None = None,  # noqa: FBT001 - the reference API takes it by position
    ) -> None:
        super().__init__(start_date, end_date, parameter_defaults, labels)
        self.cron = cron
        self.day_or = True if day_or is None else day_or
        self._every_hour = _leaves_hours_open(cron)
        if next(self._walls(wall_of(_ANCHOR)), None) is None:
            raise ValueError(f"the cron text {shown(cron)} names a day that never comes. {_CRON_RULE}")

    def moments(self, after: dt.datetime) -> Iterator[dt.datetime]:
        """Give the times of this clock."""
        if self._every_hour:
            return each_time_it_comes(self._walls, after, self.zone)
        return once_each(self._walls(local(after, self.zone)), self.zone)

    def _walls(self, begin: dt.datetime) -> Iterator[dt.datetime]:
        from cronsim import CronSim  # noqa: PLC0415 - a door: only cron clocks need it

        # Without a zone cronsim just counts; what becomes of turned clocks is decided in one place, in zones.py.
        walls = CronSim(_five_fields(self.cron), begin.replace(microsecond=0) - _SECOND)
        walls.day_and = walls.day_and or not self.day_or
        return walls

    def _names(self) -> list[str]:
        return ["cron"]


class DatesClock(Clock):
    """Give an event at each of some dates.

    Args:
        dates: datetimes, in any order.
        parameter_defaults: parameter values for the runs of this clock's events.
        labels: labels for these runs.

    Raises:
        TypeError: one of them is no datetime.
        ValueError: there are none.

    >>> clock = DatesClock([dt.datetime(2026, 11, 22, 9), dt.datetime(2026, 11, 24, 9)])
    >>> str(next(clock.events(after=dt.datetime(2026, 11, 22, 9))).start_time)
    '2026-11-24 09:00:00+00:00'

    """

    def __init__(
        self,
        dates: Iterable[dt.datetime],
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        if not isinstance(dates, Iterable):
            raise TypeError(f"{shown(dates)} is not a list of dates. Write DatesClock([datetime(2026, 11, 22, 9)]).")
        self.dates = sorted(dates, key=moment_of)
        if not self.dates:
            raise ValueError("DatesClock([]) would never give an event. Give at least one datetime.")
        super().__init__(self.dates[0], self.dates[-1], parameter_defaults, labels)

    def moments(self, after: dt.datetime) -> Iterator[dt.datetime]:  # noqa: ARG002 - there are few
        """Give the times of this clock."""
        return iter(self.dates)

    def _zone_at(self, time: dt.datetime) -> dt.tzinfo:
        return zone_of(time)

    def __repr__(self) -> str:
        return f"DatesClock({shown(self.dates)})"


class RRuleClock(Clock):
    """Give an event at the times of a recurrence rule (RFC 5545), as python-dateutil reads it.

    The rule's ``dtstart`` has the zone. A rule that leaves the hour open (``FREQ=HOURLY`` without ``BYHOUR``, say)
    gives an event each time its time comes; any other exactly one per time of day.

    Args:
        rrule: a ``dateutil.rrule.rrule`` or ``rruleset``, or the text of one, such as ``FREQ=WEEKLY;BYDAY=MO``.
        start_date: no event comes before; also the ``dtstart`` of a text that has none.
        end_date: no event comes after.
        parameter_defaults: parameter values for the runs of this clock's events.
        labels: labels for these runs.

    Raises:
        TypeError: it is neither a rule nor text.
        ValueError: the text can't be read.

    >>> clock = RRuleClock("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17", start_date=dt.datetime(2026, 1, 1))
    >>> str(next(clock.events(after=dt.datetime(2026, 11, 22))).start_time)
    '2026-11-27 17:00:00+00:00'

    """

    def __init__(
        self,
        rrule: Any,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
        parameter_defaults: Mapping[str, Any] | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        super().__init__(start_date, end_date, parameter_defaults, labels)
        self.rrule = rrule
        self._rule, self._every_hour = _read_rule(rrule, start_date or _ANCHOR)
        first = next(iter(self._rule), None)
        if first is not None and first.tzinfo is not None:
            self.zone = zone_of(first)

    def moments(self, after: dt.datetime) -> Iterator[dt.datetime]:
        """Give the times of this clock."""
        if self._every_hour:
            return each_time_it_comes(self._walls, after, self.zone)
        return once_each(self._walls(local(after, self.zone)), self.zone)

    def _walls(self, begin: dt.datetime) -> Iterator[dt.datetime]:
        walls: Iterator[dt.datetime] = map(wall_of, self._rule)
        return (wall for wall in walls if wall >= begin)

    def _names(self) -> list[str]:
        return ["rrule"]


def _five_fields(cron: str) -> str:
    return _SHORTHANDS.get(cron.strip().lower(), cron)


def _leaves_hours_open(cron: str) -> bool:
    """Read a cron text, refuse a bad one, and tell whether it holds in every hour, however that is written."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - a door: only cron clocks need it

    if not isinstance(cron, str):
        raise TypeError(f"{shown(cron)} is not a cron text. {_CRON_RULE}")
    fields = len(_five_fields(cron).split())
    if fields != _CRON_FIELDS:
        # Some crons have seconds in front, others at the end: a guess could be wrong for years before it is seen.
        raise ValueError(f"the cron text {shown(cron)} has {fields} fields. {_CRON_RULE}")
    try:
        read = CronSim(_five_fields(cron), wall_of(_ANCHOR))
    except CronSimError as error:
        said = str(error)
        raise ValueError(f"the cron text {shown(cron)} has a {said[:1].lower()}{said[1:]}. {_CRON_RULE}") from None
    return read.hours == set(range(24))


def _read_rule(given: Any, start: dt.datetime) -> tuple[Any, bool]:
    """Return a rule of dateutil, and whether it leaves the hour open."""
    from dateutil import rrule  # noqa: PLC0415 - a door: only rrule clocks need it

    rule = given
    if isinstance(given, str):
        try:
            rule = rrule.rrulestr(given, dtstart=wall_of(start).replace(tzinfo=zone_of(start)))
        except ValueError as error:
            raise ValueError(
                f"the recurrence rule {shown(given)} can't be read: {error}. "
                "Write it as RFC 5545 has it, for instance 'FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9'."
            ) from None
    if not isinstance(rule, rrule.rrulebase):
        raise TypeError(
            f"{shown(given)} is not a recurrence rule. Give a dateutil.rrule.rrule, an rruleset, or text such as "
            "'FREQ=WEEKLY;BYDAY=MO'."
        )
    # dateutil has no public word for it: it sets the hours of every rule but those that run through all of them.
    rules = getattr(rule, "_rrule", [rule])
    return rule, bool(rules) and all(each._byhour is None for each in rules)  # noqa: SLF001


def _checked_parameters(given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(
            f"parameter_defaults={shown(given)} is not a dict of parameter values. Write {{'country': 'NL'}}."
        )
    values = _own(dict(given or {}))
    assert isinstance(values, dict)
    return values


def _checked_labels(given: Iterable[str] | None) -> list[str] | None:
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"labels={shown(given)} is not a list of labels. Write labels=['night'].")
    return list(given)


def _own(value: Any) -> Any:
    """Copy plain containers, however nested, so that what a run does to them stays in that run; share the rest."""
    if type(value) is dict:
        return {key: _own(below) for key, below in value.items()}
    if type(value) in (list, set, tuple):
        return type(value)(map(_own, value))
    return value
