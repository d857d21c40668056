"""The first tutorial in a real JupyterLab and a real Notebook 7: live while the cell blocks, lasting afterwards."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import OpenNotebook, StartServer
from tests.browser.notebooks import NotebookPage
from tests.browser.servers import App

TUTORIAL = Path(__file__).parents[2] / "notebooks" / "01_first_flow.ipynb"
APPS: tuple[App, App] = ("lab", "notebook")

pytestmark = pytest.mark.browser


LONG_FLOW = """
import time
from flowbook import Flow, task

@task
def slow():
    time.sleep(30)

with Flow("long") as flow:
    first = slow()
    second = slow(upstream_tasks=[first])
"""
RUN_IT = """
began = time.time()
state = flow.run()
state
"""
TELL = """
import json
request = next(event for event in flow.last_run.events if event.kind == "request")
print(json.dumps([type(state).__name__, request.at, time.time() - began]))
"""

MANY = """
from flowbook import Flow, task

@task
def one(before=None):
    return 1

with Flow("many") as flow:
    made = one()
    for _ in range(299):
        made = one(made)
state = flow.run()
"""
SCROLL = """() => {
    const roots = [...document.querySelectorAll("*")].map((one) => one.shadowRoot);
    const view = roots.map((root) => root?.querySelector(".fb-scroller")).find(Boolean);
    view.scrollTop = view.scrollHeight;
}"""


def states_in(notebook: NotebookPage, cell: int) -> dict[str, str]:
    """Read the state of each node of the live picture in a cell's output."""
    found: dict[str, str] = notebook.page.evaluate(
        """cell => {
            const states = {};
            const look = root => {
                for (const node of root.querySelectorAll(".fb-node")) {
                    const name = node.querySelector(".fb-name")?.textContent ?? "";
                    states[name in states ? `${name} ${node.dataset.node}` : name] = node.dataset.state;
                }
                for (const inner of root.querySelectorAll("*")) if (inner.shadowRoot) look(inner.shadowRoot);
            };
            look(window.jupyterapp.shell.currentWidget.content.widgets[cell].node);
            return states;
        }""",
        cell,
    )
    return found


def until(condition: Callable[[], bool], *, seconds: float = 20.0, what: str) -> float:
    """Wait until something is so; return the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


def cell_index(name: str) -> int:
    """Return the place of a cell of the tutorial."""
    cells = json.loads(TUTORIAL.read_text("utf-8"))["cells"]
    return next(index for index, cell in enumerate(cells) if cell["id"] == name)


def tutorial(start_server: StartServer, open_notebook: OpenNotebook, app: App) -> NotebookPage:
    """Open a copy of the tutorial and run it up to the flow."""
    server = start_server(app)
    shutil.copy(TUTORIAL, server.folder / f"tutorial-{app}.ipynb")
    notebook = open_notebook(name=f"tutorial-{app}.ipynb", app=app)
    for name in ("tasks-read", "tasks-work", "tasks-rest", "flow"):
        notebook.run_cell(cell_index(name))
    return notebook


@pytest.mark.parametrize("app", APPS)
def test_nodes_change_while_the_cell_blocks_and_the_picture_lasts(
    app: App, start_server: StartServer, open_notebook: OpenNotebook
) -> None:
    notebook = tutorial(start_server, open_notebook, app)
    run = cell_index("run")
    until(
        lambda: len(states_in(notebook, cell_index("flow"))) == 13,
        what=f"the flow is drawn: {states_in(notebook, cell_index('flow'))}",
    )

    notebook.run_cell(run, wait=False)
    seen: set[tuple[str, str]] = set()
    while_busy: set[str] = set()

    def watch() -> bool:
        states = states_in(notebook, run)
        seen.update(states.items())
        # a subshell that hears the picture reports the kernel idle, so ask whether the cell is still running
        busy = notebook.page.evaluate("() => (window.flowbookTestRuns ?? 0) > 0")
        if busy:
            while_busy.update(states.values())
        return not busy and bool(states)

    until(watch, seconds=40, what="the run ends")
    assert {"Pending", "Running", "Success", "Retrying", "Skipped"} <= while_busy
    assert ("read_weather", "Retrying") in seen
    assert ("read_weather", "Success") in seen
    final = states_in(notebook, run)
    assert final["print_snow"] == "Skipped"
    assert final["clean_up"] == "Success"
    notebook.screenshot(f"tutorial-{app}")

    notebook.save()
    notebook.close()
    reopened = open_notebook(name=f"tutorial-{app}.ipynb", app=app, kernel=False)
    until(lambda: states_in(reopened, run) == final, what="the saved picture shows the final states without a kernel")
    assert "model not found" not in reopened.page.content()
    reopened.screenshot(f"tutorial-{app}-reopened")


@pytest.mark.parametrize("app", APPS)
def test_cancel_is_heard_while_the_cell_blocks(
    app: App, start_server: StartServer, open_notebook: OpenNotebook
) -> None:
    notebook = open_notebook([LONG_FLOW, RUN_IT, TELL], app=app)
    notebook.run_cell(0)
    notebook.run_cell(1, wait=False)
    until(lambda: states_in(notebook, 1).get("slow") == "Running", what="it runs")
    button = notebook.cell(1).get_by_role("button", name="Cancel")
    until(button.is_enabled, what="the button is live")
    clicked = time.time()
    button.click()
    notebook.wait_idle(timeout=20)
    assert set(states_in(notebook, 1).values()) == {"Cancelled"}
    notebook.screenshot(f"cancelled-{app}")
    notebook.run_cell(2)
    state, asked_at, _ = json.loads(notebook.output_text(2))
    assert state == "Cancelled"
    # the figure is 0.3 s; the click itself takes Playwright a while, and this machine may be loaded
    assert asked_at - clicked < 2.0
    print(f"cancel acknowledged in the kernel {1000 * (asked_at - clicked):.0f} ms after the click ({app})")


def test_nodes_out_of_sight_are_painted_when_they_come_into_sight(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([MANY])
    notebook.run_cell(0)
    until(lambda: states_in(notebook, 0).get("one") == "Success", what="what is in sight shows the end")
    assert len(states_in(notebook, 0)) == 300
    notebook.page.evaluate(SCROLL)
    until(lambda: states_in(notebook, 0).get("one 299") == "Success", what="what came into sight, too")
