"""Run attempts as a worker would: pickled, run, and pickled back, in another process or in this one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import cloudpickle

from flowbook import Flow, Task
from flowbook.engine.clock import clock_of
from flowbook.engine.plan import Plan
from flowbook.engine.remote import Attempt, Outcome, attempt_of
from flowbook.engine.runner import Runner

_FAR = """
import sys, cloudpickle
from flowbook.engine.remote import run_attempt
outcome = run_attempt(cloudpickle.loads(sys.stdin.buffer.read()))
sys.stdout.buffer.write(b"\\0outcome" + cloudpickle.dumps(outcome))
"""


def runner_of(flow: Flow, **options: Any) -> Runner:
    return Runner(Plan(flow), clock_of(None), run_id="abc", name="run-1", **options)


def attempt_for(flow: Flow, one: Task, runner: Runner | None = None) -> Attempt:
    runner = runner or runner_of(flow)
    number = runner.plan.number(one)
    return attempt_of(runner, number, runner.arguments(number))


def outcome_of(flow: Flow, one: Task, runner: Runner | None = None) -> Outcome:
    """Run a task's attempt in a fresh process."""
    data = cloudpickle.dumps(attempt_for(flow, one, runner))
    done = subprocess.run([sys.executable, "-c", _FAR], input=data, stdout=subprocess.PIPE, check=True)
    found: Outcome = cloudpickle.loads(done.stdout.split(b"\0outcome", 1)[1])
    return found
