"""What processes cost: `python -m tests.bench.bench_processes`, or `pytest -m bench`.

Wall time of tiny tasks in two worker processes, beside bare round trips over one pipe in the same turns; and how many
neighbours are lost when workers are killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from typing import Any

import pytest

from flowbook import Flow, task
from flowbook.engine.executors.processes import ProcessExecutor
from flowbook.states import Failed, Mapped, Success

Row = tuple[str, float, float, bool]

BAR_TASK = 150.0  # µs wall per tiny task
BAR_FLOOR = 5.0  # times a bare round trip over a pipe
BAR_LOST = 0.0  # neighbours lost to 50 kills
BAR_START = 1.0  # s from flow.run to the end of one tiny task, workers started and let go

WORKERS = 2
TASKS = 10_000
KILLS = 50


@task
def elements(count: int) -> list[int]:
    return list(range(count))


@task
def step(x: int) -> int:
    return x


@task
def dies(x: int) -> int:
    if x % 6 == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def mapping(count: int) -> Flow:
    with Flow("mapping") as flow:
        step.map(elements(count))
    return flow


def chains(count: int) -> Flow:
    """Several chains side by side: every task waits for another one."""
    with Flow("chains") as flow:
        for _ in range(8):
            made: Any = step(0)
            for _ in range(count // 8 - 1):
                made = step(made)
    return flow


def microseconds(flow: Flow, tasks: int, turns: int = 3) -> float:
    """Wall microseconds per task, without the start of the workers, the best of several turns."""
    best = float("inf")
    for _ in range(turns):
        begun = time.perf_counter()
        assert flow.run(show=False, executor=ProcessExecutor(WORKERS)).is_successful()
        best = min(best, time.perf_counter() - begun)
    return max(0.0, best - seconds_to_start()) / tasks * 1e6


def seconds_to_start() -> float:
    """Wall seconds of a flow of one tiny task."""
    flow = chains(8)
    begun = time.perf_counter()
    flow.run(show=False, executor=ProcessExecutor(WORKERS))
    return time.perf_counter() - begun


def _echo(pipe: Any) -> None:
    while (message := pipe.recv_bytes()) != b"end":
        pipe.send_bytes(message)


def round_trip(count: int = 5_000) -> float:
    """Microseconds of a bare round trip over a pipe to another process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_echo, args=(theirs,))
    process.start()
    ours.send_bytes(b"x" * 200)
    ours.recv_bytes()
    begun = time.perf_counter()
    for _ in range(count):
        ours.send_bytes(b"x" * 200)
        ours.recv_bytes()
    took = time.perf_counter() - begun
    ours.send_bytes(b"end")
    process.join()
    return took / count * 1e6


def neighbours_lost() -> int:
    """Kill 50 workers in the middle of 300 tasks; return how many of the others did not end well."""
    with Flow("kills") as flow:
        mapped = dies.map(elements(6 * KILLS))
    ended = flow.run(show=False, executor=ProcessExecutor(WORKERS)).result[mapped]
    assert isinstance(ended, Mapped)
    kinds = [type(child) for child in ended.map_states]
    assert all(kind is Failed for kind in kinds[5::6])
    return sum(kind is not Success for place, kind in enumerate(kinds) if place % 6 != 5)


def rows() -> list[Row]:
    """All figures: what was measured, the value, the bar, and whether it is met."""
    made: list[Row] = []

    def row(figure: str, value: float, bar: float) -> None:
        made.append((figure, value, bar, value <= bar))

    seconds_to_start()  # the server that workers are forked off is started once
    floor = round_trip()
    many = microseconds(mapping(TASKS), TASKS)
    waiting = microseconds(chains(4_000), 4_000)
    row(f"{TASKS:,} mapped tiny tasks: µs a task", many, BAR_TASK)
    row("4,000 tiny tasks in chains: µs a task", waiting, BAR_TASK)
    row(f"tasks in chains, against a bare round trip ({floor:.1f} µs)", waiting / floor, BAR_FLOOR)
    row("first task done and workers gone, s", seconds_to_start(), BAR_START)
    row(f"neighbours lost to {KILLS} killed workers", float(neighbours_lost()), BAR_LOST)
    return made


@pytest.mark.bench
def test_processes_cost_little() -> None:
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
