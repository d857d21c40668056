"""The open notebook as a flow: its cells as they stand in the page, run in the names of the running kernel.

Nothing has to be written into the notebook. What ran well is known by its text and by what its upstream cells made, so
that only what failed, was changed, or follows from that is run again; cells that a person ran by hand count as well.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, shown
from flowbook.graphs import ancestry
from flowbook.hashing import token
from flowbook.notebook.again import Again, again_in
from flowbook.notebook.bodies import Bodies
from flowbook.notebook.document_flow import DocumentFlow, DocumentRun, DocumentTask, flow_of_document
from flowbook.notebook.documents import CodeCell, Document, document_of
from flowbook.notebook.files import Node
from flowbook.notebook.interpreter import Interpreter
from flowbook.notebook.locking import alone
from flowbook.notebook.outputs import Outputs
from flowbook.notebook.prompts import next_prompt
from flowbook.notebook.refusals import refusing_in
from flowbook.notebook.surroundings import Surroundings
from flowbook.notebook.traces import Traces, changes_of, has_begun, overtaken, reached
from flowbook.states import Success, TriggerFailed
from flowbook.view.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.engine.flow_run import FlowRun
    from flowbook.flows import Flow
    from flowbook.states import State
    from flowbook.tasks.base import Task
    from flowbook.view.protocol import CellText

__all__ = ["Ended", "LiveDocument", "LiveInterpreter"]


# So many seconds a run waits for a cell that the run before has left behind, and that is about to end.
_PATIENCE = 2.0


@dataclass(frozen=True)
class Ended:
    """How a cell ended last.

    Attributes:
        source: which it ran with.
        state: in which it ended.
        serial: the number of this ending.
        upstream: on which endings of what is upstream it ran, by id.
        attempt: which attempt it was.
        started, at: when it began and ended, seconds since the epoch.
        changes: the names that it changed; None when its text does not tell.
        doubt: why it may have ended otherwise than in a whole run: a person ran it when names were other ones already.

    """

    source: str
    state: State
    serial: int
    upstream: Mapping[str, int]
    attempt: int = 1
    started: float | None = None
    at: float | None = None
    changes: frozenset[str] | None = frozenset()
    doubt: str = ""


class LiveInterpreter(Interpreter):
    """Runs cells in the namespace and with the shell of the running kernel.

    Args:
        shell: of the kernel.
        name: of the notebook, for tracebacks.

    """

    def __init__(self, shell: Any, name: str) -> None:  # another start, since all of it is there already
        self._begin({}, name)
        self._carried = {}  # the settings of the kernel's own thread hold here
        self.shell = shell
        self.module = shell.user_module
        self.namespace = shell.user_ns
        self._hidden = set(shell.user_ns_hidden)

    def _remember(self, number: int) -> None:
        """Make `_` and the like what they would be if all cells above had run just before."""
        before = [self._shown[one] for one in sorted(self._shown, reverse=True) if one < number]
        for name, value in zip(("_", "__", "___"), before, strict=False):
            self.namespace[name] = value

    def _counted(self, cell: CodeCell) -> int | None:
        """Return the kernel's next number, as if a person had run the cell: `In` and `Out` go on where they were."""
        return next_prompt(self.shell, cell.source)

    def refusing(self) -> contextlib.AbstractContextManager[None]:
        """Refuse nothing: a person is there, whose kernel it is."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Keep everything: the kernel goes on."""

    def capturing(self) -> Any:
        """Let `%%capture` keep what cells print and show while they run side by side; call what is returned after."""
        magics = self.shell.magics_manager.magics["cell"]
        before = magics.get("capture")
        magics["capture"] = self._capture
        return lambda: magics.__setitem__("capture", before)


class LiveRun(DocumentRun):
    """One run of the open notebook; tells of outputs as they come.

    Attributes:
        late: called with a cell that ends when the run is over already, since it was cancelled; None until then.

    """

    def __init__(
        self, document: Document, interpreter: LiveInterpreter, made: Callable[[str], Outputs], bodies: Bodies
    ) -> None:
        super().__init__(document, interpreter)
        self.made = made
        self.bodies = bodies
        self.late: Callable[[CodeCell], object] | None = None

    def run(self, cell: CodeCell, private: frozenset[str], given: Mapping[str, Any]) -> None:
        """Run one cell."""
        __tracebackhide__ = True
        try:
            with self.bodies.running(cell.title):
                super().run(cell, private, given)
        finally:
            if self.late is not None:
                self.late(cell)

    def new_outputs(self, cell: CodeCell) -> Outputs:
        """Return where the outputs of a cell go."""
        return self.made(cell.id)


class LiveFlow(DocumentFlow):
    """The flow of the open notebook; all its runs share the names of the kernel."""

    def __init__(self, name: str, document: Document, run: Callable[[Document], DocumentRun]) -> None:
        super().__init__(name, document)
        self._new_run = run

    def _names_for_run(self, *, is_kept: bool) -> DocumentRun:  # noqa: ARG002 - those of the kernel in any case
        return self._new_run(self.document)

    def _surroundings(self) -> Surroundings:
        return Surroundings(None)  # a kernel is where its notebook is


class LiveDocument:
    """What is known of the cells of an open notebook.

    Args:
        shell: of the kernel.
        changed: called with the id of a cell when its outputs have changed.

    Attributes:
        document: the notebook as it was told last.
        flow: its flow, or None when it has no code.
        ended: how cells ended last, by id.
        outputs: what they printed and showed in the flow's last run of them, by id.

    """

    def __init__(self, shell: Any, changed: Callable[[str], object] = lambda _cell: None) -> None:
        self.shell = shell
        self.changed = changed
        self.lock = threading.RLock()
        self.document: Document | None = None
        self.flow: DocumentFlow | None = None
        self.last_run: FlowRun | None = None
        self.bodies = Bodies()
        self.ended: dict[str, Ended] = {}
        self.outputs: dict[str, Outputs] = {}
        self._told: tuple[str, tuple[CellText, ...]] | None = None
        self._interpreter: LiveInterpreter | None = None
        self._numbers = itertools.count(1)
        self._chosen: dict[str, Any] = {}
        self._given_for: dict[str, str] = {}  # the tokens of the defaults that were there when they were given
        self._values: dict[str, tuple[int, Any]] = {}
        self._traces = Traces()
        self.told_late: Callable[[], object] = int  # nobody is told

    # -- what the page tells -------------------------------------------------------------------------------------------

    @alone
    def see(self, name: str, cells: Sequence[CellText]) -> None:
        """Take the cells as they stand in the page, in document order."""
        told = (name, tuple(cells))
        if told == self._told:
            return
        self._told = told
        node = Node(
            nbformat=4,
            nbformat_minor=5,
            metadata=Node(),
            cells=[
                Node(
                    id=cell.cell, cell_type="code", source=cell.source, metadata=Node(tags=list(cell.tags)), outputs=[]
                )
                for cell in cells
            ],
        )
        document = document_of(node, Path(name))
        if self.document is not None and _is_same(document, self.document):
            return
        defaults = document.parameters
        self._let_go(
            [name for name, was in self._given_for.items() if name in defaults and token(defaults[name]) != was]
        )
        self.document = document
        self.flow = flow_of_document(document, kind=self._empty_flow) if document.cells else None

    def _let_go(self, names: Iterable[str]) -> None:
        """Forget what was given for parameters: since then a person has written, or run, what the notebook says."""
        for name in names:
            self._chosen.pop(name, None)
            self._given_for.pop(name, None)

    def _empty_flow(self, name: str, document: Document) -> LiveFlow:
        return LiveFlow(name, document, self._new_run)

    def _new_run(self, document: Document) -> LiveRun:
        if self._interpreter is None:
            self._interpreter = LiveInterpreter(self.shell, document.path.stem)
        return LiveRun(document, self._interpreter, self._new_outputs, self.bodies)

    def _new_outputs(self, cell: str) -> Outputs:
        made = self.outputs[cell] = Outputs(changed=lambda: self.changed(cell))
        self.changed(cell)
        return made

    @alone
    def by_hand(self, cell: str, source: str, state: State, started: float, at: float) -> None:
        """Note that a person ran a cell."""
        before = self.again(cell)
        above = self._needed_by(cell) & before.keys()
        doubt = "it was run by hand, on names that were not as above it any more" if above else ""
        self.outputs.pop(cell, None)  # those are in the page, and nowhere else
        task = self._task_of(cell)
        if task is not None and task.cell.is_parameters:
            self._let_go(task.cell.names.writes)
        upstream = self._serials(self.flow.upstream_tasks(task)) if self.flow is not None and task is not None else {}
        changes = self._changes_of(cell, source)
        self._note(cell, Ended(source, state, next(self._numbers), upstream, 1, started, at, changes, doubt))

    @alone
    def elsewhere(self, source: str) -> None:
        """Note that something was run in the kernel that is no cell of the notebook, as in a console."""
        self._traces.leave(changes_of(source), next(self._numbers))

    @alone
    def _ended_late(self, cell: CodeCell) -> None:
        """Note that a cell has gone on after its run was over, and has changed names until now."""
        self._traces.leave(self._changes_of(cell.id, cell.source), next(self._numbers))
        self.told_late()

    def _changes_of(self, cell: str, source: str) -> frozenset[str] | None:
        """Return the names that a text of a cell changes, seen in its place in the document where it stands there."""
        document = self.document
        for at, known in enumerate(document.cells if document is not None else ()):
            if document is not None and known.id == cell and known.source.strip() == source.strip():
                return again_in(document).changed_by(at)
        return changes_of(source)

    def _note(self, cell: str, ended: Ended) -> None:
        """Keep how a cell ended; what only its text before has changed is left behind."""
        before = self.ended.get(cell)
        if before is not None and before.source.strip() != ended.source.strip():
            self._traces.replace(before, ended)
        self.ended[cell] = ended

    # -- out of date ---------------------------------------------------------------------------------------------------

    def is_dirty(self, cell: CodeCell) -> bool:
        """Tell whether a cell was changed after it ran last."""
        known = self.ended.get(cell.id)
        return known is not None and known.source.strip() != cell.source.strip()

    @alone
    def stale(self) -> frozenset[str]:
        """Return the cells, by id, of which something upstream was changed, or has run again since."""
        found: dict[Task, bool] = {}
        for task in self._tasks():
            known, upstream = self.ended.get(task.cell.id), self._flow().upstream_tasks(task)
            found[task] = known is not None and (
                known.upstream != self._serials(upstream)
                or any(
                    found.get(one) or (isinstance(one, DocumentTask) and self.is_dirty(one.cell)) for one in upstream
                )
            )
        return frozenset(task.cell.id for task in self._tasks() if found[task])

    @alone
    def again(self, to: str = "") -> dict[str, str]:
        """Tell which cells, by id, have to run so that the end is that of a whole run, and why.

        Args:
            to: the id of a cell that is run in any case.

        """
        document = self.document
        if document is None:
            return {}
        plan, stale, left = again_in(document), self.stale(), self._foreign()
        changes: dict[int, frozenset[str] | None] = {}
        serials: dict[int, int] = {}
        for at, cell in enumerate(document.cells):
            known = self.ended.get(cell.id)
            if known is not None and has_begun(known):
                changes[at], serials[at] = known.changes, known.serial
                if name := overtaken(known, left):
                    plan.add(at, f"{name} was changed by something that is not in the notebook any more")
            if known is None:
                plan.add(at, "it has not run")
            elif not isinstance(known.state, Success):
                plan.add(at, "it did not end well")
            elif self.is_dirty(cell):
                plan.add(at, "its text has changed")
            elif cell.id in stale:
                plan.add(at, "something before it was changed, or ran again")
            elif known.doubt:
                plan.add(at, known.doubt)
            elif cell.id == to:
                plan.add(at, "it was asked for")
        plan.changes, plan.serials = changes, serials
        plan.follow()
        return {document.cells[at].id: why for at, why in plan.reasons.items()}

    def _foreign(self) -> dict[str, int]:
        """Return the names that were changed by what does not stand in the notebook now, and when."""
        now = {cell.id: cell for cell in self.document.cells} if self.document is not None else {}
        gone = []
        for one, known in self.ended.items():
            cell = now.get(one)
            if cell is None or self.is_dirty(cell):
                own = self._changes_of(one, cell.source) if cell is not None else None
                gone.append((known, own or frozenset()))
        return self._traces.left(gone)

    @alone
    def left_behind(self) -> frozenset[str]:
        """Return the names that code made or changed which is not in the notebook any more."""
        return frozenset(self._foreign()) - {"*"}

    def _fresh(self, flow: DocumentFlow, to: str = "") -> dict[Task, State]:
        """Return the states of tasks that need not run."""
        again, run = self.again(to), self._new_run(flow.document)
        return {task: task.kept_state(run) for task in self._tasks() if task.cell.id not in again}

    # -- running -------------------------------------------------------------------------------------------------------

    def run(
        self, *, to: str = "", from_failed: bool = False, parameters: Mapping[str, Any] | None = None, **options: Any
    ) -> State:
        """Run the flow in the names of the kernel, or a part of it.

        Args:
            to: the id of a cell: only it is run, and what it needs and is out of date.
            from_failed: only what has not ended well with the text it has now, and what follows from that.
            parameters: values for parameters.
            **options: as for `flowbook.Flow.run`.

        Raises:
            FlowError: there is no such cell, or nothing to run; or a cell of a cancelled run still runs.

        """
        left = self.bodies.stopped(_PATIENCE)
        if left:
            msg = (
                f"{left[0]} of the run before still runs: it was cancelled, and is in code that cannot be interrupted. "
                "Wait until it has ended, or restart the kernel; two runs at once would mix what they make."
            )
            raise FlowError(msg)
        with self.lock:
            flow = self._flow()
            values = self._parameters(flow, parameters or {})
            kept = self._kept(flow, to, options) if to else self._fresh(flow) if from_failed else {}
        if kept:
            options["task_states"] = kept
        interpreter = self._new_run(flow.document).interpreter
        assert isinstance(interpreter, LiveInterpreter)
        undo, before = interpreter.capturing(), flow.last_run
        try:
            with refusing_in(interpreter.namespace):
                state: State = flow.run(values, run_on_schedule=False, show=options.pop("show", False), **options)
            return state
        finally:
            undo()
            if flow.last_run is not None and flow.last_run.state.is_finished():
                self.bodies.stop()  # those that a cancelled run has left behind
            if isinstance(flow.last_document_run, LiveRun):
                flow.last_document_run.late = self._ended_late
            if flow.last_run is not before:  # else it was refused, and nothing has run
                self.remember(flow, kept)

    def _kept(self, flow: DocumentFlow, to: str, options: dict[str, Any]) -> dict[Task, State]:
        """Return what need not run for a cell, and put into the options that the run ends there."""
        goal = self._task_of(to)
        if goal is None:
            msg = f"cell {shown(to)} is no task: it is empty, or left out with the tag skip."
            raise FlowError(msg)
        options["until"] = goal
        above = ancestry(flow.nodes, [goal], downstream=False) - {goal}
        return {task: state for task, state in self._fresh(flow, to).items() if task in above}

    @alone
    def remember(self, flow: DocumentFlow, kept: Iterable[Task] = ()) -> None:
        """Note how cells have ended in the last run of a flow."""
        run = flow.last_run
        if run is None:
            return
        self.last_run = run
        states, looks = run.states, Feed(run.runner).snapshot(0.0).nodes
        again = set(flow.nodes) - set(kept)
        plan, places = again_in(flow.document), {cell.id: at for at, cell in enumerate(flow.document.cells)}
        for number, task in enumerate(run.runner.plan.tasks):
            if not isinstance(task, DocumentTask) or task not in again or not states[task].is_finished():
                continue
            look, state = looks[number], states[task]
            ended = Ended(
                task.cell.source,
                TriggerFailed(look.message) if isinstance(state, TriggerFailed) else state,
                next(self._numbers),
                self._serials(flow.upstream_tasks(task)),
                look.attempt,
                look.started,
                look.ended,
                self._changed_in(flow, plan, places[task.cell.id]),
            )
            self._note(task.cell.id, ended)

    @staticmethod
    def _changed_in(flow: DocumentFlow, plan: Again, place: int) -> frozenset[str] | None:
        """Return the names that a cell of the last run has changed; of one that failed, until it did."""
        run, cell = flow.last_document_run, flow.document.cells[place]
        error = run.errors.get(cell.id) if run is not None else None
        if run is None or error is None:
            return plan.changed_by(place)
        return plan.changed_before(place, reached(cell.source, error, run.interpreter.filename(cell.number)))

    def chosen(self, name: str) -> Any:
        """Return what a person gave a parameter last; `...` when nobody has."""
        return self._chosen.get(name, ...)

    def _parameters(self, flow: Flow, given: Mapping[str, Any]) -> dict[str, Any]:
        self._chosen.update(given)
        known = {task.name: task for task in flow.parameters()}
        self._given_for.update({name: token(known[name].default) for name in given if name in known})
        for name, parameter in known.items():
            value = self._chosen.get(name, parameter.default)
            before = self._values.get(name)
            if before is None or token(before[1]) != token(value):
                self._values[name] = (next(self._numbers), value)
        return {name: value for name, value in self._chosen.items() if name in known}

    # -- small helpers -------------------------------------------------------------------------------------------------

    def _flow(self) -> DocumentFlow:
        if self.flow is None:
            msg = "the notebook has no code cells, so there is nothing to run."
            raise FlowError(msg)
        return self.flow

    def _tasks(self) -> list[DocumentTask]:
        if self.flow is None:
            return []
        return [task for task in self.flow.sorted_tasks() if isinstance(task, DocumentTask)]

    def _needed_by(self, cell: str) -> set[str]:
        """Return the cells that come before a cell, by id, without itself."""
        task = self._task_of(cell)
        if self.flow is None or task is None:
            return set()
        above = ancestry(self.flow.nodes, [task], downstream=False) - {task}
        return {one.cell.id for one in above if isinstance(one, DocumentTask)}

    def _task_of(self, cell: str) -> DocumentTask | None:
        return next((task for task in self._tasks() if task.cell.id == cell), None)

    def _serials(self, tasks: Iterable[Task]) -> dict[str, int]:
        found = {}
        for task in tasks:
            if isinstance(task, DocumentTask):
                if task.cell.id in self.ended:
                    found[task.cell.id] = self.ended[task.cell.id].serial
            else:
                found[f"parameter {task.name}"] = self._values.get(task.name, (0, None))[0]
        return found


def _is_same(one: Document, other: Document) -> bool:
    """Tell whether two documents make the same flow: same cells in the same order, with the same text."""
    return one.path == other.path and one.cells == other.cells
