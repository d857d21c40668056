"""What the machine knows of kept results: what was found, what was written, and the state after a success.

The looking, reading and writing is done elsewhere (`flowbook.engine.keeping`): here nothing is opened.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flowbook.engine import messages as m
from flowbook.states import Cached, Finished, State, Success

if TYPE_CHECKING:
    from flowbook.engine.machine import Machine
    from flowbook.results.base import Result

__all__ = [
    "Kept",
    "Written",
    "after_success",
    "ask_kept",
    "is_begun_with",
    "is_settled",
    "is_to_be_asked",
    "opened",
    "succeeded",
    "take_kept",
]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was found when a kept result was looked for.

    Attributes:
        state: the state the task ends in without running; None when it has to be run.
        why: the sentence that says why it was taken, or why not.
        inputs: the tokens of the inputs, when the result is to be kept.
        parameters: the flow's parameters, likewise.

    """

    state: State | None = None
    why: str = ""
    inputs: dict[str, str] | None = None
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a body returned, after it was written.

    Attributes:
        value: the value.
        result: where it is kept now.

    """

    value: Any
    result: Result


def is_settled(state: State | None) -> bool:
    """Tell whether what an earlier run left of a task ended well and need not prove itself again."""
    return state is not None and state.is_successful() and not isinstance(state, Cached)


def is_begun_with(machine: Machine, task: int, state: State) -> bool:
    """Tell whether a run begins with a state that an earlier one left of a task, as it is.

    What was made with a resource waits until that is there again: those after it, which run, must not be earlier.
    """
    if not isinstance(state, Finished) or isinstance(state, Cached):
        return False
    plan = machine.plan
    if task in plan.structure.mapped or is_to_be_asked(machine, task):
        return True
    upstream = (plan.structure.index[edge.upstream_task] for edge in plan.structure.edges[task])
    return not any(plan.tasks[one].runs_anew and one not in plan.left_out for one in upstream)


def opened(value: Any) -> Any:
    """Return what a body returned, whether it was written or not."""
    return value.value if type(value) is Written else value


def succeeded(message: str, value: Any) -> Success:
    """Return the state of a task whose body returned a value."""
    state = Success(message, result=opened(value))
    if type(value) is Written:
        state._result = value.result.from_value(value.value)  # noqa: SLF001 - the reference API's name
    return state


def is_to_be_asked(machine: Machine, task: int) -> bool:
    """Tell whether a kept result may stand for a task, and was not looked for yet."""
    if task in machine.kept:
        return False
    described = machine.plan.described[task]
    return (
        described.target is not None or described.cache_for is not None or isinstance(machine._seeds.get(task), Cached)  # noqa: SLF001 - left by a run before this one: it has to prove itself again
    )


def take_kept(machine: Machine, task: int, kept: Kept, at: float) -> None:
    """Take in what was found: end the task with it, or go on to its trigger."""
    machine.kept[task] = kept
    if isinstance(machine._seeds.get(task), Cached):  # noqa: SLF001 - the machine's own books
        del machine._seeds[task]  # noqa: SLF001
    if kept.state is None:
        machine.undecided.append(task)
    else:
        machine.move(task, kept.state, at)


def after_success(machine: Machine, task: int, state: State, at: float) -> Cached | None:
    """Return the state which a success goes on to because its result is kept, or None; it does so once."""
    described, kept = machine.plan.described[task], machine.kept.get(task)
    if kept is None or kept.inputs is None or described.cache_for is None:
        return None
    machine.kept[task] = replace(kept, inputs=None)  # handlers may answer with a success of their own
    cached = Cached(
        state.message,
        result=state.result,
        hashed_inputs=kept.inputs,
        cached_parameters=kept.parameters,
        cached_result_expiration=dt.datetime.fromtimestamp(at, dt.timezone.utc) + described.cache_for,
    )
    cached._extra = state._extra  # noqa: SLF001 - tags, and where the result was written, hold on
    return cached


def ask_kept(machine: Machine, task: int) -> m.AskKept:
    """Return the instruction to look for a kept result."""
    seed = machine._seeds.get(task)  # noqa: SLF001 - likewise
    return m.AskKept(task, seed if isinstance(seed, Cached) else None)
