"""Marks at the cells: they follow a run while the kernel is busy with it, wherever the cells are scrolled to."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenNotebook, StartServer
from tests.browser.notebooks import PANEL
from tests.browser.servers import App
from tests.browser.test_live import until
from tests.browser.workbench import (
    begin,
    dark,
    mark_states,
    marks,
    run_flow,
    select,
    set_source,
    show_as_flow,
)

pytestmark = pytest.mark.browser

CELLS = [
    "import time",
    "raw = [3, 1, 2]",
    "time.sleep(1)\nrows = sorted(raw)\nrows",
    "time.sleep(0.5)\nprint('largest', max(rows))\n1 / 0",
    "low = min(rows)",
]
FAILED_BADGE = ".jp-FlowbookMark[data-state=Failed] .jp-FlowbookMark-badge"


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_badges_change_while_a_cell_blocks_the_kernel(open_notebook: OpenNotebook, app: App) -> None:
    notebook = open_notebook(CELLS, app=app)
    show_as_flow(notebook)
    assert [mark["state"] for mark in marks(notebook) if mark is not None] == [""] * 5
    begin(notebook, "flowbook:run")
    seen: set[tuple[int, str]] = set()

    def watch() -> bool:
        states = mark_states(notebook)
        seen.update((place, state) for place, state in enumerate(states) if state is not None)
        return states[4] in {"Success", "TriggerFailed"} and states[3] == "Failed"

    until(watch, seconds=30, what="the run ends")
    assert {(4, "Pending"), (2, "Running"), (2, "Success"), (3, "Running"), (3, "Failed")} <= seen
    # what a cell showed during the run is below it
    assert "largest 3" in notebook.output_text(3)
    assert "ZeroDivisionError" in notebook.output_text(3)
    assert notebook.output_text(2) == "[1, 2, 3]"

    failed = marks(notebook)[3]
    assert failed is not None
    assert (failed["glyph"], failed["family"]) == ("✗", "bad")
    assert "ZeroDivisionError: division by zero" in failed["name"]
    notebook.screenshot(f"marks-{app}")

    # a cell that was edited says so, and those after it are stale
    set_source(notebook, 2, "rows = sorted(raw, reverse=True)")
    until(lambda: [bool(mark and mark["dirty"]) for mark in marks(notebook)][2], what="the edited cell is marked")
    until(lambda: bool((marks(notebook)[4] or {}).get("stale")), what="what follows is stale")

    # a click leads to the node in the panel, and to the cell
    notebook.page.locator(FAILED_BADGE).first.click()
    until(lambda: notebook.page.locator("#flowbook-panel:visible").count() == 1, what="the panel is open")
    assert notebook.page.evaluate(f"() => {PANEL}.content.activeCellIndex") == 3
    notebook.screenshot(f"marks-{app}-panel")
    with dark(notebook):
        notebook.page.locator(FAILED_BADGE).first.hover()
        notebook.screenshot(f"marks-{app}-dark")


def test_a_badge_is_reached_and_pressed_by_keyboard(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    show_as_flow(notebook)
    notebook.execute("flowbook:toggle-panel")
    select(notebook, 2)
    stops = notebook.page.locator(".jp-FlowbookMark-badge[tabindex='0']")
    until(lambda: stops.count() == 1, what="one badge is a stop of the Tab key")
    stops.focus()
    words = notebook.page.locator(".jp-FlowbookMark-words:visible")
    assert words.inner_text() == "not run yet"
    notebook.page.keyboard.press("Enter")
    until(lambda: notebook.page.locator("#flowbook-panel:visible").count() == 1, what="the panel is open")
    assert notebook.page.evaluate(f"() => {PANEL}.content.mode") == "command"
    assert notebook.cell_count() == len(CELLS)


def test_marks_are_told_apart_without_colours(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    notebook.page.emulate_media(forced_colors="active")
    show_as_flow(notebook)
    run_flow(notebook)
    until(lambda: mark_states(notebook)[3] == "Failed", what="one cell has failed")
    styles = notebook.page.locator(".jp-FlowbookMark-bar").evaluate_all(
        "bars => bars.map(bar => getComputedStyle(bar).borderLeftStyle)"
    )
    assert (styles[2], styles[3]) == ("solid", "double")
    notebook.screenshot("marks-forced-colors")


def test_marks_follow_cells_that_were_out_of_sight(open_notebook: OpenNotebook, start_server: StartServer) -> None:
    server = start_server("lab")
    tracker = "@jupyterlab/notebook-extension:tracker"
    server.set(tracker, {"windowingMode": "full"})
    try:
        cells = ["import time", *[f"x{place} = {place}\ntime.sleep(0.02)\nprint(x{place})\n" for place in range(1, 60)]]
        notebook = open_notebook(cells)
        attached = f"() => {PANEL}.content.widgets.map(cell => cell.isAttached)"
        until(lambda: not all(notebook.page.evaluate(attached)), what="cells out of sight are out of the page")
        show_as_flow(notebook)
        run_flow(notebook, seconds=60)
        until(lambda: all(state == "Success" for state in mark_states(notebook)), what="all cells have their marks")
        for place in (59, 0, 30):
            notebook.page.evaluate(f"place => {PANEL}.content.scrollToItem(place)", place)
            mark = notebook.page.locator(".jp-Cell").nth(place).locator(".jp-FlowbookMark-badge")
            mark.wait_for(state="visible", timeout=5000)
        notebook.screenshot("marks-windowing")
    finally:
        server.set(tracker, {"windowingMode": "none"})
