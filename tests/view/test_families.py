"""Families fold what happens to mapped children: counts, a compact record of each, and a list on demand."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flowbook import Flow, Parameter, Task, context, signals, task, unmapped
from flowbook.engine.clock import VirtualClock
from flowbook.states import Cached, Failed, Looped, Mapped, Pending, Retrying, Running, Success, TriggerFailed
from flowbook.view.families import MOST_ROWS, Family
from flowbook.view.feed import Feed
from flowbook.view.html import draw_html
from flowbook.view.picture import picture
from flowbook.view.protocol import MIME, NodeLook, decode_bundle, encode


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task
def read(x: int) -> int:
    if x == 4:
        raise ValueError("no rows")
    return x


@task
def clean(x: int) -> int:
    return 10 * x


@task
def total(xs: list[int]) -> int:
    return sum(xs)


def chain(width: int, gate: threading.Event | None = None) -> tuple[Flow, dict[str, Task]]:
    """Make a chain of two mapped tasks; nothing is mapped before the gate opens."""

    @task
    def opened(count: int) -> list[int]:
        assert gate is None or gate.wait(10)
        return list(range(count))

    with Flow("chain") as flow:
        found = opened(width)
        first = read.map(found)
        second = clean.map(first)
        total(second)
    return flow, {each.name: each for each in flow.tasks}


def looks_of(flow: Flow, feed: Feed | None = None) -> dict[str, NodeLook]:
    run = flow.last_run
    assert run is not None
    told = (feed or Feed(run.runner)).snapshot(run.runner.clock.now())
    json.dumps(encode(told))
    return {run.runner.plan.tasks[look.node].name: look for look in told.nodes}


def number_of(flow: Flow, one: Task) -> int:
    run = flow.last_run
    assert run is not None
    return run.runner.plan.number(one)


def family(width: int = 3) -> Family:
    return Family(1, 10, width)


def test_a_finished_map_counts_its_children_and_names_what_failed() -> None:
    flow, _ = chain(12)
    flow.run(show=False)
    looks = looks_of(flow)
    assert (looks["read"].state, looks["read"].width) == ("Mapped", 12)
    assert looks["read"].counts == {"Success": 11, "Failed": 1}
    assert looks["clean"].counts == {"Success": 11, "TriggerFailed": 1}
    assert looks["opened"].counts is None
    assert flow.last_run is not None
    sentence = Feed(flow.last_run.runner).snapshot(0.0).flow.sentence
    assert sentence.startswith("read failed for 1 of its 12 elements; read[4] failed: ")
    assert "no rows" in sentence


def test_every_prefix_of_the_log_counts_what_the_machine_counted() -> None:
    """The feed may stop reading anywhere: what it says then is what was true then."""
    gate = threading.Event()
    flow, tasks = chain(6, gate)
    seen: list[tuple[NodeLook, dict[str, int]]] = []

    def watch(events: object) -> None:
        machine = run.runner.machine
        number = run.runner.plan.number(tasks["read"])
        look = feed.snapshot(0.0).nodes[number]
        spread = machine.families.get(number)
        if spread is None:
            assert look.counts is None
            return
        states = [type(state).__name__ for state in machine.states[spread.base : spread.base + spread.width]]
        seen.append((look, {state: states.count(state) for state in states}))

    run = flow.start(show=False)
    feed = Feed(run.runner)
    run.subscribe(watch)
    gate.set()
    run.wait(10)
    assert seen
    for look, counted in seen:
        assert look.counts == counted
        assert look.width == 6


def test_a_child_goes_through_its_states_as_a_task_does() -> None:
    made = family()
    due = dt.datetime.fromtimestamp(60, tz=dt.timezone.utc)
    made.take(1.0, 11, Running())
    assert made.started == 1.0
    made.take(2.0, 11, Retrying("OSError", start_time=due))
    assert made.counted() == {"Pending": 2, "Retrying": 1}
    assert made.next_due() == 60
    (row,) = [row for row in made.rows("all", 0, 9) if row.index == 1]
    assert (row.state, row.attempt, row.started, row.ended, row.due) == ("Retrying", 2, 1.0, 2.0, 60)
    made.take(60.0, 11, Running())
    assert made.next_due() is None
    made.take(61.0, 11, Success(result=[1, 2]))
    (row,) = [row for row in made.rows("all", 0, 9) if row.index == 1]
    assert (row.state, row.attempt, row.ended, row.result) == ("Success", 2, 61.0, "2 items")


def test_a_loop_counts_its_attempts_anew() -> None:
    made = family(1)
    for at, state in enumerate((Running(), Looped(), Running())):
        made.take(float(at), 10, state)
    assert made.rows("all", 0, 1)[0].attempt == 1


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ([None, None, None], "Pending"),
        ([Running(), None, None], "Mapping"),
        ([Success(), None, None], "Mapping"),
        ([Success(), Success(), Retrying()], "Retrying"),
        ([Running(), Success(), Retrying()], "Mapping"),
        ([Success(), Success(), signals.PAUSE("look").state], "Paused"),
    ],
)
def test_a_map_is_called_by_what_its_children_do(states: list[Any], says: str) -> None:
    made = family()
    for place, state in enumerate(states):
        if state is not None:
            made.take(0.0, 10 + place, Running())
            made.take(1.0, 10 + place, state)
    assert made.state_name() == says


def test_a_list_has_what_failed_first_then_what_runs_then_the_rest() -> None:
    made = family(6)
    for at, (place, state) in enumerate(
        [(1, Success()), (0, Running()), (5, Failed()), (2, TriggerFailed()), (3, Retrying())],
    ):
        made.take(float(at), 10 + place, state)
    order = [row.index for row in made.rows("all", 0, 9)]
    assert order == [2, 5, 0, 3, 4, 1]
    assert [row.index for row in made.rows("all", 2, 3)] == [0, 3, 4]
    assert [row.index for row in made.rows("failed", 0, 9)] == [2, 5]
    assert [row.index for row in made.rows("failed", 1, 9)] == [5]
    assert (made.total("all"), made.total("failed")) == (6, 2)


def test_a_list_never_has_more_than_two_hundred_rows() -> None:
    assert len(family(1000).rows("all", 0, 10**6)) == MOST_ROWS == 200
    assert family(1000).rows("all", 0, -5) == []
    assert [row.index for row in family(1000).rows("all", 990, 200)] == list(range(990, 1000))


def test_the_child_that_failed_first_is_named_until_it_is_taken_up_again() -> None:
    made = family()
    made.take(5.0, 12, Failed("late"))
    made.take(6.0, 10, Failed("later"))
    assert made.failure() == (2, Failed("late"))
    made.take(7.0, 12, Running())
    found = made.failure()
    assert found is not None
    assert found[0] == 0
    made.take(8.0, 10, Success())
    assert made.failure() is None


def test_looks_of_children_stay_when_their_results_are_let_go() -> None:
    flow, tasks = chain(12)
    flow.run(show=False)
    assert flow.last_run is not None
    feed = Feed(flow.last_run.runner)
    before = feed.children(number_of(flow, tasks["clean"]))
    feed.close()
    assert feed.children(number_of(flow, tasks["clean"])) == before
    assert feed.snapshot(0.0).nodes[number_of(flow, tasks["read"])].counts == {"Success": 11, "Failed": 1}


def test_closing_lets_go_of_every_result() -> None:
    import gc
    import weakref

    class Large:
        pass

    kept: list[weakref.ref[Large]] = []

    @task
    def make(x: int) -> Large:
        made = Large()
        kept.append(weakref.ref(made))
        return made

    with Flow("large") as flow:
        make.map(numbers(5))
    flow.run(show=False)
    assert flow.last_run is not None
    feed = Feed(flow.last_run.runner)
    feed.close()
    flow.last_run = None
    gc.collect()
    assert [one() for one in kept] == [None] * 5
    assert feed.snapshot(0.0).nodes[-1].counts == {"Success": 5}


def test_a_map_over_nothing_says_so() -> None:
    flow, _ = chain(0)
    flow.run(show=False)
    looks = looks_of(flow)
    assert (looks["read"].state, looks["read"].width, looks["read"].counts) == ("Mapped", 0, {})
    assert "Mapped · no elements" in flow.to_text()


def test_a_map_taken_over_from_an_earlier_run_is_counted_by_its_states() -> None:
    made = Family.of_states(3, [Success(result=1), None, Cached(result=2), Failed("no")])
    assert made.counted() == {"Pending": 1, "Success": 1, "Cached": 1, "Failed": 1}
    assert [row.index for row in made.rows("failed", 0, 9)] == [3]
    assert made.rows("failed", 0, 9)[0].ended is None


def test_nodes_that_are_not_mapped_have_no_children() -> None:
    flow, tasks = chain(3)
    flow.run(show=False)
    assert flow.last_run is not None
    feed = Feed(flow.last_run.runner)
    told = feed.children(number_of(flow, tasks["total"]))
    assert (told.total, told.rows) == (0, ())
    assert feed.children(10**6).total == 0


def test_counts_are_told_while_the_map_goes_on() -> None:
    gate = threading.Event()
    flow, tasks = chain(50, gate)
    told: list[NodeLook] = []

    def watch(events: object) -> None:
        changes = feed.changes(0.0)
        told.extend(changes.nodes if changes is not None else ())

    run = flow.start(show=False)
    feed = Feed(run.runner)
    run.subscribe(watch)
    gate.set()
    run.wait(10)
    number = run.runner.plan.number(tasks["read"])
    counts = [look.counts for look in told if look.node == number and look.state == "Mapping"]
    assert len(counts) >= 10
    assert all(one != other for one, other in itertools.pairwise(counts))


def test_a_view_is_told_of_the_mapped_node_alone_however_many_children_changed() -> None:
    flow, _ = chain(50)
    run = flow.start(show=False)
    feed = Feed(run.runner)
    run.wait(10)
    changes = feed.changes(0.0)
    assert changes is not None
    assert len(changes.nodes) == 4
    assert feed.changes(0.0) is None


def test_children_are_retried_on_their_own() -> None:
    tries: dict[int, int] = {}

    @task(max_retries=2, retry_delay=dt.timedelta(minutes=1))
    def flaky(x: int, limit: int) -> int:
        tries[x] = tries.get(x, 0) + 1
        if tries[x] <= x:
            raise OSError("again")
        return x

    with Flow("retries") as flow:
        made = flaky.map(numbers(3), unmapped(1))
    flow.run(show=False, clock=VirtualClock(start=0.0))
    assert flow.last_run is not None
    rows = Feed(flow.last_run.runner).children(number_of(flow, made)).rows
    assert [(row.index, row.attempt) for row in rows] == [(0, 1), (1, 2), (2, 3)]


def test_a_paused_child_asks_for_a_person() -> None:
    @task
    def asks(x: int) -> int:
        if x == 1 and not context.get("resume"):
            raise signals.PAUSE("Look at the rows first.")
        return x

    with Flow("approval") as flow:
        asks.map(numbers(3))
    flow.run(show=False)
    run = flow.last_run
    assert run is not None
    feed = Feed(run.runner)
    told = feed.snapshot(run.runner.clock.now())
    assert told.flow.paused
    assert told.nodes[-1].state == "Paused"
    run.resume()
    assert run.wait(5).is_successful()
    assert feed.snapshot(0.0).nodes[-1].counts == {"Success": 3}


def test_a_saved_run_keeps_its_first_children_and_lists_those_that_failed() -> None:
    flow, tasks = chain(300)
    flow.run(show=False)
    assert flow.last_run is not None
    bundle = flow.last_run._repr_mimebundle_()
    kept = decode_bundle(json.loads(json.dumps(bundle[MIME])))
    by_node = {told.node: told for told in kept.children}
    first = by_node[number_of(flow, tasks["read"])]
    assert first.total == 300
    assert first.rows[0].index == 4
    assert len(first.rows) == 100  # two mapped tasks share two hundred
    assert "read[4]" in bundle["text/html"]
    assert "ValueError: no rows" in bundle["text/html"]
    assert "Mapped · 1 of 300 failed" in bundle["text/plain"]


def test_a_table_lists_ten_failed_children_and_says_how_many_more() -> None:
    @task
    def fails(x: int) -> None:
        raise ValueError(f"<b>{x}")

    with Flow("failing") as flow:
        fails.map(numbers(1000))
    flow.run(show=False)
    html = flow.last_run._repr_mimebundle_()["text/html"] if flow.last_run else ""
    assert html.count("fails[") == 10 + html.split("<details")[0].count("fails[")
    assert "and 990 more of fails failed" in html
    assert "<b>" not in html


def test_a_picture_without_children_told_has_no_rows_of_them() -> None:
    flow, _ = chain(3)
    assert "read[" not in draw_html(picture(flow))


def measure(events: Callable[[Family], None], width: int) -> float:
    made = Family(0, 0, width)
    began = time.process_time()
    events(made)
    return (time.process_time() - began) / (2 * width)


def test_an_event_of_a_child_costs_the_same_however_many_there_are() -> None:
    running, done = Running(), Success()

    def events(made: Family) -> None:
        for child in range(made.width):
            made.take(1.0, child, running)
            made.take(2.0, child, done)

    few, many = (min(measure(events, width) for _ in range(3)) for width in (2_000, 100_000))
    assert many < 3 * few
    assert many < 10e-6  # aim: 2 microseconds, on a machine with nothing else to do


def test_states_of_a_mapped_parent_end_the_map() -> None:
    flow, tasks = chain(3)
    flow.run(show=False)
    assert flow.last_run is not None
    state = flow.last_run.state.result[tasks["read"]]
    assert isinstance(state, Mapped)
    assert not isinstance(state, Pending)
    look = looks_of(flow)["read"]
    assert look.ended is not None
    assert look.started is not None


def test_children_that_hand_a_secret_on_are_told_of_without_it() -> None:
    @task
    def with_word(x: int, word: str) -> str:
        return word if x else "nothing to hide"

    with Flow("secrets") as flow:
        made = with_word.map(numbers(2), unmapped(Parameter("word", sensitive=True)))
    flow.run(show=False, word="abc")
    assert flow.last_run is not None
    feed = Feed(flow.last_run.runner)
    number = number_of(flow, made)
    for _ in range(2):  # before and after the results are let go
        assert [row.result for row in feed.children(number).rows] == ["'nothing to hide'", "***"]
        feed.close()
    assert "abc" not in json.dumps(flow.last_run._repr_mimebundle_())
