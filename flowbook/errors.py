"""Errors that name the offending value, the rule, and the next step.

All of them derive from `FlowbookError` and from the built-in class that the field expects in that place
(a cycle is a `ValueError`, an illegal move a `RuntimeError`), so that old ``except`` clauses keep working.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec

from flowbook import redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.tasks.base import Task

__all__ = [
    "CycleError",
    "FlowError",
    "FlowbookError",
    "InvalidTransition",
    "ParameterError",
    "ResultLost",
    "TypeMismatch",
    "TypeMismatchWarning",
    "UnknownArgument",
    "giving",
    "naming_unknown_options",
    "nearest",
    "shown",
]

_P = ParamSpec("_P")

_SHOWN_CHARACTERS = 120
_SHOWN_TASKS = 12


def shown(value: object, limit: int = _SHOWN_CHARACTERS) -> str:
    """Return the repr of a value for a message: one line, at most `limit` characters, and never an error.

    >>> shown("a" * 300, limit=12)
    "'aaaa…aaaaa'"
    """
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything; a message must still be made
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    if redaction.known:
        text = redaction.redact(text)  # before it is cut: half a secret is one, too
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[len(text) - (limit - 1 - half) :]}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that offers the nearest known name, or an empty text.

    >>> nearest("exectuor", ["executor", "context"])
    " Did you mean 'executor'?"
    """
    import difflib  # noqa: PLC0415 - a message is rare, an import is not

    match = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {shown(match[0])}?" if match else ""


def giving(*names: str) -> str:
    """Return the call of ``flow.run`` that gives these parameters, as a person would type it.

    >>> giving("country")
    'flow.run(country=...)'
    >>> giving("country", "two words")
    "flow.run(parameters={'country': ..., 'two words': ...})"

    """
    if all(name.isidentifier() and len(name) <= _SHOWN_CHARACTERS for name in names):
        return f"flow.run({', '.join(f'{name}=...' for name in names)})"
    listed = ", ".join(f"{shown(name, 60)}: ..." for name in names)
    return f"flow.run(parameters={{{listed}}})"


def naming_unknown_options(init: Callable[_P, None]) -> Callable[_P, None]:
    """Let a constructor name the option that is nearest to an unknown one; in all else it stays as it is.

    >>> class Meal:
    ...     @naming_unknown_options
    ...     def __init__(self, spice=None): ...
    >>> Meal(spcie="salt")
    Traceback (most recent call last):
        ...
    flowbook.errors.UnknownArgument: Meal has no option 'spcie'. Did you mean 'spice'? Known: spice.

    """
    known = [name for name in inspect.signature(init).parameters if name != "self"]

    @functools.wraps(init)
    def made(*args: _P.args, **options: _P.kwargs) -> None:
        unknown = next((name for name in options if name not in known), None)
        if unknown is not None:
            kind = init.__qualname__.rpartition(".")[0].rpartition(".")[2]
            raise UnknownArgument(
                f"{kind} has no option {shown(unknown)}.{nearest(unknown, known)} Known: {', '.join(known)}."
            )
        init(*args, **options)

    return made


class FlowbookError(Exception):
    """Root of the errors flowbook raises by itself."""


class FlowError(FlowbookError, ValueError):
    """Say that a flow was described in a way that cannot be meant."""


class UnknownArgument(FlowbookError, TypeError, ValueError):
    """Say that a keyword is not known, and which known one is nearest.

    Also a ValueError: `flow.run` cannot tell a misspelt option from a parameter that the flow does not have.
    """


class ParameterError(FlowError):
    """Say which values of parameters cannot be read as what they are meant to be.

    Attributes:
        problems: what is wrong, by parameter; a form shows each beside its field.

    """

    def __init__(self, flow_name: str, problems: Mapping[str, str]) -> None:
        self.flow_name = flow_name
        self.problems = dict(problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems.values())
        super().__init__(f"flow {shown(flow_name)} cannot take these parameters:{lines}")

    def __reduce__(self) -> Any:
        return type(self), (self.flow_name, self.problems)


class TypeMismatch(FlowbookError, TypeError):
    """Say that annotations, or a value and an annotation, can surely not be meant together."""


class TypeMismatchWarning(UserWarning):
    """Say the same of an edge, where it is no error because nobody asked for strict types."""


class CycleError(FlowError):
    """Say that tasks wait for each other in a circle.

    Attributes:
        cycle: the tasks in order, each upstream of the next, the last upstream of the first.

    """

    def __init__(self, cycle: Sequence[Task]) -> None:
        self.cycle = tuple(cycle)
        names = [shown(task.name, 40) for task in (*self.cycle, self.cycle[0])]
        left_out = len(names) - _SHOWN_TASKS
        if left_out > 0:
            names[_SHOWN_TASKS // 2 : -_SHOWN_TASKS // 2] = [f"({left_out} more)"]
        path = " -> ".join(names)
        super().__init__(
            f"Cycle found; flows must be acyclic: {path}.\n"
            "  None of these tasks could ever start. Remove one of the edges between them.",
        )


class InvalidTransition(FlowbookError, RuntimeError):
    """Say which move of a task run was refused, with the story of the task run so far."""


class ResultLost(FlowbookError, LookupError):
    """Say that the result of a task run is not where it was any more: its worker or its cluster is gone."""
