"""A page that is loaded again during a run, a second one, a kernel that restarts: what is shown is right again."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.notebooks import IS_READY
from tests.browser.servers import App
from tests.browser.test_live import until
from tests.browser.workbench import begin, is_enabled, mark_states, marks, run_flow, show_as_flow

pytestmark = pytest.mark.browser

CELLS = ["import time", "time.sleep(1)\nraw = [3, 1, 2]", "time.sleep(8)\nrows = sorted(raw)", "print(rows)"]

# the figure is a second; a loaded machine gets two
RIGHT_AGAIN = 2.0


def test_a_page_loaded_again_during_a_run_is_right_within_a_second(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    show_as_flow(notebook)
    notebook.save()
    begin(notebook, "flowbook:run")
    until(lambda: mark_states(notebook)[1:3] == ["Success", "Running"], what="it runs")
    notebook.page.reload()
    notebook.page.wait_for_function(IS_READY)
    linked = "() => Boolean(window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel)"
    notebook.page.wait_for_function(linked)
    spent = until(lambda: mark_states(notebook) == ["Success", "Success", "Running", "Pending"], what="marks are there")
    print(f"after the reload: {spent:.2f} s")
    assert spent < RIGHT_AGAIN
    assert is_enabled(notebook, "flowbook:cancel")
    until(lambda: notebook.page.locator("#flowbook-panel:visible").count() == 1, what="the layout is restored")
    notebook.screenshot("again-reloaded")
    until(lambda: mark_states(notebook) == ["Success"] * 4, what="the end of the run is seen")
    assert notebook.output_text(3) == "[1, 2, 3]"


def test_a_second_tab_shows_and_commands_the_same_run(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    show_as_flow(notebook)
    notebook.save()
    begin(notebook, "flowbook:run")
    until(lambda: mark_states(notebook)[1:3] == ["Success", "Running"], what="it runs")
    # the same browser, so that it remembers what the person asked for
    second = type(notebook)(notebook.page.context.new_page(), notebook.server, notebook.name)
    second.page.goto(notebook.server.page_url(notebook.name))
    second.page.wait_for_function(IS_READY)
    until(lambda: mark_states(second)[1:3] == ["Success", "Running"], what="the second tab shows it")
    assert is_enabled(second, "flowbook:cancel")
    begin(second, "flowbook:cancel")
    until(lambda: mark_states(notebook)[2] == "Cancelled", what="the first one sees the cancel")
    until(lambda: mark_states(second) == mark_states(notebook), what="both show the same")
    second.screenshot("again-second-tab")
    assert not second.errors


def test_after_a_restart_of_the_kernel_nothing_old_is_shown(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["raw = [3, 1, 2]", "print(sorted(raw))"])
    show_as_flow(notebook)
    run_flow(notebook)
    until(lambda: mark_states(notebook) == ["Success"] * 2, what="it ran")
    notebook.restart_kernel()
    spent = until(lambda: mark_states(notebook) == [""] * 2, what="the flow is there, and has not run")
    print(f"after the restart: {spent:.2f} s")
    assert spent < RIGHT_AGAIN
    run_flow(notebook)
    until(lambda: mark_states(notebook) == ["Success"] * 2, what="it runs again")


def test_a_notebook_that_does_not_mention_flowbook_is_left_alone(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["import sys", "print(any(name.startswith('flowbook') for name in sys.modules))"])
    notebook.run_all()
    assert notebook.output_text(1) == "False"
    assert marks(notebook) == [None, None]
    assert not is_enabled(notebook, "flowbook:run")
    assert "No such comm target" not in notebook.server.log


def test_task_cells_are_marked_once_their_kernel_knows_flowbook(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["%load_ext flowbook", "%%task load\nraw = [3, 1, 2]"])
    assert marks(notebook) == [None, None]
    notebook.run_cell(0)
    until(lambda: marks(notebook)[1] is not None, what="the task cell is marked")
    notebook.run_cell(1)
    until(lambda: mark_states(notebook)[1] == "Success", what="a cell that was run by hand says so")


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_an_open_panel_is_open_after_the_page_was_loaded_again(open_notebook: OpenNotebook, app: App) -> None:
    notebook = open_notebook(["raw = [3, 1, 2]"], app=app)
    shown = notebook.page.locator("#flowbook-panel")
    for is_open in (True, False):
        notebook.execute("flowbook:toggle-panel")
        shown.wait_for(state="visible" if is_open else "hidden")
        notebook.page.wait_for_timeout(1500)  # JupyterLab saves its layout a second later
        notebook.page.reload()
        notebook.page.wait_for_function(IS_READY)
        notebook.page.evaluate("() => window.jupyterapp.restored.then(() => null)")
        notebook.page.wait_for_timeout(700)
        assert shown.is_visible() == is_open
    focus = "() => document.activeElement?.closest('#flowbook-panel') === null"
    assert notebook.page.evaluate(focus), "nobody asked for the panel just now"
