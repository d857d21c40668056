"""Pictures of the guide that need more than one line: the tutorial's flow in the middle of its run, and every state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowbook import Flow, Task, context
from flowbook.cli import flow_of_notebook, tutorial
from flowbook.engine.clock import VirtualClock
from flowbook.engine.flow_run import FlowRun
from flowbook.view import svg
from flowbook.view.feed import Feed
from flowbook.view.palette import FAMILY, MAPPING, Theme
from flowbook.view.picture import picture
from flowbook.view.protocol import NodeLook, RunLook


class Stage:
    """A run on a clock that is moved by hand, and tasks that end when they are told to."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.clock = VirtualClock(start=0.0)
        self.gates: dict[str, threading.Event] = {}
        self.run: FlowRun | None = None

    def hold(self, name: str, body: Callable[..., Any] | None = None) -> None:
        """Let a task end only when it is released, with what `body` returns in the place of its own."""
        task = self.task(name)
        gate = self.gates[name] = threading.Event()
        work = task.run if body is None else body

        def wait(**inputs: Any) -> Any:
            assert gate.wait(30)
            return work(**inputs)

        task.run = wait  # type: ignore[method-assign]  # a task can be given its body

    def start(self, **parameters: Any) -> None:
        self.run = self.flow.start(show=False, executor="threads", clock=self.clock, **parameters)

    def at(self, seconds: float, *released: str) -> None:
        """Let the time come to a moment at which some tasks end."""
        self.clock.advance(seconds)
        for name in released:
            self.gates[name].set()
            self.until(name, "Success")

    def until(self, name: str, state: str, attempt: int | None = None) -> None:
        """Wait until a task is in a state; a retry until so many attempts have failed."""
        assert self.run is not None
        task, end = self.task(name), time.monotonic() + 30
        while True:
            now = self.run[task]
            if type(now).__name__ == state and attempt in {None, getattr(now, "run_count", None)}:
                return
            assert time.monotonic() < end, f"{name} is {now}, not {state}"
            time.sleep(0.005)

    def draw(self, theme: Theme) -> str:
        """Draw the run as it is at this moment of its clock."""
        assert self.run is not None
        now = self.clock.now()
        snapshot = Feed(self.run.runner).snapshot(now)
        return svg.draw(picture(self.flow), snapshot.nodes, snapshot.flow, theme=theme, now=now)

    def task(self, name: str) -> Task:
        return self.flow.get_tasks(name=name)[0]

    def end(self) -> None:
        assert self.run is not None
        self.run.cancel()
        for gate in self.gates.values():
            gate.set()
        self.run.wait(30)


def half_way(theme: Theme = "light") -> str:
    """Draw the first tutorial's flow in the middle of its run."""
    flow = flow_of_notebook(tutorial())
    stage = Stage(flow)
    for name in ("read_flights", "read_planes", "clean", "join_planes"):
        stage.hold(name)
    stage.hold("make_folder", lambda: Path("flights"))
    stage.start(month=6)
    stage.at(0.0, "make_folder")
    stage.until("read_weather", "Retrying", attempt=1)
    stage.until("print_snow", "Skipped")
    stage.at(0.4, "read_planes")
    stage.at(0.6, "read_flights")
    stage.until("clean", "Running")
    stage.at(1.0, "clean")  # here the weather service is asked again, and does not answer
    stage.until("read_weather", "Retrying", attempt=2)
    stage.until("join_planes", "Running")
    stage.at(1.4)
    drawn = stage.draw(theme)
    stage.end()
    return drawn


def in_the_middle(flow: Flow, name: str, index: int, theme: Theme = "light") -> str:
    """Run a flow, each task run taking a fifth of a second, and draw it while one mapped child is running."""
    clock, drawn = VirtualClock(start=0.0), []

    def slowed(task: Task) -> Callable[..., Any]:
        body = task.run

        def run(**inputs: Any) -> Any:
            clock.advance(clock.now() + 0.2)
            if (task.name, context.get("map_index")) == (name, index):
                drawn.append(flow.to_svg(theme=theme))
            return body(**inputs)

        return run

    for each in flow.tasks:
        each.run = slowed(each)  # type: ignore[method-assign]  # a task can be given its body
    flow.run(show=False, clock=clock)
    return drawn[0]


def every_state() -> str:
    """Draw one task in each state, as in `tests/golden/every-state.svg`, without the abstract ones."""
    kinds = [kind for kind in FAMILY if kind not in {"State", "Finished", MAPPING}]
    flow = Flow("every state")
    for kind in kinds:
        flow.add_task(Task(name=kind.lower()))
    shown = picture(flow)
    looks = [NodeLook(card.node, kind, attempt=1) for card, kind in zip(shown.cards, kinds, strict=True)]
    return svg.draw(shown, looks, RunLook("Running", "", 0.0, 1.0), theme="light", header=False)
