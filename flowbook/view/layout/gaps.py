"""The gaps between ranks, where edges change place and labels stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowbook.view.layout.result import Point, Size

# Room in a gap that no label may take: some line must be seen on both sides, and the arrow head at the end.
BEFORE_LABEL = 8
AFTER_LABEL = 14
_LINE_SEEN = 14
# A gap grows where edges climb steeply, up to so many times its least width.
_STEEP = 0.1
_MOST_GROWN = 1.8
# With more curves than this nobody can follow a single one, so labels need not keep clear of the others.
_FEW_CURVES = 24
_APART = 2


class Curve(NamedTuple):
    """An edge in a gap: where it starts and ends across the ranks, and how far it bows out in the middle."""

    start: float
    end: float
    bow: float = 0

    def at(self, part: float) -> float:
        """Return where the curve is, ``part`` (0 to 1) of the way through the gap."""
        t = _parameter(part)
        return self.start + (self.end - self.start) * _rise(t) + 4 * t * (1 - t) * self.bow

    @property
    def middle(self) -> float:
        """Where the curve is in the middle of the gap."""
        return (self.start + self.end) / 2 + self.bow


def _parameter(part: float) -> float:
    """Return the parameter at which a curve, its control points in the middle, is ``part`` of its way through a gap."""
    # x(t) = 1.5 t (1 - t) + t³ has no handy inverse; three Newton steps from a good guess are exact to a pixel.
    t = part
    for _ in range(3):
        slope = 1.5 - 3 * t + 3 * t * t
        t -= (1.5 * t * (1 - t) + t * t * t - part) / slope
    return t


def _rise(t: float) -> float:
    """Return how much of its climb a curve has behind it that is level at both ends."""
    return t * t * (3 - 2 * t)


class Gap:
    """The room between two ranks.

    Attributes:
        width: How wide it must be.
        places: The centres of its labels, by the key they were asked with, from the start of the gap.
    """

    def __init__(self, curves: Sequence[Curve], labels: dict[int, tuple[Curve, Size]], least: float) -> None:
        climb = max((abs(curve.end - curve.start) for curve in curves), default=0)
        self.width = max(least, min(_MOST_GROWN * least, _STEEP * climb))
        self.places: dict[int, Point] = {}
        if not labels:
            return
        widest = max(size[0] for _, size in labels.values())
        self.width = max(self.width, BEFORE_LABEL + AFTER_LABEL + _LINE_SEEN + widest)
        # Labels that find no room beside each other get it after each other.
        crowded = len(labels) > _FEW_CURVES
        for extra in (widest / 2,) if crowded else (0, widest / 2, widest / 2):
            self.width += extra
            if self._put(curves, labels):
                return

    def _put(self, curves: Sequence[Curve], labels: dict[int, tuple[Curve, Size]]) -> bool:
        """Find a place for every label; return whether all stand on their curve, clear of each other."""
        distinct = list(dict.fromkeys(curves))
        others = distinct if len(distinct) <= _FEW_CURVES else []
        board = _Board()
        all_free = True
        for key in sorted(labels, key=lambda key: (labels[key][0].middle, key)):
            curve, size = labels[key]
            place, free = self._best_place(curve, size, others, board)
            board.add(place, size)
            self.places[key] = place
            all_free = all_free and free
        return all_free

    def _best_place(self, curve: Curve, size: Size, others: Sequence[Curve], board: _Board) -> tuple[Point, bool]:
        first, last = BEFORE_LABEL + size[0] / 2, self.width - AFTER_LABEL - size[0] / 2
        middle = (first + last) / 2
        best, best_cost = (middle, curve.middle), (1 << 30, 0)
        for step in (0, 1, -1, 2, -2, 3, -3):
            x = middle + step * (last - first) / 6
            place = (x, curve.at(x / self.width))
            cost = board.overlaps(place, size), self._hits(place, size, curve, others)
            if cost < best_cost:
                best, best_cost = place, cost
            if not any(cost):
                break
        if not best_cost[0]:
            return best, True
        # Better a little off its line than unreadable.
        for shift in (0.5, -0.5, 1, -1, 1.5, -1.5, 2, -2):
            place = (best[0], best[1] + shift * (size[1] + _APART))
            if not board.overlaps(place, size):
                return place, False
        return best, False

    def _hits(self, place: Point, size: Size, curve: Curve, others: Sequence[Curve]) -> int:
        """Count the other curves that a label would cover."""
        low, high = place[1] - size[1] / 2, place[1] + size[1] / 2
        rises = [_rise(_parameter((place[0] + side * size[0] / 2) / self.width)) for side in (-1, 0, 1)]
        hits = 0
        for other in others:
            if other == curve or max(other[:2]) < low or min(other[:2]) > high:
                continue
            climb = other.end - other.start
            heights = [other.start + climb * rise for rise in rises]
            hits += min(heights) < high and max(heights) > low
        return hits


class _Board:
    """The labels put so far, found again by their height."""

    def __init__(self) -> None:
        self.shelves: dict[int, list[tuple[Point, Size]]] = {}
        self.tallest = 0.0

    def add(self, place: Point, size: Size) -> None:
        self.tallest = max(self.tallest, size[1])
        self.shelves.setdefault(int(place[1] // 64), []).append((place, size))

    def overlaps(self, place: Point, size: Size) -> int:
        """Count the labels that one here would overlap."""
        reach = (self.tallest + size[1]) / 2 + _APART
        return sum(
            abs(place[0] - other[0]) < (size[0] + other_size[0]) / 2 + _APART
            and abs(place[1] - other[1]) < (size[1] + other_size[1]) / 2 + _APART
            for other, other_size in self._near(place[1], reach)
        )

    def _near(self, height: float, reach: float) -> Iterator[tuple[Point, Size]]:
        for shelf in range(int((height - reach) // 64), int((height + reach) // 64) + 1):
            yield from self.shelves.get(shelf, ())
