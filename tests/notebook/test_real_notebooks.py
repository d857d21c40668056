"""Notebooks as people write them, in `tests/data/notebooks`: whatever runs them, they end as in a kernel.

Compared are what each cell prints and shows as text, and all names with what their values look like at the end.
"""

from __future__ import annotations

import ast
import os
import random
import re
import shutil
import time
import types
import warnings
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from flowbook import Flow
from flowbook.engine.executors import LocalExecutor, threads
from flowbook.notebook.apart import IN_PROCESS
from flowbook.notebook.document_flow import DocumentFlow, DocumentRun
from flowbook.notebook.documents import read_document
from flowbook.sources import temporaries
from tests.notebook.test_documents import run_line
from tests.notebook.test_scripts import outcome as outcome_of_script

DATA = Path(__file__).parents[1] / "data" / "notebooks"
NOTEBOOKS = sorted(path.stem for path in DATA.glob("*.ipynb"))
# How many runs with cells in random order, all notebooks together; each takes a moment.
ORDERS = int(os.environ.get("FLOWBOOK_RANDOM_ORDERS", "200"))

NOT_COMPARED = {"In", "Out", "exit", "quit", "get_ipython", "open", "input"}
AT_THE_END = f"""import re as _re, types as _types, numpy as _np
_np.set_printoptions(precision=8)
print({{_name: _re.sub(r' at 0x\\w+', '', repr(_value)) for _name, _value in sorted(globals().items())
       if not _name.startswith('_') and _name not in {NOT_COMPARED!r}
       and not isinstance(_value, _types.ModuleType)}})"""

Said = list[tuple[str, str]]


def said(cell: Any) -> Said:
    """Return what a cell printed and showed, as text; streams first and whole: a kernel cuts them by chance."""
    found: Said = []
    streams: dict[str, str] = {}
    for output in cell.outputs:
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + output["text"]
        elif output["output_type"] == "error":
            found.append(("error", f"{output['ename']}: {output['evalue']}"))
        else:
            texts = {kind: text for kind, text in output["data"].items() if kind.startswith("text/") or "svg" in kind}
            found.append((output["output_type"], re.sub(r" at 0x\w+", "", str(sorted(texts.items())))))
    timed = {name: "timed" if text.startswith(("CPU times", "Wall time")) else text for name, text in streams.items()}
    return [*sorted(timed.items()), *found]


def looks(names: dict[str, Any]) -> dict[str, str]:
    """Return what the values of names look like."""
    import numpy as np

    np.set_printoptions(precision=8)
    return {
        name: re.sub(r" at 0x\w+", "", repr(value))
        for name, value in sorted(names.items())
        if not name.startswith("_") and name not in NOT_COMPARED and not isinstance(value, types.ModuleType)
    }


@cache
def by_a_kernel(name: str, folder: Path) -> tuple[list[Said], dict[str, str]]:
    notebook = nbformat.read(DATA / f"{name}.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(AT_THE_END))
    (folder := folder / name / "here").mkdir(parents=True)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(folder)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [said(cell) for cell in cells[:-1]], ast.literal_eval(cells[-1].outputs[0].text)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(autouse=True)
def _as_before() -> Any:
    """Put settings of libraries back that a notebook changes for its whole process."""
    yield
    import numpy as np
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pd.reset_option("all")
    np.set_printoptions(precision=8)


def flow_in(folder: Path, name: str) -> DocumentFlow:
    shutil.rmtree(folder / "here", ignore_errors=True)
    (folder / "here").mkdir()
    return Flow.from_notebook(shutil.copy(DATA / f"{name}.ipynb", folder / "here"))


def outcome(flow: DocumentFlow) -> tuple[list[Said], dict[str, str]]:
    assert flow.last_document_run is not None
    cells = [cell for cell in flow.executed_node().cells if cell.cell_type == "code"]
    return [said(cell) for cell in cells], looks(flow.last_document_run.names)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("executor", ["local", "threads", "processes"])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_ends_as_in_a_kernel(
    name: str, executor: str, kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_cell, chance = DocumentRun.run, random.Random(name)

    def after_a_while(*words_given: Any) -> None:
        if executor != "local":
            time.sleep(chance.random() * 0.005)  # cells begin and end in another order each time
        run_cell(*words_given)

    monkeypatch.setattr(DocumentRun, "run", after_a_while)
    monkeypatch.setattr(threads, "AT_LAST", 0.0)  # or they would hardly
    flow = flow_in(tmp_path, name)
    assert flow.run(show=False, executor=executor).is_successful(), flow.failures()
    cells, names = outcome(flow)
    expected_cells, expected_names = by_a_kernel(name, kernels)
    for number, (mine, kernels_own) in enumerate(zip(cells, expected_cells, strict=True), 1):
        assert mine == kernels_own, f"cell {number}"
    assert names == expected_names


class AnyOrder(LocalExecutor):
    """Runs cells one after another, each time a random one of those that may run now."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def drive(self, runner: Any) -> None:
        chance = self.chance

        class Shuffled(deque[int]):
            def popleft(self) -> int:
                self.rotate(-chance.randrange(len(self)))
                return super().popleft()

        runner.machine.ready = Shuffled(runner.machine.ready)
        super().drive(runner)


class Last(random.Random):
    """Takes the last of those that may run: as far from the notebook's order as its dependencies allow."""

    def randrange(self, start: int, *_more: Any) -> int:
        return start - 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_order_of_cells_makes_a_difference(name: str, kernels: Path, tmp_path: Path) -> None:
    expected = by_a_kernel(name, kernels)
    orders = set()
    for seed in range(-(-ORDERS // len(NOTEBOOKS))):
        flow = flow_in(tmp_path, name)
        assert flow.run(show=False, executor=AnyOrder(random.Random(seed))).is_successful(), flow.failures()
        assert outcome(flow) == expected, f"seed {seed}"
        assert flow.last_document_run is not None
        begun = {cell_id: times[0] for cell_id, times in flow.last_document_run.ended.items()}
        orders.add(tuple(sorted(begun, key=begun.__getitem__)))
    assert len(orders) > 1 or name == "scratch"  # opaque cells leave no choice


# What has no meaning in a script, with the cell and the line.
NO_SCRIPTS = {
    "files": "cell 2, line 1: %%writefile writes a file",
    "pages": "cell 7 (handle), line 1: display(display_id=...) changes what was shown",
    "scratch": "cell 3, line 1: _ is what IPython keeps",
    "words": "cell 15, line 2: dir() sees the names of its function",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_script_of_a_notebook_ends_as_it_does_and_becomes_it_again(
    name: str, kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    path = flow_in(tmp_path, name).document.path
    script, again = path.with_suffix(".py"), path.with_name("again.ipynb")
    done = run_line("convert", str(path), str(script))
    if name in NO_SCRIPTS:
        assert done.exit_code == 2
        assert NO_SCRIPTS[name] in " ".join(done.output.split())
        return
    assert done.exit_code == 0, done.output
    cells, names = by_a_kernel(name, kernels)
    printed, made = outcome_of_script(script, AT_THE_END)
    assert printed == "".join(text for cell in cells for kind, text in cell if kind == "stdout").replace("timed", "")
    private = frozenset().union(*temporaries([cell.names for cell in read_document(path).cells]))
    for one, value in names.items():  # loop variables stay in their functions, which have names of their own
        inner = re.compile(r"\w+\.<locals>\.")
        assert one in private or inner.sub("", made[one]) == inner.sub("", value)
    assert run_line("convert", str(script), str(again)).exit_code == 0
    before, after = (nbformat.read(one, as_version=4).cells for one in (path, again))
    assert [(cell.id, cell.source) for cell in before] == [(cell.id, cell.source) for cell in after]


def test_cells_of_these_notebooks_do_run_in_processes(tmp_path: Path) -> None:
    flow = flow_in(tmp_path, "late_flights")
    assert flow.run(show=False, executor="processes").is_successful(), flow.failures()
    assert flow.last_document_run is not None
    assert list(flow.last_document_run.places.values()).count(IN_PROCESS) >= 5


@pytest.mark.timeout(120)
def test_a_notebook_ends_as_in_a_kernel_with_the_workers_of_a_dask_cluster(kernels: Path, tmp_path: Path) -> None:
    flow = flow_in(tmp_path, "late_flights")
    assert flow.run(show=False, executor="dask").is_successful(), flow.failures()
    assert outcome(flow) == by_a_kernel("late_flights", kernels)
    assert flow.last_document_run is not None
    assert list(flow.last_document_run.places.values()).count(IN_PROCESS) >= 5
