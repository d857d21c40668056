"""Function tasks: what the `flowbook.task` decorator returns."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from flowbook.errors import UnknownArgument, nearest, shown
from flowbook.tasks.base import Task
from flowbook.tasks.signature import RunSignature

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FunctionTask"]

_OPTIONS = frozenset(inspect.signature(Task.__init__).parameters) - {"self"}


class FunctionTask(Task):
    """A task whose ``run`` is a plain function.

    Args:
        fn: the function.
        name: the function's name when not given.
        **kwargs: as for `Task`.

    Raises:
        TypeError: `fn` is not callable, or takes an argument by position only; an option that no task has.
        ValueError: it takes ``*args``, or an argument named as one that every call takes.

    >>> FunctionTask(lambda x: x + 1, name="increment").run(1)
    2

    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **kwargs: Any) -> None:
        run: object = fn
        if not callable(run):
            raise TypeError(f"FunctionTask takes a function, not {shown(fn)}.")
        unknown = sorted(kwargs.keys() - _OPTIONS)
        if unknown:
            raise UnknownArgument(f"@task has no option {unknown[0]!r}.{nearest(unknown[0], _OPTIONS)}")
        # an instance attribute: the class's run_signature is that of the empty Task.run
        self.run_signature = RunSignature.of(fn)
        self.run = fn  # type: ignore[method-assign]  # the function is the body
        super().__init__(name=name or getattr(fn, "__name__", None), **kwargs)
        functools.update_wrapper(self, fn, updated=())
