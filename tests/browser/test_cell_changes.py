"""Cells that are deleted, brought back, renamed, split and merged: the flow follows within a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.notebooks import PANEL, NotebookPage
from tests.browser.test_live import until
from tests.browser.workbench import marks, run_flow, select, set_source, show_as_flow

pytestmark = pytest.mark.browser

TASKS = [
    "%%task load\nraw = [3, 1, 2]",
    "%%task clean\nrows = sorted(raw)",
    "%%task top\nlargest = max(rows)",
]

# where the cursor stands in a cell is where it is split
CURSOR = f"""([index, line]) => {{
    const {{ content }} = {PANEL};
    content.activeCellIndex = index;
    content.mode = "edit";
    content.widgets[index].editor.setCursorPosition({{ line, column: 0 }});
}}"""


def soon(condition: Callable[[], bool], what: str) -> None:
    """Wait the second in which a change must have been told, and another one for a loaded machine."""
    spent = until(condition, seconds=5, what=what)
    print(f"{what}: {spent:.2f} s")
    assert spent < 2


def names(notebook: NotebookPage) -> list[str | None]:
    """Read what the task of each cell is called."""
    return [None if mark is None else str(mark["name"]).split(",")[0] for mark in marks(notebook)]


def mark(notebook: NotebookPage, place: int) -> dict[str, Any]:
    """Read the mark of one cell; empty when there is none."""
    found = marks(notebook)
    return (found[place] if place < len(found) else None) or {}


def test_deleting_undoing_and_renaming_task_cells(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(TASKS)
    show_as_flow(notebook)
    assert names(notebook) == ["load", "clean", "top"]
    run_flow(notebook)
    soon(lambda: mark(notebook, 2).get("state") == "Success", "all ran")

    select(notebook, 0)
    notebook.execute("notebook:delete-cell")
    soon(lambda: "raw" in mark(notebook, 0).get("words", "") and mark(notebook, 0)["glyph"] == "⚠", "clean misses raw")
    notebook.screenshot("cells-deleted")
    notebook.execute("notebook:undo-cell-action")
    soon(lambda: names(notebook) == ["load", "clean", "top"] and mark(notebook, 1)["glyph"] == "✓", "all is as before")

    set_source(notebook, 1, "%%task tidy\nrows = sorted(raw)")
    soon(lambda: bool(mark(notebook, 1)["dirty"]), "it was edited since it ran")
    assert mark(notebook, 1)["state"] == "Success", "a renamed task keeps its history"
    run_flow(notebook)
    soon(lambda: names(notebook)[1] == "tidy", "the new name is shown")
    soon(lambda: [one and one["state"] for one in marks(notebook)] == ["Success"] * 3, "all ran again")
    notebook.screenshot("cells-renamed")


def test_splitting_and_merging_cells_of_a_plain_notebook(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["raw = [3, 1, 2]", "rows = sorted(raw)\nlargest = max(rows)", "print(largest)"])
    show_as_flow(notebook)
    run_flow(notebook)
    soon(lambda: mark(notebook, 2).get("state") == "Success", "all ran")

    notebook.page.evaluate(CURSOR, [1, 1])
    notebook.execute("notebook:split-cell-at-cursor")
    soon(lambda: len(names(notebook)) == 4 and None not in names(notebook), "both halves are tasks")
    run_flow(notebook)
    soon(lambda: [one and one["state"] for one in marks(notebook)] == ["Success"] * 4, "both halves ran")
    assert notebook.output_text(3) == "3"

    select(notebook, 1)
    notebook.execute("notebook:merge-cell-below")
    soon(lambda: len(names(notebook)) == 3 and None not in names(notebook), "they are one task again")
    run_flow(notebook)
    soon(lambda: [one and one["state"] for one in marks(notebook)] == ["Success"] * 3, "the one task ran")
    notebook.screenshot("cells-merged")


def test_making_a_task_of_a_cell_can_be_undone(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["raw = [3, 1, 2]", "print(raw)"])
    select(notebook, 0)
    notebook.execute("flowbook:make-task")
    source = f"() => {PANEL}.content.widgets[0].model.sharedModel.getSource()"
    assert str(notebook.page.evaluate(source)).startswith("%%task")
    soon(lambda: names(notebook)[0] is not None, "the cell is a task")
    # the kernel knows the magic now
    notebook.run_cell(0)
    assert "UsageError" not in notebook.output_text(0)
    soon(lambda: mark(notebook, 0).get("state") == "Success", "it ran as one")
    notebook.page.evaluate(f"() => {PANEL}.content.widgets[0].model.sharedModel.undo()")
    assert notebook.page.evaluate(source) == "raw = [3, 1, 2]"
