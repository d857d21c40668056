"""The command line: ``flowbook demo``, ``flowbook run``, ``flowbook explain``, ``flowbook convert``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

import flowbook
from flowbook.notebook import commands
from flowbook.view.palette import family_of, glyph_of
from flowbook.view.words import is_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from flowbook.engine.flow_run import FlowRun
    from flowbook.events import Event
    from flowbook.flows import Flow
    from flowbook.view.feed import Feed
    from flowbook.view.protocol import NodeLook

__all__ = ["main"]

TUTORIAL = "01_first_flow.ipynb"


@click.group()
@click.version_option(flowbook.__version__, prog_name="flowbook")
@click.pass_context
def main(asked: click.Context) -> None:
    """Workflows in notebooks: build a flow, run it, watch the graph turn colour."""
    asked.obj = run_in_terminal


@main.command()
@click.option("--headless", is_flag=True, help="Run the same flow in the terminal, and write its picture as HTML.")
@click.option("--month", type=click.IntRange(1, 12), default=6, show_default=True, help="Headless: which flights.")
@click.option("--executor", type=click.Choice(["local", "threads"]), default="threads", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default="flights.html", show_default=True)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default="flowbook-demo", show_default=True)
def demo(*, headless: bool, month: int, executor: str, output: Path, folder: Path) -> None:
    """Open JupyterLab on the first tutorial, or run its flow here with --headless.

    The tutorial is copied to FOLDER first, so that what you change stays yours.
    """
    source = tutorial()
    if headless:
        flow = flow_of_notebook(source)
        state = run_in_terminal(flow, executor=executor, month=month)
        output.write_text(flow.to_html(), "utf-8")
        click.echo(f"\nThe picture: {output.resolve()}")
        sys.exit(0 if state.is_successful() else 1)
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / TUTORIAL
    if not copy.exists():
        shutil.copy(source, copy)
    click.echo(f"Opening {copy} in JupyterLab. Run its cells with Shift+Enter; end with Ctrl+C here.")
    try:
        ended = subprocess.run([sys.executable, "-m", "jupyterlab", str(copy)], check=False)  # noqa: S603 - our own Python
    except KeyboardInterrupt:
        sys.exit(0)
    if ended.returncode:
        msg = (
            "JupyterLab did not start. Is it installed? pip install 'jupyter-flowbook[lab,demo]'. "
            "Without a browser: flowbook demo --headless"
        )
        raise click.ClickException(msg)


main.add_command(commands.run)
main.add_command(commands.explain)
main.add_command(commands.convert)


def tutorial() -> Path:
    """Return the first tutorial: beside the package in a checkout, inside it when installed."""
    here = Path(flowbook.__file__).parent
    for place in (here / "tutorials" / TUTORIAL, here.parent / "notebooks" / TUTORIAL):
        if place.is_file():
            return place
    msg = f"the tutorial {TUTORIAL} is missing from this installation. Install the package anew."
    raise click.ClickException(msg)


def flow_of_notebook(path: Path) -> Flow:
    """Build the flow of a tutorial: run its cells tagged "flow", in order, as plain Python.

    Args:
        path: of the notebook.

    """
    cells = json.loads(path.read_text("utf-8"))["cells"]
    namespace: dict[str, Any] = {"__name__": "__tutorial__"}
    try:
        for cell in cells:
            if "flow" in cell["metadata"].get("tags", ()):
                exec("".join(cell["source"]), namespace)  # noqa: S102 - our own tutorial
    except ModuleNotFoundError as error:
        msg = f"the demo needs {error.name}. Install it: pip install 'jupyter-flowbook[lab,demo]'"
        raise click.ClickException(msg) from None
    flow: Flow = namespace["flow"]
    return flow


def run_in_terminal(flow: Flow, out: TextIO | None = None, **options: Any) -> flowbook.states.State:
    """Run a flow with live progress in the terminal, and return its final state.

    Args:
        flow: the flow.
        out: where the progress goes; the standard output when not given.
        **options: as for `flowbook.Flow.run`.

    """
    from rich.console import Console
    from rich.live import Live

    from flowbook.view.feed import Feed

    out = out or sys.stdout  # the one of now: a cell may put another in its place
    console = Console(file=out)
    run: FlowRun = flow.start(show=False, run_on_schedule=False, **options)
    feed = Feed(run.runner)
    try:
        if console.is_terminal and _can_redraw(out):
            with Live(console=console, auto_refresh=False) as live:
                while not run.is_over:
                    live.update(_progress(run, feed, rows=console.height - _BELOW), refresh=True)
                    time.sleep(0.1)
                live.update(_progress(run, feed), refresh=True)
        else:
            names = {node.slug: task.name for task, node in flow.nodes.items()}
            lines = _Lines(names, out)
            run.subscribe(lines.take)
            lines.begin(lambda: run.events)
            run.wait()
            console.print(_progress(run, feed))
    except KeyboardInterrupt:
        run.cancel("Interrupted from the keyboard.")
        run.wait(5)
        console.print(_progress(run, feed))
    return run.state


def _can_redraw(out: TextIO) -> bool:
    """Tell whether lines that were printed can be printed over: not in a pipe, and not in the output of a cell.

    The variables of a kernel, which a `!command` inherits, have rich think otherwise.
    """
    return out.isatty() and "JPY_PARENT_PID" not in os.environ


class _Lines:
    """Prints each change of state as a line, for a terminal that cannot redraw.

    Args:
        names: of the tasks, by slug.
        out: where they go.

    """

    def __init__(self, names: Mapping[str, str], out: TextIO) -> None:
        self.names = names
        self.out = out
        self.done: set[str] = set()
        self.told: int | None = None
        self._lock = threading.Lock()

    def begin(self, events: Callable[[], Iterable[Event]]) -> None:
        """Print what had happened before anybody listened, then go on with what is told."""
        with self._lock:
            self.told = -1
            self._print(events())

    def take(self, events: Iterable[Event]) -> None:
        """Print what has happened."""
        with self._lock:
            if self.told is not None:  # else `begin` finds it
                self._print(events)

    def _print(self, events: Iterable[Event]) -> None:
        for event in events:
            if self.told is None or event.seq <= self.told:
                continue
            self.told = event.seq
            if event.kind != "state" or (event.task == "" and event.state == "Running"):  # that it runs is seen
                continue
            if event.task in self.names:
                (self.done.add if is_done(event.state) else self.done.discard)(event.task)
            when = time.strftime("%H:%M:%S", time.localtime(event.at))
            name = self.names.get(event.task) or event.task or "flow"
            why = f": {event.message}" if family_of(event.state) == "bad" and event.message else ""
            done = f"{len(self.done)}/{len(self.names)}"
            click.echo(f"{when}  {done:>7}  {event.state:<14} {name}{' '.join(why.split(chr(10)))}", file=self.out)


def _progress(run: FlowRun, feed: Feed, rows: int | None = None) -> RenderableType:
    """Draw how a run stands.

    Args:
        run: the run.
        feed: what is known of it.
        rows: how many tasks there is room for.

    """
    from rich.table import Table
    from rich.text import Text

    from flowbook.view.picture import node_cards
    from flowbook.view.words import counts_text, node_texts, run_texts

    now = run.runner.clock.now()
    snapshot = feed.snapshot(now)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    cards = node_cards(run.flow)
    shown = _most_telling(snapshot.nodes, rows)
    for place in shown:
        card, look = cards[place], snapshot.nodes[place]
        texts = node_texts(look, card, now)
        style = _STYLES[family_of(look.state)]
        table.add_row(
            Text(glyph_of(look.state), style=style),
            Text(card.name),
            Text(texts.state, style=style, **_cut(rows)),
            Text(texts.time, style="dim"),
        )
    if len(shown) < len(cards):
        table.add_row(Text(""), Text("…"), Text(f"and {len(cards) - len(shown)} more", style="dim"), Text(""))
    state, done, elapsed = run_texts(snapshot.flow, snapshot.nodes, now)
    table.caption = f"{run.flow.name} · {state} · {done} · {elapsed} · {counts_text(snapshot.nodes)}"
    table.caption_justify = "left"
    return table


def _cut(rows: int | None) -> dict[str, Any]:
    """Keep each task on one line where there is only so much room."""
    return {} if rows is None else {"no_wrap": True, "overflow": "ellipsis"}


def _most_telling(looks: Sequence[NodeLook], rows: int | None) -> list[int]:
    """Return which tasks to show, in order, where there is no room for all: trouble, what runs, what has just ended."""
    if rows is None or len(looks) <= rows:
        return list(range(len(looks)))
    rank = {"bad": 0, "active": 1, "warn": 2, "good": 3, "waiting": 4}

    def telling(place: int) -> tuple[int, float, int]:
        look = looks[place]
        return rank[family_of(look.state)], -(look.ended or look.started or 0.0), place

    return sorted(sorted(range(len(looks)), key=telling)[: max(1, rows - 1)])


# Lines below the tasks in a terminal: what is left out, the counts, the prompt.
_BELOW = 4
_STYLES = {"waiting": "bright_black", "active": "blue", "good": "green", "warn": "yellow", "bad": "red"}
