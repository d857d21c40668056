"""Where our labextension is not there, a widget shows the run while it goes on, and leaves nothing behind."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.notebooks import NotebookPage
from tests.browser.servers import running_server
from tests.browser.test_live import LONG_FLOW, RUN_IT, TELL, states_in, until

pytestmark = pytest.mark.browser


def test_a_run_is_live_and_can_be_cancelled_without_the_labextension(browser: Browser, tmp_path: Path) -> None:
    switched_off = tmp_path / "config" / "labconfig" / "page_config.json"
    switched_off.parent.mkdir(parents=True)
    switched_off.write_text(json.dumps({"disabledExtensions": {"jupyter-flowbook": True}}), "utf-8")
    with running_server("lab", tmp_path) as server:
        server.write_notebook("widget.ipynb", [LONG_FLOW, RUN_IT, TELL])
        notebook = NotebookPage(browser.new_page(), server, "widget.ipynb")
        notebook.open()
        notebook.run_cell(0)
        notebook.run_cell(1, wait=False)
        until(lambda: "Running" in states_in(notebook, 1).values(), what="the widget shows the run")
        button = notebook.cell(1).get_by_role("button", name="Cancel")
        until(button.is_enabled, what="the button is live")
        clicked = time.time()
        button.click()
        notebook.wait_idle(timeout=40)
        notebook.screenshot("widget-cancelled")
        notebook.run_cell(2)
        state, asked_at, _ = json.loads(notebook.output_text(2))
        assert state == "Cancelled"
        assert asked_at - clicked < 2.0
        notebook.save()
        notebook.close()

        saved = json.dumps(server.read_notebook("widget.ipynb"))
        assert "widget-view" not in saved
        again = NotebookPage(browser.new_page(), server, "widget.ipynb")
        again.open(kernel=False)
        until(lambda: again.cell(1).locator("img[alt^='Flow long']").count() == 1, what="the lasting picture is there")
        assert "model not found" not in again.page.content()
        again.screenshot("widget-reopened")
