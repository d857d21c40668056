"""The arguments of `flow.run(...)`: the flow's parameters, options of the run, and what is neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowbook.contexts import context, current_frame
from flowbook.engine.frame import RunFrame, read_date
from flowbook.errors import FlowError, UnknownArgument, nearest, shown
from flowbook.states import State

if TYPE_CHECKING:
    from flowbook.flows import Flow

__all__ = ["context_values", "options_of", "parameter_values", "seeds_of"]

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


def options_of(flow: Flow, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Split keywords into the flow's parameters (under "given") and options of the run.

    Raises:
        FlowError: a parameter the flow does not have, or an option that flowbook does not have any more.
        UnknownArgument: a keyword that looks like a misspelt option, or an option of the wrong type.

    """
    names = {task.name for task in flow.parameters()}
    options: dict[str, Any] = dict(zip(("run_on_schedule", "runner_cls"), args, strict=False))
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
    if options.get("runner_cls") is not None:
        msg = f"runner_cls={shown(options['runner_cls'])} has no meaning here: choose where bodies run with executor=."
        raise UnknownArgument(msg)
    for key in ("context", "task_states", "task_contexts"):
        if not isinstance(options.get(key) or {}, Mapping):
            msg = f"{key}={shown(options[key])} must be a dict."
            raise UnknownArgument(msg)
    return options


def parameter_values(
    flow: Flow,
    parameters: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    of_clock: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Merge what was given for the flow's parameters, the nearest last, and check it.

    Args:
        flow: whose parameters.
        parameters: given as a dict.
        options: what else was given.
        of_clock: what the clock of a schedule gives to this one run; it stands above all others.

    Raises:
        FlowError: a parameter the flow does not have, or one that is required and missing.

    """
    looked_at: object = parameters or {}
    if not isinstance(looked_at, Mapping):
        msg = f"parameters={shown(parameters)} must be a dict of names to values."
        raise UnknownArgument(msg)
    own = flow.parameters()
    names = {task.name for task in own}
    # what stands around the run may be meant for several flows, so only what is given to this one is checked
    around = {key: value for key, value in (context.given().get("parameters") or {}).items() if key in names}
    in_context = (options.get("context") or {}).get("parameters") or {}
    given = {**in_context, **(parameters or {}), **options["given"], **(of_clock or {})}
    unknown = set(given) - names
    if unknown:
        raise FlowError(flow.unknown_parameters(sorted(map(str, unknown))))
    given = {**around, **given}
    missing = sorted(task.name for task in own if task.required and task.name not in given)
    if missing:
        names_missing = ", ".join(missing)
        example = ", ".join(f"{name}=..." for name in missing)
        msg = f"flow {shown(flow.name)} needs a value for: {names_missing}. Give it: flow.run({example})."
        raise FlowError(msg)
    return given


def context_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context values which people give to a run.

    A run inside a task of another run takes over what people gave to that one, and nothing of what was worked out for
    it: neither its parameters nor anything of its tasks.

    Raises:
        FlowError: a date that is none.

    """
    frame = current_frame()
    outer = frame.runner.given if isinstance(frame, RunFrame) else {}
    given = {**outer, **context.given(), **(options.get("context") or {})}
    given.pop("parameters", None)
    read_date(given.get("date"))
    return given


def seeds_of(options: Mapping[str, Any]) -> dict[Any, State]:
    """Return the states to start from, by task: those of an earlier run's ``state``, and those given one by one.

    Raises:
        UnknownArgument: something that is not a state.

    """
    earlier = options.get("state")
    if earlier is not None and not isinstance(earlier, State):
        msg = f"state={shown(earlier)} must be the state of an earlier run."
        raise UnknownArgument(msg)
    result = earlier.result if earlier is not None and isinstance(earlier.result, dict) else {}
    seeds = {**result, **(options.get("task_states") or {})}
    for task, state in seeds.items():
        if not isinstance(state, State):
            msg = f"task_states holds {shown(state)} for {shown(task)}; it must be a flowbook.states.State."
            raise UnknownArgument(msg)
    return seeds
