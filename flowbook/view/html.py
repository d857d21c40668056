"""Write the lasting HTML of a picture: one image, and a table of the same states.

Saved notebooks show it trusted or not, on the web and in exports: no style element, no script, nothing fetched. The
picture travels as an image, because inline SVG is stripped where a notebook is not trusted.
"""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

from flowbook.view import svg, words
from flowbook.view.measure import clean
from flowbook.view.palette import family_of, glyph_of
from flowbook.view.protocol import NodeLook, RunLook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flowbook.view.palette import Theme
    from flowbook.view.picture import FlowPicture
    from flowbook.view.protocol import Children, NodeCard

READABLE = 0.6
"""A picture that is wider than the page shrinks to this share of its size, and scrolls from there."""
ROWS = 1000
"""More tasks than this are not listed: a saved notebook must stay small."""
FAILED_ROWS = 10
"""Children of one mapped task that are listed because they failed."""


def draw_html(
    picture: FlowPicture,
    looks: Iterable[NodeLook] | None = None,
    run: RunLook | None = None,
    *,
    theme: Theme = "auto",
    now: float | None = None,
    children: Sequence[Children] = (),
) -> str:
    """Write a picture and its table as HTML that lasts.

    Args:
        picture: from `picture.picture`.
        looks: how its nodes are; any that is missing has not run.
        run: how its run is.
        theme: of the image; "auto" follows the reader's system.
        now: the kernel's time; by default the last moment that the looks know of.
        children: of mapped tasks; those that failed are listed below their task.

    Returns:
        An HTML fragment of images, tables and `details`, with inline style attributes only.

    >>> from flowbook import Flow, task
    >>> from flowbook.view.picture import picture
    >>> with Flow("one") as flow:
    ...     one = task(lambda: 1, name="one")()
    >>> "<script" in draw_html(picture(flow)), "data:image/svg+xml;base64," in draw_html(picture(flow))
    (False, True)
    """
    given = {look.node: look for look in looks or ()}
    ordered = [given.get(card.node, NodeLook(card.node, "")) for card in picture.cards]
    run = run or RunLook("")
    at = now if now is not None else words.latest(ordered, run)
    image = svg.draw(picture, ordered, run, theme=theme, now=at)
    data = base64.b64encode(image.encode("utf-8")).decode("ascii")
    least = min(picture.width * READABLE, 2 * svg.NARROWEST) if picture.width < _HUGE else picture.width * READABLE
    alt = escape(alt_text(picture.name, picture.cards, ordered, run, at))
    return (
        '<div style="overflow-x:auto">'
        f'<img alt="{alt}" style="height:auto;max-width:100%;min-width:{least:.0f}px" '
        f'src="data:image/svg+xml;base64,{data}"/></div>'
        f"{_table(picture.cards, ordered, run, at, {each.node: each for each in children})}"
    )


def alt_text(
    name: str,
    cards: Sequence[NodeCard],
    looks: Sequence[NodeLook],
    run: RunLook,
    now: float | None = None,
) -> str:
    """Return what the picture shows, in words: the run, counts, and the tasks that need a look.

    Args:
        name: of the flow.
        cards: its nodes.
        looks: how they are, in the same order.
        run: how the run is.
        now: the kernel's time; by default the last moment that the looks know of.

    >>> from flowbook.view.protocol import NodeCard
    >>> card = NodeCard(0, "load-1", "load", "task", [], [], 1)
    >>> alt_text("etl", [card], [NodeLook(0, "Failed", "no such file")], RunLook("Failed"))
    'Flow etl: Failed, 1 of 1, 1 failed. load: Failed · no such file.'
    """
    at = now if now is not None else words.latest(looks, run)
    text = svg.summary(name, looks, run, at)
    bad = [
        card
        for card, look in zip(cards, looks, strict=True)
        if family_of(look.state) in {"bad", "warn"} or words.failed_children(look)
    ]
    told = [words.node_title(looks[card.node], card, at) for card in bad[:_TOLD]]
    more = [f"{len(bad) - _TOLD} more"] if len(bad) > _TOLD else []
    sentence = [clean(run.sentence)] if run.sentence else []
    return " ".join([f"{text}.", *(f"{one}." for one in (*told, *more)), *sentence])


_TOLD = 5
_HUGE = 1600.0
_CELL = "padding:2px 16px 2px 0;text-align:left;vertical-align:top"


def _table(
    cards: Sequence[NodeCard],
    looks: Sequence[NodeLook],
    run: RunLook,
    now: float,
    children: Mapping[int, Children],
) -> str:
    state, done, elapsed = words.run_texts(run, looks, now)
    facts = ", ".join(fact for fact in (state, done, elapsed) if fact)
    head = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("Task", "State", "Time"))
    rows = "".join(
        _row(card, look, now) + _failed_rows(card, look, children.get(card.node), now)
        for card, look in zip(cards[:ROWS], looks, strict=False)
    )
    left = len(cards) - ROWS
    more = _line(f"and {left:,} more") if left > 0 else ""
    return (
        '<details style="margin-top:4px"><summary style="cursor:pointer">'
        f"States as a table: {escape(facts)}</summary>"
        f'<table style="border-collapse:collapse;margin:4px 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}{more}</tbody></table></details>"
    )


def _row(card: NodeCard, look: NodeLook, now: float) -> str:
    texts = words.node_texts(look, card, now)
    sign = glyph_of(look.state or "Pending")
    return _cells(clean(card.name), f"{sign} {texts.state}", texts.time)


def _failed_rows(card: NodeCard, look: NodeLook, children: Children | None, now: float) -> str:
    """The children that failed: a mapped task is a success whatever they are, and a table must not hide them."""
    bad = [row for row in (children.rows if children else ()) if family_of(row.state) == "bad"][:FAILED_ROWS]
    rows = []
    for row in bad:
        texts = words.child_texts(row, card, now)
        told = " · ".join(part for part in (texts.state, texts.said) if part)
        rows.append(_cells(f"\u00a0\u00a0{clean(card.name)}[{row.index}]", f"{glyph_of(row.state)} {told}", texts.time))
    left = words.failed_children(look) - len(bad)
    more = _line(f"\u00a0\u00a0and {left:,} more of {clean(card.name)} failed") if bad and left > 0 else ""
    return "".join(rows) + more


def _cells(*cells: str) -> str:
    return "<tr>" + "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in cells) + "</tr>"


def _line(text: str) -> str:
    return f'<tr><td style="{_CELL}" colspan="3">{escape(text)}</td></tr>'
