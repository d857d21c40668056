"""The stream of events: in order, once, before anything follows from them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowbook import Flow, Task, signals, task
from flowbook.engine import messages as m
from flowbook.engine.stream import Stream
from flowbook.events import Event, Note, fold
from flowbook.states import State
from tests.engine.bare import Bare, chain


@task
def step(x: object = None) -> None: ...


def three() -> Flow:
    with Flow("three") as flow:
        step(step(step()))
    return flow


def streamed(executor: str) -> tuple[list[Event], list[Event]]:
    """Run a flow with a reader from the start on; return what it heard, and all that happened."""
    heard: list[Event] = []
    flow = three()

    def listen(flow: Flow, old: State, new: State) -> None:
        if new.is_running():
            assert flow.last_run is not None
            flow.last_run.subscribe(heard.extend)

    flow.state_handlers.append(listen)
    flow.run(show=False, executor=executor)
    assert flow.last_run is not None
    return heard, flow.last_run.events


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_reader_hears_everything_once_and_in_order(executor: str) -> None:
    heard, happened = streamed(executor)
    assert heard == happened
    assert [event.seq for event in happened] == list(range(len(happened)))


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_nobody_sees_a_body_run_before_its_start_or_a_child_before_its_parents_end(executor: str) -> None:
    heard: list[str] = []

    def read(events: list[Event]) -> None:
        heard.extend(f"{event.task} {event.state}" for event in events)

    @task
    def note(name: str, x: object = None) -> str:
        heard.append(f"body {name}")
        return name

    with Flow("order") as flow:
        first = note("first")
        note("second", first)
    flow.state_handlers.append(
        lambda flow, old, new: flow.last_run.subscribe(read) and None if new.is_running() else None
    )
    flow.run(show=False, executor=executor)
    assert heard == [
        " Running",
        "note-1 Running",
        "body first",
        "note-1 Success",
        "note-2 Running",
        "body second",
        "note-2 Success",
        " Success",
    ]


def test_a_reader_that_joins_late_hears_what_comes() -> None:
    bare = Bare(three())
    stream = Stream(bare.machine.log, bare.plan.structure.slugs)
    stream.publish()
    heard: list[Event] = []
    stream.subscribe(heard.extend)
    bare.give(bare.plan.tasks[0])
    stream.publish()
    stream.publish()
    assert [(event.seq, event.state) for event in heard] == [(1, "Running"), (2, "Success")]


def test_a_reader_hears_no_more_after_it_has_left() -> None:
    bare = Bare(three())
    stream = Stream(bare.machine.log, bare.plan.structure.slugs)
    heard: list[Event] = []
    leave = stream.subscribe(heard.extend)
    leave()
    leave()
    bare.give(bare.plan.tasks[0])
    stream.publish()
    assert heard == []


def test_a_reader_may_leave_while_it_is_being_read_to() -> None:
    bare = Bare(three())
    stream = Stream(bare.machine.log, bare.plan.structure.slugs)
    heard: list[int] = []

    def once(events: list[Event]) -> None:
        heard.append(len(events))
        leave()

    leave = stream.subscribe(once)
    for number in (0, 1):
        bare.give(bare.plan.tasks[number])
        stream.publish()
    assert heard == [2]


def test_events_as_json_survive_and_fold_to_the_same() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    bare.fail(only, signals.PAUSE("look: \x00 ✓ </script>"))
    bare.ask(m.ResumeAsked(1.5))
    bare.machine.log.append(2.0, 0, Note("log", "a line", "INFO"))
    bare.give(only)
    events = Stream(bare.machine.log, bare.plan.structure.slugs).events()
    again = [Event.from_dict(json.loads(json.dumps(event.to_dict()))) for event in events]
    assert again == events
    assert fold(again) == fold(events)


def test_values_never_travel_in_events() -> None:
    class Secret:
        def __repr__(self) -> str:
            return "SECRET"

    @task
    def body(x: object) -> Any:
        return Secret()

    with Flow("secret") as flow:
        made: Task = body(body(Secret()))
    flow.run(show=False)
    assert flow.last_run is not None
    assert isinstance(flow.last_run[made].result, Secret)
    assert "SECRET" not in json.dumps([event.to_dict() for event in flow.last_run.events])
