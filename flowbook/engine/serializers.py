"""Where the reference API keeps the serializers; they are in `flowbook.serializers`."""

from __future__ import annotations

from flowbook.serializers import *  # noqa: F403 - a second name for the same module
