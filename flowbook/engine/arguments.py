"""The arguments of `flow.run(...)`: the flow's parameters, options of the run, and what is neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowbook.configuration import config
from flowbook.contexts import context, current_frame
from flowbook.engine.frame import RunFrame, read_date
from flowbook.errors import FlowError, UnknownArgument, nearest, shown
from flowbook.fitting import check_values
from flowbook.parameters import Parameter
from flowbook.redaction import hide
from flowbook.states import State

if TYPE_CHECKING:
    from flowbook.engine.restarting import Part
    from flowbook.flows import Flow

__all__ = ["context_values", "names_given", "options_of", "parameter_values", "seeds_of"]

_OPTIONS = (
    "executor",
    "context",
    "task_states",
    "task_contexts",
    "clock",
    "show",
    "wait",
    "until",
    "start_at",
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


def names_given(parameters: Mapping[str, Any] | None, options: Mapping[str, Any]) -> set[str]:
    """Return the names of the parameters that the call itself gives.

    Raises:
        UnknownArgument: they were not given by name.

    """
    looked_at: object = parameters or {}
    if not isinstance(looked_at, Mapping):
        msg = f"parameters={shown(parameters)} must be a dict of names to values."
        raise UnknownArgument(msg)
    return {*((options.get("context") or {}).get("parameters") or {}), *(parameters or {}), *options["given"]}


def parameter_values(
    flow: Flow,
    parameters: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    part: Part | None = None,
    of_clock: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Merge what was given for the flow's parameters, the nearest last, and check it.

    Args:
        flow: the flow.
        parameters: values by name.
        options: of `Flow.run`.
        part: what the run covers, when that is not all; what it leaves out needs no value.
        of_clock: what the clock of a schedule gives to this one run; it stands above all others.

    Raises:
        FlowError: a parameter the flow does not have, or one that is required and missing.
        TypeMismatch: a value of another type than its parameter, when types are strict.

    """
    own = flow.parameters()
    names = {task.name for task in own}
    # what stands around the run may be meant for several flows, so only what is given to this one is checked
    around = {key: value for key, value in (context.given().get("parameters") or {}).items() if key in names}
    in_context = (options.get("context") or {}).get("parameters") or {}
    given = {**in_context, **(parameters or {}), **options["given"], **(of_clock or {})}
    unknown = set(given) - names
    if unknown:
        raise FlowError(flow.unknown_parameters(sorted(map(str, unknown))))
    given = {**(part.parameters if part is not None else {}), **around, **given}
    for_nothing = {task.name for task in own if part is not None and (task not in part.tasks or task in part.kept)}
    if message := flow.missing_parameters({*given, *for_nothing}):
        raise FlowError(message)
    if config.flows.strict_types:
        check_values(flow, own, given)
    for task in own:
        if task.sensitive:
            hide(given.get(task.name, task.default))
    # who asks the context for parameters finds the defaults among them
    return {**{task.name: task.default for task in own if not task.required}, **given}


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


def seeds_of(options: Mapping[str, Any], part: Part | None = None) -> dict[Any, State]:
    """Return the states to start from, by task: those of an earlier run's ``state``, and those given one by one.

    Args:
        options: of `Flow.run`.
        part: what the run covers, when that is not all; it says itself what is kept of an earlier run.

    Raises:
        UnknownArgument: something that is not a state.

    """
    earlier = options.get("state")
    if earlier is not None and not isinstance(earlier, State):
        msg = f"state={shown(earlier)} must be the state of an earlier run."
        raise UnknownArgument(msg)
    result = earlier.result if earlier is not None and isinstance(earlier.result, dict) else {}
    kept = part.kept if part is not None else result
    seeds = {**kept, **(options.get("task_states") or {})}
    for task, state in seeds.items():
        if not isinstance(state, State):
            msg = f"task_states holds {shown(state)} for {shown(task)}; it must be a flowbook.states.State."
            raise UnknownArgument(msg)
    # a resource of the run before this one is gone: it is set up and cleaned up again
    return {
        task: state
        for task, state in seeds.items()
        if (part is None or task in part.tasks)
        and not (getattr(task, "runs_anew", False) and state.is_finished())
        and (not task.sensitive or isinstance(task, Parameter))  # a secret is asked for again
    }
