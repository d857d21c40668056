"""The signature of a task's ``run``, read once and bound fast.

`inspect.Signature.bind` costs more than all the rest of a task call; the usual call is bound here with a zip and two
look-ups, and only a call that does not fit is given to `inspect` for its message.
"""

from __future__ import annotations

import inspect
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RunSignature"]

_TAKEN = ("upstream_tasks", "mapped", "task_args", "flow")
_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY


@dataclass(frozen=True)
class RunSignature:
    """What ``run`` takes.

    Attributes:
        signature: without ``self``.
        positional: the names that can be given by position, in order.
        names: all names that can be given by keyword.
        required: the names without a default.
        takes_any: ``run`` has ``**kwargs``.
        nout: how many results the return annotation promises, or None.

    """

    signature: inspect.Signature
    positional: tuple[str, ...]
    names: frozenset[str]
    required: frozenset[str]
    takes_any: bool
    nout: int | None

    @classmethod
    def of(cls, run: Callable[..., Any], *, method: bool = False) -> RunSignature:
        """Read the signature of a function.

        Args:
            run: the function.
            method: leave out its first argument.

        Raises:
            ValueError: it cannot be inspected, has ``*args``, or uses a name that calls need themselves.
            TypeError: it has positional-only parameters.

        """
        try:
            signature = inspect.signature(run)
        except (ValueError, TypeError) as error:
            name = getattr(run, "__name__", shown(run))
            msg = f"the signature of {name} cannot be read. Wrap it in a function of your own: @task def my_{name}(x): return {name}(x)."
            raise ValueError(msg) from error
        parameters = list(signature.parameters.values())
        if method and parameters:
            parameters = parameters[1:]
        name = getattr(run, "__qualname__", shown(run))
        for parameter in parameters:
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                msg = (
                    f"{name} takes *{parameter.name}; a task's arguments become named edges. Take a list, or **kwargs."
                )
                raise ValueError(msg)
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                msg = f"{name} takes {parameter.name!r} by position only; a task's arguments are passed by name. Remove the '/'."
                raise TypeError(msg)
            if parameter.name in _TAKEN:
                msg = f"{name} has an argument {parameter.name!r}, which calling a task needs for itself. Rename it."
                raise ValueError(msg)
        named = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
        return cls(
            signature=signature.replace(parameters=parameters),
            positional=tuple(p.name for p in named if p.kind is not _KEYWORD_ONLY),
            names=frozenset(p.name for p in named),
            required=frozenset(p.name for p in named if p.default is p.empty),
            takes_any=len(named) < len(parameters),
            nout=_promised_results(run, signature.return_annotation),
        )

    def bind(self, task_name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by name, or raise TypeError as the function itself would.

        >>> RunSignature.of(lambda x, y=1: x).bind("add", (1,), {})
        {'x': 1}

        """
        if len(args) <= len(self.positional):
            bound = dict(zip(self.positional, args)) if args else {}
            size = len(bound) + len(kwargs)
            bound.update(kwargs)
            if len(bound) == size and self.required <= bound.keys() and (self.takes_any or self.names >= kwargs.keys()):
                return bound
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            msg = f"task {shown(task_name)}: {error}. It takes {self.signature}."
            raise TypeError(msg) from None
        msg = f"task {shown(task_name)} cannot be called with {shown((args, kwargs))}; it takes {self.signature}."
        raise TypeError(msg)

    def describe(self, run: Callable[..., Any]) -> dict[str, dict[str, Any]]:
        """Return each argument's type, whether it is required, and its default."""
        hints = _hints(run)
        return {
            name: {
                "type": hints.get(name, Any),
                "required": parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD,
                "default": None if parameter.default is parameter.empty else parameter.default,
            }
            for name, parameter in self.signature.parameters.items()
        }

    def returns(self, run: Callable[..., Any]) -> Any:
        """Return the return annotation, or Any."""
        return _hints(run).get("return", Any)

    def of_call(self) -> inspect.Signature:
        """Return the signature of calling the task: that of ``run`` plus what every call takes."""
        keywords = [
            inspect.Parameter("mapped", _KEYWORD_ONLY, default=False),
            inspect.Parameter("task_args", _KEYWORD_ONLY, default=None),
            inspect.Parameter("upstream_tasks", _KEYWORD_ONLY, default=None),
            inspect.Parameter("flow", _KEYWORD_ONLY, default=None),
        ]
        mine = list(self.signature.parameters.values())
        rest = [p for p in mine if p.kind is inspect.Parameter.VAR_KEYWORD]
        return self.signature.replace(parameters=[*(p for p in mine if p not in rest), *keywords, *rest])


def _hints(run: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(run)
    except Exception:  # noqa: BLE001 - annotations are a user's expressions and may fail in any way
        return dict(getattr(run, "__annotations__", {}))


def _promised_results(run: Callable[..., Any], annotation: Any) -> int | None:
    """Return the length of an annotated tuple, or None when it is not known."""
    if annotation is inspect.Signature.empty:
        return None
    if isinstance(annotation, str):
        if "uple" not in annotation:
            return None
        annotation = _hints(run).get("return")
    if typing.get_origin(annotation) is not tuple:
        return None
    items = typing.get_args(annotation)
    if items in {((),), ()}:
        # Tuple[()] promises nothing; a bare Tuple promises nothing *known*. Both have no arguments on 3.11 and later.
        return 0 if isinstance(annotation, types.GenericAlias) or repr(annotation).endswith("[()]") else None
    return None if Ellipsis in items else len(items)
