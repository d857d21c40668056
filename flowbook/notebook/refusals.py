"""Refusals: what a cell of a notebook file cannot do while it runs as part of a flow, said in words.

It would end the program that runs the notebook, or wait for a person who is not there. Only calls out of a cell are
refused: those of the program itself, of its other threads and of processes that a cell has forked are let through.
"""

from __future__ import annotations

import builtins
import contextlib
import getpass
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError

from flowbook.notebook.outputs import current_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["refuse_exit", "refuse_input", "refusing", "told_of_exit", "told_of_input"]

_CANNOT_ASK = (
    "a cell cannot ask a person while the flow runs from the panel. Run the cell by itself (Shift+Enter) and tag it "
    "`skip`, or make what it asks for a parameter: set it in a cell tagged `parameters`."
)
_HOW = "would end the program that runs the notebook. Leave the rest of the cell out, or raise an error."


def refuse_exit(*_: Any) -> None:
    """Stand for ``exit`` and ``quit`` in a notebook.

    Raises:
        RuntimeError: always.

    """
    msg = f"exit() {_HOW}"
    raise RuntimeError(msg)


def refuse_input(prompt: Any = "", *_: Any, called: str = "input") -> str:
    """Stand for ``input`` in a notebook.

    Raises:
        RuntimeError: always.

    """
    msg = (
        f"{called}({str(prompt)[:60]!r}) asks a person, and nobody is there when a notebook runs as a flow. "
        "Make it a parameter: tag a cell `parameters`, and give it with -p name=value."
    )
    raise RuntimeError(msg)


def told_of_exit(error: SystemExit) -> str:
    """Say what a cell tried that raised `SystemExit`.

    >>> told_of_exit(SystemExit(3))
    'sys.exit(3) would end the program that runs the notebook. Leave the rest of the cell out, or raise an error.'

    """
    return f"sys.exit({'' if error.code is None else repr(error.code)[:60]}) {_HOW}"


def told_of_input(error: BaseException) -> None:
    """Let the error of a kernel that cannot ask a person say what to do, where it only says that it cannot.

    A kernel asks only while it runs a cell for its page; the cells of a flow that the panel runs are none of these.

    >>> error = StdinNotImplementedError("raw_input was called, but this frontend does not support input requests.")
    >>> told_of_input(error)
    >>> str(error).partition(".")[0]
    'a cell cannot ask a person while the flow runs from the panel'

    """
    if isinstance(error, StdinNotImplementedError):
        error.args = (_CANNOT_ASK,)


def _ending(name: str, end: Callable[..., Any]) -> Callable[..., Any]:
    home = os.getpid()

    def refused(*args: Any) -> Any:
        if current_outputs() is None or os.getpid() != home:  # not a cell, or a process that it has forked
            return end(*args)
        msg = f"{name}({', '.join(map(repr, args))}) {_HOW}"
        raise RuntimeError(msg)

    return refused


def _asking(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
    def refused(prompt: Any = "", *args: Any, **kwargs: Any) -> Any:
        if current_outputs() is None:
            return ask(prompt, *args, **kwargs)
        return refuse_input(prompt, called=name)

    return refused


class _Nobody:
    """Stands in the place of ``sys.stdin``: for a cell there is nothing to read, as in a kernel."""

    def __init__(self, beneath: Any) -> None:
        self.beneath = beneath

    def read(self, size: int = -1) -> str:
        return str(self.beneath.read(size)) if current_outputs() is None else ""

    def readline(self, size: int = -1) -> str:
        return str(self.beneath.readline(size)) if current_outputs() is None else ""

    def readlines(self) -> list[str]:
        return list(self.beneath.readlines()) if current_outputs() is None else []

    def __iter__(self) -> Iterator[str]:
        return iter(self.readline, "")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


_lock = threading.Lock()
_users = [0]
_undo: list[Callable[[], object]] = []


def _put(place: Any, name: str, stand_in: Callable[[Any], Any]) -> None:
    before = getattr(place, name, None)
    if before is not None:
        setattr(place, name, stand_in(before))
        _undo.append(lambda: setattr(place, name, before))


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Refuse what cells cannot do while the block lasts; blocks may overlap, on several threads too."""
    with _lock:
        _users[0] += 1
        if _users[0] == 1:
            _put(os, "_exit", lambda end: _ending("os._exit", end))
            _put(os, "abort", lambda end: _ending("os.abort", end))
            _put(builtins, "input", lambda ask: _asking("input", ask))
            _put(getpass, "getpass", lambda ask: _asking("getpass", ask))
            _put(sys, "stdin", _Nobody)
    try:
        yield
    finally:
        with _lock:
            _users[0] -= 1
            while not _users[0] and _undo:
                _undo.pop()()
