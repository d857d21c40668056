"""Results: where the values of tasks are kept.

>>> from flowbook.results import LocalResult, PrefectResult
>>> PrefectResult().write(3).location
'3'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from flowbook.results.base import NoResult, NoResultType, Result

if TYPE_CHECKING:
    from flowbook.results.cloud import AzureResult, FSSpecResult, GCSResult, S3Result
    from flowbook.results.given import ConstantResult, FlowbookResult, PrefectResult, SecretResult
    from flowbook.results.local import LocalResult

# Each kind is loaded when somebody uses it: every flow imports this package, and few keep anything.
_PLACES = {
    "AzureResult": "cloud",
    "ConstantResult": "given",
    "FSSpecResult": "cloud",
    "FlowbookResult": "given",
    "GCSResult": "cloud",
    "LocalResult": "local",
    "PrefectResult": "given",
    "S3Result": "cloud",
    "SecretResult": "given",
}

__all__ = [
    "AzureResult",
    "ConstantResult",
    "FSSpecResult",
    "FlowbookResult",
    "GCSResult",
    "LocalResult",
    "NoResult",
    "NoResultType",
    "PrefectResult",
    "Result",
    "S3Result",
    "SecretResult",
]


def __getattr__(name: str) -> object:
    if name in _PLACES:
        return getattr(import_module(f"flowbook.results.{_PLACES[name]}"), name)
    raise AttributeError(f"flowbook.results has nothing called {name!r}; known here: {', '.join(__all__)}.")
