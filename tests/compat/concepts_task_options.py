"""Names, tags, slugs, copies with other options, dependencies without data."""

import datetime

from flowbook import Flow, Task, tags, task


@task(name="a step", tags=["etl"])
def step(x=0):
    return x + 1


class Load(Task):
    def run(self, x):
        return f"loaded {x}"


with Flow("options") as flow:
    with tags("slow", "nightly"):
        first = step(1)
    second = step(first, task_args={"name": "another step"})
    third = step.copy(name="third", max_retries=1, retry_delay=datetime.timedelta(seconds=1))
    third.bind(x=5)
    load = Load(name="load")(second, upstream_tasks=[third])
    last = step(task_args={"name": "last"})
    load | last

assert step.name == "a step"
assert first.tags == {"etl", "slow", "nightly"}
assert second.tags == {"etl"}
assert flow.get_tasks(tags=["slow"]) == [first]
assert flow.get_tasks(name="load") == [load]
assert flow.get_tasks(task_type=Load) == [load]
assert flow.slugs[second] == "another step-etl-1"
assert flow.upstream_tasks(last) == {load}
assert {edge.key for edge in flow.edges_to(load)} == {"x", None}
assert [t.name for t in flow.sorted_tasks()][-1] == "last"

state = flow.run()
assert state.result[load].result == "loaded 3"
