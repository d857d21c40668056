"""Drive one notebook in a browser the way a person would: open, run, look, save, close."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.servers import JupyterServer

ARTEFACTS = Path(__file__).parents[2] / ".artefacts"

# Errors that Jupyter's own pages throw in every session, with or without us.
NOISE = (
    "reading 'schema'",  # Notebook 7, at every start
    "reading 'kernel'",  # JupyterLab, when a notebook has no kernel
    "ResizeObserver loop",
)

PANEL = "window.jupyterapp.shell.currentWidget"

# JupyterLab and Notebook 7 name the same things: a panel has a session context and a notebook of cells.
IS_READY = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    return Boolean(panel?.content?.widgets?.length && panel.context?.isReady);
}"""

KERNEL_STATUS = f"() => {PANEL}.sessionContext?.session?.kernel?.status ?? 'none'"

# The promise of the command is kept in the page, so that a test can look at the notebook while the cell runs.
RUN_CELL = f"""index => {{
    const panel = {PANEL};
    panel.content.activeCellIndex = index;
    panel.content.deselectAll();
    window.flowbookTestRuns = (window.flowbookTestRuns ?? 0) + 1;
    window.jupyterapp.commands.execute("notebook:run-cell")
        .finally(() => {{ window.flowbookTestRuns -= 1; }});
}}"""

IS_IDLE = f"""() => (window.flowbookTestRuns ?? 0) === 0
    && {PANEL}.sessionContext?.session?.kernel?.status === "idle"
"""

# Both applications open a notebook by this command, and neither has an address for "without a kernel". So the
# application is caught when it shows itself to the page, before it starts, and is told what a reader would choose.
START_NO_KERNEL = """
Object.defineProperty(window, "jupyterapp", {
    configurable: true,
    set(app) {
        Object.defineProperty(window, "jupyterapp", { value: app });
        const execute = app.commands.execute.bind(app.commands);
        const kernelPreference = { shouldStart: false, autoStartDefault: false };
        app.commands.execute = (id, args) =>
            execute(id, id === "docmanager:open" ? { ...args, kernelPreference } : args);
    },
});
"""


@dataclass
class NotebookPage:
    """A notebook open in a browser page; `errors` collects what the page threw, but Jupyter's own noise."""

    page: Page
    server: JupyterServer
    name: str
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen to the page from its first script on."""
        self.page.on("pageerror", self._on_error)

    def open(self, *, kernel: bool = True, timeout: float = 60) -> None:
        """Open the notebook and wait until its cells are shown and, if it has one, its kernel is idle."""
        if not kernel:
            self.page.add_init_script(START_NO_KERNEL)
        self.page.goto(self.server.page_url(self.name))
        self.page.wait_for_function(IS_READY, timeout=timeout * 1000)
        if kernel:
            self.wait_idle(timeout=timeout)

    def run_cell(self, index: int, *, wait: bool = True, timeout: float = 60) -> None:
        """Run the cell; with ``wait=False`` return at once, to watch it run."""
        self.page.evaluate(RUN_CELL, index)
        if wait:
            self.wait_idle(timeout=timeout)

    def run_all(self, *, timeout: float = 120) -> None:
        """Run the code cells from top to bottom."""
        for index in range(self.cell_count()):
            self.run_cell(index, timeout=timeout)

    def wait_idle(self, *, timeout: float = 60) -> None:
        """Wait until the kernel is idle and no cell that a test started is running."""
        self.page.wait_for_function(IS_IDLE, timeout=timeout * 1000)

    def kernel_status(self) -> str:
        """Return Jupyter's word for what the kernel does: idle, busy, …; 'none' when there is no kernel."""
        return str(self.page.evaluate(KERNEL_STATUS))

    def interrupt_kernel(self) -> None:
        """Do what the stop button does."""
        self.execute("notebook:interrupt-kernel")

    def restart_kernel(self, *, timeout: float = 60) -> None:
        """Restart the kernel without asking; all names in it are gone."""
        self.page.evaluate(f"() => {PANEL}.sessionContext.session.kernel.restart()")
        self.wait_idle(timeout=timeout)

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> None:
        """Execute one of the application's commands by its id and wait for it."""
        self.page.evaluate(
            "([id, arguments]) => window.jupyterapp.commands.execute(id, arguments ?? {}).then(() => null)",
            [command, arguments],
        )

    def cell_count(self) -> int:
        """Count the cells."""
        return int(self.page.evaluate(f"() => {PANEL}.content.widgets.length"))

    def cell(self, index: int) -> Locator:
        """Return the cell, to look for something in it."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """Return the output area of the cell."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def output_text(self, index: int) -> str:
        """Return the words shown in the output area of the cell, without the prompt."""
        return "\n".join(self.cell(index).locator(".jp-OutputArea-output").all_inner_texts()).strip()

    def save(self) -> None:
        """Save the notebook to disk."""
        self.page.evaluate(f"() => {PANEL}.context.save()")

    def screenshot(self, name: str) -> Path:
        """Write a picture of the page to .artefacts/; return where."""
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def close(self) -> None:
        """Shut down the kernel and close the page without a question."""
        self.page.evaluate(f"() => {PANEL}.sessionContext.shutdown()")
        self.page.close()

    def _on_error(self, error: object) -> None:
        text = str(error)
        if not any(noise in text for noise in NOISE):
            self.errors.append(text)
