"""What a person does while a run goes on: on another thread, once a task of the run is busy."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

from flowbook import Flow


def interrupt() -> None:
    """Press Ctrl-C."""
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)


def is_busy(flow: Flow) -> bool:
    """Tell whether a body of the flow's run is running, is asked about, or waits for its next attempt."""
    if flow.last_run is None:
        return False
    machine = flow.last_run.runner.machine
    return bool(machine.running or machine.asking or machine.due)


@contextlib.contextmanager
def meanwhile(do: Callable[[], object], flow: Flow | None = None, after: float = 0.1) -> Iterator[list[float]]:
    """Do something a little while after a run of the flow has got busy; the list gets the moment of it."""
    moments: list[float] = []

    def later() -> None:
        deadline = time.monotonic() + 10
        while flow is not None and not is_busy(flow) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(after)
        moments.append(time.monotonic())
        do()

    thread = threading.Thread(target=later)
    thread.start()
    yield moments
    thread.join()
