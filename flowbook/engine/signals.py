"""Where the reference API keeps the signals; they are in `flowbook.signals`."""

from flowbook.signals import *  # noqa: F403 - a second name for the same module
