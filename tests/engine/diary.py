"""A flow of one task that notes when it was run, and schedules for it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flowbook import Flow, Parameter, Task, context, task
from flowbook.schedules import Schedule, clocks

UTC = dt.timezone.utc
MONDAY = dt.datetime(2035, 1, 1, tzinfo=UTC)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


def daily(times: int = 3, **parameters: Any) -> Schedule:
    return Schedule([clocks.IntervalClock(DAY, MONDAY, MONDAY + (times - 1) * DAY, parameter_defaults=parameters)])


def at(*moments: dt.datetime, **parameters: Any) -> Schedule:
    return Schedule([clocks.DatesClock(list(moments), parameter_defaults=parameters)])


def soon(seconds: float) -> dt.datetime:
    return dt.datetime.now(UTC) + dt.timedelta(seconds=seconds)


class Diary:
    """A flow of one task that notes when it was run, and with what."""

    def __init__(self, schedule: Any, *required: str, **defaults: Any) -> None:
        self.entries: list[tuple[dt.datetime, dict[str, Any]]] = []

        @task
        def note(**values: Any) -> int:
            self.entries.append((context.scheduled_start_time, values))
            return len(self.entries)

        with Flow("diary", schedule=schedule) as self.flow:
            given: dict[str, Any] = {name: Parameter(name) for name in required}
            given |= {name: Parameter(name, default=value) for name, value in defaults.items()}
            self.noted: Task = note(**given)

    @property
    def times(self) -> list[dt.datetime]:
        return [time for time, _ in self.entries]

    @property
    def given(self) -> list[dict[str, Any]]:
        return [values for _, values in self.entries]
