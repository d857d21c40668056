"""The flow of the task cells of an open notebook, as a page sees it: cells that were not run yet are there as well."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from flowbook.errors import FlowError
from flowbook.notebook.book import DEFAULT_FLOW
from flowbook.notebook.looks import cell_look, nodes_of
from flowbook.notebook.magics import task_cell_of
from flowbook.notebook.refusals import refusing_in
from flowbook.sources import CellSyntaxError, dependencies
from flowbook.view.protocol import CellLook, Fix, Problem, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.flows import Flow
    from flowbook.notebook.book import Notebook
    from flowbook.notebook.outputs import Outputs
    from flowbook.states import State
    from flowbook.view.protocol import CellText

__all__ = ["TaskCells"]


class TaskCells:
    """The task cells of a notebook, with those that stand in the page and were not run.

    Args:
        shell: of the kernel.
        book: what is known of task cells.

    Attributes:
        name: of the flow that is looked at: the first one of the document.

    """

    def __init__(self, shell: Any, book: Notebook) -> None:
        self.shell = shell
        self.book = book
        self.name = DEFAULT_FLOW
        self._cells: tuple[CellText, ...] = ()
        self._refused: dict[str, tuple[str, Problem]] = {}

    # -- what the page tells -------------------------------------------------------------------------------------------

    def see(self, cells: Sequence[CellText]) -> None:
        """Take the cells as they stand in the page; task cells that were not run yet become tasks, and do not run."""
        told = tuple(cells)
        if told == self._cells:
            return
        self._cells = told
        for cell in told:
            if _is_task(cell.source) and not any(cell.cell in known for known in self.book.cells.values()):
                self._put(cell)
            elif _is_settings(cell.source):
                name, code = _settings_of(cell.source)
                self.book.announce(name, code)
        # a cell that does not say any more that it is a task is one no more
        self.book.see({cell.cell: cell.source for cell in told if _is_task(cell.source)})
        self.name = self._first_flow()

    def brought_up_to_date(self, to: str = "") -> Flow | None:
        """Take every task cell with the text it has in the page now; return the flow.

        Cells that cannot be read are left out, and are among the problems.

        Args:
            to: the id of the cell up to which the flow is going to run.

        Raises:
            FlowError: just that cell cannot be read.

        """
        self._refused.clear()
        for cell in self._cells:
            if _is_task(cell.source):
                self._put(cell)
            elif _is_settings(cell.source):
                self._set_up(cell)
        self.name = self._first_flow()
        if to in self._refused:
            raise FlowError(self._refused[to][1].text)
        return self.flow()

    def _put(self, cell: CellText) -> None:
        known = [flow[cell.cell].name for flow in self.book.cells.values() if cell.cell in flow]
        name = known[0] if known else f"cell_{1 + [one.cell for one in self._cells].index(cell.cell)}"
        try:
            flow, made = task_cell_of(self.shell, cell.cell, cell.source, name)
            before = self.book.cells.get(flow, {}).get(cell.cell)
            if before != made:
                self.book.put(made, flow)
        except (UsageError, CellSyntaxError, FlowError) as error:
            line = getattr(error, "lineno", None)
            self._refused[cell.cell] = (cell.source, Problem(cell.cell, str(error), True, line, self._fixes(cell)))

    def _set_up(self, cell: CellText) -> None:
        name, code = _settings_of(cell.source)
        try:
            self.book.set_up(name, self.shell.transform_cell(code))
        except (FlowError, SyntaxError) as error:
            self._refused[cell.cell] = (cell.source, Problem(cell.cell, str(error), True))

    def _fixes(self, cell: CellText) -> tuple[Fix, ...]:
        """Return what would mend a cell whose name is taken, or whose names cannot be seen."""
        line, newline, code = cell.source.partition("\n")
        words = line.split()
        names = {known.name for flow in self.book.cells.values() for known in flow.values() if known.id != cell.cell}
        found = []
        if len(words) > 1 and words[1] in names:
            free = next(name for number in range(2, 1000) if (name := f"{words[1]}_{number}") not in names)
            found.append(Fix(f"Call it {free}", cell.cell, " ".join([words[0], free, *words[2:]]) + newline + code))
        return tuple(found)

    def _first_flow(self) -> str:
        flows = {one: name for name, cells in self.book.cells.items() for one in cells}
        return next((flows[cell.cell] for cell in self._cells if cell.cell in flows), DEFAULT_FLOW)

    # -- how it stands -------------------------------------------------------------------------------------------------

    @staticmethod
    def is_of_a_flow(source: str) -> bool:
        """Tell whether a cell says that it is a task, or that it sets up a flow."""
        return _is_task(source) or _is_settings(source)

    def has_any(self) -> bool:
        """Tell whether there are task cells."""
        return bool(self.book.cells.get(self.name)) or bool(self._refused)

    def flow(self) -> Flow | None:
        """Return the flow, or None when no cell of it can be read."""
        return self.book.flow(self.name) if self.book.cells.get(self.name) else None

    def looks(self) -> list[CellLook]:
        """Return how each code cell of the notebook stands, in document order."""
        flow = self.flow()
        nodes = nodes_of(flow) if flow is not None else {}
        known = self.book.cells.get(self.name, {})
        again = self.book.again(self.name) if flow is not None else {}
        dirty, stale = set(self.book.dirty(self.name)), set(self.book.stale(self.name))
        found = []
        for text in self._cells:
            cell = known.get(text.cell)
            if cell is not None:
                ended = self.book.ended(cell.name, self.name)
                marks = {"dirty": cell.name in dirty, "stale": cell.name in stale}
                look = cell_look(cell.id, cell.name, nodes.get(cell.id, -1), ended, **marks)
                found.append(replace(look, again=again.get(cell.id, "")))
            else:
                role = "settings" if _is_settings(text.source) else "outside"
                found.append(CellLook(text.cell, role, ""))  # type: ignore[arg-type]
        return found

    def problems(self) -> list[Problem]:
        """Return what keeps cells from running."""
        ids = {cell.name: cell.id for cell in self.book.ordered(self.name)}
        sources = {cell.cell: cell.source for cell in self._cells}
        refused = [problem for cell, (source, problem) in self._refused.items() if sources.get(cell) == source]
        own = [Problem(ids.get(one.reader, ""), one.text, True) for one in self.book.problems(self.name)]
        return refused + own

    def reasons(self) -> list[Reason]:
        """Return why cells run after others."""
        cells = self.book.ordered(self.name)
        first = self.book.settings(self.name).read()
        ids = [*("" for _ in first), *(cell.id for cell in cells)]
        found = dependencies([*first, *(cell.names for cell in cells)])
        said = {cell.name: cell.id for cell in cells}
        reasons = [Reason(ids[one.upstream], ids[one.downstream], one.reason) for one in found if ids[one.upstream]]
        return reasons + [
            Reason(said[name], cell.id, "said with --after") for cell in cells for name in cell.after if name in said
        ]

    def chosen(self, name: str) -> Any:
        """Return what a person gave a parameter last; `...` when nobody has."""
        return self.book.chosen(self.name).get(name, ...)

    def outputs_of(self, cell: str) -> Outputs | None:
        """Return what a cell printed and showed when it ran last."""
        return self.book.shelf.outputs.get(cell)

    # -- running -------------------------------------------------------------------------------------------------------

    def run(self, *, to: str, from_failed: bool, parameters: Mapping[str, Any], **options: Any) -> State:
        """Run the flow, or a part of it; see `flowbook.notebook.book.Notebook.run`."""
        said: dict[str, Any] = {
            "to": self.book.name_of(to, self.name) or to or None,  # another task may have the id for a name
            "from_failed": from_failed,
            "thorough": True,
            "parameters": parameters,
        }
        with refusing_in(self.book.namespace):
            return self.book.run(self.name, **said, **options)


def _is_task(source: str) -> bool:
    return source.lstrip().partition("\n")[0].split()[:1] == ["%%task"]


def _is_settings(source: str) -> bool:
    return source.lstrip().partition("\n")[0].split()[:1] == ["%%flow"]


def _settings_of(source: str) -> tuple[str, str]:
    """Return the name of the flow that a cell sets up, and the code below its magic."""
    line, _, code = source.lstrip().partition("\n")
    return line.partition("%%flow")[2].strip() or DEFAULT_FLOW, code
