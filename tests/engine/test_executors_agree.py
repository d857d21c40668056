"""One truth for all executors: random flows end in the same states and results wherever their bodies run.

Few flows at each commit; ``FLOWBOOK_RANDOM_FLOWS=500`` takes as many, in about a minute and a half.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flowbook.engine.executors import Executor, ProcessExecutor, ThreadExecutor
from tests.engine.random_maps import COUNT, endings, random_flow


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "threads":
        yield ThreadExecutor()
    elif request.param == "processes":
        yield ProcessExecutor(2)
    else:
        distributed: Any = pytest.importorskip("distributed")
        from flowbook.engine.executors import DaskExecutor

        where = {"host": "127.0.0.1", "dashboard_address": None, "silence_logs": 50}
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, **where) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield DaskExecutor(client=client)


@pytest.mark.timeout(600)
def test_random_flows_end_as_they_do_one_after_another(executor: Executor) -> None:
    for seed in range(COUNT):
        flow = random_flow(seed)
        here = endings(flow, flow.run(show=False, clock="fast").result)
        there = endings(flow, flow.run(show=False, clock="fast", executor=executor).result)
        assert there == here, f"seed {seed}"
