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
import linecache
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, nearest, shown
from flowbook.flows import Flow
from flowbook.hashing import token
from flowbook.notebook.settings import Settings
from flowbook.notebook.shelf import Shelf, show_value
from flowbook.notebook.versions import uses_of, versions
from flowbook.signals import ENDRUN
from flowbook.sources import CellNames, analyse, dependencies, outputs, temporaries
from flowbook.sources.trees import is_quiet, parsed
from flowbook.states import Cached
from flowbook.tasks.base import Task
from flowbook.triggers import all_successful
from flowbook.view.preview import preview

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import CodeType

__all__ = ["CellTask", "Made", "Overlay", "TaskCell", "flow_of", "names_of", "run_code"]

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
        timeout: how long an attempt may take.
        cache: how long the result stands while code and inputs are unchanged.
        after: the names of tasks that it waits for.
        tags: words to find it by.
        source: the text of the cell as it stands in the document.

    """

    id: str
    name: str
    code: str
    names: CellNames
    retries: int = 0
    delay: dt.timedelta | None = None
    trigger: Callable[..., Any] = all_successful
    given: frozenset[str] = field(default=frozenset())
    timeout: dt.timedelta | None = None
    cache: dt.timedelta | None = None
    after: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    source: str = ""

    @property
    def filename(self) -> str:
        """What tracebacks call it."""
        return f"<task {self.name}>"


class Made(dict[str, Any]):
    """What a cell made, by name; the picture shows the names.

    Attributes:
        replaced: a few words on each value that was let go of, since a later cell deletes its name or binds it anew.

    """

    def __init__(self, values: Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__(values)
        self.replaced: dict[str, str] = {}

    def replace(self, name: str) -> None:
        """Let go of a value: who deletes a large one wants its memory back. Code of the value itself is not run."""
        if name in self:
            value = self.pop(name)
            self.replaced[name] = preview(value) or f"a {type(value).__name__}"

    def preview(self) -> str:
        """Return the names in a few words."""
        return ", ".join(sorted({*self, *self.replaced}))


class CellTask(Task):
    """A task whose body is the code of a cell.

    Args:
        cell: the cell.
        produces: the names it hands on.
        namespace: where the code runs.
        private: names that it makes for itself alone: loop variables and the like. Cells that run side by side may
            use the same ones.
        shelf: where its outputs and results are kept.

    Attributes:
        needs: the names that it reads, also through functions that it calls.
        incoming: which version of a name it gets, where several cells make one: ``df@2``.
        parameters: those of its inputs that are parameters of the flow.

    """

    def __init__(
        self,
        cell: TaskCell,
        produces: frozenset[str],
        namespace: dict[str, Any],
        private: frozenset[str] = frozenset(),
        shelf: Shelf | None = None,
    ) -> None:
        super().__init__(
            name=cell.name,
            slug=cell.name,
            max_retries=cell.retries,
            retry_delay=cell.delay,
            trigger=cell.trigger,
            timeout=cell.timeout,
            tags=cell.tags,
        )
        self.cell = cell
        self.produces = produces
        self.namespace = namespace
        self.private = private
        self.shelf = shelf
        self.needs: frozenset[str] = frozenset()
        self.incoming: dict[str, str] = {}
        self.parameters: frozenset[str] = frozenset()

    @property
    def cell_id(self) -> str:
        """The id of its cell."""
        return self.cell.id

    def run(self, **inputs: Any) -> dict[str, Any]:
        """Run the code and return what it made, by name.

        Raises:
            NameError: the code ended without making a name that it was said or seen to make.
            ENDRUN: nothing had to be done, since code and inputs are unchanged.

        """
        __tracebackhide__ = True  # IPython leaves our frames out: a traceback begins in the cell
        # what a cell gets from another one is in the namespace already; parameters are not
        self.namespace.update({name: inputs[name] for name in self.parameters if name in inputs})
        if self.shelf is None:
            return self._made()
        if self.cell.cache is None:
            with self.shelf.recording(self.cell.id, self.cell.source):
                return self._made()
        fingerprint = token([self.cell.code, sorted(self.needs), [self.namespace.get(name) for name in self.needs]])
        kept = self.shelf.taken(self.cell.id, fingerprint, self.cell.cache)
        if kept is not None:
            self.namespace.update(kept)
            msg = "Kept: code and inputs are unchanged."
            raise ENDRUN(Cached(msg, result=Made((name, kept[name]) for name in sorted(self.produces & kept.keys()))))
        with self.shelf.recording(self.cell.id, self.cell.source):
            made = self._made()
        # all that the code binds: cells that are no tasks may read what no task does
        bound = (self.cell.names.writes | self.cell.names.maybe_writes | self.produces) - self.private
        values = {name: self.namespace[name] for name in bound if name in self.namespace}
        if not self.shelf.keep(self.cell.id, fingerprint, values):
            self.logger.warning("The result cannot be pickled, so it is not kept for the next run.")
        return made

    def _made(self) -> dict[str, Any]:
        __tracebackhide__ = True
        run_code(self.cell.code, self.cell.filename, self.namespace, self.private)
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
    tree = parsed(code, filename)
    last = tree.body[-1] if tree.body else None
    shown_last = tree.body.pop() if isinstance(last, ast.Expr) and not is_quiet(code) else None
    try:
        _execute(compile(tree, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True), namespace, names)
        if isinstance(shown_last, ast.Expr):
            expression = ast.Expression(shown_last.value)
            code_of_last = compile(expression, filename, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            show_value(_execute(code_of_last, namespace, names))
    finally:
        namespace.update(names)


def _execute(code: CodeType, namespace: dict[str, Any], names: Overlay) -> Any:
    __tracebackhide__ = True
    made = eval(code, namespace, names)  # noqa: S307 - running the notebook's cells is what we are for
    return _finish(made) if inspect.iscoroutine(made) and code.co_flags & inspect.CO_COROUTINE else made


def _finish(coroutine: Any) -> Any:
    """Run a coroutine to its end, also on a thread where a loop is running already."""
    __tracebackhide__ = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only where a loop runs on this thread

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class CellFlow(Flow):
    """A flow of task cells: where there is a choice, the upper one runs first."""

    def _order(self) -> Mapping[Task, int]:
        cells = [task for task in self.nodes if isinstance(task, CellTask)]
        return {task: place for place, task in enumerate(cells)}


def flow_of(
    name: str,
    cells: Sequence[TaskCell],
    namespace: dict[str, Any],
    settings: Settings | None = None,
    shelf: Shelf | None = None,
) -> Flow:
    """Make the flow of cells in document order.

    Args:
        name: of the flow.
        cells: in the order in which they stand.
        namespace: where they run.
        settings: what a ``%%flow`` cell says.
        shelf: where outputs and results are kept.

    Raises:
        FlowError: ``--after`` names a task that is not there, or tasks wait for each other.

    """
    settings = settings or Settings()
    flow = CellFlow(name, **settings.options)
    parameters = {key: flow.add_task(parameter) for key, parameter in settings.parameters.items()}
    first = settings.read()
    read = [*first, *(cell.names for cell in cells)]
    tasks: list[CellTask] = []
    uses = uses_of(read)
    numbers = versions(uses)
    made_by, private_to = outputs(read), temporaries(read)
    for place, cell in enumerate(cells, len(first)):
        made, private = made_by[place], private_to[place]
        produces = cell.names.writes if "out" in cell.given else frozenset(made)
        task = CellTask(cell, produces, namespace, frozenset(private) - produces, shelf)
        task.needs = frozenset(uses[place].reads)
        tasks.append(flow.add_task(task))
    for found in dependencies(read):
        downstream = tasks[found.downstream - len(first)]
        keys = [key for key in found.names if found.kind == "data" and key.isidentifier()]
        if parameters and found.upstream == 0:
            _connect_parameters(flow, [parameters[key] for key in found.names], downstream, frozenset(keys))
            continue
        _connect(flow, tasks[found.upstream - len(first)], downstream, keys)
        downstream.incoming.update(
            {key: f"{key}@{numbers[key][found.upstream]}" for key in keys if len(numbers.get(key, ())) > 1}
        )
    _connect_said(flow, tasks)
    return flow


def _connect(flow: Flow, upstream: Task, downstream: Task, keys: Iterable[str]) -> None:
    """Connect two cells; a name that two cells may have made comes to its reader under the key once."""
    bound = {edge.key for edge in flow.edges_to(downstream)}
    free = [key for key in keys if key not in bound]
    for key in free:
        flow.add_edge(upstream, downstream, key)
    if not free and not any(edge.upstream_task is upstream for edge in flow.edges_to(downstream)):
        flow.add_edge(upstream, downstream)


def _connect_parameters(flow: Flow, parameters: Iterable[Task], downstream: CellTask, keys: frozenset[str]) -> None:
    for parameter in parameters:
        if parameter.name in keys:
            _connect(flow, parameter, downstream, [parameter.name])
            downstream.parameters |= {parameter.name}
        else:
            _connect(flow, parameter, downstream, [])


def _connect_said(flow: Flow, tasks: list[CellTask]) -> None:
    """Add the edges that ``--after`` says."""
    known = {task.name: task for task in tasks}
    for task in tasks:
        for name in task.cell.after:
            if name not in known:
                msg = (
                    f"task {shown(task.name)} runs after {shown(name)}, which no cell is.{nearest(name, known)} "
                    f"Task cells: {', '.join(known)}."
                )
                raise FlowError(msg)
            _connect(flow, known[name], task, [])
    flow.validate()


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
