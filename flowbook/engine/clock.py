"""Clocks: time is an argument of the engine.

The system clock is anchored to the monotonic one, so that a change of the wall clock never makes a duration negative.
The virtual clock stands still while anything can be done and jumps to the next timer when nothing can: an hour of
retries takes a millisecond.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from flowbook.errors import UnknownArgument, shown

if TYPE_CHECKING:
    from collections.abc import Callable

_monotonic = time.monotonic

# The clock on the wall is nudged all the time; only what a person would notice is followed.
_DRIFT = 0.5

__all__ = ["Clock", "SystemClock", "VirtualClock", "clock_of"]


class Clock(Protocol):
    """What tells the engine the time."""

    is_virtual: bool
    # A function and what to add to it: the same as now(), without the price of a method in the hot loop.
    reading: tuple[Callable[[], float], float]

    def now(self) -> float:
        """Return seconds since the epoch."""

    def advance(self, to: float) -> None:
        """Let the time come to `to`, when time is not real."""


class SystemClock:
    """Real time, which never runs backwards."""

    is_virtual = False

    def __init__(self) -> None:
        self._offset = time.time() - _monotonic()
        self.reading = (_monotonic, self._offset)

    def now(self) -> float:
        """Return seconds since the epoch."""
        return _monotonic() + self._offset

    def advance(self, to: float) -> None:
        """Do nothing: real time comes by itself."""

    def follow_the_wall(self) -> None:
        """Take over how the clock on the wall was set meanwhile; for those who wait and have not begun anything."""
        offset = time.time() - _monotonic()
        if abs(offset - self._offset) > _DRIFT:
            self._offset = offset
            self.reading = (_monotonic, offset)


class VirtualClock:
    """Time that passes only by timers.

    Args:
        start: the first moment, in seconds since the epoch; the present when not given.

    >>> clock = VirtualClock(start=0.0)
    >>> clock.advance(3600.0)
    >>> clock.now()
    3600.0

    """

    is_virtual = True

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start
        self.reading = (self.now, 0.0)

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._now

    def advance(self, to: float) -> None:
        """Jump to a later moment; an earlier one changes nothing."""
        self._now = max(self._now, to)


def clock_of(clock: str | Clock | None) -> Clock:
    """Return the clock meant by "fast", "real", None, or a clock.

    Raises:
        UnknownArgument: none of these.

    """
    if clock is None or clock == "real":
        return SystemClock()
    if clock == "fast":
        return VirtualClock()
    if hasattr(clock, "reading") and not isinstance(clock, str):
        return clock
    msg = f"clock={shown(clock)} is not a clock. Use 'real', 'fast', or a flowbook.engine.clock.VirtualClock(start)."
    raise UnknownArgument(msg)
