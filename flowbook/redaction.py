"""Redaction: what was handed out as a secret in this process is replaced where text is made of anything.

Whoever hands out a secret tells `hide`. Whatever makes text for people (messages of states, log lines, the repr of a
value in an error, names in a picture) passes it through `redact`. As long as there are no secrets this costs one truth
test: look at `known` first where it counts.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MASK", "hide", "is_hidden", "known", "learn", "redact", "redact_error"]

MASK = "***"

# A shorter text would be found in half of all others, and masking it would show what it is.
_LEAST = 4
# Lines of a longer secret (a key, say) may turn up one by one; shorter lines than this tell nothing.
_LEAST_LINE = 8
# A repr of a repr of a repr is what an error that quotes an error looks like in a list.
_NESTED = 3
# Secrets are seldom nested deeper; who hands out a circle must not hang us.
_DEEPEST = 8

# The texts to mask; empty as long as no secret was handed out.
known: set[str] = set()
# Whole values, the short ones too: they are masked where they stand alone.
_values: set[Any] = set()
_pattern: list[re.Pattern[str]] = []
_lock = threading.Lock()


def hide(value: Any) -> Any:
    """Mask a value from now on in all text that flowbook makes, and return it.

    Texts, bytes and numbers of at least four characters are found in any text, also as they stand in Python, JSON, HTML
    and addresses; so are those inside of collections, and the longer lines of a text.

    Args:
        value: what was handed out.

    >>> secret = hide("correct horse")
    >>> redact("password: correct horse!"), redact(f"{secret!r}"), redact("horse")
    ('password: ***!', "'***'", 'horse')

    """
    texts: set[str] = set()
    _gather(value, texts, _DEEPEST)
    learn(texts)
    return value


def learn(texts: Iterable[str]) -> None:
    """Mask these texts, too: what is `known` in another process, whose words come here."""
    new = set(texts) - known
    if new:
        with _lock:
            known.update(new)
            _pattern.clear()


def is_hidden(value: Any) -> bool:
    """Tell whether a value as a whole was handed out as a secret, however short it is."""
    return bool(_values) and type(value) in {str, bytes, int, float} and (type(value), value) in _values


def redact(text: str) -> str:
    """Replace every secret in a text.

    >>> redact("nothing to hide here")
    'nothing to hide here'

    """
    if not known or not text:
        return text
    with _lock:
        if not _pattern:
            # the longest first: one secret may be a part of another
            _pattern.append(re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True)))))
        pattern = _pattern[0]
    return pattern.sub(MASK, text)


def redact_error(error: BaseException) -> None:
    """Replace every secret in the words of an exception, of its notes, and of those it came from, in place.

    Only texts among its ``args`` are looked at: they are what is printed. Attributes stay as they are, but for those of
    errors of flowbook itself.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        _redact_words(one)
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def _redact_words(error: BaseException) -> None:
    args = tuple(redact(arg) if type(arg) is str else arg for arg in error.args)
    if args != error.args:
        error.args = args
    names: Iterable[str] = ("strerror", "filename", "filename2") if isinstance(error, OSError) else ()
    if type(error).__module__.startswith("flowbook."):
        names = list(vars(error))
    for name in names:
        if type(text := getattr(error, name)) is str and (clean := redact(text)) != text:
            setattr(error, name, clean)
    notes = getattr(error, "__notes__", None)
    if notes:
        notes[:] = [redact(note) if type(note) is str else note for note in notes]


def _gather(value: Any, texts: set[str], depth: int) -> None:
    """Collect the texts to mask of a value."""
    kind = type(value)
    if isinstance(value, str):
        _values.add((str, str(value)))
        _gather_text(str(value), texts)
    elif isinstance(value, (bytes, bytearray)):
        _values.add((bytes, bytes(value)))
        _gather_text(bytes(value).decode("latin-1"), texts)
        _gather_text(bytes(value).decode("utf-8", "replace"), texts)
        _gather_text(repr(bytes(value))[2:-1], texts)
    elif kind in {int, float} or kind.__module__ in {"datetime", "decimal", "pathlib", "uuid"}:
        if kind in {int, float}:
            _values.add((kind, value))
        _gather_text(str(value), texts)
    elif depth and isinstance(value, dict):
        for item in value.values():  # its keys are names
            _gather(item, texts, depth - 1)
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _gather(item, texts, depth - 1)


def _gather_text(text: str, texts: set[str]) -> None:
    import html  # noqa: PLC0415 - only who has secrets needs to know how they look elsewhere
    import json  # noqa: PLC0415
    from urllib.parse import quote, quote_plus  # noqa: PLC0415

    lines = [line.strip() for line in text.splitlines()] if "\n" in text or "\r" in text else []
    for part in (text, text.strip(), *(line for line in lines if len(line) >= _LEAST_LINE)):
        if len(part) < _LEAST:
            continue
        looks = {*_nested_reprs(part), " ".join(part.split()), json.dumps(part)[1:-1], html.escape(part)}
        for quoted in (quote, quote_plus):
            looks |= {quoted(part, errors="replace"), quoted(part, safe="", errors="replace")}
        texts.update(look for look in looks if len(look) >= _LEAST)


def _nested_reprs(text: str) -> set[str]:
    """Return a text as it stands in its repr, in the repr of that, and so on; which quotes are escaped depends."""
    every = layer = {text}
    for _ in range(_NESTED):
        layer = {look for inner in layer for look in _escaped(inner)} - every
        every = every | layer
    return every


def _escaped(text: str) -> set[str]:
    plain = "".join(char if char in "'\"" else repr(char)[1:-1] for char in text)
    return {plain, plain.replace("'", "\\'"), plain.replace('"', '\\"')}
