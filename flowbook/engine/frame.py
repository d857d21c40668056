"""The frame: what `flowbook.context` answers about the task run a thread is busy with.

One frame per thread and run; the runner only sets `task` before each body, and every answer is worked out when it is
asked for.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook.configuration import config

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.runner import Runner

__all__ = ["RunFrame"]


class RunFrame:
    """Answers for one thread of one run.

    Attributes:
        runner: the run.
        task: the number of the task whose body runs on this thread now.

    """

    __slots__ = ("runner", "task")

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.task = 0

    def lookup(self, key: str) -> Any:
        """Return the value of a key, or raise KeyError; what people gave beats what is worked out."""
        given = self.runner.task_contexts.get(self.task)
        if given and key in given:
            return given[key]
        if key in self.runner.given:
            value = self.runner.given[key]
            return _date(value) if key == "date" else value
        return _ANSWERS[key](self)

    def keys(self) -> list[str]:
        """Return the keys that can be asked for."""
        return [*self.runner.given, *(key for key in _ANSWERS if self._answers(key))]

    def _answers(self, key: str) -> bool:
        try:
            _ANSWERS[key](self)
        except KeyError:
            return False
        return True

    @property
    def date(self) -> dt.datetime:
        """The moment the run is about: its start, unless a date was given (also as text)."""
        return _date(self.runner.given.get("date")) or dt.datetime.fromtimestamp(self.runner.started, dt.timezone.utc)


def _date(value: Any) -> Any:
    if isinstance(value, str):
        return dt.datetime.fromisoformat(value)
    return value


def _day(shift: int, pattern: str) -> Callable[[RunFrame], str]:
    return lambda frame: (frame.date + dt.timedelta(days=shift)).strftime(pattern)


def _logger(frame: RunFrame) -> Any:
    from flowbook.utilities.logging import get_logger  # loaded when somebody logs

    return get_logger(_task(frame).name)


def _task(frame: RunFrame) -> Any:
    return frame.runner.plan.tasks[frame.task]


def _loop(place: int) -> Callable[[RunFrame], Any]:
    def answer(frame: RunFrame) -> Any:
        loop = frame.runner.machine.loops.get(frame.task)
        if loop is None:
            if place:
                raise KeyError("task_loop_result")
            return 1
        return loop[place]

    return answer


_ANSWERS: dict[str, Callable[[RunFrame], Any]] = {
    "date": lambda frame: frame.date,
    "today": _day(0, "%Y-%m-%d"),
    "yesterday": _day(-1, "%Y-%m-%d"),
    "tomorrow": _day(1, "%Y-%m-%d"),
    "today_nodash": _day(0, "%Y%m%d"),
    "yesterday_nodash": _day(-1, "%Y%m%d"),
    "tomorrow_nodash": _day(1, "%Y%m%d"),
    "flow_name": lambda frame: frame.runner.plan.flow.name,
    "flow_run_id": lambda frame: frame.runner.run_id,
    "flow_run_name": lambda frame: frame.runner.name,
    "scheduled_start_time": lambda frame: dt.datetime.fromtimestamp(frame.runner.started, dt.timezone.utc),
    "parameters": lambda frame: frame.runner.parameters,
    "task_name": lambda frame: _task(frame).name,
    "task_full_name": lambda frame: _task(frame).name,
    "task_slug": lambda frame: frame.runner.plan.structure.slugs[frame.task],
    "task_tags": lambda frame: _task(frame).tags,
    "task_run_id": lambda frame: f"{frame.runner.run_id}:{frame.runner.plan.structure.slugs[frame.task]}",
    "task_run_count": lambda frame: frame.runner.machine.run_count(frame.task),
    "task_loop_count": _loop(0),
    "task_loop_result": _loop(1),
    "resume": lambda frame: frame.task in frame.runner.machine.resumed,
    "logger": _logger,
    "config": lambda frame: config,  # noqa: ARG005 - an answer takes the frame
    "map_index": lambda frame: None,  # noqa: ARG005
}
