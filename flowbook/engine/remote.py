"""Remote attempts: one attempt at a body that runs in another process, and what comes back of it.

An `Attempt` is all that a worker needs to know: the task, the function, its arguments, and the facts that
`flowbook.context` answers from. `run_attempt` runs it over there and returns an `Outcome`, which never raises when it
is unpickled: an error that does not survive the journey comes back as the nearest thing that does (see `journey`).

A body finds the same context there as here because it is the same `RunFrame` that answers, over a stand-in for the
runner which knows one task run.

cloudpickle and the rest are imported inside functions: they cost more than the engine, and few flows use them.
"""

from __future__ import annotations

import copy
import logging
import os
import time
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook import redaction
from flowbook.contexts import install_frame, restore_frame
from flowbook.engine.attempt import call_guarded
from flowbook.engine.clock import SystemClock
from flowbook.engine.coroutines import AsyncBody
from flowbook.engine.frame import NO_TASK, RunFrame
from flowbook.engine.journey import packed_error, unpacked_error
from flowbook.engine.keeping import KeepingBody
from flowbook.engine.printing import printing_to_log
from flowbook.redaction import handing_out, learn
from flowbook.triggers import all_successful
from flowbook.utilities.logging import get_logger, taking_records

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from flowbook.artifacts import Artifact
    from flowbook.engine.runner import Runner
    from flowbook.tasks.base import Task

__all__ = [
    "Attempt",
    "LogLine",
    "Outcome",
    "attempt_of",
    "body_to_send",
    "facts_of_run",
    "facts_of_task",
    "print_log",
    "run_attempt",
]

# Tells whether an attempt runs in the very process it was made in, as in a Dask cluster of threads.
_HERE = os.urandom(8)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record, as text.

    Attributes:
        name: of the logger.
        level: its number, ``logging.INFO`` is 20.
        text: the message with its arguments put in, and the traceback if it has one.
        at: when (seconds since the epoch).

    """

    name: str
    level: int
    text: str
    at: float


@dataclass(slots=True)
class Attempt:
    """One attempt at a task run, as it goes to a worker; cloudpickle can pickle it if it can pickle body and arguments.

    Attributes:
        task: the task, without its handlers and its trigger: they are asked where the engine is.
        body: the function to call.
        kwargs: what to call it with.
        facts: what the context answers from.
        log_stdout: whether what the body prints goes to its log.

    """

    task: Task
    body: Callable[..., Any]
    kwargs: dict[str, Any]
    facts: dict[str, Any]
    log_stdout: bool = False


@dataclass(slots=True)
class Outcome:
    """How an attempt ended, as it comes back from a worker.

    Unpickling it never raises for the sake of its error; a value of a user's own class may do what it likes.

    Attributes:
        value: what the body returned.
        error: what it raised instead, a signal for example.
        logs: what it logged, in order.
        seconds: how long the body took.
        artifacts: what it left for people to look at, by id.
        secrets: the texts to mask of what was handed out to it as a secret.

    """

    value: Any = None
    error: BaseException | None = None
    logs: tuple[LogLine, ...] = ()
    seconds: float = 0.0
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()

    def __reduce__(self) -> Any:
        packed = None if self.error is None else packed_error(self.error)
        return _arrived, (self.value, packed, self.logs, self.seconds, self.artifacts, self.secrets)


def _arrived(
    value: Any,
    packed: bytes | None,
    logs: tuple[LogLine, ...],
    seconds: float,
    artifacts: dict[str, Artifact],
    secrets: frozenset[str],
) -> Outcome:
    learn(secrets)
    return Outcome(value, None if packed is None else unpacked_error(packed), logs, seconds, artifacts, secrets)


# -- where the engine is ---------------------------------------------------------------------------------------------


def attempt_of(runner: Runner, number: int, kwargs: dict[str, Any]) -> Attempt:
    """Gather what a worker needs for the next attempt at a task run.

    Args:
        runner: the run.
        number: the task run, which is about to begin.
        kwargs: what its body is called with, as `Runner.arguments` put it together.

    """
    task, body = body_to_send(runner, number)
    facts = facts_of_task(runner, number)
    facts["run"] = facts_of_run(runner)
    return Attempt(task, body, kwargs, facts, task.log_stdout)


def body_to_send(runner: Runner, number: int) -> tuple[Task, Callable[..., Any]]:
    """Return the task and the function to send for a task run; the mapped children of a task have the same ones.

    Handlers and triggers stay where the engine is. They are often closures over what cannot be pickled, and nobody asks
    them over there.
    """
    described, body = runner.described(number), runner.body(number)
    task: Any = object.__new__(type(described))
    values = {key: value for key, value in vars(described).items() if key != "_shared"}
    values |= {"state_handlers": [], "trigger": all_successful}
    object.__setattr__(task, "__dict__", values)
    task.tags = described.tags
    return task, _bound_to(task, body, described)


def _bound_to(task: Task, body: Callable[..., Any], described: Task) -> Callable[..., Any]:
    """Return a body that belongs to the task that is sent, where it belonged to the one described."""
    if isinstance(body, AsyncBody):
        return AsyncBody(_bound_to(task, body.function, described))
    if isinstance(body, KeepingBody):
        sent = copy.copy(body)
        sent.task, sent.run = task, _bound_to(task, body.run, described)
        return sent
    if isinstance(body, types.MethodType) and body.__self__ is described:
        return types.MethodType(body.__func__, task)
    return body


def facts_of_run(runner: Runner) -> dict[str, Any]:
    """Return the facts that all task runs of a run have in common; an executor may send them once to each worker."""
    return {
        "from": _HERE,
        "id": runner.run_id,
        "name": runner.name,
        "flow": runner.plan.flow.name,
        "started": runner.started,
        "scheduled_for": runner.scheduled_for,
        "parameters": runner.parameters,
        "defaults": runner.plan.defaults,
        "given": runner.given,
    }


def facts_of_task(runner: Runner, number: int) -> dict[str, Any]:
    """Return the facts about one task run, as they are now; a worker needs those of the run too, under ``"run"``."""
    machine, plan = runner.machine, runner.plan
    return {
        "slug": runner.slug(number),
        "name": plan.name(number),
        "index": plan.map_index(number),
        "count": machine.run_count(number),
        "loop": machine.loops.get(number),
        "resumed": number in machine.resumed,
        "given": runner.task_contexts.get(number),
    }


def print_log(runner: Runner, number: int, lines: tuple[LogLine, ...]) -> None:
    """Let the loggers here say what a task run logged on a worker, and keep it."""
    for line in lines:
        # asked for by its place under flowbook's own, so that there is a handler which prints
        logger = get_logger(line.name.removeprefix("flowbook."))
        if logger.isEnabledFor(line.level):
            record = logger.makeRecord(line.name, line.level, "", 0, line.text, (), None)
            record.created, record.msecs = line.at, line.at % 1 * 1000
            logger.handle(record)
            if number != NO_TASK:
                runner.note_line(number, line.at, logging.getLevelName(line.level), redaction.redact(line.text))


# -- on the worker ---------------------------------------------------------------------------------------------------


def run_attempt(attempt: Attempt, *, tell: Callable[[LogLine], None] | None = None, keeps_time: bool = True) -> Outcome:
    """Run an attempt in this process and return how it ended, whatever its body raises.

    Args:
        attempt: what to run.
        tell: called with each log line at once; without it the outcome brings them all.
        keeps_time: let the timeout of the task stop the body, or let go of it; False when somebody else sees to that.

    """
    lines: list[LogLine] = []
    run: dict[str, Any] = attempt.facts["run"]
    frame: Any = RunFrame(_StandIn(attempt, run))  # type: ignore[arg-type]  # it has all that a frame asks a runner for
    frame.task = 0
    is_far = run["from"] != _HERE  # otherwise what is logged is printed right here
    value: Any = None
    error: BaseException | None = None
    secrets: set[str] = set()
    token = install_frame(frame)
    begun = time.perf_counter()
    try:
        with handing_out() as secrets, taking_records(_line_taker(tell or lines.append) if is_far else None):
            value = _called(attempt, keeps_time=keeps_time)
    except BaseException as raised:  # noqa: BLE001 - whatever a user's body raises ends in a state
        error = raised
    finally:
        seconds = time.perf_counter() - begun
        restore_frame(token)
    if error is not None and redaction.known:
        redaction.redact_error(error)
    return Outcome(value, error, tuple(lines), seconds, frame.runner.artifacts, frozenset(secrets))


def _called(attempt: Attempt, *, keeps_time: bool) -> Any:
    if keeps_time and attempt.task.timeout:
        return call_guarded(attempt.task, attempt.body, attempt.kwargs)
    if attempt.log_stdout:
        with printing_to_log(attempt.task):
            return attempt.body(**attempt.kwargs)
    return attempt.body(**attempt.kwargs)


def _line_taker(tell: Callable[[LogLine], None]) -> Callable[[logging.LogRecord], None]:
    def take(record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{logging.Formatter().formatException(record.exc_info)}"
        tell(LogLine(record.name, record.levelno, redaction.redact(text), record.created))

    return take


class _Loop:
    """Runs async bodies on a worker: each on an event loop of its own, since the next one may run in another place."""

    def run(self, awaitable: Awaitable[Any], frame: RunFrame) -> Any:  # noqa: ARG002 - what RunLoop.run takes
        """Run an awaitable to its end and return its value."""
        import asyncio  # noqa: PLC0415 - costs more than the engine

        async def finish() -> Any:
            return await awaitable

        return asyncio.run(finish())


class _StandIn:
    """Stands in for the runner and its machine on a worker: it knows one task run, which has the number 0."""

    def __init__(self, attempt: Attempt, run: dict[str, Any]) -> None:
        facts = attempt.facts
        self.machine = self
        self.clock = SystemClock()  # a virtual one stays where the engine is
        self.plan = _StandInPlan(attempt, run)
        self.run_id: str = run["id"]
        self.name: str = run["name"]
        self.started: float = run["started"]
        self.scheduled_for: dt.datetime | None = run["scheduled_for"]
        self.artifacts: dict[str, Artifact] = {}
        self.parameters: dict[str, Any] = run["parameters"]
        self.given: dict[str, Any] = run["given"]
        self.task_contexts = {0: facts["given"]} if facts["given"] else {}
        self.loops = {0: facts["loop"]} if facts["loop"] is not None else {}
        self.resumed = {0} if facts["resumed"] else set()
        self.coroutines = _Loop()
        self.clock = SystemClock()  # what a body writes is dated by the machine it is written on
        self._count: int = facts["count"]
        self._kwargs = attempt.kwargs

    def note_line(self, number: int, at: float, level: str, text: str) -> None:
        """Keep nothing: what is logged here goes to where the engine is."""

    def run_count(self, task: int) -> int:  # noqa: ARG002 - there is one
        """Return which attempt the task is at."""
        return self._count

    def arguments(self, task: int) -> dict[str, Any]:  # noqa: ARG002 - likewise
        """Return what the body is called with."""
        return self._kwargs


class _StandInPlan:
    """Stands in for the plan: `flow` is there for its name."""

    def __init__(self, attempt: Attempt, run: dict[str, Any]) -> None:
        self.flow = _Named(run["flow"])
        self.described = (attempt.task,)
        self.slugs = (attempt.facts["slug"],)
        self.defaults: dict[str, Any] = run["defaults"]
        self._facts = attempt.facts

    def name(self, number: int) -> str:  # noqa: ARG002 - likewise
        """Return the name of the task run."""
        name: str = self._facts["name"]
        return name

    def map_index(self, number: int) -> int | None:  # noqa: ARG002 - likewise
        """Return the place of a mapped child among its siblings."""
        index: int | None = self._facts["index"]
        return index


class _Named:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name
