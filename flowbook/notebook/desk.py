"""The desk of a kernel: knows the notebook that is open in the page, tells how its flow stands, and runs it.

A page sends the cells in document order; the answer is a look at the whole flow, sent again whenever something about it
changes. Messages come in on any thread and are only noted; what they need is worked out on the hub's thread. Runs are
ordered by code that the page has the kernel execute, so they go on in the main shell as cells do.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from IPython import get_ipython

from flowbook.errors import FlowbookError, FlowError, shown
from flowbook.notebook.book import notebook
from flowbook.notebook.comms import register_targets
from flowbook.notebook.extension import load
from flowbook.notebook.hub import Viewing, hub
from flowbook.notebook.interpreter import words_of
from flowbook.notebook.live_document import LiveDocument
from flowbook.notebook.looks import (
    details_of,
    document_looks,
    document_problems,
    document_reasons,
    fields_of,
    waiting_bundle,
)
from flowbook.notebook.task_looks import TaskCells
from flowbook.states import Failed, Success
from flowbook.view.protocol import AskTask, CellOutputs, Document, NotebookLook, TaskDetails, decode_orders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flowbook.engine.flow_run import FlowRun
    from flowbook.flows import Flow
    from flowbook.notebook.outputs import Outputs
    from flowbook.states import State
    from flowbook.view.protocol import Basis, CellLook, ToView

__all__ = ["Desk", "open_desk", "run_orders"]

# How much output of a cell (characters) is told at once, a hundred times a minute: more is told less often, so that
# what goes to a page while a cell writes stays within so much a second.
_LIGHT = 20_000
_HEAVY_PAUSE = 2.0
_A_SECOND = 500_000
# How the message of a cell begins that a person ran; `js/src/host/standing.ts` knows it by that.
_BY_HAND = "Run by hand"
# How long after the end of a run (seconds) a page that comes is told what its cells have shown: it was loaded again in
# the middle, from a file that has none of it. Later, what a page shows is what a person saved or cleared.
_MISSED = 60.0


class Desk:
    """What one kernel knows of its notebook.

    Args:
        shell: of the kernel.

    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.live = LiveDocument(shell, self._note_output)
        self.tasks = TaskCells(shell, notebook(shell.user_ns, lambda: shell.display_pub))
        self.asked: Document | None = None
        self._told: dict[str, Document] = {}  # of each notebook that has this kernel
        self.run: FlowRun | None = None
        self.seq = 0
        self._lock = threading.RLock()
        self._is_news = False
        self._questions: list[AskTask] = []
        self._written: dict[str, float] = {}  # cells with new outputs, and since when
        self._begun: list[tuple[Any, str, float]] = []  # cells that run by hand, with those that they run themselves
        self._failed_inside: BaseException | None = None
        self.live.told_late = self.touch
        self._ended = 0.0  # when the run did, on the clock that only goes on
        self.tasks.book.watcher = self.follow
        self.tasks.book.shelf.changed = self._note_output

    # -- what comes in -------------------------------------------------------------------------------------------------

    def hear(self, message: Document | AskTask) -> None:
        """Note what a page says; on any thread, and quick."""
        if isinstance(message, Document):
            self.asked = self._told[message.name] = message
            self._is_news = True
        else:
            self._questions.append(message)

    def joined(self) -> None:
        """Tell a page that came during a run, or was loaded again, what cells have printed and shown in it before."""
        run = self.run
        if run is not None and (not run.state.is_finished() or time.monotonic() < self._ended + _MISSED):
            for task in run.runner.plan.tasks:
                self._note_output(str(getattr(task, "cell_id", "")))

    def touch(self) -> None:
        """Note that something about the flow has changed."""
        self._is_news = True
        hub.ring()

    def _note_output(self, cell: str) -> None:
        self._written.setdefault(cell, time.monotonic())

    # -- what goes out -------------------------------------------------------------------------------------------------

    def news(self) -> Iterator[ToView]:
        """Return what pages have to be told; on the hub's thread."""
        yield from self._outputs()
        while self._questions:
            details = self._details(self._questions.pop(0))
            if details is not None:
                yield details
        if self._is_news and self.asked is not None:
            self._is_news = False
            with self._lock:
                yield self.look(self.asked)

    def look(self, asked: Document) -> NotebookLook:
        """Return how the flow of the notebook stands."""
        self.seq += 1
        at = time.time()
        basis = self._see(asked)
        if basis == "nothing":
            run = self._latest()
            given = run.runner.parameters if run else {}
            fields = tuple(fields_of(run.flow, lambda name: given.get(name, ...))) if run else ()
            name, run_id = (run.flow.name, run.id) if run else ("", "")
            return NotebookLook(self.seq, at, asked.name, basis, name, run_id, None, (), fields=fields)
        if basis == "document":
            flow: Flow | None = self.live.flow
            cells = document_looks(self.live)
            problems, reasons = document_problems(self.live), document_reasons(self.live)
            chosen = self.live.chosen
        else:
            flow, cells = self.tasks.flow(), self.tasks.looks()
            problems, reasons = self.tasks.problems(), self.tasks.reasons()
            chosen = self.tasks.chosen
        if flow is None:
            return NotebookLook(
                self.seq, at, asked.name, basis, self.tasks.name, "", None, tuple(cells), tuple(problems)
            )
        is_shown = self.run is not None and self.run.flow is flow and not self._is_overtaken(self.run, cells)
        run_id = self.run.id if self.run is not None else ""
        return NotebookLook(
            self.seq,
            at,
            asked.name,
            basis,
            flow.name,
            run_id,
            None if is_shown else waiting_bundle(flow, cells, at),
            tuple(cells),
            tuple(problems),
            tuple(fields_of(flow, chosen)),
            tuple(reasons),
        )

    @staticmethod
    def _is_overtaken(run: FlowRun, cells: Iterable[CellLook]) -> bool:
        """Tell whether a person has run a cell since, which ended otherwise than in the run."""
        if not run.state.is_finished():
            return False
        tasks = run.runner.plan.tasks
        own = {str(getattr(task, "cell_id", "")): type(run[task]).__name__ for task in tasks}
        return any(cell.message.startswith(_BY_HAND) and own.get(cell.cell, cell.state) != cell.state for cell in cells)

    def _see(self, asked: Document) -> Basis:
        """Take in the document, and tell what its flow is made of."""
        if asked.basis == "document":
            self.live.see(asked.name, asked.cells)
            return "document"
        self.tasks.see(asked.cells)
        if self.tasks.has_any():
            return "tasks"
        # who asks for task cells where nothing is a flow is told that there are none
        return "tasks" if asked.basis == "tasks" and self._latest() is None else "nothing"

    def _latest(self) -> FlowRun | None:
        """Return the latest run of a flow of functions that is, or was, shown in this kernel."""
        found = [viewing.run for viewing in list(hub.viewings.values())]
        return next((run for run in reversed(found) if run is not None and not _is_of_cells(run)), None)

    def _details(self, asked: AskTask) -> TaskDetails | None:
        viewing = hub.viewings.get(asked.run)
        run = self.run if self.run is not None and self.run.id == asked.run else viewing.run if viewing else None
        if run is None or not 0 <= asked.node < len(run.runner.plan.tasks):
            return None
        cell = str(getattr(run.runner.plan.tasks[asked.node], "cell_id", ""))
        return details_of(run, asked.node, self._outputs_of(cell))

    def _outputs_of(self, cell: str) -> Outputs | None:
        made = self.live.outputs.get(cell)
        return made if made is not None else self.tasks.outputs_of(cell)

    def _outputs(self) -> Iterator[CellOutputs]:
        """Tell what cells printed and showed: small outputs at once, large ones every few seconds and at the end."""
        run = self.run
        if run is None:
            return
        is_over = run.state.is_finished()
        for cell, since in list(self._written.items()):
            outputs = self._outputs_of(cell)
            if outputs is None:
                self._written.pop(cell, None)
                continue
            size = outputs.size
            pause = max(_HEAVY_PAUSE, size / _A_SECOND) if size > _LIGHT else 0.0
            if not is_over and time.monotonic() < since + pause:
                continue
            self._written.pop(cell, None)
            yield CellOutputs(run.id, cell, json.dumps(outputs.saved(), default=str), outputs.count)

    # -- running -------------------------------------------------------------------------------------------------------

    def obey(self, to: str, parameters: Mapping[str, str], *, from_failed: bool, notebook: str = "") -> State:
        """Run the flow of a notebook, or a part of it, as its page has last told it.

        Args:
            to: the id of a cell: only it is run, and what it needs.
            parameters: the texts of the form's fields.
            from_failed: only what has not ended well is run, and what follows from that.
            notebook: its name; that which was told last when it is not said, or was never told.

        Raises:
            FlowError: there is nothing to run, or a problem that has to be mended first.
            ParameterError: a value that cannot be read.

        """
        self.asked = self._told.get(notebook, self.asked)  # an order waits while a cell runs, and others may be told
        if self.asked is None:
            msg = "the page has not told its cells yet. Open the panel of flowbook and try again."
            raise FlowError(msg)
        with self._lock:
            basis = self._see(self.asked)
            flow = self.live.flow if basis == "document" else self.tasks.brought_up_to_date(to)
        if basis == "nothing" and (run := self._latest()) is not None:
            return self._once_more(run, parameters, from_failed=from_failed)
        if flow is None or basis == "nothing":
            msg = "the notebook has no cells to run. Write some code, or begin a cell with %%task."
            raise FlowError(msg)
        values = _read(flow, parameters, self.live.chosen if basis == "document" else self.tasks.chosen)
        # On threads, unless the flow names another executor: in the main thread a cell that runs would keep the
        # run from hearing a button until it has ended.
        how: dict[str, Any] = {"show": self.follow, **({"executor": "threads"} if flow.executor is None else {})}
        try:
            if basis == "document":
                return self.live.run(to=to, from_failed=from_failed, parameters=values, **how)
            return self.tasks.run(to=to, from_failed=from_failed, parameters=values, **how)
        finally:
            self.touch()

    def _once_more(self, run: FlowRun, parameters: Mapping[str, str], *, from_failed: bool) -> State:
        """Run a flow again that was built from functions, or go on where its run has failed."""
        flow = run.flow
        if from_failed and run.state.is_finished() and not run.state.is_successful():
            again = run.resume()
            self.follow(again)
            return again.wait()
        before = run.runner.parameters
        values = {**before, **_read(flow, parameters, lambda name: before.get(name, ...))}
        state: State = flow.run(values, run_on_schedule=False, show=self.follow)
        return state

    def follow(self, run: FlowRun) -> None:
        """Tell pages about a run from its beginning on."""
        viewing = Viewing(run)
        self.run = run
        self._written.clear()
        hub.follow(viewing)
        self.touch()

        def changed(run: FlowRun) -> None:
            if run.state.is_finished():
                self._ended = time.monotonic()
            hub.settle(viewing, ended=run.state.is_finished())
            self.touch()

        run.on_change(changed)

    # -- cells that a person runs --------------------------------------------------------------------------------------

    def before_cell(self, info: Any) -> None:
        """Note which cell begins."""
        cell = str(getattr(info, "cell_id", "") or _cell_of(self.shell))
        self._begun.append((info, cell, time.time()))

    def after_cell(self, result: Any) -> None:
        """Note how it ended; code that a cell itself has run, as `%%capture` and `%run` do, is a part of it."""
        place = next((at for at, (info, *_) in enumerate(self._begun) if _is_same(info, result.info)), None)
        if place is None:
            return  # an empty cell ends without having begun
        _, cell, started = self._begun[place]
        del self._begun[place:]
        error = result.error_before_exec or result.error_in_exec
        if self._begun:
            self._failed_inside = error or self._failed_inside
            return
        inside, self._failed_inside = self._failed_inside, None
        if self.asked is None:
            return
        source = str(result.info.raw_cell)
        if source.lstrip().startswith("%%capture"):
            error = error or inside  # all of its code is run inside
        if not cell:
            if result.info.store_history:  # a console; what pages and frontends ask for is not kept in the history
                self.live.elsewhere(source)
            self.touch()  # it may have run a flow
            return
        state: State = Success(f"{_BY_HAND}.")
        if error is not None:
            state = Failed(f"{_BY_HAND}: {type(error).__name__}: {words_of(error)}", result=error)
        with self._lock:
            if not self.tasks.is_of_a_flow(source):
                self.tasks.book.outside(source)
            self.live.by_hand(cell, source, state, started, time.time())
        self.touch()


def _is_of_cells(run: FlowRun) -> bool:
    """Tell whether a flow was made of the notebook's cells."""
    return any(getattr(task, "cell_id", "") for task in run.runner.plan.tasks)


def _is_same(begun: Any, ended: Any) -> bool:
    """Tell whether two infos are of the same run of a cell; IPython makes a new one after some interrupts."""
    return begun is ended or (begun.raw_cell == ended.raw_cell and begun.cell_id == ended.cell_id)


def _cell_of(shell: Any) -> str:
    """Return the id of the cell that runs, as the page sent it with its request."""
    kernel = getattr(shell, "kernel", None)
    parent = kernel.get_parent("shell") if kernel is not None else {}
    return str(parent.get("metadata", {}).get("cellId") or "")


def _read(flow: Flow, texts: Mapping[str, str], chosen: Callable[[str], Any]) -> dict[str, Any]:
    """Return the values of the fields that were filled in; what was chosen before need not be filled in again."""
    given = {name: text for name, text in texts.items() if text != "" or _takes_empty(flow, name)}
    if not given:
        return {}
    known = {parameter.name: chosen(parameter.name) for parameter in flow.parameters()}
    values = flow.parse_parameters({name: value for name, value in known.items() if value is not ...} | given)
    return {name: values[name] for name in given}


def _takes_empty(flow: Flow, name: str) -> bool:
    return any(parameter.name == name and isinstance(parameter.default, str) for parameter in flow.parameters())


_desks: dict[int, Desk] = {}


def desk_of(shell: Any) -> Desk:
    """Return the desk of a shell; there is one for each."""
    found = _desks.get(id(shell))
    if found is None or found.shell is not shell:
        found = _desks[id(shell)] = Desk(shell)
        shell.events.register("pre_run_cell", found.before_cell)
        shell.events.register("post_run_cell", found.after_cell)
        hub.desk = found
    return found


def open_desk() -> None:
    """Let a page talk about its notebook, and make `%%task` and the other magics known; nothing is run.

    Raises:
        FlowError: this is no notebook.

    """
    shell = _shell()
    if not shell.find_cell_magic("task"):
        load(shell)
    register_targets()
    desk_of(shell)


def run_orders(text: str) -> None:
    """Run the flow of the open notebook as its page orders it; what comes of it is told to the page.

    Args:
        text: `flowbook.view.protocol.Orders` as JSON.

    Raises:
        FlowbookError: it cannot be run; the page shows why.
        ProtocolError: these are no orders.

    """
    __tracebackhide__ = True
    orders = decode_orders(json.loads(text))
    open_desk()
    try:
        desk_of(_shell()).obey(orders.to, orders.parameters, from_failed=orders.from_failed, notebook=orders.notebook)
    except FlowbookError as error:
        raise type(error)(str(error)) from None


def _shell() -> Any:
    shell = get_ipython()
    if shell is None:
        msg = f"{shown('flowbook.notebook.desk')} serves the page of a notebook, and here is none. Use flow.run()."
        raise FlowError(msg)
    return shell
