"""The engine: a pure machine decides, a thin runner carries out, one ordered list of events tells everybody.

Start reading at `flowbook.engine.machine`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

# Reached as attributes in programs for the reference API; loaded when somebody does.
_PARTS = ("cache_validators", "executors", "result", "results", "serializers", "signals", "state")


def __getattr__(name: str) -> ModuleType:
    if name in _PARTS:
        return import_module(f"flowbook.engine.{name}")
    raise AttributeError(f"flowbook.engine has nothing called {name!r}; known here: {', '.join(_PARTS)}.")
