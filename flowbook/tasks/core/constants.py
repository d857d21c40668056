"""Where the reference API keeps `Constant`."""

from flowbook.tasks.core.collections import Constant

__all__ = ["Constant"]
