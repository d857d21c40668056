"""Show a flow or a run: the doors that `flowbook.flows` and the notebook use.

A picture is laid out once for as long as its flow does not change, and only recoloured.
"""

from __future__ import annotations

import html
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from flowbook.errors import FlowbookError, shown
from flowbook.view import svg
from flowbook.view.feed import Feed
from flowbook.view.html import draw_html
from flowbook.view.picture import picture
from flowbook.view.protocol import (
    MIME,
    PROTOCOL,
    Bundle,
    Children,
    NodeLook,
    Picture,
    RunLook,
    Snapshot,
    encode,
)
from flowbook.view.text import draw_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.engine.flow_run import FlowRun
    from flowbook.flows import Flow
    from flowbook.view.palette import Theme
    from flowbook.view.picture import FlowPicture

__all__ = ["flow_bundle", "flow_page", "flow_svg", "flow_text", "mime_bundle", "picture_of", "run_bundle"]

CONTROLS = ("pause", "step", "cancel")

# Above this many nodes the saved output keeps no second drawing as an image: a notebook must stay openable.
IMAGE_NODES = 1500


def picture_of(flow: Flow) -> FlowPicture:
    """Return the flow's picture, laid out once until the flow changes."""
    kept: FlowPicture | None = flow._memo.get("picture")  # noqa: SLF001 - kept with all that is made from the graph
    if kept is None:
        kept = flow._memo["picture"] = picture(flow)  # noqa: SLF001
    return kept


def message_of(flow: Flow, run: str, *, live: bool, notice: str = "") -> Picture:
    """Return the message that carries the picture to a view."""
    drawn = picture_of(flow)
    text = svg.draw(drawn, theme="host", header=False)
    return Picture(PROTOCOL, flow.name, run, text, drawn.cards, CONTROLS if live else (), notice)


def mime_bundle(
    flow: Flow, snapshot: Snapshot, message: Picture, *, live: bool, children: Sequence[Children] = ()
) -> dict[str, Any]:
    """Return what an output keeps of a flow or a run, from the richest to the plainest.

    Args:
        flow: the flow.
        snapshot: how its nodes are; of no run when it has not been run.
        message: its picture.
        live: a kernel may have more to say about it.
        children: the first children of each mapped task.

    """
    drawn = picture_of(flow)
    looks, run = list(snapshot.nodes), snapshot.flow
    bundle = Bundle(PROTOCOL, snapshot.run, live, message, snapshot, children)
    made: dict[str, Any] = {
        MIME: encode(bundle),
        "text/plain": draw_text(
            drawn.name, drawn.cards, looks or None, run if run.state else None, now=snapshot.at or None
        ),
    }
    if len(drawn.nodes) <= IMAGE_NODES:
        made["text/html"] = draw_html(drawn, looks or None, run, now=snapshot.at or None, children=children)
    return made


def flow_bundle(flow: Flow) -> dict[str, Any]:
    """Return the MIME bundle of a flow: as it stands after its last run, when there was one; a circle is drawn, too."""
    run = flow.last_run
    if run is not None and run.runner.plan.tasks == _tasks(flow):
        return run_bundle(run)
    return mime_bundle(flow, _nothing(), message_of(flow, "", live=False), live=False)


def run_bundle(run: FlowRun, cell: object = None) -> dict[str, Any]:
    """Return the MIME bundle of a run as it is now; only words in a cell that shows it already.

    Args:
        run: the run.
        cell: what `FlowRun.shown_in` would be for the cell that asks.

    """
    if cell is not None and run.shown_in == cell:
        return {"text/plain": repr(run)}
    feed = Feed(run.runner)
    snapshot = feed.snapshot(run.runner.clock.now())
    live = not run.state.is_finished()
    message = message_of(run.flow, run.id, live=live)
    return mime_bundle(run.flow, snapshot, message, live=live, children=feed.samples())


def flow_text(flow: Flow, *, ascii_only: bool = False) -> str:
    """Draw a flow in characters, with the states of its last run when there was one."""
    looks, run = _last(flow)
    drawn = picture_of(flow)
    return draw_text(drawn.name, drawn.cards, looks, run, ascii_only=ascii_only, now=_now(flow, run))


def flow_svg(flow: Flow, *, theme: str = "auto") -> str:
    """Draw a flow as SVG, with the states of its last run when there was one.

    Raises:
        FlowbookError: an unknown theme.

    """
    if theme not in {"auto", "light", "dark"}:
        msg = f"theme={shown(theme)} is not known. Use 'auto' (as the reader's system), 'light' or 'dark'."
        raise FlowbookError(msg)
    looks, run = _last(flow)
    return svg.draw(picture_of(flow), looks, run, theme=cast("Theme", theme), now=_now(flow, run))


def _now(flow: Flow, run: RunLook | None) -> float | None:
    """Return the time of a run that goes on: times tick and a wait gets shorter. Afterwards the last moment stands."""
    if flow.last_run is None or run is None or run.ended:
        return None
    return flow.last_run.runner.clock.now()


def flow_page(flow: Flow) -> str:
    """Write one HTML page that needs nothing else: the picture, its table, and the viewer when it was built."""
    run = flow.last_run
    bundle = run_bundle(run) if run is not None else flow_bundle(flow)
    title = html.escape(f"{flow.name} - flowbook")
    # "</" must not end the script element early; in JSON "<" can always be written as an escape
    data = json.dumps({**bundle[MIME], "live": False}).replace("<", "\\u003c")
    static = files("flowbook.notebook").joinpath("static", "page.js")
    script = static.read_text("utf-8").replace("</script", "<\\/script") if static.is_file() else ""
    viewer = (
        f'<script type="application/json" id="flowbook-run">{data}</script><script>{script}</script>' if script else ""
    )
    return (
        '<!doctype html>\n<html lang="en" style="color-scheme:light dark"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        f"<title>{title}</title></head>\n"
        '<body style="margin:24px;font-family:system-ui,sans-serif">'
        f'<main id="flowbook-view">{bundle.get("text/html", "")}</main>{viewer}</body></html>\n'
    )


def _last(flow: Flow) -> tuple[Sequence[NodeLook] | None, RunLook | None]:
    run = flow.last_run
    if run is None or run.runner.plan.tasks != _tasks(flow):
        return None, None
    snapshot = Feed(run.runner).snapshot(run.runner.clock.now())
    return snapshot.nodes, snapshot.flow


def _tasks(flow: Flow) -> tuple[Any, ...]:
    """Return the flow's tasks by number, or none at all when it has a circle."""
    try:
        return flow.sorted_tasks()
    except FlowbookError:
        return ()


def _nothing() -> Snapshot:
    return Snapshot("", 0, 0.0, RunLook(""), ())
