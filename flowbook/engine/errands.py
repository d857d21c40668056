"""Errands: what a body on another thread has the driving thread do, as only that one may.

Python takes signal handlers on the main thread only, window systems want to be called from the thread that made them,
and so do some connections to databases. While the driving thread is on an errand it looks after nothing else.
"""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Errands"]


class _Errand:
    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.carried = contextvars.copy_context()
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_done = threading.Event()

    def run(self) -> None:
        try:
            self.value = self.carried.run(self.call)
        except BaseException as error:  # noqa: BLE001 - whatever it raises is raised where it was asked for
            self.error = error
        finally:
            self.is_done.set()


class Errands:
    """The errands of one run.

    Args:
        ring: wakes the driving thread.

    Attributes:
        before: called on the thread of a body that waits for the driving one.
        patience: how long (seconds) it has waited by then; one that is through sooner makes no stir.

    >>> errands = Errands(lambda: None)
    >>> errands.do(lambda: 1 + 1)  # nobody drives: it is done here
    2

    """

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self.before: Callable[[], object] = int  # nothing to do when somebody waits
        self.patience = 0.0
        self._driver: int | None = None
        self._waiting: deque[_Errand] = deque()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def begin(self) -> None:
        """Take errands on this thread from now on."""
        self._driver = threading.get_ident()

    def end(self) -> None:
        """Take no more; those that wait are done by those who asked."""
        with self._lock:
            self._driver = None
            left, self._waiting = self._waiting, deque()
        for errand in left:
            errand.error = RuntimeError("the run has ended, so its driving thread does nothing for it any more.")
            errand.is_done.set()

    def do(self, call: Callable[[], Any]) -> Any:
        """Have the driving thread call something, and return what it returns; where nobody drives, call it here.

        Raises:
            BaseException: whatever the call raises.

        """
        __tracebackhide__ = True
        with self._lock:
            is_elsewhere = self._driver not in {None, threading.get_ident()}
            errand = _Errand(call)
            if is_elsewhere:
                self._waiting.append(errand)
        if not is_elsewhere:
            return call()
        self._ring()
        if not errand.is_done.wait(self.patience):
            self.before()
            errand.is_done.wait()
        if errand.error is not None:
            raise errand.error
        return errand.value

    def run(self) -> None:
        """Do what waits."""
        while self._waiting:
            self._waiting.popleft().run()
