"""Schedules: when a flow is to be run.

Clocks give times, filters choose among them, adjustments move them. Nothing here waits or starts anything: a schedule
answers questions about time, and the time it is asked about is an argument.

>>> import datetime as dt
>>> from flowbook.schedules import CronSchedule
>>> [str(time) for time in CronSchedule("0 9 * * MON-FRI").next(2, after=dt.datetime(2026, 11, 20, 9))]
['2026-11-23 09:00:00+00:00', '2026-11-24 09:00:00+00:00']
"""

from __future__ import annotations

from flowbook.schedules import adjustments, clocks, filters
from flowbook.schedules.schedules import CronSchedule, IntervalSchedule, RRuleSchedule, Schedule

__all__ = [
    "CronSchedule",
    "IntervalSchedule",
    "RRuleSchedule",
    "Schedule",
    "adjustments",
    "clocks",
    "filters",
]
