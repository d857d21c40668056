"""Where the reference API keeps `Edge`; it is in `flowbook.edges`."""

from __future__ import annotations

from flowbook.edges import Edge

__all__ = ["Edge"]
