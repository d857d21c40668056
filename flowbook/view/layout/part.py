"""Lay out one connected part of a graph, ranks from left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.view.layout.folding import fold
from flowbook.view.layout.gaps import AFTER_LABEL, BEFORE_LABEL
from flowbook.view.layout.layers import bundle, cut
from flowbook.view.layout.ordering import order
from flowbook.view.layout.placing import place_nodes
from flowbook.view.layout.ranking import rank_nodes
from flowbook.view.layout.ways import Anchor, Drawing, Link, Way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.view.layout.folding import Folded
    from flowbook.view.layout.result import Point, Size


Span = tuple[float, float, float, float]


class Gauges(NamedTuple):
    """The measures of a drawing: least gap between ranks, gap between boxes, wanted width by height, count of links."""

    rank_gap: float
    node_gap: float
    aspect: float
    links: int


class Part(NamedTuple):
    """A connected part of a graph, laid out.

    Attributes:
        span: Where it starts and ends: left, top, right, bottom.
        corners: The top left corner of every box.
        ranks: The rank of every box.
        ways: The ways of its links.
    """

    span: Span
    corners: list[Point]
    ranks: list[int]
    ways: list[Way]


def lay_out(boxes: Sequence[Size], rooms: Sequence[Size], links: Sequence[Link], gauges: Gauges) -> Part:
    """Lay out a connected graph without cycles.

    Args:
        boxes: The sizes of the boxes.
        rooms: What must stay free after every box, and how high that must be.
        links: The edges; no loops.
        gauges: The measures of the drawing.
    """
    sizes = [(box[0] + room[0], max(box[1], room[1])) for box, room in zip(boxes, rooms, strict=True)]
    if len(sizes) == 1:
        return Part((0, 0, *sizes[0]), [(0, (sizes[0][1] - boxes[0][1]) / 2)], [0], [])
    folded = fold(len(sizes), list(dict.fromkeys((link.tail, link.head) for link in links)))
    outer = _outer_sizes(folded, sizes, links, gauges)
    tall = [size[1] for size in outer]
    layers = cut(folded.count, folded.pairs, rank_nodes(folded.count, folded.pairs, tall))
    order(layers, len(links) / gauges.links)
    bundle(layers)
    heights = place_nodes(layers, tall, gauges.node_gap)
    anchors = _anchors(folded, layers.ranks, heights, boxes, outer)
    drawing = Drawing(layers, heights, outer, anchors, links)
    drawing.measure(gauges.rank_gap)
    corners = [
        (drawing.starts[anchor.rank] + anchor.left, anchor.centre - box[1] / 2)
        for anchor, box in zip(anchors, boxes, strict=True)
    ]
    ways = drawing.ways()
    return Part(_span(boxes, sizes, links, corners, ways), corners, _ranks(folded, layers.ranks), ways)


def _outer_sizes(folded: Folded, sizes: Sequence[Size], links: Sequence[Link], gauges: Gauges) -> list[Size]:
    """Return the sizes of what is left after folding: of boxes, and of grids, whose insides are arranged here."""
    outer: list[Size] = [(0, 0)] * folded.count
    for node, place in enumerate(folded.place_of):
        outer[place] = sizes[node]
    if not folded.grids:
        return outer
    into = [0.0] * len(sizes)
    out_of = [0.0] * len(sizes)
    for link in links:
        if link.label:
            into[link.head] = max(into[link.head], BEFORE_LABEL + link.label[0])
            out_of[link.tail] = max(out_of[link.tail], BEFORE_LABEL + link.label[0])
    for place, grid in folded.grids.items():
        steps = list(zip(*grid.cells, strict=True))
        rooms = [max(gauges.rank_gap, AFTER_LABEL + max(into[node] for node in nodes)) for nodes in steps]
        rooms[0] = AFTER_LABEL + max(into[node] for node in steps[0])
        rooms.append(BEFORE_LABEL + max(out_of[node] for node in steps[-1]))
        grid.arrange(sizes, rooms, gauges.node_gap, gauges.aspect)
        outer[place] = (grid.width, grid.height)
    return outer


def _anchors(
    folded: Folded, ranks: Sequence[int], heights: Sequence[float], boxes: Sequence[Size], outer: Sequence[Size]
) -> list[Anchor]:
    anchors = []
    for node, place in enumerate(folded.place_of):
        width, centre = boxes[node][0], heights[place]
        grid = folded.grids.get(place)
        if grid is None:
            anchors.append(Anchor(place, ranks[place], 0, width, centre, centre, centre, 0, 0))
            continue
        spot, top = grid.spots[node], centre - outer[place][1] / 2
        centre = top + spot.centre
        enter = centre if spot.lane_in is None else top + spot.lane_in
        leave = centre if spot.lane_out is None else top + spot.lane_out
        right = spot.left + width
        anchors.append(Anchor(place, ranks[place], spot.left, right, centre, enter, leave, grid.before, grid.after))
    return anchors


def _ranks(folded: Folded, ranks: Sequence[int]) -> list[int]:
    """Return the ranks of all nodes, those of a grid's chains one after the other."""
    depths = [1] * (max(ranks) + 1)
    for place, grid in folded.grids.items():
        depths[ranks[place]] = max(depths[ranks[place]], len(grid.cells[0]))
    firsts = [sum(depths[:rank]) for rank in range(len(depths))] if folded.grids else list(range(len(depths)))
    final = []
    for node, place in enumerate(folded.place_of):
        depth = folded.grids[place].spots[node].depth if place in folded.grids else 0
        final.append(firsts[ranks[place]] + depth)
    return final


def _span(
    boxes: Sequence[Size], sizes: Sequence[Size], links: Sequence[Link], corners: list[Point], ways: list[Way]
) -> Span:
    """Return where all that is drawn starts and ends."""
    # what must stay free after a box may be higher than it, and stands out of it above and below
    spans = [
        (x, y + (box[1] - size[1]) / 2, x + size[0], y + (box[1] + size[1]) / 2)
        for (x, y), box, size in zip(corners, boxes, sizes, strict=True)
    ]
    for link, way in zip(links, ways, strict=True):
        if way.label and link.label:
            (x, y), (width, height) = way.label, link.label
            spans.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        spans += [(x, y, x, y) for x, y in way.points[1:-1]]
        if way.bow:
            (x, y), (_, end) = way.points[way.bowed - 1 : way.bowed + 1]
            spans.append((x, (y + end) / 2 + way.bow, x, (y + end) / 2 + way.bow))
    lefts, tops, rights, bottoms = zip(*spans, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
