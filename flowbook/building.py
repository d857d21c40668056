"""Building: how tasks, edges and constants get into a graph.

The functional API (calling tasks), the imperative one (`add_task`, `bind`, `add_edge`) and `Flow.update` all end here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from flowbook.configuration import config
from flowbook.contexts import given_values
from flowbook.edges import Edge, checked_key
from flowbook.errors import CycleError, FlowError, giving, shown
from flowbook.fitting import check_edge
from flowbook.graphs import Graph, Node, path_between
from flowbook.mapping import EdgeAnnotation, flags_of
from flowbook.parameters import Parameter
from flowbook.tasks.base import Task
from flowbook.tasks.core.collections import Constant, as_task, holds_tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import NoReturn

__all__ = ["GrowingGraph", "needs_no_node", "refuse_waiting", "several"]

TaskT = TypeVar("TaskT", bound=Task)


class GrowingGraph(Graph):
    """A graph to which tasks and edges can be added."""

    # whether edges between annotations that cannot fit each other are told of
    checks_types = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._slugs: set[str] = set()
        # the last number given to each combination of name and tags
        self._slug_counts: dict[str, int] = {}

    # -- tasks ---------------------------------------------------------------------------------------------------

    def add_task(self, task: TaskT) -> TaskT:
        """Add a task and return it; adding it twice changes nothing.

        Raises:
            TypeError: it is not a task.
            FlowError: another task of this flow has the same slug.

        """
        if not isinstance(task, Task):
            raise TypeError(
                f"{shown(task)} is not a task. Decorate a function with @task, or convert a value with as_task()."
            )
        if task not in self.nodes:
            node = Node(self._new_slug(task))
            block = given_values().get("_block")
            if block is not None:  # the innermost open `with case(...)` or the like
                block.add_task(task, self)
            self.nodes[task] = node
            if self._memo:
                self._memo.clear()
        return task

    def _new_slug(self, task: Task) -> str:
        slug = self._counted_slug(task) if task.slug is None else task.slug
        if slug in self._slugs:
            what = "parameter" if isinstance(task, Parameter) else "task"
            raise FlowError(
                f"a {what} with the slug {shown(slug)} is already part of flow {shown(self.name)}. "
                "Use that one, or give this one another name or slug."
            )
        self._slugs.add(slug)
        return slug

    def _counted_slug(self, task: Task) -> str:
        tags = task._tags  # noqa: SLF001 - looking at the tags of a copy would make it take a set of its own
        prefix = "-".join([task.name, *sorted(tags)]) if tags else task.name
        number = self._slug_counts.get(prefix, 0) + 1
        while f"{prefix}-{number}" in self._slugs:
            number += 1
        self._slug_counts[prefix] = number
        return f"{prefix}-{number}"

    # -- edges and constants -------------------------------------------------------------------------------------

    def connect(
        self,
        task: Task,
        arguments: Mapping[str, Any],
        *,
        upstream_tasks: Iterable[Any] | None = None,
        mapped: bool = False,
        validate: bool | None = None,
    ) -> None:
        """Add a task and bind arguments to it: tasks become data edges, other values constants.

        Args:
            task: the task that is bound.
            arguments: values by argument name.
            upstream_tasks: what the task waits for without taking a result.
            mapped: the edges made here are mapped, unless an annotation of the value says otherwise.
            validate: check duplicate keys and circles at once; as configured when not given.

        Raises:
            FlowError: as for `add_edge`.

        """
        if isinstance(task, Parameter) and (arguments or upstream_tasks is not None):
            refuse_waiting(task, upstream_tasks or arguments)
        data, constants = self._sorted_out(arguments, mapped=mapped)
        if upstream_tasks is not None:
            for before in several(upstream_tasks, "upstream_tasks"):
                value, is_mapped, is_flattened = flags_of(before, is_mapped=mapped)
                data.append((None, self._made(value), is_mapped, is_flattened))
        # what is upstream first, so that the order of adding is one in which the flow can run
        for _, upstream, _, _ in data:
            if upstream not in self.nodes:
                self.add_task(upstream)
        self.add_task(task)
        self.nodes[task].maps |= mapped
        validating = _validating(validate)
        if constants:
            self._bind_constants(task, constants, validating=validating)
        for name, upstream, is_mapped, is_flattened in data:
            self._join(Edge(upstream, task, name, is_mapped, is_flattened), validating=validating)

    def _sorted_out(
        self, arguments: Mapping[str, Any], *, mapped: bool
    ) -> tuple[list[tuple[str | None, Task, bool, bool]], dict[str, Any]]:
        """Return what needs an edge, with its key and flags, and what is a constant of the task."""
        data: list[tuple[str | None, Task, bool, bool]] = []
        constants: dict[str, Any] = {}
        for key, argument in arguments.items():
            value, is_mapped, is_flattened = argument, mapped, False
            if isinstance(argument, EdgeAnnotation):
                value, is_mapped, is_flattened = flags_of(argument, is_mapped=mapped)
            if isinstance(value, Task):
                if type(value) is Constant and not (is_mapped or is_flattened) and value not in self.nodes:
                    constants[key] = value.value
                else:
                    data.append((key, value, is_mapped, is_flattened))
            elif is_mapped or is_flattened or holds_tasks(value):
                data.append((key, self._made(value), is_mapped, is_flattened))
            else:
                constants[key] = value
        return data, constants

    def _made(self, value: Any) -> Task:
        flow: Any = self  # every growing graph is a flow
        return as_task(value, flow)

    def add_edge(
        self,
        upstream_task: Any,
        downstream_task: Any,
        key: str | None = None,
        mapped: bool = False,
        flattened: bool = False,
        validate: bool | None = None,
    ) -> Edge:
        """Let one task wait for another, and take its result under `key` when that is given.

        Args:
            upstream_task: the task that goes first, or a value.
            downstream_task: the task that waits.
            key: the argument of the downstream task that gets the result; None for a state dependency.
            mapped: run the downstream task once per element of the result.
            flattened: take one level of nesting out of the result before mapping.
            validate: check duplicate keys and circles at once; as configured when not given.

        Returns:
            The edge; also when the upstream is a constant, which is kept without a node of its own.

        Raises:
            FlowError: a parameter downstream, a key that is not an identifier, a task that depends on itself; when
                validating also a key that is bound already and edges that close a circle.

        """
        flow: Any = self
        edge = Edge(upstream_task, downstream_task, key, mapped, flattened, flow)
        upstream, downstream = edge.upstream_task, edge.downstream_task
        if isinstance(downstream, Parameter):
            refuse_waiting(downstream, upstream)
        validating = _validating(validate)
        if type(upstream) is Constant and upstream not in self.nodes and needs_no_node(edge):
            self.add_task(downstream)
            self._bind_constants(downstream, {str(key): upstream.value}, validating=validating)
            return edge
        self.add_task(upstream)
        self.add_task(downstream)
        return self._join(edge, validating=validating)

    def chain(self, *tasks: Task, validate: bool | None = None) -> list[Edge]:
        """Let each task wait for the one before it; return the edges."""
        return [self.add_edge(first, second, validate=validate) for first, second in pairwise(tasks)]

    def set_dependencies(
        self,
        task: Any,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
        validate: bool | None = None,
    ) -> None:
        """Set what goes before and after a task; values that are not tasks are converted.

        Args:
            task: the task, or a value.
            upstream_tasks: what it waits for without taking a result.
            downstream_tasks: what waits for it; not mapped by `mapped`, but by an annotation.
            keyword_tasks: what it takes the results of, by argument.
            mapped: the edges to the task are mapped.
            validate: check duplicate keys and circles at once; as configured when not given.

        """
        flow: Any = self
        task = as_task(task, flow)
        self.connect(task, keyword_tasks or {}, upstream_tasks=upstream_tasks, mapped=mapped, validate=validate)
        if downstream_tasks is not None:
            for value in several(downstream_tasks, "downstream_tasks"):
                self.add_edge(task, value, validate=validate)

    def _bind_constants(self, task: Task, constants: dict[str, Any], *, validating: bool) -> None:
        node = self.nodes[task]
        for key in constants:
            checked_key(key)
            if validating:
                _refuse_second_key(task, node, key)
        node.constants.update(constants)
        if self._memo:
            self._memo.clear()

    def _join(self, edge: Edge, *, validating: bool) -> Edge:
        """Keep an edge between two tasks of this graph, and return it or the equal one that was there before."""
        node = self.nodes[edge.downstream_task]
        if validating:
            self._refuse_invalid(edge, node)
        if (
            edge.key is not None
            and self.checks_types
            and edge.downstream_task.run_signature.takes_types
            and edge.upstream_task.run_signature.gives_type
        ):
            check_edge(self.nodes, edge)
        held = node.hold(edge)
        if held is not edge:
            return held
        self.nodes[edge.upstream_task].downstream.append(edge)
        if self._memo:
            self._memo.clear()
        return edge

    def _take_edge(self, edge: Edge, upstream: Task, downstream: Task, *, validate: bool | None) -> None:
        """Add an edge like the given one between these two tasks."""
        self.add_edge(upstream, downstream, edge.key, edge.mapped, edge.flattened, validate=validate)

    def _remove_edge(self, edge: Edge) -> None:
        self.nodes[edge.downstream_task].release(edge)
        self.nodes[edge.upstream_task].downstream.remove(edge)
        self._memo.clear()

    # -- checks --------------------------------------------------------------------------------------------------

    def _refuse_invalid(self, edge: Edge, node: Node) -> None:
        """Refuse an edge before it is made: a second value for an argument, a circle."""
        if edge.key is not None:
            _refuse_second_key(edge.downstream_task, node, edge.key)
        around = path_between(self.nodes, edge.downstream_task, edge.upstream_task)
        if around:
            raise CycleError(around)

    def validate(self) -> None:
        """Check the whole graph.

        Raises:
            CycleError: tasks that wait for each other.
            FlowError: an argument that is bound twice.

        """
        self.sorted_tasks()
        for task, node in self.nodes.items():
            if len(node.upstream) + len(node.constants) < 2:  # noqa: PLR2004 - one value cannot be bound twice
                continue
            for key, values in node.keys().items():
                if len(values) > 1:
                    raise FlowError(
                        f"argument {shown(key)} of task {shown(task.name)} is bound more than once: to "
                        f"{' and '.join(values)}. Keep one, or copy the task."
                    )


def _validating(validate: bool | None) -> bool:
    return bool(config.flows.eager_edge_validation) if validate is None else validate


def _refuse_second_key(task: Task, node: Node, key: str) -> None:
    before = node.keys().get(key)
    if before:
        raise FlowError(
            f"argument {shown(key)} of task {shown(task.name)} is already bound to {before[0]}. "
            "Copy the task to bind it anew: task.copy()."
        )


def refuse_waiting(parameter: Parameter, upstream: Any) -> NoReturn:
    """Say that a parameter has nothing upstream."""
    before = shown(upstream.name if isinstance(upstream, Task) else upstream)
    raise FlowError(
        f"parameter {shown(parameter.name)} cannot wait for {before}: parameters have nothing upstream. "
        f"Its value is given when the flow is run: {giving(parameter.name)}."
    )


def several(tasks: Any, name: str) -> Iterable[Any]:
    """Return the tasks, and refuse one task where a list of them belongs."""
    if isinstance(tasks, Task):
        word = tasks.name if tasks.name.isidentifier() else "task"
        raise TypeError(f"{name}={shown(tasks)} is one task; give a list: {name}=[{shown(word, 60)[1:-1]}].")
    many: Iterable[Any] = tasks
    return many


def needs_no_node(edge: Edge) -> bool:
    """Tell whether a constant upstream of this edge is kept beside the task that takes it."""
    return edge.key is not None and not edge.mapped and not edge.flattened
