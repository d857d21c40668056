"""The frame: what `flowbook.context` answers about the task run a thread is busy with.

One frame per thread and run; the runner only sets `task` before each body, and every answer is worked out when it is
asked for.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook.configuration import config
from flowbook.contexts import caches, context, install_frame, restore_frame
from flowbook.engine.keeping import run_name
from flowbook.errors import FlowError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook.engine.runner import Runner
    from flowbook.tasks.base import Task

__all__ = ["NO_TASK", "RunFrame", "read_date", "run_context"]

# What `RunFrame.task` is between two bodies: the flow's own handlers then ask about the run, and about no task of it.
NO_TASK = -1


class RunFrame:
    """Answers for one thread of one run.

    Attributes:
        runner: the run.
        task: the number of the task whose body runs on this thread now, or `NO_TASK`.

    """

    __slots__ = ("runner", "task")

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.task = NO_TASK

    def lookup(self, key: str) -> Any:
        """Return the value of a key, or raise KeyError; what people gave beats what is worked out."""
        own = self.runner.task_contexts.get(self.task)
        given = own if own and key in own else self.runner.given
        if key in given:
            return read_date(given[key]) if key == "date" else given[key]
        return _ANSWERS[key](self)

    def keys(self) -> list[str]:
        """Return the keys that can be asked for."""
        given = self.given()
        return [*given, *(key for key in _ANSWERS if key not in given and self._answers(key))]

    def note_line(self, at: float, level: str, text: str) -> None:
        """Keep a line that was logged on this thread, when it was a task that did."""
        if self.task != NO_TASK:
            self.runner.note_line(self.task, at, level, text)

    def given(self) -> dict[str, Any]:
        """Return what people gave to the run, and to this task of it."""
        return {**self.runner.given, **self.runner.task_contexts.get(self.task, {})}

    def _answers(self, key: str) -> bool:
        if key == "task_run_name":  # looking whether there is one must not fill in its template
            return self.task != NO_TASK and self.described.task_run_name is not None
        try:
            _ANSWERS[key](self)
        except KeyError:
            return False
        return True

    @property
    def number(self) -> int:
        """The number of the task whose body runs; a KeyError between two bodies, as for any key that is not there."""
        if self.task == NO_TASK:
            raise KeyError(self.task)
        return self.task

    @property
    def described(self) -> Task:
        """The task whose body runs."""
        return self.runner.plan.described[self.number]

    @property
    def task_name(self) -> str:
        """The name of the task whose body runs."""
        return self.described.name

    @property
    def task_full_name(self) -> str:
        """The name of the task whose body runs, with the index of a mapped child."""
        return self.runner.plan.name(self.number)

    @property
    def flow_name(self) -> str:
        """The name of the flow."""
        return self.runner.plan.flow.name

    @property
    def date(self) -> dt.date:
        """The moment the run is about: its start, unless a date was given (also as text)."""
        given = read_date(self.given().get("date"))
        return given if isinstance(given, dt.date) else self.begin

    @property
    def begin(self) -> dt.datetime:
        """The moment the run began."""
        return dt.datetime.fromtimestamp(self.runner.started, dt.timezone.utc)


@contextlib.contextmanager
def run_context(runner: Runner) -> Iterator[None]:
    """Let this thread answer for a run.

    What `with context(...)` set around the run became part of what the run was given, so it is taken away for the time
    of the block: otherwise it would beat what was given to a single task.
    """
    with context():
        for key in context.given():
            del context[key]
        token = install_frame(RunFrame(runner))
        try:
            yield
        finally:
            restore_frame(token)


def read_date(value: Any) -> Any:
    """Return the moment which a given ``date`` means, in UTC where it does not say; other things are kept as they are.

    Raises:
        FlowError: a text that is no date.

    >>> read_date("2026-11-22T10:00:00Z").isoformat()
    '2026-11-22T10:00:00+00:00'

    """
    if not isinstance(value, str):
        return value
    try:
        date = dt.datetime.fromisoformat(value.removesuffix("Z") + "+00:00" if value.endswith("Z") else value)
        return date if date.tzinfo is not None else date.replace(tzinfo=dt.timezone.utc)
    except ValueError:
        msg = f"context date={shown(value)} is not a date. Write it as 2026-11-22 or 2026-11-22T10:00:00+01:00."
        raise FlowError(msg) from None


def _day(shift: int, pattern: str) -> Callable[[RunFrame], str]:
    return lambda frame: (frame.date + dt.timedelta(days=shift)).strftime(pattern)


def _flow_id(name: str) -> str:
    """Return what identifies a flow as long as it is registered nowhere: the same for one name, whenever it is run."""
    import uuid  # noqa: PLC0415 - whoever asks needs it, others do not

    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"flowbook:{name}"))


def _logger(frame: RunFrame) -> Any:
    from flowbook.utilities.logging import get_logger  # noqa: PLC0415 - logging is loaded when somebody logs

    return get_logger(frame.task_full_name if frame.task != NO_TASK else frame.flow_name)


def _slug(frame: RunFrame) -> str:
    return frame.runner.plan.slugs[frame.number]


def _loop(place: int) -> Callable[[RunFrame], Any]:
    def answer(frame: RunFrame) -> Any:
        loop = frame.runner.machine.loops.get(frame.number)
        if loop is None:
            if place:
                raise KeyError("task_loop_result")
            return 1
        return loop[place]

    return answer


def _run_name(frame: RunFrame) -> str:
    if frame.described.task_run_name is None:
        raise KeyError("task_run_name")
    inputs = frame.runner.arguments(frame.number)
    return run_name(frame, frame.described, frame.runner.plan.defaults, inputs)


_ANSWERS: dict[str, Callable[[RunFrame], Any]] = {
    "date": lambda frame: frame.date,
    "today": _day(0, "%Y-%m-%d"),
    "yesterday": _day(-1, "%Y-%m-%d"),
    "tomorrow": _day(1, "%Y-%m-%d"),
    "today_nodash": _day(0, "%Y%m%d"),
    "yesterday_nodash": _day(-1, "%Y%m%d"),
    "tomorrow_nodash": _day(1, "%Y%m%d"),
    "flow_name": lambda frame: frame.flow_name,
    "flow_id": lambda frame: _flow_id(frame.flow_name),
    "flow_run_id": lambda frame: frame.runner.run_id,
    "flow_run_name": lambda frame: frame.runner.name,
    "scheduled_start_time": lambda frame: getattr(frame.runner, "scheduled_for", None) or frame.begin,
    "parameters": lambda frame: frame.runner.parameters,
    "task_name": lambda frame: frame.task_name,
    "task_full_name": lambda frame: frame.task_full_name,
    "task_slug": _slug,
    "task_tags": lambda frame: frame.described.tags,
    "task_run_id": lambda frame: f"{frame.runner.run_id}:{_slug(frame)}",
    "task_run_count": lambda frame: frame.runner.machine.run_count(frame.number),
    "task_loop_count": _loop(0),
    "task_loop_result": _loop(1),
    "resume": lambda frame: frame.number in frame.runner.machine.resumed,
    "logger": _logger,
    "task_run_name": _run_name,
    "caches": lambda frame: caches,  # noqa: ARG005 - likewise
    "checkpointing": lambda frame: config.flows.checkpointing,  # noqa: ARG005
    "_now": lambda frame: frame.runner.clock.now(),
    "config": lambda frame: config,  # noqa: ARG005 - an answer takes the frame
    "_artifacts": lambda frame: getattr(frame.runner, "artifacts", None),
    "map_index": lambda frame: frame.runner.plan.map_index(frame.number),
}
