"""The same flow on executors of all kinds."""

import threading

from flowbook import Flow, task
from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor


@task
def square(x):
    return x * x


@task
def total(values):
    return sum(values)


if __name__ == "__main__":
    with Flow("executors", executor=LocalExecutor()) as flow:
        result = total(square.map(list(range(10))))

    executors = (
        None,
        LocalExecutor(),
        LocalDaskExecutor(),
        LocalDaskExecutor(scheduler="threads", num_workers=4),
        LocalDaskExecutor(scheduler="processes", num_workers=2),
        DaskExecutor(cluster_kwargs={"n_workers": 1, "threads_per_worker": 2, "processes": False}),
    )
    for executor in executors:
        state = flow.run(executor=executor) if executor else flow.run()
        assert state.is_successful(), executor
        assert state.result[result].result == 285, executor
