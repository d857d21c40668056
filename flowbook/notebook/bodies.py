"""Bodies: the cells that run just now, each on a thread, and how those are stopped that nobody waits for any more."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Bodies"]


class Bodies:
    """Cells that run, by what they are called.

    A cancelled run is over at once, while the body of a cell cannot be taken off its thread. What can be done is what
    the stop button of a kernel does: raise KeyboardInterrupt in it. Python raises it between two steps of the body, so
    a body that waits in compiled code ends when that returns.

    >>> bodies = Bodies()
    >>> with bodies.running("cell 3"):
    ...     bodies.names
    ['cell 3']
    >>> bodies.stopped(patience=1.0)
    []
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[int, str] = {}

    @property
    def names(self) -> list[str]:
        """What runs now."""
        with self._lock:
            return list(self._threads.values())

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Know of a body while it runs on this thread."""
        me = threading.get_ident()
        with self._lock:
            self._threads[me] = name
        try:
            yield
        finally:
            with self._lock:
                self._threads.pop(me, None)
                _raise_in(me, None)  # one that was meant for the body, and comes too late for it

    def stop(self) -> None:
        """Raise KeyboardInterrupt in each body that runs, but for one on this thread."""
        me = threading.get_ident()
        with self._lock:
            for thread in self._threads:
                if thread != me:
                    _raise_in(thread, KeyboardInterrupt)

    def stopped(self, patience: float) -> list[str]:
        """Wait until no body runs, at most for so many seconds; return what still does.

        Args:
            patience: in seconds.

        """
        deadline = time.monotonic() + patience
        while (left := self.names) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have a thread raise an error at its next step; None takes back one that it has not raised yet."""
    # https://docs.python.org/3/c-api/init.html#c.PyThreadState_SetAsyncExc
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error else None)
