"""Where the reference API keeps parameters; they are in `flowbook.parameters`."""

from __future__ import annotations

from flowbook.parameters import DateTimeParameter, Parameter

__all__ = ["DateTimeParameter", "Parameter"]
