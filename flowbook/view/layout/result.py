"""What a layout is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]
Size = tuple[float, float]

# Lines that touch, or lie on each other, do not cross; so much may be rounding.
_TOUCH = 1e-6


@dataclass(frozen=True, slots=True)
class Route:
    """The way of an edge.

    Attributes:
        points: The start, then cubic Bezier control points in threes as in an SVG path's ``C``: 1 + 3k points.
        label: The centre of the edge's label, clear of boxes; None for an edge without a label.
    """

    points: tuple[Point, ...]
    label: Point | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    Attributes:
        width: The width of the picture.
        height: The height of the picture.
        nodes: The top left corner of every box.
        edges: The way of every edge, in the order in which the edges were given.
        ranks: The rank of every node: its column in a layout to the right, its row in a layout down.
    """

    width: float
    height: float
    nodes: tuple[Point, ...]
    edges: tuple[Route, ...]
    ranks: tuple[int, ...]


def crossings(centres: Sequence[Point], edges: Sequence[tuple[int, int]]) -> int:
    """Count how many pairs of edges would cross if they were straight lines between box centres.

    Edges with an end in common do not count.

    Example:
        >>> crossings([(0, 0), (1, 1), (0, 1), (1, 0)], [(0, 1), (2, 3)])
        1
    """
    segments = sorted(
        (min(centres[tail], centres[head]), max(centres[tail], centres[head]), tail, head) for tail, head in edges
    )
    count = 0
    for index, (start, end, tail, head) in enumerate(segments):
        for other_start, other_end, other_tail, other_head in segments[index + 1 :]:
            if other_start[0] > end[0]:
                break
            if tail in (other_tail, other_head) or head in (other_tail, other_head):
                continue
            if _apart(start, end, other_start, other_end) and _apart(other_start, other_end, start, end):
                count += 1
    return count


def _apart(start: Point, end: Point, one: Point, other: Point) -> bool:
    """Tell whether two points lie on different sides of a line."""
    across, along = end[0] - start[0], end[1] - start[1]
    side = across * (one[1] - start[1]) - along * (one[0] - start[0])
    other_side = across * (other[1] - start[1]) - along * (other[0] - start[0])
    return side * other_side < -_TOUCH
