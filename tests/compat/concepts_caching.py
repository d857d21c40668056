"""Results that are kept for a while, and when they are not good any more."""

import datetime
import time

from flowbook import Flow, Parameter, task
from flowbook.engine.cache_validators import all_inputs, all_parameters, duration_only, partial_inputs_only
from flowbook.engine.state import Cached

runs = []
HOUR = datetime.timedelta(hours=1)


@task(cache_for=HOUR)
def by_time():
    runs.append("time")
    return len(runs)


@task(cache_for=HOUR, cache_validator=all_inputs)
def by_inputs(x):
    runs.append("inputs")
    return x


@task(cache_for=HOUR, cache_validator=all_parameters)
def by_parameters():
    runs.append("parameters")


@task(cache_for=HOUR, cache_validator=partial_inputs_only(validate_on=["x"]))
def by_some_inputs(x, y):
    runs.append("some")
    return x


@task(cache_for=datetime.timedelta(milliseconds=1), cache_validator=duration_only)
def for_a_moment():
    runs.append("moment")


with Flow("cached") as flow:
    x, y = Parameter("x"), Parameter("y", default=0)
    timed = by_time()
    inputs = by_inputs(x)
    by_parameters()
    some = by_some_inputs(x, y)
    for_a_moment()

state = flow.run(x=1)
assert isinstance(state.result[timed], Cached)
first = state.result[timed].result
time.sleep(0.01)
flow.run(x=1)
time.sleep(0.01)
assert flow.run(x=1).result[timed].result == first
assert {name: runs.count(name) for name in set(runs)} == {
    "time": 1,
    "inputs": 1,
    "parameters": 1,
    "some": 1,
    "moment": 3,
}
state = flow.run(x=1, y=2)
assert runs.count("some") == 1 and runs.count("parameters") == 2 and runs.count("inputs") == 1
state = flow.run(x=5, y=2)
assert state.result[inputs].result == 5 and state.result[some].result == 5
assert runs.count("inputs") == 2 and runs.count("some") == 2 and runs.count("time") == 1


@task(cache_for=HOUR, cache_key="shared")
def one_name():
    runs.append("shared")
    return "kept"


@task(cache_for=HOUR, cache_key="shared")
def other_name():
    raise AssertionError("the other one had it")


with Flow("first") as one, Flow("second") as two:
    pass
with one:
    one_name()
with two:
    second = other_name()
one.run()
assert two.run().result[second].result == "kept"
