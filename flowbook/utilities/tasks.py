"""The `task` decorator and its companions."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from flowbook import signals
from flowbook.contexts import context
from flowbook.errors import nearest, shown
from flowbook.mapping import unmapped
from flowbook.tasks.base import Task
from flowbook.tasks.control_flow.apply import apply_map
from flowbook.tasks.core.collections import as_task
from flowbook.tasks.core.function import FunctionTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["apply_map", "as_task", "defaults_from_attrs", "pause_task", "tags", "task", "unmapped"]


@overload
def task(fn: Callable[..., Any]) -> FunctionTask: ...
@overload
def task(fn: Callable[..., Any], **task_init_kwargs: Any) -> FunctionTask: ...
@overload
def task(**task_init_kwargs: Any) -> Callable[[Callable[..., Any]], FunctionTask]: ...


def task(fn: Callable[..., Any] | None = None, **task_init_kwargs: Any) -> Any:
    """Turn a function into a task, ready to be called inside ``with Flow(...)``.

    Args:
        fn: the function.
        **task_init_kwargs: as for `flowbook.Task`, for instance ``max_retries``, ``trigger``, ``name``.

    Raises:
        ValueError: the function takes ``*args``, or an argument named as one that every call takes.
        TypeError: it takes an argument by position only, or is a task already.

    >>> @task(name="double it")
    ... def double(x):
    ...     return 2 * x
    >>> double.name, double.run(4)
    ('double it', 8)

    """
    if isinstance(fn, Task):
        raise TypeError(f"task {shown(fn.name)} is a task already. Call it inside `with Flow(...)`, or copy it.")
    if fn is None:
        return lambda function: FunctionTask(function, **task_init_kwargs)
    return FunctionTask(fn, **task_init_kwargs)


@contextmanager
def tags(*names: str) -> Iterator[None]:
    """Give tags to all tasks made, copied or bound inside the block; blocks nest.

    >>> with tags("slow"):
    ...     sorted(task(print_nothing).tags)
    ['slow']

    """
    with context(tags=frozenset(names) | frozenset(context.get("tags") or ())):
        yield


def print_nothing() -> None:
    """Do nothing; the example of `tags`."""


def pause_task(message: str | None = None, duration: dt.timedelta | None = None) -> None:
    """Pause the running task until a person resumes it, or for a while.

    Args:
        message: said to the person.
        duration: how long to wait at most; for ever when not given.

    Raises:
        signals.PAUSE: unless the task was just resumed; the whole body is run again then.

    """
    if context.get("resume"):
        return
    start_time = None if duration is None else dt.datetime.now(dt.timezone.utc) + duration
    raise signals.PAUSE(message or "Paused by the task itself.", start_time=start_time)


def defaults_from_attrs(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let arguments of ``run`` that are not given fall back to attributes of the task; an explicit None is kept.

    Args:
        *names: the arguments, named as the attributes.

    Raises:
        ValueError: ``run`` takes no argument of such a name.

    >>> from flowbook import Task
    >>> class Greet(Task):
    ...     def __init__(self, greeting, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.greeting = greeting
    ...
    ...     @defaults_from_attrs("greeting")
    ...     def run(self, person, greeting=None):
    ...         return f"{greeting}, {person}!"
    >>> Greet("Hello").run("Marvin"), Greet("Hello").run("Ford", greeting="Hi")
    ('Hello, Marvin!', 'Hi, Ford!')

    """

    def decorate(run: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(run)
        for name in names:
            if name not in signature.parameters:
                raise ValueError(
                    f"{run.__qualname__} takes no argument {name!r} that could fall back to an attribute."
                    f"{nearest(name, signature.parameters)}"
                )

        @functools.wraps(run)
        def with_defaults(self: Any, *args: Any, **kwargs: Any) -> Any:
            given = signature.bind_partial(self, *args, **kwargs).arguments
            missing = {name: getattr(self, name) for name in names if name not in given}
            return run(self, *args, **kwargs, **missing)

        with_defaults.falls_back = frozenset(names)  # type: ignore[attr-defined]  # RunSignature asks for it
        return with_defaults

    return decorate
