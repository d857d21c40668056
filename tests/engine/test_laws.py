"""Laws of the engine, held against random flows."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowbook import Task
from flowbook.engine import messages as m
from flowbook.engine.invariants import is_final
from flowbook.engine.propagate import propagate
from flowbook.engine.story import tell
from flowbook.events import Event, event_of, fold
from flowbook.states import Cancelled, State
from tests.engine.bare import Bare
from tests.engine.random_flows import Played, Scripted, kinds, scripts

# The fixture that collects machines is made once per test, and checks those of all examples.
law = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 2**32)


def states_of(bare: Bare) -> dict[Task, State]:
    return dict(zip(bare.plan.tasks, bare.machine.states, strict=True))


def events_of(bare: Bare) -> list[Event]:
    return [event_of(seq, row, bare.plan.structure.slugs) for seq, row in enumerate(bare.machine.log.rows())]


@law
@given(scripts(), seeds, seeds)
def test_the_final_states_do_not_depend_on_the_order_in_which_tasks_finish(
    script: list[Scripted], one: int, other: int
) -> None:
    played = Played(script)
    first, second = played.bare(Random(one)), played.bare(Random(other))
    assert kinds(states_of(first)) == kinds(states_of(second))
    assert first.machine.outcome().message == second.machine.outcome().message
    assert first.machine.runs == second.machine.runs


@law
@given(scripts(), seeds)
def test_the_invariants_hold_at_every_moment(script: list[Scripted], seed: int) -> None:
    Played(script).bare(Random(seed), lambda bare: bare.machine.check())


@law
@given(scripts(), seeds)
def test_a_fold_of_the_events_equals_the_machine_at_every_moment(script: list[Scripted], seed: int) -> None:
    def look(bare: Bare) -> None:
        folded = fold(events_of(bare))
        assert folded.state == type(bare.machine.flow_state).__name__
        for number, state in enumerate(bare.machine.states):
            of_task = folded.tasks.get(bare.plan.structure.slugs[number])
            if of_task is None:
                assert type(state).__name__ == "Pending"
                continue
            assert (of_task.state, of_task.message) == (type(state).__name__, state.message or "")
            assert (of_task.ended is not None) == is_final(state)
            if number in bare.machine.due:
                assert of_task.due == bare.machine.due[number]

    Played(script).bare(Random(seed), look)


@law
@given(scripts(), seeds)
def test_events_as_json_survive_and_fold_to_the_same(script: list[Scripted], seed: int) -> None:
    events = events_of(Played(script).bare(Random(seed)))
    again = [Event.from_dict(json.loads(json.dumps(event.to_dict()))) for event in events]
    assert again == events
    assert fold(again) == fold(events)


@law
@given(scripts(), seeds)
def test_no_story_fails_at_any_moment(script: list[Scripted], seed: int) -> None:
    def look(bare: Bare) -> None:
        class Runner:
            machine, plan = bare.machine, bare.plan

        for number in range(len(bare.plan.tasks)):
            runner: Any = Runner
            story = tell(runner, number)
            assert story.why.endswith((".", "!", "?"))
            assert str(story)

    Played(script).bare(Random(seed), look)


@law
@given(scripts(), seeds, st.integers(0, 40))
def test_a_cancel_at_any_moment_ends_every_task_and_keeps_what_had_ended(
    script: list[Scripted], seed: int, moment: int
) -> None:
    bare = Played(script).bare(Random(seed), at_most=moment)
    machine = bare.machine
    kept = {
        number: state for number, state in enumerate(machine.states) if is_final(state) and number not in machine.asking
    }
    machine.handle(m.CancelAsked(bare.at, "enough"))
    machine.check()
    while machine.instructions:
        instruction = machine.instructions.popleft()
        if isinstance(instruction, m.StopBody):
            machine.handle(m.Ended(instruction.task, Cancelled("stopped"), bare.at))
    machine.check()
    assert machine.is_done
    assert all(machine.states[number] is state for number, state in kept.items())
    assert all(is_final(state) for state in machine.states)


@law
@given(scripts(), seeds)
def test_propagate_says_how_a_real_run_ends(script: list[Scripted], seed: int) -> None:
    without_handlers = [Scripted(**{**vars(row), "handlers": 0}) for row in script]
    played = Played(without_handlers)
    for executor in ("local", "threads"):
        played.turns.clear()
        result = played.flow.run(show=False, clock="fast", executor=executor).result
        ran = {one: state for one, state in result.items() if played.turns.get(played.tasks.index(one))}
        assert kinds(propagate(played.flow, ran)) == kinds(result)


@law
@given(scripts(), seeds)
def test_every_executor_and_the_bare_machine_end_alike(script: list[Scripted], seed: int) -> None:
    played = Played(script)
    expected = kinds(states_of(played.bare(Random(seed))))
    turns = Counter(played.turns)
    for executor in ("local", "threads"):
        played.turns.clear()
        state = played.flow.run(show=False, clock="fast", executor=executor)
        assert kinds(state.result) == expected
        assert Counter(played.turns) == turns
