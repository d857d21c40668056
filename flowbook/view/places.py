"""Work out the ground that the tasks of one resource stand on.

A box around all of them would often hold strangers. So the ground goes along with the ranks: in each rank as far as
the resource's tasks and edges reach, with slanted sides in the gaps between. Where a stranger stands among them the
ground is only around each task and along each edge.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.view.kinds import Band
    from flowbook.view.picture import Direction, Link, Node

__all__ = ["PAD", "Place", "place_of"]

PAD = 10.0
"""From a task to the border of its ground."""
NAME = 8.0
"""The room that the resource's name takes above its setup, beside the pad."""

Span = tuple[float, float]
Corner = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """The ground of one resource: boxes, forms with corners between them, and routes that it goes along."""

    name: str
    setup: int
    boxes: tuple[tuple[float, float, float, float], ...]
    forms: tuple[tuple[Corner, ...], ...]
    routes: tuple[tuple[Corner, ...], ...]


@dataclass(frozen=True, slots=True)
class _Slab:
    """One rank of the ground: from where to where along the flow, and across it."""

    along: Span
    across: Span


def place_of(
    band: Band, nodes: Sequence[Node], links: Sequence[Link], ranks: Sequence[int], direction: Direction
) -> Place:
    """Return the ground of a resource.

    Args:
        band: its tasks.
        nodes: all nodes of the picture, by number.
        links: all links of the picture.
        ranks: the rank of each node.
        direction: where the flow runs to.

    """
    own = [link for link in links if link.source in band.members and link.target in band.members]
    slabs = _slabs(band, nodes, own, ranks, direction)
    if slabs is None:
        boxes = tuple(_around(nodes[number], above=number == band.setup) for number in sorted(band.members))
        return Place(band.name, band.setup, boxes, (), tuple(link.route.points for link in own))
    forms = tuple(_between(one, other, direction) for one, other in itertools.pairwise(slabs))
    return Place(band.name, band.setup, tuple(_box(slab, direction) for slab in slabs), forms, ())


def _slabs(
    band: Band, nodes: Sequence[Node], own: Sequence[Link], ranks: Sequence[int], direction: Direction
) -> list[_Slab] | None:
    """The ground rank by rank; None when a rank has none of the tasks, or a stranger among them."""
    by_rank: dict[int, list[Node]] = {}
    for number in band.members:
        by_rank.setdefault(ranks[number], []).append(nodes[number])
    first, last = min(by_rank), max(by_rank)
    if len(by_rank) != last - first + 1:
        return None
    slabs = []
    for rank in range(first, last + 1):
        members = by_rank[rank]
        boxes = [_around(node, above=node.card.node == band.setup) for node in members]
        along = _span(_along(box, direction) for box in boxes)
        inside = [_across(box, direction) for box in boxes]
        inside += [_passing(link, along, direction) for link in own if _passes(link, ranks, rank)]
        slab = _Slab(along, _span(inside))
        strangers = (node for node, at in zip(nodes, ranks, strict=True) if at == rank and node not in members)
        if any(_overlaps(_across(_around(node, pad=2.0), direction), slab.across) for node in strangers):
            return None
        slabs.append(slab)
    return slabs


def _passes(link: Link, ranks: Sequence[int], rank: int) -> bool:
    return ranks[link.source] < rank < ranks[link.target]


def _passing(link: Link, along: Span, direction: Direction) -> Span:
    """How far across the flow an edge is while it passes a rank."""
    places = [(x, y) if direction == "right" else (y, x) for x, y in link.route.points]
    inside = [across for at, across in places if along[0] <= at <= along[1]]
    near = inside or [min(places, key=lambda place: abs(place[0] - along[0]))[1]]
    return min(near) - PAD, max(near) + PAD


def _around(node: Node, *, above: bool = False, pad: float = PAD) -> tuple[float, float, float, float]:
    top = NAME if above else 0.0
    return node.x - pad, node.y - pad - top, node.width + 2 * pad, node.shape.height + 2 * pad + top


def _along(box: tuple[float, float, float, float], direction: Direction) -> Span:
    x, y, width, height = box
    return (x, x + width) if direction == "right" else (y, y + height)


def _across(box: tuple[float, float, float, float], direction: Direction) -> Span:
    return _along(box, "down" if direction == "right" else "right")


def _span(spans: Iterable[Span]) -> Span:
    starts, ends = zip(*spans, strict=True)
    return min(starts), max(ends)


def _overlaps(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _box(slab: _Slab, direction: Direction) -> tuple[float, float, float, float]:
    (start, end), (low, high) = slab.along, slab.across
    return (start, low, end - start, high - low) if direction == "right" else (low, start, high - low, end - start)


_ROUND = 12.0
"""Corners of boxes are round; the forms between reach this far into them, to meet their straight sides."""


def _between(one: _Slab, other: _Slab, direction: Direction) -> tuple[Corner, ...]:
    start, end = one.along[1] - _ROUND, other.along[0] + _ROUND
    corners = (
        (start, one.across[0]),
        (end, other.across[0]),
        (end, other.across[1]),
        (start, one.across[1]),
    )
    return corners if direction == "right" else tuple((across, along) for along, across in corners)
