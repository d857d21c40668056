"""The final state of a flow: what the states of its tasks lead to."""

from __future__ import annotations

import pytest

from flowbook import Flow, Task, signals, task, triggers
from flowbook.engine.messages import ResumeAsked
from flowbook.engine.outcome import NOT_RUN
from flowbook.states import Cancelled, Failed, Running, State, Success
from tests.engine.bare import Bare


@task
def step(x: object = None) -> None: ...


@task(trigger=triggers.always_run)
def always(x: object = None) -> None: ...


def outcome_of(*ends: BaseException | None, reference: list[int] | None = None) -> State:
    """Return the state of a flow of independent tasks that end like this: with an error, or well."""
    with Flow("several") as flow:
        tasks = [step() for _ in ends]
    if reference is not None:
        flow.set_reference_tasks(tasks[place] for place in reference)
    bare = Bare(flow)
    for one, error in zip(tasks, ends, strict=True):
        bare.give(one) if error is None else bare.fail(one, error)
    return bare.machine.outcome()


def test_all_successful_reference_tasks_make_a_success() -> None:
    assert repr(outcome_of(None, None)) == '<Success: "All reference tasks succeeded.">'


def test_a_skipped_reference_task_counts_as_a_success() -> None:
    assert outcome_of(None, signals.SKIP()).message == "All reference tasks succeeded."


def test_any_failed_reference_task_makes_a_failure() -> None:
    assert repr(outcome_of(None, ValueError("no"))) == '<Failed: "Some reference tasks failed.">'


def test_a_cancelled_reference_task_is_neither() -> None:
    assert repr(outcome_of(None, signals.ENDRUN(Cancelled()))) == '<Success: "No reference tasks failed.">'


@pytest.mark.parametrize(("reference", "kind"), [([0], Success), ([1], Failed), ([0, 1], Failed), ([], Failed)])
def test_only_reference_tasks_decide_and_none_at_all_means_the_terminal_ones(
    reference: list[int], kind: type[State]
) -> None:
    assert type(outcome_of(None, ValueError("no"), reference=reference)) is kind


def test_a_failure_in_the_middle_does_not_count_when_the_terminal_task_ran_all_the_same() -> None:
    with Flow("clean up") as flow:
        first = step()
        last = always(first)
    bare = Bare(flow)
    bare.fail(first, ValueError("no"))
    bare.give(last)
    assert bare.machine.outcome().message == "All reference tasks succeeded."


def test_finishing_is_judged_by_terminal_tasks_and_not_by_reference_tasks() -> None:
    with Flow("paused end") as flow:
        first = step()
        last = step(first)
    flow.set_reference_tasks([first])
    bare = Bare(flow)
    bare.give(first)
    assert type(bare.machine.outcome()) is Running
    bare.fail(last, signals.PAUSE())
    assert type(bare.machine.outcome()) is Running
    bare.ask(ResumeAsked(1.0))
    bare.give(last)
    assert type(bare.machine.outcome()) is Success


def test_the_result_has_every_task_also_those_never_reached() -> None:
    with Flow("held up") as flow:
        first = step()
        second = step(first)
    bare = Bare(flow)
    bare.fail(first, signals.PAUSE("look"))
    outcome = bare.machine.outcome()
    assert set(outcome.result) == flow.tasks
    assert repr(outcome.result[second]) == '<Pending: "Task not run.">'
    assert outcome.result[second] is NOT_RUN
    assert outcome.result[first] is bare[first]


def test_a_run_of_many_paused_tasks_names_a_few() -> None:
    with Flow("many") as flow:
        tasks: list[Task] = [step(task_args={"name": f"number {place}"}) for place in range(9)]
    bare = Bare(flow)
    for one in tasks:
        bare.fail(one, signals.PAUSE())
    message = bare.machine.outcome().message or ""
    assert "'number 4'" in message
    assert "'number 5'" not in message
