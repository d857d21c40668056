"""Notebook files as flows end as running all cells from top to bottom does: outputs are compared with nbclient's."""

from __future__ import annotations

import gc
import json
import os
import random
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from nbclient import NotebookClient

from flowbook import Flow
from flowbook.cli import main
from flowbook.engine.executors import threads
from flowbook.errors import FlowError
from flowbook.notebook.document_flow import DocumentRun
from flowbook.notebook.documents import read_document
from flowbook.notebook.kept import kept_file

POINT = """class Point:
    count = 0
    def __init__(self, x):
        self.x = x
        Point.count += 1
    def __repr__(self):
        return f'<{self.x}>'"""
RICH = """class Rich:
    def _repr_html_(self):
        return '<i>rich</i>'
    def __repr__(self):
        return 'rich'
Rich()"""

# Each in a style of its own; what one cell changes another one sees.
NOTEBOOKS: dict[str, list[str]] = {
    "tables": [
        "import pandas as pd\nimport numpy as np",
        "raw = pd.DataFrame({'day': [1, 2, 3, 4], 'late': [3.0, None, 8.0, 1.0]})",
        "clean = raw.dropna()\nclean",
        "clean = clean.assign(hours=clean.late / 60)\nclean.head(2)",
        "raw['late'] = raw.late.fillna(0)\nraw.late.sum()",
        "total = clean.late.sum() + raw.late.sum()\nprint('total', total)",
    ],
    "changes in place": [
        "rows = [3, 1, 2]\nseen = rows",
        "rows.sort()\nprint(rows)",
        "seen.append(9)\nrows",
        "def add(to, x):\n    to.append(x)\n    return to",
        "add(rows, 7)",
        "counts = {}\nfor row in rows:\n    counts[row] = counts.get(row, 0) + 1\ncounts",
        "del seen\nlen(rows)",
    ],
    "one name, many meanings": [
        "x = 1",
        "print(x)",
        "x = x + 1\nx",
        "y = x * 10",
        "x = 'text'",
        "print(x, y)",
        "sum = x\nsum",
        "del sum\nsum([1, 2])",
    ],
    "chance": [
        "import random\nimport numpy as np",
        "random.seed(4)\nnp.random.seed(4)",
        "a = random.random()\na",
        "b = np.random.rand(2)\nb",
        "c = random.randint(0, 100)\nc",
        "print(sorted(random.sample(range(50), 3)))",
    ],
    "magics": [
        "%matplotlib inline",
        "%%capture kept\nprint('held back')\n1 + 1",
        "kept.stdout",
        "lines = !echo one two\nlines",
        "%precision 3",
        "22 / 7",
        "%time result = sum(range(10))",
        "result",
    ],
    "history": ["1 + 1", "_ * 10", "Out[1], _2", "'quiet';", "In[1]", "_i2"],
    "plots": [
        "import matplotlib\nimport matplotlib.pyplot as plt",
        "fig, ax = plt.subplots()\nax.plot([1, 2])\nax.set_title('lines');",
        "plt.figure()\nplt.bar([1, 2], [3, 4])\nplt.show()",
        "plt.rcParams['font.size'] = 9",
        "len(plt.get_fignums())",
    ],
    "classes and closures": [
        POINT,
        "p = Point(1)\nq = Point(2)\np",
        "def make(n):\n    def inner():\n        return n + Point.count\n    return inner",
        "f = make(10)\nf()",
        "Point(3)\nf()",
        "[Point(i) for i in range(2)]\nPoint.count, type(p)",
    ],
    "awaiting": [
        "import asyncio",
        "async def later(x):\n    await asyncio.sleep(0.01)\n    return x",
        "first = await later(1)\nfirst",
        "both = await asyncio.gather(later(2), later(3))\nboth",
        "first + sum(both)",
    ],
    "generators and files": [
        "from pathlib import Path",
        "numbers = (n * n for n in range(5))",
        "next(numbers)",
        "list(numbers)",
        "Path('note.txt').write_text('hello')",
        "print(Path('note.txt').read_text())",
        "with open('note.txt', 'a') as file:\n    file.write(' again')",
        "Path('note.txt').read_text()",
    ],
    "displays": [
        "from IPython.display import HTML, Markdown, display",
        "display(Markdown('# title'))\ndisplay({'a': 1})\nprint('between')\nHTML('<b>bold</b>')",
        "import sys\nprint('error', file=sys.stderr)\nNone",
        "for i in range(3):\n    print(i, end=' ')",
        "i",
        RICH,
    ],
    "odd ones": [
        "exec('made = 5')",
        "made",
        "from math import *\npi",
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    said = str(error)",
        "said",
        "globals()['by_hand'] = 3",
        "by_hand + made",
        "if made > 3:\n    maybe = 1\nelse:\n    other = 2",
        "maybe",
        "lambda_ = lambda x, y=made: x + y\nlambda_(1)",
    ],
}

# All that is there at the end: names and what their values look like.
AT_THE_END = """import re as _re, types as _types
print({_name: _re.sub(r' at 0x\\w+', '', repr(_value)) for _name, _value in sorted(globals().items())
       if not _name.startswith('_') and _name not in {'In', 'Out', 'exit', 'quit', 'get_ipython', 'open', 'input'}
       and not isinstance(_value, _types.ModuleType)})"""

# How often notebooks run with cells in random order; FLOWBOOK_RANDOM_ORDERS=200 for a long look.
ORDERS = int(os.environ.get("FLOWBOOK_RANDOM_ORDERS", "3"))


def written(path: Path, cells: list[str], **metadata: Any) -> Path:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "x"}, **metadata})
    notebook.cells = [nbformat.v4.new_code_cell(cell, id=f"cell-{n}") for n, cell in enumerate(cells, 1)]
    nbformat.write(notebook, path)
    return path


def words(cell: Any) -> list[tuple[str, str]]:
    """Return what a cell printed and showed, as text; streams in one piece each, since a kernel cuts them by chance."""
    found: list[tuple[str, str]] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            if found and found[-1][0] == output.name:
                found[-1] = (output.name, found[-1][1] + output.text)
            else:
                found.append((output.name, output.text))
        elif output.output_type == "error":
            found.append(("error", f"{output.ename}: {output.evalue}"))
        else:
            found.append((output.output_type, output.data["text/plain"]))
    return [(kind, "timed" if text.startswith("CPU times") else text) for kind, text in found]


@cache
def by_a_kernel(name: str, folder: Path) -> list[list[tuple[str, str]]]:
    path = written(folder / "kernel.ipynb", [*NOTEBOOKS[name], AT_THE_END])
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(folder)}}).execute()
    return [words(cell) for cell in notebook.cells]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents")


@pytest.mark.parametrize("executor", ["local", "threads", "processes"])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_file_says_what_it_says_in_a_kernel(
    name: str, executor: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = by_a_kernel(name, folder)
    monkeypatch.chdir(tmp_path)
    flow = Flow.from_notebook(written(tmp_path / "notebook.ipynb", [*NOTEBOOKS[name], AT_THE_END]))
    run_cell, chance = DocumentRun.run, random.Random(7)

    def after_a_while(*words_given: Any) -> None:
        if executor == "threads":
            time.sleep(chance.random() * 0.005)  # cells begin and end in another order each time
        run_cell(*words_given)

    monkeypatch.setattr(DocumentRun, "run", after_a_while)
    monkeypatch.setattr(threads, "AT_LAST", 0.0)  # or they would hardly
    for _ in range(ORDERS if executor == "threads" else 1):
        state = flow.run(show=False, executor=executor)
        assert state.is_successful(), flow.failures()
        assert [words(cell) for cell in flow.executed().cells] == expected


def test_figures_come_out_of_their_cells_though_matplotlib_drew_elsewhere_before(tmp_path: Path) -> None:
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    before, was_interactive = mpl.get_backend(), mpl.is_interactive()
    mpl.use("agg")
    mpl.interactive(False)
    plt.close(plt.figure())
    try:
        for _ in range(2):
            flow = Flow.from_notebook(written(tmp_path / "plots.ipynb", NOTEBOOKS["plots"]))
            assert flow.run(show=False).is_successful()
            shown = [[output.output_type for output in cell.outputs] for cell in flow.executed().cells]
            assert shown == [[], ["display_data"], ["display_data"], [], ["execute_result"]]
        assert mpl.get_backend() == "agg"
        assert not mpl.is_interactive()
    finally:
        mpl.use(before)
        mpl.interactive(was_interactive)


def test_branches_that_do_not_need_each_other_run_side_by_side(tmp_path: Path) -> None:
    cells = ["import time", "time.sleep(1)\na = 1", "time.sleep(1)\nb = 2", "a + b"]
    flow = Flow.from_notebook(written(tmp_path / "branches.ipynb", cells))
    took = []
    for _ in range(3):  # the machine may be busy with something else once
        begun = time.monotonic()
        assert flow.run(show=False, executor="threads").is_successful()
        took.append(time.monotonic() - begun)
        if took[-1] < 1.3:
            break
    assert min(took) < 1.3, took


def test_settings_of_a_thread_are_those_of_all_cells_and_of_nobody_else(tmp_path: Path) -> None:
    import decimal

    import numpy as np

    cells = [
        "import decimal, numpy as np",
        "decimal.getcontext().prec = 4\nnp.set_printoptions(precision=2)",
        "str(decimal.Decimal(1) / 3)",
        "np.array([1 / 3])",
    ]
    before = decimal.getcontext().prec, np.get_printoptions()["precision"]
    flow = Flow.from_notebook(written(tmp_path / "settings.ipynb", cells))
    for executor in ("local", "threads"):
        assert flow.run(show=False, executor=executor).is_successful()
        shown = [words(cell) for cell in flow.executed().cells[2:]]
        assert shown == [[("execute_result", "'0.3333'")], [("execute_result", "array([0.33])")]]
        assert (decimal.getcontext().prec, np.get_printoptions()["precision"]) == before


@pytest.mark.parametrize("executor", ["local", "threads", "processes", "dask"])
def test_a_cell_can_run_a_flow_of_its_own(tmp_path: Path, executor: str) -> None:
    cells = [
        "from flowbook import Flow, task",
        "@task\ndef square(x):\n    return x * x",
        "with Flow('inner') as flow:\n    squares = square.map([1, 2, 3])",
        f"state = flow.run(executor={executor!r})\nlist(state.result[squares].result)",
    ]
    flow = Flow.from_notebook(written(tmp_path / "outer.ipynb", cells))
    assert flow.run(show=False).is_successful(), flow.failures()
    assert words(flow.executed().cells[-1]) == [("execute_result", "[1, 4, 9]")]


def test_a_cell_can_make_a_task_of_asyncio_without_awaiting_it(tmp_path: Path) -> None:
    cells = [
        "import asyncio\n\nasync def later():\n    await asyncio.sleep(0.01)\n    print('later')\n    return 5",
        "task = asyncio.create_task(later())\ntype(asyncio.get_running_loop()).__name__ != ''",
        "await task",
    ]
    flow = Flow.from_notebook(written(tmp_path / "tasks.ipynb", cells))
    assert flow.run(show=False).is_successful(), flow.failures()
    shown = [words(cell) for cell in flow.executed().cells]
    assert shown[1:] == [[("execute_result", "True"), ("stdout", "later\n")], [("execute_result", "5")]]


def test_each_run_begins_with_no_names_and_a_restart_keeps_them(tmp_path: Path) -> None:
    cells = ["runs = globals().get('runs', 0) + 1\nruns", "ok = 5", "if ok != 6:\n    raise ValueError('not 6')", "ok"]
    flow = Flow.from_notebook(written(tmp_path / "again.ipynb", cells))
    assert flow.run(show=False).is_failed()
    assert flow.run(show=False).is_failed()
    assert flow.last_document_run is not None
    assert flow.last_run is not None
    assert flow.last_document_run.names["runs"] == 1
    flow.last_document_run.interpreter.namespace["ok"] = 6
    again = flow.last_run.resume()
    assert again.wait(20).is_successful()


def test_many_runs_leave_nothing_for_the_end_of_the_program(tmp_path: Path) -> None:
    from flowbook.notebook.interpreter import _Shell

    def shells() -> int:
        gc.collect()
        return sum(type(one) is _Shell for one in gc.get_objects())

    flow, before = Flow.from_notebook(written(tmp_path / "many.ipynb", ["a = 1", "%precision 3"])), shells()
    for _ in range(8):
        assert flow.run(show=False).is_successful()
    assert shells() <= before + 2  # the last one, and one that this process may still know as its own


def run_line(*words_given: str) -> Any:
    return CliRunner().invoke(main, list(words_given))


def test_the_command_line_runs_a_file_gives_parameters_and_writes_what_came(tmp_path: Path) -> None:
    path = written(
        tmp_path / "report.ipynb", ["days = 3\nwhere = 'NL'", "print(where * days)", "Path = days * 2\nPath"]
    )
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)
    out, page = tmp_path / "out.ipynb", tmp_path / "out.html"
    done = run_line("run", str(path), "-p", "days=2", "-o", str(out), "--html", str(page), "--executor", "local")
    assert done.exit_code == 0, done.output
    executed = nbformat.read(out, as_version=4)
    assert words(executed.cells[1]) == [("stdout", "NLNL\n")]
    assert words(executed.cells[2]) == [("execute_result", "4")]
    assert [cell.id for cell in executed.cells] == [cell.id for cell in notebook.cells]
    assert "&lt;svg" in page.read_text("utf-8") or "<svg" in page.read_text("utf-8").replace("\\u003c", "<")
    wrong = run_line("run", str(path), "-p", "dayz=2")
    assert wrong.exit_code == 2
    assert "Did you mean 'days'?" in wrong.output


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("days=30", "(30, 'NL', 0.5, None, ['a'], False)"),
        ("where=30", "(3, '30', 0.5, None, ['a'], False)"),
        ("rate=1", "(3, 'NL', 1.0, None, ['a'], False)"),
        ("limit=7", "(3, 'NL', 0.5, 7, ['a'], False)"),
        ('names=["b", "c"]', "(3, 'NL', 0.5, None, ['b', 'c'], False)"),
        ("fast=yes", "(3, 'NL', 0.5, None, ['a'], True)"),
        ("days=many", "parameter 'days' got 'many', which is not of type int"),
        ("limit=low", "parameter 'limit' got 'low', which is not of type int | None"),
        ("names=[1]", "parameter 'names' got '[1]', which is not of type list[str]"),
    ],
)
def test_parameters_of_the_command_line_are_read_as_what_the_cell_says_they_are(
    tmp_path: Path, given: str, made: str
) -> None:
    cell = "days = 3\nwhere = 'NL'\nrate = 0.5\nlimit: int | None = None\nnames: 'list[str]' = ['a']\nfast = False"
    path = written(tmp_path / "report.ipynb", [cell, "print((days, where, rate, limit, names, fast))"])
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)
    out = tmp_path / "out.ipynb"
    done = run_line("run", str(path), "-p", given, "-o", str(out), "--executor", "local")
    if made.startswith("parameter"):
        assert done.exit_code == 2
        assert made in " ".join(done.output.replace("│", " ").split())
    else:
        assert done.exit_code == 0, done.output
        assert words(nbformat.read(out, as_version=4).cells[1]) == [("stdout", made + "\n")]


def test_a_cell_that_fails_is_named_with_its_line_and_the_rest_runs(tmp_path: Path) -> None:
    cells = [
        "a = 1",
        "b = a\n1 / 0",
        "c = b",
        "print('independent')",
        "def broken(:\n    pass",
        "exit()",
        "input('who? ')",
    ]
    done = run_line("run", str(written(tmp_path / "fails.ipynb", cells)))
    assert done.exit_code == 1
    for said in (
        "cell 2 (b), line 2: ZeroDivisionError",
        "cell 3 (c) was not run, since it needs cell 2 (b)",
        "line 1 of the cell",
        "exit() would end the program",
        "input('who? ') asks a person",
    ):
        assert said in done.output


def test_what_depends_on_what_is_told_with_the_reason(tmp_path: Path) -> None:
    cells = ["rows = [1]", "rows.append(2)", "len(rows)", "# alone\n1 + 1"]
    done = run_line("explain", str(written(tmp_path / "why.ipynb", cells)))
    assert done.exit_code == 0
    assert "after cell 1 (rows): reads rows" in done.output
    assert "cell 4 (alone)\n  needs no other cell" in done.output
    assert "1. cell 1 (rows), cell 4 (alone)" in done.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no JSON at all", "is not a notebook: line 1 is not JSON"),
        ('{"cells": [\n  {"cell_type": code}]}', "is not a notebook: line 2 is not JSON"),
        ("", "is not a notebook: it is empty"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "is not a notebook"),
        ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "has no code cells"),
        (
            json.dumps(
                {
                    "cells": [],
                    "metadata": {"kernelspec": {"language": "R", "name": "ir", "display_name": "R"}},
                    "nbformat": 4,
                    "nbformat_minor": 5,
                }
            ),
            "is a notebook of 'R'",
        ),
    ],
)
def test_what_is_no_python_notebook_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.ipynb"
    path.write_text(text, "utf-8")
    with pytest.raises(FlowError, match=said):
        Flow.from_notebook(path)
    assert run_line("run", str(path)).exit_code == 2
    assert run_line("run", str(tmp_path / "missing.ipynb")).exit_code == 2


def test_old_formats_and_cells_without_ids_are_taken(tmp_path: Path) -> None:
    old = {
        "metadata": {},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [
            {
                "metadata": {},
                "cells": [
                    {"cell_type": "code", "input": "a = 1", "outputs": [], "language": "python", "metadata": {}},
                    {"cell_type": "code", "input": "a + 1", "outputs": [], "language": "python", "metadata": {}},
                ],
            }
        ],
    }
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps(old), "utf-8")
    assert len({cell.id for cell in read_document(path).cells}) == 2
    flow = Flow.from_notebook(path)
    assert flow.run(show=False).is_successful()
    assert words(flow.executed().cells[1]) == [("execute_result", "2")]


TO_BE_MENDED = [
    "import math\n\nclass Row:\n    def __init__(self, x):\n        self.x = x",
    "factor = 2\ndef scaled(x):\n    return x * factor",
    "with open('runs.txt', 'a') as file:\n    print('load', file=file)\nbase = [Row(1), Row(2)]",
    "rows = list(base)\nalias = rows",
    "count = len(base)\nprint(count)",
    "rows.append(Row(3))\ntotal = scaled(math.floor(BROKEN))",
    "total, len(rows), rows is alias, isinstance(base[0], Row), count",
    "apart = (n for n in [5])",
    "next(apart)",
]


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_run_goes_on_from_the_failed_cell_and_ends_as_a_whole_one(tmp_path: Path) -> None:
    path = written(tmp_path / "mend.ipynb", TO_BE_MENDED)
    assert run_line("run", str(path)).exit_code == 1
    written(path, [cell.replace("BROKEN", "3.5") for cell in TO_BE_MENDED])
    out = tmp_path / "out.ipynb"
    done = run_line("run", str(path), "--from-failed", "-o", str(out))
    assert done.exit_code == 0, done.output
    # the cell that failed had appended a row before: what it appended to is made anew
    assert (
        "cell 4 (rows, alias) is run again: cell 6 needs rows as before, and what ran since may have changed it"
        in done.output
    )
    assert re.search(r"cell 9 \([\w., ]+\) is run again: apart cannot be pickled", done.output)
    assert "Kept from the run before, cells: 1, 2, 3, 5\n" in done.output
    assert (tmp_path / "runs.txt").read_text() == "load\n"
    cells = nbformat.read(out, as_version=4).cells
    assert words(cells[4]) == [("stdout", "2\n")]
    assert words(cells[6]) == [("execute_result", "(6, 3, True, True, 2)")]
    assert words(cells[8]) == [("execute_result", "5")]
    assert not kept_file(path).exists()  # it ended well, so nothing is left to go on from


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes and owners of files are POSIX's")
def test_what_others_could_have_written_is_not_unpickled(tmp_path: Path) -> None:
    path = written(tmp_path / "mend.ipynb", ["a = 1", "1 / 0"])
    assert run_line("run", str(path)).exit_code == 1
    assert kept_file(path).stat().st_mode & 0o777 == 0o600
    kept_file(path).chmod(0o622)
    done = run_line("run", str(path), "--from-failed")
    assert "can be written by others than you" in done.output
    assert "Kept from" not in done.output


def test_what_cannot_be_gone_on_from_is_run_whole_with_the_reason(tmp_path: Path) -> None:
    path = written(tmp_path / "mend.ipynb", ["a = 1", "b = a", "b / 0"])
    first = run_line("run", str(path), "--from-failed")
    assert "All cells are run: no run of mend.ipynb that failed was kept" in first.output
    written(path, ["a = 1", "b / 1"])
    assert "cells were deleted or moved" in run_line("run", str(path), "--from-failed").output


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["# read rows\nrows = [1]", "len(rows)"], ["read rows", "len rows"]),
        (["import os\nimport sys", "os.getcwd(), sys.argv"], ["imports", "cell 2"]),
        (["a = 1\nb = 2\nunread = 3", "a + b"], ["a, b", "cell 2"]),
        (["a = b = c = d = 1", "print(a, b, c, d)"], ["a, b, c, …", "print a"]),
        (["rows = []", "rows.append(1)", "rows"], ["rows", "rows (2)", "rows (3)"]),
        (["import math\nr = 2", "math.pi * r"], ["r", "cell 2"]),
        (["def area(r): return r", "area(2)"], ["area", "area (2)"]),
        (["df = 1", 'df.groupby("secret-word").mean().plot(token="secret-word")'], ["df", "df.groupby.mean.plot"]),
        (['token = "secret-word"'], ["token"]),
        (['print("secret-word")', 'display("secret-word")'], ["cell 1", "cell 2"]),
        (['table["secret-word"] = 1'], ["table"]),
        (
            ["for _ in range(3):\n    pass", "%matplotlib inline", "!ls", "%%bash\nls"],
            ["cell 1", "cell 2", "cell 3", "cell 4"],
        ),
        (["_hidden = 1", "_hidden + 1"], ["_hidden", "cell 2"]),
        (["b = = 2", "'only text'"], ["cell 1", "cell 2"]),
    ],
)
def test_a_cell_is_called_by_its_comment_or_by_what_it_makes_or_shows_and_never_by_a_value(
    tmp_path: Path, cells: list[str], names: list[str]
) -> None:
    document = read_document(written(tmp_path / "named.ipynb", cells))
    assert [cell.name for cell in document.cells] == names


def test_a_parameter_that_is_called_like_a_secret_is_masked_wherever_it_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "calls.ipynb", ["api_token = 'none'", "raise ValueError(api_token)"])
    node = json.loads(path.read_text("utf-8"))
    node["cells"][0]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(node), "utf-8")
    out, html = tmp_path / "out.ipynb", tmp_path / "run.html"
    given = ["-p", "api_token=correct-horse-9", "-o", str(out), "--html", str(html)]
    done = run_line("run", str(path), *given)
    assert done.exit_code == 1
    assert "ValueError: ***" in done.output
    for text in (done.output, html.read_text("utf-8"), out.read_text("utf-8")):
        assert "correct-horse-9" not in text


def test_on_one_thread_cells_run_in_the_order_of_the_notebook(tmp_path: Path) -> None:
    # what a registry calls, no analysis sees; the cell that redefines alpha has nothing above it to wait for
    cells = [
        "found = {}\ndef register(made):\n    found[made.__name__] = made\n    return made",
        "@register\ndef beta():\n    return 'b' + alpha()",
        "def alpha():\n    return 'a'",
        "n = len(found)",
        "m = n + 1\nres = [found[k]() for k in found]",
        "def alpha():\n    return 'NEW'",
        "print(res)",
    ]
    out = tmp_path / "out.ipynb"
    done = run_line("run", str(written(tmp_path / "calls.ipynb", cells)), "--executor", "local", "-o", str(out))
    assert done.exit_code == 0, done.output
    shown = json.dumps(json.loads(out.read_text("utf-8"))["cells"][-1]["outputs"])
    assert "['ba']" in shown


def test_annotations_of_cells_are_values_as_in_a_kernel(tmp_path: Path) -> None:
    cells = ["def f(a: int) -> str: ...", "print(f.__annotations__)"]
    out = tmp_path / "out.ipynb"
    assert run_line("run", str(written(tmp_path / "typed.ipynb", cells)), "-o", str(out)).exit_code == 0
    assert "<class 'int'>" in json.dumps(json.loads(out.read_text("utf-8"))["cells"][1]["outputs"])
