"""When a flow is to be run."""

import datetime
from datetime import timedelta

from flowbook import Flow, Parameter, task
from flowbook.schedules import CronSchedule, IntervalSchedule, Schedule, adjustments, clocks, filters
from flowbook.schedules.clocks import CronClock, DatesClock, IntervalClock

UTC = datetime.timezone.utc
start = datetime.datetime(2026, 1, 1, 9, tzinfo=UTC)

daily = IntervalSchedule(start_date=start, interval=timedelta(days=1))
assert [moment.day for moment in daily.next(3, after=start)] == [2, 3, 4]
weekdays = CronSchedule("0 9 * * 1-5", start_date=start)
assert [moment.day for moment in weekdays.next(3, after=start)] == [2, 5, 6]

mixed = Schedule(
    clocks=[
        IntervalClock(start_date=start, interval=timedelta(hours=1), parameter_defaults={"city": "Delft"}),
        CronClock("30 9 * * *", start_date=start, parameter_defaults={"city": "Leiden"}),
    ],
    filters=[filters.is_weekday],
    or_filters=[filters.between_times(datetime.time(9), datetime.time(10))],
    not_filters=[filters.between_dates(1, 6, 1, 6)],
    adjustments=[adjustments.add(timedelta(minutes=5))],
)
moments = mixed.next(4, after=start - timedelta(seconds=1))
assert [(m.day, m.hour, m.minute) for m in moments] == [(1, 9, 5), (1, 9, 35), (1, 10, 5), (2, 9, 5)]
events = mixed.next(2, after=start - timedelta(seconds=1), return_events=True)
assert [event.parameter_defaults["city"] for event in events] == ["Delft", "Leiden"]

# run on one
seen = []


@task
def note(city):
    seen.append(city)


now = datetime.datetime.now(UTC)
soon = [now + timedelta(milliseconds=ms) for ms in (300, 600)]
schedule = Schedule(
    clocks=[
        DatesClock([soon[0]], parameter_defaults={"city": "Delft"}),
        DatesClock([soon[1]], parameter_defaults={"city": "Leiden"}),
        clocks.DatesClock([soon[1] + timedelta(milliseconds=300)]),
    ]
)
with Flow("scheduled", schedule=schedule) as flow:
    note(Parameter("city", default="nowhere"))
state = flow.run()
assert state.is_successful()
assert seen == ["Delft", "Leiden", "nowhere"]
assert datetime.datetime.now(UTC) >= soon[1]
try:
    flow.run()
except ValueError as error:
    assert "no more scheduled runs" in str(error)
else:
    raise AssertionError("it ran on a schedule that is over")
assert flow.run(run_on_schedule=False, city="Gouda").is_successful()
assert seen[-1] == "Gouda"
