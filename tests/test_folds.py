"""The fold of events exists twice, in Python and in TypeScript; these runs hold the two together.

``tests/protocol/folds.json`` has the events of some runs and how they stand after them. It is written by
``bash .ci/golden`` from real runs on a virtual clock, and read here and by ``js/test/fold.test.ts``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow, context, signals, task, triggers
from flowbook.engine.clock import VirtualClock
from flowbook.events import Event, Folded, fold

VECTORS = Path(__file__).parent / "protocol" / "folds.json"


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task
def double(x: int) -> int:
    if x == 2:
        raise ValueError("two is not for us")
    return 2 * x


@task
def after(x: object) -> object:
    return x


@task(trigger=triggers.all_finished)
def total(xs: list[object]) -> int:
    return len(xs)


@task
def leave(x: int) -> int:
    if x % 2:
        raise signals.SKIP("odd ones are left out")
    return x


def plain() -> Flow:
    with Flow("plain") as flow:
        after(double(2))
        after(double(1))
    return flow


def retried() -> Flow:
    tries: dict[object, int] = {}

    @task(max_retries=2, retry_delay=dt.timedelta(seconds=30))
    def flaky(x: int) -> int:
        tries[x] = tries.get(x, 0) + 1
        if tries[x] <= x:
            raise OSError(f"attempt {tries[x]}")
        return x

    with Flow("retried") as flow:
        after.map(flaky.map(numbers(4)))
        flaky(1)
    return flow


def looped() -> Flow:
    @task
    def loop() -> int:
        count = int(context.get("task_loop_count", 1))
        if count < 3:
            raise signals.LOOP(result=count)
        return count

    with Flow("looped") as flow:
        loop()
    return flow


def mapped() -> Flow:
    with Flow("mapped") as flow:
        total(after.map(double.map(numbers(5))))
        after(leave.map(numbers(4)))
    return flow


def over_nothing() -> Flow:
    with Flow("over nothing") as flow:
        total(after.map(double.map(numbers(0))))
        after.map(after(7))
    return flow


def runs() -> Iterator[tuple[Flow, list[Event]]]:
    for make in (plain, retried, looped, mapped, over_nothing):
        flow = make()
        flow.run(show=False, clock=VirtualClock(start=0.0))
        assert flow.last_run is not None
        yield flow, list(flow.last_run.events)


def standing(folded: Folded) -> dict[str, Any]:
    values = asdict(folded)
    del values["tasks"]
    return values


def test_the_vectors_are_what_real_runs_tell(golden: Callable[[str, str], None]) -> None:
    made = [
        {
            "case": flow.name,
            "events": [event.to_dict() for event in events],
            "flow": standing(fold(events)),
            "tasks": {slug: standing(folded) for slug, folded in fold(events).tasks.items()},
        }
        for flow, events in runs()
    ]
    lines = ",\n".join(json.dumps(one) for one in made)
    golden("../protocol/folds.json", f"[\n{lines}\n]\n")


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text("utf-8")), ids=lambda vector: vector["case"])
def test_events_are_folded_as_the_vectors_say(vector: dict[str, Any]) -> None:
    folded = fold(Event.from_dict(event) for event in vector["events"])
    assert standing(folded) == vector["flow"]
    assert {slug: standing(one) for slug, one in folded.tasks.items()} == vector["tasks"]


def test_the_counts_of_a_mapped_task_are_those_of_its_children() -> None:
    for flow, events in runs():
        for size in range(len(events) + 1):
            tasks = fold(events[:size]).tasks
            for slug, one in tasks.items():
                if one.width is None:
                    continue
                told = [tasks[f"{slug}[{place}]"].state for place in range(one.width) if f"{slug}[{place}]" in tasks]
                states = told + ["Pending"] * (one.width - len(told))
                assert one.counts == {state: states.count(state) for state in states}, (flow.name, size, slug)
