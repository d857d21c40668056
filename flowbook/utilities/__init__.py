"""Decorators and helpers, under the names of the reference API."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

# Reached as attributes in programs for the reference API; loaded when somebody does.
_PARTS = ("debug", "diagnostics", "edges", "logging", "notifications", "tasks")


def __getattr__(name: str) -> ModuleType:
    if name in _PARTS:
        return import_module(f"flowbook.utilities.{name}")
    raise AttributeError(f"flowbook.utilities has nothing called {name!r}; known here: {', '.join(_PARTS)}.")
