"""What building a flow costs: `python -m tests.bench.bench_building`, or `pytest -m bench`.

CPU seconds, the best of several turns, since other work may share the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tracemalloc
from time import process_time

import pytest

from flowbook import Flow, task

BAR_TASK = 25.0  # µs for a call of a task inside a flow
BAR_GROWTH = 2.5  # how much dearer a call may be among 100,000 than among 1,000
BAR_MEMORY = 1.5  # KB for a task in a flow
BAR_IMPORT = 60.0  # ms for `import flowbook` above a bare Python


@task
def add(x: int, y: int = 1) -> int:
    return x + y


def chain(count: int) -> Flow:
    """A chain of calls, each with one edge and one constant."""
    with Flow("chain") as flow:
        last = add(1)
        for _ in range(count - 1):
            last = add(last, y=2)
    return flow


def microseconds_a_task(count: int, turns: int) -> float:
    """CPU microseconds per call."""
    best = float("inf")
    for _ in range(turns):
        start = process_time()
        chain(count)
        best = min(best, process_time() - start)
    return best / count * 1e6


def kilobytes_a_task(count: int = 10_000) -> float:
    """Memory that a flow keeps per task."""
    tracemalloc.start()
    try:
        flow = chain(count)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return kept / len(flow) / 1000


def milliseconds_of(code: str, turns: int = 12) -> float:
    """CPU milliseconds of a Python that runs this code, with its bytecode at hand as in an installed package."""
    best = float("inf")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-X", f"pycache_prefix={folder}", "-c", code]
        for _ in range(turns):
            child = subprocess.Popen(command, env=environment)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            assert child.returncode == 0
            best = min(best, (used.ru_utime + used.ru_stime) * 1000)
    return best


def rows() -> list[tuple[str, float, float, bool]]:
    """The figures: (name, value, bar, whether it is met)."""
    costs = {count: microseconds_a_task(count, turns) for count, turns in ((1_000, 60), (10_000, 10), (100_000, 3))}
    growth = costs[100_000] / costs[1_000]
    memory = kilobytes_a_task()
    imported = milliseconds_of("import flowbook") - milliseconds_of("pass")
    return [
        *(
            (f"µs a task among {count:,}, at most", round(cost, 2), BAR_TASK, cost <= BAR_TASK)
            for count, cost in costs.items()
        ),
        ("times dearer among 100,000 than 1,000, at most", round(growth, 2), BAR_GROWTH, growth <= BAR_GROWTH),
        ("KB a task, at most", round(memory, 2), BAR_MEMORY, memory <= BAR_MEMORY),
        ("ms to import flowbook, at most", round(imported, 1), BAR_IMPORT, imported <= BAR_IMPORT),
    ]


@pytest.mark.bench
def test_flows_are_built_fast_enough() -> None:
    for name, value, bar, ok in rows():
        print(f"{name}: {value:g} (bar {bar:g})")
        assert ok, name


if __name__ == "__main__":
    for name, value, bar, ok in rows():
        print(f"{'ok ' if ok else 'NO '} {name}: {value:g} (bar {bar:g})")
