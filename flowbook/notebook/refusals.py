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

from flowbook.notebook.outputs import current_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["refuse_exit", "refuse_input", "refusing", "refusing_in", "told_of_exit"]

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
        "Make it a parameter: tag a cell `parameters`, and give it a value in the panel or with -p name=value."
    )
    raise RuntimeError(msg)


def told_of_exit(error: SystemExit) -> str:
    """Say what a cell tried that raised `SystemExit`.

    >>> told_of_exit(SystemExit(3))
    'sys.exit(3) would end the program that runs the notebook. Leave the rest of the cell out, or raise an error.'

    """
    return f"sys.exit({'' if error.code is None else repr(error.code)[:60]}) {_HOW}"


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


@contextlib.contextmanager
def refusing_in(namespace: dict[str, Any]) -> Iterator[None]:
    """Let cells that run as a flow not end their kernel, and not wait for a person who is not asked, in the block.

    Args:
        namespace: of the kernel; what cells have put there under the names of ``exit``, ``quit`` and ``input`` stays.

    """
    from IPython.core.autocall import IPyAutocall  # noqa: PLC0415 - what a kernel puts there; loaded with it

    ours: dict[str, Any] = {"exit": refuse_exit, "quit": refuse_exit, "input": refuse_input}
    before = {name: namespace[name] for name in ours if name in namespace}
    own = {name for name, value in before.items() if not isinstance(value, IPyAutocall)}
    namespace.update({name: value for name, value in ours.items() if name not in own})
    try:
        yield
    finally:
        for name in ours.keys() - own:
            if namespace.get(name) is ours[name]:
                del namespace[name]
                namespace.update({name: before[name]} if name in before else {})
