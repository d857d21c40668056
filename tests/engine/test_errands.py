"""Errands: what a body has the driving thread do."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import pytest

from flowbook import Flow, task
from flowbook.contexts import current_frame
from flowbook.engine.errands import Errands


def here() -> int:
    return threading.get_ident()


def errands() -> Errands:
    frame: Any = current_frame()
    found: Errands = frame.runner.errands
    return found


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_body_has_the_driving_thread_set_a_signal_handler(executor: str) -> None:
    @task
    def asks() -> int:
        before = errands().do(lambda: signal.signal(signal.SIGUSR2, signal.SIG_IGN))
        errands().do(lambda: signal.signal(signal.SIGUSR2, before))
        driver: int = errands().do(here)
        return driver

    with Flow("asks") as flow:
        made = asks()
    state = flow.run(executor=executor, show=False)
    assert state.result[made].result == threading.get_ident()


def test_what_an_errand_raises_is_raised_in_the_body() -> None:
    def refuse() -> None:
        raise LookupError("not there")

    @task
    def asks() -> str:
        try:
            errands().do(refuse)
        except LookupError as error:
            return str(error)
        return ""

    with Flow("asks") as flow:
        made = asks()
    assert flow.run(executor="threads", show=False).result[made].result == "not there"


def test_bodies_run_on_beside_an_errand() -> None:
    @task
    def asks() -> None:
        errands().do(lambda: time.sleep(0.3))

    @task
    def works() -> float:
        time.sleep(0.1)
        return time.monotonic()

    with Flow("beside") as flow:
        slow, quick = asks(), works()
    begun = time.monotonic()
    state = flow.run(executor="threads", show=False)
    assert state.result[quick].result - begun < 0.25
    assert state.result[slow].is_successful()


def test_where_nobody_drives_it_is_done_at_once_and_by_whom_it_was_asked() -> None:
    rung: list[None] = []
    errands = Errands(lambda: rung.append(None))
    assert errands.do(here) == threading.get_ident()
    assert rung == []


def test_who_waits_when_the_drive_ends_is_told() -> None:
    errands = Errands(lambda: None)
    begun = threading.Event()
    found: list[BaseException] = []

    def ask() -> None:
        begun.set()
        try:
            errands.do(here)
        except RuntimeError as error:
            found.append(error)

    errands.begin()
    thread = threading.Thread(target=ask)
    thread.start()
    begun.wait(5)
    while not errands:
        time.sleep(0.001)
    errands.end()
    thread.join(5)
    assert "the run has ended" in str(found[0])
