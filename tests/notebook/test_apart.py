"""Cells in processes of their own: only where nobody can tell, and the story says why not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow
from flowbook.notebook.apart import IN_PROCESS, Apart, is_hash_random
from flowbook.notebook.documents import read_document
from flowbook.notebook.parcels import is_plain_definition
from tests.notebook.test_documents import run_line, words, written


def ran(tmp_path: Path, cells: list[str], executor: str = "processes") -> tuple[Any, list[str]]:
    """Run cells and return the flow, and where each of them ran."""
    flow = Flow.from_notebook(written(tmp_path / "cells.ipynb", cells))
    state = flow.run(show=False, executor=executor)
    assert state.is_successful(), flow.failures()
    assert flow.last_document_run is not None
    return flow, [flow.last_document_run.places.get(cell.id, "") for cell in flow.document.cells]


BOX = "class Box:\n    def __init__(self, x):\n        self.x = x"
COUNT = "def count(seen=[]):\n    seen.append(1)\n    return len(seen)"
PANDAS, PRECISION = "import pandas as pd", "pd.set_option('display.precision', 2)"
SHOWN = ["a = str(pd.Series([1 / 3]))", "'0.33' in a"]
# The last cell tells whether somebody could tell; the cell before it is the one that might have been elsewhere.
TELLTALES: dict[str, tuple[list[str], str | None, bool]] = {
    "an alias": (["a = [1]", "b = a if a else None", "b is a"], "True", True),
    "a part": (["a = [[1], 2]", "b = a[0]", "b.append(5)\na"], "[[1, 5], 2]", True),
    "in a new list": (["a = [1]", "b = [x for x in (a, a)]", "b[0] is a and b[1] is a"], "True", True),
    "an object of a class": ([BOX, "a = Box([1])", "b = [a, Box(a.x)]", "b[1].x is a.x"], "True", True),
    "a class": (["class Box:\n    pass", "a = Box()", "type(a) is Box"], "True", True),
    "a part of a library that was changed": (
        ["import colorsys", "colorsys.ONE_SIXTH = 'mine'", "a = colorsys.ONE_SIXTH", "a"],
        "'mine'",
        False,
    ),
    "objects of classes that nobody names": (
        [
            "from dataclasses import dataclass\n\n@dataclass\nclass Box:\n    x: int",
            "a = [Box(n) for n in range(3)]",
            "b = max(a, key=lambda box: box.x)",
            "b is a[2]",
        ],
        "True",
        True,
    ),
    "no number": (["a = [float('nan')]", "b = a[0]", "b in a"], "True", True),
    "a view": (
        ["import numpy as np", "a = np.zeros(3)", "b = a[1:]", "b[0] = 7\na.tolist()"],
        "[0.0, 7.0, 0.0]",
        False,
    ),
    "a table": (
        [
            PANDAS,
            "a = pd.DataFrame({'x': [1, 2]})",
            "b = a.rename(columns={'x': 'y'})",
            "b.loc[0, 'y'] = 9\na.x.tolist(), b.y.tolist()",
        ],
        "([1, 2], [9, 2])",
        True,
    ),
    "a table made anew": (
        [PANDAS, "a = pd.DataFrame({'x': [1, 2, 3]})", "b = a[a.x > 1]", "b.x.tolist(), a.index.tolist()"],
        "([2, 3], [0, 1, 2])",
        True,
    ),
    "an index with a name": (
        [PANDAS, "a = pd.Series([1, 2])", "b = a * 2", "a.index.name = 'n'\nb.index.name == a.index.name"],
        None,
        True,
    ),
    "a table over an array": (
        [
            "import numpy as np\nimport pandas as pd",
            "n = np.zeros(2)",
            "a = pd.DataFrame({'x': n}, copy=False)",
            "n[0] = 5\nfloat(a.x[0])",
        ],
        None,
        False,
    ),
    "a set": (["a = {'x', 'y', 'z'}", "b = list(a)", "b == list(a)"], "True", False),
    "a counter in a default": ([COUNT, "a = count()", "count(), a"], "(2, 1)", False),
    "a cache": (
        ["from functools import lru_cache", "@lru_cache\ndef f(x):\n    return x", "a = f(1)", "f.cache_info().misses"],
        "1",
        False,
    ),
    "a global of a function": (
        ["factor = 2", "def scaled(x):\n    return x * factor", "factor = 3", "a = scaled(5)", "a"],
        "15",
        True,
    ),
    "a generator": (["a = (n for n in [1, 2])", "b = next(a)", "next(a), b"], "(2, 1)", False),
    "a module": (["import math", "m = [math][0]", "m is math"], "True", True),
    "a setting at the top": ([f"{PANDAS}\n{PRECISION}", *SHOWN], "True", True),
    "a setting below": ([PANDAS, "b = str(1)", PRECISION, *SHOWN], "True", False),
    "the folder": (
        [
            "import os\nfrom pathlib import Path",
            "os.makedirs('sub', exist_ok=True)\nos.chdir('sub')",
            "a = Path('new.txt').write_text('x')",
            "b = Path('new.txt').read_text()",
            "b",
        ],
        "'x'",
        True,
    ),
}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    import pandas as pd

    pd.reset_option("display.precision")


@pytest.mark.parametrize("name", TELLTALES)
def test_nobody_can_tell_that_a_cell_ran_in_another_process(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells, expected, is_apart = TELLTALES[name]
    flow, places = ran(tmp_path, cells)
    said = words(flow.executed().cells[-1])
    if expected is None:  # what the version of a library says
        expected = words(ran(tmp_path, cells, "local")[0].executed().cells[-1])[0][1]
    assert said == [("execute_result", expected)]
    if name == "a set" and not is_hash_random():
        is_apart = True  # all processes order it in the same way
    assert (places[-2] == IN_PROCESS) is is_apart, places


def test_the_story_of_a_cell_tells_where_it_ran_and_why(tmp_path: Path) -> None:
    cells = ["rows = [1]", "rows.append(2)", "total = sum(rows)\nprint(total)", "import random\nrandom.seed(1)"]
    flow, _ = ran(tmp_path, cells)
    assert flow.last_run is not None
    stories = [flow.last_run.story(task).why for task in flow.sorted_tasks()]
    assert IN_PROCESS in stories
    assert "It runs in the kernel process, since it changes rows in place." in stories
    told = run_line("explain", str(tmp_path / "cells.ipynb")).output
    assert "in processes of their own if all that they use can be copied, cells: 1, 3\n" in told
    assert "In the kernel process, since it\n  changes rows in place: cell 2\n  imports or defines" in told


def test_what_is_known_of_cells_before_anything_runs(tmp_path: Path) -> None:
    cells = [
        "import numpy as np",
        "x = 1",
        "del x",
        "%time y = 2",
        "z = np.random.rand()",
        "exec('a = 1')",
        "open('file.txt', 'w').close()",
        "b = = 1",
        "async def f():\n    return 1",
        "await f()",
    ]
    apart = Apart(read_document(written(tmp_path / "cells.ipynb", cells)))
    assert [apart.reason(position) for position in range(len(cells))] == [
        "imports or defines what others use",
        "",
        "deletes x",
        "has a magic or a shell command",
        "draws or may draw random numbers",
        "is opaque: exec() runs text as code",
        "writes files",
        "is not Python",
        "imports or defines what others use",
        "awaits, and the event loop is in the kernel process",
    ]


def test_a_cell_that_fails_elsewhere_fails_here_with_its_line(tmp_path: Path) -> None:
    flow = Flow.from_notebook(written(tmp_path / "cells.ipynb", ["a = 0", "b = 1\n1 / a", "c = 2"]))
    assert flow.run(show=False, executor="processes").is_failed()
    assert flow.failures() == ["cell 2, line 2: ZeroDivisionError: division by zero"]
    assert flow.last_document_run is not None
    assert flow.last_document_run.names["b"] == 1
    assert flow.last_document_run.names["c"] == 2


def test_a_process_that_dies_fails_one_cell_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = "from ctypes import string_at"
    flow = Flow.from_notebook(written(tmp_path / "cells.ipynb", [crash, "a = 1", "string_at(0)", "b = a + 1"]))
    reason = Apart.reason
    # what it calls may keep a state of its own, so it would stay here
    monkeypatch.setattr(Apart, "reason", lambda apart, at: "" if at == 2 else reason(apart, at))
    state = flow.run(show=False, executor="processes")
    assert state.is_failed()
    (said,) = flow.failures()
    assert said.startswith("cell 3 (string_at): WorkerLost: Its process")
    assert "crashed with SIGSEGV" in said
    assert flow.last_document_run is not None
    assert flow.last_document_run.names["b"] == 2


def test_independent_cells_run_side_by_side_in_processes(tmp_path: Path) -> None:
    spin = "def spin(seconds):\n    end = time.monotonic() + seconds\n    while time.monotonic() < end:\n        pass"
    cells = ["import time", spin, "spin(1)\na = 1", "spin(1)\nb = 2", "a + b"]
    begun = time.monotonic()
    _, places = ran(tmp_path, cells)
    assert time.monotonic() - begun < 1.9  # about 1.4 with the start of the processes; the suite may be busy
    assert places[2:] == [IN_PROCESS] * 3


def test_a_run_that_is_cancelled_stops_its_processes(tmp_path: Path) -> None:
    flow = Flow.from_notebook(written(tmp_path / "cells.ipynb", ["import time", "time.sleep(60)\na = 1"]))
    run = flow.start(show=False, executor="processes")
    time.sleep(1.0)
    run.cancel("Enough.")
    begun = time.monotonic()
    assert type(run.wait(10)).__name__ == "Cancelled"
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_a_run_is_resumed_where_its_cells_ran(tmp_path: Path, executor: str) -> None:
    cells = ["a = [int('1')]", "b = a[0] / zero", "c = b + len(a)", "d = a[:]"]
    flow = Flow.from_notebook(written(tmp_path / "cells.ipynb", cells))
    assert flow.run(show=False, executor=executor).is_failed()
    assert flow.last_document_run is not None
    assert flow.last_run is not None
    flow.last_document_run.interpreter.namespace["zero"] = 2
    assert flow.last_run.resume().wait(60).is_successful(), flow.failures()
    assert flow.last_document_run.names["c"] == 1.5
    assert flow.last_document_run.places["cell-3"] == IN_PROCESS


def plain(x: int = 1) -> int:
    return x


class Plain:
    limit = 3

    def grow(self, by: int = 1) -> int:
        return self.limit + by


class Counted:
    seen: list[int] = []  # noqa: RUF012 - that is the point


def with_list(seen: list[int] = []) -> list[int]:  # noqa: B006 - likewise
    return seen


def test_definitions_that_keep_something_are_not_plain() -> None:
    assert all(map(is_plain_definition, (plain, Plain, len)))
    assert not any(map(is_plain_definition, (Counted, with_list)))
