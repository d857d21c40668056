"""Cells of a notebook run as they stand in it, whatever can be read in them; those that take long get company."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flowbook import Flow
from flowbook.engine.executors import ThreadExecutor, threads
from flowbook.notebook import document_flow
from flowbook.notebook.document_flow import DocumentFlow
from flowbook.notebook.live_document import LiveDocument
from flowbook.view.protocol import CellText
from tests.notebook.test_documents import written

# What each cell needs is there only when all cells above have run, and the two last ones change places with no error.
CELLS = [
    "steps = []",
    "def note(text):\n    steps.append(text)\n    return len(steps)",
    "first = note('first')",
    "import time\ntime.sleep(0.002)\nsecond = note('second')",
    "third = [note('third'), first, second]",
    "fourth = note('fourth')",
]
NAMES = {"steps": ["first", "second", "third", "fourth"], "third": [3, 1, 2], "fourth": 4}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the patience longer than a busy machine keeps a thread from going on."""
    monkeypatch.setattr(threads, "PATIENCE", 0.25)
    monkeypatch.setattr(threads, "AT_LAST", 2.5)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be read in cells, so that all of them are ready from the start."""
    monkeypatch.setattr(document_flow, "dependencies", lambda _cells: [])


def names(flow: DocumentFlow, executor: Any, *wanted: str) -> list[Any]:
    assert flow.run(show=False, executor=executor).is_successful(), flow.failures()
    assert flow.last_document_run is not None
    return [flow.last_document_run.names[name] for name in wanted]


@pytest.mark.usefixtures("blind", "patient")
@pytest.mark.parametrize("executor", ["local", ThreadExecutor(workers=8)])
def test_quick_cells_run_in_document_order_also_when_nothing_can_be_read_in_them(executor: Any, tmp_path: Path) -> None:
    flow = Flow.from_notebook(written(tmp_path / "blind.ipynb", CELLS))
    assert not flow.edges
    for _ in range(20):
        assert names(flow, executor, *NAMES) == list(NAMES.values())


@pytest.mark.usefixtures("blind", "patient")
def test_quick_cells_of_a_live_notebook_do_too() -> None:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    try:
        live = LiveDocument(shell)
        live.see("n.ipynb", [CellText(str(at), cell) for at, cell in enumerate(CELLS)])
        for _ in range(5):
            assert live.run(executor="threads").is_successful()
            assert [shell.user_ns[name] for name in NAMES] == list(NAMES.values())
    finally:
        InteractiveShell.clear_instance()


# In each, cells use something together that their text does not tell; every other one lets the next one be quicker.
WAITS = ["time.sleep(0.003)\n", ""]
HIDDEN: dict[str, tuple[list[str], dict[str, Any]]] = {
    "a method that formatting calls": (
        [
            (
                "import time\nclass Number:\n    made = []\n    def __format__(self, spec):\n"
                "        self.made.append(1)\n        return str(len(self.made))"
            ),
            "number = Number()",
            *(f"{WAITS[at % 2]}seen{at} = f'{{number}}'" for at in range(6)),
        ],
        {f"seen{at}": str(at + 1) for at in range(6)},
    ),
    "a method that a library calls": (
        [
            (
                "import json, time\nclass Encoder(json.JSONEncoder):\n    made = []\n    def default(self, o):\n"
                "        self.made.append(1)\n        return len(self.made)"
            ),
            *(f"{WAITS[at % 2]}seen{at} = json.dumps(object(), cls=Encoder)" for at in range(6)),
        ],
        {f"seen{at}": str(at + 1) for at in range(6)},
    ),
}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_cannot_be_read_comes_out_as_from_top_to_bottom(hidden: str, executor: str, tmp_path: Path) -> None:
    cells, expected = HIDDEN[hidden]
    flow = Flow.from_notebook(written(tmp_path / "hidden.ipynb", cells))
    for _ in range(5):
        assert names(flow, executor, *expected) == list(expected.values())


def quickest(run: Callable[[], object]) -> float:
    """Return the shortest of three times: the machine may be busy with something else once."""
    took = []
    for _ in range(3):
        begun = time.monotonic()
        run()
        took.append(time.monotonic() - begun)
    return min(took)


def test_cells_that_take_long_run_side_by_side(tmp_path: Path) -> None:
    cells = ["import time", "time.sleep(0.3)\na = 1", "time.sleep(0.3)\nb = 2", "a + b"]
    flow = Flow.from_notebook(written(tmp_path / "long.ipynb", cells))
    assert quickest(lambda: names(flow, "threads")) < 0.45
