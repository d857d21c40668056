"""Clocks: real time that never runs backwards, and time that passes only by timers."""

from __future__ import annotations

import time

import pytest

from flowbook import Flow, task
from flowbook.engine.clock import SystemClock, VirtualClock, clock_of
from flowbook.errors import UnknownArgument


def test_the_system_clock_is_the_wall_clock_when_it_is_made() -> None:
    assert SystemClock().now() == pytest.approx(time.time(), abs=0.1)


def test_a_change_of_the_wall_clock_does_not_move_the_system_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.now() >= before
    clock.advance(before + 3600)
    assert clock.now() < before + 1800


def test_the_virtual_clock_stands_still_until_it_is_advanced_and_never_goes_back() -> None:
    clock = VirtualClock(start=100.0)
    assert clock.now() == clock.now() == 100.0
    clock.advance(150.0)
    clock.advance(120.0)
    assert clock.now() == 150.0


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock(start=5.0)])
def test_the_reading_is_the_same_as_now(clock: SystemClock | VirtualClock) -> None:
    read, offset = clock.reading
    assert read() + offset == pytest.approx(clock.now(), abs=0.01)


def test_clocks_are_chosen_by_name_or_given() -> None:
    clock = VirtualClock()
    assert clock_of(clock) is clock
    assert clock_of("fast").is_virtual
    assert not clock_of("real").is_virtual
    assert not clock_of(None).is_virtual
    with pytest.raises(UnknownArgument, match="clock='quick' is not a clock"):
        clock_of("quick")


def test_a_clock_that_is_given_is_the_one_a_run_reads() -> None:
    with Flow("then") as flow:
        task(lambda: None)()
    flow.run(show=False, clock=VirtualClock(start=1000.0))
    assert flow.last_run is not None
    assert {event.at for event in flow.last_run.events} == {1000.0}
