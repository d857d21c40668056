"""A bare machine, driven by hand: stimuli in, states out, and no clock, thread or sleep anywhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from flowbook import Flow, Task, task
from flowbook.engine import messages as m
from flowbook.engine.machine import Machine
from flowbook.engine.plan import Plan
from flowbook.events import FLOW
from flowbook.states import State


@task
def step(**upstream: Any) -> None:
    """Do nothing; the bare machine runs no bodies."""


@task
def plain() -> None: ...


def chain(length: int, **task_args: Any) -> tuple[Flow, list[Task]]:
    """Make a chain of tasks; the options are those of the last one."""
    made: list[Task] = []
    with Flow("chain") as flow:
        for place in range(length):
            options = task_args if place == length - 1 else {}
            arguments: dict[str, Any] = {"x": made[-1]} if made else {}
            made.append(step(task_args=options, **arguments))
    return flow, made


def fan_in(width: int, **task_args: Any) -> tuple[Flow, list[Task], Task]:
    """Make several tasks and one that waits for all of them, with these options."""
    with Flow("fan in") as flow:
        upstream = [step(task_args={"name": f"up{place}"}) for place in range(width)]
        arguments: dict[str, Any] = {f"x{place}": up for place, up in enumerate(upstream)}
        last = step(task_args={"name": "last", **task_args}, **arguments)
    return flow, list(upstream), last


def moment(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.timezone.utc)


class Bare:
    """The machine of a flow; tasks are named by themselves, and time is a number that the test sets."""

    def __init__(
        self, flow: Flow, seeds: Mapping[Task, State] | None = None, resumed: Iterable[Task] = (), at: float = 0.0
    ) -> None:
        self.plan = Plan(flow)
        self.at = at
        number = self.plan.number
        self.machine = Machine(
            self.plan,
            {number(task): state for task, state in (seeds or {}).items()},
            [number(task) for task in resumed],
        )
        self.machine.begin(at)

    def start(self, task: Task) -> None:
        """Take a ready task out of the queue and begin its body."""
        number = self.plan.number(task)
        assert self.machine.may_start
        self.machine.ready.remove(number)
        self.machine.handle(m.Started(number, self.at))

    def give(self, task: Task, value: Any = None) -> None:
        """Run a ready task whose body returns a value."""
        self.start(task)
        self.machine.handle(m.Returned(self.plan.number(task), value, self.at))

    def fail(self, task: Task, error: BaseException) -> None:
        """Run a ready task whose body raises."""
        self.start(task)
        self.machine.handle(m.Raised(self.plan.number(task), error, self.at))

    def end(self, task: Task, state: State) -> None:
        """Run a ready task whose executor says how it ended."""
        self.start(task)
        self.machine.handle(m.Ended(self.plan.number(task), state, self.at))

    def ring(self, task: Task) -> None:
        """Let a timer of the task fire now."""
        self.machine.handle(m.LetGoOn(self.plan.number(task), self.at))

    def ask(self, stimulus: m.Stimulus) -> None:
        """Put any stimulus to the machine."""
        self.machine.handle(stimulus)

    def asked(self) -> list[m.Instruction]:
        """Take out what the machine instructs."""
        taken = list(self.machine.instructions)
        self.machine.instructions.clear()
        return taken

    def answer(self, task: Task, state: State, *, final: bool = False) -> None:
        """Answer for the state handlers of a task."""
        self.machine.handle(m.StateAnswered(self.plan.number(task), state, self.at, final=final))

    def agree(self) -> None:
        """Answer for all state handlers that are asked, as handlers do that change nothing."""
        while questions := [asked for asked in self.asked() if isinstance(asked, m.AskHandlers)]:
            for question in questions:
                self.machine.handle(m.StateAnswered(question.task, question.new, self.at))

    def __getitem__(self, task: Task) -> State:
        return self.machine.states[self.plan.number(task)]

    @property
    def ready(self) -> list[Task]:
        """The tasks that may be run now."""
        return [self.plan.tasks[number] for number in self.machine.ready]

    def moves(self, task: Task | None = None) -> list[str]:
        """Return the names of all states a task (or the flow) went through."""
        wanted = FLOW if task is None else self.plan.number(task)
        return [
            type(what).__name__ for _, number, what in self.machine.log.rows() if number == wanted and _is_state(what)
        ]


def _is_state(what: object) -> bool:
    return isinstance(what, State)
