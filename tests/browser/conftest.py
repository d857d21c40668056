"""Fixtures: one Chromium for all browser tests, one JupyterLab and one Notebook 7 for each module that asks.

    def test_shows_two(open_notebook: OpenNotebook) -> None:
        notebook = open_notebook(["1 + 1"])          # JupyterLab; app="notebook" for Notebook 7
        notebook.run_cell(0)
        assert notebook.output_text(0) == "2"

The test fails when the page threw an error. A failing test leaves a screenshot in .artefacts/.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.notebooks import NotebookPage
from tests.browser.servers import App, JupyterServer, running_server
from tests.conftest import skip_or_fail

HERE = Path(__file__).parent

FLAGS = [
    "--no-sandbox",  # CI is root in a container, where the sandbox can't be made
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # containers have a small /dev/shm
    "--force-color-profile=srgb",
]

StartServer = Callable[[App], JupyterServer]


class OpenNotebook(Protocol):
    """Open a notebook in a page of its own: made of `cells`, or one that is on the server's disk already."""

    def __call__(
        self,
        cells: Sequence[str] | None = None,
        *,
        app: App = "lab",
        name: str | None = None,
        kernel: bool = True,
        dark: bool = False,
        size: tuple[int, int] = (1280, 900),
    ) -> NotebookPage: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder, and give it the time that servers and browsers take."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(240))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave on the item whether its test failed, for the fixture that takes a screenshot."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium, headless, with a profile of its own.

    Package scope, not session: while Playwright's synchronous API is in use, nothing else in this thread can
    run asyncio.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("FLOWBOOK_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        skip_or_fail("No Chromium found. Install it (apt-get install chromium) or set FLOWBOOK_CHROMIUM to its path.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start a server at the first call for its application; it serves all tests of the module."""
    servers: dict[App, JupyterServer] = {}
    with ExitStack() as stack:

        def start(app: App) -> JupyterServer:
            if app not in servers:
                servers[app] = stack.enter_context(running_server(app, tmp_path_factory.mktemp(app)))
            return servers[app]

        yield start


@pytest.fixture
def open_notebook(
    request: pytest.FixtureRequest, browser: Browser, start_server: StartServer
) -> Iterator[OpenNotebook]:
    """Open notebooks; when the test ends, close them and fail if a page threw an error."""
    opened: list[NotebookPage] = []
    with ExitStack() as stack:

        def open_(
            cells: Sequence[str] | None = None,
            *,
            app: App = "lab",
            name: str | None = None,
            kernel: bool = True,
            dark: bool = False,
            size: tuple[int, int] = (1280, 900),
        ) -> NotebookPage:
            server = start_server(app)
            name = name or f"{_slug(request)}-{len(opened)}.ipynb"
            if cells is not None:
                server.write_notebook(name, cells)
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
            )
            stack.callback(context.close)
            notebook = NotebookPage(context.new_page(), server, name)
            opened.append(notebook)
            notebook.open(kernel=kernel)
            return notebook

        yield open_
        if request.node.stash.get(FAILED, True):
            for index, notebook in enumerate(opened):
                if notebook.page.is_closed():
                    continue
                notebook.screenshot(f"failed-{_slug(request)}-{index}")
    errors = [error for notebook in opened for error in notebook.errors]
    assert not errors, f"the page threw {errors}"


def _slug(request: pytest.FixtureRequest) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in str(request.node.name)).strip("-")
