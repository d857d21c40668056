"""Tasks: the steps of a flow, and the ones flowbook brings along.

`Task` itself is in `flowbook.tasks.base`; constants, collections, operators and function tasks are in
`flowbook.tasks.core`, as in the reference API. The library of ready tasks is in `database`, `files`, `http`, `jupyter`,
`shell` and `templates`; each part is loaded when somebody asks for it.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from flowbook.tasks.base import Task
from flowbook.tasks.core import collections as collections
from flowbook.tasks.core import operators as operators
from flowbook.tasks.core.function import FunctionTask

if _TYPE_CHECKING:
    from types import ModuleType

# Reached as attributes in programs for the reference API; loaded when somebody does.
_PARTS = ("database", "files", "http", "jupyter", "shell", "templates")


def __getattr__(name: str) -> ModuleType:
    if name in _PARTS:
        return _import_module(f"flowbook.tasks.{name}")
    raise AttributeError(f"flowbook.tasks has nothing called {name!r}; known here: {', '.join(_PARTS)}.")


__all__ = ["FunctionTask", "Task"]
