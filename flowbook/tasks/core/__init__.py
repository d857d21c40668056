"""The tasks that flows make by themselves: constants, collections, operators, functions.

>>> from flowbook.tasks.core import Constant, List
>>> Constant(3).value
3
"""

from __future__ import annotations

from typing import Any

__all__ = ["Constant", "Dict", "List", "Set", "Tuple"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from flowbook.tasks.core import collections  # noqa: PLC0415 - the base of all tasks needs a part of this package

        return getattr(collections, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
