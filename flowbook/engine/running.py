"""From `flow.run(...)` to a driven runner: making the run, the flow's own handlers, and who drives."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from flowbook.contexts import current_flow
from flowbook.engine import attempt
from flowbook.engine.arguments import context_values, names_given, options_of, parameter_values, seeds_of
from flowbook.engine.clock import clock_of
from flowbook.engine.ends import said
from flowbook.engine.executors import LocalExecutor, ThreadExecutor, executor_of
from flowbook.engine.flow_run import FlowRun
from flowbook.engine.frame import run_context
from flowbook.engine.interrupts import BodyStopped, RunInterrupted, interrupts
from flowbook.engine.keeping import remember
from flowbook.engine.outcome import NOT_RUN, PENDING
from flowbook.engine.plan import Plan
from flowbook.engine.printing import masked_printing
from flowbook.engine.questions import consult
from flowbook.engine.ready import InOrder
from flowbook.engine.restarting import Part, kept_states, part_of, states_left_by
from flowbook.engine.runner import Runner
from flowbook.engine.scheduled import Hands, ScheduledRuns, announce, is_on_schedule, naps
from flowbook.engine.story import sentence
from flowbook.errors import shown
from flowbook.states import Failed, Mapped, Pending, Running, Scheduled, State, TriggerFailed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping

    from flowbook.flows import Flow
    from flowbook.schedules.clocks import ClockEvent

__all__ = ["run_flow", "run_flow_async", "start_flow"]

_numbers = itertools.count(1)

# How often a run that waits for its time on an event loop looks whether it was called off.
_GLANCE = 0.1

# More failed tasks than this are not listed in the log; the state has them all.
_LOGGED = 10


def run_flow(flow: Flow, parameters: Mapping[str, Any] | None = None, /, *args: Any, **kwargs: Any) -> Any:
    """Run a flow on this thread and return its final state, or a handle with ``wait=False``."""
    options = options_of(flow, args, kwargs)
    wait = options.pop("wait", True)
    if is_on_schedule(flow, options):
        return _scheduled(flow, parameters, options).drive() if wait else _start_scheduled(flow, parameters, options)
    if not wait:
        return _start(flow, parameters, options)
    run = _prepare(flow, parameters, options)
    with _ends_anyway(run):
        _show(run, asked=options.get("show"))
        _drive(run)
    if run.error is not None:
        raise run.error  # inside of raise_on_exception
    if options.get("show") is None:
        _log_failures(run)
    return run.state


def _log_failures(run: FlowRun) -> None:
    """Log what failed, where no picture says it: a script that fails must not be silent."""
    if run.shown_in is not None or not run.state.is_failed():
        return
    from flowbook.utilities.logging import get_logger  # noqa: PLC0415 - loaded when there is something to say

    logger, plan = get_logger("flow"), run.runner.plan
    failed = [
        number
        for number, state in enumerate(run.runner.machine.states)
        if isinstance(state, Failed) and not isinstance(state, TriggerFailed)
    ]
    for number in failed[:_LOGGED]:
        why = sentence(run.runner, number).removeprefix("It ")
        logger.error("Task %s %s", shown(plan.slugs[number], 60), why)
    logger.error("Flow %s: %s", shown(run.flow.name, 60), run.state.message)


def start_flow(flow: Flow, parameters: Mapping[str, Any] | None = None, /, **kwargs: Any) -> FlowRun | ScheduledRuns:
    """Run a flow on a thread of its own and return a handle at once."""
    options = options_of(flow, (), kwargs)
    if is_on_schedule(flow, options):
        return _start_scheduled(flow, parameters, options)
    return _start(flow, parameters, options)


async def run_flow_async(flow: Flow, parameters: Mapping[str, Any] | None = None, /, **kwargs: Any) -> State:
    """Run a flow without blocking the event loop and return its final state."""
    import asyncio  # noqa: PLC0415 - costs more than the engine, and only those who await need it

    options = options_of(flow, (), kwargs)
    loop = asyncio.get_running_loop()
    scheduled = is_on_schedule(flow, options)
    if scheduled and not attempt.can_start_threads():
        return await _scheduled(flow, parameters, options).drive_cooperatively()
    if not attempt.can_start_threads():
        run = _prepare(flow, parameters, options)
        with _ends_anyway(run):
            _show(run, asked=options.get("show"))
            await _drive_cooperatively(run)
        return run.wait(0)
    over = asyncio.Event()

    def tell(run: FlowRun | ScheduledRuns) -> None:
        if run.is_over:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody awaits any more
                loop.call_soon_threadsafe(over.set)

    start = _start_scheduled if scheduled else _start
    started: FlowRun | ScheduledRuns = start(flow, parameters, options, loop=loop, then=tell)
    try:
        await over.wait()
    except asyncio.CancelledError:
        started.cancel("The awaiting task was cancelled.")
        raise
    return started.wait(0)


def _start(
    flow: Flow,
    parameters: Mapping[str, Any] | None,
    options: dict[str, Any],
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    then: Callable[[FlowRun], None] | None = None,
) -> FlowRun:
    run = _prepare(flow, parameters, options)
    run.runner.coroutines.loop = loop
    if then is not None:
        run.on_change(then)
    with _ends_anyway(run):
        _show(run, asked=options.get("show"))
        _drive_elsewhere(run)
    return run


# -- on a schedule ---------------------------------------------------------------------------------------------------


def _scheduled(
    flow: Flow,
    parameters: Mapping[str, Any] | None,
    options: dict[str, Any],
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    elsewhere: bool = False,
) -> ScheduledRuns:
    """Make the runs of a flow's schedule; the first one waits already."""
    _refuse_inside_block()
    clock = clock_of(options.get("clock"))
    if clock.is_virtual:
        options = {**options, "clock": clock}  # one time for all runs; a real clock is set anew for each
    for each in getattr(flow.schedule, "clocks", ()):  # better told now than in a month
        parameter_values(flow, parameters, options, of_clock=getattr(each, "parameter_defaults", None))

    def make(event: ClockEvent, before: FlowRun | None) -> FlowRun:
        # what an earlier run left, and the id of a run, are meant for one run
        given = options if before is None else {k: v for k, v in options.items() if k not in _ONCE}
        run = _prepare(flow, parameters, given, event)
        run.runner.coroutines.loop = loop
        announce(run, event, before)
        _show(run, asked=options.get("show"), instead_of=before)
        return run

    def drive(run: FlowRun) -> None:
        if elsewhere:
            _let_go_of_bodies(run)
        _drive(run)
        if run.error is not None:
            raise run.error  # inside of raise_on_exception
        if options.get("show") is None and not elsewhere:
            _log_failures(run)

    return ScheduledRuns(flow, clock, Hands(make, drive, _drive_cooperatively))


_ONCE = ("state", "task_states", "flow_run_id")


def _start_scheduled(
    flow: Flow,
    parameters: Mapping[str, Any] | None,
    options: dict[str, Any],
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    then: Callable[[ScheduledRuns], None] | None = None,
) -> ScheduledRuns:
    runs = _scheduled(flow, parameters, options, loop=loop, elsewhere=attempt.can_start_threads())
    if then is not None:
        runs.when_over(lambda: then(runs))
    if attempt.can_start_threads():
        runs.drive_elsewhere()
        return runs
    import asyncio  # noqa: PLC0415 - see run_flow_async

    try:
        turns = asyncio.get_running_loop()
    except RuntimeError:
        runs.drive()  # no threads and no event loop: the schedule is over when this returns
    else:
        runs.turns = turns.create_task(runs.drive_cooperatively())
    return runs


# -- making the run --------------------------------------------------------------------------------------------------


def _refuse_inside_block() -> None:
    if current_flow() is not None:
        raise RuntimeError(
            "flow.run() was called inside a `with Flow(...)` block, where the flow is still being built. "
            "Call it after the block."
        )


def _prepare(
    flow: Flow,
    parameters: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    event: ClockEvent | None = None,
) -> FlowRun:
    _refuse_inside_block()
    part: Part | None = options.get("part") or part_of(flow, options, names_given(parameters, options))
    plan = Plan(flow)
    if part is not None:
        plan.cover(part.tasks, part.decisive)
    contexts = options.get("task_contexts") or {}
    runner = Runner(
        plan,
        clock_of(options.get("clock")),
        run_id=options.get("flow_run_id") or os.urandom(8).hex(),
        name=options.get("flow_run_name") or f"{flow.name}-{next(_numbers)}",
        parameters=parameter_values(
            flow, parameters, options, part, of_clock=event.parameter_defaults if event else None
        ),
        given=context_values(options),
        task_contexts={plan.number(task): dict(values) for task, values in contexts.items()},
        seeds={plan.number(task): state for task, state in seeds_of(options, part).items()},
        task_handlers=options.get("task_runner_state_handlers") or (),
    )
    if (order := flow._order()) is not None:  # noqa: SLF001 - flows and their runs are of one house
        runner.machine.ready = InOrder([order.get(task, -1) for task in plan.tasks], runner.machine.ready)
    wanted = options.get("executor")
    executor = executor_of(wanted if wanted is not None else flow.executor)
    if isinstance(executor, ThreadExecutor) and not attempt.can_start_threads():
        executor = LocalExecutor()
    run = FlowRun(flow, runner, executor)
    earlier = options.get("state")
    run.earlier = earlier if part is None and isinstance(earlier, State) and earlier.is_finished() else None
    run.driven_by(lambda: _drive_elsewhere(run), lambda: _drive(run))
    run.resumed_by(lambda: _resume(run, part, options))
    flow.last_run = run
    return run


def _resume(run: FlowRun, part: Part | None, options: Mapping[str, Any]) -> FlowRun:
    """Start a new run that goes on where one has failed: what ended well is kept, all else is as it was."""
    kept = kept_states(run.flow, states_left_by(run))
    again = {key: value for key, value in options.items() if key not in _OF_ONE_RUN}
    again["given"] = {}
    again["context"] = run.runner.given
    again["clock"] = run.runner.clock
    if part is None:
        again["task_states"] = kept
    else:
        again["part"] = part.keeping(kept)
    return _start(run.flow, run.runner.parameters, again)


# What is said of one run, and not of the one that goes on after it.
_OF_ONE_RUN = frozenset({"flow_run_id", "flow_run_name", "part", "start_at", "state", "task_states", "until"})


def _show(run: FlowRun, *, asked: Any, instead_of: FlowRun | None = None) -> None:
    """Show the live picture when this is a notebook that wants it; a broken display does not stop the flow."""
    if callable(asked):
        asked(run)  # the panel: it shows the run itself
        return
    if asked is False or "IPython" not in sys.modules:
        return
    shell = sys.modules["IPython"].get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    try:
        from flowbook.notebook.live import show_run  # noqa: PLC0415 - a door: the notebook is loaded when there is one

        show_run(run, asked=asked is True, instead_of=instead_of)
    except Exception as error:  # noqa: BLE001 - a display may fail in any way, and the run must go on
        warnings.warn(f"The live picture could not be shown: {said(error)}. The run goes on.", stacklevel=4)


# -- driving ---------------------------------------------------------------------------------------------------------


def _drive(run: FlowRun) -> None:
    """Drive a run on this thread until it has ended or only a person can go on.

    Raises:
        RunInterrupted: a person interrupted; the run is cancelled.
        BodyStopped: a run in whose body this one goes on was cancelled; so is this one.

    """
    runner = run.runner
    try:
        with interrupts(runner), _ends_anyway(run), run_context(runner), masked_printing(runner.plan.tasks):
            for seconds in naps(run):
                runner.bell.wait(seconds)
            while True:
                if _open(run):
                    run.executor.drive(runner)
                _close(run)
                if run.settle(runner.raised):
                    break
    except (RunInterrupted, BodyStopped) as interrupt:
        raise interrupt.with_traceback(None) from None


def _drive_elsewhere(run: FlowRun) -> None:
    """Drive a run on a thread of its own, or in turns with everybody else on the event loop, or here and now."""
    if attempt.can_start_threads():
        _let_go_of_bodies(run)
        threading.Thread(target=_drive_quietly, args=(run,), name="flowbook-run", daemon=True).start()
        return
    import asyncio  # noqa: PLC0415 - see run_flow_async

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _drive(run)  # no threads and no event loop: the run is over when this returns
    else:
        run.turns = loop.create_task(_drive_cooperatively(run))


def _let_go_of_bodies(run: FlowRun) -> None:
    """Run one body at a time on a thread that can be let go of: Cancel and timeouts work although signals do not."""
    if isinstance(run.executor, LocalExecutor):
        run.executor = ThreadExecutor(workers=1)


def _drive_quietly(run: FlowRun) -> None:
    """Drive a run on this thread; what breaks it off is kept for `FlowRun.wait` to raise."""
    with contextlib.suppress(Exception):
        _drive(run)


async def _drive_cooperatively(run: FlowRun) -> None:
    """Drive a run on the event loop, without a thread."""
    import asyncio  # noqa: PLC0415 - see run_flow_async

    from flowbook.engine.executors.cooperative import drive_cooperatively  # noqa: PLC0415 - loads asyncio

    with _ends_anyway(run), run_context(run.runner), masked_printing(run.runner.plan.tasks):
        for seconds in naps(run):
            await asyncio.sleep(min(seconds, _GLANCE))  # nothing can ring a bell here
        while not run.is_over:
            if _open(run):
                await drive_cooperatively(run.runner)
            _close(run)
            run.settle(run.runner.raised)


def _open(run: FlowRun) -> bool:
    """Begin a run, or take it up again; return whether its tasks are to be run."""
    runner, machine, flow = run.runner, run.runner.machine, run.flow
    if machine.cancelled is not None:
        return False  # called off before its time came
    was_scheduled = isinstance(machine.flow_state, Scheduled)
    if len(machine.log) and not was_scheduled:
        machine.end(Running("Running flow."), runner.clock.now())  # taken up again after a pause
        runner.stream.publish()
        run.taken_up()
        return True
    if run.earlier is not None:
        machine.end(run.earlier, runner.clock.now())
        return False
    if flow.state_handlers:
        old = machine.flow_state if was_scheduled else Pending()
        state, _ = consult(flow, flow.state_handlers, old, Running("Running flow."))
        if state.is_finished():
            machine.end(_with_states(run, state), runner.clock.now())
            return False
    runner.begin()
    return True


def _close(run: FlowRun) -> None:
    """Work out the state of the flow, with its handlers' say when it is the final one."""
    runner, machine, flow = run.runner, run.runner.machine, run.flow
    runner.coroutines.close()
    if machine.flow_state.is_finished():  # ended before its tasks began
        runner.stream.publish()
        return
    state = machine.outcome()
    if state.is_finished():
        if machine.kept:
            remember(runner)
        state = _after_terminal_handler(run, state)
        if flow.state_handlers:
            answered, _ = consult(flow, flow.state_handlers, machine.flow_state, state)
            state = _with_states(run, answered) if answered.is_finished() else state
    machine.end(state, runner.clock.now())
    runner.stream.publish()


def _after_terminal_handler(run: FlowRun, state: State) -> State:
    machine, handler = run.runner.machine, run.flow.terminal_state_handler
    if handler is None:
        return state
    decisive = {machine.states[number] for number in run.runner.plan.reference}
    # the flow is judged by the children of a mapped task, and so may this handler
    decisive |= {child for state in decisive if isinstance(state, Mapped) for child in state.map_states if child}
    answered, failed = consult(run.flow, [lambda flow, _, new: handler(flow, new, decisive)], machine.flow_state, state)
    if failed:
        answered = Failed(f"The terminal state handler failed. {answered.message}", result=answered.result)
    return _with_states(run, answered) if answered.is_finished() else state


def _with_states(run: FlowRun, state: State) -> State:
    """Return a final state of handlers with the states of all tasks as its result, unless they gave it one."""
    if state.result is None or isinstance(state.result, BaseException):
        state.result = {task: NOT_RUN if known is PENDING else known for task, known in run.states.items()}
    return state


@contextlib.contextmanager
def _ends_anyway(run: FlowRun) -> Iterator[None]:
    """End a run whose driving is broken off, so that its states tell the truth and nobody waits for ever."""
    try:
        yield
    except BaseException as error:
        machine, now = run.runner.machine, run.runner.clock.now()
        if not run.is_over:
            if not machine.flow_state.is_finished():
                machine.abandon(f"The run was broken off by {said(error)}.", now)
                machine.end(machine.outcome(), now)
            run.runner.stream.publish()
            run.settle(error)
        raise
