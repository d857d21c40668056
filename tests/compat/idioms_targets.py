"""A task whose file is there already does not run again."""

import os

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.engine.results import LocalResult
from flowbook.engine.state import Cached

runs = []
flowbook.config.flows.checkpointing = True


@task(target="{date:%Y}/{city}-{task_name}.txt", result=LocalResult(dir=os.path.join(os.getcwd(), "kept")))
def measure(city):
    runs.append(city)
    return [20, 21]


@task(target=lambda **context: f"{context['flow_name']}/mean.txt", result=LocalResult(dir="kept", validate_dir=False))
def mean(values):
    runs.append("mean")
    return sum(values) / len(values)


with Flow("weather") as flow:
    measured = measure(Parameter("city"))
    middle = mean(measured)

try:
    context = {"date": "2026-11-22"}
    state = flow.run(city="Delft", context=context)
    assert state.is_successful()
    assert os.path.exists("kept/2026/Delft-measure.txt")
    assert os.path.exists("kept/weather/mean.txt")

    state = flow.run(city="Delft", context=context)
    assert isinstance(state.result[measured], Cached)
    assert state.result[measured].result == [20, 21]
    assert state.result[middle].result == 20.5
    assert runs == ["Delft", "mean"]

    flow.run(city="Leiden", context=context)
    assert runs == ["Delft", "mean", "Leiden"]
finally:
    flowbook.config.flows.checkpointing = None
