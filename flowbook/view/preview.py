"""Say a few words on a result, without running a user's code."""

from __future__ import annotations

from typing import Any

from flowbook.engine.lazy import by_reference
from flowbook.errors import shown
from flowbook.redaction import MASK, is_hidden
from flowbook.states import State, Success

__all__ = ["brief", "preview", "previewed"]

_MESSAGE_CHARACTERS = 300


def preview(value: object) -> str:
    """Return a few words on a result: its size or, for a small plain value, itself; empty when there are none.

    Only values of known types are looked at: the length or the repr of anything else is a user's code.

    >>> preview([1, 2, 3]), preview(0.5), preview(object())
    ('3 items', '0.5', '')

    """
    if is_hidden(value):
        return MASK
    kind = type(value)
    if kind in {int, float, bool}:
        return shown(value, 24)
    if kind is str and len(value) <= 24:  # type: ignore[arg-type]  # noqa: PLR2004 - it is a str; what fits a card
        return shown(value, 30)
    if kind in {list, tuple, set, frozenset, dict}:
        count = len(value)  # type: ignore[arg-type]  # a plain collection
        return f"{count:,} item{'s' if count != 1 else ''}"
    if kind.__module__.partition(".")[0] == "flowbook" and hasattr(value, "preview"):
        return str(value.preview())  # a class of ours that knows what to say
    if kind.__module__.partition(".")[0] in {"pandas", "polars", "numpy"}:
        return _shape(kind.__name__, getattr(value, "shape", None))
    return ""


def _shape(name: str, shape: Any) -> str:
    if not isinstance(shape, tuple) or not shape or not all(isinstance(size, int) for size in shape):
        return ""
    if name in {"DataFrame", "Series"}:
        return f"{shape[0]:,} row{'s' if shape[0] != 1 else ''}"
    return " \u00d7 ".join(f"{size:,}" for size in shape)  # the multiplication sign


def previewed(state: State) -> str:
    """Return a few words on the result of a state; only successes have one.

    A value that is on another machine stays there: what holds it has a few words on it, too.
    """
    if not isinstance(state, Success):
        return ""
    with by_reference():
        return preview(state.result)


def brief(message: str | None) -> str:
    """Return a message, or as much of it as a view needs."""
    text = message or ""
    return text if len(text) <= _MESSAGE_CHARACTERS else text[: _MESSAGE_CHARACTERS - 1] + "…"
