"""Events: what happened in a run, in order; they travel as JSON, and folding them gives how the run stands."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook import Flow, Task, context, signals, task, triggers
from flowbook.events import FLOW, STATE_CLASSES, Event, Folded, Log, Note, event_of, fold
from flowbook.states import Paused, Retrying, Running, Scheduled, State, Success

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.timezone.utc)


def through_json(event: Event) -> Event:
    return Event.from_dict(json.loads(json.dumps(event.to_dict())))


# -- one event -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", State.children(include_self=True), ids=lambda kind: kind.__name__)
def test_the_event_of_every_state_survives_json(kind: type[State]) -> None:
    event = event_of(7, (1.5, 1, kind("words")), ["a-1", "b-1"])
    assert (event.seq, event.at, event.kind, event.task, event.state) == (7, 1.5, "state", "b-1", kind.__name__)
    assert event.message == "words"
    assert through_json(event) == event
    assert STATE_CLASSES[event.state] is kind


@pytest.mark.parametrize(
    "note",
    [
        Note("request", "Cancel asked for."),
        Note("log", "3 rows", "INFO"),
        Note("log", "", "WARNING"),
        Note("log", "é\n\x00"),
    ],
)
def test_the_event_of_every_note_survives_json(note: Note) -> None:
    event = event_of(0, (0.0, 0, note), ["a-1"])
    assert (event.kind, event.message, event.level, event.state) == (note.kind, note.text, note.level, "")
    assert through_json(event) == event


@given(
    st.builds(
        Event,
        seq=st.integers(min_value=0),
        at=st.floats(allow_nan=False, allow_infinity=False),
        kind=st.sampled_from(["state", "request", "log"]),
        task=st.text(),
        state=st.sampled_from(["", *STATE_CLASSES]),
        message=st.text(),
        due=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        level=st.text(),
    )
)
def test_any_event_survives_json(event: Event) -> None:
    assert through_json(event) == event


def test_an_event_about_the_flow_names_no_task() -> None:
    assert event_of(0, (1.0, FLOW, Running()), ["a-1"]).task == ""


def test_an_event_says_when_a_waiting_task_may_go_on() -> None:
    assert event_of(0, (1.0, 0, Scheduled(start_time=NOON)), ["a-1"]).due == NOON.timestamp()
    assert event_of(0, (1.0, 0, Paused()), ["a-1"]).due is None
    assert event_of(0, (1.0, 0, Success()), ["a-1"]).due is None


def test_empty_fields_do_not_travel() -> None:
    assert Event(0, 0.0, "state", "a-1", "Success").to_dict() == {
        "seq": 0,
        "at": 0.0,
        "kind": "state",
        "task": "a-1",
        "state": "Success",
    }
    assert Event(0, 0.0, "state", due=0.0).to_dict()["due"] == 0.0


def test_values_never_travel() -> None:
    event = event_of(0, (1.0, 0, Success("done", result={"secret": 42})), ["a-1"])
    assert "42" not in json.dumps(event.to_dict())


def test_a_log_grows_by_rows_and_can_be_read_from_any_place() -> None:
    log = Log()
    for number in range(3):
        log.append(float(number), number, Success())
    assert len(log) == 3
    assert [row[:2] for row in log.rows(1)] == [(1.0, 1), (2.0, 2)]
    assert log.rows(3) == []


# -- folding ---------------------------------------------------------------------------------------------------------


def told(*names: str, subject: str = "a-1") -> list[Event]:
    return [Event(seq, float(seq), "state", subject, name) for seq, name in enumerate(names)]


def test_a_fold_of_nothing_is_pending() -> None:
    assert fold([]) == Folded()
    assert fold([]).state == "Pending"


def test_attempts_are_counted_and_timed() -> None:
    folded = fold(told("Submitted", "Running", "Retrying", "Running", "Success")).tasks["a-1"]
    assert (folded.state, folded.attempt, folded.started, folded.ended) == ("Success", 2, 3.0, 4.0)
    waiting = fold(told("Running", "Retrying")).tasks["a-1"]
    assert (waiting.state, waiting.attempt, waiting.ended) == ("Retrying", 1, None)


def test_each_turn_of_a_loop_counts_its_attempts_anew() -> None:
    folded = fold(told("Running", "Retrying", "Running", "Looped", "Running", "Success")).tasks["a-1"]
    assert (folded.attempt, folded.ended) == (1, 5.0)
    assert fold(told("Running", "Looped")).tasks["a-1"].ended is None


def test_notes_change_no_state_and_the_flow_is_apart_from_its_tasks() -> None:
    events = [*told("Running", subject=""), Event(1, 1.0, "log", "a-1", message="hello")]
    folded = fold(events)
    assert (folded.state, folded.tasks) == ("Running", {})


def eventful() -> tuple[Flow, dict[str, Any]]:
    """Build a flow in which nearly everything happens."""
    attempts: dict[str, int] = {"flaky": 0, "stubborn": 0}

    @task(max_retries=3, retry_delay=dt.timedelta(minutes=10))
    def flaky() -> str:
        attempts["flaky"] += 1
        if attempts["flaky"] < 3:
            raise ConnectionError("not yet")
        return "there"

    @task(max_retries=1, retry_delay=dt.timedelta(seconds=1))
    def stubborn() -> None:
        attempts["stubborn"] += 1
        raise ValueError("never")

    @task
    def skip() -> None:
        raise signals.SKIP("not today")

    @task
    def loop() -> int:
        done = (context.get("task_loop_result") or 0) + 1
        if done < 3:
            raise signals.LOOP(f"turn {done}", result=done)
        return int(done)

    @task(trigger=triggers.all_finished, skip_on_upstream_skip=False)
    def gather(items: list[Any]) -> int:
        return len(items)

    @task
    def after(x: object) -> object:
        return x

    with Flow("eventful") as flow:
        made = {"flaky": flaky(), "stubborn": stubborn(), "skip": skip(), "loop": loop()}
        made["after failure"] = after(made["stubborn"])
        made["after skip"] = after(made["skip"])
        made["gather"] = gather([made["flaky"], made["stubborn"], made["loop"]], task_args={"name": "all of them"})
    return flow, made


def test_folding_the_events_of_a_run_gives_the_states_of_its_tasks() -> None:
    flow, made = eventful()
    state = flow.run(clock="fast")
    run = flow.last_run
    assert run is not None

    folded = fold(through_json(event) for event in run.events)

    assert {slug: task.state for slug, task in folded.tasks.items()} == {
        slug: type(state.result[each]).__name__ for each, slug in flow.slugs.items()
    }
    assert {slug: task.message for slug, task in folded.tasks.items()} == {
        slug: state.result[each].message or "" for each, slug in flow.slugs.items()
    }
    assert (folded.state, folded.message) == (type(state).__name__, state.message)
    wanted = {"flaky": ("Success", 3), "stubborn": ("Failed", 2), "skip": ("Skipped", 1), "loop": ("Success", 1)}
    for name, (ending, attempt) in wanted.items():
        found = folded.tasks[flow.slugs[made[name]]]
        assert (found.state, found.attempt) == (ending, attempt), name
        assert found.started is not None
        assert found.ended is not None
        assert found.started <= found.ended
    refused = folded.tasks[flow.slugs[made["after failure"]]]
    assert (refused.state, refused.attempt, refused.started) == ("TriggerFailed", 0, None)


def test_the_events_of_a_run_are_numbered_and_never_go_back_in_time() -> None:
    flow, _ = eventful()
    flow.run(clock="fast")
    assert flow.last_run is not None
    events = flow.last_run.events
    assert [event.seq for event in events] == list(range(len(events)))
    assert all(one.at <= other.at for one, other in pairwise(events))
    due = [event for event in events if event.state == "Retrying"]
    assert len(due) == 3
    assert all(event.due is not None and event.due > event.at for event in due)


def test_folding_up_to_any_place_is_how_the_run_stood_then() -> None:
    flow, _ = eventful()
    flow.run(clock="fast")
    assert flow.last_run is not None
    events = flow.last_run.events
    latest: dict[str, str] = {}
    for place, event in enumerate(events):
        if event.kind == "state":
            latest[event.task] = event.state
        folded = fold(events[: place + 1])
        found = {slug: task.state for slug, task in folded.tasks.items()}
        if "" in latest:
            found[""] = folded.state
        assert found == latest


def test_a_retry_of_the_log_carries_its_due_time() -> None:
    log = Log()
    log.append(1.0, 0, Retrying("again", start_time=NOON))
    assert fold([event_of(0, log.rows()[0], ["a-1"])]).tasks["a-1"].due == NOON.timestamp()


def test_a_task_alone_makes_few_events() -> None:
    flow = Flow("one", tasks=[Task("a")])
    flow.run()
    assert flow.last_run is not None
    assert [event.state for event in flow.last_run.events if event.task] == ["Running", "Success"]
