"""Executors: which thread, process or machine runs the bodies. The machine alone owns states, retries and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from flowbook.configuration import config
from flowbook.engine.executors.local import LocalExecutor
from flowbook.engine.executors.local_dask import LocalDaskExecutor
from flowbook.engine.executors.threads import ThreadExecutor
from flowbook.errors import UnknownArgument, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.executors.dask import DaskExecutor
    from flowbook.engine.executors.processes import ProcessExecutor
    from flowbook.engine.runner import Runner

__all__ = [
    "DaskExecutor",
    "Executor",
    "LocalDaskExecutor",
    "LocalExecutor",
    "ProcessExecutor",
    "ThreadExecutor",
    "executor_of",
]


class Executor(Protocol):
    """What drives a runner until all tasks have ended or only a person can go on."""

    name: str

    def drive(self, runner: Runner) -> None:
        """Run bodies and feed their ends back."""


def _dask() -> Executor:
    from flowbook.engine.executors.dask import DaskExecutor  # noqa: PLC0415 - Dask is an extra, and takes long to load

    return DaskExecutor.in_notebook()


def _processes() -> Executor:
    from flowbook.engine.executors.processes import ProcessExecutor  # noqa: PLC0415 - loaded by those who use it

    return ProcessExecutor()


_NAMES: dict[str, Callable[[], Any]] = {
    "dask": _dask,
    "local": LocalExecutor,
    "processes": _processes,
    "threads": ThreadExecutor,
}


def __getattr__(name: str) -> Any:
    if name == "DaskExecutor":
        from flowbook.engine.executors.dask import DaskExecutor  # noqa: PLC0415 - likewise

        return DaskExecutor
    if name == "ProcessExecutor":
        from flowbook.engine.executors.processes import ProcessExecutor  # noqa: PLC0415 - likewise

        return ProcessExecutor
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def executor_of(executor: Any) -> Executor:
    """Return the executor meant by a name, a class, an executor, or None, which means the one that is configured.

    Raises:
        UnknownArgument: none of these.

    >>> executor_of("threads").name
    'threads'

    """
    if executor is None:
        executor = str(config.engine.executor.default_class)
    if isinstance(executor, str):
        executor = executor.rpartition(".")[2]  # flowbook.executors.ThreadExecutor
        if executor in __all__[:-1] and executor != "Executor":
            return executor_of(globals().get(executor) or __getattr__(executor))
        if executor in _NAMES:
            made: Executor = _NAMES[executor]()
            return made
        raise UnknownArgument(
            f"executor={shown(executor)} is not known.{nearest(executor, _NAMES)} "
            f"Known: {', '.join(_NAMES)}, or an executor object."
        )
    if isinstance(executor, type):
        executor = executor()
    drive = getattr(executor, "drive", None)
    if drive is None or getattr(drive, "__func__", None) is Executor.drive:
        raise UnknownArgument(
            f"executor={shown(executor)} cannot drive a run. "
            f"Use one of {', '.join(_NAMES)}, or flowbook.executors.ThreadExecutor(workers=8)."
        )
    if isinstance(executor, LocalDaskExecutor):
        return executor.chosen
    found: Executor = executor
    return found
