"""Buttons act while the flow runs and the kernel is busy with it: pause, go on, step, retry and cancel."""

from __future__ import annotations

import json

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.notebooks import NotebookPage
from tests.browser.servers import App
from tests.browser.test_live import until
from tests.browser.workbench import (
    begin,
    is_enabled,
    mark_states,
    marks,
    select,
    show_as_flow,
    status_text,
    time_until,
)

pytestmark = pytest.mark.browser

CHAIN = [
    "import time",
    *[f"x{place} = {'0' if place == 1 else f'x{place - 1} + 1'}\ntime.sleep(0.7)" for place in range(1, 9)],
]
REQUESTS = """
import json
from flowbook.notebook.desk import desk_of
print(json.dumps([event.at for event in desk_of(get_ipython()).run.events if event.kind == "request"]))
"""
NOW = "() => Date.now() / 1000"

# the figure, from the click to what the kernel does about it
QUICK = 0.3


def shows(state: str) -> str:
    """Return a condition of the page: the tool bar tells that the run is so."""
    toggled = {"paused": "true", "going on": "false"}[state]
    return f"() => window.jupyterapp.commands.isToggled('flowbook:pause') === {toggled}"


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_pause_step_and_cancel_act_while_a_cell_blocks_the_kernel(open_notebook: OpenNotebook, app: App) -> None:
    notebook = open_notebook([*CHAIN, REQUESTS], app=app)
    show_as_flow(notebook)
    begin(notebook, "flowbook:run")
    until(lambda: "Running" in mark_states(notebook), what="it runs")
    until(lambda: is_enabled(notebook, "flowbook:pause"), what="the buttons are live")
    times = [time_until(notebook, "flowbook:pause", shows(state)) for state in ("paused", "going on", "paused")]
    if app == "lab":
        assert status_text(notebook).startswith("flow ‖ ")
    until(lambda: "Running" not in mark_states(notebook), what="what ran has ended, and nothing else began")
    done = mark_states(notebook).count("Success")
    assert done < 9
    notebook.screenshot(f"controls-{app}-paused")

    assert is_enabled(notebook, "flowbook:pause"), "the button that paused it lets it go on"

    one_more = "() => document.querySelector('.jp-FlowbookMark[data-state=Running]') !== null"
    times += [time_until(notebook, "flowbook:step", one_more)]
    until(lambda: "Running" not in mark_states(notebook), what="the one more has ended")
    assert mark_states(notebook).count("Success") == done + 1

    begin(notebook, "flowbook:pause")
    until(lambda: "Running" in mark_states(notebook), what="it goes on")
    asked = notebook.page.evaluate(NOW)
    begin(notebook, "flowbook:cancel")
    until(lambda: "Cancelled" in mark_states(notebook), what="what had not begun is cancelled")
    until(lambda: is_enabled(notebook, "flowbook:run"), what="the run has ended")
    notebook.screenshot(f"controls-{app}-cancelled")
    notebook.wait_idle()
    notebook.run_cell(len(CHAIN))
    cancelled = max(json.loads(notebook.output_text(len(CHAIN)))) - asked
    told = [round(1000 * spent) for spent in times]
    print(f"{app}: pause, go on, pause, step {told} ms, cancel {1000 * cancelled:.0f} ms")
    assert sorted(times)[1] < QUICK, times
    assert cancelled < QUICK


def retried(notebook: NotebookPage) -> float:
    """Ask for the selected cell's task again and return how long it took until it ran."""
    state = "document.querySelectorAll('.jp-FlowbookMark')[2].dataset.state"
    return time_until(notebook, "flowbook:retry-task", f"() => {state} !== 'Failed'")


def test_a_task_that_failed_is_tried_again_while_the_flow_runs(open_notebook: OpenNotebook) -> None:
    flaky = "import pathlib\ntext = pathlib.Path('ready.txt').read_text()"
    notebook = open_notebook(["import time", "time.sleep(5)\nslow = 1", flaky, "print(text)"])
    show_as_flow(notebook)
    begin(notebook, "flowbook:run")
    until(lambda: mark_states(notebook)[1:3] == ["Running", "Failed"], what="one task has failed while another runs")
    (notebook.server.folder / "ready.txt").write_text("now it is there", "utf-8")
    select(notebook, 2)
    until(lambda: is_enabled(notebook, "flowbook:retry-task"), what="the task can be tried again")
    spent = retried(notebook)
    until(lambda: mark_states(notebook)[2] == "Success", what="it went well this time")
    assert mark_states(notebook)[1] == "Running"
    print(f"retry {1000 * spent:.0f} ms")
    assert spent < QUICK
    until(lambda: mark_states(notebook)[3] == "Success", what="what follows from it runs")
    assert notebook.output_text(3) == "now it is there"
    mark = marks(notebook)[2]
    assert mark is not None
    assert "2" in mark["attempt"]
    notebook.screenshot("controls-retried")


def test_the_tool_bar_runs_with_what_is_typed_into_the_form(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["days = 7", "twice = 2 * days\nprint('twice', twice)"])
    notebook.page.evaluate("""() => window.jupyterapp.shell.currentWidget.content.widgets[0]
        .model.sharedModel.setMetadata("tags", ["parameters"])""")
    show_as_flow(notebook)
    panel = notebook.page.locator("#flowbook-panel")
    until(lambda: panel.locator(".fp-form summary:visible").count() == 1, what="the form is there")
    panel.locator(".fp-form summary").click()
    panel.locator("input.fp-input").fill("21")
    begin(notebook, "flowbook:run")
    until(lambda: mark_states(notebook) == ["Success"] * 2, what="it ran")
    until(lambda: "twice 42" in notebook.output_text(1), what="with the form's value")
    panel.locator("input.fp-input").fill("many")
    begin(notebook, "flowbook:run")
    until(lambda: panel.locator(".fp-wrong:visible").count() == 1, what="the wrong field is pointed at")
    assert "twice 42" in notebook.output_text(1)
    edited = "twice = 2 * days + 1"
    notebook.page.evaluate(f"""() => window.jupyterapp.shell.currentWidget.content.widgets[1]
        .model.sharedModel.setSource({edited!r})""")
    until(
        lambda: status_text(notebook) == "flow ◇ 1/2", what="the status bar tells of the edit, and counts no parameter"
    )
