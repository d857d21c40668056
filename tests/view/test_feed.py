"""The feed folds a run's log into looks, and tells each change once."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from flowbook import Flow, context, signals, task
from flowbook.view.feed import Feed, preview
from flowbook.view.protocol import NodeLook, encode


@task
def one() -> int:
    return 1


@task
def broken(x: object) -> None:
    raise ValueError("no rows")


@task
def after(x: object) -> object:
    return x


@task(max_retries=2, retry_delay=dt.timedelta(minutes=1))
def flaky() -> str:
    raise OSError("again")


def test_looks_follow_a_run_to_its_end() -> None:
    with Flow("etl") as flow:
        first = one()
        second = broken(first)
        third = after(second)
    flow.run(show=False)
    run = flow.last_run
    assert run is not None
    snapshot = Feed(run.runner).snapshot(run.runner.clock.now())
    looks = {run.runner.plan.tasks[look.node]: look for look in snapshot.nodes}
    assert [looks[each].state for each in (first, second, third)] == ["Success", "Failed", "TriggerFailed"]
    assert looks[first].result == "1"
    assert looks[first].attempt == 1
    assert looks[third].attempt == 0
    assert looks[third].started is None
    assert snapshot.flow.state == "Failed"
    assert snapshot.flow.sentence.startswith("broken failed at test_feed.py")
    json.dumps(encode(snapshot))


def test_a_retry_is_the_attempt_to_come_and_knows_when_it_is_due() -> None:
    with Flow("retry") as flow:
        flaky()
    seen: list[NodeLook] = []

    def watch(events: object) -> None:
        assert run is not None
        seen.append(Feed(run.runner).snapshot(run.runner.clock.now()).nodes[0])

    run = flow.start(show=False, clock="fast")
    run.subscribe(watch)
    run.wait(10)
    final = Feed(run.runner).snapshot(run.runner.clock.now()).nodes[0]
    assert (final.state, final.attempt) == ("Failed", 3)
    waiting = [look for look in seen if look.state == "Retrying"]
    for look in waiting:
        assert look.due is not None
        assert look.ended is not None
        assert look.due - look.ended == pytest.approx(60, abs=1e-3)  # datetimes count in microseconds


def test_changes_are_told_once_and_numbers_follow_each_other() -> None:
    with Flow("etl") as flow:
        one()
    flow.run(show=False)
    run = flow.last_run
    assert run is not None
    feed = Feed(run.runner)
    changes = feed.changes(0.0)
    assert changes is not None
    assert (changes.since, changes.seq) == (0, len(run.events))
    assert [look.state for look in changes.nodes] == ["Success"]
    assert feed.changes(0.0) is None


def test_looks_stay_when_the_results_are_let_go() -> None:
    with Flow("etl") as flow:
        one()
    flow.run(show=False)
    assert flow.last_run is not None
    feed = Feed(flow.last_run.runner)
    feed.close()
    assert feed.runner is None
    look = feed.snapshot(0.0).nodes[0]
    assert (look.state, look.result) == ("Success", "1")


def test_the_sentence_goes_when_the_trouble_is_over() -> None:
    count = []

    @task(max_retries=1, retry_delay=dt.timedelta(hours=1))
    def recovers() -> int:
        count.append(1)
        if len(count) == 1:
            raise OSError("once")
        return 1

    with Flow("recovers") as flow:
        recovers()
    sentences = []
    run = flow.start(show=False, clock="fast", flow_run_name="named")
    feed = Feed(run.runner)
    run.subscribe(lambda events: sentences.append(feed.snapshot(0.0).flow.sentence))
    run.wait(10)
    assert Feed(run.runner).snapshot(0.0).flow.sentence == ""


def test_previews_never_call_a_users_code() -> None:
    class Liar:
        def __len__(self) -> int:
            raise AssertionError("asked")

        def __repr__(self) -> str:
            raise AssertionError("asked")

    class SubList(list[int]):
        def __len__(self) -> int:
            raise AssertionError("asked")

    assert preview(Liar()) == ""
    assert preview(SubList()) == ""
    assert preview("x" * 1000) == ""
    assert preview({"a": 1}) == "1 item"
    assert preview(True) == "True"


def test_previews_know_tables_and_arrays() -> None:
    import numpy as np
    import pandas as pd

    assert preview(pd.DataFrame({"a": range(1200)})) == "1,200 rows"
    assert preview(np.zeros((3, 4))) == "3 \u00d7 4"


def test_a_skip_names_its_cause() -> None:
    @task
    def leaves() -> None:
        raise signals.SKIP("not today")

    with Flow("skips") as flow:
        after(leaves())
    flow.run(show=False)
    assert flow.last_run is not None
    sentence = Feed(flow.last_run.runner).snapshot(0.0).flow.sentence
    assert "leaves" in sentence


def test_a_run_that_only_a_person_can_let_go_on_is_shown_as_paused() -> None:
    @task
    def asks() -> None:
        if not context.get("resume"):
            raise signals.PAUSE("Look at the rows first.")

    with Flow("approval") as flow:
        asks()
    flow.run(show=False)
    run = flow.last_run
    assert run is not None
    feed = Feed(run.runner)
    look = feed.snapshot(run.runner.clock.now())
    assert look.flow.paused
    assert look.flow.sentence == "asks waits for a person. Look at the rows first."
    run.resume()
    assert run.wait(5).is_successful()
    assert not feed.snapshot(run.runner.clock.now()).flow.paused


def test_the_sentence_names_what_failed_first_and_counts_what_was_not_run() -> None:
    @task
    def breaks() -> int:
        raise ValueError("no rows")

    @task
    def needs(x: int) -> int:
        return x

    with Flow("etl") as flow:
        needs(needs(breaks()))
    flow.run(show=False)
    assert flow.last_run is not None
    sentence = Feed(flow.last_run.runner).snapshot(0.0).flow.sentence
    assert sentence.startswith("breaks failed")
    assert sentence.endswith("ValueError: no rows. 2 tasks were not run.")
