"""What happens when some of the many fail or are left out."""

import datetime

import flowbook
from flowbook import Flow, task
from flowbook.engine import signals
from flowbook.triggers import all_finished
from flowbook.tasks.control_flow import FilterTask


@task
def invert(x):
    if x == 0:
        raise ZeroDivisionError("zero")
    if x < 0:
        raise signals.SKIP("below zero")
    return 1 / x


@task
def double(x):
    return 2 * x


@task(trigger=all_finished, skip_on_upstream_skip=False)
def gather(values):
    return list(values)


@task
def total(values):
    return sum(values)


with Flow("some fail") as flow:
    inverted = invert.map([1, 0, 2, -1])
    doubled = double.map(inverted)
    gathered = gather(doubled)
    filtered = FilterTask(filter_func=lambda x: not isinstance(x, BaseException) and x is not None)(doubled)
    summed = total(filtered)
    strict = total(doubled)

state = flow.run()
names = [type(child).__name__ for child in state.result[inverted].map_states]
assert names == ["Success", "Failed", "Success", "Skipped"]
names = [type(child).__name__ for child in state.result[doubled].map_states]
assert names == ["Success", "TriggerFailed", "Success", "Skipped"]
assert state.result[inverted].is_successful()
assert len(state.result[gathered].result) == 4
assert state.result[summed].result == 3
assert state.result[strict].is_skipped()


@task(max_retries=2, retry_delay=datetime.timedelta(0))
def flaky(x):
    if flowbook.context.map_index == 1 and flowbook.context.task_run_count < 3:
        raise ValueError("not yet")
    return f"{flowbook.context.task_full_name}: {flowbook.context.task_run_count}"


with Flow("retry one") as flow:
    results = flaky.map([5, 6, 7])
assert flow.run().result[results].result == ["flaky[0]: 1", "flaky[1]: 3", "flaky[2]: 1"]

with Flow("nothing to map") as flow:
    wrong = double.map(double(4))
state = flow.run()
assert state.is_failed()
assert state.result[wrong].message == "At least one upstream state has an unmappable result."
