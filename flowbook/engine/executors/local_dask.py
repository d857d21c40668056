"""The reference API's executor of one machine: threads, processes, or one after another, by the name of a scheduler.

It has its name from there; no Dask is in it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowbook.engine.executors.local import LocalExecutor
from flowbook.engine.executors.threads import ThreadExecutor
from flowbook.errors import UnknownArgument, nearest, shown

if TYPE_CHECKING:
    from flowbook.engine.executors import Executor
    from flowbook.engine.runner import Runner

__all__ = ["LocalDaskExecutor"]

# What the schedulers are called, and which of ours each one means.
_SCHEDULERS = {
    "threads": "threads",
    "threading": "threads",
    "processes": "processes",
    "multiprocessing": "processes",
    "sync": "local",
    "synchronous": "local",
    "single-threaded": "local",
}


class LocalDaskExecutor:
    """Run bodies on this machine: on threads, in processes, or one after another.

    Args:
        scheduler: ``threads``, ``processes`` or ``sync``.
        num_workers: how many at the same time, as the executor meant chooses when not given.
        **config: settings of Dask; there are none here.

    Attributes:
        chosen: the executor that does the work.

    Raises:
        UnknownArgument: another scheduler, or a setting.

    >>> LocalDaskExecutor(scheduler="threads", num_workers=4).name
    'threads'

    """

    def __init__(self, scheduler: str = "threads", *, num_workers: int | None = None, **config: Any) -> None:
        if str(scheduler) not in _SCHEDULERS:
            raise UnknownArgument(
                f"scheduler={shown(scheduler)} is not known.{nearest(str(scheduler), _SCHEDULERS)} "
                f"Known: {', '.join(_SCHEDULERS)}."
            )
        if config:
            name = next(iter(config))
            raise UnknownArgument(
                f"{name}={shown(config[name])} would be a setting of Dask, which has no part in this executor."
                f"{nearest(name, ['num_workers'])} Leave it out; num_workers says how many at the same time."
            )
        self.scheduler = scheduler
        self.num_workers = num_workers
        self.chosen = _chosen(_SCHEDULERS[str(scheduler)], num_workers)

    @property
    def name(self) -> str:
        """The name of the executor meant."""
        return self.chosen.name

    def drive(self, runner: Runner) -> None:
        """Run bodies until all tasks have ended or only a person can go on."""
        self.chosen.drive(runner)


def _chosen(name: str, workers: int | None) -> Executor:
    if name == "local":
        return LocalExecutor()
    if name == "threads":
        return ThreadExecutor(workers)
    executors = import_module("flowbook.engine.executors")
    made: Executor = executors.ProcessExecutor(workers) if workers is not None else executors.executor_of("processes")
    return made
