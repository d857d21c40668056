"""The local executor: bodies run one after another on the calling thread.

So matplotlib, debuggers and `input` work as in a plain cell, and an interrupt reaches the body that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.contexts import install_frame, restore_frame
from flowbook.engine import messages as m
from flowbook.engine.attempt import call_guarded
from flowbook.engine.frame import NO_TASK, RunFrame
from flowbook.engine.interrupts import (
    BY_KEYBOARD,
    BY_OUTER_RUN,
    BodyStopped,
    RunInterrupted,
    in_main_thread,
)
from flowbook.engine.plan import GATHERED

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.runner import Runner

__all__ = ["LocalExecutor", "OneByOne"]


class LocalExecutor:
    """Run bodies one after another on the calling thread."""

    name = "local"

    def drive(self, runner: Runner) -> None:
        """Run bodies until all tasks have ended or only a person can go on."""
        hand = OneByOne(runner)
        try:
            while True:
                hand.turn()
                if runner.is_over:
                    return
                if not runner.machine.may_start:
                    seconds = runner.seconds_to_wait()
                    if seconds is None or seconds > 0:
                        runner.bell.wait(seconds)
        finally:
            hand.leave()


class OneByOne:
    """Runs bodies, handlers and triggers on the calling thread, one at a time, for one drive of a run."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.frame = RunFrame(runner)
        self.state = runner.interruption
        runner.ask = self.ask
        runner.stop_body = None  # a cancel is taken in between two bodies, when none runs
        if in_main_thread():
            runner.on_post = self.on_post

    def leave(self) -> None:
        """Take no more part in the run."""
        self.runner.on_post = None

    def on_post(self, stimulus: m.Stimulus) -> None:
        """Stop the body that runs on the main thread, when another thread asks to cancel the run."""
        if isinstance(stimulus, m.CancelAsked) and not in_main_thread():
            self.state.stop_body()

    def turn(self, at_most: int | None = None) -> None:
        """Take in what happened and run bodies until none is ready; `at_most` so many."""
        token = install_frame(self.frame)
        try:
            self.runner.pump()
            if at_most != 0:
                self._run_ready(at_most)
        except (RunInterrupted, BodyStopped) as error:
            # it came at the moment at which code of a user that had ended by itself was being left
            self.state.in_body = False
            if self.frame.task != NO_TASK:
                self._take_in(self.frame.task, error)
            else:
                self._has_stopped_us(error)
        finally:
            restore_frame(token)

    def _run_ready(self, at_most: int | None) -> None:  # noqa: PLR0912 - a call costs more here than a branch
        """Run ready bodies until there are none.

        This is the hot path of every sequential run: what it needs is in local names, and a plain task makes two calls
        into the machine and none elsewhere.
        """
        runner, frame, state = self.runner, self.frame, self.state
        machine, mailbox, stream = runner.machine, runner.mailbox, runner.stream
        structure, guarded, bodies = runner.plan.structure, runner.plan.guarded, runner.plan.bodies
        inputs, constants, static, arguments = structure.inputs, structure.constants, machine.static, runner.arguments
        ready, states, timers, readers = machine.ready, machine.states, runner.timers, stream.readers
        started, returned, instructions = machine.started, machine.returned, machine.instructions
        monotonic, offset = runner.clock.reading
        at = monotonic() + offset
        while ready and (not machine.held or machine.steps > 0):
            task = ready.popleft()
            started(task, at)
            if readers:
                stream.publish()
            frame.task = task
            try:
                if task >= static or (wanted := inputs[task]) is GATHERED:
                    kwargs = arguments(task)
                else:
                    kwargs = dict(fixed) if (fixed := constants[task]) else {}
                    if wanted:
                        for key, upstream in wanted:
                            kwargs[key] = states[upstream].result
                if guarded[task]:
                    value = call_guarded(runner.plan.described[task], self._exposed(bodies[task]), kwargs)
                else:
                    state.in_body = True
                    value = bodies[task](**kwargs)
                    state.in_body = False
            except BaseException as error:  # noqa: BLE001 - whatever a user's body raises ends in a state
                state.in_body = False
                self._take_in(task, error)
                at = monotonic() + offset
            else:
                frame.task = NO_TASK
                at = monotonic() + offset
                returned(task, value, at)
            if mailbox or instructions or readers or timers:
                runner.pump()
                at = monotonic() + offset
            if at_most is not None:
                at_most -= 1
                if not at_most:
                    return

    def _exposed(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """Return a body that can be interrupted, while what guards it cannot: it has to put things back."""

        def exposed(**kwargs: Any) -> Any:
            self.state.in_body = True
            try:
                return body(**kwargs)
            finally:
                self.state.in_body = False

        return exposed

    def _take_in(self, task: int, error: BaseException) -> None:
        """Take in how a body ended that raised; an interrupt also cancels the run."""
        runner = self.runner
        self.frame.task = NO_TASK
        if self._has_stopped_us(error):
            runner.pump()
            error = BodyStopped()
        runner.machine.handle(runner.ending(task, error))

    def _has_stopped_us(self, error: BaseException) -> bool:
        """Tell whether code of a user ended because it was stopped; see that the run is then cancelled."""
        state = self.state
        if isinstance(error, BodyStopped):
            if state.unwinding:
                self.runner.mailbox.append(m.CancelAsked(self.runner.clock.now(), BY_OUTER_RUN))
            return True
        if isinstance(error, RunInterrupted) and not state.asked:  # a run inside the body was, and so is this one
            state.asked = True
            self.runner.mailbox.append(m.CancelAsked(self.runner.clock.now(), BY_KEYBOARD))
        return isinstance(error, KeyboardInterrupt) and state.asked

    def ask(self, question: m.Question) -> None:
        """Have handlers or a trigger asked, here and now."""
        try:
            self.state.in_body = True
            answer = self.runner.answer(question, self.frame)
            self.state.in_body = False
        except (BodyStopped, RunInterrupted) as error:
            self.state.in_body = False
            self._has_stopped_us(error)  # the cancel lies in the mailbox; with it nobody waits for the answer any more
        else:
            self.runner.machine.handle(answer)
