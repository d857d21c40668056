"""Where the reference API keeps the signals; they are in `flowbook.signals`."""

from __future__ import annotations

from flowbook.signals import *  # noqa: F403 - a second name for the same module
