"""Where the reference API keeps the states; they are in `flowbook.states`."""

from __future__ import annotations

from flowbook.states import *  # noqa: F403 - a second name for the same module
