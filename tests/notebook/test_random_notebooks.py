"""Random notebooks end the same in any order of cells, in processes, and as scripts: values, prints and identities."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow
from flowbook.notebook.apart import IN_PROCESS
from flowbook.notebook.document_flow import DocumentFlow
from tests.notebook.random_functions import cells_of as functions_of
from tests.notebook.random_notebooks import cells_of, shape
from tests.notebook.test_documents import AT_THE_END, run_line, words, written
from tests.notebook.test_real_notebooks import AnyOrder, Last, looks
from tests.notebook.test_scripts import outcome as outcome_of_script

# How many of each; FLOWBOOK_RANDOM_NOTEBOOKS=400 for a long look.
COUNT = int(os.environ.get("FLOWBOOK_RANDOM_NOTEBOOKS", "10"))
SEEDS = range(COUNT)


def result(flow: DocumentFlow, executor: Any) -> tuple[list[Any], list[Any], list[str], list[str]]:
    flow.run(show=False, executor=executor)
    assert flow.last_document_run is not None
    names = flow.last_document_run.names
    return [words(cell) for cell in flow.executed().cells], shape(names), sorted(names), flow.failures()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_order_makes_a_difference(seed: int, tmp_path: Path) -> None:
    flow = Flow.from_notebook(written(tmp_path / "random.ipynb", cells_of(seed)))
    expected = result(flow, "local")
    for number in range(4):
        assert result(flow, AnyOrder(random.Random(number))) == expected


@pytest.mark.parametrize("seed", range(2 * COUNT))
def test_functions_that_something_keeps_are_called_as_they_are_at_that_place(seed: int, tmp_path: Path) -> None:
    flow = Flow.from_notebook(written(tmp_path / "functions.ipynb", functions_of(seed)))
    expected = result(flow, "local")
    assert not expected[3]
    for chance in (Last(), random.Random(seed)):
        assert result(flow, AnyOrder(chance)) == expected


def test_nobody_can_tell_which_cells_ran_in_processes(tmp_path: Path) -> None:
    places: list[str] = []
    for seed in SEEDS:
        flow = Flow.from_notebook(written(tmp_path / "random.ipynb", cells_of(1000 + seed)))
        expected = result(flow, "local")
        assert result(flow, "processes") == expected, f"seed {1000 + seed}"
        assert flow.last_document_run is not None
        places += flow.last_document_run.places.values()
    assert places.count(IN_PROCESS) > len(places) / 3  # or this test would look at nothing


@pytest.mark.parametrize("seed", SEEDS[: max(3, COUNT // 3)])
def test_scripts_end_the_same_and_come_back(seed: int, tmp_path: Path) -> None:
    cells = cells_of(2000 + seed)
    path, script, again = (tmp_path / name for name in ("chance.ipynb", "chance.py", "again.ipynb"))
    flow = Flow.from_notebook(written(path, cells))
    shown, _, _, failures = result(flow, "local")
    if failures:
        pytest.skip("chance made a notebook that fails")
    assert run_line("convert", str(path), str(script)).exit_code == 0
    said, names = outcome_of_script(script, AT_THE_END)
    assert said == "".join(text for cell in shown for kind, text in cell if kind == "stdout")
    assert flow.last_document_run is not None
    for name, value in looks(flow.last_document_run.names).items():
        assert name == "i" or names[name] == value or re.match(r"<function|<class", value)
    assert run_line("convert", str(script), str(again)).exit_code == 0
    assert [cell.source for cell in Flow.from_notebook(again).document.cells] == cells
