"""Where the reference API keeps `Task`; it is in `flowbook.tasks.base`."""

from __future__ import annotations

from flowbook.tasks.base import Task

__all__ = ["Task"]
