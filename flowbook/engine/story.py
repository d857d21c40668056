"""Stories: how a task run came to the state it is in, and why.

The moves come from the events, the reason from the trigger's own verdict, so the answer is exact and not a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.engine.ends import said
from flowbook.engine.invariants import is_final
from flowbook.engine.mapping import upstream_numbers
from flowbook.engine.places import place_of
from flowbook.errors import shown
from flowbook.events import event_of
from flowbook.states import Cancelled, Failed, Paused, Pending, Retrying, Skipped, State, Success, TriggerFailed
from flowbook.triggers import all_successful

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.runner import Runner
    from flowbook.events import Event

__all__ = ["Story", "missed", "root_cause", "sentence", "tell"]


@dataclass(frozen=True)
class Story:
    """The story of one task run.

    Attributes:
        task: its slug.
        state: the name of its state.
        events: its events, in order.
        why: the sentence that explains the state; that of a failure tells the line of the user's code.
        upstream: the name and the state of each task upstream.
        root_cause: the slug of the task where the trouble began, or "".

    """

    task: str
    state: str
    events: tuple[Event, ...]
    why: str
    upstream: tuple[tuple[str, str], ...]
    root_cause: str = ""

    def __str__(self) -> str:
        lines = [f"{self.task} is {self.state}. {self.why}"]
        start = self.events[0].at if self.events else 0.0
        lines += [
            f"  {event.at - start:8.3f} s  {event.state or event.kind:<14} {event.message}".rstrip()
            for event in self.events
        ]
        if self.upstream:
            lines.append("  upstream: " + ", ".join(f"{name} {state}" for name, state in self.upstream))
        if self.root_cause and self.root_cause != self.task:
            lines.append(f"  it began with: {self.root_cause}")
        return "\n".join(lines)

    __repr__ = __str__


def tell(runner: Runner, task: int) -> Story:
    """Tell the story of a task, by its number."""
    machine, slugs = runner.machine, runner.plan.slugs
    events = tuple(event_of(seq, record, slugs) for seq, record in enumerate(machine.log.rows()) if record[1] == task)
    index = runner.plan.structure.index
    upstream = tuple(
        (slugs[index[edge.upstream_task]], type(state).__name__)
        for edge, state in machine.upstream_states(task).items()
    )
    cause = root_cause(runner, task)
    return Story(
        slugs[task],
        type(machine.states[task]).__name__,
        events,
        sentence(runner, task),
        upstream,
        slugs[cause] if cause >= 0 else "",
    )


def root_cause(runner: Runner, task: int) -> int:
    """Return the number of the first task upstream whose own body brought the trouble, or -1 when all is well."""
    machine = runner.machine
    seen: set[int] = set()
    while isinstance(machine.states[task], (TriggerFailed, Skipped)) and task not in seen:
        seen.add(task)
        verdict = machine.verdicts.get(task)
        if verdict is None or verdict.passed:
            break  # its own body said so
        troubled = (
            upstream
            for edge in verdict.decided_by
            for upstream in upstream_numbers(machine, task, edge)
            if isinstance(machine.states[upstream], _TROUBLE)
        )
        found = next(troubled, None)
        if found is None:
            break
        task = found
    return task if isinstance(machine.states[task], _TROUBLE) else -1


_TROUBLE = (Failed, Skipped, Cancelled)


def sentence(runner: Runner, task: int) -> str:
    """Return one sentence that says why a task is in the state it is in."""
    return " ".join(_ended(words) for words in (_why(runner, task), _kept(runner, task)) if words)


def _why(runner: Runner, task: int) -> str:
    state, verdict = runner.machine.states[task], runner.machine.verdicts.get(task)
    was_kept_from_running = verdict is not None and not verdict.passed
    if isinstance(state, (TriggerFailed, Skipped)) and was_kept_from_running:
        return _kept_from_running(runner, task, state)
    if isinstance(state, Skipped):
        return f"It left itself out: {state.message}" if state.message else "It left itself out."
    if isinstance(state, Pending):
        return _waiting(runner, task, state)
    if isinstance(state, Failed):
        count = runner.machine.run_count(task)
        after = f" after {count} attempts" if count > 1 else ""
        where = f" {place}" if (place := _place(runner, task, state)) else ""
        return f"It failed{after}{where}: {_error(state)}"
    if isinstance(state, Cancelled):
        return state.message or "The run was cancelled."
    return state.message or f"It is {type(state).__name__}."


def _kept(runner: Runner, task: int) -> str:
    """Say why a task was or was not taken from what is kept, and where its result is kept now."""
    state, found = runner.machine.states[task], runner.machine.kept.get(task)
    words = found.why if found is not None else ""
    place = state._result.location if isinstance(state, Success) else None  # noqa: SLF001 - the reference API's name
    if place is not None and (found is None or found.state is None):
        words = f"{words} Its result was written to {shown(place)}.".strip()
    return "" if words == state.message else words


def _kept_from_running(runner: Runner, task: int, state: State) -> str:
    names = _decided(runner, task)
    verdict = runner.machine.verdicts[task]
    if missed(runner, task):
        return f"It did not run, since {_decided(runner, task, _IN_WORDS)}"
    if isinstance(state, Skipped):
        return f"It was left out because {names}" if names else f"It was left out. {verdict.reason}"
    is_own_trouble = isinstance(state.result, Exception)  # the trigger itself raised
    if names and not is_own_trouble:
        return f"It did not run: its trigger {_trigger(runner.plan.described[task])} saw {names}"
    return f"It did not run. {verdict.reason}"


def missed(runner: Runner, task: int) -> str:
    """Return "It needs cell 3." for a cell that did not run since what it needs did not end well; else "".

    Whoever wrote the cell has chosen no trigger, and need not know that there are any.
    """
    described, verdict = runner.plan.described[task], runner.machine.verdicts.get(task)
    is_kept = verdict is not None and not verdict.passed and bool(verdict.decided_by)
    if not is_kept or not getattr(described, "cell_id", "") or _trigger(described) != all_successful.__name__:
        return ""
    edges = dict.fromkeys(verdict.decided_by if verdict is not None else ())
    numbers = dict.fromkeys(number for edge in edges for number in upstream_numbers(runner.machine, task, edge))
    names = [shown(runner.plan.called(number), 40)[1:-1] for number in numbers]
    return f"It needs {', '.join(names[:_DECIDED])}{' and more' if len(names) > _DECIDED else ''}."


def _waiting(runner: Runner, task: int, state: Pending) -> str:
    machine, plan = runner.machine, runner.plan
    if isinstance(state, Retrying):
        count, promised = machine.run_count(task), plan.described[task].max_retries + 1
        if count <= promised:
            why = (state.message or "").partition(" failed (")[2].partition("); the next one")[0]
            return f"Attempt {count - 1} of {promised} failed{f' ({why})' if why else ''}; it waits for its next one."
        return f"It waits for attempt {count}, which it asked for itself."
    if isinstance(state, Paused):
        for_whom = "a person" if state.start_time is None else "a person or its time"
        return f"It waits for {for_whom}. {state.message or ''}".rstrip()
    missing = {
        plan.structure.index[edge.upstream_task]
        for edge, state in machine.upstream_states(task).items()
        if not is_final(state)
    }
    if task in plan.left_out:
        return "It was left out: the run covers only a part of the flow."
    waits = [shown(plan.called(number), 40) for number in sorted(missing)]
    if waits:
        return f"It waits for {', '.join(waits[:_NAMED])}{' and more' if len(waits) > _NAMED else ''}."
    family = machine.families.get(task)
    if family is not None:
        return f"It waits for {family.left:,} of its {family.width:,} mapped children."
    if task in machine.due:
        return "It waits for its time."
    return "It is ready and waits for its turn."


# How many tasks a sentence names; more would not be read.
_NAMED = 4
_DECIDED = 3
# How cells of a notebook ended, where a sentence goes on.
_IN_WORDS = {
    "TriggerFailed": "did not run",
    "Cancelled": "was cancelled",
    "Skipped": "was left out",
    "Failed": "failed",
}


def _trigger(task: object) -> str:
    trigger = getattr(task, "trigger", None)
    return str(getattr(trigger, "__name__", type(trigger).__name__))


def _error(state: State) -> str:
    if isinstance(state.result, BaseException):
        if not state.message:
            return said(state.result)
        words = _words(state.result)
        return f"{type(state.result).__name__}: {words}" if words else type(state.result).__name__
    return state.message or "no reason was given"


def _place(runner: Runner, task: int, state: State) -> str:
    if not isinstance(state.result, BaseException):
        return ""
    return place_of(state.result, runner.plan.described[task])


def _words(error: BaseException) -> str:
    try:
        return shown(str(error), 200)[1:-1]
    except BaseException:  # noqa: BLE001 - a user's __str__ may raise anything, and the story must be told
        return ""


def _ended(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _decided(runner: Runner, task: int, ended: Mapping[str, str] | None = None) -> str:
    """Return "read_weather Failed (HTTPError: 503)" for the upstream tasks that decided, at most three."""
    machine = runner.machine
    verdict = machine.verdicts.get(task)
    words = []
    for edge in dict.fromkeys(verdict.decided_by if verdict else ()):
        numbers = upstream_numbers(machine, task, edge)
        if len(numbers) > 1:  # of the mapped children those in trouble say more than all of them
            numbers = [number for number in numbers if isinstance(machine.states[number], _TROUBLE)] or numbers
        for number in numbers:
            state = machine.states[number]
            detail = f" ({_error(state)})" if isinstance(state, Failed) and not isinstance(state, TriggerFailed) else ""
            name = type(state).__name__
            words.append(f"{runner.plan.called(number)[:60]} {(ended or {}).get(name, name)}{detail}")
    distinct = list(dict.fromkeys(words))
    more = f" and {len(distinct) - _DECIDED} more" if len(distinct) > _DECIDED else ""
    return ", ".join(distinct[:_DECIDED]) + more
