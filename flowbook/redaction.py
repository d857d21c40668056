"""Redaction: what was handed out as a secret in this process is replaced where text is made of anything.

Whoever hands out a secret tells `hide`. Whatever makes text for people (messages of states, log lines, the repr of a
value in an error, names in a picture) passes it through `redact`. As long as there are no secrets this costs one truth
test: look at `known` first where it counts.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MASK", "handing_out", "hide", "is_hidden", "known", "learn", "redact", "redact_error"]

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
_told: ContextVar[set[str] | None] = ContextVar("flowbook_told_secrets", default=None)


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
    if (told := _told.get()) is not None:
        told |= texts
    return value


@contextmanager
def handing_out() -> Iterator[set[str]]:
    """Give a set that is filled with the texts of what is handed out in the block, to be learned elsewhere."""
    told: set[str] = set()
    token = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(token)


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

    Only texts among its ``args`` are looked at, in plain collections too: they are what is printed. Attributes stay as
    they are, but for those of errors of flowbook itself.
    """
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        try:
            _redact_words(one)
            inside = getattr(one, "exceptions", ())
        except BaseException:  # noqa: BLE001 - a user's exception may refuse whatever is asked of it; the run goes on
            inside = ()
        waiting += [one.__cause__, one.__context__, *(inside if isinstance(inside, tuple) else ())]


# By the slots of the classes that have them: an exception may be a frozen dataclass, or have a property in their place.
_ARGS: Any = vars(BaseException)["args"]
_OF_THE_SYSTEM: tuple[Any, ...] = tuple(vars(OSError)[name] for name in ("strerror", "filename", "filename2"))


def _redact_words(error: BaseException) -> None:
    args = _ARGS.__get__(error)
    masked = tuple(_masked(arg, _DEEPEST) for arg in args)
    if any(one is not other for one, other in zip(masked, args, strict=True)):
        _ARGS.__set__(error, masked)
    for slot in _OF_THE_SYSTEM if isinstance(error, OSError) else ():
        text = slot.__get__(error)
        if (clean := _masked(text, 0)) is not text:
            slot.__set__(error, clean)
    of_its_own = vars(error)
    names = list(of_its_own) if type(error).__module__.startswith("flowbook.") else ["__notes__"]
    for name in names:
        if name in of_its_own:
            of_its_own[name] = _masked(of_its_own[name], _DEEPEST)


def _masked(value: Any, depth: int) -> Any:
    """Return a value with its secrets masked: itself when there are none, or when it is none of the plain kinds."""
    kind = type(value)
    if kind is str:
        text = redact(value)
        return value if text == value else text
    if not depth or kind not in {list, tuple, dict}:
        return value
    items = list(value.values()) if kind is dict else list(value)
    masked = [_masked(item, depth - 1) for item in items]
    if all(one is other for one, other in zip(masked, items, strict=True)):
        return value
    return dict(zip(value, masked, strict=True)) if kind is dict else kind(masked)


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
