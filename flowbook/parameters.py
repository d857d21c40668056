"""Parameters: tasks whose result is given when the flow is run."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.contexts import context
from flowbook.errors import FlowError, shown
from flowbook.states import aware
from flowbook.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        required: bool | None = None,  # noqa: FBT001 - positional in the reference API
        tags: Iterable[str] | None = None,
    ) -> None:
        self.required = default is no_default if required is None else required
        self.default = None if default is no_default else default
        super().__init__(name=name, slug=name, tags=tags, checkpoint=False)

    def __repr__(self) -> str:
        return f"<Parameter: {shown(self.name, 60)[1:-1]}>"

    def __call__(self, *args: Any, flow: Any = None, **kwargs: Any) -> Any:
        """Add this parameter to the flow and return it; it takes no arguments."""
        if args or set(kwargs) - {"mapped", "task_args", "upstream_tasks"} or kwargs.get("upstream_tasks"):
            msg = f"parameter {shown(self.name)} takes no arguments and waits for nothing. Give its value to flow.run({self.name}=...)."
            raise FlowError(msg)
        return self.bind(flow=flow)

    def copy(self, name: str | None = None, **task_args: Any) -> Parameter:  # type: ignore[override]  # a parameter's copy needs a new name
        """Return a copy under a new name.

        Raises:
            FlowError: no new name was given.

        """
        if not isinstance(name, str):
            msg = f"a copy of parameter {shown(self.name)} needs a name of its own: copy('other')."
            raise FlowError(msg)
        made = super().copy(**task_args)
        made.name = made.slug = name
        return made

    def run(self) -> Any:
        """Return the value the run was given, else the default; fail when it is required and missing."""
        given = context.get("parameters") or {}
        if self.required and self.name not in given:
            msg = f"Parameter {self.name!r} is required and was not given."
            raise signals.FAIL(msg)
        return given.get(self.name, self.default)


class DateTimeParameter(Parameter):
    """A parameter that reads text as a date with a time zone.

    Args:
        name: as for `Parameter`.
        default: likewise; text or a datetime.
        required: a missing value fails the run; when False it stays None.
        tags: likewise.

    """

    def __init__(
        self,
        name: str,
        default: Any = no_default,
        required: bool = True,  # noqa: FBT001, FBT002 - positional in the reference API
        tags: Iterable[str] | None = None,
    ) -> None:
        super().__init__(name, default, required and default is no_default, tags)

    def run(self) -> dt.datetime | None:
        """Return the moment, in UTC when the text names no zone."""
        value = super().run()
        if value is None or isinstance(value, dt.datetime):
            return aware(value)
        text = str(value)
        try:
            return aware(dt.datetime.fromisoformat(text.removesuffix("Z") + "+00:00" if text.endswith("Z") else text))
        except ValueError:
            msg = f"Parameter {self.name!r} got {shown(value)}, which is not an ISO date such as 2026-11-22T10:00:00+01:00."
            raise signals.FAIL(msg) from None
