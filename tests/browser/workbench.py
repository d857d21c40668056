"""Drive and read what the labextension has around a notebook: marks at cells, panel, tool bar, status bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.browser.notebooks import PANEL, NotebookPage
from tests.browser.test_live import until

MARKS = f"""() => {PANEL}.content.widgets.map(cell => {{
    const mark = cell.node.querySelector(":scope > .jp-FlowbookMark");
    if (mark === null) return null;
    const said = name => mark.querySelector(".jp-FlowbookMark-" + name).textContent;
    return {{
        state: mark.dataset.state,
        family: mark.dataset.family,
        stale: "stale" in mark.dataset,
        dirty: "dirty" in mark.dataset,
        glyph: said("glyph"),
        words: said("words"),
        time: said("time"),
        attempt: said("attempt"),
        name: mark.querySelector("button").getAttribute("aria-label"),
    }};
}})"""

# A command is begun in the page and not waited for: some end when the flow does.
BEGIN = """([id, args]) => {
    window.flowbookBegan = performance.now();
    void window.jupyterapp.commands.execute(id, args ?? {}).catch(error => console.error(error));
}"""

# Begin a command, and take the time until something in the page is so. Frames are too coarse to measure by.
TIMED = """([id, args, condition, limit]) => new Promise((resolve) => {
    const holds = new Function("return (" + condition + ")();");
    const began = performance.now();
    void window.jupyterapp.commands.execute(id, args ?? {}).catch(error => console.error(error));
    const look = () => {
        const spent = performance.now() - began;
        if (holds()) resolve(spent);
        else if (spent > limit) resolve(null);
        else setTimeout(look, 5);
    };
    look();
})"""


def marks(notebook: NotebookPage) -> list[dict[str, Any] | None]:
    """Read the mark of each cell; None where it has none."""
    found: list[dict[str, Any] | None] = notebook.page.evaluate(MARKS)
    return found


def mark_states(notebook: NotebookPage) -> list[str | None]:
    """Read the word of state of each cell's mark."""
    return [None if mark is None else mark["state"] for mark in marks(notebook)]


def begin(notebook: NotebookPage, command: str, arguments: dict[str, Any] | None = None) -> None:
    """Begin a command, as a click would, and return at once."""
    notebook.page.evaluate(BEGIN, [command, arguments])


def time_until(notebook: NotebookPage, command: str, condition: str, *, limit: float = 5.0) -> float:
    """Begin a command and return the seconds until the page shows what the JavaScript `condition` looks for."""
    spent = notebook.page.evaluate(TIMED, [command, None, condition, 1000 * limit])
    assert spent is not None, f"not within {limit} s after {command}: {condition}"
    return float(spent) / 1000


def is_enabled(notebook: NotebookPage, command: str) -> bool:
    """Tell whether a command may be used now."""
    return bool(notebook.page.evaluate("id => window.jupyterapp.commands.isEnabled(id)", command))


def show_as_flow(notebook: NotebookPage) -> None:
    """Ask for the notebook as a flow, and wait until its cells have marks."""
    begin(notebook, "flowbook:show-as-flow")
    until(lambda: any(mark_states_or_none(notebook)), what="the cells have marks")


def mark_states_or_none(notebook: NotebookPage) -> list[bool]:
    """Tell for each cell whether it has a mark."""
    return [mark is not None for mark in marks(notebook)]


def run_flow(notebook: NotebookPage, *, seconds: float = 30.0) -> None:
    """Run the flow and wait until it has ended."""
    begin(notebook, "flowbook:run")
    until(lambda: not is_enabled(notebook, "flowbook:run"), what="the run begins")
    until(lambda: is_enabled(notebook, "flowbook:run"), seconds=seconds, what="the run ends")
    let_paint(notebook)


def let_paint(notebook: NotebookPage, frames: int = 8) -> None:
    """Wait until who wants to paint has had its turn: commands know of a change some frames before it is seen."""
    notebook.page.evaluate(
        """frames => new Promise((done) => {
            const next = (left) => (left === 0 ? done() : requestAnimationFrame(() => next(left - 1)));
            next(frames);
        })""",
        frames,
    )


def set_source(notebook: NotebookPage, index: int, source: str) -> None:
    """Give a cell another source, as typing would."""
    notebook.page.evaluate(
        f"([index, source]) => {PANEL}.content.widgets[index].model.sharedModel.setSource(source)", [index, source]
    )


def select(notebook: NotebookPage, index: int) -> None:
    """Select a cell."""
    notebook.page.evaluate(
        f"index => {{ {PANEL}.content.activeCellIndex = index; {PANEL}.content.deselectAll(); }}", index
    )


def status_text(notebook: NotebookPage) -> str:
    """Read our item of the status bar; "" when it is not there."""
    found = notebook.page.locator(".jp-FlowbookStatus:visible")
    return found.inner_text() if found.count() else ""


@contextmanager
def dark(notebook: NotebookPage) -> Iterator[None]:
    """Have the dark theme for a while; the server keeps it for all pages."""
    notebook.execute("apputils:change-theme", {"theme": "JupyterLab Dark"})
    notebook.page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    notebook.page.wait_for_timeout(300)  # its stylesheet comes after the attribute
    yield
    notebook.execute("apputils:change-theme", {"theme": "JupyterLab Light"})
    notebook.page.wait_for_selector("body[data-jp-theme-light='true']", state="attached")
