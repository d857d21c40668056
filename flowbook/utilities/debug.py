"""Help for looking into what goes wrong: let errors out of the run, and tell what can be sent to another process."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_raising", "is_serializable", "raise_on_exception"]

_raising: ContextVar[bool] = ContextVar("flowbook_raising", default=False)


@contextmanager
def raise_on_exception() -> Iterator[None]:
    """Let `flow.run` raise what the first failing body raised, with its traceback, instead of going on.

    Nothing is retried and nothing more is started; `flow.last_run` tells how far the run came. Signals that make a task
    fail, as FAIL does, are raised, too; those that steer the run, as SKIP does, are not.

    >>> from flowbook import Flow, task
    >>> with Flow("broken") as flow:
    ...     divided = task(lambda: 1 / 0)()
    >>> with raise_on_exception():
    ...     flow.run(show=False)
    Traceback (most recent call last):
    ...
    ZeroDivisionError: division by zero

    """
    token = _raising.set(True)
    try:
        yield
    finally:
        _raising.reset(token)


def is_raising() -> bool:
    """Tell whether this is inside of a `raise_on_exception` block."""
    return _raising.get()


def is_serializable(obj: Any, raise_on_error: bool = False) -> bool:  # noqa: FBT001, FBT002 - the reference API takes it so
    """Tell whether an object survives the way to another process: whether cloudpickle can write it and read it again.

    Args:
        obj: a flow, a task, a result, anything.
        raise_on_error: raise what went wrong instead of returning False.

    >>> import threading
    >>> is_serializable(lambda x: x + 1), is_serializable(threading.Lock())
    (True, False)

    """
    import cloudpickle  # noqa: PLC0415 - loaded when somebody asks

    try:
        cloudpickle.loads(cloudpickle.dumps(obj))
    except Exception:
        if raise_on_error:
            raise
        return False
    return True
