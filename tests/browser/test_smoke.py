"""The harness itself: a kernel answers in a real page, in both applications."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.servers import App


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_cell_shows_its_result(open_notebook: OpenNotebook, app: App) -> None:
    notebook = open_notebook(["1 + 1"], app=app)
    notebook.run_cell(0)
    assert notebook.output_text(0) == "2"


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_saved_notebook_reopens_without_a_kernel(open_notebook: OpenNotebook, app: App) -> None:
    notebook = open_notebook(["print('seen ' + 'again')"], app=app)
    notebook.run_cell(0)
    notebook.save()
    notebook.close()
    kernels = len(notebook.server.running_kernels())
    again = open_notebook(app=app, name=notebook.name, kernel=False)
    assert again.output_text(0) == "seen again"
    assert again.kernel_status() == "none"
    assert len(again.server.running_kernels()) == kernels
