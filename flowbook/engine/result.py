"""Where the reference API keeps `Result` and `NoResult`; they are in `flowbook.results`."""

from __future__ import annotations

from flowbook.results.base import NoResult, NoResultType, Result

__all__ = ["NoResult", "NoResultType", "Result"]
