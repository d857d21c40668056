"""The local executor: bodies on the calling thread, and how they are stopped there."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowbook import Flow, Task, context, signals, task
from flowbook.engine import messages as m
from flowbook.engine.executors.local import OneByOne
from flowbook.engine.interrupts import RunInterrupted
from flowbook.states import Cancelled, Failed, State, Success, TimedOut
from tests.engine.people import interrupt, meanwhile


@task
def sleep(seconds: float = 30.0) -> str:
    time.sleep(seconds)
    return "slept"


@task
def one() -> int:
    return 1


@pytest.fixture(autouse=True)
def handler_is_put_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    yield
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before


def test_bodies_run_on_the_calling_thread_in_order() -> None:
    threads: list[threading.Thread] = []

    @task
    def note(x: object = None) -> None:
        threads.append(threading.current_thread())

    with Flow("here") as flow:
        note(note(note()))
    flow.run(show=False)
    assert threads == [threading.current_thread()] * 3


# -- interrupts ------------------------------------------------------------------------------------------------------


def three() -> tuple[Flow, Task, Task, Task]:
    with Flow("three") as flow:
        first = one()
        second = sleep(upstream_tasks=[first])
        third = one(upstream_tasks=[second])
    return flow, first, second, third


def test_an_interrupt_in_a_body_is_a_clean_cancel_and_is_raised_again() -> None:
    flow, first, second, third = three()
    with meanwhile(interrupt, flow), pytest.raises(KeyboardInterrupt):
        flow.run(show=False)
    assert flow.last_run is not None
    state = flow.last_run.wait(0)
    assert (type(state), state.message) == (Cancelled, "Interrupted from the keyboard.")
    assert state.result[first] == Success(result=1)
    assert [type(state.result[late]) for late in (second, third)] == [Cancelled, Cancelled]


def test_an_interrupt_between_bodies_while_a_retry_is_waited_for_is_a_clean_cancel() -> None:
    @task
    def flaky() -> None:
        raise signals.RETRY(start_time=_in_an_hour())

    with Flow("waits") as flow:
        flaky()
    begun = time.monotonic()
    with meanwhile(interrupt, flow), pytest.raises(KeyboardInterrupt):
        flow.run(show=False)
    assert time.monotonic() - begun < 5
    assert flow.last_run is not None
    assert type(flow.last_run.state) is Cancelled


def _in_an_hour() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)


def test_a_body_may_clean_up_after_an_interrupt_and_its_result_is_kept() -> None:
    @task
    def careful() -> str:
        try:
            time.sleep(30)
        except KeyboardInterrupt:
            return "saved"
        return "never"

    with Flow("careful") as flow:
        made = careful()
        after = one(upstream_tasks=[made])
    with meanwhile(interrupt, flow), pytest.raises(KeyboardInterrupt):
        flow.run(show=False)
    assert flow.last_run is not None
    assert flow.last_run[made].result == "saved"
    assert type(flow.last_run[after]) is Cancelled


def test_a_second_interrupt_reaches_a_body_that_swallowed_the_first() -> None:
    begun = time.monotonic()

    @task
    def stubborn() -> None:
        with contextlib.suppress(BaseException):
            time.sleep(30)
        time.sleep(30)

    with Flow("stubborn") as flow:
        stubborn()

    def twice() -> None:
        interrupt()
        time.sleep(0.2)
        interrupt()

    with meanwhile(twice, flow), pytest.raises(KeyboardInterrupt):
        flow.run(show=False)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("what", ["state_handlers", "trigger"])
def test_an_interrupt_reaches_handlers_and_triggers_too(what: str) -> None:
    def slow(*args: Any) -> None:
        time.sleep(30)

    with Flow("slow") as flow:
        made = one(task_args={what: [slow] if what == "state_handlers" else slow})
    begun = time.monotonic()
    with meanwhile(interrupt, flow), pytest.raises(KeyboardInterrupt):
        flow.run(show=False)
    assert time.monotonic() - begun < 5
    assert flow.last_run is not None
    assert type(flow.last_run[made]) is Cancelled


def test_a_keyboard_interrupt_that_a_body_raises_by_itself_is_a_failure_and_cancels_nothing() -> None:
    @task
    def odd() -> None:
        raise KeyboardInterrupt

    with Flow("odd") as flow:
        made = odd()
        other = one()
    state = flow.run(show=False)
    assert type(state.result[made]) is Failed
    assert state.result[other].is_successful()


def test_an_interrupt_in_a_run_inside_a_task_cancels_both_runs() -> None:
    inner, _, inner_second, _ = three()

    @task
    def outer() -> None:
        inner.run(show=False)

    with Flow("outer") as flow:
        made = outer()
        after = one(upstream_tasks=[made])
    with meanwhile(interrupt, inner), pytest.raises(RunInterrupted):
        flow.run(show=False)
    assert inner.last_run is not None
    assert flow.last_run is not None
    assert type(inner.last_run.state) is type(flow.last_run.state) is Cancelled
    assert type(inner.last_run[inner_second]) is Cancelled
    assert [type(flow.last_run[task]) for task in (made, after)] == [Cancelled, Cancelled]


def test_an_interrupt_that_everybody_ignores_is_ignored_by_a_run() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Flow("ignores") as flow:
            sleep(0.3)
        with meanwhile(interrupt, flow):
            assert flow.run(show=False).is_successful()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_a_body_does_to_signals_is_left_alone_and_our_handler_is_harmless_when_it_is_put_back_late() -> None:
    before = signal.getsignal(signal.SIGINT)
    kept: list[Any] = []

    @task
    def meddle() -> None:
        kept.append(signal.signal(signal.SIGINT, signal.SIG_IGN))

    with Flow("meddles") as flow:
        meddle()
    try:
        assert flow.run(show=False).is_successful()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.signal(signal.SIGINT, kept[0])
        with pytest.raises(KeyboardInterrupt), meanwhile(interrupt):
            time.sleep(1)
    finally:
        signal.signal(signal.SIGINT, before)


# -- cancel from another thread --------------------------------------------------------------------------------------


def cancel(flow: Flow) -> Callable[[], None]:
    def do() -> None:
        assert flow.last_run is not None
        flow.last_run.cancel("by button")

    return do


def test_cancel_from_another_thread_stops_a_body_that_blocks() -> None:
    flow, first, second, third = three()
    with meanwhile(cancel(flow), flow) as moments:
        state = flow.run(show=False)
        took = time.monotonic() - moments[0]
    assert took < 2  # the bench measures how much sooner
    assert (type(state), state.message) == (Cancelled, "by button")
    assert state.result[first].is_successful()
    assert [type(state.result[late]) for late in (second, third)] == [Cancelled, Cancelled]


def test_a_body_that_swallows_everything_delays_a_cancel_but_does_not_defeat_it() -> None:
    @task
    def deaf() -> str:
        with contextlib.suppress(BaseException):
            time.sleep(30)
        return "whatever"

    with Flow("deaf") as flow:
        made = deaf()
        after = one(upstream_tasks=[made])
    with meanwhile(cancel(flow), flow):
        state = flow.run(show=False)
    assert type(state) is Cancelled
    assert state.result[made].result == "whatever"
    assert type(state.result[after]) is Cancelled


def test_cancel_of_an_outer_run_stops_the_run_in_its_body_and_is_no_keyboard_interrupt() -> None:
    inner, _, inner_second, _ = three()
    middle_runs: list[State] = []

    @task
    def run_inner() -> None:
        middle_runs.append(inner.run(show=False))

    with Flow("middle") as middle:
        in_middle = run_inner()
        one(upstream_tasks=[in_middle])

    @task
    def run_middle() -> None:
        middle.run(show=False)

    with Flow("outer") as flow:
        made = run_middle()
        other = one(upstream_tasks=[made])
    with meanwhile(cancel(flow), inner):
        state = flow.run(show=False)
    assert (type(state), state.message) == (Cancelled, "by button")
    assert [type(state.result[task]) for task in (made, other)] == [Cancelled, Cancelled]
    assert inner.last_run is not None
    assert middle.last_run is not None
    assert type(inner.last_run.wait(0)) is type(middle.last_run.wait(0)) is Cancelled
    assert type(inner.last_run[inner_second]) is Cancelled
    assert middle.last_run.state.message == "The run around this one was cancelled."
    assert middle_runs == []


def test_a_cancel_that_comes_when_the_body_has_just_ended_leaves_no_signal_behind() -> None:
    for _ in range(20):
        with Flow("short") as flow:
            sleep(0.005)
            sleep(0.0)
        with meanwhile(cancel(flow), flow, after=0.005):
            state = flow.run(show=False)
        assert type(state) in {Success, Cancelled}


# -- timeouts --------------------------------------------------------------------------------------------------------


def test_a_body_is_stopped_by_its_timeout() -> None:
    cleaned: list[bool] = []

    @task(timeout=1)
    def slow() -> None:
        try:
            time.sleep(30)
        finally:
            cleaned.append(True)

    with Flow("slow") as flow:
        made = slow()
    assert type(flow.run(show=False).result[made]) is TimedOut
    assert cleaned == [True]


def test_a_body_that_swallows_its_timeout_is_timed_out_all_the_same() -> None:
    @task(timeout=1)
    def deaf() -> str:
        with contextlib.suppress(BaseException):
            time.sleep(30)
        return "too late"

    with Flow("deaf") as flow:
        made = deaf()
    assert type(flow.run(show=False).result[made]) is TimedOut


def test_the_timeout_of_a_task_holds_for_a_run_in_its_body_that_has_timeouts_itself() -> None:
    with Flow("inner") as inner:
        sleep(0.1, task_args={"timeout": 5})
        sleep(30, task_args={"timeout": 20})

    @task(timeout=1)
    def outer() -> None:
        inner.run(show=False)

    with Flow("outer") as flow:
        made = outer()
    begun = time.monotonic()
    assert type(flow.run(show=False).result[made]) is TimedOut
    assert time.monotonic() - begun < 3


def test_off_the_main_thread_a_body_that_times_out_is_let_go_of() -> None:
    seen: list[Any] = []

    @task(timeout=1)
    def slow() -> None:
        seen.append(context.task_name)
        time.sleep(3)

    @task(timeout=5)
    def quick() -> str:
        return str(context.task_name)

    @task(timeout=5)
    def broken() -> None:
        raise ZeroDivisionError

    with Flow("elsewhere") as flow:
        slow_one, quick_one, broken_one = slow(), quick(), broken()
    states: list[State] = []
    thread = threading.Thread(target=lambda: states.append(flow.run(show=False)))
    thread.start()
    thread.join(10)
    result = states[0].result
    assert type(result[slow_one]) is TimedOut
    assert result[quick_one].result == "quick"
    assert isinstance(result[broken_one].result, ZeroDivisionError)
    assert seen == ["slow"]


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_run_inside_that_waits_for_a_retry_is_unwound_too(how: str) -> None:
    @task
    def waits() -> None:
        raise signals.RETRY(start_time=_in_an_hour())

    with Flow("inner") as inner:
        waits()

    @task
    def outer() -> None:
        inner.run(show=False)

    with Flow("outer") as flow:
        made = outer(task_args={"timeout": 1} if how == "timeout" else {})
    begun = time.monotonic()
    with meanwhile(cancel(flow) if how == "cancel" else int, inner):
        state = flow.run(show=False)
    assert time.monotonic() - begun < 5
    assert type(state.result[made]) is (Cancelled if how == "cancel" else TimedOut)
    assert inner.last_run is not None
    assert type(inner.last_run.wait(0)) is Cancelled


def test_an_interrupt_that_comes_just_when_a_body_is_left_is_taken_in_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is raised between a body's own error and the line that says that no body runs any more."""
    take_in = OneByOne._take_in
    raised: list[bool] = []

    def leaking(hand: OneByOne, number: int, error: BaseException) -> None:
        if not raised:
            raised.append(True)
            hand.state.asked = True
            hand.runner.post(m.CancelAsked(hand.runner.clock.now(), "leaked"))
            hand.frame.task = number
            raise RunInterrupted
        take_in(hand, number, error)

    @task
    def bad() -> None:
        raise ValueError

    with Flow("leaks") as flow:
        made = bad()
        after = one(upstream_tasks=[made])
    monkeypatch.setattr(OneByOne, "_take_in", leaking)
    with pytest.raises(KeyboardInterrupt):
        flow.run(show=False)
    assert flow.last_run is not None
    assert [type(flow.last_run[task]) for task in (made, after)] == [Cancelled, Cancelled]


def test_an_interrupt_that_comes_just_when_a_handler_is_left_is_taken_in_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leaking(hand: OneByOne, question: m.Question) -> None:
        hand.state.asked = True
        hand.runner.post(m.CancelAsked(hand.runner.clock.now(), "leaked"))
        raise RunInterrupted

    with Flow("leaks") as flow:
        made = one(task_args={"state_handlers": [lambda one, old, new: None]})
    monkeypatch.setattr(OneByOne, "ask", leaking)
    with pytest.raises(KeyboardInterrupt):
        flow.run(show=False)
    assert flow.last_run is not None
    assert type(flow.last_run[made]) is Cancelled


def test_a_handler_that_was_not_set_from_python_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    with Flow("foreign") as flow:
        one()
    assert flow.run(show=False).is_successful()
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
