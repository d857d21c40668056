"""Locking: what is known of a notebook is asked by the page on one thread and changed by running cells on another."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

__all__ = ["alone"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Locked(Protocol):
    lock: threading.RLock


_S = TypeVar("_S", bound=_Locked)


def alone(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Let a method have its object's ``lock``, a reentrant one, while it works.

    >>> import threading
    >>> class Counter:
    ...     def __init__(self):
    ...         self.lock, self.value = threading.RLock(), 0
    ...
    ...     @alone
    ...     def count(self):
    ...         self.value += 1
    ...         return self.value
    >>> Counter().count()
    1

    """

    @functools.wraps(method)
    def locked(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        __tracebackhide__ = True
        with self.lock:
            return method(self, *args, **kwargs)

    return locked
