"""Where the reference API keeps `Task`; it is in `flowbook.tasks.base`."""

from flowbook.tasks.base import Task

__all__ = ["Task"]
