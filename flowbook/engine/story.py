"""Stories: how a task run came to the state it is in, and why.

The moves come from the events, the reason from the trigger's own verdict, so the answer is exact and not a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.errors import shown
from flowbook.events import event_of
from flowbook.states import Cancelled, Failed, Paused, Pending, Retrying, Skipped, State, TriggerFailed

if TYPE_CHECKING:
    from flowbook.engine.runner import Runner
    from flowbook.events import Event

__all__ = ["Story", "root_cause", "sentence", "tell"]


@dataclass(frozen=True)
class Story:
    """The story of one task run.

    Attributes:
        task: its slug.
        state: the name of its state.
        events: its events, in order.
        why: the sentence that explains the state.
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
    machine, slugs = runner.machine, runner.plan.structure.slugs
    events = tuple(event_of(seq, record, slugs) for seq, record in enumerate(machine.log.rows()) if record[1] == task)
    index = runner.plan.structure.index
    upstream = tuple(
        (slugs[index[edge.upstream_task]], type(machine.states[index[edge.upstream_task]]).__name__)
        for edge in runner.plan.structure.edges[task]
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
    machine, index = runner.machine, runner.plan.structure.index
    seen = set()
    while isinstance(machine.states[task], (TriggerFailed, Skipped)) and task not in seen:
        seen.add(task)
        verdict = machine.verdicts.get(task)
        decided = [index[edge.upstream_task] for edge in verdict.decided_by] if verdict else []
        troubled = [
            upstream for upstream in decided if isinstance(machine.states[upstream], (Failed, Skipped, Cancelled))
        ]
        if not troubled:
            return task
        task = troubled[0]
    return task if isinstance(machine.states[task], (Failed, Skipped, Cancelled)) else -1


def sentence(runner: Runner, task: int) -> str:
    """Return one sentence that says why a task is in the state it is in."""
    machine, plan = runner.machine, runner.plan
    state = machine.states[task]
    described = plan.tasks[task]
    verdict = machine.verdicts.get(task)
    if isinstance(state, TriggerFailed) and verdict is not None:
        names = _decided(runner, task)
        return (
            f"It did not run: its trigger {_trigger(described)} saw {names}."
            if names
            else f"It did not run. {verdict.reason}"
        )
    if isinstance(state, Skipped):
        names = _decided(runner, task)
        if verdict is not None and not verdict.passed and names:
            return f"It was left out because {names}."
        return f"It left itself out: {state.message}" if state.message else "It left itself out."
    if isinstance(state, Retrying):
        return (
            f"Attempt {machine.run_count(task) - 1} of {described.max_retries + 1} failed; it waits for its next one."
        )
    if isinstance(state, Paused):
        return f"It waits for a person. {state.message or ''}".rstrip()
    if isinstance(state, Pending):
        index = plan.structure.index
        missing = {index[edge.upstream_task] for edge in plan.structure.edges[task]}
        waits = [
            shown(plan.tasks[number].name, 40) for number in sorted(missing) if not machine.states[number].is_finished()
        ]
        return (
            f"It waits for {', '.join(waits[:4])}{' and more' if len(waits) > 4 else ''}."
            if waits
            else "It is ready and waits for its turn."
        )
    if isinstance(state, Failed):
        count = machine.run_count(task)
        after = f" after {count} attempts" if count > 1 else ""
        return f"It failed{after}: {_error(state)}."
    if isinstance(state, Cancelled):
        return state.message or "The run was cancelled."
    return state.message or f"It is {type(state).__name__}."


def _trigger(task: object) -> str:
    trigger = getattr(task, "trigger", None)
    return str(getattr(trigger, "__name__", type(trigger).__name__))


def _error(state: State) -> str:
    if isinstance(state.result, BaseException):
        return (
            f"{type(state.result).__name__}: {shown(str(state.result), 200)[1:-1]}"
            if state.message
            else shown(state.result)
        )
    return state.message or "no reason was given"


def _decided(runner: Runner, task: int) -> str:
    """Return "read_weather Failed (HTTPError: 503)" for the upstream tasks that decided, at most three."""
    machine, index = runner.machine, runner.plan.structure.index
    verdict = machine.verdicts.get(task)
    words = []
    for edge in dict.fromkeys(verdict.decided_by if verdict else ()):
        state = machine.states[index[edge.upstream_task]]
        detail = f" ({_error(state)})" if isinstance(state, Failed) and not isinstance(state, TriggerFailed) else ""
        words.append(f"{edge.upstream_task.name[:60]} {type(state).__name__}{detail}")
    distinct = list(dict.fromkeys(words))
    more = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
    return ", ".join(distinct[:3]) + more
