"""The plan: a flow's graph as numbers, made once, for the machine to count on.

Tasks are numbered in topological order. The structure is kept with the flow until the flow changes, and what tasks say
of themselves (triggers, timeouts, …) until an attribute of any task is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.coroutines import awaited
from flowbook.errors import FlowError, shown
from flowbook.tasks.base import attribute_changes
from flowbook.triggers import all_successful

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.edges import Edge
    from flowbook.flows import Flow
    from flowbook.tasks.base import Task

__all__ = ["Plan", "Structure"]


class Structure:
    """The part of a plan that depends on the graph alone.

    Attributes:
        tasks: the tasks by number.
        index: the number of each task.
        slugs: the slug of each number.
        waiting: how many edges lead to each task.
        children: for each task the numbers downstream, once per edge.
        inputs: for each task its data edges, as (key, upstream number), or None.
        constants: for each task its constants, or None.
        edges: for each task the edges that lead to it.
        roots: the tasks with nothing upstream.
        terminal: the tasks with nothing downstream.

    """

    __slots__ = (
        "children",
        "constants",
        "edges",
        "index",
        "inputs",
        "roots",
        "slugs",
        "tasks",
        "terminal",
        "waiting",
    )

    def __init__(self, flow: Flow) -> None:
        flow.validate()
        self.tasks: tuple[Task, ...] = flow.sorted_tasks()
        self.index = {task: number for number, task in enumerate(self.tasks)}
        self.slugs: list[str] = []
        self.waiting: list[int] = []
        self.children: list[list[int]] = []
        self.inputs: list[tuple[tuple[str, int], ...] | None] = []
        self.constants: list[dict[str, Any] | None] = []
        self.edges: list[tuple[Edge, ...]] = []
        self.roots: list[int] = []
        self.terminal: list[int] = []
        index, nodes = self.index, flow.nodes
        for number, task in enumerate(self.tasks):
            node = nodes[task]
            edges = tuple(node.upstream.values())
            self.slugs.append(node.slug)
            self.waiting.append(len(edges))
            self.children.append([index[edge.downstream_task] for edge in node.downstream])
            self.inputs.append(
                tuple([(edge.key, index[edge.upstream_task]) for edge in edges if edge.key is not None]) or None
                if edges
                else None
            )
            self.constants.append(dict(node.constants) if node.constants else None)
            self.edges.append(edges)
            if not edges:
                self.roots.append(number)
            if not node.downstream:
                self.terminal.append(number)
            if any([edge.mapped for edge in edges]):  # noqa: C419 - a generator costs more than the few edges of a task
                raise FlowError(
                    f"task {shown(task.name)} has mapped edges; mapping is not part of this version. "
                    "Bind it without mapped=True."
                )


class Plan:
    """A flow, ready to be run once.

    Attributes:
        structure: the graph as numbers.
        bodies: the function to call for each task.
        special: whether a task must be looked at before it may run, because it has a trigger of its own.
        handled: whether a task has state handlers.
        guarded: whether an attempt needs more than a call: a timeout, printing to the log.
        extras: what is kept with every state of a task, its tags, or None.
        reference: the tasks that decide the state of the flow.

    """

    __slots__ = ("bodies", "extras", "flow", "guarded", "handled", "reference", "special", "structure")

    def __init__(self, flow: Flow) -> None:
        structure: Structure = flow._memoised("structure", lambda: Structure(flow))  # noqa: SLF001 - kept until the flow changes
        kept = flow._memo.get("described")  # noqa: SLF001 - likewise, and until an attribute of any task is set
        if kept is None or kept[0] != attribute_changes[0]:
            kept = flow._memo["described"] = (attribute_changes[0], *_described(structure.tasks))  # noqa: SLF001
        self.structure = structure
        self.flow = flow
        self.bodies: list[Callable[..., Any]] = kept[1]
        self.special: list[bool] = kept[2]
        self.guarded: list[bool] = kept[3]
        self.extras: list[dict[str, Any] | None] = kept[4]
        # read each time: a handler may have been appended to a task's list
        self.handled = [bool(task.state_handlers) for task in structure.tasks]
        # the explicit choice, or that of resources; empty when there is none
        chosen = flow._reference_tasks or flow._inside_of_resources()  # noqa: SLF001 - the choice itself
        self.reference = [structure.index[task] for task in chosen] or structure.terminal

    @property
    def terminal(self) -> list[int]:
        """The tasks with nothing downstream; the flow has ended when they have."""
        return self.structure.terminal

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks by number."""
        return self.structure.tasks

    def number(self, task: Task) -> int:
        """Return the number of a task, or raise FlowError when it is not in the flow."""
        found = self.structure.index.get(task)
        if found is None:
            self.flow.edges_to(task)  # raises, with the tasks that are there
            msg = f"task {shown(task.name)} was added to flow {shown(self.flow.name)} after this run began."
            raise FlowError(msg)
        return found


def _described(tasks: tuple[Task, ...]) -> tuple[list[Any], list[bool], list[bool], list[dict[str, Any] | None]]:
    """Read what the tasks say of themselves: bodies, whether they are special or guarded, what their states carry."""
    return (
        awaited([task.run for task in tasks]),
        [task.trigger is not all_successful for task in tasks],
        [bool(task.timeout) or task.log_stdout for task in tasks],
        [{"context": {"tags": sorted(task.tags)}, "cached_inputs": None} if task.tags else None for task in tasks],
    )
