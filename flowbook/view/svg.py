"""Draw pictures as SVG: the one renderer behind notebook, widget, server page and files.

The browser adopts what is drawn here and recolours it by ``data-state`` and ``data-family``, so both must agree on
the structure: groups ``fb-edge`` and ``fb-node`` with numbered parts. All text is cleaned and escaped here, and only
here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import quoteattr

from flowbook.view import words
from flowbook.view.measure import clean, elide, text_width, wrap
from flowbook.view.palette import FAMILY_GLYPH, Theme, family_of, glyph_of, stylesheet
from flowbook.view.picture import CARD, LABEL_HEIGHT, LABEL_SIZE, STATE_SIZE, FlowPicture, Link, Node
from flowbook.view.protocol import NodeLook, RunLook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MARGIN = 24.0
NARROWEST = 360.0
BAR = 420.0
"""The longest bar of counts."""


def draw(
    picture: FlowPicture,
    looks: Iterable[NodeLook] | None = None,
    run: RunLook | None = None,
    *,
    theme: Theme | Literal["host"] = "auto",
    header: bool = True,
    now: float | None = None,
) -> str:
    """Draw a picture.

    Args:
        picture: from `picture.picture`.
        looks: how its nodes are; any that is missing has not run.
        run: how its run is.
        theme: "auto" follows the reader's system, "light" and "dark" are forced; "host" leaves the stylesheet to
            the page that adopts the drawing, and then draws all parts that may be needed later.
        header: draw name, state, progress and counts above, and the sentence that answers why below.
        now: the kernel's time; by default the last moment that the looks know of.

    Returns:
        SVG text: one `svg` element that links to nothing and runs nothing.

    >>> from flowbook import Flow, task
    >>> from flowbook.view.picture import picture
    >>> with Flow("one") as flow:
    ...     one = task(lambda: 1, name="one")()
    >>> draw(picture(flow), header=False)[:28]
    '<svg xmlns="http://www.w3.or'
    """
    given = {look.node: look for look in looks or ()}
    ordered = [given.get(number, NodeLook(number, "")) for number in range(len(picture.nodes))]
    run = run or RunLook("")
    at = now if now is not None else words.latest(ordered, run)
    width = max(picture.width, NARROWEST) + 2 * MARGIN
    head, top = _header(picture.name, ordered, run, at, width) if header else ("", MARGIN)
    foot, bottom = _sentence(run, picture, ordered, top + picture.height + MARGIN, width) if header else ("", 0.0)
    height = top + picture.height + MARGIN + bottom
    body = [
        f"<style>{stylesheet(theme)}</style>" if theme != "host" else "",
        f'<rect class="fb-backdrop" width="{_n(width)}" height="{_n(height)}"/>' if theme != "host" else "",
        head,
        f'<g class="fb-edges" transform="translate({_n(MARGIN)},{_n(top)})">',
        *(_edge(number, link, ordered) for number, link in enumerate(picture.links)),
        f'</g><g class="fb-nodes" transform="translate({_n(MARGIN)},{_n(top)})">',
        *(_node(node, look, at, whole=theme == "host") for node, look in zip(picture.nodes, ordered, strict=True)),
        "</g>",
        foot,
    ]
    forced = f' data-theme="{theme}"' if theme in {"light", "dark"} else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fb-picture"{forced} viewBox="0 0 {_n(width)} {_n(height)}" '
        f'width="{_n(width)}" height="{_n(height)}" role="img" '
        f"aria-label={quoteattr(summary(picture.name, ordered, run, at))}>{''.join(body)}</svg>"
    )


def summary(name: str, looks: Sequence[NodeLook], run: RunLook, now: float) -> str:
    """Return the picture in one sentence, for those who don't see it."""
    state, done, elapsed = words.run_texts(run, looks, now)
    counts = words.counts_text(looks) if run.state else ""
    facts = ", ".join(fact for fact in (state, done, elapsed, counts) if fact)
    return f"Flow {clean(name)}: {facts}"


# --- nodes


def _node(node: Node, look: NodeLook, now: float, *, whole: bool) -> str:
    texts = words.node_texts(look, node.card, now)
    state = look.state or "Pending"
    shape, width = node.shape, node.width
    small = "" if shape is CARD else " fb-small"
    bar = ' data-bar=""' if texts.bar is not None else ""
    group = (
        f'<g class="fb-node{small}" data-node="{node.card.node}" data-kind="{node.card.kind}" '
        f'data-state={quoteattr(clean(state))} data-family="{family_of(state)}"{bar} '
        f'transform="translate({_n(node.x)},{_n(node.y)})">'
    )
    parts = [
        group,
        f"<title>{_text(words.node_title(look, node.card, now))}</title>",
        *_box(node, look, texts, whole=whole),
        f'<circle class="fb-badge" cx="{_n(shape.badge_x)}" cy="{_n(shape.height / 2)}" r="{_n(shape.badge)}"/>',
        _words("fb-glyph", shape.badge_x, shape.height / 2 + shape.badge * 0.39, glyph_of(state)),
        _words("fb-name", shape.left, shape.name_line, node.label),
    ]
    if shape is CARD:
        line = elide(texts.state, node.room, STATE_SIZE, at="end")
        parts.append(_words("fb-state", shape.left, shape.state_line, line))
    if texts.time or whole:
        parts.append(_words("fb-time", width - shape.right, shape.name_line, texts.time))
    return "".join([*parts, "</g>"])


def _words(name: str, x: float, y: float, words: str) -> str:
    return f'<text class="{name}" x="{_n(x)}" y="{_n(y)}">{_text(words)}</text>'


def _box(node: Node, look: NodeLook, texts: words.NodeTexts, *, whole: bool) -> Iterable[str]:
    """Halo, deck, card, inner border, stripe, hatch, bar; those not needed now only where a picture lives on."""
    width, height = node.width, node.shape.height
    is_pill = node.card.kind in {"parameter", "constant"}
    radius = height / 2 if is_pill else 8 if node.shape is CARD else 6
    if whole or look.state == "Running":
        yield _rect("fb-halo", -4, -4, width + 8, height + 8, radius + 4)
        yield _rect("fb-arc", -4, -4, width + 8, height + 8, radius + 4, ' pathLength="100"')
    if node.is_mapped:
        yield _rect("fb-deck", 4, 4, width, height, radius)
    yield _rect("fb-card", 0, 0, width, height, radius)
    if (whole and node.shape is CARD) or look.state == "TriggerFailed":
        yield _rect("fb-inner", 3, 3, width - 6, height - 6, max(2, radius - 3))
    yield f'<path class="fb-stripe" d="{_stripe(6 if node.shape is CARD else 4, height, radius)}"/>'
    if whole and node.shape is CARD:
        # One thick dashed line, leaned over: a hatch without a pattern, which would need an id and a link to it.
        lean = 0.6
        middle, thick = height / 2, height - 8
        shift = -lean * middle
        ends = f"M{_n(lean * thick / 2 + 10)},{_n(middle)}L{_n(width - lean * thick / 2 - 4)},{_n(middle)}"
        leaned = f'transform="matrix(1,0,{lean},1,{_n(shift)},0)"'
        yield f'<path class="fb-hatch" {leaned} d="{ends}" stroke-width="{_n(thick)}"/>'
    if node.shape is CARD and (whole or texts.bar is not None):
        yield _rect("fb-track", node.shape.left, height - 7, node.room, 3, 1.5)
        yield _rect("fb-bar", node.shape.left, height - 7, node.room * (texts.bar or 0), 3, 1.5)


def _rect(name: str, x: float, y: float, width: float, height: float, radius: float, more: str = "") -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" ' if x or y else ""
    return f'<rect class="{name}" {place}width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"{more}/>'


def _stripe(wide: float, height: float, radius: float) -> str:
    """The part of a rounded box that is left of x = `wide`."""
    if wide < radius:
        y = radius - math.sqrt(radius**2 - (radius - wide) ** 2)
        arc = f"A{_n(radius)},{_n(radius)} 0 0 0 "
        return f"M{_n(wide)},{_n(y)}{arc}0,{_n(radius)}L0,{_n(height - radius)}{arc}{_n(wide)},{_n(height - y)}Z"
    return f"M0,0L{_n(wide)},0L{_n(wide)},{_n(height)}L0,{_n(height)}Z"


# --- edges


def _edge(number: int, link: Link, looks: Sequence[NodeLook]) -> str:
    is_active = family_of(looks[link.target].state) == "active"
    active = ' data-active=""' if is_active and link.kind != "cycle" else ""
    line, arrow = _line(link.route.points)
    return (
        f'<g class="fb-edge" data-edge="{number}" data-from="{link.source}" data-to="{link.target}" '
        f'data-kind="{link.kind}"{active}><path class="fb-line" d="{line}"/><path class="fb-arrow" d="{arrow}"/>'
        f"{_edge_label(link)}</g>"
    )


def _line(points: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """Return the line, which stops inside its arrowhead, and the arrowhead."""
    (x, y), (dx, dy) = points[-1], _heading(points)
    tip, base, half = 1.0, 8.5, 3.6
    curve = [*points[:-1], (x - dx * (base - 1), y - dy * (base - 1))]
    line = f"M{_xy(curve[0])}" + "".join(
        f"C{_xy(curve[i])} {_xy(curve[i + 1])} {_xy(curve[i + 2])}" for i in range(1, len(curve) - 2, 3)
    )
    back = (x - dx * base, y - dy * base)
    wings = [(back[0] - dy * half, back[1] + dx * half), (back[0] + dy * half, back[1] - dx * half)]
    return line, f"M{_xy(wings[0])}L{_xy((x - dx * tip, y - dy * tip))}L{_xy(wings[1])}Z"


def _heading(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the direction in which a route arrives."""
    x, y = points[-1]
    for before in reversed(points[:-1]):
        length = math.hypot(x - before[0], y - before[1])
        if length > 1e-6:  # noqa: PLR2004 - control points may coincide with the end
            return (x - before[0]) / length, (y - before[1]) / length
    return 1.0, 0.0


def _edge_label(link: Link) -> str:
    if not link.label or link.route.label is None:
        return ""
    x, y = link.route.label
    width = text_width(link.label, LABEL_SIZE, "mono") + 6
    return (
        f'<g class="fb-label">{_rect("fb-plate", x - width / 2, y - LABEL_HEIGHT / 2, width, LABEL_HEIGHT, 4)}'
        f'<text x="{_n(x)}" y="{_n(y + 3.6)}">{_text(link.label)}</text></g>'
    )


# --- around


def _header(name: str, looks: Sequence[NodeLook], run: RunLook, now: float, width: float) -> tuple[str, float]:
    """Return the header and the y where the picture below it begins."""
    state, done, elapsed = words.run_texts(run, looks, now)
    family = family_of(state) if run.state else "waiting"
    title = elide(name, width - 2 * MARGIN - text_width(f" · {state} · {done} · {elapsed}", 15), 15, "bold")
    facts = "".join(f"{_DOT}{fact}" for fact in (done, elapsed) if fact)
    line = (
        f'<tspan class="fb-flow">{_text(title)}</tspan><tspan>{_DOT}</tspan>'
        f'<tspan class="fb-run-state" data-family="{family}">{_text(state)}</tspan><tspan>{_text(facts)}</tspan>'
    )
    words_line = f'<text class="fb-title" x="{_n(MARGIN)}" y="34">{line}</text>'
    counts = words.family_counts(looks) if run.state else {}
    rule = 70.0 if counts else 50.0
    body = words_line + (_counts(counts, width) if counts else "")
    return (
        f'<g class="fb-header">{body}<rect class="fb-rule" y="{_n(rule)}" width="{_n(width)}" height="1"/></g>',
        rule + MARGIN + 4,
    )


_DOT = "\u00a0·\u00a0"  # a common space at the edge of a tspan is lost in some programs


def _counts(counts: Mapping[str, int], width: float) -> str:
    """A bar of counts by family, and the same in signs and numbers."""
    tallies = [(family, f"{FAMILY_GLYPH[family]} {count}") for family, count in counts.items()]
    gap, between = 3.0, 12.0
    beside = sum(text_width(tally, 11.5) + between for _, tally in tallies)
    long = min(BAR, width - 2 * MARGIN - beside)
    share = (long - gap * (len(counts) - 1)) / sum(counts.values())
    x, parts = MARGIN, []
    for family, count in counts.items():
        parts.append(f'<g data-family="{family}">{_rect("fb-segment", x, 48, count * share, 6, 3)}</g>')
        x += count * share + gap
    x += between - gap
    for family, tally in tallies:
        parts.append(f'<text data-family="{family}" class="fb-tally" x="{_n(x)}" y="55">{_text(tally)}</text>')
        x += text_width(tally, 11.5) + between
    return f'<g class="fb-counts">{"".join(parts)}</g>'


def _sentence(
    run: RunLook,
    picture: FlowPicture,
    looks: Sequence[NodeLook],
    top: float,
    width: float,
) -> tuple[str, float]:
    """Return the line that answers why, and the height it takes. A task named first is set off in its colour."""
    lines = wrap(clean(run.sentence), width - 2 * MARGIN, 12)
    if not lines:
        return "", 0.0
    first, _, rest = lines[0].partition(" ")
    subject = next((node.card.node for node in picture.nodes if node.card.name == first), None)
    family = "waiting" if subject is None else family_of(looks[subject].state)
    shown = [_text(line) for line in lines]
    if subject is not None:
        shown[0] = f'<tspan class="fb-subject" data-family="{family}">{_text(first)}</tspan> {_text(rest)}'
    height = 17.0
    rows = "".join(
        f'<text class="fb-sentence" x="{_n(MARGIN)}" y="{_n(top + 12 + height * row)}">{line}</text>'
        for row, line in enumerate(shown)
    )
    return rows, height * len(lines) + MARGIN / 2 + 4


def _n(value: float) -> str:
    """A number as short as a picture needs it."""
    return f"{value:.1f}".removesuffix(".0")


def _xy(point: tuple[float, float]) -> str:
    return f"{_n(point[0])},{_n(point[1])}"


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
