"""The invariants themselves: broken books are noticed, and the message tells the story."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from flowbook import Flow, Task, signals, task
from flowbook.engine.invariants import is_final, is_legal, moves_of
from flowbook.engine.machine import Machine
from flowbook.states import (
    Cancelled,
    Cancelling,
    Failed,
    Looped,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Success,
)
from tests.engine.bare import Bare


@task(max_retries=1, retry_delay=dt.timedelta(minutes=1))
def step(x: object = None) -> None: ...


def midway() -> tuple[Bare, list[Task]]:
    """Make a run with a task in each place: ended, due, paused, running, ready, and one that waits."""
    with Flow("midway") as flow:
        tasks = [step() for _ in range(5)]
        tasks.append(step(tasks[1]))
    bare = Bare(flow)
    bare.give(tasks[0])
    bare.fail(tasks[1], ValueError("no"))
    bare.fail(tasks[2], signals.PAUSE())
    bare.start(tasks[3])
    return bare, list(tasks)


def _log(machine: Machine, task: int, state: State) -> None:
    machine.log.append(machine.log.at[-1], task, state)


def _move(machine: Machine, task: int, state: State) -> None:
    machine.states[task] = state
    _log(machine, task, state)


def _due_without_waiting(machine: Machine) -> None:
    machine.ready.clear()
    machine.due[4] = 1.0


def _end_without_event(machine: Machine) -> None:
    machine.states[4] = Success()
    machine.ready.clear()
    machine.unfinished = 4


BREAKS: dict[str, tuple[Callable[[Machine], object], str]] = {
    "unfinished": (lambda m: setattr(m, "unfinished", 2), "unfinished tasks are counted wrong"),
    "running": (lambda m: setattr(m, "running", 0), "0 tasks are counted as running, not 1"),
    "waiting": (lambda m: m.waiting.__setitem__(5, 0), "step-6 waits for 0, not 1"),
    "ready twice": (lambda m: m.ready.append(4), "ready twice"),
    "ready and due": (lambda m: m.ready.append(1), "is in ready and due"),
    "forgotten": (lambda m: m.ready.clear(), "step-5 is in no place"),
    "timer lost": (lambda m: m.due.clear(), "step-2 is in no place"),
    "due for a person": (lambda m: m.due.__setitem__(2, 1.0), "is due but waits for a person"),
    "due without waiting": (_due_without_waiting, "is due but does not wait"),
    "half a row": (lambda m: m.log.at.append(99.0), "the log has a broken row"),
    "time": (lambda m: m.log.at.__setitem__(-1, -1.0), "time ran backwards"),
    "state without event": (lambda m: m.states.__setitem__(4, Running()), "step-5 moved without an event"),
    "end without event": (_end_without_event, "moved without an event"),
    "another state": (lambda m: m.states.__setitem__(0, Success()), "log and states disagree"),
    "after the end": (
        lambda m: _move(m, 0, Running()),
        "illegal move of step-1: .*Running→Success · .*Success→Running",
    ),
    "undecided": (lambda m: m.undecided.append(4), "left undecided"),
    "approved": (lambda m: m.approved.__setitem__(0, Running()), "is not ready"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_books_are_noticed(name: str, machines: list[Machine]) -> None:
    bare, _ = midway()
    bare.machine.check()
    break_it, words = BREAKS[name]
    break_it(bare.machine)
    with pytest.raises(AssertionError, match=words):
        bare.machine.check()
    machines.clear()


def test_the_story_of_moves_names_each_with_its_number_in_the_log() -> None:
    bare, _ = midway()
    assert moves_of(bare.machine, 1) == "3 Pending→Running · 4 Running→Failed · 5 Failed→Retrying"
    assert moves_of(bare.machine, 4) == "none yet"


PENDING, RUNNING, LOOPED, FAILED = Pending(), Running(), Looped(loop_count=1), Failed()


@pytest.mark.parametrize(
    ("before", "after", "legal"),
    [
        (PENDING, RUNNING, True),
        (PENDING, Cancelling(), False),
        (PENDING, Skipped(), True),
        (Scheduled(), RUNNING, True),
        (Paused(), Cancelled(), True),
        (RUNNING, Cancelling(), True),
        (RUNNING, FAILED, True),
        (Cancelling(), Success(), True),
        (Cancelling(), Retrying(run_count=1), False),
        (Cancelling(), LOOPED, False),
        (LOOPED, RUNNING, True),
        (LOOPED, Cancelling(), False),
        (FAILED, Retrying(run_count=1), True),
        (FAILED, RUNNING, False),
        (FAILED, Success(), True),
        (Success(), RUNNING, False),
        (Success(), Cancelled(), True),  # handlers have a say when a success goes on to Cached
        (Skipped(), Success(), False),
        (Cancelled(), Cancelled(), False),
    ],
)
def test_the_table_of_legal_moves(before: State, after: State, legal: bool) -> None:
    assert is_legal(before, after) is legal


def test_a_looped_run_has_not_ended() -> None:
    assert is_final(Success())
    assert is_final(Failed())
    assert not is_final(LOOPED)
    assert not is_final(Running())
