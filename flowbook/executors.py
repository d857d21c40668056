"""Executors, under the name of the reference API; they are in `flowbook.engine.executors`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine import executors
from flowbook.engine.executors import Executor, LocalExecutor, ThreadExecutor, executor_of

if TYPE_CHECKING:
    from flowbook.engine.executors import DaskExecutor

__all__ = ["DaskExecutor", "Executor", "LocalExecutor", "ThreadExecutor", "executor_of"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(executors, name)  # loaded when somebody asks for it
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
