"""Parameters: tasks whose result is given when the flow is run."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.contexts import context
from flowbook.errors import FlowError, TypeMismatch, giving, shown
from flowbook.hints import in_words, may_fit
from flowbook.redaction import MASK
from flowbook.states import aware
from flowbook.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

    from flowbook.flows import Flow

__all__ = ["DateTimeParameter", "Parameter", "no_default"]


class _NoDefault:
    """Say that no default was given, which is not the same as a default of None."""

    def __repr__(self) -> str:
        return "no default"

    def __reduce__(self) -> str:
        return "no_default"


no_default = _NoDefault()


class Parameter(Task):
    """A value that is given to ``flow.run``.

    Args:
        name: also its slug; unique in a flow.
        default: used when the run gives none.
        required: whether a run must give it; by default, when there is no `default`.
        tags: words to find it by.
        type: what its values are, for forms and command lines; by default, what the tasks that take it are
            annotated with, else the type of `default`.
        sensitive: its value is a secret: it is masked in all text that flowbook makes, pictures and logs included.

    Raises:
        TypeMismatch: the default is not of that type.

    >>> from flowbook import Flow, Parameter
    >>> with Flow("greeting") as flow:
    ...     greeting = Parameter("name", default="Marvin") + "!"
    >>> flow.run(name="Ford", show=False).result[greeting].result
    'Ford!'

    """

    def __init__(
        self,
        name: str,
        default: Any = no_default,
        required: bool | None = None,
        tags: Iterable[str] | None = None,
        type: Any = None,  # noqa: A002 - what everybody calls it
        *,
        sensitive: bool = False,
    ) -> None:
        if not name or not isinstance(name, str):
            raise TypeError(f"a parameter needs a name, not {shown(name)}: Parameter('country').")
        self.required = default is no_default if required is None else bool(required)
        self.default = None if default is no_default else default
        if type is not None:
            if self.default is not None and not may_fit(self.default.__class__, type):
                said = MASK if sensitive else shown(self.default)
                raise TypeMismatch(
                    f"parameter {shown(name)} has the default {said}, which is not {in_words(type)}. "
                    "Change one of the two."
                )
            self._declare(name, type)
        self.sensitive = bool(sensitive)
        # its value is given, not worked out: the configured retries of tasks are none of its business
        super().__init__(name=name, slug=name, tags=tags, checkpoint=False, max_retries=0)

    def _declare(self, name: str, declared: Any) -> None:
        """Say that the result is of a type, as if `run` were annotated so."""
        if isinstance(declared, str):
            raise TypeError(
                f"type={shown(declared)} is a text; give the type itself: Parameter({shown(name)}, type=int)."
            )
        known = self.run_signature
        returning = known.signature.replace(return_annotation=declared)
        self.run_signature = replace(known, signature=returning, gives_type=True)

    def __repr__(self) -> str:
        return f"<Parameter: {shown(self.name, 60)[1:-1]}>"

    def __call__(self, *args: Any, flow: Flow | None = None, **kwargs: Any) -> Self:
        """Add this very parameter to the flow and return it; it takes no arguments.

        Raises:
            FlowError: it was given an argument or something to wait for, or there is no flow.

        """
        if args or any(value is not None and value is not False for value in kwargs.values()):
            raise FlowError(
                f"parameter {shown(self.name)} takes no arguments and waits for nothing. "
                f"Its value is given when the flow is run: {giving(self.name)}."
            )
        return self.bind(flow=flow)

    def copy(self, name: str | None = None, **task_args: Any) -> Self:
        """Return a copy under a new name.

        Args:
            name: of the copy; a flow cannot have two parameters of one name.
            **task_args: attributes to set on the copy.

        Raises:
            TypeError: no new name was given.

        """
        if not name or not isinstance(name, str):
            raise TypeError(f"a copy of parameter {shown(self.name)} needs a name of its own: copy('other').")
        return super().copy(**{"name": name, "slug": name, **task_args})

    def run(self) -> Any:
        """Return the value the run was given, else the default; fail when it is required and missing."""
        given = context.get("parameters") or {}
        if self.required and self.name not in given:
            raise signals.FAIL(
                f"Parameter {shown(self.name)} is required and was not given. Give it: {giving(self.name)}."
            )
        return given.get(self.name, self.default)


class DateTimeParameter(Parameter):
    """A parameter that reads text as a date with a time zone.

    Args:
        name: as for `Parameter`.
        default: likewise; text or a datetime.
        required: a missing value fails the run; when False it stays None.
        tags: likewise.

    >>> from flowbook import Flow
    >>> with Flow("daily") as flow:
    ...     day = DateTimeParameter("day")()
    >>> flow.run(day="2026-11-22T10:00:00+01:00", show=False).result[day].result.isoformat()
    '2026-11-22T10:00:00+01:00'

    """

    def __init__(
        self,
        name: str,
        default: Any = no_default,
        required: bool = True,
        tags: Iterable[str] | None = None,
    ) -> None:
        super().__init__(name, default, required and default is no_default, tags)
        self._declare(name, dt.datetime if self.required or self.default is not None else dt.datetime | None)

    def run(self) -> dt.datetime | None:
        """Return the moment, in UTC when the text names no zone."""
        value = super().run()
        if value is None or isinstance(value, dt.datetime):
            return aware(value)
        moment = moment_of(str(value))
        if moment is None:
            raise signals.FAIL(
                f"Parameter {shown(self.name)} got {shown(value)}, which is not an ISO date. "
                "Write it like 2026-11-22 or 2026-11-22T10:00:00+01:00."
            )
        return moment


_ISO = re.compile(
    r"(?P<date>\d{4}-?\d\d-?\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?)?"
    r"\s?(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)


def moment_of(text: str) -> dt.datetime | None:
    """Read an ISO date and time alike in every Python; without a zone it is UTC, and anything else is None.

    >>> moment_of("2026-11-22T10:00:00Z").isoformat()
    '2026-11-22T10:00:00+00:00'

    """
    found = _ISO.fullmatch(text.strip())
    if found is None:
        return None
    date = found["date"].replace("-", "")
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    microsecond = int((found["part"] or "")[:6].ljust(6, "0"))
    zone = (found["zone"] or "Z").upper().replace(":", "")
    try:
        offset = dt.timedelta()
        if zone != "Z":
            offset = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:] or 0)) * (-1 if zone[0] == "-" else 1)
        year, month, day = int(date[:4]), int(date[4:6]), int(date[6:])
        return dt.datetime(year, month, day, hour, minute, second, microsecond, dt.timezone(offset))
    except ValueError:  # a thirteenth month, a twenty-fifth hour
        return None
