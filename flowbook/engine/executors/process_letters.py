"""What is written to workers: the place they are to be in, the facts of a run, bodies, and calls.

A body is pickled once for all attempts at it, and sent once to each worker; so are the facts of the run.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

from flowbook import redaction
from flowbook.configuration import config
from flowbook.engine.ends import said
from flowbook.engine.executors.process_line import framed
from flowbook.engine.remote import body_to_send, facts_of_run, facts_of_task
from flowbook.errors import shown

if TYPE_CHECKING:
    from flowbook.engine.runner import Runner

__all__ = ["Letters", "Postbox"]

_THREADS = "run the flow with executor='threads'"


class Postbox:
    """What one worker has got already.

    Attributes:
        bodies: which bodies.
        secrets: how many texts to mask.

    """

    __slots__ = ("bodies", "secrets")

    def __init__(self) -> None:
        self.bodies: set[int] = set()
        self.secrets = 0


class Letters:
    """Writes to the workers of one run."""

    def __init__(self, runner: Runner) -> None:
        import cloudpickle  # noqa: PLC0415 - costs more than the engine

        self.runner = runner
        self._dumps: Any = cloudpickle.dumps
        self._welcome = b""
        self._bodies: dict[int, bytes | TypeError] = {}
        self._kinds: dict[Any, int] = {}
        self._kind_of: dict[int, int] = {}

    def welcome(self) -> bytes:
        """Return what a new worker gets first."""
        if not self._welcome:
            place = {
                "path": sys.path,
                "argv": sys.argv,
                "directory": _directory(),
                "environment": dict(os.environ),
                "settings": self._what_can_go(config.to_dict(), "setting"),
            }
            facts = facts_of_run(self.runner)
            facts["given"] = self._what_can_go(facts["given"], "context value")
            facts["parameters"] = self._what_can_go(facts["parameters"], "parameter")
            self._welcome = framed(b"i", self._dumps(place)) + framed(b"r", self._dumps(facts))
        return self._welcome

    def call(self, task: int, kwargs: dict[str, Any], box: Postbox) -> bytes:
        """Return what makes a worker run an attempt.

        Raises:
            TypeError: the body or an argument cannot be pickled.

        """
        key = self._kind(task)
        facts = facts_of_task(self.runner, task)
        is_timed = bool(self.runner.plan.described[task].timeout)
        try:
            letter = framed(b"c", self._dumps((key, facts, kwargs, is_timed)))
        except BaseException as error:  # noqa: BLE001 - pickling is code of the value's own class
            raise self._unsendable(task, facts, kwargs, error) from None
        if key not in box.bodies:
            letter = self._body(task, key) + letter
            box.bodies.add(key)
        if len(redaction.known) > box.secrets:
            box.secrets = len(redaction.known)
            letter = framed(b"k", pickle.dumps(redaction.known)) + letter
        return letter

    def _kind(self, task: int) -> int:
        """Return what stands for the body of a task; copies of one task have the same until an attribute is set."""
        origin = self.runner.plan.origin(task)
        kind = self._kind_of.get(origin)
        if kind is None:
            described = self.runner.plan.described[origin]
            # copies share one `__dict__`, see Task.copy; the plan keeps them all alive, so its identity means something
            mark = (type(described), id(vars(described)), frozenset(described.tags))
            kind = self._kind_of[origin] = self._kinds.setdefault(mark, len(self._kinds))
        return kind

    def _body(self, task: int, key: int) -> bytes:
        if key not in self._bodies:
            try:
                self._bodies[key] = framed(b"b", pickle.dumps((key, self._dumps(body_to_send(self.runner, task)))))
            except BaseException as error:  # noqa: BLE001 - likewise
                slug = self.runner.plan.slugs[self.runner.plan.origin(task)]
                self._bodies[key] = TypeError(
                    f"the function of task {shown(slug, 60)} cannot be pickled to go to a worker process, or something "
                    f"it uses cannot: {said(error)}. Make that inside the function, or {_THREADS}."
                )
        body = self._bodies[key]
        if isinstance(body, TypeError):
            raise body
        return body

    def _unsendable(self, task: int, facts: dict[str, Any], kwargs: dict[str, Any], error: BaseException) -> TypeError:
        slug = shown(self.runner.slug(task), 60)
        for name, value in kwargs.items():
            if (problem := self._problem(value)) is not None:
                return TypeError(
                    f"argument {name!r}, a {type(value).__name__}, of task {slug} cannot be pickled to go to a worker "
                    f"process: {said(problem)}. Make it inside the task, or {_THREADS}."
                )
        what = "its context" if self._problem(facts) is not None else "its arguments"
        return TypeError(f"task {slug} cannot be sent to a worker process with {what}: {said(error)}. Or {_THREADS}.")

    def _problem(self, value: Any) -> BaseException | None:
        try:
            self._dumps(value)
        except BaseException as error:  # noqa: BLE001 - likewise
            return error
        return None

    def _what_can_go(self, values: dict[str, Any], kind: str) -> dict[str, Any]:
        """Return the values that can be pickled; a body that asks for another one is told that it is not there."""
        if self._problem(values) is None:
            return values
        from flowbook.utilities.logging import get_logger  # noqa: PLC0415 - loaded when there is something to say

        found = {}
        for key, value in values.items():
            problem = self._problem(value)
            if problem is None:
                found[key] = value
            else:
                get_logger("processes").warning(
                    "%s %s is not there in worker processes, since it cannot be pickled: %s", kind, key, said(problem)
                )
        return found


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a text is what is sent
    except OSError:  # it was removed
        return ""
