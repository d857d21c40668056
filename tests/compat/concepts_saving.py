"""Flows in files and as JSON."""

import cloudpickle

from flowbook import Flow, Parameter, task


@task
def double(x):
    return 2 * x


with Flow("saved flow") as flow:
    doubled = double(Parameter("x"))

path = flow.save("saved.flow")
loaded = Flow.load(path)
assert loaded.name == "saved flow"
(again,) = loaded.get_tasks(name="double")
assert loaded.run(x=4).result[again].result == 8

described = flow.serialize()
assert described["name"] == "saved flow"
assert {one["name"] for one in described["tasks"]} == {"double", "x"}
assert len(described["edges"]) == 1
assert flow.serialized_hash() == loaded.serialized_hash()

copy = cloudpickle.loads(cloudpickle.dumps(flow))
(again,) = copy.get_tasks(name="double")
assert copy.run(x=5).result[again].result == 10
