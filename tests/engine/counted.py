"""Tasks that count their calls, for tests of what is kept."""

from __future__ import annotations

from typing import Any

from flowbook import Flow, Task, task
from flowbook.states import State


class Counted:
    """A body that counts its calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __call__(self, x: Any = 0) -> Any:
        self.calls.append(x)
        return [x, len(self.calls)]


def counted(**options: Any) -> tuple[Task, Counted]:
    body = Counted()

    @task(name="counted", **options)
    def run(x: Any = 0) -> Any:
        return body(x)

    return run, body


def run(flow: Flow, **options: Any) -> State:
    state: State = flow.run(show=False, **options)
    if flow.last_run is not None:
        flow.last_run.runner.machine.check()
    return state


def why(flow: Flow, of: Task) -> str:
    assert flow.last_run is not None
    return flow.last_run.story(of).why
