"""Coroutines: ``async def`` tasks run to their end like all others.

All async bodies of one run share one event loop, so that what one of them opens (a session, a connection) works in the
next. The loop has a thread of its own, since the main thread of a notebook already has one that is running and cannot
be entered again. With ``await flow.run_async()`` it is the loop that awaits the run.

asyncio is imported where it is needed: it costs more than the rest of the engine, and few flows use it.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import threading
from typing import TYPE_CHECKING, Any, cast

from flowbook.contexts import current_frame
from flowbook.engine import attempt

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from flowbook.engine.frame import RunFrame

__all__ = ["AsyncBody", "RunLoop", "awaited", "is_async"]

# How long (seconds) the end of a run waits for its loop to close what async bodies left open; less when one was let go
# of, since that one may block its loop for ever.
_PATIENCE = 1.0
_LITTLE_PATIENCE = 0.1


class AsyncBody:
    """A body that may return an awaitable, which is awaited on the event loop of the run.

    Args:
        function: a coroutine function, or a wrapper of one.

    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, **kwargs: Any) -> Any:
        """Call the function and wait for what it returns."""
        made = self.function(**kwargs)
        if not inspect.isawaitable(made):
            return made
        frame = cast("RunFrame", current_frame())  # a body is only called while its frame is installed
        return frame.runner.coroutines.run(made, frame)


def awaited(bodies: list[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """Return the bodies, with an `AsyncBody` in the place of each coroutine function.

    >>> async def fetch(): ...
    >>> plain, waiting = awaited([print, fetch])
    >>> plain is print, type(waiting).__name__
    (True, 'AsyncBody')

    """
    known: dict[int, bool] = {}  # most bodies of a flow are the same few functions
    made = []
    for body in bodies:
        key = id(getattr(body, "__func__", body))
        if key not in known:
            known[key] = is_async(body)
        made.append(AsyncBody(body) if known[key] else body)
    return made


def is_async(body: Callable[..., Any]) -> bool:
    """Tell whether a body is a coroutine function, or wraps one."""
    with contextlib.suppress(ValueError):  # wrappers that wrap each other in a circle
        body = inspect.unwrap(body)
    return inspect.iscoroutinefunction(body) or inspect.iscoroutinefunction(getattr(type(body), "__call__", None))  # noqa: B004 - not whether it can be called


class _Call:
    """One awaitable on its way."""

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self.awaitable = awaitable
        self.done = threading.Event()
        self.task: asyncio.Task[None] | None = None
        self.outcome: tuple[Any, BaseException | None] | None = None

    async def finish(self) -> None:
        try:
            self.outcome = (await self.awaitable, None)
        except BaseException as error:  # noqa: BLE001 - handed to the caller; a SystemExit must not end the loop
            self.outcome = (None, error)

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self.task = loop.create_task(self.finish())
        self.task.add_done_callback(lambda _: self.done.set())

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def value(self) -> Any:
        """Return what the awaitable gave, or raise what it raised."""
        import asyncio  # noqa: PLC0415 - see above

        if self.outcome is None:  # stopped before its first step
            if inspect.iscoroutine(self.awaitable):
                self.awaitable.close()
            raise asyncio.CancelledError
        value, error = self.outcome
        if error is not None:
            raise error
        return value


class RunLoop:
    """The event loop of one run's async bodies.

    Attributes:
        loop: the loop, once there is one; set it before the run begins to have bodies run there.

    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._calls: dict[RunFrame, _Call] = {}

    def run(self, awaitable: Awaitable[Any], frame: RunFrame) -> Any:
        """Run an awaitable to its end and return its value; whatever stops the waiting stops it, too."""
        call = _Call(awaitable)
        if not attempt.can_start_threads():
            return self._run_here(call)
        loop = self._ready()
        self._calls[frame] = call
        try:
            # begun in the context of the caller, so that the body finds its task run in `flowbook.context`
            loop.call_soon_threadsafe(call.begin, loop, context=contextvars.copy_context())
            call.done.wait()
        except BaseException:
            self.stop(frame)
            raise
        finally:
            del self._calls[frame]
        return call.value()

    def stop(self, frame: RunFrame) -> None:
        """Cancel the awaitable which the task run of a frame waits for, if there is one."""
        call = self._calls.get(frame)
        if call is not None and self.loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                self.loop.call_soon_threadsafe(call.stop)

    def close(self) -> None:
        """End the loop, unless it is somebody else's."""
        thread, loop = self._thread, self.loop
        if loop is None or (thread is None and attempt.can_start_threads()):
            return
        self._thread = self.loop = None
        if thread is None:
            _clean_up(loop)
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_LITTLE_PATIENCE if self._calls else _PATIENCE)

    def _ready(self) -> asyncio.AbstractEventLoop:
        import asyncio  # noqa: PLC0415 - see above

        with self._lock:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self.loop,), name="flowbook-coroutines", daemon=True
                )
                self._thread.start()
            return self.loop

    def _run_here(self, call: _Call) -> Any:
        """Run an awaitable on this very thread, where no other can be started."""
        import asyncio  # noqa: PLC0415 - see above

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
            self.loop.run_until_complete(call.finish())
            return call.value()
        if inspect.iscoroutine(call.awaitable):
            call.awaitable.close()
        msg = "this interpreter cannot start threads, so async tasks run in `await flow.run_async()` only."
        raise RuntimeError(msg)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio  # noqa: PLC0415 - see above

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        _clean_up(loop)


def _clean_up(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what async bodies left running, and close the loop."""
    import asyncio  # noqa: PLC0415 - see above

    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
