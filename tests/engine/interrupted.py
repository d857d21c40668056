"""A program that is interrupted at random moments, fifty times, and tells each time whether all is well.

It is run by test_interrupts.py in a process of its own, since it wants real signals.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

from flowbook import Flow, Task, context, signals, task
from flowbook.states import Cancelled, State, Success


@task
def plain(number: int) -> int:
    return number


@task
def for_ever() -> None:
    raise signals.LOOP(result=context.task_loop_count)


@task
def sleeping() -> None:
    time.sleep(0.002)
    raise signals.LOOP


@task
def failing() -> None:
    raise signals.RETRY


def slow_handler(one: Any, old: State, new: State) -> None:
    time.sleep(0.001)


@task(state_handlers=[slow_handler])
def handled() -> None:
    raise signals.LOOP


@task(log_stdout=True, timeout=20)
def guarded() -> None:
    raise signals.LOOP


@task
def announce() -> None:
    print("go", flush=True)


def endless(*, announces_itself: bool) -> tuple[Flow, list[Task], Task]:
    """Make a flow that ends only when it is interrupted."""
    with Flow("endless") as flow:
        if announces_itself:
            announce()
        finite: list[Task] = [plain(number) for number in range(20)]
        first = for_ever()
        for body in (sleeping, failing, handled, guarded):
            body()
        never = plain(0, upstream_tasks=[first])
    return flow, finite, never


def one_round(executor: str, *, early: bool) -> str:
    """Run until interrupted, perhaps before the first task; return what is wrong, or how far the run had come."""
    flow, finite, never = endless(announces_itself=not early)
    try:
        if early:
            print("go", flush=True)
        flow.run(show=False, executor=executor)
    except KeyboardInterrupt:
        pass
    else:
        return "the interrupt was not raised again"
    run = flow.last_run
    if run is None:
        return "early"
    run.runner.machine.check()
    state = run.wait(5)
    if type(state) is not Cancelled or set(state.result) != flow.tasks:
        return f"the flow ended as {state!r}"
    if type(state.result[never]) is not Cancelled:
        return f"the last task ended as {state.result[never]!r}"
    for number, one in enumerate(finite):
        if type(state.result[one]) is not Cancelled and state.result[one] != Success(result=number):
            return f"a result was not kept: {state.result[one]!r}"
    return "fine"


def main() -> None:
    """Play the rounds; the parent sends SIGINT after each "go"."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # started in the background one would be deaf to it
    executor, rounds = sys.argv[1], int(sys.argv[2])
    for number in range(rounds):
        print(one_round(executor, early=number % 3 == 0), flush=True)


if __name__ == "__main__":
    main()
