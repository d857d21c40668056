"""Loggers: one tree under the name ``flowbook``, printed where the notebook prints.

Nothing is configured at import; the first logger somebody asks for attaches a handler that writes to the current
``sys.stdout`` in the configured format.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
from typing import TYPE_CHECKING

from flowbook import redaction
from flowbook.configuration import config
from flowbook.contexts import current_frame
from flowbook.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["get_logger", "taking_records"]

ROOT = "flowbook"


_taker: contextvars.ContextVar[Callable[[logging.LogRecord], None] | None] = contextvars.ContextVar(
    "flowbook_taker", default=None
)


@contextlib.contextmanager
def taking_records(take: Callable[[logging.LogRecord], None] | None) -> Iterator[None]:
    """Hand what is logged on this thread to `take` instead of printing it; with None it is printed as ever."""
    token = _taker.set(take)
    try:
        yield
    finally:
        _taker.reset(token)


class _Printed(logging.Handler):
    """Write to whatever ``sys.stdout`` is at that moment: a notebook replaces it per cell."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: tuple[str, str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if (take := _taker.get()) is not None:
                take(record)
                return
            # what a task prints may be on its way to the log; a log line is printed below that, or it would come again
            stream = getattr(sys.stdout, "beneath", sys.stdout)
            stream.write(f"{redact(self.format(record))}\n")  # in one piece: threads print too
            if (note := getattr(current_frame(), "note_line", None)) is not None:
                note(record.created, record.levelname, redact(record.getMessage()))
        except Exception:  # noqa: BLE001 - a closed stdout must not fail a task
            self.handleError(record)

    def follow_settings(self, root: logging.Logger) -> None:
        """Take over format and level when they were set since the last time; what people set by hand stays."""
        settings = (config.logging.format, config.logging.level)
        if settings != self.settings:
            self.settings = settings
            self.setFormatter(logging.Formatter(config.logging.format))
            root.setLevel(config.logging.level)


def get_logger(name: str | None = None) -> logging.Logger:
    """Return the logger of that name under flowbook's own.

    Args:
        name: its place below flowbook's logger, which is the one without a name.

    >>> get_logger("etl.clean").name
    'flowbook.etl.clean'

    """
    root = logging.getLogger(ROOT)
    handler = next((handler for handler in root.handlers if isinstance(handler, _Printed)), None)
    if handler is None:
        handler = _Printed()
        root.addHandler(handler)
        root.propagate = False
    handler.follow_settings(root)
    logger = root if name in {None, ROOT} else root.getChild(str(name))
    logger.addFilter(_mask_secrets)  # once, however often it is added; so handlers of other people see none, too
    return logger


def _mask_secrets(record: logging.LogRecord) -> bool:
    """Mask what was handed out as a secret in a record, its traceback included."""
    if redaction.known:
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
    return True
