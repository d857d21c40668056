"""Read the pages of the guide, and run what stands in them.

A page is read from top to bottom. These parts are run, in one namespace per page:

* A block of ``python``: plain code.
* A block of ``pycon``: a session, as in doctest; what it prints, errors included, must be what stands below each
  prompt, line breaks apart. ``...`` stands for anything.
* A block of ``ipython``: one notebook cell; its first use on a page is ``%load_ext flowbook``.
* ``<!-- picture: expression -->`` above an image: the image is what the expression draws. Statements before it are
  parted by ``;``. `half_way`, `every_state` and `in_the_middle` of `tests.guide_pictures` are at hand.
  ``bash .ci/golden`` writes them.
"""

from __future__ import annotations

import ast
import doctest
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests import guide_pictures
from tests.conftest import Golden

GUIDE = Path(__file__).parents[1] / "notebooks" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))

_PART = re.compile(
    r"^```(?P<kind>python|pycon|ipython)\n(?P<code>.*?)^```$"
    r"|^<!-- picture: (?P<drawing>.+?) -->\n!\[(?P<alt>[^\]]+)\]\((?P<file>pictures/[\w-]+\.svg)\)$",
    re.DOTALL | re.MULTILINE,
)
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_ROW = re.compile(r"(?<!\\)\|")


class Part(NamedTuple):
    """A part of a page that is run: what kind, its code, the line it begins at, the file that a picture is kept in."""

    kind: str
    code: str
    line: int
    file: str = ""


def parts(page: Path) -> Iterator[Part]:
    """Read what is to be run on a page, in order."""
    text = page.read_text("utf-8")
    for found in _PART.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        if found["kind"]:
            yield Part(found["kind"], found["code"], line)
        else:
            yield Part("picture", found["drawing"].replace("; ", "\n"), line - 1, found["file"])


def run_page(page: Path, golden: Golden, shell: Any) -> None:
    """Run all parts of a page in one namespace, and compare its pictures.

    Args:
        page: the file.
        golden: the fixture of that name.
        shell: an IPython shell, or None on a page that has no notebook cells.

    """
    namespace: dict[str, Any] = {"__name__": "__main__"} if shell is None else shell.user_ns
    for part in parts(page):
        name = f"{page.name}, line {part.line}"
        if part.kind == "python":
            exec(compile("\n" * part.line + part.code, str(page), "exec"), namespace)
        elif part.kind == "pycon":
            run_session(part, namespace, page)
        elif part.kind == "ipython":
            shell.run_cell(part.code).raise_error()
        else:
            golden(f"../../notebooks/guide/{part.file}", drawn(part.code, namespace, name))


def run_session(part: Part, namespace: dict[str, Any], page: Path) -> None:
    """Run a session and compare what it prints."""
    test = doctest.DocTestParser().get_doctest(part.code, {}, page.name, str(page), part.line)
    test.globs = namespace  # not a copy: what a session defines is used further down
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    runner.run(test, out=said.write, clear_globs=False)
    assert runner.failures == 0, said.getvalue()


def drawn(code: str, namespace: dict[str, Any], name: str) -> str:
    """Run the statements of a picture and return what the last one gives."""
    helpers = {
        "half_way": guide_pictures.half_way,
        "every_state": guide_pictures.every_state,
        "in_the_middle": guide_pictures.in_the_middle,
    }
    tree = ast.parse(code, name)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr), f"{name}: the last statement must draw"
    exec(compile(tree, name, "exec"), namespace)
    return str(eval(compile(ast.Expression(last.value), name, "eval"), {**namespace, **helpers})) + "\n"


def code_of(page: Path) -> str:
    """Return all that is set as code on a page: blocks and spans, one below the other."""
    return "\n".join(_CODE.findall(page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """Return the anchors which GitHub and JupyterLab give to the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Return the links of a page that stay in the repository, as path and anchor."""
    for link in _LINK.findall(page.read_text("utf-8")):
        if not link.startswith(("http:", "https:")):
            path, _, anchor = link.partition("#")
            yield path, anchor


def table(page: Path, first: str) -> list[list[str]]:
    """Return the rows of the table whose first heading is `first`, cells without backticks."""
    lines = page.read_text("utf-8").splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("`", "").replace(r"\|", "|") for cell in _ROW.split(line)[1:-1]])
    return rows
