"""Draw pictures as SVG: the one renderer behind notebook, widget, server page and files.

The browser adopts what is drawn here and recolours it by ``data-state`` and ``data-family``, so both must agree on
the structure: groups ``fb-edge`` and ``fb-node`` with numbered parts. All text is cleaned and escaped here, and only
here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import quoteattr

from flowbook.view import words
from flowbook.view.forms import arrow, curve, digits, fan, outline, polygon, rect, stripe
from flowbook.view.measure import clean, elide, text_width, wrap
from flowbook.view.palette import FAMILIES, FAMILY_GLYPH, Theme, family_of, glyph_of, stylesheet
from flowbook.view.picture import CARD, LABEL_HEIGHT, LABEL_SIZE, FlowPicture, Link, Node
from flowbook.view.places import PAD, Place
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
        f'<rect class="fb-backdrop" width="{digits(width)}" height="{digits(height)}"/>' if theme != "host" else "",
        head,
        _places(picture, top),
        f'<g class="fb-edges" transform="translate({digits(MARGIN)},{digits(top)})">',
        *(_edge(number, link, ordered) for number, link in enumerate(picture.links)),
        f'</g><g class="fb-nodes" transform="translate({digits(MARGIN)},{digits(top)})">',
        *(_node(node, look, at, whole=theme == "host") for node, look in zip(picture.nodes, ordered, strict=True)),
        "</g>",
        foot,
    ]
    forced = f' data-theme="{theme}"' if theme in {"light", "dark"} else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fb-picture"{forced} '
        f'viewBox="0 0 {digits(width)} {digits(height)}" '
        f'width="{digits(width)}" height="{digits(height)}" role="img" '
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
    marks = "".join(
        f' data-{mark}=""'
        for mark, holds in (
            ("bar", texts.bar is not None),
            ("busy", words.is_busy(look)),
            ("marred", words.failed_children(look) > 0),
        )
        if holds
    )
    group = (
        f'<g class="fb-node{small}" data-node="{node.card.node}" data-kind="{node.card.kind}" '
        f'data-state={quoteattr(clean(state))} data-family="{family_of(state)}"{marks} '
        f'transform="translate({digits(node.x)},{digits(node.y)})">'
    )
    centre = f'cx="{digits(shape.badge_x)}" cy="{digits(shape.height / 2)}"'
    parts = [
        group,
        f"<title>{_text(words.node_title(look, node.card, now))}</title>",
        *_box(node, look, texts, whole=whole),
        f'<circle class="fb-badge" {centre} r="{digits(shape.badge)}"/>',
        _words("fb-glyph", shape.badge_x, shape.height / 2 + shape.badge * 0.39, glyph_of(state)),
        _words("fb-name", shape.left, shape.name_line, node.label),
    ]
    if shape is CARD:
        parts.append(_words("fb-state", shape.left, shape.state_line, texts.line(node.room)))
    if texts.time or whole:
        parts.append(_words("fb-time", width - shape.right, shape.name_line, texts.time))
    return "".join([*parts, "</g>"])


def _words(name: str, x: float, y: float, words: str) -> str:
    return f'<text class="{name}" x="{digits(x)}" y="{digits(y)}">{_text(words)}</text>'


def _box(node: Node, look: NodeLook, texts: words.NodeTexts, *, whole: bool) -> Iterable[str]:
    """Halo, deck, card, inner border, stripe, hatch, bar; those not needed now only where a picture lives on."""
    width, height, kind = node.width, node.shape.height, node.card.kind
    is_pill = kind in {"parameter", "constant"}
    radius = height / 2 if is_pill else 8 if node.shape is CARD else 6
    if whole or look.state == "Running" or words.is_busy(look):
        yield outline("fb-halo", kind, -4, -4, width + 8, height + 8, radius + 4)
        yield outline("fb-arc", kind, -4, -4, width + 8, height + 8, radius + 4, ' pathLength="100"')
    if node.is_mapped:
        for step in (6, 3) if node.shape is CARD else (3,):
            yield outline("fb-deck", kind, step, step, width, height, radius)
    yield outline("fb-card", kind, 0, 0, width, height, radius)
    if (whole and node.shape is CARD) or look.state == "TriggerFailed":
        yield outline("fb-inner", kind, 3, 3, width - 6, height - 6, max(2, radius - 3))
    yield f'<path class="fb-stripe" d="{stripe(kind, 6 if node.shape is CARD else 4, height, radius)}"/>'
    if whole and node.shape is CARD:
        # One thick dashed line, leaned over: a hatch without a pattern, which would need an id and a link to it.
        lean = 0.6
        middle, thick = height / 2, height - 8
        shift = -lean * middle
        start, end = lean * thick / 2 + 10, width - lean * thick / 2 - 4
        ends = f"M{digits(start)},{digits(middle)}L{digits(end)},{digits(middle)}"
        leaned = f'transform="matrix(1,0,{lean},1,{digits(shift)},0)"'
        yield f'<path class="fb-hatch" {leaned} d="{ends}" stroke-width="{digits(thick)}"/>'
    if node.is_mapped:
        yield from _shares(node, look, whole=whole)
    elif node.shape is CARD and (whole or texts.bar is not None):
        yield rect("fb-track", node.shape.left, height - 7, node.room, 3, 1.5)
        yield rect("fb-bar", node.shape.left, height - 7, node.room * (texts.bar or 0), 3, 1.5)


def _shares(node: Node, look: NodeLook, *, whole: bool) -> Iterable[str]:
    """The bar of a mapped task: its children by family. A picture that lives on has a part for each family."""
    thick, low = (4.0, 8.0) if node.shape is CARD else (2.5, 5.0)
    parts = {family: (x, length) for family, x, length in words.shares(look, node.room)}
    for family in FAMILIES if whole else parts:
        x, length = parts.get(family, (0.0, 0.0))
        at = node.shape.left + x
        yield rect("fb-share", at, node.shape.height - low, length, thick, 1, f' data-family="{family}"')


# --- the ground of resources


def _places(picture: FlowPicture, top: float) -> str:
    drawn = "".join(_place(picture, place) for place in picture.places)
    return f'<g class="fb-places" transform="translate({digits(MARGIN)},{digits(top)})">{drawn}</g>' if drawn else ""


def _place(picture: FlowPicture, place: Place) -> str:
    """A tinted ground below the tasks of a resource, with its name.

    Its parts are drawn twice, first a little larger: what is left to be seen of the first is the border of the whole.
    """
    border, ground = [], []
    for route in place.routes:
        border.append(f'<path class="fb-way-edge" d="{curve(route)}"/>')
        ground.append(f'<path class="fb-way" d="{curve(route)}"/>')
    for x, y, width, height in place.boxes:
        border.append(rect("fb-ground-edge", x, y, width, height, _PLACE_ROUND))
        ground.append(rect("fb-ground", x, y, width, height, _PLACE_ROUND))
    for corners in place.forms:
        border.append(f'<path class="fb-ground-edge" d="{polygon(corners)}"/>')
        ground.append(f'<path class="fb-ground" d="{polygon(corners)}"/>')
    setup = picture.nodes[place.setup]
    name = elide(place.name, setup.width, _PLACE_SIZE, "bold")
    label = _words("fb-ground-name", setup.x + 1, setup.y - PAD + 4.5, name)
    return f'<g class="fb-place">{"".join(border)}{"".join(ground)}{label}</g>'


_PLACE_ROUND, _PLACE_SIZE = 12.0, 10.5


# --- edges


def _edge(number: int, link: Link, looks: Sequence[NodeLook]) -> str:
    is_active = family_of(looks[link.target].state) == "active"
    active = ' data-active=""' if is_active and link.kind != "cycle" else ""
    points = link.route.points
    line, head = arrow(points, half=4.6 if link.kind == "mapped" else 3.6)
    # a thick line with a thin one of the ground's colour on it is a double one
    core = f'<path class="fb-core" d="{line}"/>' if link.kind == "mapped" else ""
    mark = f'<path class="fb-fan" d="{fan(points)}"/>' if link.kind == "gathered" else ""
    inside = " fb-inside" if link.is_inside else ""
    types = f"<title>{_text(link.types)}</title>" if link.types else ""
    return (
        f'<g class="fb-edge{inside}" data-edge="{number}" data-from="{link.source}" data-to="{link.target}" '
        f'data-kind="{link.kind}"{active}>{types}<path class="fb-line" d="{line}"/>{core}{mark}'
        f'<path class="fb-arrow" d="{head}"/>{_edge_label(link)}</g>'
    )


def _edge_label(link: Link) -> str:
    if not link.label or link.route.label is None:
        return ""
    x, y = link.route.label
    width = text_width(link.label, LABEL_SIZE, "mono") + 6
    return (
        f'<g class="fb-label">{rect("fb-plate", x - width / 2, y - LABEL_HEIGHT / 2, width, LABEL_HEIGHT, 4)}'
        f'<text x="{digits(x)}" y="{digits(y + 3.6)}">{_text(link.label)}</text></g>'
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
    words_line = f'<text class="fb-title" x="{digits(MARGIN)}" y="34">{line}</text>'
    counts = words.family_counts(looks) if run.state else {}
    rule = 70.0 if counts else 50.0
    body = words_line + (_counts(counts, width) if counts else "")
    return (
        f'<g class="fb-header">{body}<rect class="fb-rule" y="{digits(rule)}" width="{digits(width)}" height="1"/></g>',
        rule + MARGIN + 4,
    )


_DOT = "\u00a0·\u00a0"  # a common space at the edge of a tspan is lost in some programs


def _counts(counts: Mapping[str, int], width: float) -> str:
    """A bar of counts by family, and the same in signs and numbers."""
    tallies = [(family, f"{FAMILY_GLYPH[family]} {count:,}") for family, count in counts.items()]
    gap, between = 3.0, 12.0
    beside = sum(text_width(tally, 11.5) + between for _, tally in tallies)
    long = min(BAR, width - 2 * MARGIN - beside)
    share = (long - gap * (len(counts) - 1)) / sum(counts.values())
    x, parts = MARGIN, []
    for family, count in counts.items():
        parts.append(f'<g data-family="{family}">{rect("fb-segment", x, 48, count * share, 6, 3)}</g>')
        x += count * share + gap
    x += between - gap
    for family, tally in tallies:
        parts.append(f'<text data-family="{family}" class="fb-tally" x="{digits(x)}" y="55">{_text(tally)}</text>')
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
    family = "waiting" if subject is None else _trouble(looks[subject])
    shown = [_text(line) for line in lines]
    if subject is not None:
        shown[0] = f'<tspan class="fb-subject" data-family="{family}">{_text(first)}</tspan> {_text(rest)}'
    height = 17.0
    rows = "".join(
        f'<text class="fb-sentence" x="{digits(MARGIN)}" y="{digits(top + 12 + height * row)}">{line}</text>'
        for row, line in enumerate(shown)
    )
    return rows, height * len(lines) + MARGIN / 2 + 4


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _trouble(look: NodeLook) -> str:
    """The family of a task in a sentence about trouble: a mapped one is said to be good when children of it failed."""
    return "bad" if words.failed_children(look) else family_of(look.state)
