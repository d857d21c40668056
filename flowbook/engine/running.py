"""From `flow.run(...)` to a driven runner: reading the arguments, the flow's own handlers, and who drives."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sys
import threading
from typing import TYPE_CHECKING, Any

from flowbook.contexts import context, current_flow
from flowbook.engine.clock import clock_of
from flowbook.engine.executors import LocalExecutor, ThreadExecutor, executor_of
from flowbook.engine.executors.local import Interruption, RunInterrupted, run_ready
from flowbook.engine.flow_run import FlowRun
from flowbook.engine.frame import RunFrame
from flowbook.engine.plan import Plan
from flowbook.engine.runner import Runner, consult
from flowbook.errors import FlowError, UnknownArgument, nearest, shown
from flowbook.states import Failed, Pending, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.flows import Flow

__all__ = ["can_start_threads", "run_flow", "run_flow_async", "start_flow"]

_OPTIONS = (
    "executor",
    "context",
    "task_states",
    "task_contexts",
    "clock",
    "show",
    "wait",
    "flow_run_id",
    "flow_run_name",
    "run_on_schedule",
    "runner_cls",
    "state",
    "task_runner_state_handlers",
)
_numbers = itertools.count(1)


def run_flow(flow: Flow, parameters: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:
    """Run a flow on this thread and return its final state, or a handle with ``wait=False``."""
    options = _options(flow, args, kwargs)
    if not options.pop("wait", True):
        return _start(flow, parameters, options)
    run = _prepare(flow, parameters, options)
    _show(run, options.get("show"))
    _drive(run)
    if run.error is not None:
        raise run.error
    return run.state


def start_flow(flow: Flow, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> FlowRun:
    """Run a flow on a thread of its own and return a handle at once."""
    options = _options(flow, (), kwargs)
    options.pop("wait", None)
    return _start(flow, parameters, options)


async def run_flow_async(flow: Flow, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> State:
    """Run a flow without blocking the event loop and return its final state."""
    options = _options(flow, (), kwargs)
    options.pop("wait", None)
    if not can_start_threads():
        run = _prepare(flow, parameters, options)
        _show(run, options.get("show"))
        await _drive_cooperatively(run)
        return run.wait(0)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    run = _start(flow, parameters, options, then=lambda _: loop.call_soon_threadsafe(over.set))
    try:
        await over.wait()
    except asyncio.CancelledError:
        run.cancel("The awaiting task was cancelled.")
        raise
    return run.wait(0)


def _start(
    flow: Flow,
    parameters: Mapping[str, Any] | None,
    options: dict[str, Any],
    then: Callable[[FlowRun], None] | None = None,
) -> FlowRun:
    run = _prepare(flow, parameters, options)
    if then is not None:
        run.on_change(then)
    if isinstance(run.executor, LocalExecutor) and can_start_threads():
        # one body at a time, on a thread that can be let go of: Cancel and timeouts work although signals do not
        run.executor = ThreadExecutor(workers=1)
    _show(run, options.get("show"))
    if can_start_threads():
        threading.Thread(target=_drive, args=(run,), name="flowbook-run", daemon=True).start()
        return run
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _drive(run)  # no threads and no event loop: the run is over when this returns
    else:
        run.pump_task = loop.create_task(_drive_cooperatively(run))  # type: ignore[attr-defined]  # kept alive by the handle
    return run


_threads: list[bool] = []


def can_start_threads() -> bool:
    """Tell whether this interpreter can start threads; Pyodide cannot."""
    if not _threads:
        try:
            thread = threading.Thread(target=int, daemon=True)
            thread.start()
        except RuntimeError:
            _threads.append(False)
        else:
            thread.join()
            _threads.append(True)
    return _threads[0]


# -- reading the arguments -------------------------------------------------------------------------------------------


def _options(flow: Flow, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Split keywords into the flow's parameters (under "given") and options of the run."""
    names = {task.name for task in flow.parameters()}
    options: dict[str, Any] = dict(zip(("run_on_schedule", "runner_cls"), args))
    options["given"] = {key: value for key, value in kwargs.items() if key in names}
    for key, value in kwargs.items():
        if key in names:
            continue
        if key == "return_tasks":
            raise FlowError("flow.run() has no return_tasks: the state of every task is in state.result.")
        if key not in _OPTIONS:
            if nearest(key, _OPTIONS):
                msg = f"flow.run() has no argument {key!r}.{nearest(key, _OPTIONS)} {flow.unknown_parameters([key])}"
                raise UnknownArgument(msg)
            raise FlowError(flow.unknown_parameters([key]))
        options[key] = value
    return options


def _parameters(flow: Flow, parameters: Mapping[str, Any] | None, options: dict[str, Any]) -> dict[str, Any]:
    """Merge what was given, the nearest last, and check it against the flow's parameters."""
    own = flow.parameters()
    given = {**(options.get("context") or {}).get("parameters", {}), **(parameters or {}), **options["given"]}
    unknown = set(given) - {task.name for task in own}
    if unknown:
        raise FlowError(flow.unknown_parameters(sorted(unknown)))
    missing = sorted(task.name for task in own if task.required and task.name not in given)
    if missing:
        names = ", ".join(missing)
        example = ", ".join(f"{name}=..." for name in missing)
        msg = f"flow {shown(flow.name)} needs a value for: {names}. Give it: flow.run({example})."
        raise FlowError(msg)
    return given


def _prepare(flow: Flow, parameters: Mapping[str, Any] | None, options: dict[str, Any]) -> FlowRun:
    if current_flow() is not None:
        msg = "flow.run() was called inside a `with Flow(...)` block, where the flow is still being built. Call it after the block."
        raise RuntimeError(msg)
    plan = Plan(flow)
    given = {
        key: value
        for key, value in {**context.given(), **(options.get("context") or {})}.items()
        if key != "parameters"
    }
    number = next(_numbers)
    runner = Runner(
        plan,
        clock_of(options.get("clock")),
        run_id=options.get("flow_run_id") or secrets.token_hex(8),
        name=options.get("flow_run_name") or f"{flow.name}-{number}",
        parameters=_parameters(flow, parameters, options),
        given=given,
        task_contexts={
            plan.number(task): dict(values) for task, values in (options.get("task_contexts") or {}).items()
        },
        seeds={plan.number(task): state for task, state in (options.get("task_states") or {}).items()},
    )
    wanted = options.get("executor")
    executor = executor_of(wanted if wanted is not None else flow.executor)
    if isinstance(executor, ThreadExecutor) and not can_start_threads():
        executor = LocalExecutor()
    run = FlowRun(flow, runner, executor)
    run.driven(lambda: _drive(run))
    flow.last_run = run
    return run


# -- driving ---------------------------------------------------------------------------------------------------------


def _open(run: FlowRun) -> bool:
    """Begin a run that has not begun; return whether its tasks are to be run."""
    machine, flow = run.runner.machine, run.flow
    if len(machine.log):
        return True  # taken up again after a pause
    if flow.state_handlers:
        state, _ = consult(flow, flow.state_handlers, Pending(), machine_running())
        if state.is_finished():
            machine.end(state, run.runner.clock.now())
            return False
    run.runner.begin()
    return True


def machine_running() -> State:
    """Return the state in which a flow begins."""
    from flowbook.states import Running

    return Running("Running flow.")


def _close(run: FlowRun) -> None:
    """Work out the final state of the flow, with its handlers' say."""
    machine, flow = run.runner.machine, run.flow
    state = machine.outcome()
    if state.is_finished():
        if flow.terminal_state_handler is not None:
            decisive = {machine.states[number] for number in run.runner.plan.reference}
            try:
                state = flow.terminal_state_handler(flow, state, decisive) or state
            except Exception as error:  # noqa: BLE001 - a user's handler may raise anything
                state = Failed(f"The terminal state handler raised {shown(error, 300)}", result=state.result)
        if flow.state_handlers:
            answered, failed = consult(flow, flow.state_handlers, machine.flow_state, state)
            if failed:
                answered = Failed(answered.message, result=state.result)
            elif answered is not state and answered.result is None:
                answered.result = state.result
            state = answered
    machine.end(state, run.runner.clock.now())
    run.runner.stream.publish()


def _drive(run: FlowRun) -> None:
    """Drive a run until it has ended or only a person can go on."""
    error: BaseException | None = None
    try:
        if _open(run):
            try:
                run.executor.drive(run.runner)
            except RunInterrupted as interrupt:
                error = interrupt.with_traceback(None)
            _close(run)
    except BaseException as unexpected:
        run.ended(unexpected)
        raise
    run.ended(error)


async def _drive_cooperatively(run: FlowRun) -> None:
    """Drive a run on the event loop, without a thread: one body, then a turn for everybody else."""
    runner = run.runner
    if _open(run):
        frame, state = RunFrame(runner), Interruption()
        from flowbook.contexts import install_frame, restore_frame

        while True:
            runner.pump()
            token = install_frame(frame)
            try:
                run_ready(runner, frame, state, at_most=1)
            finally:
                restore_frame(token)
            if runner.is_over:
                break
            seconds = runner.seconds_to_wait() if not runner.machine.may_start else 0.0
            await asyncio.sleep(min(0.05 if seconds is None else seconds, 0.05))
        _close(run)
    run.ended()


def _show(run: FlowRun, show: bool | None) -> None:
    """Show the live picture when this is a notebook that wants it."""
    if show is False or "IPython" not in sys.modules:
        return
    shell = sys.modules["IPython"].get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    from flowbook.notebook.live import show_run  # a door: the notebook is loaded when there is one

    show_run(run, asked=show is True)
