"""Trees: reading Python code on several threads at a time."""

from __future__ import annotations

import ast
import io
import threading
import tokenize

__all__ = ["is_quiet", "parsed"]

# The interpreter counts the depth of a tree that it makes in one place for all threads, and a garbage collection in the
# midst of it may let another thread go on (CPython issue 106905): then it says SystemError of code that is all right.
_lock = threading.Lock()
_ATTEMPTS = 5
_QUIET_TOKENS = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT}


def parsed(code: str, filename: str = "<cell>") -> ast.Module:
    """Return the tree of some code, as `ast.parse` does, whatever other threads read meanwhile.

    Args:
        code: plain Python.
        filename: what errors call it.

    Raises:
        SyntaxError: it is not Python.

    >>> len(parsed("x = 1; y = 2").body)
    2

    """
    for _ in range(_ATTEMPTS):
        try:
            with _lock:
                return ast.parse(code, filename)
        except SystemError:  # noqa: PERF203 - another thread has read code without our lock
            continue
    return ast.parse(code, filename)


def is_quiet(source: str) -> bool:
    """Tell whether a cell ends in a semicolon, which keeps its last expression from being shown.

    >>> is_quiet("plot(x);  # no output"), is_quiet("'a;'")
    (True, False)

    """
    if ";" not in source:
        return False
    last = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type not in _QUIET_TOKENS:
                last = token.string
    except (tokenize.TokenError, SyntaxError):
        return source.rstrip().endswith(";")
    return last == ";"
