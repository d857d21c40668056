"""What tests on Dask have in common: clusters of this machine, a way to run on them, and a few tasks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from distributed import Client, LocalCluster

from flowbook import Flow, task
from flowbook.engine.executors.dask import DaskExecutor
from flowbook.engine.flow_run import FlowRun


def cluster(*, processes: bool, **options: Any) -> LocalCluster:
    """Start two workers, as threads where that is enough (they pickle all the same) or as processes."""
    return LocalCluster(
        n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=":0", silence_logs=50, **options
    )


def run(flow: Flow, client: Client, **options: Any) -> FlowRun:
    """Run a flow on a client's workers and return the run."""
    flow.run(show=False, executor=DaskExecutor(client=client), **options)
    made = flow.last_run
    assert isinstance(made, FlowRun)
    return made


def until(happened: Callable[[], Any]) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@task
def one() -> int:
    return 1


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def numbers(count: int = 20) -> list[int]:
    return list(range(count))


@task
def whoami() -> int:
    return os.getpid()
