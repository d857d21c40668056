"""The signature of a task's ``run``, read once and bound fast.

`inspect.Signature.bind` costs more than all the rest of a task call; the usual call is bound here with a zip and two
look-ups, and only a call that does not fit is given to `inspect` for its message.
"""

from __future__ import annotations

import ast
import inspect
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flowbook.errors import shown
from flowbook.hints import resolved

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RunSignature", "SignatureOfCall"]

_TAKEN = ("upstream_tasks", "mapped", "task_args", "flow")
_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY


@dataclass(frozen=True)
class RunSignature:
    """What ``run`` takes.

    Attributes:
        signature: without ``self``.
        positional: the names that can be given by position, in order.
        names: all names that can be given by keyword.
        needed: the names without a default that are still missing when so many arguments are given by position.
        takes_any: ``run`` has ``**kwargs``.
        nout: how many results the return annotation promises, or None.
        by_position_only: the name of an argument that cannot be given by name, or "".
        takes_types: an argument is annotated with something that can be compared.
        gives_type: the result is.

    """

    signature: inspect.Signature
    positional: tuple[str, ...]
    names: frozenset[str]
    needed: tuple[frozenset[str], ...]
    takes_any: bool
    nout: int | None
    by_position_only: str = ""
    takes_types: bool = False
    gives_type: bool = False

    @classmethod
    def of(cls, run: Callable[..., Any], *, method: bool = False) -> RunSignature:
        """Read the signature of a function.

        Args:
            run: the function.
            method: leave out its first argument.

        Raises:
            ValueError: it cannot be inspected, has ``*args``, or uses a name that calls need themselves.

        """
        name = getattr(run, "__qualname__", None) or shown(run)
        try:
            signature = inspect.signature(run)
        except (ValueError, TypeError) as error:
            own = f"my_{getattr(run, '__name__', 'function')}"
            raise ValueError(
                f"the signature of {name} cannot be read, so its arguments have no names. "
                f"Wrap it in a function of your own: @task def {own}(x): return {name}(x)."
            ) from error
        parameters = list(signature.parameters.values())
        if method and parameters:
            parameters = parameters[1:]
        for parameter in parameters:
            _refuse_unfit(name, parameter)
        named = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
        positional = tuple(p.name for p in named if p.kind is not _KEYWORD_ONLY)
        # see flowbook.utilities.tasks.defaults_from_attrs
        falls_back: frozenset[str] = getattr(run, "falls_back", frozenset())
        required = frozenset(p.name for p in named if p.default is p.empty) - falls_back
        return cls(
            signature=signature.replace(parameters=parameters),
            positional=positional,
            names=frozenset(p.name for p in named),
            needed=tuple(required.difference(positional[:given]) for given in range(len(positional) + 1)),
            takes_any=len(named) < len(parameters),
            nout=_promised_results(run, signature.return_annotation),
            by_position_only=next((p.name for p in named if p.kind is inspect.Parameter.POSITIONAL_ONLY), ""),
            takes_types=any(_says_something(p.annotation) for p in parameters),
            gives_type=_says_something(signature.return_annotation),
        )

    def __getstate__(self) -> dict[str, Any]:
        # types that were looked up may be of a notebook, and can be looked up again
        return {name: value for name, value in self.__dict__.items() if name != "_hints"}

    def bind(self, task_name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by name, or raise TypeError as the function itself would.

        >>> RunSignature.of(lambda x, y=1: x).bind("add", (1,), {})
        {'x': 1}

        """
        given = len(args)
        if given < len(self.needed) and (self.takes_any or self.names.issuperset(kwargs)):
            bound = dict(zip(self.positional, args))  # noqa: B905 - the shorter of the two ends it
            bound.update(kwargs)
            if len(bound) == given + len(kwargs) and (not self.needed[given] or self.needed[given] <= bound.keys()):
                return bound
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"task {shown(task_name)}: {error}. It takes {self.signature}.") from None
        raise TypeError(
            f"task {shown(task_name)} cannot be called with {shown((args, kwargs))}; it takes {self.signature}."
        )

    def takes(self, name: str) -> bool:
        """Tell whether ``run`` takes an argument of that name."""
        return self.takes_any or name in self.names

    def describe(self, run: Callable[..., Any]) -> dict[str, dict[str, Any]]:
        """Return each argument's type, whether it is required, and its default."""
        hints = self.hints(run)
        return {
            name: {
                "type": hints.get(name, Any),
                "required": name in self.needed[0],
                "default": None if parameter.default is parameter.empty else parameter.default,
            }
            for name, parameter in self.signature.parameters.items()
        }

    def returns(self, run: Callable[..., Any]) -> Any:
        """Return the return annotation, or Any."""
        return self.hints(run).get("return", Any)

    def takes_type(self, run: Callable[..., Any], name: str) -> Any:
        """Return what an argument is annotated with, or Any; one of ``**kwargs`` is of the type of all of them."""
        hints = self.hints(run)
        if name in self.names or not self.takes_any:
            return hints.get(name, Any)
        return hints.get(list(self.signature.parameters)[-1], Any)

    def hints(self, run: Callable[..., Any]) -> dict[str, Any]:
        """Return the types of the arguments and of the result, as far as there are any; texts where names are unknown.

        They are looked up once: a flow may have the same function in a thousand tasks.
        """
        kept: dict[str, Any] | None = self.__dict__.get("_hints")
        if kept is None:
            kept = {
                name: _with_none(resolved(run, p.annotation), p.default)
                for name, p in self.signature.parameters.items()
                if p.annotation is not p.empty
            }
            if self.signature.return_annotation is not inspect.Signature.empty:
                kept["return"] = resolved(run, self.signature.return_annotation)
            self.__dict__["_hints"] = kept  # the class is frozen, and this is a note to itself
        return kept

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


class SignatureOfCall:
    """Tell `inspect.signature`, and so help and completion, what tasks and their classes take."""

    def __get__(self, task: Any, kind: type) -> inspect.Signature:
        if task is not None:
            return cast(RunSignature, task.run_signature).of_call()
        made = inspect.signature(kind.__init__)  # type: ignore[misc]  # of the class itself, not of an instance
        return made.replace(parameters=list(made.parameters.values())[1:], return_annotation=made.empty)


def _refuse_unfit(name: str, parameter: inspect.Parameter) -> None:
    """Raise ValueError for an argument that cannot become an edge."""
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        raise ValueError(
            f"{name} takes *{parameter.name}; a task's arguments become named edges. Take a list, or **kwargs."
        )
    if parameter.name in _TAKEN:
        raise ValueError(
            f"{name} has an argument {parameter.name!r}, which calling a task needs for itself. Rename it."
        )


def _says_something(annotation: Any) -> bool:
    """Tell whether an annotation may be worth comparing; looked at once per function, before names are looked up."""
    nothing = (inspect.Signature.empty, Any, object, "Any", "object", "typing.Any")
    return not any(annotation is one for one in nothing[:3]) and not (
        isinstance(annotation, str) and annotation in nothing
    )


def _with_none(annotation: Any, default: Any) -> Any:
    """Return the type of an argument whose default is None: None is welcome then, though many do not write it."""
    if default is not None or isinstance(annotation, str) or annotation is Any:
        return annotation
    try:
        return typing.Optional[annotation]  # noqa: UP045 - an annotation may be of a kind that has no |
    except TypeError:
        return annotation


def _promised_results(run: Callable[..., Any], annotation: Any) -> int | None:
    """Return the length of an annotated tuple, or None when it is not known."""
    if annotation is inspect.Signature.empty or annotation is None:
        return None
    if isinstance(annotation, str):
        written, annotation = annotation, resolved(run, annotation)
        if isinstance(annotation, str):
            return _written_results(written)  # a name that is not there yet, or only for type checkers
    if typing.get_origin(annotation) is not tuple:
        return None
    items = typing.get_args(annotation)
    if items in {((),), ()}:
        # Tuple[()] promises nothing; a bare Tuple promises nothing *known*. Both have no arguments on 3.11 and later.
        return 0 if isinstance(annotation, types.GenericAlias) or repr(annotation).endswith("[()]") else None
    return None if Ellipsis in items else len(items)


def _written_results(annotation: str) -> int | None:
    """Count the items of a tuple annotation as it is written, when its names cannot be looked up.

    >>> _written_results("Tuple[Unknown, t.Dict[str, Other]]")
    2

    """
    try:
        written = ast.parse(annotation.strip(), mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(written, ast.Subscript):
        return None
    if ast.unparse(written.value).rpartition(".")[2] not in {"Tuple", "tuple"}:
        return None
    items = written.slice.elts if isinstance(written.slice, ast.Tuple) else [written.slice]
    if any(isinstance(item, ast.Constant) and item.value is Ellipsis for item in items):
        return None
    return len(items)
