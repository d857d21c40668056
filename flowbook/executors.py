"""Executors, under the name of the reference API; they are in `flowbook.engine.executors`."""

from __future__ import annotations

from flowbook.engine.executors import Executor, LocalExecutor, ThreadExecutor, executor_of

__all__ = ["Executor", "LocalExecutor", "ThreadExecutor", "executor_of"]
