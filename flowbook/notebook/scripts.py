"""Scripts: a notebook file as a script on the public API, which runs to the same end.

Each code cell becomes a function with ``@task``, or stays as it is where it only imports, defines and sets constants;
the edges keep the order in which cells must run. Lines with ``# %%`` say where each cell begins, so that editors show
them as cells, and `flowbook.notebook.script_cells` can make the notebook again.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, shown
from flowbook.notebook.cells import CellTask, TaskCell, flow_of
from flowbook.notebook.exporting import function_names, function_text
from flowbook.notebook.plain import plain_code, without_annotations
from flowbook.sources import analyse, shared_cells, temporaries
from flowbook.sources.notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowbook.notebook.documents import CodeCell, Document
    from flowbook.notebook.plain import PlainCode
    from flowbook.sources import CellNames
    from flowbook.tasks.base import Task

__all__ = ["FLOW", "HEAD", "SHOWS_FIGURES", "SHOW_FIGURES", "script_of_document"]

FLOW = "[flow]"
HEAD = "It runs to the end to which the notebook runs."
SHOW_FIGURES = "show_figures()"
SHOWS_FIGURES = f'''def {SHOW_FIGURES}:
    """Show figures and close them, as a notebook does after each cell."""
    pyplot.show()
    pyplot.close("all")'''
# What the task that sets the parameters is called.
_SETTER = "flowbook-parameters"


@dataclass(frozen=True)
class _Piece:
    """What is written for a code cell.

    Attributes:
        cell: of the notebook; None stands for the task that sets the parameters.
        plain: its code.
        task_cell: the same, as the cell of a task.

    """

    cell: CodeCell | None
    plain: PlainCode | None
    task_cell: TaskCell


def script_of_document(document: Document, name: str | None = None) -> str:
    """Return a script which builds the flow of a notebook and, when it is run, runs it to the same end.

    Args:
        document: the notebook.
        name: of the flow; the file's when not given.

    Raises:
        FlowError: a cell has code that only IPython runs, or that no function may hold; with the cell and the line.

    """
    if not document.cells:
        msg = f"{document.path} has no code cells, so there is nothing to convert."
        raise FlowError(msg)
    return _Script(document, name or document.path.stem).text()


class _Script:
    def __init__(self, document: Document, name: str) -> None:
        self.document = document
        self.name = name
        self.given = {key: value for key, value in document.parameters.items() if value is not ...}
        self.pieces = list(self._pieces())
        names = [piece.task_cell.names for piece in self.pieces]
        self.private = dict(zip([piece.task_cell.id for piece in self.pieces], temporaries(names), strict=True))
        self.shared = self._shared()
        # all of them are read together, since a shared cell tells what others do
        self.flow = flow_of(name, [piece.task_cell for piece in self.pieces], {})
        cells = [piece.task_cell for piece in self.pieces if piece.task_cell.id not in self.shared]
        self.tasks = {
            task.cell.id: task
            for task in self.flow.nodes
            if isinstance(task, CellTask) and task.cell.id not in self.shared
        }
        uses = Notebook(names).uses
        self.plotting = {
            piece.task_cell.id
            for piece, use in zip(self.pieces, uses, strict=True)
            if "plot" in use.effects and piece.task_cell.id in self.tasks
        }
        self._keep_order_of_prints()
        taken = {one for each in names for one in each.writes | each.reads | each.maybe_writes | each.builtins}
        self.words = function_names(
            [self.tasks[cell.id] for cell in cells], taken | set(self.given) | {"pyplot", "show_figures"}
        )

    def _pieces(self) -> Iterator[_Piece]:
        """Return the code cells, and behind the one that sets the parameters the task that gives them their values."""
        last = max((at for at, cell in enumerate(self.document.cells) if cell.is_parameters), default=None)
        for at, cell in enumerate(self.document.cells):
            plain = plain_code(cell, _called(cell))
            names = analyse(plain.text)
            text = without_annotations(plain.text, names.writes | names.maybe_writes)
            yield _Piece(cell, plain, TaskCell(cell.id, cell.name, text, names, source=cell.source))
            if at == last and self.given:
                names = analyse("\n".join(f"{key} = {value!r}" for key, value in self.given.items()))
                called = {one.name for one in self.document.cells}
                names_for_it = (f"parameters{'_' * more}" for more in itertools.count())
                free = next(name for name in names_for_it if name not in called)
                yield _Piece(None, None, TaskCell(_SETTER, free, "", names))

    def _shared(self) -> frozenset[str]:
        """Return the ids of the cells that stay as they are, at the level of the module."""
        names = [piece.task_cell.names for piece in self.pieces]
        ids = [piece.task_cell.id for piece in self.pieces]
        found = {ids[place] for place in shared_cells(names)}
        without = [(one, each) for one, each in zip(ids, names, strict=True) if one != _SETTER]
        alone = {without[place][0] for place in shared_cells([each for _, each in without])}
        found |= {piece.cell.id for piece in self.pieces if piece.cell and piece.cell.is_parameters} & alone
        found.discard(_SETTER)
        if len(found) == len(self.pieces):
            found = set()  # a flow has tasks
        return frozenset(found)

    def _keep_order_of_prints(self) -> None:
        """Let cells that print do so in the order of the notebook: a script has one place for all that is printed."""
        speaking = {name for piece in self.pieces for name in _speaking(piece.task_cell.names)}
        before: Task | None = None
        for piece in self.pieces:
            task = self.tasks.get(piece.task_cell.id)
            if task is None or piece.plain is None:
                continue
            if piece.plain.speaks or speaking & piece.task_cell.names.reads:
                if before is not None and before not in self.flow.upstream_tasks(task):
                    self.flow.add_edge(before, task)
                before = task

    # -- writing -----------------------------------------------------------------------------------------------------

    def text(self) -> str:
        pieces = {piece.cell.id: piece for piece in self.pieces if piece.cell is not None}
        blocks = [self._head()]
        for cell in self.document.node.cells:
            if cell["id"] in pieces:
                blocks.append(self._part(pieces[cell["id"]], cell))
            elif cell["cell_type"] == "code" and not cell["source"].strip():
                continue
            else:  # words, and cells that are left out of the flow
                kind = "markdown" if cell["cell_type"] == "markdown" else f"left out: {cell['cell_type']}"
                blocks.append(f"{_mark(f'[{kind}]', cell)}\n{_commented(cell['source'])}")
        blocks.append("\n".join(self._flow()))
        script = "\n\n\n".join(blocks) + "\n"
        self._check(script)
        return script

    def _check(self, script: str) -> None:
        try:
            compile(script, "<script>", "exec", dont_inherit=True)
        except SyntaxError as error:
            msg = f"{error.msg}: {shown((error.text or '').strip())} cannot stand in a function. Rewrite that line."
            raise FlowError(msg) from None

    def _head(self) -> str:
        file = self.document.path.name
        imports = {line for piece in self.pieces if piece.plain for line in piece.plain.imports}
        future = sorted(line for line in imports if "__future__" in line)
        ours = ", ".join(["Flow", *(["Parameter"] if self.given else []), "task"])
        words = f'"""The flow {self.name}, converted from {file}.\n\n{HEAD} A line with `# %%` begins a cell of it:\n'
        words += '`flowbook convert` makes a notebook of this file again.\n"""\n'
        imports |= {"from matplotlib import pyplot"} if self.plotting else set()
        head = "\n".join([words, *future, *sorted(imports - set(future)), f"from flowbook import {ours}"])
        return f"{head}\n\n\n{SHOWS_FIGURES}" if self.plotting else head

    def _part(self, piece: _Piece, cell: Any) -> str:
        head = _mark(_title(piece.task_cell.name), cell)
        if piece.task_cell.id in self.shared:
            return f"{head}\n{piece.plain.text.strip(chr(10))}" if piece.plain else head
        task = self.tasks[piece.task_cell.id]
        text = f"{head}\n{function_text(task, self.words[task], self.private[piece.task_cell.id])}"
        return f"{text}\n    {SHOW_FIGURES}" if task.cell.id in self.plotting else text

    def _flow(self) -> Iterator[str]:
        yield f"# %% {FLOW}"
        setter = self.tasks.get(_SETTER)
        if setter is not None:
            yield f"@task\ndef {self.words[setter]}({', '.join(self.given)}):"
            yield f"    globals().update({', '.join(f'{key}={key}' for key in self.given)})\n\n"
        yield f"with Flow({self.name!r}) as flow:"
        for task in self._sorted():
            given = [f"{key}=Parameter({key!r}, {self._default(key)})" for key in self.given] if task is setter else []
            before = [f"of_{self.words[one]}" for one in self._just_before(task)]
            given += [f"upstream_tasks=[{', '.join(before)}]"] if before else []
            yield f"    of_{self.words[task]} = {self.words[task]}({', '.join(given)})"
        yield '\n\nif __name__ == "__main__":\n    raise SystemExit(0 if flow.run().is_successful() else 1)'

    def _default(self, name: str) -> str:
        wanted = self.document.parameter_types.get(name)
        written = wanted.__name__ if isinstance(wanted, type) and not hasattr(wanted, "__args__") else str(wanted)
        return f"default={self.given[name]!r}" + (f", type={written}" if wanted is not None else "")

    def _just_before(self, task: Task) -> list[Task]:
        """Return the tasks upstream, but for those which others of them wait for already."""
        upstream = self.flow.upstream_tasks(task)
        further: set[Task] = set()
        waiting = [above for one in upstream for above in self.flow.upstream_tasks(one)]
        while waiting:
            one = waiting.pop()
            if one not in further:
                further.add(one)
                waiting += self.flow.upstream_tasks(one)
        return [one for one in self._sorted() if one in upstream and one not in further]

    def _sorted(self) -> list[Task]:
        """Return the tasks in an order in which they may run."""
        ours = set(self.tasks.values())
        return [task for task in self.flow.sorted_tasks() if task in ours]


def _speaking(names: CellNames) -> set[str]:
    """Return the functions and classes of a cell that print when they are called."""
    return {name for name, body in names.deferred.items() if _prints(body)}


def _prints(body: Any) -> bool:
    return bool({"print", "display"} & (body.builtins | body.reads)) or any(map(_prints, body.methods.values()))


def _called(cell: CodeCell) -> str:
    return cell.name if cell.name == f"cell {cell.number}" else f"cell {cell.number} ({cell.name})"


def _title(name: str) -> str:
    return " ".join(name.replace("[", "(").replace("]", ")").split())


def _mark(title: str, cell: Any) -> str:
    """Return the line that begins a cell."""
    facts = {"id": cell["id"]}
    tags = [str(tag) for tag in cell["metadata"].get("tags", ())]
    if tags:
        facts["tags"] = tags
    ours = cell["metadata"].get("flowbook")
    if ours:
        facts["flowbook"] = ours
    return f"# %% {title} {json.dumps(facts, ensure_ascii=True)}"


def _commented(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.split("\n"))
