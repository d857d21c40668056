"""What if: the end states of a flow when some tasks are assumed to end in a given way, with no code run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine import messages as m
from flowbook.engine.ends import verdict_of
from flowbook.engine.invariants import is_final
from flowbook.engine.kept import Kept
from flowbook.engine.machine import Machine
from flowbook.engine.plan import Plan, Structure
from flowbook.errors import shown
from flowbook.states import Success

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.flows import Flow
    from flowbook.states import State
    from flowbook.tasks.base import Task

__all__ = ["propagate"]


def propagate(flow: Flow, assumed_states: Mapping[Task, State] | None = None) -> dict[Task, State]:
    """Return the state each task would end in.

    Tasks that may run end as assumed, or in `Success` when nothing is assumed of them. Triggers and skips decide as in
    a real run (the same machine does it); retries are taken as used up, and state handlers are not asked.

    Args:
        flow: the flow.
        assumed_states: how bodies end, by task.

    Raises:
        TypeError: something assumed is not a final state.

    >>> from flowbook import Flow, states, task
    >>> @task
    ... def step(x=None):
    ...     return x
    >>> with Flow("what if") as flow:
    ...     first = step()
    ...     second = step(first)
    >>> propagate(flow, {first: states.Failed("no")})[second]
    <TriggerFailed: "Trigger was "all_successful" but some of the upstream tasks failed.">

    """
    assumed: dict[int, State] = {}
    plan = Plan(flow, Structure(flow, is_mapped=False))  # no code is run, so nobody knows how many elements there are
    for task, state in (assumed_states or {}).items():
        if not is_final(state):
            raise TypeError(
                f"{shown(state)} cannot be assumed of task {shown(task.name)}: "
                "a body ends in a final state, for instance Failed()."
            )
        assumed[plan.number(task)] = state
    plan.handled = [False] * len(plan.tasks)
    machine = Machine(plan)
    machine.begin(0.0)
    while machine.ready or machine.instructions:
        if machine.instructions:
            _follow(machine, machine.instructions.popleft())
            continue
        number = machine.ready.popleft()
        machine.started(number, 0.0)
        # retries are taken as used up: what is assumed is how the last attempt ends
        machine.runs[number] = plan.tasks[number].max_retries + 1
        machine.handle(m.Ended(number, assumed.get(number, Success("Assumed to succeed.")), 0.0))
    return dict(zip(plan.tasks, machine.states, strict=True))


def _follow(machine: Machine, instruction: m.Instruction) -> None:
    if isinstance(instruction, m.AskTrigger):
        upstream = machine.upstream_states(instruction.task)
        verdict = verdict_of(machine.plan.tasks[instruction.task].trigger, upstream)
        machine.handle(m.VerdictAnswered(instruction.task, verdict, 0.0))
    elif isinstance(instruction, m.AskKept):
        machine.handle(m.KeptAnswered(instruction.task, Kept(), 0.0))  # what bodies do is assumed, so all are run
