"""Script cells: a script as a notebook, the way back from `flowbook.notebook.scripts`.

A script that was made of a notebook becomes that notebook again: the function of each cell is the cell. Any other
script becomes a notebook that does what it does: each function, each class, and what stands between them is a cell, in
the same order. Lines with ``# %%``, which editors take for the beginning of a cell, are followed in both.
"""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
import textwrap
import tokenize
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, shown
from flowbook.notebook.files import Node
from flowbook.notebook.plain import with_magics
from flowbook.notebook.scripts import FLOW, HEAD, SHOW_FIGURES, SHOWS_FIGURES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["notebook_of_script"]

_MARK = re.compile(r"^# %%(?P<title>[^\n{]*)(?P<facts>\{.*\})?[ \t]*$", re.MULTILINE)
_OURS = re.compile(
    r"^(?:from flowbook import [\w, ]+|import subprocess|from IPython\.display import display"
    r"|from matplotlib import pyplot)$"
)


@dataclass
class _Part:
    """What stands between two lines that begin a cell."""

    title: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


def notebook_of_script(path: Path) -> Any:
    """Return the notebook of a script, in the form of `flowbook.notebook.files`.

    Args:
        path: of the script.

    Raises:
        FlowError: it cannot be read, or is not Python.

    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        msg = f"{path} cannot be read: {reason}. Give the path of a script, as flow.py."
        raise FlowError(msg) from None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        msg = (
            f"{path} is not Python: line {line}: {getattr(error, 'msg', error)}. Correct the line and convert it again."
        )
        raise FlowError(msg) from None
    parts = _parts(text)
    cells = _as_it_was(tree, parts) or [cell for part in parts for cell in _cells(part)]
    _refuse_file_names(tree, cells, path)
    taken = {cell["id"] for cell in cells if "id" in cell}
    free = (name for name in map("cell-{}".format, itertools.count(1)) if name not in taken)
    for cell in cells:
        cell.setdefault("id", next(free))
    kernel = Node(name="python3", display_name="Python 3", language="python")
    metadata = Node(kernelspec=kernel, language_info=Node(name="python"))
    return Node(cells=cells, metadata=metadata, nbformat=4, nbformat_minor=5)


def _parts(text: str) -> list[_Part]:
    comments = _comment_lines(text)
    marks = [mark for mark in _MARK.finditer(text) if text.count("\n", 0, mark.start()) + 1 in comments]
    parts = [_Part("", text[: marks[0].start()] if marks else text)]
    for mark, after in itertools.zip_longest(marks, marks[1:]):
        try:
            facts = json.loads(mark["facts"] or "{}")
        except ValueError:
            facts = {}
        end = len(text) if after is None else after.start()
        parts.append(_Part(mark["title"].strip(), text[mark.end() : end].strip("\n"), facts))
    return parts


def _comment_lines(text: str) -> set[int]:
    """Return the lines which are comments, and not the inside of a text of several lines."""
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0] for token in found if token.type == tokenize.COMMENT}


# -- a script that was a notebook -------------------------------------------------------------------------------------


def _as_it_was(tree: ast.Module, parts: list[_Part]) -> list[Node] | None:
    """Return the cells of the notebook that a script was made of; None when it was not, or is no longer as it was."""
    if HEAD not in (ast.get_docstring(tree) or "") or parts[-1].title != FLOW:
        return None
    functions: list[str] = []
    cells: list[Node] = []
    for part in parts[1:-1]:
        if part.title.startswith("["):
            cells.append(_words_cell(part))
            continue
        function = _function_of(part.text)
        if function is not None and function.args.args:
            return None  # it takes results of others, which only the flow gives it
        if function is not None:
            functions.append(function.name)
        cells.append(_cell(part, _body(part.text, function) if function is not None else part.text))
    if not _is_plain_flow(parts[-1].text, functions):
        return None
    needs_subprocess = any("subprocess." in cell["source"] for cell in cells)
    return [*_head_cells(parts[0], needs_subprocess=needs_subprocess), *cells]


def _head_cells(part: _Part, *, needs_subprocess: bool) -> list[Node]:
    """Return a cell of what somebody has added at the top."""
    tree = ast.parse(part.text)
    lines = part.text.split("\n")
    kept = [
        "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in tree.body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    kept = [text for text in kept if text != SHOWS_FIGURES]
    kept = [text for text in kept if not _OURS.fullmatch(text) or (needs_subprocess and text == "import subprocess")]
    return [_cell(_Part("", ""), "\n".join(kept))] if kept else []


def _function_of(text: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the function with ``@task`` which is all that a part holds."""
    body = ast.parse(text).body
    if len(body) == 1 and isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef) and body[0].decorator_list:
        decorator = body[0].decorator_list[0]
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Name) and called.id == "task":
            return body[0]
    return None


def _body(text: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the body of a function as the text of a cell."""
    lines = text.split("\n")[function.lineno :]
    while lines and re.match(r"\s+global ", lines[0]):
        del lines[0]
    made = textwrap.dedent("\n".join(lines)).strip("\n")
    body = [node for node in function.body if not isinstance(node, ast.Global)]
    if lines and lines[-1].strip() == SHOW_FIGURES:
        del lines[-1], body[-1]
        made = textwrap.dedent("\n".join(lines)).strip("\n")
    wanted = [ast.dump(node) for node in body]
    if [ast.dump(node) for node in _parsed(made)] != wanted:  # a text of several lines was dedented as well
        made = _dedented(lines)
    if [ast.dump(node) for node in _parsed(made)] != wanted:
        made = ast.unparse(ast.Module(body, []))
    code = [line for line in made.split("\n") if line.strip()]
    if code and code[-1] == "pass" and all(line.startswith("#") for line in code[:-1]):
        made = made.rpartition("pass")[0].strip("\n")
    return made


def _dedented(lines: list[str]) -> str:
    return "\n".join(line.removeprefix("    ") for line in lines).strip("\n")


def _parsed(text: str) -> list[ast.stmt]:
    try:
        made = compile(text, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return []
    assert isinstance(made, ast.Module)
    return made.body


def _is_plain_flow(text: str, functions: list[str]) -> bool:
    """Tell whether the flow runs each function once, and each after those above that it waits for."""
    blocks = [node for node in ast.parse(text).body if isinstance(node, ast.With)]
    if len(blocks) != 1:
        return False
    called: list[str] = []
    for node in blocks[0].body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            return False
        if not isinstance(node.value.func, ast.Name):
            return False
        called.append(node.value.func.id)
        above = {one.id.removeprefix("of_") for one in ast.walk(node.value) if isinstance(one, ast.Name)}
        place = {name: at for at, name in enumerate(functions)}
        here = place.get(called[-1], len(functions))
        if any(place[name] > here for name in above if name in place):
            return False
    setters = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return sorted(called) == sorted([*functions, *setters])


# -- any script -------------------------------------------------------------------------------------------------------


def _cells(part: _Part) -> list[Node]:
    """Return the cells of a part: each function and class one, and what stands between them."""
    if part.title.startswith(("[markdown]", "[left out")):
        comments = re.match(r"(?:#[^\n]*(?:\n|$))*", part.text)
        end = comments.end() if comments else 0
        below = _Part("", part.text[end:].strip("\n"))
        return [_words_cell(_Part(part.title, part.text[:end].strip("\n"), part.facts)), *_cells(below)]
    text = re.sub(r"\A(?:#!.*\n|#.*coding[:=].*\n)*", "", part.text)  # says how to run the file
    tree = ast.parse(text)
    lines = text.split("\n")
    groups: list[tuple[int, int, ast.stmt | None]] = []  # first line, last line, and what is a cell of its own
    at = 0
    for node in tree.body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))]) - 1
        last = node.end_lineno or node.lineno
        stands_alone = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.With | ast.If)
        if groups and not stands_alone and groups[-1][2] is None:
            groups[-1] = (groups[-1][0], last, None)
        else:
            groups.append((at, last, node if stands_alone else None))
        at = last
        assert first <= last
    found: list[Node] = []
    for begin, until, alone in groups:
        found += _with_words("\n".join(lines[begin:until]), alone)
    rest = "\n".join(lines[at:]).strip("\n")
    if rest.strip():
        found += _with_words(rest, None)
    if found and part.facts.get("id"):
        found[-1]["id"] = str(part.facts["id"])
    return found


def _with_words(text: str, node: ast.stmt | None) -> list[Node]:
    """Return a cell, and above it its words, where comments stand apart from the code."""
    text = text.strip("\n")
    found = []
    while split := re.match(r"((?:#[^\n]*(?:\n|\Z))+)\s*(?:\n|\Z)", text):
        found.append(_markdown(re.sub(r"^# ?", "", split[1], flags=re.MULTILINE).strip()))
        text = text[split.end() :].strip("\n")
    docstring = re.match(r'\s*"""(.*?)"""\s*', text, re.DOTALL) if node is None else None
    if docstring:
        found.append(_markdown(docstring[1].strip()))
        text = text[docstring.end() :]
    if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'" and not node.orelse:
        text = _main(text)
    return [*found, _cell(_Part("", ""), text)] if text.strip() else found


def _main(text: str) -> str:
    """Return what a script does when it is run, as a notebook does it: without ending the program."""
    _, _, body = text.partition("\n")
    body = textwrap.dedent(body) if body.strip() else text.partition(":")[2].strip()
    ending = re.compile(
        r"^raise SystemExit\(0 if (.+?)\.is_successful\(\) else 1\)$|^(?:sys\.)?exit\((.*)\)$", re.MULTILINE
    )
    return ending.sub(lambda found: found[1] or found[2] or "", body)


def _refuse_file_names(tree: ast.Module, cells: list[Node], path: Path) -> None:
    """Refuse what only a file has."""
    code = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "__file__" and "__file__" in code:
            msg = (
                f"{path}, line {node.lineno}: a notebook has no __file__. It runs in its folder: write the path from "
                "there, as pathlib.Path('data.csv')."
            )
            raise FlowError(msg)


# -- cells ------------------------------------------------------------------------------------------------------------


def _cell(part: _Part, text: str) -> Node:
    made = Node(cell_type="code", metadata=_metadata(part), source=with_magics(text), outputs=[], execution_count=None)
    return _identified(made, part)


def _markdown(text: str) -> Node:
    return Node(cell_type="markdown", metadata=Node(), source=text)


def _words_cell(part: _Part) -> Node:
    text = re.sub(r"^# ?", "", part.text, flags=re.MULTILINE)
    kind = part.title.strip("[]").rpartition(" ")[2]
    if kind not in {"markdown", "raw", "code"}:
        msg = f"a cell of kind {shown(kind)} is not known. Kinds: markdown, raw, code."
        raise FlowError(msg)
    made = Node(cell_type=kind, metadata=_metadata(part), source=text)
    if kind == "code":
        made.update(outputs=[], execution_count=None)
    return _identified(made, part)


def _identified(cell: Node, part: _Part) -> Node:
    if part.facts.get("id"):
        cell["id"] = str(part.facts["id"])
    return cell


def _metadata(part: _Part) -> Node:
    return Node({key: part.facts[key] for key in ("tags", "flowbook") if key in part.facts})
