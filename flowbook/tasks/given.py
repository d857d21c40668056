"""What the tasks flowbook brings along were given, at construction or at the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.errors import shown

if TYPE_CHECKING:
    from flowbook.tasks.base import Task

__all__ = ["check_given", "import_hint"]


def check_given(task: Task, **values: object) -> None:
    """Check that a task was given all it needs; the empty text counts as nothing.

    Args:
        task: which one.
        **values: what it needs, by name.

    Raises:
        ValueError: something is missing.

    """
    for name, value in values.items():
        if value is None or (isinstance(value, str) and not value):
            kind = type(task).__name__
            raise ValueError(
                f"task {shown(task.name)} has no {name}. Give it when the task is made, {kind}({name}=...), "
                f"or when it is called in the flow."
            )


def import_hint(kind: str, package: str, extra: str) -> str:
    """Return what to say when a package that a task needs is not installed."""
    return f"{kind} needs {package}, which is not installed here. Install it: pip install 'jupyter-flowbook[{extra}]'."
