"""A newcomer with a plain notebook: sees it as a flow, runs it, breaks a cell, mends it, and goes on from there."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenNotebook, StartServer
from tests.browser.notebooks import PANEL, NotebookPage
from tests.browser.servers import App
from tests.browser.test_live import until
from tests.browser.workbench import begin, is_enabled, mark_states, set_source

pytestmark = pytest.mark.browser

CELLS = [
    "import math",
    "print('reading')\nraw = [16, 4, 9]",
    "roots = [math.sqrt(x) for x in raw]",
    "print('total', sum(roots))",
]
NODES = """() => {
    const found = [];
    const look = root => {
        for (const node of root.querySelectorAll(".fb-node")) found.push(node.dataset.state ?? "");
        for (const inner of root.querySelectorAll("*")) if (inner.shadowRoot) look(inner.shadowRoot);
    };
    look(document.querySelector("#flowbook-panel"));
    return found;
}"""


def nodes(notebook: NotebookPage) -> list[str]:
    """Read the states of the nodes in the panel's picture."""
    found: list[str] = notebook.page.evaluate(NODES)
    return found


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_plain_notebook_is_shown_run_broken_mended_and_resumed(open_notebook: OpenNotebook, app: App) -> None:
    notebook = open_notebook(CELLS, app=app)
    # one click
    notebook.page.locator("[data-command='flowbook:show-as-flow']:visible").first.click()
    until(lambda: len(nodes(notebook)) == 4, what="the panel shows the graph")
    notebook.screenshot(f"newcomer-{app}-shown")

    notebook.page.locator("[data-command='flowbook:run']:visible").first.click()
    until(lambda: mark_states(notebook) == ["Success"] * 4, what="all ran")
    until(lambda: notebook.output_text(3) == "total 9.0", what="the outputs are written, some cells a frame")

    set_source(notebook, 2, "roots = [math.sqrt(x - 5) for x in raw]")
    until(lambda: is_enabled(notebook, "flowbook:run"), what="it can run")
    notebook.page.locator("[data-command='flowbook:run']:visible").first.click()
    until(lambda: mark_states(notebook)[2] == "Failed", what="the broken cell fails")
    notebook.screenshot(f"newcomer-{app}-broken")

    set_source(notebook, 2, "roots = [math.sqrt(x + 9) for x in raw]")
    until(lambda: is_enabled(notebook, "flowbook:resume"), what="it can be resumed")
    begin(notebook, "flowbook:resume")
    until(lambda: mark_states(notebook) == ["Success"] * 4, what="all is well")
    until(lambda: notebook.output_text(3).startswith("total 12.8"), what="the outputs are written, some cells a frame")
    # what had ended well was kept
    assert notebook.output_text(1) == "reading"
    notebook.screenshot(f"newcomer-{app}-resumed")


def test_a_notebook_in_the_file_browser_is_opened_as_a_flow(
    open_notebook: OpenNotebook, start_server: StartServer
) -> None:
    server = start_server("lab")
    server.write_notebook("other.ipynb", CELLS)
    notebook = open_notebook(["1 + 1"])
    notebook.page.locator(".jp-DirListing-item", has_text="other.ipynb").click(button="right")
    notebook.page.locator(".lm-Menu-itemLabel", has_text="Show as Flow").click()
    until(lambda: len(nodes(notebook)) == 4, what="it is open, and so is the panel")
    assert mark_states(notebook) == [""] * 4
    notebook.screenshot("files-shown")


def test_a_notebook_in_the_list_of_files_of_notebook_7_is_opened_as_a_flow(
    open_notebook: OpenNotebook, start_server: StartServer
) -> None:
    server = start_server("notebook")
    server.write_notebook("another.ipynb", CELLS)
    notebook = open_notebook(["1 + 1"], app="notebook")
    notebook.page.goto(server.page_url())
    item = notebook.page.locator(".jp-DirListing-item", has_text="another.ipynb")
    item.click(button="right")
    with notebook.page.context.expect_page() as opening:
        notebook.page.locator(".lm-Menu-itemLabel", has_text="Show as Flow").click()
    other = NotebookPage(opening.value, server, "another.ipynb")
    other.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0")
    until(lambda: len(nodes(other)) == 4, what="the new page shows the flow")
    other.screenshot("files-shown-notebook")
    assert not other.errors


def test_a_whole_notebook_becomes_task_cells_after_it_was_said_what_that_changes(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    begin(notebook, "flowbook:convert-notebook")
    until(lambda: len(nodes(notebook)) == 4, what="the panel shows what it would become")
    notebook.page.get_by_role("button", name="Make task cells…").click()
    notebook.page.get_by_text("4 cells get %%task").wait_for()
    notebook.screenshot("conversion-asked")
    assert source(notebook, 2) == CELLS[2]
    notebook.page.get_by_role("button", name="Make them").click()
    until(lambda: source(notebook, 2).startswith("%%task"), what="the cells are task cells")
    begin(notebook, "flowbook:run")
    until(lambda: mark_states(notebook) == ["Success"] * 4, what="all ran")
    assert notebook.output_text(3) == "total 9.0"
    notebook.screenshot("conversion-done")
    notebook.page.evaluate(f"() => {PANEL}.content.widgets[2].model.sharedModel.undo()")
    assert source(notebook, 2) == CELLS[2]


def source(notebook: NotebookPage, index: int) -> str:
    """Read the text of a cell."""
    return str(notebook.page.evaluate(f"index => {PANEL}.content.widgets[index].model.sharedModel.getSource()", index))
