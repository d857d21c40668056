"""Something that is set up, used by tasks, and cleaned up in any case."""

import flowbook
from flowbook import Flow, Parameter, resource_manager, task

did = []


@resource_manager
class Cluster:
    def __init__(self, workers):
        self.workers = workers

    def setup(self):
        did.append("set up")
        if self.workers < 0:
            raise ValueError("no such cluster")
        return {"workers": self.workers}

    def cleanup(self, cluster):
        did.append(f"cleaned up {cluster['workers']}")


@task
def compute(cluster, x):
    did.append("computed")
    return 10 / x * cluster["workers"]


@task
def save(value):
    return value


with Flow("resources") as flow:
    with Cluster(Parameter("workers", default=2)) as cluster:
        computed = compute(cluster, Parameter("x"))
        saved = save(computed)

state = flow.run(x=5)
assert state.is_successful()
assert state.result[saved].result == 4
assert did == ["set up", "computed", "cleaned up 2"]

did.clear()
state = flow.run(x=0)
assert state.is_failed()
assert did == ["set up", "computed", "cleaned up 2"]

did.clear()
state = flow.run(x=1, workers=-1)
assert state.is_failed()
assert did == ["set up"]
assert {t.name for t in flow.tasks} >= {"Cluster", "Cluster.setup", "Cluster.cleanup"}
assert flow.reference_tasks() == {saved}
assert callable(flowbook.tasks.core.resource_manager.resource_manager)
