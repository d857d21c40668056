"""Random flows whose tasks end by script, and ways to run them on a bare machine in any order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from hypothesis import strategies as st

from flowbook import Flow, Task, context, signals, task, triggers
from flowbook.engine import messages as m
from flowbook.engine.ends import verdict_of
from flowbook.engine.questions import consult
from flowbook.states import Cancelled, Failed, Skipped, State, Success
from tests.engine.bare import Bare


def _odd_failures(states: dict[Any, State]) -> bool:
    return sum(state.is_failed() for state in states.values()) % 2 == 1


def _picky(states: dict[Any, State]) -> bool:
    if any(state.is_skipped() for state in states.values()):
        raise signals.SKIP("picky")
    if len(states) > 3:
        raise ValueError("too many")
    return True


TRIGGERS: list[Any] = [
    triggers.all_successful,
    triggers.all_successful,
    triggers.all_failed,
    triggers.any_successful,
    triggers.any_failed,
    triggers.all_finished,
    triggers.not_all_skipped,
    triggers.some_failed(at_least=1, at_most=0.6),
    triggers.some_successful(at_least=0.5),
    _odd_failures,
    _picky,
]

# What an attempt does; those that come again never stand last in a script.
ENDS: dict[str, Callable[[], BaseException | None]] = {
    "ok": lambda: None,
    "fail": lambda: ValueError("by script"),
    "FAIL": lambda: signals.FAIL("by script"),
    "SKIP": lambda: signals.SKIP("by script"),
    "SUCCESS": lambda: signals.SUCCESS("by script"),
    "TRIGGERFAIL": lambda: signals.TRIGGERFAIL("by script"),
    "ENDRUN": lambda: signals.ENDRUN(Cancelled("by script")),
}
AGAIN: dict[str, Callable[[], BaseException | None]] = {
    "RETRY": lambda: signals.RETRY("again"),
    "LOOP": lambda: signals.LOOP("again"),
    "PAUSE": lambda: signals.PAUSE(start_time=dt.datetime.now(dt.timezone.utc)),
    "fail": ENDS["fail"],
}


def _forgive(one: Task, old: State, new: State) -> State | None:
    return Success("forgiven") if type(new) is Failed else None


def _strict(one: Task, old: State, new: State) -> State | None:
    if type(new) is Success:
        raise ValueError("never good enough")
    return None


def _lazy(one: Task, old: State, new: State) -> State | None:
    return Skipped("lazy") if new.is_running() and one.name.endswith("3") else None


def _quiet(one: Task, old: State, new: State) -> None: ...


HANDLERS: list[list[Callable[..., Any]]] = [[], [], [], [_quiet], [_forgive], [_strict], [_lazy], [_quiet, _forgive]]


@dataclass(frozen=True)
class Scripted:
    """One task of a random flow: what it waits for, its options, and what each of its attempts does."""

    upstream: tuple[int, ...]
    trigger: int
    skips: bool
    max_retries: int
    script: tuple[str, ...]
    handlers: int


@st.composite
def scripted(draw: st.DrawFn, place: int) -> Scripted:
    """Draw one task."""
    upstream = draw(st.sets(st.integers(0, place - 1), max_size=4)) if place else set()
    again = draw(st.lists(st.sampled_from(sorted(AGAIN)), max_size=3))
    return Scripted(
        tuple(sorted(upstream)),
        draw(st.integers(0, len(TRIGGERS) - 1)),
        draw(st.booleans()),
        draw(st.integers(0, 2)),
        (*again, draw(st.sampled_from(sorted(ENDS)))),
        draw(st.integers(0, len(HANDLERS) - 1)),
    )


@st.composite
def scripts(draw: st.DrawFn) -> list[Scripted]:
    """Draw the tasks of a flow."""
    return [draw(scripted(place)) for place in range(draw(st.integers(1, 9)))]


class Played:
    """A flow made from a script; `turns` counts the attempts of each task in one run."""

    def __init__(self, script: list[Scripted]) -> None:
        self.script = script
        self.turns: dict[int, int] = {}
        self.flow = Flow("random")
        self.tasks: list[Task] = []
        for place, row in enumerate(script):
            self._add(place, row)

    def _add(self, place: int, row: Scripted) -> None:
        options: dict[str, Any] = {"max_retries": row.max_retries}
        if row.max_retries:
            options["retry_delay"] = dt.timedelta(seconds=row.max_retries * 7)

        @task(
            name=f"task {place}",
            trigger=TRIGGERS[row.trigger],
            skip_on_upstream_skip=row.skips,
            state_handlers=HANDLERS[row.handlers],
            **options,
        )
        def body() -> int:
            assert context.task_name == f"task {place}"
            error = self.attempt(place)
            if error is not None:
                raise error
            return place

        self.tasks.append(body(flow=self.flow, upstream_tasks=[self.tasks[upstream] for upstream in row.upstream]))

    def attempt(self, place: int) -> BaseException | None:
        """Play the next attempt of a task; return what it raises."""
        turn = self.turns.get(place, 0)
        self.turns[place] = turn + 1
        script = self.script[place].script
        name = script[min(turn, len(script) - 1)]
        return (ENDS if turn >= len(script) - 1 else AGAIN)[name]()

    def bare(
        self, dice: Random, look: Callable[[Bare], object] = lambda bare: None, at_most: int | None = None
    ) -> Bare:
        """Run the flow on a bare machine, taking whatever can happen in random order; `at_most` so many moves."""
        self.turns.clear()
        bare = Bare(self.flow, at=1000.0)
        running: list[int] = []
        moves_made = 0
        while not bare.machine.is_done and moves_made != at_most:
            moves_made += 1
            look(bare)
            moves = self._moves(bare, running)
            assert moves, "nothing can happen, and tasks are left"
            dice.choice(moves)()
        look(bare)
        return bare

    def _moves(self, bare: Bare, running: list[int]) -> list[Callable[[], object]]:
        machine = bare.machine
        moves: list[Callable[[], object]] = [partial(self._start, bare, running, number) for number in machine.ready]
        moves += [partial(self._finish, bare, running, number) for number in running]
        moves += [partial(self._follow, bare, instruction) for instruction in machine.instructions]
        if not moves and machine.due:
            number, due = min(machine.due.items(), key=lambda item: item[1])
            bare.at = max(bare.at, due)
            moves.append(lambda: bare.ring(bare.plan.tasks[number]))
        return moves

    def _start(self, bare: Bare, running: list[int], number: int) -> None:
        bare.start(bare.plan.tasks[number])
        running.append(number)

    def _finish(self, bare: Bare, running: list[int], number: int) -> None:
        running.remove(number)
        bare.at += 1
        error = self.attempt(self.tasks.index(bare.plan.tasks[number]))
        bare.ask(m.Returned(number, number, bare.at) if error is None else m.Raised(number, error, bare.at))

    def _follow(self, bare: Bare, instruction: m.Instruction) -> None:
        bare.machine.instructions.remove(instruction)
        if isinstance(instruction, m.AskTrigger):
            trigger = bare.plan.tasks[instruction.task].trigger
            verdict = verdict_of(trigger, bare.machine.upstream_states(instruction.task))
            bare.ask(m.VerdictAnswered(instruction.task, verdict, bare.at))
        elif isinstance(instruction, m.AskHandlers):
            one = bare.plan.tasks[instruction.task]
            state, failed = consult(one, one.state_handlers, instruction.old, instruction.new)
            bare.ask(m.StateAnswered(instruction.task, state, bare.at, final=failed))


def kinds(states: dict[Task, State]) -> dict[str, str]:
    """Return the name of each task's state by the task's name."""
    return {one.name: type(state).__name__ for one, state in states.items()}
