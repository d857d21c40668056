"""Retries: whether a task run that failed gets another attempt, and when."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flowbook.engine.ends import said
from flowbook.states import Retrying, State, TriggerFailed

if TYPE_CHECKING:
    from flowbook.engine.machine import Machine

__all__ = ["has_attempts_left", "moment", "retrying"]


def has_attempts_left(machine: Machine, task: int, state: State) -> bool:
    """Tell whether a failed task run is to be tried again."""
    described = machine.plan.described[task]
    if (
        isinstance(state, TriggerFailed)
        or machine.cancelled is not None
        or machine.run_count(task) > described.max_retries
    ):
        return False
    return described.retry_on is None or isinstance(state.result, described.retry_on)


def retrying(machine: Machine, task: int, state: State, at: float) -> State:
    """Return the state in which a failed task run waits for its next attempt."""
    described = machine.plan.described[task]
    count = machine.run_count(task)
    due = moment(at) + (described.retry_delay or dt.timedelta())
    why = said(state.result, 200) if isinstance(state.result, BaseException) else state.message or "no reason given"
    message = f"Attempt {count} of {described.max_retries + 1} failed ({why}); the next one follows."
    return Retrying(message, start_time=due, run_count=count)


def moment(at: float) -> dt.datetime:
    """Return a time of the engine's clock (seconds since the epoch) as a date with a time zone."""
    return dt.datetime.fromtimestamp(at, dt.timezone.utc)
