"""Plain Python: the code of notebook cells without what only IPython runs, otherwise line by line as it was written.

`%time` and `%%time` leave the code that they time, `!command` becomes a `subprocess.run` whose output is printed, and
magics that set up a notebook stay as comments, and come back from them. What has no meaning in Python is refused.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.errors import FlowError, shown
from flowbook.sources.magics import parse_cell
from flowbook.sources.notebook import HISTORY

if TYPE_CHECKING:
    from flowbook.notebook.documents import CodeCell

__all__ = ["PlainCode", "plain_code", "with_magics"]

# Magics that say something to the notebook only; a script leaves them out.
_ONLY_IN_NOTEBOOKS = (
    "matplotlib",
    "load_ext",
    "reload_ext",
    "autoreload",
    "config",
    "precision",
    "pprint",
    "colors",
    "xmode",
    "automagic",
    "autosave",
    "gui",
)
_TIMED = re.compile(r"%%?time(?:it)?\b")
_TIME_MARKS = re.compile(r"^(?P<before>[ \t]*)(?P<code>.+?)  # %time$", re.MULTILINE)
_COMMENT = re.compile(rf"^([ \t]*)# (%(?:%time$|(?:{'|'.join(_ONLY_IN_NOTEBOOKS)})\b.*))$", re.MULTILINE)
_SHELL = "shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT"
_RUN = rf"subprocess\.run\((?P<command>'.*'|\".*\"), {re.escape(_SHELL)}\)\.stdout"
_PRINTED = rf"print\({_RUN}, end=\"\"\)"
_TAKEN = rf"(?P<target>.*) = {_RUN.replace('command', 'other')}\.splitlines\(\)"
_SHELL_LINE = re.compile(rf"^(?P<before>[ \t]*)(?:{_PRINTED}|{_TAKEN})$", re.MULTILINE)
# Names that stand for what a function has of its own: in a function they mean something else than in a cell.
_OF_A_SCOPE = {
    "exec": "Write the code itself into the cell",
    "locals": "Use the names themselves",
    "vars": "Use the names themselves",
    "dir": "Use the names themselves",
}


@dataclass(frozen=True)
class PlainCode:
    """The code of a cell as plain Python.

    Attributes:
        text: of it.
        imports: lines that must stand above it in the script.
        speaks: whether it shows or prints something by itself, as far as its text tells.

    """

    text: str
    imports: frozenset[str] = frozenset()
    speaks: bool = False


def plain_code(cell: CodeCell, called: str) -> PlainCode:
    """Return the code of a cell as plain Python.

    Args:
        cell: the cell.
        called: what messages call it.

    Raises:
        FlowError: something in it has no meaning in Python; with the line and what to do.

    """
    if cell.problem is not None:
        msg = f"{called}: {cell.problem}"
        raise FlowError(msg)
    text, imports = _without_magics(cell.source, called)
    future = re.findall(r"^from __future__ import .*$", text, re.MULTILINE)
    text = re.sub(r"^from __future__ import .*$\n?", "", text, flags=re.MULTILINE)
    tree = ast.parse(text)
    _refuse_what_needs_a_cell(tree, called)
    _refuse_changing_displays(tree, called)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if "display" in names and "display" not in cell.names.writes:
        imports |= {"from IPython.display import display"}
    speaks = bool(names & {"print", "display"}) or "import subprocess" in imports
    return PlainCode(text, frozenset({*imports, *future}), speaks)


def _without_magics(source: str, called: str) -> tuple[str, set[str]]:
    """Return the source with each magic replaced, and the imports this needs."""
    first = next((line for line in source.splitlines() if line.strip()), "").strip()
    if first.startswith("%%"):
        return _without_cell_magic(source, first, called)
    imports: set[str] = set()
    lines = source.split("\n")
    statements = [node for top in parse_cell(source) for node in ast.walk(top) if isinstance(node, ast.stmt)]
    for node in statements:
        if _is_magic(node):
            line = lines[node.lineno - 1]
            indent, words = line[: len(line) - len(line.lstrip())], line.strip()
            lines[node.lineno - 1] = indent + _replaced(words, imports, f"{called}, line {node.lineno}")
            if lines[node.lineno - 1].lstrip().startswith("#") and _is_alone_in_block(node, statements):
                lines[node.lineno - 1] += f"\n{indent}pass"
    text = "\n".join(lines)
    try:
        ast.parse(text)
    except SyntaxError as error:
        place = f"{called}, line {error.lineno or 1}"
        msg = f"{place}: {shown((error.text or '').strip(), 60)} is something only IPython reads. {_HOW}"
        raise FlowError(msg) from None
    return text, imports


_HOW = "Take it out of the cell, or run the notebook itself: flowbook run notebook.ipynb"


def _is_magic(node: ast.stmt) -> bool:
    """Tell whether IPython made a statement of a magic."""
    value = getattr(node, "value", None)
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and isinstance(value.func.value, ast.Call)
        and isinstance(value.func.value.func, ast.Name)
        and value.func.value.func.id == "get_ipython"
    )


def _is_alone_in_block(node: ast.stmt, statements: list[ast.stmt]) -> bool:
    return any(getattr(one, "body", None) == [node] or getattr(one, "orelse", None) == [node] for one in statements)


def _without_cell_magic(source: str, first: str, called: str) -> tuple[str, set[str]]:
    magic, _, rest = first.partition(" ")
    before, _, body = source.partition(first)
    if magic != "%%time" or rest.strip():
        does = {
            "%%capture": "holds back what is printed. Take the line out.",
            "%%task": "makes a task of the cell. Write the flow of such cells with %flowbook export flow.py.",
            "%%flow": "sets up a flow of task cells. Write it with %flowbook export flow.py.",
            "%%writefile": "writes a file. Write it with pathlib.Path(...).write_text(...).",
        }.get(magic, f"has no meaning in Python. {_HOW}.")
        msg = f"{called}, line {before.count(chr(10)) + 1}: {magic} {does}"
        raise FlowError(msg)
    text, imports = _without_magics(body.removeprefix("\n"), called)
    return f"{before}# %%time\n{text}", imports


def _replaced(words: str, imports: set[str], place: str) -> str:
    """Return what a line with a magic means in Python."""
    target, equals, magic = words.partition("=") if re.match(r"[\w.\[\]'\", ]+=\s*[!%]", words) else ("", "", words)
    magic = magic.strip()
    prefix = f"{target.rstrip()} = " if equals else ""
    if magic.startswith("!"):
        return _command(magic.removeprefix("!").removeprefix("!").strip(), prefix, imports, place)
    if _TIMED.match(magic) and not magic.startswith("%timeit"):
        return f"{prefix}{magic.partition(' ')[2].strip()}  # %time"
    name = magic.lstrip("%").partition(" ")[0]
    if name in _ONLY_IN_NOTEBOOKS and not equals:
        return f"# {magic}"
    msg = f"{place}: {shown(words, 60)} has no meaning in Python. {_HOW}"
    raise FlowError(msg)


def _command(command: str, prefix: str, imports: set[str], place: str) -> str:
    if re.search(r"[{$]", command):
        msg = (
            f"{place}: {shown('!' + command, 60)} takes values of Python into a shell command. "
            f"Write it with subprocess.run([...]), or run the notebook itself: flowbook run notebook.ipynb"
        )
        raise FlowError(msg)
    imports.add("import subprocess")
    run = f"subprocess.run({command!r}, {_SHELL}).stdout"
    return f"{prefix}{run}.splitlines()" if prefix else f'print({run}, end="")'


def _refuse_what_needs_a_cell(tree: ast.Module, called: str) -> None:
    """Refuse what a function cannot do in the place of a cell."""
    for node in _outside_functions(tree):
        line = getattr(node, "lineno", 1)
        if isinstance(node, ast.Name) and node.id in _OF_A_SCOPE:
            if _is_called_with_arguments(tree, node):
                continue
            problem = f"{node.id}() sees the names of its function. {_OF_A_SCOPE[node.id]}"
        elif (isinstance(node, ast.Name) and node.id == "__annotations__") or _is_main(node):
            problem = f"{ast.unparse(node)} tells of the whole notebook, which is not one module in a script. {_HOW}"
        elif isinstance(node, ast.Name) and node.id == "get_ipython":
            problem = f"get_ipython() talks to IPython, which a script has not. {_HOW}"
        elif isinstance(node, ast.Name) and HISTORY.fullmatch(node.id) and isinstance(node.ctx, ast.Load):
            if node.id in {"_", "__"} and _is_bound(tree, node.id):
                continue
            problem = f"{node.id} is what IPython keeps of the cells before. Give that value a name"
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            problem = f"from {node.module} import * makes names that the text does not tell. Import them one by one"
        else:
            continue
        msg = f"{called}, line {line}: {problem}."
        raise FlowError(msg)


def _refuse_changing_displays(tree: ast.Module, called: str) -> None:
    """Refuse what changes something that was shown: in a terminal it stays as it is."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
        has_id = name == "display" and any(keyword.arg == "display_id" for keyword in node.keywords)
        if has_id or name in {"clear_output", "update_display"}:
            what = "display(display_id=...)" if has_id else f"{name}()"
            msg = f"{called}, line {node.lineno}: {what} changes what was shown, which a script cannot. {_HOW}."
            raise FlowError(msg)


def _is_called_with_arguments(tree: ast.AST, name: ast.Name) -> bool:
    """Tell whether `dir(x)`, `vars(x)`, or `exec(code, names)` is meant, which says whose names it sees."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.func is name]
    return bool(calls) and len(calls[0].args) > (name.id == "exec")


def _is_main(node: ast.AST) -> bool:
    """Tell whether this is `sys.modules["__main__"]`."""
    if not isinstance(node, ast.Subscript) or ast.unparse(node.value) != "sys.modules":
        return False
    return isinstance(node.slice, ast.Constant) and node.slice.value == "__main__"


def _is_bound(tree: ast.AST, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store) for node in ast.walk(tree)
    )


def _outside_functions(tree: ast.AST) -> list[ast.AST]:
    """Return all nodes that are not part of a function's body."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def without_annotations(text: str, made: frozenset[str]) -> str:
    """Return code in which names that are going to be declared ``global`` have no annotations: Python takes no both."""
    tree = ast.parse(text)
    edits: list[tuple[int, int, int, int, str]] = []
    for node in _outside_functions(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in made:
            end = node.value if node.value is not None else node
            begin = (node.target.end_lineno or 1, node.target.end_col_offset or 0)
            if node.value is None:
                edits.append((node.lineno, node.col_offset, end.end_lineno or 1, end.end_col_offset or 0, "pass"))
            else:
                edits.append((*begin, end.lineno, end.col_offset, " = "))
    return _edited(text, edits)


def _edited(text: str, edits: list[tuple[int, int, int, int, str]]) -> str:
    lines = [line.encode() for line in text.split("\n")]  # columns of `ast` count bytes
    for line, column, end_line, end_column, new in sorted(edits, reverse=True):
        joined = lines[line - 1][:column] + new.encode() + lines[end_line - 1][end_column:]
        lines[line - 1 : end_line] = [joined]
    return b"\n".join(lines).decode()


def with_magics(text: str) -> str:
    r"""Return code in which what stands in a script for magics and shell commands of a notebook is that again.

    >>> with_magics("# %matplotlib inline\nimport math")
    '%matplotlib inline\nimport math'

    """
    text = _SHELL_LINE.sub(_shell_line, text)
    text = _TIME_MARKS.sub(_timed_line, text)
    return _COMMENT.sub(lambda found: found[1] + found[2], text)


def _timed_line(found: re.Match[str]) -> str:
    return f"{found['before']}%time {found['code']}"


def _shell_line(found: re.Match[str]) -> str:
    command = ast.literal_eval(found["command"] or found["other"])
    return f"{found['before']}{found['target']} = !{command}" if found["target"] else f"{found['before']}!{command}"
