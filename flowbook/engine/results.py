"""Where the reference API keeps the kinds of results; they are in `flowbook.results`."""

from __future__ import annotations

from flowbook.results import *  # noqa: F403 - a second name for the same package
