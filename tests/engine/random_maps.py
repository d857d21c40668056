"""Random flows with maps, whose bodies end by chance that depends on their arguments alone.

So how a flow ends is the same whoever runs it and in whatever order, and any two ways of running it can be compared.
"""

from __future__ import annotations

import datetime as dt
import os
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from flowbook import Flow, Task, context, flatten, signals, task, triggers, unmapped
from flowbook.contexts import install_frame, restore_frame
from flowbook.engine import messages as m
from flowbook.engine.clock import VirtualClock
from flowbook.engine.ends import verdict_of
from flowbook.engine.frame import RunFrame
from flowbook.engine.machine import Machine
from flowbook.engine.mapping import supplies_of
from flowbook.engine.plan import Plan
from flowbook.engine.runner import Runner
from flowbook.states import Mapped, State

# How many flows the slow comparisons take: few at each commit, FLOWBOOK_RANDOM_FLOWS=500 once in a while.
COUNT = int(os.environ.get("FLOWBOOK_RANDOM_FLOWS", "25"))

TRIGGERS: list[Any] = [
    *[triggers.all_successful] * 4,
    triggers.all_finished,
    triggers.any_failed,
    triggers.any_successful,
    triggers.not_all_skipped,
    triggers.some_failed(at_least=1),
    triggers.some_successful(at_least=0.5),
]


def number_of(value: Any) -> int:
    """Return the same number for equal values in every process; an exception counts by its words."""
    if isinstance(value, BaseException):
        value = f"{type(value).__name__} {value}"
    if isinstance(value, (list, tuple)):
        value = [number_of(item) for item in value]
    return zlib.crc32(repr(value).encode())


@task
def act(seed: int, **inputs: Any) -> int:
    """End in a way that the arguments (and which attempt it is) decide."""
    key = number_of([seed, sorted((name, number_of(value)) for name, value in inputs.items())])
    chance = Random(f"{key} {context.task_run_count} {context.task_loop_count}").random()
    if chance < 0.08:
        raise ValueError(f"{key} by chance")
    if chance < 0.12:
        raise signals.FAIL(f"{key} on purpose")
    if chance < 0.18:
        raise signals.SKIP(f"{key} left out")
    if chance < 0.22 and context.task_run_count == 1:
        raise signals.RETRY(f"{key} again")
    if chance < 0.26 and context.task_loop_count < 4:
        raise signals.LOOP(f"{key} round", result=key)
    return key


@task
def several(seed: int, **inputs: Any) -> list[int]:
    """Return a list of a length that the arguments decide."""
    dice = Random(number_of([seed, sorted((name, number_of(value)) for name, value in inputs.items())]))
    return [dice.randrange(100) for _ in range(dice.randrange(6))]


@task
def nested(seed: int) -> list[list[int]]:
    """Return a list of lists."""
    dice = Random(seed)
    return [[dice.randrange(100) for _ in range(dice.randrange(3))] for _ in range(dice.randrange(4))]


def random_flow(seed: int, size: int = 14) -> Flow:
    """Make a flow of this many tasks: some give lists, some are mapped, some take what is given whole."""
    dice = Random(seed)
    lists: list[Task] = []  # tasks whose result can be mapped over
    every: list[Task] = []
    with Flow(f"random {seed}") as flow:
        for place in range(size):
            options: dict[str, Any] = {
                "trigger": dice.choice(TRIGGERS),
                "skip_on_upstream_skip": dice.random() < 0.7,
                "name": f"t{place}",
            }
            if dice.random() < 0.3:
                options |= {"max_retries": dice.randrange(1, 3), "retry_delay": dt.timedelta(seconds=dice.randrange(9))}
            kind = dice.random()
            before: dict[str, Any] = {
                f"x{i}": one for i, one in enumerate(dice.sample(every, min(len(every), dice.randrange(3))))
            }
            if kind < 0.25 or not lists:
                made = several(seed * 100 + place, **before, task_args=options)
                lists.append(made)
            elif kind < 0.32:
                made = act.map(unmapped(seed * 100 + place), e=flatten(nested(seed + place)), task_args=options)
                lists.append(made)
            elif kind < 0.75:
                over: dict[str, Any] = {
                    f"e{i}": one for i, one in enumerate(dice.sample(lists, min(len(lists), 1 + dice.randrange(2))))
                }
                over |= {key: unmapped(one) for key, one in before.items()}
                made = act.map(unmapped(seed * 100 + place), **over, task_args=options)
                lists.append(made)
            else:
                before["all"] = dice.choice(lists)
                made = act(seed * 100 + place, **before, task_args=options)
            every.append(made)
    return flow


# -- comparing ---------------------------------------------------------------------------------------------------------


def ending(state: State) -> Any:
    """Return what can be compared of how a task ended."""
    if isinstance(state, Mapped):
        return ("Mapped", [ending(child) for child in state.map_states if child is not None])
    return type(state).__name__, number_of(state.result)


def endings(flow: Flow, states: Any) -> dict[str, Any]:
    """Return how all tasks of a flow ended, by name."""
    return {one.name: ending(states[one]) for one in flow.sorted_tasks()}


def run_in_random_order(flow: Flow, dice: Random, pick: Callable[[Random, int], int] | None = None) -> dict[str, Any]:
    """Run a flow on a machine by hand: any ready task next, any question answered at any time."""
    runner = Runner(Plan(flow), VirtualClock(0.0), run_id="by hand")
    machine, frame = runner.machine, RunFrame(runner)
    choose = pick or (lambda dice, count: dice.randrange(count))
    questions: list[m.Instruction] = []
    at = 0.0
    machine.begin(at)
    while machine.ready or machine.instructions or questions or machine.due:
        questions.extend(machine.instructions)
        machine.instructions.clear()
        questions = [one for one in questions if not isinstance(one, m.StartTimer)]
        if questions and (not machine.ready or dice.random() < 0.5):
            _answer(machine, questions.pop(choose(dice, len(questions))), at)
        elif machine.ready:
            place = choose(dice, len(machine.ready))
            number = machine.ready[place]
            del machine.ready[place]
            machine.started(number, at)
            frame.task = number
            token = install_frame(frame)
            try:
                value = runner.body(number)(**runner.arguments(number))
            except BaseException as error:  # noqa: BLE001 - signals, too
                machine.handle(m.Raised(number, error, at))
            else:
                machine.returned(number, value, at)
            finally:
                restore_frame(token)
        else:
            number, at = min(machine.due.items(), key=lambda item: item[1])
            machine.handle(m.LetGoOn(number, at))
        if dice.random() < 0.05:
            machine.check()
    machine.check()
    assert machine.is_done
    return endings(flow, dict(zip(flow.sorted_tasks(), machine.states, strict=False)))


def _answer(machine: Machine, question: m.Instruction, at: float) -> None:
    if isinstance(question, m.AskWidth):
        machine.handle(m.WidthAnswered(question.task, supplies_of(machine, question.task), at))
    elif isinstance(question, m.AskTrigger):
        trigger = machine.plan.described[question.task].trigger
        verdict = verdict_of(trigger, machine.upstream_states(question.task))
        machine.handle(m.VerdictAnswered(question.task, verdict, at))
    else:
        m.never(question)  # type: ignore[arg-type]  # no handlers in these flows
