"""Where the reference API keeps `Flow`; it is in `flowbook.flows`."""

from __future__ import annotations

from flowbook.flows import Flow

__all__ = ["Flow"]
