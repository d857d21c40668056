"""Executors: which thread, process or machine runs the bodies. The machine alone owns states, retries and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from flowbook.engine.executors.local import LocalExecutor
from flowbook.engine.executors.threads import ThreadExecutor
from flowbook.errors import UnknownArgument, nearest, shown

if TYPE_CHECKING:
    from flowbook.engine.runner import Runner

__all__ = ["Executor", "LocalExecutor", "ThreadExecutor", "executor_of"]


class Executor(Protocol):
    """What drives a runner until all tasks have ended or only a person can go on."""

    name: str

    def drive(self, runner: Runner) -> None:
        """Run bodies and feed their ends back."""


_NAMES: dict[str, type[Any]] = {"local": LocalExecutor, "threads": ThreadExecutor}


def executor_of(executor: Any) -> Executor:
    """Return the executor meant by a name, a class, an executor, or None.

    Raises:
        UnknownArgument: none of these.

    >>> executor_of("threads").name
    'threads'

    """
    if executor is None:
        return LocalExecutor()
    if isinstance(executor, str):
        if executor in _NAMES:
            made: Executor = _NAMES[executor]()
            return made
        raise UnknownArgument(
            f"executor={shown(executor)} is not known.{nearest(executor, _NAMES)} "
            f"Known: {', '.join(_NAMES)}, or an executor object."
        )
    if isinstance(executor, type):
        executor = executor()
    if not hasattr(executor, "drive"):
        raise UnknownArgument(
            f"executor={shown(executor)} cannot drive a run. "
            f"Use one of {', '.join(_NAMES)}, or flowbook.executors.ThreadExecutor(workers=8)."
        )
    found: Executor = executor
    return found
