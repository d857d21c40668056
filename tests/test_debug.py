"""Errors can be let out of a run, and objects asked whether they can travel."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import traceback
from typing import Any

import pytest

from flowbook import Flow, signals, task
from flowbook.schedules import IntervalSchedule
from flowbook.signals import FAIL
from flowbook.states import Cancelled, Failed, Success
from flowbook.utilities.debug import is_serializable, raise_on_exception

SOON = dt.timedelta(hours=1)


def broken(error: BaseException | None = None, **options: Any) -> tuple[Flow, list[int]]:
    done: list[int] = []

    @task(name="breaks", **options)
    def breaks() -> None:
        done.append(1)
        raise error or ValueError("in the body")

    @task
    def after(x: object) -> None:
        done.append(2)

    with Flow("broken") as flow:
        after(breaks())
    return flow, done


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_the_error_of_a_body_comes_out_with_its_traceback(executor: str) -> None:
    flow, done = broken()
    with raise_on_exception(), pytest.raises(ValueError, match="in the body") as caught:
        flow.run(executor=executor, show=False)
    assert "breaks" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert done == [1]
    assert flow.last_run is not None
    assert sorted(type(state).__name__ for state in flow.last_run.states.values()) in (
        ["Cancelled", "Failed"],
        ["Failed", "TriggerFailed"],
    )


def test_outside_of_the_block_nothing_is_raised() -> None:
    flow, _ = broken()
    with raise_on_exception():
        pass
    assert flow.run(show=False).is_failed()


def test_nothing_is_retried() -> None:
    flow, done = broken(max_retries=3, retry_delay=SOON)
    with raise_on_exception(), pytest.raises(ValueError, match="in the body"):
        flow.run(show=False)
    assert done == [1]
    assert flow.last_run is not None
    assert type(flow.last_run.state) is Cancelled
    assert "raise_on_exception: ValueError('in the body')" in str(flow.last_run.state.message)


def test_a_signal_that_fails_comes_out_too() -> None:
    flow, _ = broken(FAIL("no more"))
    with raise_on_exception(), pytest.raises(FAIL, match="no more"):
        flow.run(show=False)


@pytest.mark.parametrize("signal", [signals.SKIP("not today"), signals.SUCCESS("early", result=1)])
def test_signals_that_steer_the_run_stay_inside(signal: BaseException) -> None:
    flow, _ = broken(signal)
    with raise_on_exception():
        assert flow.run(show=False).is_successful()


def test_the_handle_raises_when_it_is_waited_for() -> None:
    for error in (ValueError("in the body"), FAIL("in the body")):
        flow, _ = broken(error)
        with raise_on_exception():
            run = flow.start(show=False)
        with pytest.raises(type(error), match="in the body"):
            run.wait(5)


def test_who_awaits_is_told() -> None:
    flow, _ = broken()
    with raise_on_exception(), pytest.raises(ValueError, match="in the body"):
        asyncio.run(flow.run_async(show=False))


def test_a_schedule_ends_with_the_error() -> None:
    flow, done = broken()
    now = dt.datetime.now(dt.timezone.utc)
    flow.schedule = IntervalSchedule(now + SOON, SOON, end_date=now + 5 * SOON)
    with raise_on_exception(), pytest.raises(ValueError, match="in the body"):
        flow.run(clock="fast", show=False)
    assert done == [1]
    for error in (ValueError("in the body"), FAIL("in the body")):
        flow, done = broken(error)
        flow.schedule = IntervalSchedule(now + SOON, SOON, end_date=now + 5 * SOON)
        with raise_on_exception():
            runs = flow.start(clock="fast", show=False)
        with pytest.raises(type(error), match="in the body"):
            runs.wait(5)


def test_what_can_travel_is_serializable() -> None:
    with Flow("travels") as flow:
        task(lambda: 1)()
    assert is_serializable(flow)
    assert is_serializable(Success(result=[1]))
    assert not is_serializable(threading.Lock())
    assert not is_serializable(Failed(result={"lock": threading.Lock()}))
    with pytest.raises(TypeError, match="lock"):
        is_serializable(threading.Lock(), raise_on_error=True)
