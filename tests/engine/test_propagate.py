"""What if: the end states of a flow with no code run."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook import Flow, Task, signals, task, triggers
from flowbook.engine.propagate import propagate
from flowbook.errors import FlowError
from flowbook.states import Cancelled, Failed, Looped, Paused, Pending, Running, Skipped, State, Success
from tests.engine.random_maps import TRIGGERS


@task
def never(x: object = None) -> NoReturn:
    raise AssertionError("a body was run")


@task(trigger=triggers.any_failed)
def clean_up(x: object = None) -> None: ...


def two() -> tuple[Flow, Task, Task]:
    with Flow("two") as flow:
        first = never()
        second = never(first)
    return flow, first, second


@pytest.mark.parametrize(
    ("assumed", "expected"),
    [(None, "Success"), (Failed("no"), "TriggerFailed"), (Skipped("no"), "Skipped"), (Cancelled(), "TriggerFailed")],
)
def test_assumed_ends_go_down_the_graph_and_no_body_is_run(assumed: State | None, expected: str) -> None:
    flow, first, second = two()
    states = propagate(flow, {first: assumed} if assumed is not None else None)
    assert set(states) == flow.tasks
    assert type(states[second]).__name__ == expected
    if assumed is not None:
        assert states[first] is assumed


def test_retries_are_taken_as_used_up_and_handlers_are_not_asked() -> None:
    def handler(*args: Any) -> NoReturn:
        raise AssertionError("a handler was asked")

    with Flow("handled") as flow:
        made = never(task_args={"max_retries": 3, "retry_delay": dt.timedelta(hours=1), "state_handlers": [handler]})
        after = clean_up(made)
    states = propagate(flow, {made: Failed("no")})
    assert type(states[made]) is Failed
    assert type(states[after]) is Success


def test_custom_triggers_are_asked_and_may_raise() -> None:
    def trigger(states: Any) -> bool:
        raise ZeroDivisionError

    flow, _, second = two()
    second.trigger = lambda states: any(state.is_failed() for state in states.values())
    assert type(propagate(flow)[second]).__name__ == "TriggerFailed"
    second.trigger = trigger
    assert type(propagate(flow)[second]).__name__ == "TriggerFailed"


def test_an_assumption_about_a_task_that_cannot_run_changes_nothing() -> None:
    flow, first, second = two()
    states = propagate(flow, {first: Failed(), second: Success(result=1)})
    assert type(states[second]).__name__ == "TriggerFailed"


def test_a_manual_task_waits_and_so_do_those_after_it() -> None:
    flow, first, second = two()
    first.trigger = triggers.manual_only
    states = propagate(flow)
    assert type(states[first]) is Paused
    assert type(states[second]) is Pending


@pytest.mark.parametrize("state", [Running(), Pending(), Looped(loop_count=1), "Failed", None])
def test_only_final_states_can_be_assumed(state: Any) -> None:
    flow, first, _ = two()
    with pytest.raises(TypeError, match="a body ends in a final state, for instance Failed"):
        propagate(flow, {first: state})


def test_a_task_of_another_flow_is_refused() -> None:
    flow, _, _ = two()
    with pytest.raises(FlowError, match="is not in flow 'two'"):
        propagate(flow, {never: Failed()})


# -- the law: what is worked out is what happens -----------------------------------------------------------------------

HOW: dict[str, type[State]] = {"ok": Success, "fail": Failed, "skip": Skipped}


@task
def ends(how: str, **upstream: Any) -> str:
    if how == "fail":
        raise ValueError("by plan")
    if how == "skip":
        raise signals.SKIP("by plan")
    return how


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 100_000))
def test_what_is_worked_out_is_what_a_real_run_comes_to(seed: int) -> None:
    dice = Random(seed)
    assumed: dict[Task, State] = {}
    made: list[Task] = []
    with Flow("law") as flow:
        for place in range(dice.randrange(1, 12)):
            how = dice.choice(["ok", "ok", "fail", "skip"])
            options = {
                "name": f"t{place}",
                "trigger": dice.choice(TRIGGERS),
                "skip_on_upstream_skip": dice.random() < 0.6,
            }
            before: dict[str, Any] = {
                f"x{one.name}": one for one in dice.sample(made, min(len(made), dice.randrange(4)))
            }
            one = ends(how, **before, task_args=options)
            made.append(one)
            if how != "ok":
                assumed[one] = HOW[how]()
    real = flow.run(show=False).result
    assert {one.name: type(state) for one, state in propagate(flow, assumed).items()} == {
        one.name: type(real[one]) for one in made
    }
