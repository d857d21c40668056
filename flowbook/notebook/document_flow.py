"""A document as a flow: each code cell a task, each conflict an edge.

All cells of a run share one namespace. Whatever could go differently in another order is kept in document order by an
edge (see `flowbook.sources.dependencies`); what is left may run side by side, and ends as running all cells from top to
bottom does.
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import functools
import re
from typing import TYPE_CHECKING, Any, cast

from flowbook.contexts import context, current_frame
from flowbook.engine.executors import executor_of
from flowbook.engine.journey import WorkerLost
from flowbook.errors import FlowError, shown
from flowbook.flows import Flow
from flowbook.hints import may_fit
from flowbook.notebook.apart import FROM_CACHE, IN_PROCESS, Apart, in_kernel
from flowbook.notebook.cells import Made
from flowbook.notebook.descriptors import are_taken, into
from flowbook.notebook.documents import CodeCell, Document, read_document
from flowbook.notebook.interpreter import Interpreter, line_of, words_of
from flowbook.notebook.kept import KeptRun, take_back
from flowbook.notebook.outputs import Outputs
from flowbook.notebook.refusals import told_of_exit
from flowbook.notebook.surroundings import Surroundings
from flowbook.parameters import Parameter
from flowbook.signals import ENDRUN
from flowbook.sources import dependencies, outputs, temporaries
from flowbook.states import Cached, Success
from flowbook.tasks.base import Task

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flowbook.engine.executors import DaskExecutor, Executor
    from flowbook.engine.flow_run import FlowRun
    from flowbook.notebook.cell_cache import CellCache
    from flowbook.notebook.workers import CellProcesses
    from flowbook.states import State

__all__ = ["DocumentFlow", "DocumentRun", "DocumentTask", "flow_of_document", "until"]

_RUN = "_document_run"


class DocumentRun:
    """What the cells of one run share.

    Args:
        document: the notebook.
        interpreter: where its cells run; one of their own when not given.

    Attributes:
        interpreter: the namespace and what runs code in it.
        outputs: what each cell printed and showed, by cell id.
        errors: in which cells ended that failed, by cell id.
        ended: when each cell began and ended, by cell id.
        elsewhere: what runs cells in other processes, while a run has such.
        places: where each cell ran and why there, in a sentence, when there was a choice; by cell id.

    """

    def __init__(self, document: Document, interpreter: Interpreter | None = None) -> None:
        self.document = document
        sources = {cell.number: cell.source for cell in document.cells}
        self.interpreter = interpreter or Interpreter(sources, document.path.stem)
        self.outputs: dict[str, Outputs] = {}
        self.errors: dict[str, BaseException] = {}
        self.ended: dict[str, tuple[dt.datetime, dt.datetime]] = {}
        self.elsewhere: CellProcesses | None = None
        self.places: dict[str, str] = {}
        self._made: dict[str, list[Made]] = {}

    def __reduce__(self) -> Any:
        """Stay here: a flow that a cell runs has our context, and sends it to its workers."""
        return _nothing, ()

    @functools.cached_property
    def apart(self) -> Apart:
        """Which cells may run in a process of their own."""
        return Apart(self.document)

    @property
    def names(self) -> dict[str, Any]:
        """The names which the cells made, with their values."""
        return self.interpreter.names

    def new_outputs(self, cell: CodeCell) -> Outputs:  # noqa: ARG002 - for who wants to know of them as they come
        """Return where the outputs of a cell go."""
        return Outputs()

    def hand_on(self, names: Iterable[str]) -> Made:
        """Return what a cell made, and let go of each value once another cell deletes its name or binds it anew."""
        values = self.interpreter.namespace
        made = Made((name, values[name]) for name in sorted(names) if name in values)
        for name in made:
            self._made.setdefault(name, []).append(made)
        return made

    def _replace(self, names: Iterable[str]) -> None:
        for name in names:
            for made in self._made.pop(name, ()):
                made.replace(name)

    def run(self, cell: CodeCell, private: frozenset[str], given: Mapping[str, Any]) -> None:
        """Run one cell, and then set the parameters that were given."""
        __tracebackhide__ = True
        names = cell.names
        self._replace((names.writes | names.deletes) - private)
        made = self.outputs[cell.id] = self.new_outputs(cell)
        begun = dt.datetime.now(dt.timezone.utc)
        try:
            self._run(cell, made, private)
        except BaseException as error:
            self.errors[cell.id] = error
            if not isinstance(error, Exception) or "raises-exception" not in cell.tags:
                raise
        finally:
            self.ended[cell.id] = (begun, dt.datetime.now(dt.timezone.utc))
        self.interpreter.namespace.update(given)

    def _run(self, cell: CodeCell, made: Outputs, private: frozenset[str]) -> None:
        __tracebackhide__ = True
        if self.elsewhere is not None:
            try:
                reason = self.elsewhere.run(cell, made, private)
            except WorkerLost as error:
                made.error("WorkerLost", str(error), [f"WorkerLost: {error}"])
                raise
            self.places[cell.id] = in_kernel(reason) if reason else IN_PROCESS
            if self.elsewhere.cache is not None and cell.id in self.elsewhere.cache.taken:
                self.places[cell.id] = FROM_CACHE
            if not reason:
                return
        with into(made) if self._starts_programs(cell) else contextlib.nullcontext():
            self.interpreter.run(cell, made, private)

    def _starts_programs(self, cell: CodeCell) -> bool:
        if not are_taken():
            return False
        use = self.apart.uses[next(at for at, one in enumerate(self.document.cells) if one.id == cell.id)]
        return "process" in use.effects or use.opaque is not None


def _nothing() -> None:
    """Stand for a run where it is not."""


class DocumentTask(Task):
    """A task whose body is a cell of a document.

    Args:
        cell: the cell.
        produces: the names it hands on.
        private: names that it makes for itself alone.
        parameters: the names that can be given from outside.

    """

    def __init__(
        self, cell: CodeCell, produces: frozenset[str], private: frozenset[str], parameters: frozenset[str]
    ) -> None:
        super().__init__(name=cell.name, slug=cell.id)
        self.cell = cell
        self.produces = produces
        self.private = private
        self.parameters = parameters

    @property
    def cell_id(self) -> str:
        """The id of its cell."""
        return self.cell.id

    def run(self, **inputs: Any) -> dict[str, Any]:
        """Run the cell and return what it made that other cells read, by name."""
        __tracebackhide__ = True
        run: DocumentRun | None = context.get(_RUN)
        if run is None:
            msg = "a cell of a notebook runs as part of its flow: flow.run()."
            raise RuntimeError(msg)
        given = {name: value for name, value in inputs.items() if name in self.parameters and value is not ...}
        if run.interpreter.is_for_driver(self.cell):
            frame: Any = current_frame()
            frame.runner.errands.do(lambda: run.run(self.cell, self.private, given))
        else:
            run.run(self.cell, self.private, given)
        if (place := run.places.get(self.cell.id)) is not None:
            ended = Cached if place == FROM_CACHE else Success
            raise ENDRUN(ended(place, result=run.hand_on(self.produces)))  # the story says it
        return run.hand_on(self.produces)

    def kept_state(self, run: DocumentRun) -> State:
        """Return the state of this task when its cell need not be run, since its names are there."""
        return Success("Kept from the run before.", result=run.hand_on(self.produces))


class DocumentFlow(Flow):
    """The flow of a notebook file; takes all that `flowbook.Flow` does.

    The names of a run are its own, and a run that keeps cells of the one before goes on in its names.

    Attributes:
        document: the notebook.
        last_document_run: the namespace and the outputs of the last run.
        keeps_cells: take cells from the cache whose code and inputs are unchanged, and keep what the others make.
        last_cache: what the last run took from there, and why not more.

    """

    def __init__(self, name: str, document: Document) -> None:
        super().__init__(name)
        self.document = document
        self.last_document_run: DocumentRun | None = None
        self.keeps_cells = False
        self.last_cache: CellCache | None = None
        self._is_there = False

    def _order(self) -> Mapping[Task, int]:
        """Return the places of the cells: when there is a choice, the upper one runs first."""
        return {task: task.cell.number for task in self.nodes if isinstance(task, DocumentTask)}

    def run(self, /, parameters: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:
        """Run the cells and return the flow's final state; takes what `flowbook.Flow.run` takes.

        Cells that are kept from an earlier run (``task_states``, ``state``) keep their names: the run goes on in the
        namespace of the last one.
        """
        if kwargs.get("wait") is False:
            return self.start(parameters, **{key: value for key, value in kwargs.items() if key != "wait"})
        given, surroundings = self._in_namespace(kwargs), self._surroundings()
        surroundings.enter()
        try:
            return super().run(parameters, *args, **given)
        finally:
            surroundings.leave()

    def start(self, /, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> FlowRun:
        """Run the cells on a thread of their own and return a handle at once."""
        given, surroundings = self._in_namespace(kwargs), self._surroundings()
        surroundings.enter()
        try:
            run: FlowRun = super().start(parameters, **given)
        except BaseException:
            surroundings.leave()
            raise
        run.on_change(lambda run: surroundings.leave() if run.is_over else None)
        if run.is_over:
            surroundings.leave()
        return run

    async def run_async(self, /, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> State:
        """Run the cells without blocking the event loop."""
        given, surroundings = self._in_namespace(kwargs), self._surroundings()
        surroundings.enter()
        try:
            return await super().run_async(parameters, **given)
        finally:
            surroundings.leave()

    def _surroundings(self) -> Surroundings:
        return Surroundings(None if self._is_there else self.document.path.parent)

    @contextlib.contextmanager
    def going_on(self, kept: KeptRun, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Take back what an earlier run has left; yield what `run` must be given to go on from there.

        Args:
            kept: see `flowbook.notebook.kept.recall`.
            given: values of parameters.

        Raises:
            FlowError: it cannot be taken back.

        """
        surroundings, run = self._surroundings(), DocumentRun(self.document)
        surroundings.enter()
        self._is_there = True
        try:
            take_back(kept, run, given)
            cells = {self.document.cells[at].id for at in kept.kept}
            tasks = [task for task in self.nodes if isinstance(task, DocumentTask) and task.cell.id in cells]
            yield {"context": {_RUN: run}, "task_states": {task: task.kept_state(run) for task in tasks}}
        except BaseException:
            run.interpreter.close()
            raise
        finally:
            self._is_there = False
            surroundings.leave()

    def _in_namespace(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        given = dict(kwargs.get("context") or {})
        if _RUN not in given:
            is_kept = bool(kwargs.get("task_states")) or kwargs.get("state") is not None
            given[_RUN] = self._names_for_run(is_kept=is_kept)
        self.last_document_run = given[_RUN]
        return {**kwargs, "context": given, "executor": self._executor(kwargs.get("executor"), given[_RUN])}

    def _executor(self, wanted: Any, run: DocumentRun) -> Executor:
        """Return what drives a run: the names are here, so cells that run elsewhere must be sent from here."""
        executor = executor_of(wanted if wanted is not None else self.executor)
        if executor.name in {"local", "threads"} and not self.keeps_cells:
            return executor
        if executor.name in {"local", "threads", "processes"}:
            from flowbook.notebook.cell_cache import CellCache  # noqa: PLC0415 - loaded by those who use it
            from flowbook.notebook.workers import CellExecutor  # noqa: PLC0415 - likewise

            self.last_cache = CellCache(self.document, run.apart) if self.keeps_cells else None
            here = None if executor.name == "processes" else executor
            return CellExecutor(run, getattr(executor, "workers", 1), self.last_cache, here)
        if executor.name == "dask":
            from flowbook.notebook.dask_cells import DaskCellExecutor  # noqa: PLC0415 - likewise

            if self.keeps_cells:
                msg = "cells that run on Dask workers are not kept. Keep them with the executor processes, or threads."
                raise FlowError(msg)
            # a run that is resumed gives the one of ours with which it has begun
            return DaskCellExecutor(run, cast("DaskExecutor", getattr(executor, "dask", executor)))
        msg = (
            f"executor={shown(executor.name)} cannot run the cells of a notebook, since their names are in this "
            'process. Use "local", "threads", "processes" or "dask".'
        )
        raise FlowError(msg)

    def _names_for_run(self, *, is_kept: bool) -> DocumentRun:
        """Return what the cells of the next run share: names of their own, or those of the run before."""
        before = self.last_document_run
        if not is_kept:
            if before is not None:
                before.interpreter.close()
            return DocumentRun(self.document)
        if before is None:
            msg = f"notebook {shown(self.name)} has not run here yet, so there are no names to go on with."
            raise FlowError(msg)
        return before

    def failures(self) -> list[str]:
        """Tell which cells failed in the last run: the number, the name, the line, and the error."""
        run = self.last_document_run
        if run is None:
            return []
        found = []
        for cell in self.document.cells:
            error = run.errors.get(cell.id)
            if error is not None:
                line = line_of(error, run.interpreter.filename(cell.number))
                place = cell.title + (f", line {line}" if line else "")
                found.append(f"{place}: {type(error).__name__}: {' '.join(self._told(cell, error).split())[:500]}")
        return found

    def _told(self, cell: CodeCell, error: BaseException) -> str:
        """Return what an error says, and what the notebook has to say about it."""
        if isinstance(error, SystemExit):
            return told_of_exit(error)
        if isinstance(error, EOFError) and not str(error):
            return "it asks a person, and nobody is there when a notebook runs as a flow."
        words, name = words_of(error), getattr(error, "name", None)
        if not isinstance(error, NameError) or not isinstance(name, str):
            return words
        cells = self.document.cells
        above = [one for one in cells if one.number < cell.number and name in one.names.deletes]
        below = [one for one in cells if one.number > cell.number and name in one.names.writes]
        if above:
            return f"{words}: cell {above[-1].number} deletes it"
        return f"{words}: cell {below[0].number}, further down, is the first to make it" if below else words

    def left_running(self) -> list[str]:
        """Tell which cells of the last run have started threads that still run."""
        run, found = self.last_document_run, []
        for cell in self.document.cells:
            outputs = run.outputs.get(cell.id) if run is not None else None
            names = [thread.name for thread in outputs.threads if thread.is_alive()] if outputs is not None else []
            if names:
                found.append(f"cell {cell.number} has left running: {', '.join(names[:5])}. It ends with the program")
        return found

    def executed(self) -> Any:
        """Return the notebook with the outputs of the last run, as nbformat has it."""
        from nbformat import from_dict  # noqa: PLC0415 - takes most of a second to load

        return from_dict(self.executed_node())

    def executed_node(self) -> Any:
        """Return the notebook with the outputs of the last run, as `flowbook.notebook.files` has it."""
        node = copy.deepcopy(self.document.node)
        run = self.last_document_run
        if run is None:
            return node
        node.metadata.setdefault("language_info", {"name": "python"})
        for cell in self.document.cells:
            place, outputs = node.cells[cell.place], run.outputs.get(cell.id)
            place.outputs, place.execution_count = [], None
            if outputs is not None:
                place.outputs = outputs.saved()
                place.execution_count = cell.number
        return node


# Names of parameters whose values are masked, as those of secret tasks are.
_SECRET = re.compile(
    r"(?:^|_)(?:token|password|passwd|passphrase|secret|credentials?|api_?key|private_?key)s?(?:_|$)", re.IGNORECASE
)


def _parameter(document: Document, key: str, value: Any) -> Parameter:
    made = Parameter(key, default=value, required=False, type=_type(document, key, value))
    made.sensitive = _SECRET.search(key) is not None
    return made


def flow_of_document(
    source: str | os.PathLike[str] | Document,
    name: str | None = None,
    kind: Callable[[str, Document], DocumentFlow] = DocumentFlow,
) -> DocumentFlow:
    """Make the flow of a notebook file.

    Args:
        source: the path, or the document.
        name: of the flow; the file's when not given.
        kind: makes the empty flow.

    Raises:
        FlowError: it cannot be read, or has no code.

    """
    document = source if isinstance(source, Document) else read_document(source)
    if not document.cells:
        msg = f"{document.path} has no code cells, so there is nothing to run."
        raise FlowError(msg)
    flow = kind(name or document.path.stem, document)
    read = [cell.names for cell in document.cells]
    values = document.parameters
    parameters = {key: flow.add_task(_parameter(document, key, value)) for key, value in values.items()}
    tasks: list[DocumentTask] = []
    for cell, made, private in zip(document.cells, outputs(read), temporaries(read), strict=True):
        own = frozenset(values) & cell.names.writes if cell.is_parameters else frozenset()
        task = flow.add_task(DocumentTask(cell, frozenset(made), frozenset(private) - made, own))
        for key in sorted(own):
            flow.add_edge(parameters[key], task, key)
        tasks.append(task)
    for found in dependencies(read):
        upstream, downstream = tasks[found.upstream], tasks[found.downstream]
        keys = [key for key in found.names if found.kind == "data" and key.isidentifier()]
        keys = [key for key in keys if key not in downstream.parameters]
        bound = {edge.key for edge in flow.edges_to(downstream)}
        for key in keys:
            if key not in bound:
                flow.add_edge(upstream, downstream, key)
        if not any(edge.upstream_task is upstream for edge in flow.edges_to(downstream)):
            flow.add_edge(upstream, downstream)
    return flow


def _type(document: Document, name: str, default: Any) -> Any:
    """Return the type a parameter is annotated with, when its own default is of it."""
    wanted = document.parameter_types.get(name)
    return wanted if wanted is None or default is None or may_fit(type(default), wanted) else None


def until(document: Document, cell: CodeCell) -> Document:
    """Return the part of a document that a cell needs: itself, and all that must run before it."""
    position = document.cells.index(cell)
    wanted = {position}
    for found in reversed(document.dependencies):  # sorted by the downstream cell
        if found.downstream in wanted:
            wanted.add(found.upstream)
    return Document(document.path, document.node, tuple(document.cells[place] for place in sorted(wanted)))
