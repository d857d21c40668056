"""What the labextension has around the notebook: palette, menus, bars, the list of what runs, settings, notices."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import OpenNotebook, StartServer
from tests.browser.notebooks import PANEL, NotebookPage
from tests.browser.test_live import until
from tests.browser.workbench import (
    begin,
    dark,
    is_enabled,
    let_paint,
    mark_states,
    marks,
    run_flow,
    select,
    show_as_flow,
    status_text,
)

pytestmark = pytest.mark.browser

CELLS = ["import time", "raw = [3, 1, 2]", "time.sleep(1.5)\nrows = sorted(raw)", "1 / 0"]
OURS = "jupyter-flowbook:plugin"
BUTTONS = """() => [...document.querySelectorAll(".jp-NotebookPanel-toolbar [data-jp-item-name^=flowbook]")]
    .filter(item => item.querySelector(".lm-mod-hidden") === null && item.offsetWidth > 0)
    .map(item => item.dataset.jpItemName)"""
CELL_TOOL = ".jp-cell-toolbar [data-jp-item-name='flowbook-run-to-here'] [data-command]:visible"


def panel_is_open(notebook: NotebookPage) -> bool:
    return notebook.page.locator("#flowbook-panel:visible").count() == 1


def test_tool_bars_and_status_bar_follow_the_flow(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS, size=(1500, 900))
    assert notebook.page.evaluate(BUTTONS) == ["flowbook-show"]
    assert status_text(notebook) == ""
    assert notebook.page.locator(CELL_TOOL).count() == 0
    show_as_flow(notebook)
    buttons = ["flowbook-run", "flowbook-pause", "flowbook-step", "flowbook-cancel"]
    until(lambda: notebook.page.evaluate(BUTTONS) == buttons, what="the tool bar has the buttons of a flow")
    assert status_text(notebook) == "flow ○"
    begin(notebook, "flowbook:run")
    until(lambda: status_text(notebook) == "flow ▶ 3/4 ✗1", what="the status bar tells how far it is")
    assert not is_enabled(notebook, "flowbook:run")
    let_paint(notebook)
    assert notebook.page.locator(".jp-FlowbookProgress:visible").inner_text() == "3/4"
    notebook.screenshot("workbench-running")
    until(lambda: status_text(notebook) == "flow ✗ 4/4 ✗1", what="the status bar tells how it ended")
    # run to here, from the cell's own tool bar
    select(notebook, 2)
    until(lambda: notebook.page.locator(CELL_TOOL).count() == 1, what="the cell has its button")
    notebook.page.locator(CELL_TOOL).click()
    until(lambda: is_enabled(notebook, "flowbook:cancel"), what="it runs to here")
    until(lambda: is_enabled(notebook, "flowbook:run"), what="it ran to here")
    let_paint(notebook)
    assert mark_states(notebook)[:3] == ["Success"] * 3
    # the panel, by the status bar
    notebook.execute("flowbook:toggle-panel")
    until(lambda: not panel_is_open(notebook), what="the panel is closed")
    notebook.page.locator(".jp-FlowbookStatus").click()
    until(lambda: panel_is_open(notebook), what="the panel is open")


def test_all_commands_are_in_one_category_of_the_palette(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["1 + 1"])
    notebook.execute("apputils:activate-command-palette")
    notebook.page.locator(".lm-CommandPalette-input").fill("flow")
    items = notebook.page.locator(".lm-CommandPalette-item[data-command^='flowbook:']")
    until(lambda: items.count() >= 11, what="the palette lists the commands")
    told = {
        item.get_attribute("data-command"): "lm-mod-disabled" not in (item.get_attribute("class") or "")
        for item in items.all()
    }
    assert told["flowbook:show-as-flow"]
    assert not told["flowbook:run"], "nothing is a flow here"
    assert not told["flowbook:cancel"]
    notebook.screenshot("workbench-palette")


def test_the_menu_of_a_cell_has_what_can_be_done_with_it(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)

    def labels() -> list[str]:
        notebook.cell(3).locator(".jp-InputPrompt").click(button="right")
        notebook.page.locator(".lm-Menu").wait_for()
        found = notebook.page.locator(
            ".lm-Menu-item[data-command^='flowbook:'] .lm-Menu-itemLabel:visible"
        ).all_inner_texts()
        notebook.page.keyboard.press("Escape")
        return found

    assert labels() == ["Make Task of This Cell"]
    show_as_flow(notebook)
    run_flow(notebook)
    assert labels() == ["Run Flow to This Cell", "Why Did This Task End Like This?", "Make Task of This Cell"]
    notebook.execute("flowbook:toggle-panel")
    told = notebook.page.locator("#flowbook-panel").get_by_text("division by zero")
    begin(notebook, "flowbook:explain-task")
    until(lambda: panel_is_open(notebook), what="the panel tells why")
    until(lambda: told.count() >= 1, what="it says the error")
    notebook.screenshot("workbench-why")


def test_a_run_that_goes_on_is_listed_and_can_be_cancelled_there(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["import time", *["time.sleep(1.5)"] * 6])
    show_as_flow(notebook)
    notebook.execute("running:show-panel")
    begin(notebook, "flowbook:run")
    row = notebook.page.locator(".jp-RunningSessions-item", has_text="1/7")
    until(lambda: row.count() == 1, what="the run is listed")
    notebook.screenshot("workbench-listed")
    row.hover()
    row.locator(".jp-RunningSessions-itemShutdown").click()
    until(lambda: "Cancelled" in mark_states(notebook), what="it is cancelled")
    until(lambda: row.count() == 0, what="it is not listed any more")


def test_the_end_of_a_run_in_a_hidden_tab_is_told(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    show_as_flow(notebook)
    begin(notebook, "flowbook:run")
    until(lambda: "Running" in mark_states(notebook), what="it runs")
    notebook.execute("launcher:create")
    notice = notebook.page.locator(".Toastify__toast", has_text="ended, Failed")
    until(lambda: notice.count() == 1, what="a notification tells of the end")
    # by its class: another label would be another name for the file
    signed = notebook.page.locator(".lm-TabBar-tab.jp-mod-flowbookBad .lm-TabBar-tabLabel")
    assert signed.inner_text() == notebook.name
    assert signed.evaluate("label => getComputedStyle(label, '::before').content") == '"✗ "'
    notice.hover()
    notebook.page.wait_for_timeout(800)  # it slides in
    notebook.screenshot("workbench-notified")
    notice.locator("button", has_text="Show").click()
    until(lambda: notebook.page.locator(".jp-NotebookPanel:visible").count() == 1, what="the notebook is shown")
    until(lambda: signed.count() == 0, what="the sign is gone")


def test_settings_are_followed(open_notebook: OpenNotebook, start_server: StartServer) -> None:
    server = start_server("lab")
    off = {"cellMarks": False, "panelSide": "left", "statusBar": False, "notifyHidden": False, "motion": False}
    server.set(OURS, off)
    try:
        notebook = open_notebook(CELLS)
        begin(notebook, "flowbook:show-as-flow")
        until(lambda: panel_is_open(notebook), what="the panel is open")
        assert notebook.page.locator("#jp-left-stack #flowbook-panel").count() == 1
        until(lambda: is_enabled(notebook, "flowbook:run"), what="it is a flow")
        begin(notebook, "flowbook:run")
        until(lambda: is_enabled(notebook, "flowbook:cancel"), what="it runs")
        assert status_text(notebook) == ""
        assert marks(notebook) == [None] * 4
        notebook.execute("launcher:create")
        until(lambda: is_enabled(notebook, "flowbook:run"), what="it has ended")
        assert notebook.page.locator(".Toastify__toast").count() == 0
        assert notebook.page.locator("body[data-flowbook-calm]").count() == 1
        with dark(notebook):
            notebook.screenshot("workbench-settings")
    finally:
        server.set(OURS, {})


def test_the_settings_editor_knows_the_settings(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["1 + 1"])
    begin(notebook, "settingeditor:open", {"query": "Flow"})
    title = notebook.page.locator(".jp-SettingsForm", has_text="Tell when a hidden run ends")
    until(lambda: title.count() >= 1, what="the settings are shown")
    notebook.screenshot("workbench-settings-editor")
    assert notebook.page.evaluate(f"() => {PANEL} !== null")


def test_the_progress_of_a_run_never_has_the_tool_bar_laid_out_anew(open_notebook: OpenNotebook) -> None:
    # JupyterLab's tool bars look at all their elements, which lays out the whole page, whenever one comes or goes.
    notebook = open_notebook(["import time", *[f"time.sleep(0.2)\nx{place} = {place}" for place in range(8)]])
    show_as_flow(notebook)
    begin(notebook, "flowbook:run")
    until(lambda: re.match(r"flow ▶ [1-5]/9", status_text(notebook)) is not None, what="the run goes on")
    notebook.page.evaluate("""() => {
        window.told = [];
        new MutationObserver((records) => window.told.push(...records.map((one) => one.type)))
            .observe(document.querySelector(".jp-FlowbookProgress"),
                     {childList: true, subtree: true, attributeFilter: ["hidden", "disabled"]});
    }""")
    until(lambda: notebook.page.locator(".jp-FlowbookProgress:visible").inner_text() == "9/9", what="it moves")
    assert notebook.page.evaluate("() => window.told") == []


def test_the_picture_of_a_run_is_sent_once_to_all_that_show_it(open_notebook: OpenNotebook) -> None:
    # That of hundreds of cells is half a megabyte: panel, marks and tool bar share it.
    notebook = open_notebook(["import time", *[f"time.sleep(0.2)\nx{place} = {place}" for place in range(8)]])
    show_as_flow(notebook)
    until(lambda: panel_is_open(notebook), what="the panel is open")
    notebook.page.evaluate(f"""() => {{
        window.told = [];
        const {{ kernel }} = {PANEL}.sessionContext.session;
        kernel.iopubMessage.connect((_, message) => window.told.push(message.content?.data?.type));
    }}""")
    for runs in (1, 2):
        run_flow(notebook)
        assert notebook.page.evaluate("() => window.told.filter(type => type === 'picture').length") == runs
    assert notebook.page.locator("#flowbook-panel .fb-node[data-state='Success']").count() == 9
