"""Executors: which thread, process or machine runs the bodies. The machine alone owns states, retries and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from flowbook.engine.executors.local import LocalExecutor
from flowbook.engine.executors.threads import ThreadExecutor
from flowbook.errors import UnknownArgument, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.executors.dask import DaskExecutor
    from flowbook.engine.runner import Runner

__all__ = ["DaskExecutor", "Executor", "LocalExecutor", "ThreadExecutor", "executor_of"]


class Executor(Protocol):
    """What drives a runner until all tasks have ended or only a person can go on."""

    name: str

    def drive(self, runner: Runner) -> None:
        """Run bodies and feed their ends back."""


def _dask() -> Executor:
    from flowbook.engine.executors.dask import DaskExecutor  # noqa: PLC0415 - Dask is an extra, and takes long to load

    return DaskExecutor.in_notebook()


_NAMES: dict[str, Callable[[], Any]] = {"dask": _dask, "local": LocalExecutor, "threads": ThreadExecutor}


def __getattr__(name: str) -> Any:
    if name == "DaskExecutor":
        from flowbook.engine.executors.dask import DaskExecutor  # noqa: PLC0415 - likewise

        return DaskExecutor
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


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
