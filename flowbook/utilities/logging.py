"""Loggers: one tree under the name ``flowbook``, printed where the notebook prints.

Nothing is configured at import; the first logger somebody asks for attaches a handler that writes to the current
``sys.stdout`` in the configured format.
"""

from __future__ import annotations

import logging
import sys

from flowbook.configuration import config

__all__ = ["get_logger"]

ROOT = "flowbook"


class _Printed(logging.Handler):
    """Write to whatever ``sys.stdout`` is at that moment: a notebook replaces it per cell."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stdout)
        except Exception:  # noqa: BLE001 - a closed stdout must not fail a task
            self.handleError(record)


def get_logger(name: str | None = None) -> logging.Logger:
    """Return the logger of that name under flowbook's own.

    >>> get_logger("etl.clean").name
    'flowbook.etl.clean'

    """
    root = logging.getLogger(ROOT)
    if not any(isinstance(handler, _Printed) for handler in root.handlers):
        handler = _Printed()
        handler.setFormatter(logging.Formatter(config.logging.format))
        root.addHandler(handler)
        root.setLevel(config.logging.level)
        root.propagate = False
    return root if name in {None, ROOT} else root.getChild(str(name))
