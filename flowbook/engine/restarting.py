"""Restarting: which part of a flow a run covers, and which states of an earlier run it keeps.

``flow.run(until=x)`` covers x and all upstream of it. ``flow.run(start_at=x)`` runs x and all downstream, and keeps
what the last run left upstream. `FlowRun.resume` keeps what ended well in a run that failed, and runs all else again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flowbook.engine.lazy import held_by, mapped_over
from flowbook.errors import FlowError, UnknownArgument, giving, shown
from flowbook.graphs import ancestry
from flowbook.parameters import Parameter
from flowbook.serialization import NotCarried
from flowbook.states import Cancelled, Mapped, State
from flowbook.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.edges import Edge
    from flowbook.engine.flow_run import FlowRun
    from flowbook.flows import Flow

__all__ = ["Part", "kept_states", "part_of", "states_left_by"]


@dataclass(frozen=True)
class Part:
    """What a run covers of its flow.

    Attributes:
        tasks: the tasks that are run, or kept; all others are left out.
        decisive: the tasks that decide the state of the flow.
        kept: the states that tasks start from, those that are not run again among them.
        parameters: values of parameters that the run before this one was given.

    """

    tasks: frozenset[Task]
    decisive: tuple[Task, ...]
    kept: dict[Task, State] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)

    def keeping(self, kept: dict[Task, State]) -> Part:
        """Return the same part with other states to start from."""
        return replace(self, kept=kept, parameters={})


# -- a part of a flow -------------------------------------------------------------------------------------------------


def part_of(flow: Flow, options: Mapping[str, Any], given: Iterable[str]) -> Part | None:
    """Return the part of a flow which the options ``until`` and ``start_at`` ask for; None for the whole of it.

    Args:
        flow: the flow.
        options: of `Flow.run`.
        given: the names of the parameters that this run is given.

    Raises:
        FlowError: a task that is not in the flow, nothing between the two, or nothing to start from.

    """
    ends, starts = _tasks_of(flow, options, "until"), _tasks_of(flow, options, "start_at")
    if not ends and not starts:
        return None
    upward = ancestry(flow.nodes, ends, downstream=False) if ends else set(flow.nodes)
    if not starts:
        return _covering(flow, upward, ends)
    again = ancestry(flow.nodes, starts, downstream=True) & upward
    for task in ends:
        if task not in again:
            names = " or ".join(shown(start.name, 40) for start in starts)
            raise FlowError(
                f"until={shown(task.name, 60)} is not downstream of start_at={names}, so there is nothing between them."
            )
    again |= _resources_of(flow, again)
    earlier, parameters = _earlier(flow, options)
    again |= _given_anew(flow, again, given)
    kept = _kept_around(flow, again, earlier)
    part = _covering(flow, again | kept.keys(), ends, running=again)
    return replace(part, kept=kept, parameters=parameters)


def _tasks_of(flow: Flow, options: Mapping[str, Any], name: str) -> list[Task]:
    asked = options.get(name)
    if asked is None:
        return []
    tasks = [asked] if isinstance(asked, Task) else asked
    if not isinstance(tasks, (list, tuple, set, frozenset)) or not all(isinstance(task, Task) for task in tasks):
        raise UnknownArgument(f"{name}={shown(asked)} must be a task of the flow, or a list of tasks.")
    if not tasks:
        raise UnknownArgument(f"{name}={shown(asked)} names no task. Leave {name} out to run all of them.")
    for task in tasks:
        flow.node(task)
    return list(tasks)


def _covering(flow: Flow, tasks: set[Task], ends: list[Task], *, running: set[Task] | None = None) -> Part:
    """Return a part with the tasks that decide: those asked for, else the flow's own, else the last ones."""
    running = tasks if running is None else running
    tasks = tasks | _resources_of(flow, tasks)
    decisive = ends or [task for task in flow.nodes if task in running and task in flow.reference_tasks()]
    if not decisive:
        decisive = [
            task
            for task in flow.nodes
            if task in running and not _is_run_anew(task) and not (flow.downstream_tasks(task) & running)
        ]
    return Part(frozenset(tasks), tuple(decisive))


def _is_run_anew(task: Task) -> bool:
    """Tell whether a task is run again though it ended well: a resource is gone after its run, a secret is not kept."""
    return task.runs_anew or (task.sensitive and not isinstance(task, Parameter))


def _resources_of(flow: Flow, tasks: set[Task]) -> set[Task]:
    """Return the tasks that must be run for these to have their resources, and those that clean up after them."""
    above = {task for task in ancestry(flow.nodes, tasks, downstream=False) if _is_run_anew(task)}
    resources = [task for task in above if task.runs_anew]
    return above | {task for task in ancestry(flow.nodes, resources, downstream=True) if task.runs_anew}


def _earlier(flow: Flow, options: Mapping[str, Any]) -> tuple[Mapping[Any, State], dict[str, Any]]:
    """Return the states of the run before this one, and the parameters it was given."""
    state = options.get("state")
    if isinstance(state, State) and isinstance(state.result, dict):
        return state.result, {}
    if flow.last_run is None:
        raise FlowError(
            f"start_at= starts from the results of the last run, and flow {shown(flow.name)} has not been run. "
            "Run it as a whole first, or give state= of an earlier run."
        )
    return flow.last_run.states, flow.last_run.runner.parameters


def _given_anew(flow: Flow, again: set[Task], given: Iterable[str]) -> set[Task]:
    """Return the parameters that get a new value and are used by nothing but what is run again.

    Raises:
        FlowError: one that something else is made from, whose result is kept.

    """
    names = set(given)
    found: set[Task] = set()
    for parameter in sorted(flow.parameters(), key=lambda parameter: parameter.name):
        if parameter.name not in names or parameter in again:
            continue
        others = [task for task in flow.downstream_tasks(parameter) if task not in again]
        if others or not flow.downstream_tasks(parameter):
            used = " and ".join(sorted(shown(task.name, 40) for task in others)) or "nothing"
            raise FlowError(
                f"parameter {shown(parameter.name)} was given, but {used} takes it and is not run again: what it made "
                f"from the old value would be kept. Start further up, or leave it out: {giving(parameter.name)}."
            )
        found.add(parameter)
    return found


def _kept_around(flow: Flow, again: set[Task], earlier: Mapping[Any, State]) -> dict[Task, State]:
    """Return the states that are kept of the tasks which are not run again.

    Raises:
        FlowError: one that is needed is not there.

    """
    kept = {
        task: state
        for task in flow.nodes
        if task not in again
        and not _is_run_anew(task)
        and (state := earlier.get(task)) is not None
        and _is_there(state)
    }
    for task in flow.sorted_tasks():
        if task not in again:
            continue
        for before in flow.node(task).upstream.values():
            upstream = before.upstream_task
            if upstream in again or upstream in kept:
                continue
            state = earlier.get(upstream)
            how = f"is {type(state).__name__} there" if state is not None else "was not part of it"
            raise FlowError(
                f"task {shown(task.name)} cannot start from the last run: its upstream task {shown(upstream.name)} "
                f"{how}. Start at {shown(upstream.name)}, or run the whole flow."
            )
    return kept


def _is_there(state: State) -> bool:
    """Tell whether a task has ended and its result can still be had; one that is elsewhere is not fetched for this."""
    if not state.is_finished() or state.is_looped():
        return False
    held = held_by(state)
    if held is not None:
        return not held.is_lost
    return isinstance(state, Mapped) or not isinstance(state.result, NotCarried)


# -- an earlier run ----------------------------------------------------------------------------------------------------


def states_left_by(run: FlowRun) -> dict[Task, State]:
    """Return the states of all tasks of a run, with the children of mapped tasks that were cancelled half-way."""
    machine, states = run.runner.machine, run.states
    if machine.cancelled is not None:
        for parent, family in machine.families.items():
            state = machine.states[parent]
            if isinstance(state, Cancelled):
                children = machine.states[family.base : family.base + family.width]
                states[run.runner.plan.tasks[parent]] = mapped_over(state.message or "", children)
    return states


def kept_states(flow: Flow, states: Mapping[Task, State]) -> dict[Task, State]:
    """Return what is kept of a run that did not end well.

    A task that ended well is kept, a skipped one too, unless something upstream of it is run again: what was made of a
    failure (a report, a clean-up) must not outlive it. Of a mapped task that is true child by child.

    Args:
        flow: the flow.
        states: how the run ended.

    """
    kept: dict[Task, State] = {}
    again: set[Task] = set()
    lost: dict[Task, set[int]] = {}
    for task in flow.sorted_tasks():
        state = states.get(task)
        edges = flow.node(task).upstream.values()
        if state is None or not (state.is_successful() and _is_there(state)) or _comes_anew(edges, again, lost):
            again.add(task)
        elif not _is_run_anew(task):
            missing = _lost_children(state, edges, lost)
            if missing and isinstance(state, Mapped):
                lost[task] = missing
                state = _without(state, missing)
            kept[task] = state
    return kept


def _comes_anew(edges: Iterable[Edge], again: set[Task], lost: Mapping[Task, set[int]]) -> bool:
    """Tell whether something other than before arrives for the whole of a task."""
    return any(
        edge.upstream_task in again or (edge.upstream_task in lost and not _is_one_by_one(edge)) for edge in edges
    )


def _is_one_by_one(edge: Edge) -> bool:
    return edge.mapped and not edge.flattened


def _lost_children(state: State, edges: Iterable[Edge], lost: Mapping[Task, set[int]]) -> set[int]:
    """Return which children of a mapped task are run again."""
    if not isinstance(state, Mapped):
        return set()
    missing = {
        index
        for index, child in enumerate(state.map_states)
        if not (child and child.is_successful() and _is_there(child))
    }
    for edge in edges:
        missing |= {index for index in lost.get(edge.upstream_task, ()) if index < len(state.map_states)}
    return missing


def _without(state: Mapped, missing: set[int]) -> Mapped:
    children = [None if index in missing else child for index, child in enumerate(state.map_states)]
    return Mapped(state.message, map_states=children, context=state.context)
