"""The cooperative executor: bodies take turns with everybody else on an event loop, in an interpreter without threads.

It is not chosen by name: a run is driven this way where no thread can be started (Pyodide, JupyterLite).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from flowbook.contexts import install_frame, restore_frame
from flowbook.engine import messages as m
from flowbook.engine.attempt import BodyTimedOut
from flowbook.engine.coroutines import AsyncBody
from flowbook.engine.executors.local import OneByOne
from flowbook.engine.frame import RunFrame
from flowbook.engine.interrupts import BodyStopped
from flowbook.engine.printing import printing_to_log

if TYPE_CHECKING:
    from flowbook.engine.runner import Runner

__all__ = ["BY_AWAITER", "drive_cooperatively"]

BY_AWAITER = "The awaiting task was cancelled."

# How often news is looked for while nothing can be started: nothing can ring a bell here.
_GLANCE = 0.02


async def drive_cooperatively(runner: Runner) -> None:
    """Run bodies on the event loop until all tasks have ended or only a person can go on: one, then a turn for others.

    Raises:
        asyncio.CancelledError: who awaits this was cancelled; the run is, too.

    """
    hand = _Cooperative(runner)
    was_cancelled = False
    try:
        while not runner.is_over:
            try:
                await hand.turn_async()
                seconds = 0.0 if runner.machine.may_start else runner.seconds_to_wait()
                await asyncio.sleep(_GLANCE if seconds is None else min(seconds, _GLANCE))
            except asyncio.CancelledError:  # noqa: PERF203 - it may come at any turn
                was_cancelled = True
                runner.mailbox.append(m.CancelAsked(runner.clock.now(), BY_AWAITER))
    finally:
        hand.leave()
    if was_cancelled:
        raise asyncio.CancelledError


class _Cooperative(OneByOne):
    """Runs plain bodies here and now, and awaits async ones."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.awaiting: asyncio.Future[Any] | None = None
        self.is_stopping = False
        runner.on_post = self.on_post

    def on_post(self, stimulus: m.Stimulus) -> None:
        """Stop the async body that is awaited when somebody asks to cancel the run."""
        if isinstance(stimulus, m.CancelAsked) and self.awaiting is not None:
            self.is_stopping = True
            self.awaiting.cancel()

    async def turn_async(self) -> None:
        """Take in what happened and run at most one body."""
        runner, machine = self.runner, self.runner.machine
        self.turn(at_most=0)
        if not machine.may_start:
            return
        if not isinstance(body := runner.plan.bodies[machine.ready[0]], AsyncBody):
            self.turn(at_most=1)
            return
        task = machine.ready.popleft()
        machine.started(task, runner.clock.now())
        runner.stream.publish()
        try:
            value = await self._awaited(task, body)
        except BaseException as error:  # whatever a user's body raises ends in a state
            was_cancelled = isinstance(error, asyncio.CancelledError) and not self.is_stopping and _is_cancelled()
            if was_cancelled:
                runner.mailbox.append(m.CancelAsked(runner.clock.now(), BY_AWAITER))
            runner.pump()
            is_stopped = isinstance(error, asyncio.CancelledError) and machine.cancelled is not None
            machine.handle(runner.ending(task, BodyStopped() if is_stopped else error))
            if was_cancelled:
                raise
        else:
            machine.returned(task, value, runner.clock.now())
        runner.pump()

    async def _awaited(self, task: int, body: AsyncBody) -> Any:
        runner, described = self.runner, self.runner.plan.described[task]
        frame = RunFrame(runner)  # one of its own: others may run between its awaits
        frame.task = task
        with contextlib.ExitStack() as stack:
            if described.log_stdout:
                stack.enter_context(printing_to_log(described))
            token = install_frame(frame)
            try:
                # its context is a copy of the present one, with the frame in it
                made = asyncio.ensure_future(_called(body, runner.arguments(task)))
            finally:
                restore_frame(token)
            self.awaiting = made
            try:
                return await asyncio.wait_for(made, described.timeout or None)
            except asyncio.TimeoutError:
                if made.cancelled():
                    raise BodyTimedOut from None
                raise
            finally:
                self.awaiting = None


def _is_cancelled() -> bool:
    """Tell whether the task that drives was cancelled; on Python 3.10 one can't tell, and so it is believed."""
    counted: Any = getattr(asyncio.current_task(), "cancelling", None)
    return counted is None or counted() > 0


async def _called(body: AsyncBody, kwargs: dict[str, Any]) -> Any:
    made = body.function(**kwargs)
    return await made if hasattr(made, "__await__") else made
