"""Trying a task again while its run goes on, because a person wants it."""

from __future__ import annotations

import datetime as dt
import threading
import time
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowbook import Flow, Task, task, triggers
from flowbook.engine import messages as m
from flowbook.engine.retries import why_not_again
from flowbook.errors import FlowError
from flowbook.states import Failed, Pending, TriggerFailed
from tests.engine.bare import Bare, chain, plain, step
from tests.engine.random_flows import Played, Scripted, scripts

law = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def failing(**options: object) -> tuple[Bare, list[Task]]:
    """Return a run of a chain of three, beside another task, whose first one has failed."""
    flow, tasks = chain(3, **options)
    with flow:
        plain()
    bare = Bare(flow)
    bare.fail(tasks[0], ValueError("no"))
    return bare, tasks


def test_a_failed_task_is_ready_again_and_those_that_gave_up_wait_again() -> None:
    bare, (first, second, third) = failing()
    assert isinstance(bare[third], TriggerFailed)
    bare.ask(m.RetryAsked(bare.machine.plan.number(first), 5.0))
    bare.machine.check()
    assert first in bare.ready
    assert type(bare[second]) is type(bare[third]) is Pending
    assert bare.moves(first) == ["Running", "Failed", "Retrying"]
    bare.give(first, 1)
    bare.give(second, 2)
    bare.give(third, 3)
    assert bare[third].result == 3
    bare.machine.check()


def test_a_task_that_fails_again_fails_those_after_it_again() -> None:
    bare, (first, second, third) = failing()
    for _ in range(3):
        bare.ask(m.RetryAsked(0, 5.0))
        bare.fail(first, ValueError("still not"))
        bare.machine.check()
    assert isinstance(bare[first], Failed)
    assert [type(bare[one]) for one in (second, third)] == [TriggerFailed, TriggerFailed]
    assert bare.machine.run_count(0) == 4


def test_a_task_that_waits_for_its_next_attempt_does_not_wait_any_longer() -> None:
    bare, (first, *_) = failing(max_retries=1, retry_delay=dt.timedelta(hours=1))
    assert first not in bare.ready
    bare.ask(m.RetryAsked(0, 5.0))
    assert first in bare.ready
    bare.machine.check()
    bare.ask(m.LetGoOn(0, 4000.0))  # the timer of the wait fires all the same
    assert bare.ready.count(first) == 1


def test_what_has_gone_on_because_it_failed_is_not_turned_back() -> None:
    with Flow("cleanup") as flow:
        first = plain()
        after = Task("cleanup", trigger=triggers.all_finished)
        after.set_upstream(first)
        plain()
    bare = Bare(flow)
    number = bare.machine.plan.number(first)
    bare.fail(first, ValueError("no"))
    assert "'cleanup-1' has gone on already" in why_not_again(bare.machine, number)
    bare.ask(m.RetryAsked(number, 5.0))
    assert isinstance(bare[first], Failed)
    bare.machine.check()


def test_what_waits_for_others_too_waits_for_them_and_for_the_new_attempt() -> None:
    with Flow("both") as flow:
        first, other = plain(), plain()
        both = step(a=first, b=other)
    bare = Bare(flow)
    bare.fail(first, ValueError("no"))
    bare.ask(m.RetryAsked(bare.machine.plan.number(first), 5.0))
    bare.machine.check()
    bare.give(other, 1)
    assert both not in bare.ready
    bare.give(first, 1)
    assert both in bare.ready


@pytest.mark.parametrize("state", ["pending", "succeeded", "gave up", "cancelled"])
def test_what_has_not_failed_by_itself_cannot_be_tried_again(state: str) -> None:
    bare, (_, second, _) = failing()
    number = {"gave up": bare.machine.plan.number(second)}.get(state, 3)
    if state == "succeeded":
        bare.give(bare.machine.plan.tasks[3], 1)
    if state == "cancelled":
        bare.ask(m.CancelAsked(5.0))
    before = list(bare.machine.states)
    assert why_not_again(bare.machine, number)
    bare.ask(m.RetryAsked(number, 6.0))
    assert bare.machine.states == before
    bare.machine.check()


def test_a_mapped_child_is_told_to_wait_for_the_end_of_the_run() -> None:
    @task
    def broken(x: int) -> int:
        raise ValueError(x)

    with Flow("mapped") as flow:
        broken.map([1, 2])
    flow.run(show=False)
    assert flow.last_run is not None
    machine = flow.last_run.runner.machine
    assert "is mapped" in why_not_again(machine, machine.static)


@law
@given(scripts(), st.integers(0, 2**32))
def test_the_books_agree_whatever_is_tried_again_and_when(script: list[Scripted], seed: int) -> None:
    dice = Random(seed)

    def ask(bare: Bare) -> None:
        bare.machine.check()
        if dice.random() < 0.3 and not bare.machine.is_done:
            bare.ask(m.RetryAsked(dice.randrange(len(bare.machine.states)), bare.machine.log.at[-1]))
            bare.machine.check()

    bare = Played(script).bare(Random(seed + 1), ask)
    assert bare.machine.is_done or bare.machine.is_parked


def test_a_person_tries_a_failed_task_again_while_another_one_runs() -> None:
    has_failed, goes_on = threading.Event(), threading.Event()

    @task
    def flaky() -> str:
        if not has_failed.is_set():
            has_failed.set()
            raise ValueError("not yet")
        return "there"

    @task
    def after(x: str) -> str:
        return x + "!"

    @task
    def long() -> None:
        goes_on.wait(10)

    with Flow("live") as flow:
        last = after(first := flaky())
        slow = long()
    run = flow.start(executor="threads", show=False)
    assert has_failed.wait(10)
    while not run[last].is_failed():
        time.sleep(0.001)
    with pytest.raises(FlowError, match="only a task that failed"):
        run.retry(slow)
    run.retry(first)
    while not run[last].is_successful():
        time.sleep(0.001)
    goes_on.set()
    assert run.wait(10).is_successful()
    assert run[last].result == "there!"
    with pytest.raises(FlowError, match="The run is over"):
        run.retry(first)
