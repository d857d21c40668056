"""Runs on a schedule: each waits for its event, goes on, and makes room for the next, until the schedule ends.

A run is made as soon as its event is known and is `Scheduled` until then, so that whoever looks sees what is waited for
and can call it off. Sleeping is a part of driving the run: a Cancel or an interrupt ends it as it would end a body.
"""

from __future__ import annotations

import contextlib
import contextvars
import datetime as dt
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.configuration import config
from flowbook.contexts import current_frame
from flowbook.engine import attempt
from flowbook.engine.clock import SystemClock
from flowbook.engine.frame import RunFrame
from flowbook.errors import FlowError, shown
from flowbook.events import FLOW
from flowbook.signals import FlowbookSignal
from flowbook.states import Running, Scheduled, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from flowbook.engine.clock import Clock
    from flowbook.engine.flow_run import FlowRun
    from flowbook.events import Event
    from flowbook.flows import Flow
    from flowbook.schedules.clocks import ClockEvent

__all__ = ["Hands", "ScheduledRuns", "announce", "is_on_schedule", "naps"]

# So many runs are kept with all their results; those before are let go of, however long the schedule is.
KEPT = 10

# Nobody sleeps longer without a look at the clock on the wall: it may be set, and machines are sent to sleep.
_LONGEST_NAP = 30.0

_UTC = dt.timezone.utc


class Hands(NamedTuple):
    """What the schedule has others do.

    Attributes:
        make: makes the run for an event; also given is the run before it.
        drive: drives a run on this thread.
        drive_cooperatively: drives a run on the event loop.

    """

    make: Callable[[ClockEvent, FlowRun | None], FlowRun]
    drive: Callable[[FlowRun], object]
    drive_cooperatively: Callable[[FlowRun], Awaitable[object]]


def is_on_schedule(flow: Flow, options: Mapping[str, Any]) -> bool:
    """Tell whether a run is to wait for its flow's schedule: as it was asked for, else as configured.

    A run of a part of the flow is meant for now, unless it is asked to wait.
    """
    asked = options.get("run_on_schedule")
    if asked is None and (options.get("until") is not None or options.get("start_at") is not None):
        return False
    return flow.schedule is not None and bool(config.flows.run_on_schedule if asked is None else asked)


def announce(run: FlowRun, event: ClockEvent, before: FlowRun | None) -> None:
    """Let a run that has not begun wait for its event."""
    words = f"Waits for {event.start_time:%Y-%m-%d %H:%M:%S %Z}".rstrip() + "."
    if before is not None and before.state.is_finished():
        words += f" The run before ended as {type(before.state).__name__}."
    runner = run.runner
    runner.scheduled_for = event.start_time
    runner.machine.end(Scheduled(words, start_time=event.moment), runner.clock.now())


def naps(run: FlowRun) -> Iterator[float]:
    """Give, again and again, how many seconds may be slept, until the time of a run has come or it was called off.

    A virtual clock jumps to that time instead.
    """
    runner = run.runner
    if not isinstance(runner.machine.flow_state, Scheduled):
        return
    due = runner.machine.flow_state.start_time
    while due is not None:
        runner.pump()
        if runner.machine.cancelled is not None:
            return
        clock = runner.clock
        if isinstance(clock, SystemClock):
            clock.follow_the_wall()
        left = due.timestamp() - clock.now()
        if left <= 0:
            return
        if clock.is_virtual:
            clock.advance(due.timestamp())
        else:
            yield min(left, _LONGEST_NAP)


class ScheduledRuns:
    """The runs of a flow on its schedule, while they go on and afterwards.

    `flow.start()` returns it at once when the flow has a schedule. All methods may be called from any thread.

    >>> import datetime as dt
    >>> from flowbook import Flow, task
    >>> from flowbook.schedules import IntervalSchedule
    >>> monday = dt.datetime(2035, 1, 1)
    >>> week = IntervalSchedule(monday, dt.timedelta(days=1), end_date=monday + dt.timedelta(days=6))
    >>> with Flow("daily", schedule=week) as flow:
    ...     result = task(lambda: 1)()
    >>> runs = flow.start(clock="fast", show=False)
    >>> runs.wait().is_successful(), runs.count, runs.next_start
    (True, 7, None)

    Attributes:
        flow: what is run.
        runs: the last runs, the present one at the end; bounded, so that a long schedule does not fill the memory.
        count: how many runs there were so far, with the one that waits.
        error: what broke the schedule off.

    """

    def __init__(self, flow: Flow, clock: Clock, hands: Hands) -> None:
        self.flow = flow
        self.runs: deque[FlowRun] = deque(maxlen=KEPT)
        self.count = 0
        self.error: BaseException | None = None
        self.turns: object = None  # the asyncio task that drives, where there are no threads; held so that it lives
        self._hands = hands
        self._events: deque[ClockEvent] = deque()
        self._event: ClockEvent
        self._called_off: str | None = None
        self._over = threading.Event()
        self._when_over: list[Callable[[], object]] = []
        from flowbook.schedules.schedules import checked_schedule  # noqa: PLC0415 - whoever has a schedule has loaded it

        checked_schedule(flow.schedule)  # it may have been set later
        first = self._next_event(dt.datetime.fromtimestamp(clock.now(), _UTC))
        if first is None:
            msg = (
                f"flow {shown(flow.name)} has no more scheduled runs: its schedule gives no time after now. "
                "Run it at once with flow.run(run_on_schedule=False), or give it another schedule."
            )
            raise FlowError(msg)
        self._take(first, None)

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def current(self) -> FlowRun:
        """The run that waits or goes on now; the last one when the schedule has ended."""
        return self.runs[-1]

    @property
    def state(self) -> State:
        """The state of the present run: `Scheduled` while its time has not come."""
        return self.current.state

    @property
    def events(self) -> list[Event]:
        """Everything that happened so far in the present run, in order."""
        return self.current.events

    @property
    def is_over(self) -> bool:
        """Whether the schedule has ended, or was called off."""
        return self._over.is_set()

    @property
    def next_start(self) -> dt.datetime | None:
        """When the next run begins, as far as can be told now; None when there is none any more."""
        if self.is_over or self._called_off is not None:
            return None
        run = self.current
        if isinstance(run.state, Scheduled):
            return run.runner.scheduled_for
        upcoming = self._events or self._upcoming(self._after(run))
        return upcoming[0].start_time if upcoming else None

    # -- acting ------------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> State:
        """Wait until the schedule has ended, and return the state of the last run.

        Args:
            timeout: seconds to wait at the most.

        Raises:
            TimeoutError: it has not ended by then; it goes on.
            RuntimeError: a task of one of these runs waits for it, and would for ever; or there are no threads.

        """
        frame = current_frame()
        if not self.is_over and isinstance(frame, RunFrame) and any(run.runner is frame.runner for run in self.runs):
            msg = f"a task of flow {shown(self.flow.name)} waits for its schedule, which waits for the task."
            raise RuntimeError(msg)
        if not self.is_over and timeout != 0 and not attempt.can_start_threads():
            raise RuntimeError("without threads nobody else would run; await flow.run_async() instead.")
        if not self._over.wait(timeout):
            raise TimeoutError(
                f"the schedule of flow {shown(self.flow.name)} has not ended after {timeout} s; it goes on. "
                "Ask runs.next_start, or runs.cancel()."
            )
        if self.error is not None:
            raise self.error
        return self.state

    def cancel(self, why: str = "Cancelled on request.") -> None:
        """End the schedule: cancel the run that waits or goes on, and make no other."""
        self._called_off = why
        self.current.cancel(why)

    def __repr__(self) -> str:
        name, state = shown(self.flow.name, 60)[1:-1], type(self.state).__name__
        begins = f", next {self.next_start}" if self.next_start is not None else ""
        return f"<ScheduledRuns: {name}, {state}{begins}, run {self.count}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = self.current._repr_mimebundle_(include, exclude)
        return bundle if len(bundle) > 1 else {"text/plain": repr(self)}

    # -- for the engine ----------------------------------------------------------------------------------------------

    def drive(self) -> State:
        """Drive the runs on this thread until the schedule has ended, and return the last state.

        Raises:
            RunInterrupted: a person interrupted; the present run is cancelled, and the schedule has ended.

        """
        with self._ends():
            for run in self._turns():
                self._hands.drive(run)
        return self.state

    async def drive_cooperatively(self) -> State:
        """Drive the runs on the event loop."""
        with self._ends():
            for run in self._turns():
                await self._hands.drive_cooperatively(run)
        return self.state

    def drive_elsewhere(self) -> None:
        """Drive the runs on a thread of their own."""
        around = contextvars.copy_context()  # what was given around the start holds for all runs

        def drive() -> None:
            with contextlib.suppress(Exception, FlowbookSignal):  # it is kept for `wait` to raise
                self.drive()

        threading.Thread(target=around.run, args=(drive,), name="flowbook-schedule", daemon=True).start()

    def when_over(self, do: Callable[[], object]) -> None:
        """Call a function when the schedule has ended."""
        self._when_over.append(do)

    @contextlib.contextmanager
    def _ends(self) -> Iterator[None]:
        try:
            yield
        except (Exception, FlowbookSignal) as error:
            self.error = error
            raise
        finally:
            shown_by: Any = self.current.shown_by
            if shown_by is not None:
                with contextlib.suppress(Exception):  # a broken display must not take the schedule's end with it
                    shown_by.flush()
            self._over.set()
            for do in self._when_over:
                do()

    def _turns(self) -> Iterator[FlowRun]:
        """Give one run after the other, each to be driven to its end before the next is made."""
        while True:
            run = self.current
            yield run
            if self._called_off is not None or (run.runner.machine.cancelled is not None and not _has_begun(run)):
                return
            event = self._next_event(self._after(run))
            if event is None:
                return
            self._take(event, run)

    def _take(self, event: ClockEvent, before: FlowRun | None) -> None:
        self._event = event
        run = self._hands.make(event, before)
        self.count += 1
        self.runs.append(run)
        if self._called_off is not None:  # meanwhile
            run.cancel(self._called_off)

    def _after(self, run: FlowRun) -> dt.datetime:
        """Return the moment after which the next event is looked for: what came during the run is let go by.

        The clock on the wall may have been set back, but no event comes twice.
        """
        now = dt.datetime.fromtimestamp(run.runner.clock.now(), _UTC)
        return max(now, self._event.moment)

    def _next_event(self, after: dt.datetime) -> ClockEvent | None:
        if not self._events:
            self._events.extend(self._upcoming(after))
        return self._events.popleft() if self._events else None

    def _upcoming(self, after: dt.datetime) -> Sequence[ClockEvent]:
        """Return the next event, and those of other clocks that ask for another run at the same moment."""
        schedule: Any = self.flow.schedule
        several = max(1, len(getattr(schedule, "clocks", ())))
        events: list[ClockEvent] = schedule.next(several, after=after, return_events=True)
        return [event for event in events if event.moment == events[0].moment]


def _has_begun(run: FlowRun) -> bool:
    log = run.runner.machine.log
    return any(task == FLOW and isinstance(what, Running) for task, what in zip(log.task, log.what, strict=False))
