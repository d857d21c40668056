"""Every test of the engine guards every invariant: all machines that were made are checked at its end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from flowbook import Flow
from flowbook.engine import attempt
from flowbook.engine.executors import ThreadExecutor
from flowbook.engine.machine import Machine
from flowbook.states import State

if TYPE_CHECKING:
    from distributed import Client

Run = Callable[..., State]


@pytest.fixture(autouse=True)
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Machine]]:
    """Collect the machines of a test and check them when it has ended."""
    made: list[Machine] = []
    initialise = Machine.__init__

    def collecting(machine: Machine, *args: Any, **kwargs: Any) -> None:
        initialise(machine, *args, **kwargs)
        made.append(machine)

    monkeypatch.setattr(Machine, "__init__", collecting)
    yield made
    for machine in made:
        machine.check()


@pytest.fixture(autouse=True)
def can_be_interrupted() -> Iterator[None]:
    """Hear Ctrl-C as in a terminal; a suite that runs in the background of a shell is started deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["local", "threads", "one thread", "started"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a flow in each way there is, in virtual time, and return its state."""
    return partial(_run, request.param)


def _run(way: str, flow: Flow, parameters: Mapping[str, Any] | None = None, **options: Any) -> State:
    options = {"show": False, "clock": "fast", **options}
    state: State
    if way == "started":
        state = flow.start(parameters, **options).wait(20)
        return state
    executor = ThreadExecutor(workers=1) if way == "one thread" else way
    state = flow.run(parameters, executor=executor, **options)
    return state


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the ability to start threads away from the engine, as in Pyodide."""
    monkeypatch.setattr(attempt, "can_start_threads", lambda: False)


@pytest.fixture(scope="session")
def dask_threads() -> Iterator[Client]:
    """A Dask cluster in this process."""
    yield from _client(processes=False)


@pytest.fixture(scope="session")
def dask_processes() -> Iterator[Client]:
    """A Dask cluster of two worker processes."""
    yield from _client(processes=True)


def _client(*, processes: bool) -> Iterator[Client]:
    # loaded by the tests that need it: it takes longer than most of the others
    from distributed import Client

    from tests.engine.clusters import cluster

    with cluster(processes=processes) as made, Client(made, set_as_default=False) as client:
        yield client
