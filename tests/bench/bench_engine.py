"""What running a flow costs: `python -m tests.bench.bench_engine`, or `pytest -m bench`.

CPU time of a whole `flow.run` with bodies that do nothing, the best of several turns, beside a bare Python loop over
the same calls in the same turns: the machine may be busy, so a ratio says more than microseconds.
"""

from __future__ import annotations

import datetime as dt
import gc
import graphlib
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from random import Random
from time import process_time
from typing import Any

import pytest

from flowbook import Flow, Task, context, task
from flowbook.engine.plan import Plan

Row = tuple[str, float, float, bool]

BAR_LOOP = 10.0  # times the bare loop
BAR_SORTER = 1.0  # times graphlib.TopologicalSorter driving the same calls
BAR_THREADS = 2.0  # times the sequential run
BAR_GROWTH = 2.0  # how much dearer a task may be among 100,000 than among 1,000
BAR_MEMORY = 1000.0  # bytes a run keeps per task
BAR_RETRY = 2.1  # s, for 20 tasks of which one retries twice after 1 s
BAR_CANCEL = 0.3  # s, from a Cancel on another thread to the end of a run whose body blocks

COUNTS = (1_000, 10_000, 100_000)


@task
def step(x: object = None) -> object:
    return x


@task
def join(x: object = None, y: object = None) -> object:
    return x


@task
def gather() -> None: ...


def chain(count: int) -> Flow:
    """Each task waits for the one before."""
    with Flow("chain") as flow:
        last = step()
        for _ in range(count - 1):
            last = step(last)
    return flow


def fan(count: int) -> Flow:
    """One task, many that wait for it, and one that waits for them all."""
    with Flow("fan") as flow:
        first = step()
        gather(upstream_tasks=[step(first) for _ in range(count - 2)])
    return flow


def layered(count: int) -> Flow:
    """Layers of thirty tasks, each with one or two tasks of the layer before."""
    dice = Random(1)
    made: list[Task] = []
    with Flow("layered") as flow:
        for place in range(count):
            before = made[max(0, place - 60) : max(0, place - 30)]
            upstream = [before[int(dice.random() * len(before))] for _ in range(1 + (dice.random() < 0.5)) if before]
            made.append(join(*upstream))
    return flow


SHAPES: dict[str, Callable[[int], Flow]] = {"chain": chain, "fan": fan, "layered": layered}


# -- the floors ------------------------------------------------------------------------------------------------------


def loop_over(flow: Flow) -> Callable[[], object]:
    """Return a bare loop that makes the same calls with the same arguments."""
    plan = Plan(flow)
    inputs, bodies = [wanted or () for wanted in plan.structure.inputs], plan.bodies

    def run() -> None:
        results: list[Any] = [None] * len(bodies)
        for number, body in enumerate(bodies):
            kwargs = {}
            for key, upstream in inputs[number]:
                kwargs[key] = results[upstream]
            results[number] = body(**kwargs)

    return run


def sorter_over(flow: Flow) -> Callable[[], object]:
    """Return what drives the same calls by the standard library's sorter, which is built each time, too."""
    plan = Plan(flow)
    structure, bodies = plan.structure, plan.bodies
    inputs = [wanted or () for wanted in structure.inputs]
    before = [tuple(structure.index[edge.upstream_task] for edge in edges) for edges in structure.edges]

    def run() -> None:
        sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
        for number, upstream in enumerate(before):
            sorter.add(number, *upstream)
        sorter.prepare()
        results: list[Any] = [None] * len(bodies)
        while sorter.is_active():
            for number in sorter.get_ready():
                kwargs = {}
                for key, one in inputs[number]:
                    kwargs[key] = results[one]
                results[number] = bodies[number](**kwargs)
                sorter.done(number)

    return run


# -- measuring -------------------------------------------------------------------------------------------------------


class Measured:
    """CPU microseconds per task of a flow, each way: the best of several turns that alternate."""

    def __init__(self, flow: Flow, turns: int) -> None:
        ways: dict[str, Callable[[], object]] = {
            "run": lambda: flow.run(show=False),
            "threads": lambda: flow.run(show=False, executor="threads"),
            "loop": loop_over(flow),
            "sorter": sorter_over(flow),
        }
        self.best = dict.fromkeys(ways, float("inf"))
        flow.run(show=False)  # the plan is made once
        for _ in range(turns):
            for name, way in ways.items():
                flow.last_run = None
                gc.collect()
                start = process_time()
                way()
                self.best[name] = min(self.best[name], (process_time() - start) / len(flow) * 1e6)

    def ratio(self, one: str, other: str) -> float:
        return self.best[one] / self.best[other]


def bytes_a_task(count: int = 20_000) -> float:
    """Memory that a run keeps per task: states, events, and all else."""
    flow = layered(count)
    flow.run(show=False)
    flow.last_run = None
    gc.collect()
    tracemalloc.start()
    try:
        flow.run(show=False)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return kept / count


def seconds_with_a_retry(executor: str) -> float:
    """Wall seconds of 20 tasks of which one fails twice and is retried after 1 s."""

    @task(max_retries=2, retry_delay=dt.timedelta(seconds=1))
    def flaky() -> None:
        if context.task_run_count < 3:
            raise ValueError("not yet")

    with Flow("retry") as flow:
        for _ in range(10):
            step(step())
        flaky()
    begun = time.monotonic()
    assert flow.run(show=False, executor=executor).is_successful()
    return time.monotonic() - begun


def seconds_to_cancel(executor: str, turns: int = 10) -> float:
    """Wall seconds from a Cancel on another thread to the end of a run whose body sleeps; the worst of some turns."""

    @task
    def sleep() -> None:
        time.sleep(20)

    with Flow("sleeps") as flow:
        sleep()
    worst = 0.0
    for _ in range(turns):
        asked: list[float] = []

        def cancel(asked: list[float] = asked) -> None:
            asked.append(time.monotonic())
            assert flow.last_run is not None
            flow.last_run.cancel()

        timer = threading.Timer(0.05, cancel)
        timer.start()
        flow.run(show=False, executor=executor)
        worst = max(worst, time.monotonic() - asked[0])
        timer.join()
    return worst


def rows() -> list[Row]:
    """All figures: what was measured, the value, the bar, and whether it is met."""
    made: list[Row] = []

    def row(figure: str, value: float, bar: float) -> None:
        made.append((figure, value, bar, value <= bar))

    smallest: dict[str, Measured] = {}
    for shape, build in SHAPES.items():
        for count in COUNTS:
            measured = Measured(build(count), turns=9 if count < 100_000 else 4)
            smallest.setdefault(shape, measured)
            name = f"{shape} of {count:,}: {measured.best['run']:.2f} µs a task"
            row(f"{name}, against a bare loop", measured.ratio("run", "loop"), BAR_LOOP)
            row(f"{name}, against graphlib", measured.ratio("run", "sorter"), BAR_SORTER)
            row(f"{name}, threads against sequence", measured.ratio("threads", "run"), BAR_THREADS)
            if count == COUNTS[-1]:
                row(f"{name}, against one of 1,000", measured.best["run"] / smallest[shape].best["run"], BAR_GROWTH)
    row("bytes that a run keeps per task", bytes_a_task(), BAR_MEMORY)
    for executor in ("local", "threads"):
        row(f"two retries after 1 s among 20 tasks, {executor}, s", seconds_with_a_retry(executor), BAR_RETRY)
        row(f"cancel of a body that sleeps, {executor}, worst s", seconds_to_cancel(executor), BAR_CANCEL)
    return made


@pytest.mark.bench
def test_running_costs_little() -> None:
    made = rows()
    show(made)
    assert [figure for figure, _, _, ok in made if not ok] == []


def show(made: list[Row]) -> None:
    """Print the figures as a table."""
    for figure, value, bar, ok in made:
        print(f"{'ok  ' if ok else 'MISS'} {value:9.3f} (bar {bar:g})  {figure}")


if __name__ == "__main__":
    found = rows()
    show(found)
    sys.exit(not all(ok for *_, ok in found))
