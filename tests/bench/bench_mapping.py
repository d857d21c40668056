"""What mapping costs: `python -m tests.bench.bench_mapping`, or `pytest -m bench`.

CPU time of a whole `flow.run` over no-op children, the best of several turns; memory that a run keeps per child; and
whether large arrays are copied on their way through a flow; what a picture of many children costs.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from time import process_time
from typing import Any

import numpy as np
import pytest

from flowbook import Flow, task
from flowbook.view.feed import Feed

Row = tuple[str, float, float, bool]

BAR_CHILD = 10.0  # µs CPU per child among 10,000
BAR_GROWTH = 1.5  # how much dearer a child may be among 100,000
BAR_MEMORY = 1000.0  # bytes a run keeps per child
BAR_FOLD = 2.0  # µs CPU an event of a child, in the feed of a picture
BAR_LIST = 20.0  # ms for a list of 200 children of 100,000
BAR_FLAT = 2.0  # arrays' worth of memory at the most, while 50 tasks hand one along

ARRAY = 10_000_000  # bytes
TASKS = 50


@task
def elements(count: int) -> list[None]:
    return [None] * count


@task
def same(x: object) -> object:
    return x


@task
def count(xs: list[object]) -> int:
    return len(xs)


@task
def array() -> Any:
    return np.zeros(ARRAY, dtype=np.uint8)


@task
def address(x: Any) -> Any:
    return x.__array_interface__["data"][0]


def mapping(width: int, depth: int = 1) -> Flow:
    """Map over a list, `depth` times, and count what came."""
    with Flow("mapping") as flow:
        mapped: Any = elements(width)
        for _ in range(depth):
            mapped = same(mapped, mapped=True)
        count(mapped)
    return flow


def microseconds(flow: Flow, children: int, executor: str = "local", turns: int = 7) -> float:
    """CPU microseconds per child, the best of several turns."""
    best = float("inf")
    for _ in range(turns):
        flow.last_run = None
        gc.collect()
        start = process_time()
        assert flow.run(show=False, executor=executor).is_successful()
        best = min(best, (process_time() - start) / children * 1e6)
    return best


def bytes_a_child(width: int = 50_000) -> float:
    """Memory that a run keeps per child: states, events, and all else."""
    flow = mapping(width)
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
    return kept / width


def picturing(width: int = 100_000) -> tuple[float, float]:
    """What a picture costs: µs CPU to fold an event of a child, ms for a list of children that a view asks for."""
    flow = mapping(width)
    flow.run(show=False)
    assert flow.last_run is not None
    folds, lists = [], []
    for _ in range(3):
        feed = Feed(flow.last_run.runner)
        start = process_time()
        feed.advance()
        folds.append((process_time() - start) / feed.seq * 1e6)
        start = process_time()
        feed.children(1, "all", width - 200)
        lists.append((process_time() - start) * 1e3)
    return min(folds), min(lists)


def arrays_handed_along() -> tuple[int, float]:
    """Return how many tasks saw another buffer than the first, and the memory at its peak, in arrays."""
    with Flow("arrays") as flow:
        made = array()
        seen = [address(made)]
        for _ in range(TASKS - 1):
            made = same(made)
            seen.append(address(made))
    tracemalloc.start()
    try:
        state = flow.run(show=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    first, *others = [state.result[one].result for one in seen]
    return sum(other != first for other in others), peak / ARRAY


def rows() -> list[Row]:
    """All figures: what was measured, the value, the bar, and whether it is met."""
    made: list[Row] = []

    def row(figure: str, value: float, bar: float) -> None:
        made.append((figure, value, bar, value <= bar))

    few = microseconds(mapping(10_000), 10_000)
    row("10,000 children: µs CPU a child", few, BAR_CHILD)
    row("10,000 children in threads: µs CPU a child", microseconds(mapping(10_000), 10_000, "threads"), BAR_CHILD)
    row("three maps over 10,000: µs CPU a child", microseconds(mapping(10_000, 3), 30_000), BAR_CHILD)
    many = microseconds(mapping(100_000), 100_000, turns=3)
    row(f"100,000 children ({many:.2f} µs), against 10,000", many / few, BAR_GROWTH)
    row("bytes that a run keeps per child", bytes_a_child(), BAR_MEMORY)
    fold, listed = picturing()
    row("picture of 100,000 children: µs CPU an event", fold, BAR_FOLD)
    row("picture of 100,000 children: ms for a list of the last 200", listed, BAR_LIST)
    copies, peak = arrays_handed_along()
    row(f"10 MB array along {TASKS} tasks: tasks that saw a copy", float(copies), 0.0)
    row(f"10 MB array along {TASKS} tasks: peak memory in arrays", peak, BAR_FLAT)
    return made


@pytest.mark.bench
def test_mapping_costs_little() -> None:
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
