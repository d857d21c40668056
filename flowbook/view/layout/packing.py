"""Pack the separate parts of a graph on one page."""

from __future__ import annotations

from math import fsum, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.view.layout.result import Point, Size


def pack(sizes: Sequence[Size], gap: float, aspect: float) -> list[Point]:
    """Return the top left corners of rectangles, packed so that they lie apart and all is about ``aspect`` wide.

    Tall ones come first, equal ones in the order given; each goes as far up, then as far left, as it can.

    Example:
        >>> pack([(10, 10), (10, 4), (10, 4)], 2, 2)
        [(0, 0), (12, 0), (12, 6)]
    """
    if not sizes:
        return []
    area = fsum((width + gap) * (height + gap) for width, height in sizes)
    room = max(sqrt(area * aspect), *(width + gap for width, _ in sizes))
    corners: list[Point] = [(0, 0)] * len(sizes)
    # The skyline: where each step starts, and how far down it reaches; the last one ends it.
    skyline: list[tuple[float, float]] = [(0, 0), (room, float("inf"))]
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index][1]):
        width, height = sizes[index][0] + gap, sizes[index][1] + gap
        top, left, first, last = min(_seats(skyline, width, room))
        corners[index] = (left, top)
        rest = (left + width, skyline[last - 1][1])
        steps = [(left, top + height)]
        if rest[0] < skyline[last][0]:
            steps.append(rest)
        skyline[first:last] = steps
    return corners


def _seats(skyline: list[tuple[float, float]], width: float, room: float) -> list[tuple[float, float, int, int]]:
    """Return (top, left, first step, step after the last) of all places for something of a width."""
    seats = []
    for first, (left, _) in enumerate(skyline[:-1]):
        if left + width > room + 1e-6:
            break
        last = first
        top: float = 0
        while skyline[last][0] < left + width - 1e-6:
            top = max(top, skyline[last][1])
            last += 1
        seats.append((top, left, first, last))
    return seats
