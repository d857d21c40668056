"""Function tasks: what the `flowbook.task` decorator returns."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any

from flowbook.errors import UnknownArgument, nearest, shown
from flowbook.tasks.base import Task
from flowbook.tasks.signature import RunSignature

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FunctionTask"]

# The mark among pickled attributes that the body is looked up; what then is read from it again, annotations and all.
_BY_NAME = "_by_name"
_READ_ANEW = frozenset({"run_signature", "__annotations__"})

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

    def _is_pickled_by_name(self) -> bool:
        return _is_found_as_task(self.__dict__.get("run"))

    def _to_pickle(self) -> dict[str, Any]:
        # a module has the task under the function's own name, so pickle would not find the function there
        values = super()._to_pickle()
        fn: Any = values.get("run")
        if not _is_found_as_task(fn):
            return values
        body = _BodyOf(fn.__module__, fn.__qualname__)
        kept = {name: body if value is fn else value for name, value in values.items() if name not in _READ_ANEW}
        return {_BY_NAME: True, **kept}

    def __setstate__(self, state: tuple[dict[str, Any], set[str] | frozenset[str]]) -> None:
        values, tags = state
        # a function of a notebook is in its own pickle, and may lead back to this task before its attributes are there
        if values.pop(_BY_NAME, False):
            values["run_signature"] = RunSignature.of(values["run"])
            values["__annotations__"] = getattr(values["run"], "__annotations__", {})
        super().__setstate__((values, tags))


class _BodyOf:
    """Stand for the function of a task in a pickle: when that is read, the task is looked up and its body taken."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __reduce__(self) -> Any:
        return _body_of, (self.module, self.name)


def _body_of(module: str, name: str) -> Any:
    """Return the function of the task that a module has under this name."""
    __import__(module)
    found = _found(module, name)
    if not isinstance(found, Task):
        msg = (
            f"{module} has no task {name!r} any more, which a pickled task was made from. "
            "Bring it back, or make the pickle anew."
        )
        raise AttributeError(msg)  # noqa: TRY004 - as pickle does for a function that is gone
    return found.run


def _found(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _is_found_as_task(fn: Any) -> bool:
    """Tell whether an importable module has a task with this body under the name of the body."""
    module, name = getattr(fn, "__module__", None), getattr(fn, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return False
    by_value = sys.modules["cloudpickle"].list_registry_pickle_by_value() if "cloudpickle" in sys.modules else ()
    if any(module == one or module.startswith(f"{one}.") for one in by_value):
        return False  # somebody wants the code itself in the pickle
    found = _found(module, name)
    return isinstance(found, Task) and found.__dict__.get("run") is fn
