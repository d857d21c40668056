"""`apply_map`: a function that adds several tasks to a flow, mapped over elements as a whole.

The function is called once, on a flow of its own. What it made is then moved to the real flow with every edge between
its tasks mapped, so that each element has a pipeline to itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.contexts import context, current_flow, given_values
from flowbook.errors import FlowError, shown
from flowbook.flows import Flow
from flowbook.mapping import flags_of
from flowbook.parameters import Parameter
from flowbook.tasks.base import Task
from flowbook.tasks.core.collections import Constant, as_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.edges import Edge

__all__ = ["apply_map"]


def apply_map(func: Callable[..., Any], *args: Any, flow: Flow | None = None, **kwargs: Any) -> Any:
    """Call a function that adds tasks to a flow, and have all of them run once per element of the arguments.

    ``case``, ``merge`` and resource managers inside decide, and are set up, for each element.

    Args:
        func: adds tasks to the active flow; what it returns is returned.
        *args: tasks or values, one element of which goes to each pipeline; ``unmapped(x)`` goes whole to all of them,
            ``flatten(x)`` gives up one level of nesting first.
        flow: the flow to add to; the active flow when not given.
        **kwargs: likewise, by name.

    Returns:
        What the function returned: tasks that are mapped now.

    Raises:
        TypeError: an argument without elements.
        FlowError: there is no flow, or something inside is mapped already.

    >>> from flowbook import Flow, case, task
    >>> from flowbook.tasks.control_flow import merge
    >>> @task
    ... def is_odd(x):
    ...     return x % 2 == 1
    >>> @task
    ... def add_one(x):
    ...     return x + 1
    >>> def make_even(x):
    ...     with case(is_odd(x), True):
    ...         larger = add_one(x)
    ...     return merge(larger, x)
    >>> with Flow("evens") as flow:
    ...     evens = apply_map(make_even, [1, 2, 3])
    >>> [edge.mapped for edge in flow.edges_to(evens)]
    [True, True]

    """
    target = flow if flow is not None else current_flow()
    if target is None:
        raise FlowError(
            "could not infer an active flow for apply_map(...): call it inside `with Flow(...) as flow:` or pass flow=."
        )
    if given_values().get("_applying"):
        raise FlowError(
            f"apply_map({shown(func, 60)}, ...) stands inside another apply_map: elements of elements are not mapped "
            "over. Give flatten(x) to one apply_map, or work through the inner elements in one task."
        )
    mapping = _Mapping(target)
    given = [mapping.taken(value) for value in args]
    named = {name: mapping.taken(value) for name, value in kwargs.items()}
    sketch = Flow(f"apply_map in {target.name}")
    sketch.checks_types = False  # nothing is mapped in it yet, so a list seems to go where its elements will
    with context(flow=sketch, _block=None, _applying=True):
        for task in mapping.flags:
            sketch.add_task(task)  # a constant with a node of its own is not folded into the tasks that take it
        made = func(*given, **named)
    mapping.move(sketch)
    return mapping.stands_for.get(made, made) if isinstance(made, Task) else made


class _Mapping:
    """One call of `apply_map`: how each argument is handed over, and how what was made moves to the real flow."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.flags: dict[Task, tuple[bool, bool]] = {}
        self.stands_for: dict[Task, Task] = {}

    def taken(self, argument: Any) -> Task:
        """Return the task that stands for an argument inside the function."""
        value, is_mapped, is_flattened = flags_of(argument, is_mapped=True)
        if is_mapped and not hasattr(value, "__getitem__"):
            raise TypeError(
                f"apply_map cannot map over {shown(value)}, which has no elements to be asked for. "
                f"Give a list, or unmapped({shown(value, 40)}) to hand the same value to every pipeline."
            )
        task = as_task(value, self.flow)
        if self.flags.get(task, (is_mapped, is_flattened)) != (is_mapped, is_flattened):
            # given both by the element and whole: a stand-in tells the two apart
            self.stands_for[stand_in := Constant(None, name=task.name)] = task
            task = stand_in
        self.flags[task] = (is_mapped, is_flattened)
        return task

    def move(self, sketch: Flow) -> None:
        """Move what was made to the real flow, with mapped edges."""
        outside = {task for task in sketch.nodes if task in self.flags or task in self.flow.nodes}
        made = [task for task in sketch.sorted_tasks() if task not in outside]
        for task in made:
            for edge in sketch.edges_to(task):
                _refuse_spreading(edge, inside=edge.upstream_task not in outside)
        for task, (is_mapped, _) in self.flags.items():
            if is_mapped and not isinstance(task, Constant):
                self.flow.add_task(task)  # also when nothing inside takes it
        whole = outside | {task for task in made if isinstance(task, (Parameter, Constant))}
        for task in made:
            self.flow.add_task(task)
            node = sketch.nodes[task]
            if node.constants:
                self.flow.connect(task, node.constants)
            edges = [self._moved(edge, whole) for edge in node.upstream.values()]
            if task not in whole and not any(edge.mapped for edge in edges):
                self._spread(task)

    def _moved(self, edge: Edge, whole: set[Task]) -> Edge:
        """Add an edge like this one to the real flow and return it."""
        upstream = edge.upstream_task
        is_mapped, is_flattened = self.flags.get(upstream, (upstream not in whole, False))
        real = self.stands_for.get(upstream, upstream)
        return self.flow.add_edge(real, edge.downstream_task, edge.key, is_mapped, is_flattened or edge.flattened)

    def _spread(self, task: Task) -> None:
        """Let a task that takes no element run once per element all the same."""
        for upstream, (is_mapped, is_flattened) in self.flags.items():
            if is_mapped:
                real = self.stands_for.get(upstream, upstream)
                self.flow.add_edge(real, task, mapped=True, flattened=is_flattened)


def _refuse_spreading(edge: Edge, *, inside: bool) -> None:
    """Refuse what would spread the elements of one pipeline over several."""
    name = shown(edge.downstream_task.name)
    if edge.mapped:
        raise FlowError(
            f"task {name} is mapped inside a function that is given to apply_map, which maps all that is made in it. "
            "Call the task there instead of mapping it."
        )
    if edge.flattened and inside:
        raise FlowError(
            f"task {name} takes a flattened result inside a function that is given to apply_map, where every task has "
            "one element. Flatten it in the task, or before apply_map: apply_map(function, flatten(x))."
        )
