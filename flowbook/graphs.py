"""Graphs: the nodes of a flow, their order, and the circle when there is none."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook.errors import CycleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.edges import Edge
    from flowbook.tasks.base import Task

__all__ = ["Node", "ancestry", "circle", "topological_order"]


class Node:
    """What a flow knows about one of its tasks.

    Attributes:
        upstream: the edges that lead to the task, each under (id of its upstream task, key, mapped, flattened).
        downstream: the edges that leave the task.
        constants: values bound to arguments that need no task of their own, by key.
        slug: the task's identifier in this flow.

    """

    __slots__ = ("constants", "downstream", "slug", "upstream")

    def __init__(self, slug: str) -> None:
        self.upstream: dict[tuple[Any, ...], Edge] = {}
        self.downstream: list[Edge] = []
        self.constants: dict[str, Any] = {}
        self.slug = slug


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
