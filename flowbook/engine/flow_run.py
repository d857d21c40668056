"""The handle of a run: what it is at, what happened, and the buttons."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from flowbook.engine import messages as m
from flowbook.engine.story import Story, tell
from flowbook.errors import shown
from flowbook.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.executors import Executor
    from flowbook.engine.runner import Runner
    from flowbook.events import Event
    from flowbook.flows import Flow
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
        self._ended = threading.Event()
        self._drive: Callable[[], None] | None = None
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
        return dict(zip(self.runner.plan.tasks, self.runner.machine.states))

    def __getitem__(self, task: Task) -> State:
        return self.runner.machine.states[self.runner.plan.number(task)]

    @property
    def events(self) -> list[Event]:
        """Everything that happened so far, in order."""
        return self.runner.stream.events()

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself: the run has ended, or waits for a person."""
        return self._ended.is_set()

    @property
    def is_held(self) -> bool:
        """Whether the run was paused: nothing new is started."""
        return self.runner.machine.held

    def story(self, task: Task) -> Story:
        """Tell how and why a task came to the state it is in.

        Raises:
            FlowError: the task is not part of this run's flow.

        """
        return tell(self.runner, self.runner.plan.number(task))

    def subscribe(self, reader: Callable[[list[Event]], object]) -> Callable[[], None]:
        """Call `reader` with each new batch of events, on the runner's thread; return the function that ends this."""
        return self.runner.stream.subscribe(reader)

    # -- acting ------------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> State:
        """Wait until the run has ended (or only a person can go on) and return the flow's state.

        Args:
            timeout: seconds to wait at the most.

        Raises:
            TimeoutError: it has not ended by then; the run goes on.

        """
        if not self._ended.wait(timeout):
            msg = f"flow run {shown(self.name)} has not ended after {timeout} s; it goes on. Ask run.state, or run.cancel()."
            raise TimeoutError(msg)
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

    def resume(self, task: Task | None = None) -> None:
        """Go on: after `pause`, and with tasks that wait for a person (only with `task` when it is given)."""
        number = None if task is None else self.runner.plan.number(task)
        self._post(m.ResumeAsked(self.runner.clock.now(), number))

    def _post(self, stimulus: m.Stimulus) -> None:
        if self.state.is_finished():
            return  # a late click: the run has ended, there is nothing to do
        self.runner.post(stimulus)
        if self._ended.is_set() and self._drive is not None:
            # nobody drives the run any more because only a person could go on; now one did
            self._ended.clear()
            threading.Thread(target=self._drive, name="flowbook-run", daemon=True).start()

    # -- for the engine ----------------------------------------------------------------------------------------------

    def on_change(self, watcher: Callable[[FlowRun], None]) -> None:
        """Call `watcher` when the run ends, is parked, or is taken up again."""
        self._watchers.append(watcher)

    def driven(self, drive: Callable[[], None]) -> None:
        """Say how the run is driven on when a person lets it go on."""
        self._drive = drive

    def ended(self, error: BaseException | None = None) -> None:
        """Note that nothing more happens by itself."""
        self.error = error
        self._ended.set()
        for watcher in list(self._watchers):
            watcher(self)

    def __repr__(self) -> str:
        machine = self.runner.machine
        done = len(machine.states) - machine.unfinished
        return f"<FlowRun: {shown(self.name, 60)[1:-1]}, {type(self.state).__name__}, {done} of {len(machine.states)} tasks>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002 - the display protocol
        from flowbook.view.show import run_bundle  # a door: the view is loaded when somebody looks

        return run_bundle(self)
