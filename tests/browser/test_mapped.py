"""A mapped task in a real JupyterLab: one node whose counts move while the cell blocks, and its children as a list."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.notebooks import NotebookPage
from tests.browser.test_live import until

pytestmark = pytest.mark.browser

FLOW = """
import time
from flowbook import Flow, task

@task
def numbers():
    return list(range(12))

@task
def look_at(x):
    time.sleep(0.35)
    if x == 4:
        raise ValueError("no rows in <b>four</b>")
    return 10 * x

with Flow("mapped") as flow:
    look_at.map(numbers())
"""
RUN_IT = "flow.run()"

NODE = """cell => {
    const found = [];
    const look = root => {
        for (const node of root.querySelectorAll(".fb-node")) {
            if (node.querySelector(".fb-name")?.textContent === "look_at") found.push(node);
        }
        for (const inner of root.querySelectorAll("*")) if (inner.shadowRoot) look(inner.shadowRoot);
    };
    look(window.jupyterapp.shell.currentWidget.content.widgets[cell].node);
    return found[0];
}"""
TOLD = f"""cell => {{
    const node = ({NODE})(cell);
    if (node === undefined) return null;
    const shares = [...node.querySelectorAll(".fb-share")];
    return {{
        state: node.dataset.state,
        line: node.querySelector(".fb-state").textContent,
        name: node.getAttribute("aria-label"),
        shares: Object.fromEntries(shares.map(part => [part.dataset.family, Number(part.getAttribute("width"))])),
    }};
}}"""
FOCUS = f"cell => ({NODE})(cell).focus()"
STANDS_ON = f"""cell => {{
    const at = ({NODE})(cell).getRootNode().activeElement;
    return at?.getAttribute("data-node") !== null && at === ({NODE})(cell) ? "node" : at?.className;
}}"""


def told(notebook: NotebookPage, cell: int) -> dict[str, Any] | None:
    """Read what the mapped node says and shows."""
    found: dict[str, Any] | None = notebook.page.evaluate(TOLD, cell)
    return found


def rows(notebook: NotebookPage, cell: int) -> list[list[str]]:
    """Read the list of children as rows of words."""
    listed: list[list[str]] = (
        notebook.cell(cell)
        .locator(".fb-child")
        .evaluate_all("rows => rows.map(row => [...row.children].map(cell => cell.textContent))")
    )
    return listed


def busy(notebook: NotebookPage) -> bool:
    return bool(notebook.page.evaluate("() => (window.flowbookTestRuns ?? 0) > 0"))


def watched(notebook: NotebookPage, cell: int) -> tuple[set[str], set[float], set[str]]:
    """Watch until the cell has ended: what the node said, how long its good part was, which children were running."""
    lines: set[str] = set()
    widths: set[float] = set()
    running: set[str] = set()

    def watch() -> bool:
        now = told(notebook, cell)
        if not busy(notebook):
            return True
        if now is not None:
            lines.add(now["line"])
            widths.add(now["shares"]["good"])
            running.update(row[0] for row in rows(notebook, cell) if row[1] == "Running")
        return False

    until(watch, seconds=40, what="the run ends")
    return lines, widths, running


def test_counts_move_while_the_cell_blocks_and_children_are_listed_by_keyboard(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([FLOW, RUN_IT])
    notebook.run_cell(0)
    notebook.run_cell(1, wait=False)
    until(lambda: (told(notebook, 1) or {}).get("state") == "Mapping", what="it is being mapped")

    # the list is opened while the cell runs, and is kept up to date by a kernel that is busy
    notebook.page.evaluate(FOCUS, 1)
    notebook.page.keyboard.press("Enter")
    until(lambda: len(rows(notebook, 1)) == 12, what="all children are listed")
    assert notebook.page.evaluate(STANDS_ON, 1) == "fb-children-list"
    lines, widths, running = watched(notebook, 1)
    assert len({line for line in lines if line.startswith("Mapping · ")}) >= 4, lines
    assert any(line.endswith(" of 12 · 1 failed") for line in lines), lines
    assert len(widths) >= 4, widths
    assert len(running) >= 3, running

    final = told(notebook, 1)
    assert final is not None
    assert (final["state"], final["line"]) == ("Mapped", "Mapped · 1 of 12 failed")
    assert final["name"].startswith("look_at, Mapped, 1 of 12 failed")
    assert final["shares"]["bad"] > 0
    until(lambda: rows(notebook, 1)[0][:2] == ["✗[4]", "Failed"], what="what failed stands first")
    assert rows(notebook, 1)[0][3] == "ValueError: no rows in <b>four</b>"
    notebook.screenshot("mapped-list")

    # only what failed, by keyboard; and back to the node
    notebook.page.keyboard.press("Shift+Tab")
    notebook.page.keyboard.press("Enter")
    until(lambda: [row[0] for row in rows(notebook, 1)] == ["✗[4]"], what="only what failed is listed")
    notebook.page.keyboard.press("Escape")
    assert notebook.cell(1).locator(".fb-children").is_hidden()
    assert notebook.page.evaluate(STANDS_ON, 1) == "node"
    assert notebook.cell_count() == 2  # no key of ours was taken for one of the notebook's

    notebook.save()
    notebook.close()
    reopened = open_notebook(name=notebook.name, kernel=False)
    until(lambda: told(reopened, 1) == final, what="the saved picture has the counts")
    reopened.page.evaluate(FOCUS, 1)
    reopened.page.keyboard.press("Enter")
    until(lambda: len(rows(reopened, 1)) == 12, what="the saved picture has its children")
    assert rows(reopened, 1)[0][:2] == ["✗[4]", "Failed"]
