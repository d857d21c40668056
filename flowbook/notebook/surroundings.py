"""Surroundings: what of the process a notebook's cells may count on while they run, and may change."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from flowbook.notebook.outputs import current_outputs

with contextlib.suppress(ImportError):  # there are Pythons without it
    import sqlite3  # noqa: F401 - so that it can be found below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Surroundings", "any_thread_for_sqlite"]

INLINE = "module://matplotlib_inline.backend_inline"


class Surroundings:
    """Go where a notebook is, as a kernel does, and put everything back afterwards.

    That is the working directory, the first place of ``sys.path``, environment variables, the filters of warnings, and
    the settings and the backend of matplotlib: figures become outputs of their cell.

    Args:
        folder: of the notebook; None stays where it is and changes nothing.

    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._undo: list[Callable[[], object]] = []

    def enter(self) -> None:
        """Go there."""
        if self.folder is None:
            return
        environment, path, filters = dict(os.environ), list(sys.path), list(warnings.filters)
        self._undo.append(lambda: _restore_environment(environment))
        self._undo.append(lambda: sys.path.__setitem__(slice(None), path))
        self._undo.append(lambda: _restore_filters(filters))
        with contextlib.suppress(OSError):
            before = os.getcwd()  # noqa: PTH109 - as text, to go back to it
            os.chdir(self.folder)
            self._undo.append(lambda: _go_back(before))
        sys.path.insert(0, str(self.folder.resolve()))
        os.environ.setdefault("MPLBACKEND", INLINE)
        self._undo.append(_figures_into_cells())

    def leave(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()


_sqlite: Any = sys.modules.get("sqlite3")
_sqlite_lock = threading.Lock()
_sqlite_users = [0]
_sqlite_undo: list[Callable[[], object]] = []


@contextlib.contextmanager
def any_thread_for_sqlite() -> Iterator[None]:
    """Let connections that cells open be used by cells on other threads: in order, so never at the same time."""
    if _sqlite is None:
        yield
        return
    with _sqlite_lock:
        _sqlite_users[0] += 1
        if _sqlite_users[0] == 1:
            _sqlite_undo.append(_open_sqlite())
    try:
        yield
    finally:
        with _sqlite_lock:
            _sqlite_users[0] -= 1
            if not _sqlite_users[0]:
                _sqlite_undo.pop()()


def _open_sqlite() -> Callable[[], object]:
    before: Any = _sqlite.connect  # not always that of Python: tracers put theirs in its place

    def connect(*args: Any, **kwargs: Any) -> Any:
        if current_outputs() is not None and len(args) <= _SAYS_THREAD:
            kwargs.setdefault("check_same_thread", False)
        return before(*args, **kwargs)

    def put_back() -> None:
        if _sqlite.connect is connect:  # else a cell put another one in its place
            _sqlite.connect = before

    _sqlite.connect = connect
    return put_back


# The place of `check_same_thread` among the arguments of `sqlite3.connect`.
_SAYS_THREAD = 4


def _restore_environment(before: dict[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _go_back(folder: str) -> None:
    with contextlib.suppress(OSError):  # it may be gone
        os.chdir(folder)


def _figures_into_cells() -> Callable[[], object]:
    """Let matplotlib draw into cells, when it is loaded already; return what puts it back."""
    matplotlib: Any = sys.modules.get("matplotlib")
    if matplotlib is None:
        return lambda: None
    settings = dict(matplotlib.rcParams.copy())
    before = settings.pop("backend", None)
    if before != INLINE:
        matplotlib.use(os.environ["MPLBACKEND"])
    matplotlib.interactive(True)

    def put_back() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about settings that are going out of use
            matplotlib.rcParams.update(settings)
            if isinstance(before, str) and before != matplotlib.rcParams["backend"]:
                matplotlib.use(before)

    return put_back


def _restore_filters(filters: list[Any]) -> None:
    known: Any = warnings.filters  # a list, whatever its type says
    known[:] = filters
