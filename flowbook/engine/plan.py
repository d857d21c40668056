"""The plan: a flow's graph as numbers, made once, for the machine to count on.

Tasks are numbered in topological order. The structure is kept with the flow until the flow changes, and what tasks say
of themselves (triggers, timeouts, …) until an attribute of any task is set.

The children of a mapped task get numbers after all tasks of the flow, one block for each mapped task, when it is known
how many there are: `Plan.spread`. From then on whatever is asked by number is answered for them too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from flowbook.engine.coroutines import awaited
from flowbook.engine.keeping import KeepingBody, keeping_body
from flowbook.errors import FlowError, shown
from flowbook.parameters import Parameter
from flowbook.tasks.base import attribute_changes
from flowbook.triggers import all_successful

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowbook.edges import Edge
    from flowbook.engine.mapping import Family
    from flowbook.flows import Flow
    from flowbook.results.base import Result
    from flowbook.tasks.base import Task

__all__ = ["GATHERED", "Plan", "Slugs", "Structure"]

# Among the inputs of a structure: not a plain list of whose result goes where.
GATHERED: tuple[tuple[str, int], ...] = (("", -1),)


class Slugs(Sequence[str]):
    """The slugs of all task runs, those of mapped children made when somebody asks: ``double-1[3]``.

    Args:
        own: the slugs of the flow's tasks.
        homes: the family of each mapped child.

    """

    def __init__(self, own: list[str], homes: list[Family]) -> None:
        self.own = own
        self.homes = homes

    def __len__(self) -> int:
        return len(self.own) + len(self.homes)

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> list[str]: ...

    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(len(self)))]
        if number < len(self.own):
            return self.own[number]
        family = self.homes[number - len(self.own)]
        return f"{self.own[family.parent]}[{number - family.base}]"


class Structure:
    """The part of a plan that depends on the graph alone.

    Attributes:
        tasks: the tasks by number.
        index: the number of each task.
        slugs: the slug of each number.
        waiting: how many edges lead to each task.
        children: for each task the numbers downstream, once per edge, but for those in `followers`.
        followers: for each mapped task the mapped tasks whose children wait for its children one by one, once per edge.
        mapped: the tasks that are run once per element.
        inputs: for each task its data edges, as (key, upstream number), or None; `GATHERED` when `Runner.arguments`
            must put them together because some are flattened.
        constants: for each task its constants, or None.
        edges: for each task the edges that lead to it.
        roots: the tasks with nothing upstream.
        terminal: the tasks with nothing downstream.

    """

    __slots__ = (
        "children",
        "constants",
        "edges",
        "followers",
        "index",
        "inputs",
        "mapped",
        "roots",
        "slugs",
        "tasks",
        "terminal",
        "waiting",
    )

    def __init__(self, flow: Flow, *, is_mapped: bool = True) -> None:
        flow.validate()
        self.tasks: tuple[Task, ...] = flow.sorted_tasks()
        self.index = {task: number for number, task in enumerate(self.tasks)}
        self.slugs: list[str] = []
        self.waiting: list[int] = []
        self.children: list[list[int]] = []
        self.followers: dict[int, list[int]] = {}
        self.mapped: set[int] = set()
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
            # a generator costs more than the few edges of a task
            if is_mapped and (node.maps or any([edge.mapped for edge in edges])):  # noqa: C419
                self.mapped.add(number)
            self.children.append([index[edge.downstream_task] for edge in node.downstream])
            if number in self.mapped and node.downstream:
                linked = [edge.mapped and not edge.flattened for edge in node.downstream]
                after = self.children[number]
                self.followers[number] = [child for child, is_linked in zip(after, linked, strict=True) if is_linked]
                self.children[number] = [child for child, is_linked in zip(after, linked, strict=True) if not is_linked]
            self.inputs.append(
                tuple([(edge.key, index[edge.upstream_task]) for edge in edges if edge.key is not None]) or None
                if edges
                else None
            )
            if any([edge.flattened for edge in edges]):  # noqa: C419 - likewise
                self.inputs[number] = GATHERED
            self.constants.append(dict(node.constants) if node.constants else None)
            self.edges.append(edges)
            if not edges:
                self.roots.append(number)
            if not node.downstream:
                self.terminal.append(number)

    def covering(self, left_out: frozenset[int]) -> Structure:
        """Return the structure of a run that leaves some tasks out: they wait for something that never comes.

        What stays does not wait for what is left out, and has ended when the last of it has.
        """
        made = object.__new__(Structure)
        for name in self.__slots__:
            setattr(made, name, getattr(self, name))
        index = self.index
        made.edges, made.inputs, made.waiting = list(self.edges), list(self.inputs), list(self.waiting)
        for number, edges in enumerate(self.edges):
            if number in left_out:
                made.waiting[number] += 1
                continue
            made.edges[number] = tuple(edge for edge in edges if index[edge.upstream_task] not in left_out)
            made.waiting[number] = len(made.edges[number])
            inputs = self.inputs[number]
            if inputs is not None and inputs is not GATHERED:
                made.inputs[number] = tuple(given for given in inputs if given[1] not in left_out) or None
        stay = [number for number in range(len(self.tasks)) if number not in left_out]
        made.roots = [number for number in stay if not made.waiting[number]]
        made.terminal = [number for number in stay if left_out.issuperset(self._after(number))]
        return made

    def _after(self, number: int) -> list[int]:
        """Return the numbers downstream of a task."""
        return [*self.children[number], *self.followers.get(number, ())]


class Plan:
    """A flow, ready to be run once.

    Attributes:
        structure: the graph as numbers.
        homes: the family of each mapped child, in the order of their numbers.
        slugs: the slug of each number.
        described: the task of each number; a mapped child's is that of its family.
        bodies: the function to call for each task.
        special: whether a task must be looked at before it may run, because it has a trigger of its own or
            its result is kept.
        handled: whether a task has state handlers.
        guarded: whether an attempt needs more than a call: a timeout, printing to the log.
        keeps: whether a task's result is kept for later runs, or written somewhere.
        defaults: what the flow's parameters are when they are not given.
        extras: what is kept with every state of a task, its tags, or None.
        reference: the tasks that decide the state of the flow.
        left_out: tasks that this run does not cover: they stay as they are.
        namesakes: the names which several tasks have; worked out when somebody asks.

    """

    __slots__ = (
        "bodies",
        "defaults",
        "described",
        "extras",
        "flow",
        "guarded",
        "handled",
        "homes",
        "keeps",
        "left_out",
        "namesakes",
        "reference",
        "slugs",
        "special",
        "structure",
    )

    def __init__(self, flow: Flow, structure: Structure | None = None) -> None:
        if structure is None:
            structure = flow._memoised("structure", lambda: Structure(flow))  # noqa: SLF001 - kept until the flow changes
        assert structure is not None
        kept = flow._memo.get("described")  # noqa: SLF001 - likewise, and until an attribute of any task is set
        if kept is None or kept[0] != attribute_changes[0] or kept[7] is not flow.result:
            kept = flow._memo["described"] = (attribute_changes[0], *_described(structure.tasks, flow.result))  # noqa: SLF001
        self.structure = structure
        self.flow = flow
        self.bodies: list[Callable[..., Any]] = kept[1]
        self.special: list[bool] = kept[2]
        self.guarded: list[bool] = kept[3]
        self.extras: list[dict[str, Any] | None] = kept[4]
        self.keeps: list[bool] = kept[5]
        self.defaults: dict[str, Any] = kept[6]
        # read each time: a handler may have been appended to a task's list
        self.handled = [bool(task.state_handlers) for task in structure.tasks]
        # the explicit choice, or that of resources; empty when there is none
        chosen = flow._reference_tasks or flow._inside_of_resources()  # noqa: SLF001 - the choice itself
        self.reference = [structure.index[task] for task in chosen] or structure.terminal
        self.left_out: frozenset[int] = frozenset()
        self.homes: list[Family] = []
        self.namesakes: frozenset[str] | None = None
        self.described: Sequence[Task] = structure.tasks
        self.slugs: Sequence[str] = structure.slugs
        if structure.mapped:
            # lists of this run's own, to which its mapped children are added
            self.described = list(structure.tasks)
            self.slugs = Slugs(structure.slugs, self.homes)
            self.bodies, self.guarded, self.extras = list(self.bodies), list(self.guarded), list(self.extras)
            self.keeps = list(self.keeps)

    def cover(self, tasks: Iterable[Task], decisive: Iterable[Task]) -> None:
        """Leave out all but some of the tasks.

        Args:
            tasks: those that stay.
            decisive: those that decide the state of the flow; it has ended when they have.

        """
        index = self.structure.index
        covered = {index[task] for task in tasks}
        self.left_out = frozenset(set(range(len(self.structure.tasks))) - covered)
        self.reference = [index[task] for task in decisive]
        self.structure = self.structure.covering(self.left_out)

    def spread(self, family: Family) -> None:
        """Give the children of a mapped task their numbers: the next ones."""
        parent, width = family.parent, family.width
        self.homes.extend([family] * width)
        described: Any = self.described
        columns: tuple[list[Any], ...] = (described, self.bodies, self.guarded, self.extras, self.handled, self.keeps)
        for column in columns:
            column.extend([column[parent]] * width)

    def edges(self, number: int) -> tuple[Edge, ...]:
        """Return the edges that lead to a task; a mapped child has those of its family."""
        return self.structure.edges[self.origin(number)]

    def home(self, number: int) -> Family | None:
        """Return the family of a mapped child; None for a task of the flow."""
        place = number - len(self.structure.tasks)
        return self.homes[place] if place >= 0 else None

    def origin(self, number: int) -> int:
        """Return the number of the task of the flow which a mapped child belongs to; any other number as it is."""
        family = self.home(number)
        return number if family is None else family.parent

    def map_index(self, number: int) -> int | None:
        """Return the place of a mapped child among its siblings; None for a task of the flow."""
        family = self.home(number)
        return None if family is None else number - family.base

    def name(self, number: int) -> str:
        """Return the name of a task run, that of a mapped child with its index."""
        index, name = self.map_index(number), self.described[number].name
        return name if index is None else f"{name}[{index}]"

    def called(self, number: int) -> str:
        """Return what a sentence calls a task run: its name, or its slug when another task has the same name."""
        if self.namesakes is None:
            counts = Counter(task.name for task in self.tasks)
            self.namesakes = frozenset(name for name, count in counts.items() if count > 1)
        return self.slugs[number] if self.described[number].name in self.namesakes else self.name(number)

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


def _described(tasks: tuple[Task, ...], default: Result | None) -> tuple[Any, ...]:
    """Read what the tasks say of themselves: bodies, whether they are special or guarded, what their states carry.

    Args:
        tasks: the tasks by number.
        default: where the flow keeps results.

    """
    optional = [task for task in tasks if isinstance(task, Parameter) and not task.required]
    defaults = {task.name: task.default for task in optional}
    bodies: list[Any] = [task.run for task in tasks]
    keeps = [False] * len(tasks)
    for number, task in enumerate(tasks):
        if task.result is not None or task.target is not None or task.task_run_name is not None or default is not None:
            bodies[number] = keeping_body(task, default, defaults)
            keeps[number] = isinstance(bodies[number], KeepingBody) or task.target is not None
        if task.cache_for is not None:
            keeps[number] = True
    return (
        awaited(bodies),
        [task.trigger is not all_successful or keep for task, keep in zip(tasks, keeps, strict=True)],
        [bool(task.timeout) or task.log_stdout for task in tasks],
        [{"context": {"tags": sorted(task.tags)}, "cached_inputs": None} if task.tags else None for task in tasks],
        keeps,
        defaults,
        default,
    )
