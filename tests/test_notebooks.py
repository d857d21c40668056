"""Every tutorial runs from top to bottom, as a reader would run it, and each ends in assertions of its own."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from flowbook.view.protocol import MIME, decode_bundle

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_tutorial_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "a tutorial is kept without outputs"
    assert any("assert " in cell.source for cell in notebook.cells), "a tutorial ends in an assertion"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    bundles = [
        output.data[MIME]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {})
    ]
    runs = [decode_bundle(bundle) for bundle in bundles if bundle["run"]]
    assert runs, "a tutorial shows a run"
    for run in runs:
        assert not run.live, "the lasting output is the final one"
        assert run.snapshot.flow.state == "Success"
    assert "widget-view" not in nbformat.writes(notebook), "a saved tutorial needs no widget"
