"""Schedule: clocks, filters and adjustments in one; and short ways to schedules of one clock."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.schedules.clocks import Clock, ClockEvent, CronClock, IntervalClock, RRuleClock
from flowbook.schedules.zones import UTC, moment_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal, overload

__all__ = ["CronSchedule", "IntervalSchedule", "RRuleSchedule", "Schedule"]

# So many events are looked at before a schedule gives up: filters may contradict each other, and time has no end.
MOST_CHECKED = 10_000

# What an adjustment does that does not say how far it moves times: none to the past, none by more than a week.
_UNSAID = (dt.timedelta(0), dt.timedelta(days=7))


class Schedule:
    """The times at which a flow is to be run.

    The clocks' events are merged, in order and each but once; those stay that pass all `filters`, one of the
    `or_filters` if there are any, and none of the `not_filters`; then the adjustments move them, one after the other.

    Args:
        clocks: where the times come from.
        filters: callables of a datetime, all of which must hold.
        or_filters: callables of which one must hold.
        not_filters: callables of which none may hold.
        adjustments: callables that take a datetime and return one.

    Raises:
        TypeError: clocks are no list of clocks, or something else can't be called.

    >>> from flowbook.schedules.filters import between_dates, is_weekday
    >>> schedule = Schedule(
    ...     clocks=[IntervalClock(dt.timedelta(days=1))],
    ...     filters=[is_weekday],
    ...     not_filters=[between_dates(12, 24, 1, 1)],
    ... )
    >>> [str(time.date()) for time in schedule.next(3, after=dt.datetime(2026, 12, 22))]
    ['2026-12-23', '2027-01-04', '2027-01-05']

    """

    def __init__(
        self,
        clocks: Iterable[Clock],
        filters: Iterable[Callable[[dt.datetime], Any]] | None = None,
        or_filters: Iterable[Callable[[dt.datetime], Any]] | None = None,
        not_filters: Iterable[Callable[[dt.datetime], Any]] | None = None,
        adjustments: Iterable[Callable[[dt.datetime], dt.datetime]] | None = None,
    ) -> None:
        self.clocks = _checked_clocks(clocks)
        self.filters = _checked_callables("filters", filters)
        self.or_filters = _checked_callables("or_filters", or_filters)
        self.not_filters = _checked_callables("not_filters", not_filters)
        self.adjustments = _checked_callables("adjustments", adjustments)

    @property
    def start_date(self) -> dt.datetime | None:
        """The earliest start of the clocks, or None when one of them has none."""
        dates = [clock.start_date for clock in self.clocks]
        return min((date for date in dates if date), key=moment_of, default=None) if all(dates) else None

    @property
    def end_date(self) -> dt.datetime | None:
        """The latest end of the clocks, or None when one of them has none."""
        dates = [clock.end_date for clock in self.clocks]
        return max((date for date in dates if date), key=moment_of, default=None) if all(dates) else None

    if TYPE_CHECKING:  # what is returned depends on a flag, as in the reference API

        @overload
        def next(
            self, n: int, after: dt.datetime | None = None, return_events: Literal[False] = ...
        ) -> list[dt.datetime]: ...
        @overload
        def next(
            self, n: int, after: dt.datetime | None = None, *, return_events: Literal[True]
        ) -> list[ClockEvent]: ...

    def next(
        self,
        n: int,
        after: dt.datetime | None = None,
        return_events: bool = False,  # noqa: FBT001, FBT002 - the reference API takes it by position
    ) -> list[dt.datetime] | list[ClockEvent]:
        """Return the next times, in order; fewer than asked for when the schedule ends or 10,000 events were checked.

        Args:
            n: how many.
            after: times come after this one; one exactly then is not given again. Now, if left out.
            return_events: give events, with their parameters and labels, instead of times.

        Raises:
            ValueError: a negative number was asked for.

        >>> daily = IntervalSchedule(interval=dt.timedelta(days=1))
        >>> str(daily.next(1, after=dt.datetime(2026, 11, 22))[0])
        '2026-11-23 00:00:00+00:00'

        """
        if n < 0:
            raise ValueError(f"next({shown(n)}): ask for 0 or more times.")
        since = dt.datetime.now(UTC) if after is None else moment_of(after)
        if return_events:
            return list(islice(_unique(self._events(since), ClockEvent.asks_the_same), n))
        return [event.start_time for event in islice(_unique(self._events(since), _always), n)]

    def _events(self, after: dt.datetime) -> Iterator[ClockEvent]:
        """Give what has been filtered and moved, in order.

        A time may be moved from before `after` to a moment after it, so clocks are asked from further back; and past
        others, so it waits until no later event can come before it.
        """
        shifts = [getattr(adjustment, "shift", _UNSAID) for adjustment in self.adjustments]
        least = sum((shift[0] for shift in shifts), dt.timedelta(0))
        most = sum((shift[1] for shift in shifts), dt.timedelta(0))
        waiting: list[tuple[dt.datetime, int, ClockEvent]] = []
        for number, event in enumerate(self._candidates(after - most, after)):
            if self._passes(event.start_time):
                moved = self._adjusted(event)
                if moved.moment > after:
                    heapq.heappush(waiting, (moved.moment, number, moved))
            settled = event.moment + least
            while waiting and waiting[0][0] <= settled:
                yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _candidates(self, begin: dt.datetime, after: dt.datetime) -> Iterator[ClockEvent]:
        checked = 0
        # by moment: at one moment the clocks come in their order
        for event in heapq.merge(*(clock.events(after=begin) for clock in self.clocks), key=attrgetter("moment")):
            checked += event.moment > after
            if checked > MOST_CHECKED:
                return
            yield event

    def _passes(self, time: dt.datetime) -> bool:
        return (
            all(keep(time) for keep in self.filters)
            and (not self.or_filters or any(keep(time) for keep in self.or_filters))
            and not any(drop(time) for drop in self.not_filters)
        )

    def _adjusted(self, event: ClockEvent) -> ClockEvent:
        if not self.adjustments:
            return event
        time = event.start_time
        for adjustment in self.adjustments:
            time = adjustment(time)
            if not isinstance(time, dt.datetime):
                raise TypeError(
                    f"the adjustment {shown(adjustment)} returned {shown(time)}. It must return a datetime."
                )
        return ClockEvent(moment_of(time).astimezone(zone_of(time)), event.parameter_defaults, event.labels)

    def __repr__(self) -> str:
        parts = ["clocks", "filters", "or_filters", "not_filters", "adjustments"]
        given = [f"{part}={shown(getattr(self, part))}" for part in parts if getattr(self, part)]
        return f"Schedule({', '.join(given)})"


def IntervalSchedule(  # noqa: N802 - the reference API calls it so
    start_date: dt.datetime | None = None,
    interval: dt.timedelta | None = None,
    end_date: dt.datetime | None = None,
) -> Schedule:
    """Return a schedule of one `IntervalClock`.

    >>> IntervalSchedule(interval=dt.timedelta(hours=1))
    Schedule(clocks=[IntervalClock(datetime.timedelta(seconds=3600))])
    """
    return Schedule([IntervalClock(interval, start_date, end_date)])  # type: ignore[arg-type]  # it refuses None


def CronSchedule(  # noqa: N802 - the reference API calls it so
    cron: str,
    start_date: dt.datetime | None = None,
    end_date: dt.datetime | None = None,
    day_or: bool | None = None,  # noqa: FBT001 - the reference API takes it by position
) -> Schedule:
    """Return a schedule of one `CronClock`.

    >>> CronSchedule("0 9 * * MON-FRI")
    Schedule(clocks=[CronClock('0 9 * * MON-FRI')])
    """
    return Schedule([CronClock(cron, start_date, end_date, day_or=day_or)])


def RRuleSchedule(  # noqa: N802 - the reference API calls it so
    rrule: Any,
    start_date: dt.datetime | None = None,
    end_date: dt.datetime | None = None,
) -> Schedule:
    """Return a schedule of one `RRuleClock`.

    >>> RRuleSchedule("FREQ=WEEKLY;BYDAY=MO")
    Schedule(clocks=[RRuleClock('FREQ=WEEKLY;BYDAY=MO')])
    """
    return Schedule([RRuleClock(rrule, start_date, end_date)])


def _unique(events: Iterable[ClockEvent], same: Callable[[ClockEvent, ClockEvent], bool]) -> Iterator[ClockEvent]:
    """Leave out what is like an event of the same moment."""
    moment: dt.datetime | None = None
    given: list[ClockEvent] = []
    for event in events:
        if event.moment != moment:
            moment, given = event.moment, []
        if not any(same(event, other) for other in given):
            given.append(event)
            yield event


def _always(event: ClockEvent, other: ClockEvent) -> bool:  # noqa: ARG001 - times are alike, whatever they carry
    return True


def checked_schedule(given: Any) -> Any:
    """Return what is given as the schedule of a flow.

    Raises:
        TypeError: it cannot tell the next times.

    >>> checked_schedule("daily")
    Traceback (most recent call last):
    ...
    TypeError: schedule='daily' is not a schedule. Write Schedule(clocks=[...]), or CronSchedule('0 9 * * *').
    """
    if given is not None and not callable(getattr(given, "next", None)):
        raise TypeError(
            f"schedule={shown(given)} is not a schedule. Write Schedule(clocks=[...]), or CronSchedule('0 9 * * *')."
        )
    return given


def _checked_clocks(given: Iterable[Clock]) -> list[Clock]:
    if not isinstance(given, Iterable):
        raise TypeError(f"clocks={shown(given)} is not a list of clocks. Write Schedule(clocks=[clock]).")
    clocks = list(given)
    for clock in clocks:
        if not callable(getattr(clock, "events", None)):
            raise TypeError(
                f"{shown(clock)} in clocks is not a clock. Give one of flowbook.schedules.clocks, such as "
                "IntervalClock(timedelta(hours=1))."
            )
    return clocks


def _checked_callables(name: str, given: Iterable[Callable[..., Any]] | None) -> list[Callable[..., Any]]:
    if given is None:
        return []
    if not isinstance(given, Iterable):
        raise TypeError(f"{name}={shown(given)} is not a list. Write {name}=[{shown(given, 40)}].")
    callables = list(given)
    for each in callables:
        if not callable(each):
            raise TypeError(
                f"{shown(each)} in {name} can't be called. Give functions of a datetime, such as those of "
                f"flowbook.schedules.{'adjustments' if name == 'adjustments' else 'filters'}."
            )
    return callables
