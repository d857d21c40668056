"""What must always hold in a machine, and the story that is told when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.errors import InvalidTransition, shown
from flowbook.events import event_of
from flowbook.states import Finished, Looped, Running, State

if TYPE_CHECKING:
    from flowbook.engine.machine import Machine

__all__ = ["check_machine", "moves_of", "refuse_transition"]


def moves_of(machine: Machine, task: int) -> str:
    """Return all moves of a task run in order, as ``12 Pending→Running · 15 Running→Success``."""
    moves = []
    before = "Pending"
    for seq, record in enumerate(machine.log.rows()):
        if record[1] == task and isinstance(record[2], State):
            after = event_of(seq, record, machine.plan.structure.slugs).state
            moves.append(f"{seq} {before}→{after}")
            before = after
    return " · ".join(moves) or "none yet"


def refuse_transition(machine: Machine, task: int, state: State) -> None:
    """Raise InvalidTransition with the story of the task run."""
    slug = machine.plan.structure.slugs[task]
    before = type(machine.states[task]).__name__
    msg = (
        f"task run {shown(slug)} cannot go {before} → {type(state).__name__}.\n"
        f"  story: {moves_of(machine, task)} · (refused) {before}→{type(state).__name__}"
    )
    raise InvalidTransition(msg)


def check_machine(machine: Machine) -> None:
    """Assert that the machine's books agree with each other.

    * the last record of each task is its state;
    * what is counted as unfinished, running and waiting is what the states say;
    * a task is ready at most once, and only when nothing upstream is unfinished;
    * a task that is done stays done: nothing follows a final state in the log.
    """
    last: dict[int, State] = {}
    ended: set[int] = set()
    for at, task, what in machine.log.rows():
        if task < 0 or not isinstance(what, State):
            continue
        assert task not in ended, f"{at}: moved on after its end: {moves_of(machine, task)}"
        last[task] = what
        if isinstance(what, Finished) and not isinstance(what, Looped) and what is machine.states[task]:
            ended.add(task)
    for task, state in enumerate(machine.states):
        assert last.get(task, state) is state, f"log and states disagree: {moves_of(machine, task)}"
    final = [
        isinstance(state, Finished) and (task in ended or task not in last) for task, state in enumerate(machine.states)
    ]
    open_asks = set(machine.asking)
    assert machine.unfinished == len(final) - sum(final) or open_asks, "unfinished tasks are counted wrong"
    running = sum(isinstance(state, Running) for state in machine.states)
    assert machine.running <= running + len(open_asks), "running tasks are counted wrong"
    assert len(set(machine.ready)) == len(machine.ready), "a task is ready twice"
    for task, edges in enumerate(machine.plan.structure.edges):
        index = machine.plan.structure.index
        left = sum(not final[index[edge.upstream_task]] for edge in edges)
        assert machine.waiting[task] == left or machine.cancelled is not None or open_asks, (
            f"{machine.plan.structure.slugs[task]} waits for {machine.waiting[task]}, not {left}"
        )
    for task in machine.ready:
        assert not machine.waiting[task], f"ready too early: {machine.plan.structure.slugs[task]}"
