"""Retries: whether a task run that failed gets another attempt, and when; by itself, or because a person wants it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flowbook.engine.ends import said
from flowbook.errors import shown
from flowbook.states import Failed, Paused, Pending, Retrying, State, TriggerFailed

if TYPE_CHECKING:
    from flowbook.engine.machine import Machine

__all__ = ["has_attempts_left", "moment", "retrying", "try_again", "why_not_again"]


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


# -- because a person wants it -----------------------------------------------------------------------------------------


def why_not_again(machine: Machine, task: int) -> str:
    """Tell why a task cannot be tried again while its run goes on; "" when it can."""
    state, name = machine.states[task], shown(machine.plan.slugs[task], 60)
    if machine.cancelled is not None:
        return "The run was cancelled. Resume it: what failed runs again."
    if task in machine.due and not isinstance(state, Paused):
        return ""
    if not isinstance(state, Failed) or isinstance(state, TriggerFailed) or task in machine.asking:
        return f"{name} is {type(state).__name__}: only a task that failed, or waits for a retry, can be tried again."
    if task >= machine.static or task in machine.families:
        return f"{name} is mapped: its children can be tried again when the run is over, by resuming it."
    for waiting in _waiting_for(machine, task):
        described = shown(machine.plan.slugs[waiting], 60)
        now = machine.states[waiting]
        if not isinstance(now, TriggerFailed) and not (type(now) is Pending and machine.waiting[waiting]):
            return f"{described} has gone on already since {name} failed. Resume the run when it is over."
        if waiting in machine.plan.structure.mapped:
            return f"{described} is mapped over what comes from {name}. Resume the run when it is over."
    return ""


def try_again(machine: Machine, task: int, at: float) -> None:
    """Begin another attempt of a task at once, and let those wait again which were given up since it failed."""
    if why_not_again(machine, task):
        return  # said to whoever asked; by now it may have changed
    if task in machine.due:
        machine.due[task] = at
        machine.let_go_on(task, at)
        return
    given_up = [one for one in _waiting_for(machine, task) if isinstance(machine.states[one], TriggerFailed)]
    message = f"Waits again, since {shown(machine.plan.slugs[task], 60)} is tried again."
    for one in given_up:
        machine.reopen(one, Pending(message), at)
    count = machine.run_count(task)
    machine.reopen(task, Retrying("Tried again on request.", start_time=moment(at), run_count=count), at)
    machine.runs[task] = count + 1
    machine.due[task] = at
    machine.let_go_on(task, at)


def _waiting_for(machine: Machine, task: int) -> list[int]:
    """Return the tasks that a failed one has given something to go on, or to give up; and those that gave up then."""
    found: dict[int, None] = {}
    stack = [task]
    while stack:
        for child in machine.children[stack.pop()]:
            if child not in found:
                found[child] = None
                if isinstance(machine.states[child], TriggerFailed):
                    stack.append(child)
    return list(found)
