"""Task cells in a real JupyterLab: identity by cell id, results in the namespace, a picture of the flow they make."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.test_live import states_in, until

pytestmark = pytest.mark.browser

CELLS = [
    "%load_ext flowbook",
    "%%task load\nraw = [3, 1, 2]",
    "%%task clean --retries 1\nrows = sorted(raw)\nrows",
    "%%task\n# largest row\nlargest = max(rows)",
    "%flowbook run",
    "print(rows, largest, [task.name for task in __import__('flowbook').current().sorted_tasks()])",
]
RENAME = """index => {
    const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
    cell.model.sharedModel.setSource("%%task tidy\\nrows = sorted(raw, reverse=True)");
}"""


def test_cells_build_a_flow_and_a_renamed_cell_stays_itself(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    for index in range(4):
        notebook.run_cell(index)
    assert notebook.output_text(2) == "[1, 2, 3]"
    notebook.run_cell(4)
    until(lambda: set(states_in(notebook, 4).values()) == {"Success"}, what="the flow of the cells is shown")
    assert set(states_in(notebook, 4)) == {"load", "clean", "largest_row"}
    notebook.run_cell(5)
    assert notebook.output_text(5) == "[1, 2, 3] 3 ['load', 'clean', 'largest_row']"

    notebook.page.evaluate(RENAME, 2)
    notebook.run_cell(2)
    notebook.run_cell(4)
    notebook.run_cell(5)
    assert notebook.output_text(5) == "[3, 2, 1] 3 ['load', 'tidy', 'largest_row']"
    notebook.screenshot("task-cells")


DELETE = """async index => {
    const { shell, commands } = window.jupyterapp;
    shell.currentWidget.content.activeCellIndex = index;
    await commands.execute("notebook:delete-cell");
}"""


def test_who_reads_what_a_deleted_cell_made_is_told_so(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(
        [
            "%load_ext flowbook",
            "import flowbook; print(flowbook.__file__)",
            "%%task load\nprint('loading')\nraw = [3, 1, 2]",
            "%%task clean\nprint('cleaning')\nrows = sorted(raw)",
            "%flowbook run",
        ]
    )
    for index in range(4):
        notebook.run_cell(index)
    assert notebook.output_text(3) == "cleaning"
    notebook.page.evaluate(DELETE, 2)
    notebook.run_cell(3)
    assert "'clean' needs raw, which the forgotten cell 'load' made" in notebook.output_text(3)
    assert "%flowbook restore load" in notebook.output_text(3)
