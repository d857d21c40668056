"""Notebooks become scripts which run to the same end, and scripts become notebooks."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from flowbook import Flow
from flowbook.notebook.documents import read_document
from flowbook.sources import temporaries
from tests.notebook.test_documents import AT_THE_END, NOTEBOOKS, by_a_kernel, run_line, written

# What only IPython runs is refused, see below.
PLAIN = [name for name in NOTEBOOKS if name not in {"magics", "history", "odd ones"}]
HELPERS = """# helpers

def area(r):
    '''Say how large.

  Not indented as usual.'''
    return math.pi * r**2"""
AREAS = """# areas
text = '''one
  two
three'''
areas: list = [area(r) for r in range(days)]
print(where, text)"""
TOLD = """if days > 2:
    %precision 3
for i, a in enumerate(areas):
    print(i, round(a, 2))
print(mean(areas))"""
MORE: dict[str, list[Any]] = {
    "a report": [
        ("markdown", "# A report\n\nwith `code` and\n\n* a list"),
        ("code", "import math\nfrom statistics import mean\n\n%matplotlib inline"),
        ("code", "days: int = 3\nwhere = 'NL'", ["parameters"]),
        ("code", HELPERS),
        ("code", AREAS),
        ("code", TOLD),
        ("code", "%time total = sum(areas)\nwaste = !echo said\nwaste"),
        ("code", "# left out\n1 / 0", ["skip"]),
        ("code", "async def later(x):\n    return x\n\nlate = await later(days)\nprint(late, len(text))  # words"),
    ],
}


def document(path: Path, cells: list[Any]) -> Path:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "x"}})
    for number, (kind, source, *tags) in enumerate(cells):
        made: Any = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        notebook.cells.append(made(source, id=f"cell-{number}", metadata={"tags": tags[0]} if tags and tags[0] else {}))
    nbformat.write(notebook, path)
    return path


def outcome(script: Path, at_the_end: str = AT_THE_END) -> tuple[str, dict[str, str]]:
    """Run a script and return what it printed, and its names with what their values look like."""
    program = (
        f"import sys\nsys.argv[:] = {[str(script)]!r}\n"
        f"try:\n    exec(compile(open({str(script)!r}).read(), {str(script)!r}, 'exec'))\nexcept SystemExit as end:\n"
        f"    assert not end.code, end.code\nprint('-- the end --')\n{at_the_end}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=script.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, _, names = done.stdout.partition("-- the end --\n")
    return said, ast.literal_eval(names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts")


@pytest.mark.parametrize("name", PLAIN)
def test_a_script_prints_what_the_notebook_prints_and_ends_with_the_same_values(name: str, folder: Path) -> None:
    notebook = written(folder / "notebook.ipynb", NOTEBOOKS[name])
    script = folder / "script.py"
    done = run_line("convert", str(notebook), str(script), "--force")
    assert done.exit_code == 0, done.output
    expected = by_a_kernel(name, folder)
    said, names = outcome(script)
    # what a plain Python shows with display() is its text
    assert said.replace("<IPython.core.display.Markdown object>\n{'a': 1}\n", "") == "".join(
        text for cell in expected[:-1] for kind, text in cell if kind == "stdout"
    )
    read = [cell.names for cell in read_document(notebook).cells]
    private = frozenset().union(*temporaries(read))  # loop variables stay in their functions
    for made, looks in ast.literal_eval(expected[-1][0][1]).items():
        inner = re.compile(r"\w+\.<locals>\.")
        assert made in private or inner.sub("", names[made]) == inner.sub("", looks)


@pytest.mark.parametrize("name", [*PLAIN, *MORE])
def test_a_script_made_of_a_notebook_becomes_that_notebook_again(name: str, folder: Path) -> None:
    path, script, again = folder / "there.ipynb", folder / "there.py", folder / "back.ipynb"
    notebook = document(path, MORE[name]) if name in MORE else written(path, NOTEBOOKS[name])
    assert run_line("convert", str(notebook), str(script), "--force").exit_code == 0
    done = run_line("convert", str(script), str(again), "--force")
    assert done.exit_code == 0, done.output
    nbformat.validate(nbformat.read(again, as_version=4))
    before, after = (nbformat.read(one, as_version=4).cells for one in (notebook, again))
    assert [cell.id for cell in before] == [cell.id for cell in after]
    assert [(cell.cell_type, cell.metadata) for cell in before] == [(cell.cell_type, cell.metadata) for cell in after]
    if name in PLAIN:
        assert [cell.source for cell in before] == [cell.source for cell in after]
    else:
        assert "waste = !echo said" in after[6].source
        assert after[0].source == before[0].source


def test_what_only_notebooks_say_is_left_out_and_the_rest_runs_to_the_same_end(tmp_path: Path) -> None:
    script = tmp_path / "report.py"
    assert run_line("convert", str(document(tmp_path / "report.ipynb", MORE["a report"])), str(script)).exit_code == 0
    said, names = outcome(script)
    flow = Flow.from_notebook(tmp_path / "report.ipynb")
    assert flow.run(show=False).is_successful(), flow.failures()
    printed = [
        item["text"] for cell in flow.executed_node().cells for item in cell.get("outputs", ()) if "text" in item
    ]
    assert said == "".join(text for text in printed if not text.startswith(("CPU times", "Wall time")))
    assert flow.last_document_run is not None
    for name in ("areas", "total", "late", "text", "where", "days"):
        assert names[name] == repr(flow.last_document_run.names[name])
    # and as the notebook that it becomes again
    again = tmp_path / "again.ipynb"
    assert run_line("convert", str(script), str(again)).exit_code == 0
    back = Flow.from_notebook(again)
    assert back.run(parameters={"days": 2}, show=False).is_successful(), back.failures()
    assert back.last_document_run is not None
    assert len(back.last_document_run.names["areas"]) == 2


def test_parameters_of_a_notebook_are_parameters_of_the_script(tmp_path: Path) -> None:
    script = tmp_path / "report.py"
    run_line("convert", str(document(tmp_path / "report.ipynb", MORE["a report"])), str(script))
    text = script.read_text("utf-8")
    assert "days=Parameter('days', default=3, type=int)" in text
    assert "# %matplotlib inline" in text
    ask = f"import runpy; flow = runpy.run_path({str(script)!r})['flow']; print(flow.run(days=1, show=False).message)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-2:] == ["1 15", "All reference tasks succeeded."]


def test_a_parameters_cell_may_be_called_parameters_itself(tmp_path: Path) -> None:
    script = tmp_path / "named.py"
    cells = [("code", "# parameters\ndays = 3", ["parameters"]), ("code", "print(days)")]
    done = run_line("convert", str(document(tmp_path / "named.ipynb", cells)), str(script))
    assert done.exit_code == 0, done.output
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "3" in ran.stdout.splitlines()


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["a = 1", "%%bash\nls"], "cell 2, line 1: %%bash has no meaning in Python"),
        (["a = 1\n%store a"], "cell 1, line 2: '%store a' has no meaning in Python"),
        (["a = 1\n!ls {a}"], "cell 1, line 2: '!ls {a}' takes values of Python into a shell command"),
        (["# sums\na = 1\nexec('b = a')"], "cell 1 (sums), line 3: exec() sees the names of its function"),
        (["print(__annotations__)"], "line 1: __annotations__ tells of the whole notebook"),
        (["import sys\nsys.modules['__main__'].a = 1"], "line 2: sys.modules['__main__'] tells of the whole notebook"),
        (["from math import *"], "cell 1, line 1: from math import * makes names that the text does not tell"),
        (["1 + 1", "x = _ + 1"], "cell 2 (x), line 1: _ is what IPython keeps of the cells before"),
        (["a = 1", "b = = 2"], "cell 2: line 1 of the cell: invalid syntax"),
        (["%%task load\na = 1"], "Write the flow of such cells with %flowbook export flow.py"),
        (["import os\nos?"], "'os?' has no meaning in Python"),
        (["%%capture out\nprint(1)"], "cell 1, line 1: %%capture holds back what is printed"),
    ],
)
def test_what_no_script_can_do_is_refused_with_the_cell_the_line_and_what_to_do(
    tmp_path: Path, cells: list[str], said: str
) -> None:
    script = tmp_path / "script.py"
    done = run_line("convert", str(written(tmp_path / "notebook.ipynb", cells)), str(script))
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())
    assert not script.exists()


def test_a_file_that_is_there_is_not_written_over_unasked(tmp_path: Path) -> None:
    notebook, script = written(tmp_path / "notebook.ipynb", ["a = 1\nprint(a)"]), tmp_path / "script.py"
    script.write_text("mine = 1\n", "utf-8")
    refused = run_line("convert", str(notebook), str(script))
    assert refused.exit_code == 2
    assert "--force" in refused.output
    assert script.read_text("utf-8") == "mine = 1\n"
    assert run_line("convert", str(notebook), str(script), "--force").exit_code == 0
    assert run_line("convert", str(notebook), str(tmp_path / "page.html")).exit_code == 2
    shadowing = run_line("convert", str(notebook), str(tmp_path / "random.py"))
    assert "in the place of Python's own module random" in " ".join(shadowing.output.split())
    assert run_line("convert", str(tmp_path / "missing.py"), str(tmp_path / "x.ipynb")).exit_code == 2


SCRIPT = '''#!/usr/bin/env python
"""Sums of squares."""

from flowbook import Flow, Parameter, task

# A word about what follows.

# %% [markdown]
# ## Tasks

@task
def square(x: int) -> int:
    # in a function
    return x * x


@task
def total(numbers):
    return sum(numbers)


class Unused:
    pass


with Flow("sums") as flow:
    limit = Parameter("limit", default=4)
    answer = total([square(limit), square(3)])

if __name__ == "__main__":
    state = flow.run(show=False)
    print(state.result[answer].result)
    raise SystemExit(0 if state.is_successful() else 1)
'''


def test_any_script_becomes_a_notebook_that_runs_to_the_same_end(tmp_path: Path) -> None:
    script, path = tmp_path / "sums.py", tmp_path / "sums.ipynb"
    script.write_text(SCRIPT, "utf-8")
    done = run_line("convert", str(script), str(path))
    assert done.exit_code == 0, done.output
    cells = nbformat.read(path, as_version=4).cells
    assert [cell.cell_type for cell in cells] == ["markdown", "code", "markdown", "markdown", *["code"] * 5]
    flow = Flow.from_notebook(path)
    assert flow.run(show=False).is_successful(), flow.failures()
    assert flow.executed_node().cells[-1]["outputs"][0]["text"] == "25\n"


@pytest.mark.parametrize("name", ["tutorial_etl", "concepts_mapping", "idioms_conditional", "getting_started_hello"])
def test_scripts_of_the_public_interface_run_as_notebooks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "script.ipynb"
    assert run_line("convert", str(Path(__file__).parents[1] / "compat" / f"{name}.py"), str(path)).exit_code == 0
    flow = Flow.from_notebook(path)
    assert len(flow.document.cells) > 2
    assert flow.run(show=False, executor="local").is_successful(), flow.failures()


def test_a_script_that_somebody_has_changed_still_runs_to_its_end(tmp_path: Path) -> None:
    script, path = tmp_path / "sums.py", tmp_path / "sums.ipynb"
    run_line("convert", str(written(tmp_path / "first.ipynb", ["a = [1]", "print(sum(a))", "b = 2"])), str(script))
    text = script.read_text("utf-8")
    script.write_text(text.replace("a = [1]", "a = [1, 2]"), "utf-8")
    run_line("convert", str(script), str(path))
    assert [cell.source for cell in read_document(path).cells] == ["a = [1, 2]", "print(sum(a))", "b = 2"]
    other = text.replace("of_cell_2 = ", "other = ").replace("def cell_2():", "def cell_2(x=1):")
    script.write_text(other, "utf-8")  # no longer what convert writes: then each part is a cell as it stands
    run_line("convert", str(script), str(path), "--force")
    flow = Flow.from_notebook(path)
    assert flow.run(show=False).is_successful(), flow.failures()
    assert "1\n" in json.dumps(flow.executed_node().cells).encode().decode("unicode_escape")


def test_scripts_that_cannot_be_notebooks_are_refused_with_the_line(tmp_path: Path) -> None:
    script = tmp_path / "sums.py"
    script.write_text("import os\nprint(__file__)\n", "utf-8")
    assert "line 2: a notebook has no __file__" in " ".join(
        run_line("convert", str(script), str(tmp_path / "x.ipynb")).output.replace("│", " ").split()
    )
    script.write_text("a = (\n", "utf-8")
    assert "is not Python: line 1" in run_line("convert", str(script), str(tmp_path / "x.ipynb")).output
