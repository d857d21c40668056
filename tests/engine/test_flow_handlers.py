"""What the handlers of flows and of mapped tasks are told, and what comes of their answers."""

from __future__ import annotations

from typing import Any

import pytest

from flowbook import Flow, context, signals, task
from flowbook.states import Failed, Mapped, Running, Skipped, State, Success
from tests.engine.conftest import Run


@task
def halved(number: int) -> float:
    if number == 0:
        raise ValueError("nothing to halve")
    return number / 2


def seen_by(seen: list[Any]) -> Any:
    def handler(one: Any, old: State, new: State) -> None:
        seen.append((one.name, type(old), type(new)))

    return handler


def test_handlers_of_a_flow_hear_of_its_beginning_and_its_end(run: Run) -> None:
    seen: list[Any] = []
    with Flow("heard", state_handlers=[seen_by(seen)]) as flow:
        halved(1)
    run(flow)
    assert [(name, new) for name, _, new in seen] == [("heard", Running), ("heard", Success)]


def test_handlers_of_a_flow_come_in_order_and_each_sees_the_state_of_the_one_before(run: Run) -> None:
    seen: list[State] = []

    def forgives(flow: Flow, old: State, new: State) -> State | None:
        return Success("forgiven") if new.is_failed() else None

    def looks(flow: Flow, old: State, new: State) -> None:
        seen.append(new)

    with Flow("ordered", state_handlers=[forgives, looks]) as flow:
        failed = halved(0)
    state = run(flow)
    assert (type(state), state.message) == (Success, "forgiven")
    assert seen[-1] is state
    assert state.result[failed].is_failed()


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_an_error_in_a_handler_of_a_flow_fails_it(kind: type[BaseException], run: Run) -> None:
    def breaks(flow: Flow, old: State, new: State) -> None:
        if new.is_finished():
            raise kind("broken")

    with Flow("broken", state_handlers=[breaks]) as flow:
        halved(1)
    state = run(flow)
    assert type(state) is Failed
    assert "A state handler raised" in str(state.message)


def test_a_signal_in_a_handler_of_a_flow_becomes_its_state(run: Run) -> None:
    def skips(flow: Flow, old: State, new: State) -> None:
        raise signals.SKIP("not on Sundays")

    with Flow("skipped", state_handlers=[skips]) as flow:
        never = halved(1)
    state = run(flow)
    assert (type(state), state.message) == (Skipped, "not on Sundays")
    assert state.result[never].message == "Task not run."


def test_on_failure_of_a_flow_comes_after_its_handlers(run: Run) -> None:
    heard: list[str] = []
    with Flow(
        "both",
        state_handlers=[lambda flow, old, new: heard.append("handler")],
        on_failure=lambda flow, state: heard.append(f"failure of {flow.name}"),
    ) as flow:
        halved(0)
    run(flow)
    assert heard == ["handler", "handler", "failure of both"]


def test_the_terminal_state_handler_comes_before_the_handlers(run: Run) -> None:
    seen: list[Any] = []
    with Flow(
        "last word",
        state_handlers=[seen_by(seen)],
        terminal_state_handler=lambda flow, state, states: Failed("not good enough"),
    ) as flow:
        halved(1)
    assert run(flow).message == "not good enough"
    assert seen[-1] == ("last word", Running, Failed)


def test_the_terminal_state_handler_sees_the_children_of_a_mapped_reference_task(run: Run) -> None:
    given: list[set[State]] = []

    def mostly(flow: Flow, state: State, states: set[State]) -> State | None:
        given.append(states)
        failed = sum(one.is_failed() for one in states)
        return Success("Mostly well.") if failed == 1 else None

    with Flow("mostly", terminal_state_handler=mostly) as flow:
        mapped = halved.map([0, 1, 2])
    state = run(flow)
    assert state.message == "Mostly well."
    parent = state.result[mapped]
    assert given == [{parent, *parent.map_states}]


def test_handlers_of_a_mapped_task_hear_of_each_child_and_of_the_whole(run: Run) -> None:
    seen: list[tuple[int | None, type[State]]] = []

    def handler(one: Any, old: State, new: State) -> None:
        seen.append((context.map_index, type(new)))

    with Flow("mapped") as flow:
        halved.copy(state_handlers=[handler]).map([0, 1])
    run(flow)
    assert sorted(seen, key=str) == sorted(
        [(0, Running), (0, Failed), (1, Running), (1, Success), (None, Mapped)], key=str
    )


def test_on_failure_of_a_mapped_task_hears_of_the_children_that_failed(run: Run) -> None:
    heard: list[tuple[int | None, type[State]]] = []
    told = task(halved.run, on_failure=lambda one, state: heard.append((context.map_index, type(state))))
    with Flow("mapped") as flow:
        told.map([0, 1, 0])
    run(flow)
    assert sorted(heard, key=str) == [(0, Failed), (2, Failed)]


def test_a_run_inside_of_a_mapped_child_inherits_neither_its_index_nor_parameters(run: Run) -> None:
    @task
    def asks() -> Any:
        return context.map_index, context.parameters, context.task_full_name, context.task_run_count

    with Flow("inner") as inner:
        asked = asks()

    @task
    def outer(number: int) -> Any:
        return inner.run(show=False).result[asked].result, context.map_index

    with Flow("outer") as flow:
        out = outer.map([5, 6])
    assert run(flow).result[out].result == [((None, {}, "asks", 1), 0), ((None, {}, "asks", 1), 1)]
