"""Where the reference API keeps `Constant`."""

from __future__ import annotations

from flowbook.tasks.core.collections import Constant

__all__ = ["Constant"]
