"""The runner: one mailbox, timers, and events before actions."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest

from flowbook import Flow, Task, task
from flowbook.engine import messages as m
from flowbook.engine.clock import VirtualClock
from flowbook.engine.interrupts import BodyStopped
from flowbook.engine.plan import Plan
from flowbook.engine.runner import Bell, Runner
from flowbook.states import Cancelled, State
from tests.engine.bare import chain


def runner_of(flow: Flow, start: float = 100.0) -> Runner:
    return Runner(Plan(flow), VirtualClock(start), run_id="r")


def is_over(runner: Runner) -> bool:
    return runner.is_over


# -- the bell --------------------------------------------------------------------------------------------------------


def test_a_bell_that_rang_before_is_heard_at_once_and_only_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert bell.wait(None)
    assert not bell.wait(0.01)


def test_a_bell_wakes_its_waiter_from_another_thread() -> None:
    bell = Bell()
    threading.Timer(0.05, bell.ring).start()
    begun = time.monotonic()
    assert bell.wait(5)
    assert time.monotonic() - begun < 1


def test_a_bell_waits_neither_less_than_no_time_nor_longer_than_a_lock_can() -> None:
    bell = Bell()
    assert not bell.wait(-3.0)
    bell.ring()
    assert bell.wait(1e12)


# -- taking in -------------------------------------------------------------------------------------------------------


def test_news_waits_in_the_mailbox_until_it_is_taken_in() -> None:
    flow, (only,) = chain(1)
    runner = runner_of(flow)
    runner.begin()
    runner.post(m.CancelAsked(100.0, "enough"))
    assert not runner.machine.is_done
    assert is_over(runner) is False
    runner.pump()
    assert is_over(runner) is True
    assert type(runner.machine.states[runner.plan.number(only)]) is Cancelled


def test_timers_fire_when_they_are_due_and_the_virtual_clock_jumps_to_them() -> None:
    flow, _ = chain(1, max_retries=1, retry_delay=dt.timedelta(seconds=30))
    runner = runner_of(flow)
    runner.begin()
    runner.machine.started(runner.machine.ready.popleft(), 100.0)
    runner.machine.handle(m.Raised(0, ValueError("no"), 100.0))
    runner.pump()
    assert runner.timers == [(130.0, 0)]
    assert not runner.machine.may_start
    assert runner.seconds_to_wait() == 0.0
    assert runner.clock.now() == 130.0
    runner.pump()
    assert runner.machine.may_start


def test_virtual_time_does_not_jump_while_something_runs() -> None:
    flow, _ = chain(1, max_retries=1, retry_delay=dt.timedelta(seconds=30))
    with flow:
        task(lambda: None)()
    runner = runner_of(flow)
    runner.begin()
    for _ in range(2):
        runner.machine.started(runner.machine.ready.popleft(), 100.0)
    runner.machine.handle(m.Raised(0, ValueError("no"), 100.0))
    runner.pump()
    assert runner.seconds_to_wait() is None
    runner.post(m.PauseAsked(100.0))
    assert runner.seconds_to_wait() == 0.0


def test_a_question_that_nobody_can_answer_is_an_error_of_ours() -> None:
    def handler(one: Task, old: State, new: State) -> None: ...

    flow, _ = chain(1, state_handlers=[handler])
    runner = runner_of(flow)
    runner.begin()
    with pytest.raises(RuntimeError, match="no executor drives this run"):
        runner.pump()


def test_a_question_about_a_task_that_was_cancelled_meanwhile_is_not_asked() -> None:
    def handler(one: Task, old: State, new: State) -> None: ...

    flow, _ = chain(1, state_handlers=[handler])
    runner = runner_of(flow)
    runner.begin()
    runner.post(m.CancelAsked(100.0))
    runner.pump()
    assert runner.is_over


def test_arguments_are_constants_and_results_by_reference() -> None:
    @task
    def give() -> list[int]:
        return [1]

    @task
    def take(x: list[int], y: int) -> None: ...

    with Flow("arguments") as flow:
        take(give(), y=3)
    runner = runner_of(flow)
    runner.begin()
    value = [1, 2]
    runner.machine.started(runner.machine.ready.popleft(), 100.0)
    runner.machine.returned(0, value, 100.0)
    arguments = runner.arguments(1)
    assert arguments == {"x": [1, 2], "y": 3}
    assert arguments["x"] is value
    arguments["y"] = 4
    assert runner.arguments(1)["y"] == 3


def test_a_stopped_body_ends_as_cancelled_with_the_reason() -> None:
    flow, _ = chain(1)
    runner = runner_of(flow)
    runner.begin()
    runner.machine.cancelled = "by button"
    ending = runner.ending(0, BodyStopped())
    assert isinstance(ending, m.Ended)
    assert (type(ending.state), ending.state.message) == (Cancelled, "by button")
