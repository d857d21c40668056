"""The handle of a run: what it is at, what happened, and the buttons."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from flowbook.contexts import current_frame
from flowbook.engine import attempt
from flowbook.engine import messages as m
from flowbook.engine.frame import RunFrame
from flowbook.engine.logs import LogEntry
from flowbook.engine.retries import why_not_again
from flowbook.engine.story import Story, tell
from flowbook.errors import FlowError, shown
from flowbook.signals import FlowbookSignal
from flowbook.states import Mapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.artifacts import Artifact
    from flowbook.engine.executors import Executor
    from flowbook.engine.runner import Runner
    from flowbook.events import Event
    from flowbook.flows import Flow
    from flowbook.states import State
    from flowbook.tasks.base import Task

__all__ = ["FlowRun"]


class FlowRun:
    """One run of a flow, while it goes on and afterwards.

    `flow.start()` returns it at once; after `flow.run()` it is ``flow.last_run``. All methods may be called from any
    thread, also while a cell blocks.

    >>> from flowbook import Flow, task
    >>> @task
    ... def one():
    ...     return 1
    >>> with Flow("short") as flow:
    ...     result = one()
    >>> run = flow.start(show=False)
    >>> run.wait().is_successful(), run[result].result
    (True, 1)

    """

    def __init__(self, flow: Flow, runner: Runner, executor: Executor) -> None:
        self.flow = flow
        self.runner = runner
        self.executor = executor
        self.error: BaseException | None = None
        self.shown_in: object = None  # the cell whose output shows this run already
        self.shown_by: object = None  # what shows it there; the next run of a schedule takes it over
        self.earlier: State | None = None  # the final state of an earlier run, which is kept as it is
        self.turns: object = None  # the asyncio task that drives, where there are no threads; held so that it lives
        self._over = threading.Event()
        # set when the watchers were told of the end: who waits sees the lasting picture, too, not only the last state
        self._told = threading.Event()
        self._telling: int | None = None
        # held while it is decided that nobody drives any more, or that somebody has to again; a reader on the driving
        # thread may post, so it can be taken twice
        self._deciding = threading.RLock()
        self._go_on: Callable[[], None] | None = None
        self._drive_here: Callable[[], None] | None = None
        self._resume: Callable[[], FlowRun] | None = None
        self._watchers: list[Callable[[FlowRun], None]] = []

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Identifies this run."""
        return self.runner.run_id

    @property
    def name(self) -> str:
        """The name of this run, for people."""
        return self.runner.name

    @property
    def state(self) -> State:
        """The state of the flow as a whole, now."""
        return self.runner.machine.flow_state

    @property
    def states(self) -> dict[Task, State]:
        """The state of each task, now."""
        return dict(zip(self.runner.plan.tasks, self.runner.machine.states, strict=False))  # children come after

    def __getitem__(self, task: Task) -> State:
        return self.runner.machine.states[self.runner.plan.number(task)]

    @property
    def events(self) -> list[Event]:
        """Everything that happened so far, in order."""
        return self.runner.stream.events()

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself: the run has ended, or waits for a person."""
        return self._over.is_set()

    @property
    def is_held(self) -> bool:
        """Whether the run was paused: nothing new is started."""
        return self.runner.machine.held

    @property
    def artifacts(self) -> list[Artifact]:
        """The links and texts that bodies left with this run (`flowbook.artifacts`), in order."""
        return list(self.runner.artifacts.values())

    def story(self, task: Task) -> Story:
        """Tell how and why a task came to the state it is in.

        Raises:
            FlowError: the task is not part of this run's flow.

        """
        return tell(self.runner, self.runner.plan.number(task))

    def logs(self, task: Task | None = None) -> list[LogEntry]:
        """Return what tasks have logged so far, in order; of very much, the last 10,000 lines.

        Args:
            task: only this one, with all its mapped children.

        """
        runner = self.runner
        wanted = None if task is None else runner.plan.number(task)
        return [
            LogEntry(runner.slug(number), at, level, text)
            for number, at, level, text in list(runner.lines)
            if wanted is None or runner.machine.plan.origin(number) == wanted
        ]

    def children(self, task: Task) -> list[State]:
        """Return the states of a mapped task's children, by index, while they go on and afterwards.

        Empty for a task that is not mapped, or as long as it is not known how many children it has.

        Raises:
            FlowError: the task is not part of this run's flow.

        """
        number, machine = self.runner.plan.number(task), self.runner.machine
        family = machine.families.get(number)
        if family is not None:
            return machine.states[family.base : family.base + family.width]
        state = machine.states[number]
        return [child for child in state.map_states if child is not None] if isinstance(state, Mapped) else []

    def subscribe(self, reader: Callable[[list[Event]], object]) -> Callable[[], None]:
        """Call `reader` with each new batch of events, on the runner's thread; return the function that ends this."""
        return self.runner.stream.subscribe(reader)

    # -- acting ------------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> State:
        """Wait until the run has ended (or only a person can go on) and return the flow's state.

        Where no threads can be started, the rest of the run goes on inside this call.

        Args:
            timeout: seconds to wait at the most.

        Raises:
            TimeoutError: it has not ended by then; the run goes on.
            RuntimeError: a task of this very run waits for it, and would for ever.

        """
        frame = current_frame()
        if not self.is_over and isinstance(frame, RunFrame) and frame.runner is self.runner:
            msg = f"a task of flow run {shown(self.name)} waits for that run, which waits for the task."
            raise RuntimeError(msg)
        if not self.is_over and timeout != 0 and self._drive_here is not None and not attempt.can_start_threads():
            if self.runner.machine.running:
                raise RuntimeError("an async task of this run goes on in this very thread; await flow.run_async().")
            self._drive_here()
        told = self._over if self._telling == threading.get_ident() else self._told  # a watcher may ask for the end
        if not (timeout == 0 and self._over.is_set()) and not told.wait(timeout):
            raise TimeoutError(
                f"flow run {shown(self.name)} has not ended after {timeout} s; it goes on. "
                "Ask run.state, or run.cancel()."
            )
        if self.error is not None:
            raise self.error
        return self.state

    def cancel(self, why: str = "Cancelled on request.") -> None:
        """Start nothing more, stop what runs where that is possible, and end the run as Cancelled."""
        self._post(m.CancelAsked(self.runner.clock.now(), why))

    def pause(self) -> None:
        """Start nothing more until `resume`; what runs goes on to its end."""
        self._post(m.PauseAsked(self.runner.clock.now()))

    def step(self) -> None:
        """Start one more task, then hold."""
        self._post(m.StepAsked(self.runner.clock.now()))

    def resume(self, task: Task | None = None) -> FlowRun:
        """Go on: after `pause`, with tasks that wait for a person, or after a run has failed.

        A run that has failed or was cancelled stays what it is. A new one begins on a thread of its own, with the same
        parameters, context and executor: it keeps what ended well, and runs all else again. A run that ended well has
        nothing left to do.

        Args:
            task: let only this one go on, which waits for a person.

        Returns:
            The run that goes on: this one, or the new one, which is ``flow.last_run`` then.

        """
        number = None if task is None else self.runner.plan.number(task)
        if number is None and self.state.is_finished() and not self.state.is_successful() and self._resume is not None:
            return self._resume()
        self._post(m.ResumeAsked(self.runner.clock.now(), number))
        return self

    def retry(self, task: Task) -> None:
        """Try a task again at once while the run goes on: one that failed, or waits for its next attempt.

        What was given up since it failed waits for it again. When the run is over, `resume` is what tries again.

        Args:
            task: of this run's flow.

        Raises:
            FlowError: it cannot be tried again now; the message tells why.

        """
        number = self.runner.plan.number(task)
        problem = "The run is over. Resume it: what failed runs again."
        if not self.state.is_finished():
            problem = why_not_again(self.runner.machine, number)
        if problem:
            raise FlowError(problem)
        self._post(m.RetryAsked(number, self.runner.clock.now()))

    def _post(self, stimulus: m.Stimulus) -> None:
        if self.state.is_finished():
            return  # a late click: the run has ended, there is nothing to do
        with self._deciding:
            self.runner.post(stimulus)
            if not self._over.is_set() or self._go_on is None:
                return
            # nobody drives the run any more because only a person could go on; now one did
            self._over.clear()
            self._told.clear()
        self._go_on()

    # -- for the engine ----------------------------------------------------------------------------------------------

    def on_change(self, watcher: Callable[[FlowRun], None]) -> None:
        """Call `watcher` when the run ends, waits for a person, or is taken up again."""
        self._watchers.append(watcher)

    def driven_by(self, go_on: Callable[[], None], drive_here: Callable[[], None]) -> None:
        """Say how the run is driven on when a person lets it go on, and how on the calling thread."""
        self._go_on, self._drive_here = go_on, drive_here

    def resumed_by(self, resume: Callable[[], FlowRun]) -> None:
        """Say how a run is started that goes on where this one has failed."""
        self._resume = resume

    def settle(self, error: BaseException | None = None) -> bool:
        """Note that nothing more happens by itself, and return True; or False when somebody asked for more meanwhile.

        Args:
            error: what broke the run off, when it did not come to an end of its own.

        """
        with self._deciding:
            if error is None and self.runner.mailbox and not self.state.is_finished():
                return False
            self.error = error if isinstance(error, (Exception, FlowbookSignal)) else None
            self._over.set()
        self._tell()
        if self._over.is_set():  # otherwise a watcher let it go on
            self._told.set()
        return True

    def taken_up(self) -> None:
        """Note that the run goes on after a pause."""
        self._tell()

    def _tell(self) -> None:
        self._telling = threading.get_ident()
        for watcher in list(self._watchers):
            try:
                watcher(self)
            except Exception as error:  # noqa: BLE001, PERF203 - a broken display must not take the run's end with it
                warnings.warn(f"{shown(watcher)} could not be told how the run stands: {shown(error)}.", stacklevel=2)
        self._telling = None

    def __repr__(self) -> str:
        machine = self.runner.machine
        done = len(machine.states) - machine.unfinished - len(self.runner.plan.left_out)
        name, state = shown(self.name, 60)[1:-1], type(self.state).__name__
        return f"<FlowRun: {name}, {state}, {done} of {len(machine.states)} tasks>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002 - the display protocol
        from flowbook.view.show import run_bundle  # noqa: PLC0415 - a door: the view is loaded when somebody looks

        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        return run_bundle(self, getattr(shell, "execution_count", None))
