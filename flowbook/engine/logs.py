"""Logs: what the tasks of one run have logged, kept for who looks into a task."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KEPT_LINES", "LogEntry"]

# Of a run that logs more, the last ones are kept.
KEPT_LINES = 10_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One log record of a task run, as text.

    Attributes:
        task: the slug of the task; that of a mapped child has its place, as ``read-1[3]``.
        at: when, in seconds since the epoch.
        level: its name, as ``INFO``.
        text: the message, with secrets masked.

    >>> str(LogEntry("read-1", 0.0, "WARNING", "no rows"))
    'WARNING no rows'

    """

    task: str
    at: float
    level: str
    text: str

    def __str__(self) -> str:
        return f"{self.level} {self.text}"
