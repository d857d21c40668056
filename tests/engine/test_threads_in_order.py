"""Threads and flows with an order of their own: quick tasks keep it, long ones get company after a while."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowbook import Flow, Task, context, task
from flowbook.contexts import current_frame
from flowbook.engine.executors import ThreadExecutor, threads
from flowbook.engine.executors.threads import PATIENCE
from flowbook.states import State

LONG = 0.25


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the patience longer than a busy machine keeps a thread from going on."""
    monkeypatch.setattr(threads, "PATIENCE", LONG)
    monkeypatch.setattr(threads, "AT_LAST", 10 * LONG)


class Ordered(Flow):
    """A flow whose tasks are run as they were added, whenever there is a choice; mapped ones too."""

    def _order(self) -> Mapping[Task, int]:
        return {one: place for place, one in enumerate(self.nodes)}


def run(flow: Flow, executor: Any = "threads", **options: Any) -> State:
    state: State = flow.run(show=False, executor=executor, **options)
    assert state.is_successful()
    return state


class Begun:
    """When each body began and ended."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.ended: dict[str, float] = {}

    def body(self, name: str, seconds: float) -> Callable[..., None]:
        def body(x: object = None) -> None:
            self.at[name] = time.monotonic()
            time.sleep(seconds)
            self.ended[name] = time.monotonic()

        return body

    def task(self, name: str, seconds: float = 0.0, **options: Any) -> Task:
        made: Task = task(self.body(name, seconds), name=name, **options)()
        return made

    def gaps(self) -> list[float]:
        moments = sorted(self.at.values())
        return [after - before for before, after in itertools.pairwise(moments)]


@pytest.mark.usefixtures("patient")
def test_quick_tasks_begin_and_end_in_the_order_of_their_places() -> None:
    seen: list[int] = []

    @task
    def note(place: int) -> None:
        seen.append(place)
        time.sleep(0.001 if place % 3 == 0 else 0)
        seen.append(place)

    with Ordered("quick") as flow:
        for place in range(12):
            note(place)
    expected = [place for place in range(12) for _ in range(2)]
    for _ in range(200):
        seen.clear()
        run(flow, ThreadExecutor(workers=8))
        assert seen == expected


@pytest.mark.usefixtures("patient")
def test_a_process_that_stands_still_for_a_while_changes_no_order() -> None:
    seen: list[int] = []

    @task
    def note(place: int) -> None:
        if place % 2 == 0:
            sum(range(20_000_000))  # nobody else can do anything meanwhile, as when the garbage collector runs
        seen.append(place)

    with Ordered("still") as flow:
        for place in range(6):
            note(place)
    run(flow, ThreadExecutor(workers=8))
    assert seen == list(range(6))


@pytest.mark.usefixtures("patient")
def test_a_task_that_becomes_ready_late_is_taken_before_those_further_down() -> None:
    seen: list[str] = []

    def note(name: str) -> Callable[..., None]:
        return lambda x=None: seen.append(name)

    with Ordered("late") as flow:
        first = task(note("first"), name="first")()
        task(note("second"), name="second")(upstream_tasks=[first])
        task(note("third"), name="third")()
    run(flow)
    assert seen == ["first", "second", "third"]


def test_each_of_many_long_tasks_begins_a_moment_after_the_one_before() -> None:
    begun = Begun()
    with Ordered("long") as flow:
        for place in range(5):
            begun.task(str(place), 0.4)
    run(flow, ThreadExecutor(workers=8))
    assert list(begun.at) == ["0", "1", "2", "3", "4"]
    assert min(begun.gaps()) >= PATIENCE
    assert max(begun.at.values()) < min(begun.ended.values())


def test_who_comes_back_from_a_long_body_leaves_one_that_has_only_just_begun_alone() -> None:
    begun = Begun()
    with Ordered("back") as flow:
        begun.task("long", 0.15)
        begun.task("other", 0.1)  # begins at 0.03 and ends at 0.13
        begun.task("third", 0.1)
        begun.task("fourth", 0.1)
        begun.task("fifth", 0.1)
    run(flow, ThreadExecutor(workers=3))
    assert list(begun.at) == ["long", "other", "third", "fourth", "fifth"]
    assert min(begun.gaps()) >= PATIENCE


def test_two_workers_are_enough_for_company() -> None:
    begun = Begun()
    with Ordered("two") as flow:
        begun.task("quick")
        begun.task("long", 0.3)
        begun.task("other", 0.3)
    run(flow, ThreadExecutor(workers=2))
    assert begun.at["other"] < begun.ended["long"]


@pytest.mark.usefixtures("patient")
def test_handlers_that_are_asked_for_a_short_time_do_not_let_others_go_before() -> None:
    begun = Begun()

    def handler(one: Task, old: State, new: State) -> None:
        time.sleep(0.003)

    with Ordered("asked") as flow:
        begun.task("first")
        begun.task("asked", state_handlers=[handler])
        begun.task("third")
        begun.task("fourth")
    for _ in range(10):
        begun.at.clear()
        run(flow)
        assert list(begun.at) == ["first", "asked", "third", "fourth"]


@pytest.mark.parametrize("clock", [None, "fast"])
def test_a_task_that_waits_for_its_next_attempt_holds_nobody_up(clock: Any) -> None:
    moments: list[float] = []

    @task(max_retries=1, retry_delay=dt.timedelta(seconds=0.3))
    def flaky() -> None:
        moments.append(time.monotonic())
        if context.task_run_count == 1:
            raise ValueError

    begun = Begun()
    with Ordered("waits") as flow:
        flaky()
        begun.task("long", 0.1)
        begun.task("other", 0.1)
    run(flow, clock=clock)
    assert begun.at["other"] - moments[0] < 0.2
    assert len(moments) == 2


def test_a_body_that_was_let_go_of_holds_nobody_up() -> None:
    release = threading.Event()
    begun = Begun()

    @task(timeout=1)
    def stuck() -> None:
        release.wait(10)

    with Ordered("stuck") as flow:
        stuck()
        begun.task("after")
    started = time.monotonic()
    flow.run(show=False, executor=ThreadExecutor(workers=1))
    release.set()
    assert begun.at["after"] - started < 3


@pytest.mark.usefixtures("patient")
def test_children_of_a_mapped_task_are_started_at_once() -> None:
    begun: list[float] = []
    ended: list[float] = []

    @task
    def long(x: int) -> int:
        begun.append(time.monotonic())
        time.sleep(3 * LONG)
        ended.append(time.monotonic())
        return x

    with Ordered("mapped") as flow:
        long.map(list(range(8)))
    run(flow, ThreadExecutor(workers=8))
    assert max(begun) - min(begun) < 7 * LONG / 2
    assert max(begun) < min(ended)


@pytest.mark.usefixtures("patient")
def test_a_short_errand_lets_nobody_go_before_and_a_long_one_does() -> None:
    def errand_of(seconds: float) -> None:
        frame: Any = current_frame()
        frame.runner.errands.do(lambda: time.sleep(seconds))
        ended.append(time.monotonic())

    ended: list[float] = []
    for seconds in (0.005, 2 * LONG):
        begun = Begun()
        with Ordered("errand") as flow:
            task(errand_of)(seconds)
            begun.task("next")
        for _ in range(2):
            ended.clear()
            run(flow)
            assert (ended[0] < begun.at["next"]) == (seconds < LONG)


@pytest.mark.usefixtures("patient")
def test_a_flow_without_an_order_has_no_patience() -> None:
    begun = Begun()
    with Flow("none") as flow:
        for place in range(6):
            begun.task(str(place), 0.3)
    run(flow, ThreadExecutor(workers=6))
    assert max(begun.at.values()) - min(begun.at.values()) < 5 * LONG / 2
