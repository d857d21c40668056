"""Task cells: ordinary code in cells, read by `flowbook.sources`, run by the engine in the notebook's own namespace.

All cells of a flow share the notebook's namespace, as they do without flowbook. What conflicts is ordered by an edge
(read after write, write after read, change in place), so a function that looks a name up late finds the right version;
what does not conflict may run side by side.
"""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import inspect
import itertools
import linecache
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, nearest, shown
from flowbook.flows import Flow
from flowbook.sources import CellNames, analyse, dependencies, outputs, temporaries
from flowbook.states import State, Success
from flowbook.tasks.base import Task
from flowbook.triggers import all_successful

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType

__all__ = ["CellTask", "Made", "Notebook", "Overlay", "TaskCell", "notebook"]

DEFAULT_FLOW = "notebook"


@dataclass(frozen=True)
class TaskCell:
    """One cell that is a task.

    Attributes:
        id: of the cell, or its name where the front end sends none.
        name: of the task.
        code: plain Python, after IPython's own transformation.
        names: what the code reads and writes.
        retries, delay, trigger: as for `flowbook.Task`.
        given: which of reads and writes were said rather than inferred: "in", "out".

    """

    id: str
    name: str
    code: str
    names: CellNames
    retries: int = 0
    delay: dt.timedelta | None = None
    trigger: Callable[..., Any] = all_successful
    given: frozenset[str] = field(default=frozenset())


class Made(dict[str, Any]):
    """What a cell made, by name; the picture shows the names."""

    def preview(self) -> str:
        """Return the names in a few words."""
        return ", ".join(self)


class CellTask(Task):
    """A task whose body is the code of a cell.

    Args:
        cell: the cell.
        produces: the names it hands on.
        namespace: where the code runs.
        private: names that it makes for itself alone: loop variables and the like. Cells that run side by side may
            use the same ones.

    """

    def __init__(
        self,
        cell: TaskCell,
        produces: frozenset[str],
        namespace: dict[str, Any],
        private: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(
            name=cell.name,
            slug=cell.name,
            max_retries=cell.retries,
            retry_delay=cell.delay,
            trigger=cell.trigger,
        )
        self.cell = cell
        self.produces = produces
        self.namespace = namespace
        self.private = private

    def run(self, **inputs: Any) -> dict[str, Any]:  # noqa: ARG002 - the values are in the namespace already
        """Run the code and return what it made, by name.

        Raises:
            NameError: the code ended without making a name that it was said or seen to make.

        """
        __tracebackhide__ = True  # IPython leaves our frames out: a traceback begins in the cell
        run_code(self.cell.code, f"<task {self.cell.name}>", self.namespace, self.private)
        sure = self.cell.names.writes if "out" not in self.cell.given else self.produces
        missing = sorted(name for name in self.produces & sure if name not in self.namespace)
        if missing:
            msg = f"task {shown(self.cell.name)} ended without making {', '.join(missing)}, which it says it makes."
            raise NameError(msg)
        return Made((name, self.namespace[name]) for name in sorted(self.produces) if name in self.namespace)


class Overlay(dict[str, Any]):
    """The names of one running cell: private ones are kept here, all others live in the notebook's namespace."""

    def __init__(self, namespace: dict[str, Any], private: frozenset[str]) -> None:
        super().__init__()
        self.namespace = namespace
        self.private = private

    def __missing__(self, name: str) -> Any:
        return self.namespace[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self.private:
            super().__setitem__(name, value)
        else:
            self.namespace[name] = value

    def __delitem__(self, name: str) -> None:
        if name in self.private and name in self:
            super().__delitem__(name)
        else:
            del self.namespace[name]


def run_code(code: str, filename: str, namespace: dict[str, Any], private: frozenset[str] = frozenset()) -> None:
    """Run the code of a cell as a notebook does: top-level ``await`` works, and a last expression is displayed.

    Args:
        code: plain Python.
        filename: what a traceback calls it.
        namespace: its global names.
        private: names it makes for itself alone; they are handed to the namespace when it has ended.

    """
    __tracebackhide__ = True
    names = Overlay(namespace, private)
    # tracebacks show the cell's own lines
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    tree = ast.parse(code, filename)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) and not _is_quiet(code) else None
    try:
        _execute(compile(tree, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace, names)
        if last is not None:
            shown_last = ast.Interactive([last])
            _execute(compile(shown_last, filename, "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace, names)
    finally:
        namespace.update(names)


def _is_quiet(code: str) -> bool:
    """Tell whether a cell ends in a semicolon, which keeps its last expression from being shown."""
    return code.rstrip().endswith(";")


def _execute(code: CodeType, namespace: dict[str, Any], names: Overlay) -> None:
    __tracebackhide__ = True
    made = eval(code, namespace, names)  # noqa: S307 - running the notebook's cells is what we are for
    if inspect.iscoroutine(made):
        _finish(made)


def _finish(coroutine: Any) -> None:
    """Run a coroutine to its end, also on a thread where a loop is running already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only where a loop runs on this thread

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()


class Notebook:
    """The task cells of this kernel, by flow, and the flows made of them.

    Args:
        namespace: where their code runs.

    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.cells: dict[str, dict[str, TaskCell]] = {}
        self._flows: dict[str, tuple[tuple[TaskCell, ...], Flow]] = {}
        self._ended: dict[str, _Ended] = {}
        self._endings = itertools.count(1)

    def put(self, cell: TaskCell, flow: str = DEFAULT_FLOW) -> None:
        """Add a cell, or replace what stood under its id; its place in the order stays.

        Raises:
            FlowError: another cell of the flow has the same name, or the code cannot be read for names.

        """
        cells = self.cells.setdefault(flow, {})
        twin = next((other for other in cells.values() if other.name == cell.name and other.id != cell.id), None)
        if twin is not None:
            msg = (
                f"another cell of flow {shown(flow)} is already the task {shown(cell.name)}. Give this one a name: "
                f"%%task {cell.name}_2, or let go of the other: %flowbook forget {cell.name}"
            )
            raise FlowError(msg)
        if cell.names.opaque and not {"in", "out"} <= cell.given:
            msg = (
                f"task {shown(cell.name)}: {cell.names.opaque}, so what it reads and makes cannot be seen. "
                "Say it: %%task --in a b --out c"
            )
            raise FlowError(msg)
        cells[cell.id] = cell

    def forget(self, name: str, flow: str = DEFAULT_FLOW) -> None:
        """Let go of a task cell.

        Raises:
            FlowError: there is none of that name.

        """
        cells = self.cells.get(flow, {})
        found = next((key for key, cell in cells.items() if cell.name == name), None)
        if found is None:
            known = [cell.name for cell in cells.values()]
            msg = f"no cell is the task {shown(name)}.{nearest(name, known)} Task cells: {', '.join(known) or 'none'}."
            raise FlowError(msg)
        del cells[found]

    def flow(self, name: str = DEFAULT_FLOW) -> Flow:
        """Return the flow of these cells; the same object as long as no cell changed.

        Raises:
            FlowError: no cell belongs to a flow of that name.

        """
        cells = tuple(self.cells.get(name, {}).values())
        if not cells:
            known = ", ".join(key for key, value in self.cells.items() if value) or "none"
            msg = f"no task cells belong to flow {shown(name)} (flows with cells: {known}). Begin a cell with %%task."
            raise FlowError(msg)
        kept = self._flows.get(name)
        if kept is None or kept[0] != cells:
            self._flows[name] = kept = (cells, flow_of(name, cells, self.namespace))
        return kept[1]

    def run(self, name: str = DEFAULT_FLOW, *, to: str | None = None, **options: Any) -> State:
        """Run the flow of these cells, and remember how each ended.

        Args:
            name: of the flow.
            to: the id of a cell: run only it and what is upstream and has not succeeded with the code it has now.
            **options: as for `flowbook.Flow.run`.

        """
        flow = self.flow(name)
        if to is not None:
            flow, options["task_states"] = self._towards(flow, to)
        kept = options.get("task_states", {})
        state: State = flow.run(**options)
        whole = self.flow(name)
        for task in flow.sorted_tasks():
            if isinstance(task, CellTask) and task not in kept:
                upstream = self._serials(whole.upstream_tasks(task))
                ended = state.result[task]
                self._ended[task.cell.id] = _Ended(task.cell.code, ended, next(self._endings), upstream)
        return state

    def _towards(self, flow: Flow, cell_id: str) -> tuple[Flow, Mapping[Task, State]]:
        """Return the part of a flow that leads to a cell, and the states of what need not run again."""
        goal = next(task for task in flow.nodes if isinstance(task, CellTask) and task.cell.id == cell_id)
        wanted = ancestry(flow, goal)
        kept: dict[Task, State] = {}
        for task in flow.sorted_tasks():
            if task not in wanted or task is goal or not isinstance(task, CellTask):
                continue
            upstream = [edge.upstream_task for edge in flow.edges_to(task)]
            # fresh: it ran with the code it has, on what its upstream cells made last, and those are fresh themselves
            known = self._ended.get(task.cell.id)
            if (
                known is not None
                and known.is_fresh(task.cell.code, self._serials(upstream))
                and kept.keys() >= set(upstream)
            ):
                kept[task] = known.state
        part = Flow(flow.name)
        for task in flow.sorted_tasks():
            if task in wanted:
                part.add_task(task)
                for edge in flow.edges_to(task):
                    if task not in kept:
                        part.add_edge(edge.upstream_task, task, edge.key)
        return part, kept

    def _serials(self, tasks: Iterable[Task]) -> dict[str, int]:
        """Return which of its endings each cell task is at."""
        return {
            task.cell.id: self._ended[task.cell.id].serial
            for task in tasks
            if isinstance(task, CellTask) and task.cell.id in self._ended
        }


@dataclass(frozen=True)
class _Ended:
    """How a cell ended last: with which code, on which endings of its upstream cells, as which ending of its own."""

    code: str
    state: State
    serial: int
    upstream: Mapping[str, int]

    def is_fresh(self, code: str, upstream: Mapping[str, int]) -> bool:
        """Tell whether the cell would do the same again."""
        return isinstance(self.state, Success) and self.code == code and self.upstream == upstream


def ancestry(flow: Flow, goal: Task) -> set[Task]:
    """Return a task and all that is upstream of it."""
    found = {goal}
    stack = [goal]
    while stack:
        for upstream in flow.upstream_tasks(stack.pop()) - found:
            found.add(upstream)
            stack.append(upstream)
    return found


def flow_of(name: str, cells: tuple[TaskCell, ...], namespace: dict[str, Any]) -> Flow:
    """Make the flow of cells in document order.

    Args:
        name: of the flow.
        cells: in the order in which they stand.
        namespace: where they run.

    """
    flow = Flow(name)
    read = [cell.names for cell in cells]
    tasks = []
    for cell, made, private in zip(cells, outputs(read), temporaries(read), strict=True):
        produces = cell.names.writes if "out" in cell.given else frozenset(made)
        tasks.append(flow.add_task(CellTask(cell, produces, namespace, frozenset(private) - produces)))
    for found in dependencies(read):
        upstream, downstream = tasks[found.upstream], tasks[found.downstream]
        keys = [key for key in found.names if found.kind == "data" and key.isidentifier()]
        for key in keys:
            flow.add_edge(upstream, downstream, key)
        if not keys:
            flow.add_edge(upstream, downstream)
    return flow


def names_of(code: str, reads: list[str] | None, writes: list[str] | None) -> CellNames:
    """Read a cell's code for names; what is said beats what is seen.

    Args:
        code: the cell.
        reads: what it needs, when that is said.
        writes: what it makes, when that is said.

    """
    names = analyse(code)
    if reads is not None:
        names = dataclasses.replace(names, reads=frozenset(reads))
    if writes is not None:
        names = dataclasses.replace(names, writes=frozenset(writes), maybe_writes=frozenset())
    return names


_notebooks: dict[int, Notebook] = {}


def notebook(namespace: dict[str, Any]) -> Notebook:
    """Return the task cells of a namespace; one `Notebook` per namespace."""
    kept = _notebooks.get(id(namespace))
    if kept is None:
        kept = _notebooks[id(namespace)] = Notebook(namespace)
    return kept
