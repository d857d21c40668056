"""What must always hold in a machine, and the story that is told when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from flowbook.errors import InvalidTransition, shown
from flowbook.events import FLOW, event_of
from flowbook.states import (
    Cancelled,
    Cancelling,
    Failed,
    Finished,
    Looped,
    Paused,
    Pending,
    Running,
    Scheduled,
    State,
    Success,
)

if TYPE_CHECKING:
    from flowbook.engine.machine import Machine

__all__ = ["check_machine", "is_final", "is_legal", "moves_of", "refuse_transition"]

# From which state to which; the first row that fits the state before counts. State handlers may answer almost anything,
# so the table is wide; what it keeps out is a task that goes on after its end, and a body that runs unannounced.
_LEGAL: tuple[tuple[type[State], tuple[type[State], ...]], ...] = (
    (Cancelling, (Cancelled, Success, Failed)),
    (Running, (Pending, Running, Finished)),
    (Looped, (Pending, Running, Finished)),
    (Failed, (Pending, Finished)),  # another attempt waits first, if only for no time
    (Finished, ()),  # but see is_legal about what is kept
    (Pending, (Pending, Running, Finished)),
)


def is_legal(before: State, after: State) -> bool:
    """Tell whether a task run may go from one state to another."""
    if isinstance(after, Cancelling) and not isinstance(before, Running):
        return False
    if type(before) is Success:  # a success whose result is kept goes on to Cached, and handlers have their say in it
        return isinstance(after, (Finished, Pending))
    return next((isinstance(after, allowed) for kind, allowed in _LEGAL if isinstance(before, kind)), False)


def is_final(state: State) -> bool:
    """Tell whether nothing follows: the state is finished and no other iteration was asked for."""
    return isinstance(state, Finished) and not isinstance(state, Looped)


def moves_of(machine: Machine, task: int) -> str:
    """Return all moves of a task run in order, as ``12 Pending→Running · 15 Running→Success``."""
    moves = []
    before = "Pending"
    for seq, record in enumerate(machine.log.rows()):
        if record[1] == task and isinstance(record[2], State):
            after = event_of(seq, record, machine.plan.slugs).state
            moves.append(f"{seq} {before}→{after}")
            before = after
    return " · ".join(moves) or "none yet"


def refuse_transition(machine: Machine, task: int, state: State) -> NoReturn:
    """Raise InvalidTransition with the story of the task run."""
    slug = machine.plan.slugs[task]
    before = type(machine.states[task]).__name__
    msg = (
        f"task run {shown(slug)} cannot go {before} → {type(state).__name__}.\n"
        f"  story: {moves_of(machine, task)} · (refused) {before}→{type(state).__name__}"
    )
    raise InvalidTransition(msg)


def check_machine(machine: Machine) -> None:
    """Assert that the machine's books agree with each other.

    * The log has whole rows, its time never runs backwards, every move in it is legal, and its fold is ``states``.
    * What is counted as unfinished, running and waiting is what the states say.
    * A task that has not ended is in exactly one place: it waits for something upstream, is ready, running, asked
      about, due, paused, or spread over children that have not all ended.
    """
    _check_log(machine)
    done = [is_final(state) and task not in machine.asking for task, state in enumerate(machine.states)]
    assert machine.unfinished == len(done) - sum(done) - len(machine.plan.left_out), (
        "unfinished tasks are counted wrong"
    )
    running = {
        task for task, state in enumerate(machine.states) if isinstance(state, Running) and task not in machine.asking
    }
    running -= set(machine.approved)
    assert machine.running == len(running), f"{machine.running} tasks are counted as running, not {len(running)}"
    assert not machine.undecided, "a task was left undecided"
    ready = set(machine.ready)
    assert len(ready) == len(machine.ready), "a task is ready twice"
    assert machine.approved.keys() <= ready, "what handlers agreed to is not ready"
    # the first row, or the second of a run that waited for its schedule; else it ended before its tasks began
    begun = any(isinstance(what, Running) for what in machine.log.what[:2])
    for task in range(len(machine.states)):
        left = _left(machine, task, done)
        assert machine.waiting[task] == left, f"{_name(machine, task)} waits for {machine.waiting[task]}, not {left}"
        places = _places(machine, task, ready, running)
        assert not begun or len(places) == (0 if done[task] else 1), (
            f"{_name(machine, task)} is in {' and '.join(places) or 'no place'}: {moves_of(machine, task)}"
        )
        if "due" in places:
            state = machine.states[task]
            assert isinstance(state, Scheduled), f"{_name(machine, task)} is due but does not wait"
            assert state.start_time is not None, f"{_name(machine, task)} is due but waits for a person"
    for parent, family in machine.families.items():
        left = family.width - sum(done[family.base : family.base + family.width])
        assert family.left == left, (
            f"{family.left} children of {_name(machine, parent)} are counted as left, not {left}"
        )


def _left(machine: Machine, task: int, done: list[bool]) -> int:
    """Return how many edges of a task run are not finished."""
    family = machine.plan.home(task)
    if family is not None:
        linked = [supply.family for supply in family.supplies if supply.family is not None]
        return sum(not done[source.base + task - family.base] for source in linked)
    index = machine.plan.structure.index
    waits = int(task in machine.plan.left_out)  # for what never comes
    for edge in machine.plan.structure.edges[task]:
        upstream = index[edge.upstream_task]
        was_spread = edge.mapped and not edge.flattened and upstream in machine.families
        waits += not (done[upstream] or was_spread)
    return waits


def _places(machine: Machine, task: int, ready: set[int], running: set[int]) -> list[str]:
    state = machine.states[task]
    places = {
        "ready": task in ready,
        "running": task in running,
        "asking": task in machine.asking,
        "due": task in machine.due,
    }
    places["paused"] = isinstance(state, Paused) and state.start_time is None and not any(places.values())
    places["waiting"] = machine.waiting[task] > 0 and not is_final(state)
    places["spread"] = task in machine.families and machine.families[task].left > 0 and not is_final(state)
    return [place for place, is_there in places.items() if is_there]


def _check_log(machine: Machine) -> None:
    log = machine.log
    assert len(log.at) == len(log.task) == len(log.what), "the log has a broken row"
    now: dict[int, State] = {}
    before = 0.0
    for at, task, what in log.rows():
        assert at >= before, f"time ran backwards in the log, from {before} to {at}"
        before = at
        if task == FLOW or not isinstance(what, State):
            continue
        state = now.get(task)
        assert is_legal(state or Pending(), what), f"illegal move of {_name(machine, task)}: {moves_of(machine, task)}"
        now[task] = what
    for task, state in enumerate(machine.states):
        assert now.get(task, state) is state, f"log and states disagree: {moves_of(machine, task)}"
        assert task in now or type(state) is Pending, f"{_name(machine, task)} moved without an event"


def _name(machine: Machine, task: int) -> str:
    return machine.plan.slugs[task]
