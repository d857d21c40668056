"""Results: a value, and where it is kept.

A result never changes: `write` and `read` return a new one, which has the value and the place it is kept at. The place
is called its *location*, and may be a template like ``"{date:%Y-%m-%d}/{task_name}.pickle"`` that is filled in for each
task run.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, nearest, shown
from flowbook.serializers import PickleSerializer, Serializer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

__all__ = ["NoResult", "NoResultType", "Result", "default_location", "filled_in"]


class Result:
    """A value, and where it is kept; this class itself keeps it in memory only.

    Args:
        value: the value.
        location: where it is kept: a text, a template, or a function of keywords that returns the text.
        serializer: how it becomes bytes; `PickleSerializer` when not given.

    Raises:
        TypeError: a location or a serializer that is none.

    >>> result = Result(3, location="{task_name}.pickle")
    >>> result.format(task_name="add").location
    'add.pickle'

    """

    def __init__(
        self,
        value: Any = None,
        location: str | Callable[..., str] | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        if location is not None and not isinstance(location, str) and not callable(location):
            raise TypeError(f"location={shown(location)} is neither a text nor a function that returns one.")
        if serializer is not None and not isinstance(serializer, Serializer):
            raise TypeError(
                f"serializer={shown(serializer)} is not a Serializer. Use one of flowbook.serializers, "
                "for instance JSONSerializer()."
            )
        self.value = value
        self.location = location
        self.serializer = serializer if serializer is not None else PickleSerializer()

    @property
    def is_writable(self) -> bool:
        """Whether a value can be put there."""
        return type(self).write is not Result.write

    def read(self, location: str) -> Self:
        """Return the result that is kept at a location, with its value."""
        raise NotImplementedError(self._no_store())

    def write(self, value_: Any, **context: Any) -> Self:
        """Keep a value and return the result with its value and location.

        Args:
            value_: the value.
            **context: what the location's template may name.

        """
        raise NotImplementedError(self._no_store())

    def exists(self, location: str, **context: Any) -> bool:
        """Tell whether something is kept at a location."""
        raise NotImplementedError(self._no_store())

    def _no_store(self) -> str:
        return (
            f"a {type(self).__name__} keeps its value in memory only. To write it somewhere, use "
            "flowbook.results.LocalResult or another kind."
        )

    def format(self, /, **context: Any) -> Self:
        """Return the same result with its location filled in.

        Args:
            **context: what the template may name.

        Raises:
            FlowError: the template names something that is not there.

        """
        made = self.copy()
        made.location = filled_in(self.location, context) if self.location is not None else self.default(context)
        return made

    def default(self, context: Mapping[str, Any]) -> str:
        """Return a location for a value that was given none."""
        return default_location(context)

    def copy(self) -> Self:
        """Return a copy that shares the value."""
        return copy.copy(self)

    def from_value(self, value: Any) -> Self:
        """Return a copy with another value."""
        made = self.copy()
        made.value = value
        return made

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        mine, theirs = self.__dict__, other.__dict__
        return mine.keys() == theirs.keys() and all(_same(value, theirs[name]) for name, value in mine.items())

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {shown(self.location) if self.location is not None else 'no location'}>"


def _same(mine: Any, theirs: Any) -> bool:
    if mine is theirs:
        return True
    try:
        return bool(mine == theirs)
    except Exception:  # noqa: BLE001 - arrays and tables have no single answer, and say so by raising
        return False


class NoResultType(Result):
    """The type of `NoResult`: nothing was kept, which is not the same as None."""

    def __repr__(self) -> str:
        return "<No result>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoResultType)

    __hash__ = object.__hash__

    def __reduce__(self) -> str:
        return "NoResult"


NoResult = NoResultType()


def filled_in(template: str | Callable[..., str], values: Mapping[str, Any]) -> str:
    """Return a template filled in with values.

    Args:
        template: a text with ``{names}``, or a function that takes the values as keywords.
        values: what it may name.

    Raises:
        FlowError: it names something that is not there, or is no template, or the function returned no text.

    >>> filled_in("{x:03d}/{name}.txt", {"x": 7, "name": "a"})
    '007/a.txt'

    """
    if not isinstance(template, str):
        made: object = template(**values)
        if not isinstance(made, str):
            raise FlowError(f"{shown(template)} returned {shown(made)}, where a text was expected.")
        return made
    try:
        return template.format_map(values)
    except KeyError as error:
        name = str(error.args[0]) if error.args else ""
        raise FlowError(
            f"the template {shown(template)} names {shown(name)}, which is not there.{nearest(name, values)} "
            f"It may name: {', '.join(sorted(map(str, values)))}."
        ) from None
    except Exception as error:
        raise FlowError(f"the template {shown(template)} cannot be filled in: {shown(error)}.") from error


def default_location(values: Mapping[str, Any]) -> str:
    """Return a location of its own for a task run, or a random one where nothing is known of any.

    >>> default_location({"flow_name": "My flow!", "flow_run_id": "1f", "task_slug": "add-1[3]"})
    'My-flow/1f/add-1-3.result'

    """
    known = [str(values[key]) for key in ("flow_name", "flow_run_id", "task_slug") if values.get(key)]
    if not known or not values.get("flow_run_id"):
        import uuid  # noqa: PLC0415 - seldom needed

        known.append(uuid.uuid4().hex)
    return "/".join(_plain(part) for part in known) + ".result"


def _plain(text: str) -> str:
    """Return a text that every store takes as one part of a path."""
    return re.sub(r"[^\w.=-]+", "-", text).strip("-.") or "-"
