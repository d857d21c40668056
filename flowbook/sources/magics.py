"""The door to IPython: cells with magics, `!` and `?` go through its own transform, and are then looked through.

The transform turns `%time r = f(a)` into a call with a text, in which the write of `r` would be lost; so the
text of the magics listed here is read as code again.
"""

from __future__ import annotations

import ast
import importlib
import re
import tokenize
import warnings
from functools import lru_cache
from typing import Any

from flowbook.sources.definitions import Definitions, bound_names
from flowbook.sources.knowledge import BUILTINS, words
from flowbook.sources.scopes import Frame
from flowbook.sources.sharing import FRESH, Value
from flowbook.sources.trees import parsed

_LOOKS_SPECIAL = re.compile(r"^\s*(?:[%!?/,;]|>>>|\.\.\.|In \[|In\[)|\?\s*(?:#.*)?$|=\s*[%!]|\A\s+\S", re.MULTILINE)

# Magic -> its options that take a value. The rest of the line (and the cell below) is code.
_THROUGH = {
    "time": "", "prun": "DlsT", "memit": "rti", "mprun": "fT", "lprun": "fmDTuz", "timeit": "nr",
    "capture": "", "snakeviz": "fth", "scalene": "", "pyinstrument": "", "heat": "",
}  # fmt: skip
_FUNCTION_SCOPE = frozenset(["timeit"])  # binds nothing in the notebook
_OURS = frozenset(["task", "flow"])
_EFFECTS = {
    "settings": words(
        """
        matplotlib config precision load_ext reload_ext unload_ext autoreload colors xmode automagic pprint
        doctest_mode gui autocall alias alias_magic unalias pdb logstart logstop logon logoff aimport
        """
    ),
    "process": words(
        """
        cd env set_env pushd popd pip conda mamba micromamba uv load_dotenv dotenv tensorboard sx system sc
        killbgscripts mkdir rm rmdir mv cp bookmark
        """
    ),
    "files": words(
        """
        writefile file pip conda mamba micromamba uv sx system sc mkdir rm rmdir mv cp save logstart
        notebook tensorboard
        """
    ),
}
_LOOKS = {
    "files": words("ls cat ll lf lk ldir lx less more man pycat"),
    "process": words("pwd ls dhist dirs"),
}
_HARMLESS = words(
    """
    html svg latex markdown javascript js pinfo pinfo2 pdef pdoc pfile psource psearch page lsmagic magic
    quickref flowbook watermark clear cls
    """
)
_WHY = {
    "run": "runs another file in the notebook",
    "reset": "clears the namespace",
    "who": "shows the whole namespace",
    "whos": "shows the whole namespace",
    "who_ls": "shows the whole namespace",
    "rerun": "runs earlier input again",
    "pylab": "binds names the text does not tell",
}
# Shell variables that are no Python names.
_ENVIRONMENT = words(
    """
    HOME PATH USER PWD SHELL TMPDIR LANG PYTHONPATH HOSTNAME LD_LIBRARY_PATH CONDA_PREFIX
    """
)


def parse_cell(source: str, first_line: int = 1) -> list[ast.stmt]:
    """The statements of a cell, magics transformed; SyntaxError with the cell's line if they are none."""
    skipped = 0
    try:
        try:
            body = _parse(source)
        except SyntaxError:
            if not _LOOKS_SPECIAL.search(source):
                raise
            lines = source.split("\n")
            while skipped < len(lines) and not lines[skipped].strip():
                skipped += 1  # IPython takes empty lines off
            body = _parse(_transform("\n".join(lines[skipped:])))
    except SyntaxError as error:
        line = (error.lineno or 1) + skipped + first_line - 1
        raise SyntaxError(error.msg, ("", line, 0, "")) from None
    if skipped + first_line > 1:
        for statement in body:
            ast.increment_lineno(statement, skipped + first_line - 1)
    return body


def _parse(source: str) -> list[ast.stmt]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in somebody's text is theirs to know
            return parsed(source).body
    except SyntaxError:
        raise
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        # A null byte, half a surrogate pair, or a thousand brackets.
        raise SyntaxError(str(error) or "too deeply nested", ("", 1, 0, "")) from None


@lru_cache(maxsize=1)
def _manager() -> Any:
    # By name, so that reading plain Python, and importing this package, never loads IPython.
    return importlib.import_module("IPython.core.inputtransformer2").TransformerManager


def _transform(source: str) -> str:
    try:
        manager = _manager()
    except ImportError:
        raise SyntaxError("magics need IPython to be read (pip install ipython)", ("", 1, 0, "")) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about line ends it does not like
            return str(manager().transform_cell(source))
    except SyntaxError:
        raise
    except (ValueError, LookupError, tokenize.TokenError, RecursionError, AttributeError, TypeError) as error:
        raise SyntaxError(f"IPython can not read it ({error})", ("", 1, 0, "")) from None


class Magics(Definitions):
    """Visit what IPython's transform made of magics."""

    def magic(self, node: ast.Call, verb: str) -> Value:
        """Read `get_ipython().verb(...)`: only the transform's own calls with texts are understood."""
        texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        self.hints.add("settings")
        if len(texts) == len(node.args) and not node.keywords:
            if verb in {"system", "getoutput", "system_raw"} and len(texts) == 1:
                return self._shell(texts[0])
            if verb == "run_line_magic" and len(texts) >= 2:  # noqa: PLR2004  name and line
                return self._line(node, texts[0], texts[1])
            if verb == "run_cell_magic" and len(texts) == 3:  # noqa: PLR2004  name, line and body
                self._cell(node, *texts)
                return FRESH
        self.refuse("talks to IPython itself")
        for part in (*node.args, *(keyword.value for keyword in node.keywords)):
            self.value(part)
        return FRESH

    def _shell(self, command: str) -> Value:
        self.touch("process")
        self.touch("files")
        self._expand(command)
        return FRESH

    def _expand(self, text: str) -> None:
        """IPython puts values in the place of {expression} and $name."""
        for inner in re.findall(r"(?<!\{)\{([^{}]+)\}", text):
            try:
                statements = _parse(inner.strip())
            except SyntaxError:
                continue  # IPython leaves alone what it can not evaluate: awk '{print $1}'
            self.run([one for one in statements if isinstance(one, ast.Expr)])
        for name in re.findall(r"(?<![\$\\])\$([A-Za-z_]\w*)", text):
            if name not in _ENVIRONMENT and name not in BUILTINS:
                self.read(name)

    def _effects(self, name: str) -> bool:
        found = False
        for table, change in ((_EFFECTS, True), (_LOOKS, False)):
            for effect, names in table.items():
                if name in names:
                    self.touch(effect, change=change)
                    found = True
        return found

    def _line(self, node: ast.Call, name: str, line: str) -> Value:
        if name in _THROUGH and name != "capture":
            return self._code(name, parse_cell(_without_options(line, _THROUGH[name]), node.lineno))
        if name == "xdel":
            for word in line.split()[-1:]:
                self.remove(word)
        elif not self._effects(name) and name not in _HARMLESS and name not in _OURS:
            self.refuse(f"%{name} {_WHY.get(name, 'is a magic whose names the text does not tell')}")
        if name in {"pinfo", "pinfo2"} and line.strip().isidentifier():
            self.read(line.strip())
        elif name not in _HARMLESS:
            self._expand(line)
        return FRESH

    def _cell(self, node: ast.Call, name: str, line: str, body: str) -> None:
        if name in _THROUGH or name in _OURS:
            # The body starts one line below its magic.
            statements = parse_cell(body, node.lineno + 1)
            if name not in _OURS and name != "capture":
                statements = parse_cell(_without_options(line, _THROUGH[name]), node.lineno) + statements
            self._code(name, statements)
            if name == "capture":
                target = next((word for word in line.split() if not word.startswith("-")), "")
                if target.isidentifier():
                    self.store(target, (self.new_token(),))
        elif self._effects(name):
            self._expand(line)
        elif name not in _HARMLESS:
            self.refuse(f"%%{name} is another language, or of unknown meaning: name its inputs and outputs", apart=True)
            for made in re.findall(r"--(?:out|err)\s+([A-Za-z_]\w*)", line):
                self.store(made, (self.new_token(),))

    def _code(self, name: str, statements: list[ast.stmt]) -> Value:
        """Read the code that a magic runs; the answer is the value of a lone expression: x = %time f(a)."""
        if name in _FUNCTION_SCOPE:
            bound, outside, _ = bound_names(statements)
            self.frames.append(Frame("function", bound, outside))
            self.run(statements)
            self.frames.pop()
            self.state.dead = False
        elif len(statements) == 1 and isinstance(statements[0], ast.Expr):
            return self.value(statements[0].value)
        else:
            self.run(statements)
        return FRESH


def _without_options(line: str, valued: str) -> str:
    """What follows a magic's options: `-s cumulative f(x)` is `f(x)` where -s takes a value."""
    words = line.lstrip()
    while words.startswith("-"):
        option, _, words = words.partition(" ")
        words = words.lstrip()
        if len(option) == 2 and option[1] in valued:  # noqa: PLR2004  -s value, not -svalue
            words = words.partition(" ")[2].lstrip()
    return words
