"""The same again every so often, until the schedule ends."""

import datetime
from datetime import timedelta

from flowbook import Flow, task
from flowbook.schedules import IntervalSchedule

runs = []


@task
def extract():
    runs.append(datetime.datetime.now(datetime.timezone.utc))
    return len(runs)


@task
def load(n):
    if n == 2:
        raise ValueError("the second one fails")
    return n


now = datetime.datetime.now(datetime.timezone.utc)
schedule = IntervalSchedule(
    start_date=now + timedelta(milliseconds=200),
    interval=timedelta(milliseconds=200),
    end_date=now + timedelta(milliseconds=700),
)
with Flow("every so often", schedule) as flow:
    loaded = load(extract())

state = flow.run()
assert len(runs) == 3
assert state.is_successful()
assert state.result[loaded].result == 3
