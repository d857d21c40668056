"""Runs named by what they are about."""

import flowbook
from flowbook import Flow, Parameter, task


@task(task_run_name="{city} on {date:%A}")
def measure(city):
    return flowbook.context.get("task_run_name")


@task(task_run_name=lambda **values: f"load {values['x']}!")
def load(x):
    return flowbook.context.task_run_name


with Flow("named") as flow:
    city = Parameter("city")
    measured = measure(city)
    loaded = load.map([1, 2])

state = flow.run(city="Delft", context={"date": "2026-11-22"})
assert state.result[measured].result == "Delft on Sunday"
assert state.result[loaded].result == ["load 1!", "load 2!"]
