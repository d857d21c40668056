"""What a kernel does beside running code: memory comes back, contexts go on, programs print below their cell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from flowbook import Flow
from flowbook.notebook.apart import Apart
from flowbook.notebook.cells import Made
from flowbook.notebook.documents import read_document
from tests.notebook.test_documents import words, written

LIKE_A_KERNEL: dict[str, tuple[list[str], str]] = {
    "a deleted object is gone": (
        [
            "import gc, weakref\nclass Big: pass",
            "b = Big()\nw = weakref.ref(b)",
            "del b",
            "gc.collect();",
            "w() is None",
        ],
        "True",
    ),
    "so is one whose name means something else": (
        ["import weakref\nclass Big: pass", "b = Big()\nw = weakref.ref(b)", "print(b is w())", "b = 1", "w() is None"],
        "True",
    ),
    "a context variable is taken back by its token": (
        [
            "import contextvars\nv = contextvars.ContextVar('v', default=0)",
            "token = v.set(5)",
            "v.reset(token)",
            "v.get()",
        ],
        "0",
    ),
    "settings of decimal go on": (
        ["import decimal", "decimal.getcontext().prec = 5", "decimal.Decimal(1) / 3"],
        "Decimal('0.33333')",
    ),
    "who binds _ keeps it": (["1", "_ = 5", "6", "_ + 0"], "5"),
    "_ is the last value else": (["1", "6", "_ + 0"], "6"),
}


@pytest.mark.parametrize("executor", ["local", "threads"])
@pytest.mark.parametrize(("cells", "last"), LIKE_A_KERNEL.values(), ids=LIKE_A_KERNEL)
def test_cells_find_what_they_would_find_in_a_kernel(
    cells: list[str], last: str, executor: str, tmp_path: Path
) -> None:
    flow = Flow.from_notebook(written(tmp_path / "kernel.ipynb", cells))
    assert flow.run(show=False, executor=executor).is_successful(), flow.failures()
    assert words(flow.executed().cells[-1]) == [("execute_result", last)]


def test_who_binds_what_ipython_keeps_does_so_in_the_kernel(tmp_path: Path) -> None:
    document = read_document(written(tmp_path / "kept.ipynb", ["1", "_ = 5"]))
    reasons = [Apart(document).reason(position) for position in (0, 1)]
    assert reasons == ["", "binds a name that IPython keeps for values of the cells before"]


def test_a_replaced_value_is_told_of_in_words() -> None:
    made = Made([("a", [1, 2]), ("b", 3)])
    made.replace("a")
    made.replace("nobody")
    assert made == {"b": 3}
    assert made.replaced == {"a": "2 items"}
    assert made.preview() == "a, b"


def test_arrays_that_share_memory_come_back_as_such(tmp_path: Path) -> None:
    cells = ["import numpy as np", "a = np.arange(6).reshape(2, 3)\nv = a[0]", "v[:] = 9", "int(a.sum())"]
    flow = Flow.from_notebook(written(tmp_path / "views.ipynb", cells))
    assert flow.run(show=False, executor="processes").is_successful(), flow.failures()
    assert words(flow.executed().cells[-1]) == [("execute_result", "39")]


def test_a_syntax_error_is_called_so(tmp_path: Path) -> None:
    flow = Flow.from_notebook(written(tmp_path / "bad.ipynb", ["x = = 1"]))
    flow.run(show=False)
    (error,) = flow.executed().cells[0].outputs
    assert error.ename == "SyntaxError"


def test_what_programs_print_stands_below_the_cell_that_starts_them(tmp_path: Path) -> None:
    cells = [
        "import os, subprocess, sys\ndef sh(command): return os.system(command)",
        "print('before')\nstatus = sh('echo between')\nprint('after')",
        "subprocess.run([sys.executable, '-c', 'import sys; print(1, file=sys.stderr)'], check=True);",
        "print('no program')",
    ]
    written(tmp_path / "programs.ipynb", cells)
    command = [sys.executable, "-m", "flowbook", "run", "programs.ipynb", "-o", "out.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "between" not in done.stdout
    assert "4 of 4" in done.stdout
    out = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert words(out.cells[1]) == [("stdout", "before\nbetween\nafter\n")]
    assert words(out.cells[2]) == [("stderr", "1\n")]
    assert words(out.cells[3]) == [("stdout", "no program\n")]
