"""What Dask costs under flowbook, against Dask by hand: ``python -m tests.bench.bench_dask``.

A cluster of two worker processes on this machine. Ratios of wall time, taken in turns in one run; the smallest of some
repetitions counts, since the machine may be busy.

After a mapped run the client knows how each of the elements ended, in states with times. By hand it knows that when it
has gathered what came of the chunks; to wait for the chunks alone says nothing about elements, and is shown for scale:
10,000 states cost some 6 µs each in this process, more than a handful of Dask tasks costs in all.
"""

from __future__ import annotations

import math
import os
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
from distributed import Client, LocalCluster, wait

from flowbook import Flow, task
from flowbook.engine.executors.dask import DaskExecutor
from flowbook.engine.lazy import held_by

Row = tuple[str, float, float, bool]

ELEMENTS = 10_000
SINGLE = 1_000
CHAINS, LINKS = 20, 25
LARGE = 100 * 2**20
REPEATED = 5


def increment(x: int) -> int:
    return x + 1


def increment_all(xs: list[int]) -> list[int]:
    return [increment(x) for x in xs]


def seconds(action: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def best(*actions: Callable[[], Any]) -> list[float]:
    """Return the shortest times of actions which take turns."""
    times = [[seconds(action) for action in actions] for _ in range(REPEATED)]
    return [min(column) for column in zip(*times, strict=True)]


# ---------------------------------------------------------------- mapping


def mapping(client: Client, executor: DaskExecutor) -> list[Row]:
    """Map 10,000 trivial elements: against `Client.map` over chunks of the same size, and against single submits."""
    add = task(increment)
    with Flow("mapped") as flow:
        mapped = add.map(list(range(ELEMENTS)))
    sizes: list[int] = []

    def ours() -> None:
        state = flow.run(show=False, executor=executor)
        assert state.is_successful()
        children = state.result[mapped].map_states
        sizes[:] = [ELEMENTS // len({id(state_source(child)) for child in children})]

    def chunks() -> list[Any]:
        size = sizes[0]
        parts = [list(range(start, min(start + size, ELEMENTS))) for start in range(0, ELEMENTS, size)]
        made: list[Any] = client.map(increment_all, parts, pure=False)
        return made

    def by_hand() -> None:
        assert sum(map(len, client.gather(chunks()))) == ELEMENTS

    def waited_for() -> None:
        wait(chunks())

    def singly() -> None:
        futures = [client.submit(increment, x, pure=False) for x in range(SINGLE)]
        wait(futures)

    ours()
    own, hand, waited, single = best(ours, by_hand, waited_for, singly)
    ratio, faster = own / hand, single * ELEMENTS / SINGLE / own
    print(
        f"  {ELEMENTS:,} elements {own:.3f} s in chunks of {sizes[0]}; by hand {hand:.3f} s; singly {single:.3f} s/1000"
    )
    return [
        (f"{ELEMENTS:,} mapped elements / Client.map in the same chunks, gathered", ratio, 1.2, ratio <= 1.2),
        ("for scale: the same / Client.map in the same chunks, waited for", own / waited, math.inf, True),
        (f"one submit per element / {ELEMENTS:,} mapped elements", faster, 4, faster >= 4),
    ]


def state_source(state: Any) -> Any:
    held: Any = held_by(state)
    return held.source


# ---------------------------------------------------------------- single tasks


def chains(client: Client, executor: DaskExecutor) -> Row:
    """Run 20 chains of 25 tasks as they become ready, against submitting all of them at once by hand."""
    add = task(increment)
    with Flow("chains") as flow:
        for _ in range(CHAINS):
            last: Any = 0
            for _ in range(LINKS):
                last = add(last)

    def ours() -> None:
        assert flow.run(show=False, executor=executor).is_successful()

    def by_hand() -> None:
        futures = []
        lasts: list[Any] = [0] * CHAINS
        for _ in range(LINKS):
            lasts = [client.submit(increment, last, pure=False) for last in lasts]
            futures += lasts
        wait(futures)

    ours()
    own, hand = best(ours, by_hand)
    print(f"  {CHAINS * LINKS} tasks {own:.3f} s; by hand {hand:.3f} s")
    return f"{CHAINS * LINKS} tasks as they become ready / whole graph by hand", own / hand, 1.5, own / hand <= 1.5


# ---------------------------------------------------------------- data


class Array:
    """A large array which remembers in which processes it was unpickled."""

    def __init__(self) -> None:
        self.data = bytearray(LARGE)
        self.seen = [os.getpid()]

    def __setstate__(self, values: dict[str, Any]) -> None:
        vars(self).update(values)
        self.seen = [*self.seen, os.getpid()]


def large_data(executor: DaskExecutor) -> list[Row]:
    """Hand 100 MB from one task to another: how much of it comes here."""

    @task
    def make() -> Any:
        return Array()

    @task
    def look(array: Any) -> Any:
        return array.seen, len(array.data)

    with Flow("large") as flow:
        looked = look(make())
    before = peak()
    begun = time.perf_counter()
    state = flow.run(show=False, executor=executor)
    taken, came = time.perf_counter() - begun, peak() - before
    seen, size = state.result[looked].result
    print(
        f"  {size / 2**20:.0f} MB from task to task in {taken:.3f} s; this process peak grew by {came / 2**20:.1f} MB"
    )
    is_away = os.getpid() not in seen and size == LARGE
    return [
        ("times a 100 MB array of two tasks was unpickled here", seen.count(os.getpid()), 0, is_away),
        ("MB by which this process grew meanwhile", came / 2**20, 50, came < 50 * 2**20),
    ]


def peak() -> int:
    """Return the peak of the memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rows() -> list[Row]:
    """Measure."""
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50)
    with cluster, Client(cluster) as client:
        executor = DaskExecutor(client=client)
        return [*large_data(executor), *mapping(client, executor), chains(client, executor)]


@pytest.mark.bench
@pytest.mark.timeout(300)
def test_the_figures_of_dask_are_met() -> None:
    missed = [row for row in rows() if not row[-1]]
    assert missed == []


if __name__ == "__main__":
    for figure, value, bar, ok in rows():
        print(f"{'ok  ' if ok else 'MISS'} {figure}: {value:.3f} (bar {bar})")
