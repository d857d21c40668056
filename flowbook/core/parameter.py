"""Where the reference API keeps parameters; they are in `flowbook.parameters`."""

from __future__ import annotations

from flowbook.parameters import DateTimeParameter, Parameter, no_default

__all__ = ["DateTimeParameter", "Parameter", "no_default"]
