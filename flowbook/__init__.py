"""Flowbook: build workflows in a notebook, run them in the kernel, and watch the graph turn colour.

>>> from flowbook import Flow, task
>>> @task
... def add(x, y=1):
...     return x + y
>>> with Flow("sum") as flow:
...     total = add(1, y=2)
>>> flow.run(show=False).result[total].result
3
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from flowbook import signals, states, triggers
from flowbook.configuration import config
from flowbook.contexts import context
from flowbook.edges import Edge
from flowbook.errors import nearest as _nearest
from flowbook.flows import Flow
from flowbook.mapping import flatten, mapped, unmapped
from flowbook.parameters import Parameter
from flowbook.tasks.base import Task
from flowbook.tasks.control_flow.apply import apply_map
from flowbook.tasks.control_flow.case import case
from flowbook.tasks.core.resource_manager import resource_manager
from flowbook.utilities.tasks import as_task, tags, task

if _TYPE_CHECKING:
    from types import ModuleType

__version__ = "0.1.0"

# Reached as attributes in programs for the reference API; loaded when somebody does.
_PARTS = (
    "artifacts",
    "caching",
    "client",
    "core",
    "engine",
    "executors",
    "results",
    "schedules",
    "serializers",
    "tasks",
    "utilities",
)


def __getattr__(name: str) -> ModuleType:
    if name in _PARTS:
        return _import_module(f"flowbook.{name}")
    raise AttributeError(f"flowbook has nothing called {name!r}.{_nearest(name, __all__)} Known: {', '.join(__all__)}.")


def current(flow: str = "notebook") -> Flow:
    """Return the flow that the ``%%task`` cells of this notebook make.

    Args:
        flow: its name, when cells belong to several.

    Raises:
        FlowError: there are no such cells, or this is no notebook.

    """
    from flowbook.notebook.extension import current as found  # noqa: PLC0415 - a door: loads the notebook

    return found(flow)


def load_ipython_extension(shell: object) -> None:
    """Load the magics: ``%load_ext flowbook``."""
    from flowbook.notebook.extension import load  # noqa: PLC0415 - a door: loads the notebook

    load(shell)


__all__ = [
    "Edge",
    "Flow",
    "Parameter",
    "Task",
    "apply_map",
    "as_task",
    "case",
    "config",
    "context",
    "current",
    "flatten",
    "load_ipython_extension",
    "mapped",
    "resource_manager",
    "signals",
    "states",
    "tags",
    "task",
    "triggers",
    "unmapped",
]
