"""Documents: notebook files, as code to be run.

Reading one runs nothing. What cannot be read is told with the cell and the line; all formats since 3 are taken, and
cells without ids get some.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, shown
from flowbook.notebook.files import read_node
from flowbook.sources import CellNames, CellSyntaxError, Dependency, analyse, dependencies
from flowbook.sources.magics import parse_cell

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

__all__ = ["CodeCell", "Document", "document_of", "read_document"]

# Tags and roles that leave a cell out of the flow.
_LEFT_OUT = frozenset({"skip", "skip-execution"})
PARAMETERS = "parameters"
# Functions whose name says little without what they are given.
_SAYING = frozenset({"display", *dir(builtins)})
# So many of the names that a cell makes stand in its own.
_SPOKEN = 3


@dataclass(frozen=True)
class CodeCell:
    """One code cell of a document.

    Attributes:
        id: of the cell.
        place: among all cells of the notebook, from 0.
        number: among the code cells that are run, from 1.
        name: for people: the metadata's, else the first comment, else what it makes for other cells ("rows, total"),
            else what its last line shows ("df.head"), else
            "cell 3".
        source: its text.
        tags: as a person gave them.
        names: what it reads and writes.
        problem: why it cannot run, when its text is not Python.

    """

    id: str
    place: int
    number: int
    name: str
    source: str
    tags: frozenset[str]
    names: CellNames
    problem: CellSyntaxError | None = None

    @property
    def title(self) -> str:
        """What messages call it: its number, and its name when it has one."""
        name = self.name.removesuffix(f" ({self.number})")
        return name if name == f"cell {self.number}" else f"cell {self.number} ({name})"

    @property
    def is_parameters(self) -> bool:
        """Whether the cell sets the notebook's parameters."""
        return PARAMETERS in self.tags


@dataclass(frozen=True)
class Document:
    """A notebook file.

    Attributes:
        path: where it was read from.
        node: all of it, as nbformat has it.
        cells: its code cells, in document order, but for empty ones and those that say `skip`.
        kept: what was worked out from these, so that it is done once.

    """

    path: Path
    node: Any
    cells: tuple[CodeCell, ...]
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def dependencies(self) -> list[Dependency]:
        """Which cells must run before which, and why; positions are those in `cells`."""
        if "dependencies" not in self.kept:
            self.kept["dependencies"] = dependencies([cell.names for cell in self.cells])
        found: list[Dependency] = self.kept["dependencies"]
        return found

    @property
    def parameter_types(self) -> dict[str, Any]:
        """The types which cells tagged `parameters` annotate their names with, as far as these are builtin ones."""
        found: dict[str, Any] = {}
        for cell in self.cells:
            if cell.is_parameters and cell.problem is None:
                found.update(_annotated(cell.source))
        return found

    @property
    def parameters(self) -> dict[str, Any]:
        """The names which cells tagged `parameters` set, with their values where the text tells them (else `...`)."""
        found: dict[str, Any] = {}
        for cell in self.cells:
            if cell.is_parameters and cell.problem is None:
                found.update(_assigned(cell.source))
        return found

    def cell(self, wanted: str) -> CodeCell:
        """Return the cell of a name, an id, or a number from 1.

        Raises:
            FlowError: there is none, or several of that name.

        """
        named = [cell for cell in self.cells if wanted in {cell.id, cell.name}]
        if not named and wanted.isdigit():
            named = [cell for cell in self.cells if cell.number == int(wanted)]
        if len(named) != 1:
            known = ", ".join(f"{cell.number} {shown(cell.name, 30)}" for cell in self.cells[:20])
            many = "several cells are" if named else "no cell is"
            msg = f"{many} called {shown(wanted)} in {self.path.name}. Name one by number, id or name: {known}."
            raise FlowError(msg)
        return named[0]


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read a notebook file.

    Args:
        path: of the file.

    Raises:
        FlowError: it is not there, is no notebook, or is one of another language than Python.

    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        msg = f"{path} cannot be read: {reason}. Give the path of a notebook, as analysis.ipynb."
        raise FlowError(msg) from None
    return _document(path, text)


def _document(path: Path, text: str) -> Document:
    try:
        node = read_node(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} is not JSON ({error.msg})" if text.strip() else "it is empty"
        msg = f"{path} is not a notebook: {place}. A notebook is what Jupyter saves as .ipynb."
        raise FlowError(msg) from None
    except Exception as error:  # noqa: BLE001 - nbformat says in many ways that something is no notebook
        words = re.sub(r"\s+", " ", str(error))[:200]
        msg = f"{path} is not a notebook that nbformat can read: {words}"
        raise FlowError(msg) from None
    language = str(
        node.metadata.get("language_info", {}).get("name")
        or node.metadata.get("kernelspec", {}).get("language")
        or "python"
    )
    if language.lower() not in {"python", "python3", "ipython"}:
        msg = f"{path} is a notebook of {shown(language)}; only Python notebooks can be run as flows."
        raise FlowError(msg)
    return document_of(node, path)


def document_of(node: Any, path: Path) -> Document:
    """Return the document of a notebook, as nbformat has it; cells without an id get one."""
    cells = _cells(node)
    edges = dependencies([cell.names for cell in cells])
    return Document(path, node, tuple(_named(cells, edges)), {"dependencies": edges})


def _cells(node: Any) -> list[CodeCell]:
    found: list[CodeCell] = []
    _give_ids(node.cells)
    for place, cell in enumerate(node.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        ours = cell.metadata.get("flowbook", {})
        tags = {str(tag) for tag in cell.metadata.get("tags", ())} | ({str(ours["role"])} if "role" in ours else set())
        tags = {PARAMETERS if tag == "params" else tag for tag in tags}
        if tags & _LEFT_OUT:
            continue
        number = len(found) + 1
        names, problem = _read(cell.source)
        name = str(ours.get("name") or _first_comment(cell.source))
        found.append(CodeCell(str(cell["id"]), place, number, name, cell.source, frozenset(tags), names, problem))
    if not any(cell.metadata.get("id") for cell in node.cells) and (node.nbformat, node.nbformat_minor) < (4, 5):
        node.nbformat, node.nbformat_minor = 4, 5  # cells have ids now
    return found


def _give_ids(cells: Any) -> None:
    """Give each cell an id of its own; the same ones at each reading, unlike nbformat's."""
    known = {cell.get("id") for cell in cells}
    ids: set[str] = set()
    for place, cell in enumerate(cells):
        if not cell.get("id") or cell["id"] in ids:
            wanted = (f"cell-{place}", *(f"cell-{place}-{number}" for number in range(2, len(cells) + 3)))
            cell["id"] = next(one for one in wanted if one not in known)
            known.add(cell["id"])
        ids.add(cell["id"])


@functools.lru_cache(4096)
def _read(source: str) -> tuple[CellNames, CellSyntaxError | None]:
    try:
        return analyse(source), None
    except CellSyntaxError as error:
        return CellNames(maybe_writes=_written_by(source)), error


_WRITES = re.compile(
    r"^[ \t]*([A-Za-z_][\w \t,]*?)[ \t]*(?:[.\[][^=\n]*)?(?:[-+*/%|&^@]|//|\*\*|<<|>>)?=(?!=)", re.MULTILINE
)
_BINDS = re.compile(r"^[ \t]*(?:(?:async )?def|class|(?:from .* )?import(?: .* as)?)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)


def _written_by(source: str) -> frozenset[str]:
    """Guess what a cell that cannot be read would write: its readers wait for it, and nobody reads an old value."""
    found = {name for text in _WRITES.findall(source) for name in re.split(r"[ \t,]+", text)}
    return frozenset(name for name in found | set(_BINDS.findall(source)) if name.isidentifier())


def _first_comment(source: str) -> str:
    """Return the first line when it is a comment with words in it, without its mark."""
    first = next((line.strip() for line in source.splitlines() if line.strip()), "")
    words = first.strip("#%- ") if first.startswith("#") else ""
    return words[:60] if re.search(r"\w", words) else ""


def _named(cells: list[CodeCell], edges: Iterable[Dependency]) -> Iterator[CodeCell]:
    """Give each cell a name of its own, for people: identifiers and comments only, for values may be secret."""
    needed: dict[int, set[str]] = {}
    for edge in edges:
        if edge.kind == "data":
            needed.setdefault(edge.upstream, set()).update(edge.names)
    used: set[str] = set()
    for position, cell in enumerate(cells):
        role = "set parameters" if cell.is_parameters else ""
        name = (
            cell.name or role or _made(cell, needed.get(position, set())) or _last_line(cell) or f"cell {cell.number}"
        )
        while name in used:
            name = f"{name} ({cell.number})"
        used.add(name)
        yield replace(cell, name=name)


def _made(cell: CodeCell, needed: set[str]) -> str:
    """Return what a cell makes or changes that other cells read, as its name."""
    own = needed - cell.names.imports
    if needed and not own:
        return "imports"
    words = re.findall(r"\w+", cell.source)
    made = sorted((name for name in own if name in words and name[0] != "_"), key=words.index)
    return ", ".join([*made[:_SPOKEN], *(["…"] if len(made) > _SPOKEN else [])])


def _last_line(cell: CodeCell) -> str:
    """Return what the last statement makes, calls or shows, without values: ``df.mean("x").plot()`` is df.mean.plot."""
    body = [] if cell.problem is not None else parse_cell(cell.source)
    match body[-1] if body else None:
        case ast.Assign([target]) | ast.AnnAssign(target) | ast.AugAssign(target):
            name = _dotted(target)
            return name if name.strip("_") else ""
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            return name
        case ast.Expr(ast.Call(ast.Name(function), given)) if function in _SAYING:
            about = next(filter(None, map(_dotted, given)), "")
            return f"{function} {about}" if about else ""
        case ast.Expr(value):
            name = _dotted(value)
            return "" if name.startswith("get_ipython") else name  # a magic or a shell command
        case _:
            return ""


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(value, name):
            before = _dotted(value)
            return f"{before}.{name}" if before else ""
        case ast.Call(ast.expr() as value) | ast.Subscript(ast.expr() as value) | ast.Await(ast.expr() as value):
            return _dotted(value)
        case _:
            return ""


def _assigned(source: str) -> dict[str, Any]:
    """Return the names a cell assigns at its top level, with their values where they are literals."""
    found: dict[str, Any] = {}
    for statement in parse_cell(source):
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                try:
                    found[target.id] = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    found[target.id] = ...
    return found


def _annotated(source: str) -> dict[str, Any]:
    """Return the names a cell annotates at its top level, with their types where these need no import."""
    found: dict[str, Any] = {}
    for statement in parse_cell(source):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            with contextlib.suppress(TypeError, KeyError):  # what only running the notebook could tell
                found[statement.target.id] = _type(statement.annotation)
    return found


_TYPES: dict[str, Any] = {kind.__name__: kind for kind in (bool, int, float, str, list, dict, tuple, set)}


def _type(written: ast.expr | None) -> Any:
    """Return the type an annotation means; its text is read and never run."""
    match written:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            return _type(ast.parse(text, mode="eval").body)
        case ast.Name(id=name):
            return _TYPES[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type(left) | _type(right)
        case ast.Subscript(value=value, slice=ast.Tuple(elts=parts)):
            return _type(value)[tuple(_type(part) for part in parts)]
        case ast.Subscript(value=value, slice=part):
            return _type(value)[_type(part)]
        case _:
            msg = "no builtin type"
            raise TypeError(msg)
