"""Compose the layout of a whole graph from those of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from flowbook.view.layout.packing import pack
from flowbook.view.layout.part import Gauges, lay_out
from flowbook.view.layout.ranking import closing_edges
from flowbook.view.layout.result import Layout, Route
from flowbook.view.layout.ways import Link

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowbook.view.layout.part import Part
    from flowbook.view.layout.result import Point, Size
    from flowbook.view.layout.ways import Way

Direction = Literal["right", "down"]

# A picture is wider than high, as screens and notebook cells are.
_ASPECT = 1.6
# How far the loop of an edge from a node to itself bulges.
_LOOP = 18


def layout(
    sizes: Sequence[Size],
    edges: Sequence[tuple[int, int]],
    *,
    labels: Sequence[Size | None] = (),
    direction: Direction = "right",
    rank_gap: float = 64,
    node_gap: float = 22,
) -> Layout:
    """Lay a graph out in ranks.

    Edges go from rank to rank in the direction asked for. An edge that closes a cycle is laid out as if reversed, so
    it points back; one from a node to itself is a loop at its box. More than twenty nodes with the same neighbours
    become a grid. Parts of the graph that hang together are laid out each for itself and packed.

    Args:
        sizes: Width and height of every box.
        edges: Pairs of upstream and downstream node, numbered as in ``sizes``.
        labels: Width and height of the labels of the edges, None for an edge without one; may be left out.
        direction: Where downstream is: ``"right"`` or ``"down"``.
        rank_gap: The least gap between ranks; gaps grow with the labels in them.
        node_gap: The gap between two boxes of a rank.

    Returns:
        The places of boxes and the ways of edges, starting at (0, 0).

    Raises:
        ValueError: If an edge names a node that is not there, or if there are labels, but not one for each edge.

    Example:
        >>> plan = layout([(100, 40), (100, 40)], [(0, 1)])
        >>> plan.nodes, plan.width, plan.height
        (((0.0, 0.0), (164.0, 0.0)), 264.0, 40.0)
        >>> plan.edges[0].points
        ((100.0, 20.0), (132.0, 20.0), (132.0, 20.0), (164.0, 20.0))
    """
    _check(sizes, edges, labels)
    down = direction == "down"
    across: list[Size] = [(height, width) for width, height in sizes] if down else list(sizes)
    tags = [size and (size[::-1] if down else size) for size in labels] if labels else [None] * len(edges)
    gauges = Gauges(rank_gap, node_gap, 1 / _ASPECT if down else _ASPECT, len(edges))
    closing = closing_edges(len(sizes), [edge for edge in edges if edge[0] != edge[1]])
    corners: list[Point] = [(0, 0)] * len(sizes)
    ranks = [0] * len(sizes)
    routes: list[Route] = [Route((), None)] * len(edges)
    whole: Size = (0, 0)
    parts = _parts(len(sizes), edges, tags, closing)
    for (left, top), nodes, part in _packed(parts, across, _loop_rooms(edges, tags), gauges):
        for node, (x, y), rank in zip(nodes, part.corners, part.ranks, strict=True):
            corners[node], ranks[node] = (left + x, top + y), rank
        for way in part.ways:
            points = _curve(way, left, top)
            label = way.label and (left + way.label[0], top + way.label[1])
            routes[way.edge] = Route(tuple(points[::-1] if edges[way.edge] in closing else points), label)
        whole = max(whole[0], left + part.span[2]), max(whole[1], top + part.span[3])
    for index, (tail, head) in enumerate(edges):
        if tail == head:
            routes[index] = _loop(corners[tail], across[tail], tags[index])
    plan = Layout(*whole, tuple(corners), tuple(routes), tuple(ranks))
    return _transposed(plan) if down else plan


def _check(sizes: Sequence[Size], edges: Sequence[tuple[int, int]], labels: Sequence[Size | None]) -> None:
    for edge in edges:
        if not (0 <= edge[0] < len(sizes) and 0 <= edge[1] < len(sizes)):
            raise ValueError(
                f"Edge {edge} names a node that is not there: nodes go from 0 to {len(sizes) - 1}.\n"
                f"  Give a size for every node of every edge."
            )
    if labels and len(labels) != len(edges):
        raise ValueError(
            f"There are {len(labels)} labels, but {len(edges)} edges.\n"
            f"  Give one label size for every edge, None for an edge without a label, or no labels at all."
        )


def _parts(
    count: int, edges: Sequence[tuple[int, int]], tags: Sequence[Size | None], closing: set[tuple[int, int]]
) -> list[tuple[list[int], list[Link]]]:
    """Return the nodes and the links of every part that hangs together; links number nodes within the part."""
    part_of = list(range(count))

    def root(node: int) -> int:
        while part_of[node] != node:
            part_of[node] = part_of[part_of[node]]
            node = part_of[node]
        return node

    for tail, head in edges:
        one, other = root(tail), root(head)
        part_of[max(one, other)] = min(one, other)
    parts: dict[int, tuple[list[int], list[Link]]] = {}
    number = [0] * count
    for node in range(count):
        nodes, _ = parts.setdefault(root(node), ([], []))
        number[node] = len(nodes)
        nodes.append(node)
    for index, (tail, head) in enumerate(edges):
        if tail != head:
            first, last = (head, tail) if (tail, head) in closing else (tail, head)
            parts[root(tail)][1].append(Link(index, number[first], number[last], tags[index]))
    return list(parts.values())


def _packed(
    parts: list[tuple[list[int], list[Link]]], sizes: Sequence[Size], rooms: dict[int, Size], gauges: Gauges
) -> Iterator[tuple[Point, list[int], Part]]:
    """Lay parts out and pack them; go through how far each must move, their nodes, and themselves."""
    laid = [
        lay_out([sizes[node] for node in nodes], [rooms.get(node, (0, 0)) for node in nodes], links, gauges)
        for nodes, links in parts
    ]
    spans = [part.span for part in laid]
    sizes_of = [(right - left, bottom - top) for left, top, right, bottom in spans]
    places = pack(sizes_of, 1.5 * gauges.node_gap, gauges.aspect)
    for (x, y), (left, top, _, _), (nodes, _), part in zip(places, spans, parts, laid, strict=True):
        yield (x - left, y - top), nodes, part


def _loop_rooms(edges: Sequence[tuple[int, int]], tags: Sequence[Size | None]) -> dict[int, Size]:
    """Return the room that loops and their labels need after their boxes."""
    rooms: dict[int, Size] = {}
    for (tail, head), tag in zip(edges, tags, strict=True):
        if tail == head:
            before, (width, height) = rooms.get(tail, (0, 0)), tag or (0, 0)
            rooms[tail] = max(before[0], _LOOP + width), max(before[1], height)
    return rooms


def _curve(way: Way, left: float, top: float) -> list[Point]:
    """Return a smooth curve through the points of a way, level in each of them, as Bezier control points."""
    points = [(left + x, top + y) for x, y in way.points]
    curve = [points[0]]
    bowed = way.bowed if way.bow else -1
    last = len(points) - 1
    for index in range(1, len(points)):
        (x0, y0), (x, y) = curve[-1], points[index]
        goes_on = index < last and y0 == y == points[index + 1][1] and bowed not in (index, index + 1)
        if x == x0 or goes_on:
            continue
        middle = (x0 + x) / 2
        # Both control points out by 4/3 bring the middle of the curve out by 1.
        out = way.bow * 4 / 3 if index == bowed else 0
        curve += [(middle, y0 + out), (middle, y + out), (x, y)]
    return curve


def _loop(corner: Point, size: Size, tag: Size | None) -> Route:
    """Draw an edge from a box to itself: a bulge at the side at which edges leave."""
    x, y = corner[0] + size[0], corner[1]
    top, bottom = y + size[1] / 4, y + size[1] * 3 / 4
    out = x + _LOOP * 4 / 3
    label = tag and (x + _LOOP + tag[0] / 2, y + size[1] / 2)
    return Route(((x, top), (out, top), (out, bottom), (x, bottom)), label)


def _transposed(plan: Layout) -> Layout:
    """Turn a layout to the right into one down."""
    return Layout(
        plan.height,
        plan.width,
        tuple((x, y) for y, x in plan.nodes),
        tuple(
            Route(tuple((x, y) for y, x in route.points), route.label and (route.label[1], route.label[0]))
            for route in plan.edges
        ),
        plan.ranks,
    )
