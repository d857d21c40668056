"""The hub tells every view what happened, takes in commands, and survives broken channels."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from flowbook import Flow, task
from flowbook.notebook.hub import Hub, Viewing
from flowbook.view.protocol import PROTOCOL


class Recording:
    """A channel that remembers, or breaks."""

    def __init__(self, *, broken: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        self.broken = broken

    def send(self, message: dict[str, Any]) -> None:
        if self.broken:
            raise OSError("closed")
        self.messages.append(message)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]


def until(condition: Any, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.005)


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def flow(gate: threading.Event) -> Flow:
    @task
    def waits() -> bool:
        return gate.wait(10)

    @task
    def after(x: object) -> object:
        return x

    with Flow("gated") as made:
        after(waits())
    return made


def started(hub: Hub, flow: Flow) -> tuple[Any, Viewing]:
    run = flow.start(show=False)  # cannot end before its gate opens
    viewing = Viewing(run)
    run.on_change(lambda run: hub.settle(viewing, ended=run.state.is_finished()))
    hub.follow(viewing)
    return run, viewing


def test_changes_reach_a_view_and_fold_to_the_final_states(flow: Flow, gate: threading.Event) -> None:
    hub, channel = Hub(), Recording()
    hub.link("a", channel)
    run, _ = started(hub, flow)
    gate.set()
    run.wait(5)
    until(lambda: any(change["flow"]["state"] == "Success" for change in channel.of("changes")))
    folded: dict[int, str] = {}
    seq = 0
    for change in channel.of("changes"):
        assert change["since"] == seq
        seq = change["seq"]
        folded.update({look["node"]: look["state"] for look in change["nodes"]})
    assert set(folded.values()) == {"Success"}
    assert seq == len(run.events)


def test_a_late_view_gets_the_picture_and_all_states(flow: Flow, gate: threading.Event) -> None:
    hub = Hub()
    run, viewing = started(hub, flow)
    until(lambda: run.runner.machine.running)
    late = Recording()
    hub.link("late", late)
    hub.hear({"type": "ask", "run": run.id})
    until(lambda: late.of("snapshot"))
    assert late.of("picture")[0]["nodes"][0]["name"] == "waits"
    assert [look["state"] for look in late.of("snapshot")[0]["nodes"]] == ["Running", "Pending"]
    assert viewing.was_asked.is_set()
    gate.set()
    run.wait(5)


def test_changes_go_on_from_the_snapshot_though_much_happens_while_the_picture_is_sent(
    flow: Flow, gate: threading.Event
) -> None:
    class Slow(Recording):
        def send(self, message: dict[str, Any]) -> None:
            super().send(message)
            if message["type"] == "picture":
                gate.set()
                until(lambda: len(run.events) > begun + 2)

    hub, slow = Hub(), Slow()
    run, _ = started(hub, flow)
    until(lambda: run.runner.machine.running)
    begun = len(run.events)
    hub.link("slow", slow)
    for _ in range(2):
        hub.hear({"type": "ask", "run": run.id})
    run.wait(5)
    until(lambda: slow.of("snapshot"))
    answer = slow.of("snapshot")[0]
    told = [one["seq"] for one in slow.messages[: slow.messages.index(answer)] if one["type"] == "changes"]
    assert told[-1] == answer["seq"]
    assert len(slow.of("picture")) == 1, "two who ask at once hear one answer"


def test_a_view_may_ask_when_the_run_has_ended(flow: Flow, gate: threading.Event) -> None:
    hub, channel = Hub(), Recording()
    run, viewing = started(hub, flow)
    gate.set()
    run.wait(5)
    until(lambda: not viewing.is_live)
    hub.link("a", channel)
    hub.hear({"type": "ask", "run": run.id})
    until(lambda: channel.of("snapshot"))
    assert channel.of("snapshot")[0]["flow"]["state"] == "Success"
    assert channel.of("picture")[0]["controls"] == []


def test_cancel_is_obeyed_and_answered(flow: Flow) -> None:
    hub, channel = Hub(), Recording()
    hub.link("a", channel)
    run, _ = started(hub, flow)
    until(lambda: run.runner.machine.running)
    hub.hear({"type": "command", "run": run.id, "id": "1", "verb": "cancel"})
    assert type(run.wait(5)).__name__ == "Cancelled"
    until(lambda: channel.of("acknowledged"))
    assert channel.of("acknowledged")[0]["ok"] is True
    hub.hear({"type": "command", "run": run.id, "id": "2", "verb": "cancel"})
    until(lambda: len(channel.of("acknowledged")) == 2)
    answer = channel.of("acknowledged")[1]
    assert (answer["ok"], answer["said"]) == (False, "The run has already ended.")


def test_a_broken_channel_is_forgotten_and_the_others_go_on(flow: Flow, gate: threading.Event) -> None:
    hub, good = Hub(), Recording()
    hub.link("bad", Recording(broken=True))
    hub.link("good", good)
    run, _ = started(hub, flow)
    gate.set()
    assert run.wait(5).is_successful()
    until(lambda: good.of("changes"))
    assert "bad" not in hub.channels


@pytest.mark.parametrize("nonsense", [None, 3, {}, {"type": "dance"}, {"type": "command", "run": 1}, {"type": "ask"}])
def test_nonsense_from_a_page_is_never_raised_into_the_kernel(nonsense: object) -> None:
    Hub().hear(nonsense)


def test_unknown_runs_are_answered_or_left_alone() -> None:
    hub, channel = Hub(), Recording()
    hub.link("a", channel)
    hub.hear({"type": "hello", "protocol": PROTOCOL + 1, "view": "old"})
    hub.hear({"type": "ask", "run": "unknown"})
    hub.hear({"type": "command", "run": "unknown", "id": "1", "verb": "pause"})
    until(lambda: channel.of("acknowledged"))
    assert channel.of("acknowledged")[0]["ok"] is False


def test_results_are_let_go_when_a_run_has_ended(flow: Flow, gate: threading.Event) -> None:
    import gc
    import weakref

    hub = Hub()
    run, viewing = started(hub, flow)
    gate.set()
    run.wait(5)
    until(lambda: not viewing.is_live)
    weak = weakref.ref(run)
    flow.last_run = None
    del run
    until(lambda: gc.collect() >= 0 and weak() is None)
    assert [look.state for look in viewing.feed.snapshot(0.0).nodes] == ["Success", "Success"]


def test_children_are_told_to_those_who_ask_during_the_run_and_after(gate: threading.Event) -> None:
    @task
    def numbers() -> list[int]:
        return [0, 1, 2]

    @task
    def waits_each(x: int) -> bool:
        if x == 0:
            raise ValueError("no zero")
        return gate.wait(10)

    with Flow("children") as flow:
        waits_each.map(numbers())
    hub, channel = Hub(), Recording()
    hub.link("page", channel)
    run, viewing = started(hub, flow)
    ask = {"type": "ask-children", "run": run.id, "node": 1, "which": "all", "offset": 0, "limit": 200}
    until(lambda: viewing.feed.children(1).total == 3 and viewing.feed.children(1).rows[0].state == "Failed")
    hub.hear(ask)
    until(lambda: channel.of("children"))
    told = channel.of("children")[0]
    assert [row["index"] for row in told["rows"]] == [0, 1, 2]
    assert told["rows"][0]["state"] == "Failed"
    gate.set()
    run.wait(5)
    until(lambda: not viewing.is_live)
    hub.hear({**ask, "which": "failed"})
    until(lambda: len(channel.of("children")) == 2)
    assert channel.of("children")[1]["total"] == 1
    hub.hear({**ask, "run": "nobody's"})
    hub.hear({**ask, "node": 99})
    until(lambda: len(channel.of("children")) == 3)
    assert channel.of("children")[2]["rows"] == []
