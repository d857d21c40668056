"""Graphs: tasks and the edges between them, their order, and the circle when there is none.

A `Graph` answers questions; what changes one is in `flowbook.flows`.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flowbook.edges import Edge
from flowbook.errors import CycleError, FlowError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flowbook.tasks.base import Task

__all__ = ["Graph", "Node", "ancestry", "circle", "path_between", "topological_order"]


class Node:
    """What a flow knows about one of its tasks.

    Attributes:
        upstream: the edges that lead to the task, each under its key, or under its upstream task when it has none.
        downstream: the edges that leave the task.
        constants: values bound to arguments that need no task of their own, by key.
        slug: the task's identifier in this flow.
        maps: the task was mapped, whether or not one of its edges is.

    """

    __slots__ = ("constants", "downstream", "maps", "slug", "upstream")

    def __init__(self, slug: str) -> None:
        self.upstream: dict[Any, Edge] = {}
        self.downstream: list[Edge] = []
        self.constants: dict[str, Any] = {}
        self.slug = slug
        self.maps = False

    def hold(self, edge: Edge) -> Edge:
        """Keep an edge that leads here, and return it; or return the equal one that was here before."""
        there = self.upstream.setdefault(edge.upstream_task if edge.key is None else edge.key, edge)
        if there is edge or there == edge:
            return there
        # two edges in one place (an argument bound twice, mapped and not): validation tells; here both are kept
        return self.upstream.setdefault(edge, edge)

    def release(self, edge: Edge) -> None:
        """Forget an edge that leads here."""
        self.upstream = {place: held for place, held in self.upstream.items() if held != edge}

    def copy(self) -> Node:
        """Return a node with containers of its own."""
        made = Node(self.slug)
        made.maps = self.maps
        made.upstream, made.downstream, made.constants = (
            dict(self.upstream),
            list(self.downstream),
            dict(self.constants),
        )
        return made

    def keys(self) -> dict[str, list[str]]:
        """Return what is bound to each argument, in words."""
        found: dict[str, list[str]] = {key: [shown(value, 40)] for key, value in self.constants.items()}
        for edge in self.upstream.values():
            if edge.key is not None:
                found.setdefault(edge.key, []).append(f"the result of {shown(edge.upstream_task.name, 40)}")
        return found


def topological_order(nodes: Mapping[Task, Node]) -> list[Task]:
    """Return the tasks, each after all that are upstream of it; among equals, in the order they were added.

    Raises:
        CycleError: some tasks wait for each other; the error carries them in order.

    """
    place = {task: index for index, task in enumerate(nodes)}
    if all(
        place[edge.upstream_task] < index for task, index in place.items() for edge in nodes[task].upstream.values()
    ):
        return list(nodes)  # the usual case: a flow is written down in an order in which it can run
    waiting = {task: len(node.upstream) for task, node in nodes.items()}
    ready = deque(task for task, count in waiting.items() if not count)
    order = []
    while ready:
        task = ready.popleft()
        order.append(task)
        for edge in nodes[task].downstream:
            waiting[edge.downstream_task] -= 1
            if not waiting[edge.downstream_task]:
                ready.append(edge.downstream_task)
    if len(order) < len(nodes):
        raise CycleError(circle(nodes))
    return order


def circle(nodes: Mapping[Task, Node]) -> list[Task]:
    """Return the tasks of one cycle in order, or an empty list when there is none."""
    done: set[Task] = set()
    for start in nodes:
        # depth first with our own stack: a chain may be longer than Python's recursion limit
        path: list[Task] = []
        on_path: set[Task] = set()
        stack: list[tuple[Task, bool]] = [(start, False)]
        while stack:
            task, leaving = stack.pop()
            if leaving:
                path.pop()
                on_path.discard(task)
                done.add(task)
                continue
            if task in on_path:
                return path[path.index(task) :]
            if task in done:
                continue
            path.append(task)
            on_path.add(task)
            stack.append((task, True))
            stack.extend((edge.downstream_task, False) for edge in nodes[task].downstream)
    return []


def path_between(nodes: Mapping[Task, Node], start: Task, goal: Task) -> list[Task]:
    """Return the tasks on a way downstream from one task to another, both included; none when there is no way."""
    came_from: dict[Task, Task] = {start: start}
    waiting = deque([start])
    while waiting:
        task = waiting.popleft()
        if task is goal:
            path = [goal]
            while path[-1] is not start:
                path.append(came_from[path[-1]])
            return path[::-1]
        for edge in nodes[task].downstream:
            if edge.downstream_task not in came_from:
                came_from[edge.downstream_task] = task
                waiting.append(edge.downstream_task)
    return []


def ancestry(nodes: Mapping[Task, Node], starts: Iterable[Task], *, downstream: bool) -> set[Task]:
    """Return the starting tasks and everything downstream (or upstream) of them."""
    found: set[Task] = set()
    stack = list(starts)
    while stack:
        task = stack.pop()
        if task in found:
            continue
        found.add(task)
        node = nodes[task]
        stack.extend(edge.downstream_task for edge in node.downstream) if downstream else stack.extend(
            edge.upstream_task for edge in node.upstream.values()
        )
    return found


class Graph:
    """The tasks of a flow and the edges between them, and the questions one can ask about them.

    Attributes:
        name: how people call it.
        nodes: what is known about each task, in the order in which they were added.

    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: dict[Task, Node] = {}
        # answers that hold until the graph changes
        self._memo: dict[Any, Any] = {}

    def _memoised(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    def node(self, task: Task) -> Node:
        """Return what is known about a task.

        Raises:
            FlowError: the task is not in this flow.

        """
        node = self.nodes.get(task)
        if node is None:
            names = [shown(known.name, 40)[1:-1] for known in islice(self.nodes, 12)]
            more = f", and {len(self.nodes) - len(names)} more" if len(self.nodes) > len(names) else ""
            subject = shown(getattr(task, "name", task))
            raise FlowError(
                f"task {subject} is not in flow {shown(self.name)}.\n"
                f"  Tasks here: {', '.join(names) or 'none'}{more}. Add it with flow.add_task(...), or call it inside "
                "`with flow:`; a task that was called is found under the copy which the call returned."
            )
        return node

    @property
    def tasks(self) -> frozenset[Task]:
        """All tasks of the flow."""
        made: frozenset[Task] = self._memoised("tasks", lambda: frozenset(self.nodes))
        return made

    @property
    def edges(self) -> frozenset[Edge]:
        """All edges of the flow."""
        made: frozenset[Edge] = self._memoised(
            "edges",
            lambda: frozenset(edge for node in self.nodes.values() for edge in node.upstream.values()),
        )
        return made

    @property
    def constants(self) -> dict[Task, dict[str, Any]]:
        """Values bound to arguments without a task of their own."""
        return {task: dict(node.constants) for task, node in self.nodes.items() if node.constants}

    @property
    def slugs(self) -> Mapping[Task, str]:
        """The identifier of each task in this flow."""
        made: Mapping[Task, str] = self._memoised(
            "slugs",
            lambda: MappingProxyType({task: node.slug for task, node in self.nodes.items()}),
        )
        return made

    def __iter__(self) -> Iterator[Task]:
        return iter(self.sorted_tasks())

    def __len__(self) -> int:
        return len(self.nodes)

    def __bool__(self) -> bool:
        return True  # a flow without tasks is still a flow

    def __contains__(self, item: object) -> bool:
        return item in self.edges if isinstance(item, Edge) else item in self.nodes

    def sorted_tasks(self, root_tasks: Iterable[Task] | None = None) -> tuple[Task, ...]:
        """Return the tasks in an order in which they could run.

        Args:
            root_tasks: only these and what is downstream of them.

        Raises:
            CycleError: there is no such order.
            FlowError: a root task that is not in the flow.

        """
        order: tuple[Task, ...] = self._memoised("sorted", lambda: tuple(topological_order(self.nodes)))
        if root_tasks is None:
            return order
        roots = list(root_tasks)
        for task in roots:
            self.node(task)
        wanted = ancestry(self.nodes, roots, downstream=True)
        return tuple(task for task in order if task in wanted)

    def root_tasks(self) -> set[Task]:
        """Return the tasks with nothing upstream."""
        return {task for task, node in self.nodes.items() if not node.upstream}

    def terminal_tasks(self) -> set[Task]:
        """Return the tasks with nothing downstream."""
        return {task for task, node in self.nodes.items() if not node.downstream}

    def edges_to(self, task: Task) -> set[Edge]:
        """Return the edges that lead to a task."""
        return set(self.node(task).upstream.values())

    def edges_from(self, task: Task) -> set[Edge]:
        """Return the edges that leave a task."""
        return set(self.node(task).downstream)

    def upstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks a task waits for."""
        return {edge.upstream_task for edge in self.node(task).upstream.values()}

    def downstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks that wait for a task."""
        return {edge.downstream_task for edge in self.node(task).downstream}

    def all_upstream_edges(self) -> dict[Task, set[Edge]]:
        """Return for each task the edges that lead to it."""
        return {task: set(node.upstream.values()) for task, node in self.nodes.items()}

    def all_downstream_edges(self) -> dict[Task, set[Edge]]:
        """Return for each task the edges that leave it."""
        return {task: set(node.downstream) for task, node in self.nodes.items()}

    def get_tasks(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        task_type: type[Task] | None = None,
    ) -> list[Task]:
        """Return the tasks that fit all the given filters, in the order they were added.

        Args:
            name: the task's name.
            slug: its identifier in this flow.
            tags: words it must have, all of them.
            task_type: a class it must be of.

        """
        if isinstance(tags, str):
            raise TypeError(f"tags={shown(tags)} is one text; give a list or a set of texts: tags=[{shown(tags)}].")
        wanted = set(tags or ())
        return [
            task
            for task, node in self.nodes.items()
            if (name is None or task.name == name)
            and (slug is None or node.slug == slug)
            and wanted <= task.tags
            and (task_type is None or isinstance(task, task_type))
        ]
