"""Place the nodes of every rank across it: straight edges, boxes amid their neighbours, nothing overlapping.

Three steps: every node goes to the mean place of its neighbours as far as its row allows (least squares, row by row);
nodes that lie nearly level become one line, which then moves as a whole; lines are pushed to where the edges that end
at them are shortest.
"""

from __future__ import annotations

from bisect import bisect_left
from math import fsum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.view.layout.layers import Layers
    from flowbook.view.layout.ranking import Neighbours

Gaps = list[dict[int, float]]

# Distances, as parts of the gap between boxes: beside a bend, and between two bends.
_BESIDE_BEND = 0.75
_BETWEEN_BENDS = 0.5
# What counts as nearly level in the first and in the second round, as parts of the pitch of boxes.
_NEARLY_LEVEL = (0.11, 0.27)
# A lone pair (no other edge leaves the one or enters the other) may be this much further from level.
_LONE_PAIR = 3
# The length, in pitches, at which it becomes more important to be in the middle than to be level with one neighbour.
_LONG = 1.6
_LEVEL = 0.05
# A long edge pulls at its boxes as this many short ones: the more level it is, the easier it is to follow.
_BOX_TO_BEND = 3
_PASSES = 6
_SETTLE_VISITS = 8_000
_PUSH_VISITS = 40_000
_LARGE = 600


def place_nodes(layers: Layers, heights: Sequence[float], gap: float) -> list[float]:
    """Return the centre of every node across its rank; ``heights`` are those of the boxes."""
    steps = _steps(layers, heights, gap)
    centres = _settle(layers, steps)
    rounds = _NEARLY_LEVEL if len(layers.ranks) < _LARGE else _NEARLY_LEVEL[:1]
    pitch = fsum(heights) / len(heights) + gap
    for near in rounds:
        lines = Lines(layers, centres, near * pitch)
        lines.separate(layers, steps)
        lines.push(_LONG * pitch, _PUSH_VISITS // len(rounds))
        centres = [lines.places[line] for line in lines.line_of]
    return centres


def _steps(layers: Layers, heights: Sequence[float], gap: float) -> list[float]:
    """Return for every node how far its centre must be from the one before it in its row."""
    boxes = layers.boxes
    steps = [0.0] * len(layers.ranks)
    for row in layers.rows:
        before = row[0]
        for node in row[1:]:
            if node >= boxes and before >= boxes:
                steps[node] = _BETWEEN_BENDS * gap
            elif node >= boxes:
                steps[node] = heights[before] / 2 + _BESIDE_BEND * gap
            elif before >= boxes:
                steps[node] = heights[node] / 2 + _BESIDE_BEND * gap
            else:
                steps[node] = (heights[node] + heights[before]) / 2 + gap
            before = node
    return steps


def _settle(layers: Layers, steps: list[float]) -> list[float]:
    """Move all nodes to the mean of their neighbours, row by row, to and fro."""
    centres = [0.0] * len(steps)
    offsets = [0.0] * len(steps)
    for row in layers.rows:
        at = 0.0
        for node in row:
            at += steps[node]
            offsets[node] = at
        for node in row:
            centres[node] = offsets[node] - at / 2
    ups, downs = layers.ups, layers.downs
    both = [up + down for up, down in zip(ups, downs, strict=True)]
    sweeps = max(4, min(10, _SETTLE_VISITS // len(steps)))
    for turn in range(sweeps):
        forward = turn % 2 == 0
        near = both if turn >= sweeps // 2 else ups if forward else downs
        for row in layers.rows if forward else reversed(layers.rows):
            _settle_row(row, near, offsets, centres, layers.boxes)
    return centres


def _settle_row(row: list[int], near: Neighbours, offsets: list[float], centres: list[float], boxes: int) -> None:
    """Put the nodes of a row as near to the mean of their neighbours as the steps between them allow."""
    # Pool adjacent violators: nodes that would overlap form a stack, which goes to the mean of their wishes.
    centre_of = centres.__getitem__
    wishes: list[float] = []
    weights: list[float] = []
    counts: list[int] = []
    for node in row:
        others = near[node]
        if others:
            weight = float(len(others))
            wish = fsum(map(centre_of, others)) / weight - offsets[node]
            if node >= boxes:
                weight *= 2
        else:
            weight = 0.01
            wish = centres[node] - offsets[node]
        count = 1
        while wishes and wishes[-1] > wish:
            other = weights.pop()
            wish = (wishes.pop() * other + wish * weight) / (other + weight)
            weight += other
            count += counts.pop()
        wishes.append(wish)
        weights.append(weight)
        counts.append(count)
    start = 0
    for wish, count in zip(wishes, counts, strict=True):
        for node in row[start : start + count]:
            centres[node] = wish + offsets[node]
        start += count


class Lines:
    """Nodes of successive ranks that lie level and move together; a node that lies level with none is one, too.

    Attributes:
        members: The nodes of every line, from first rank to last.
        line_of: The line of every node.
        order: The lines, none before another that must lie before it in some row.
        before: For every line the lines just before it in some row, and how far they must be apart.
        after: The same for the lines just after it.
        near: For every line those at the other ends of its edges, as often as they pull.
        places: Where every line lies across the ranks.
    """

    def __init__(self, layers: Layers, centres: list[float], near: float) -> None:
        following = _level_segments(layers, centres, near)
        self.members: list[list[int]] = []
        self.line_of = [-1] * len(centres)
        for row in layers.rows:
            for node in row:
                if self.line_of[node] < 0:
                    self._add_line(node, following)
        self.places = [fsum(centres[node] for node in nodes) / len(nodes) for nodes in self.members]
        self.near: Neighbours = [[] for _ in self.members]
        for node, heads in enumerate(layers.downs):
            line = self.line_of[node]
            for head in heads:
                other = self.line_of[head]
                if other != line:
                    times = _BOX_TO_BEND if (node < layers.boxes) != (head < layers.boxes) else 1
                    self.near[line] += [other] * times
                    self.near[other] += [line] * times

    def _add_line(self, node: int, following: list[int]) -> None:
        nodes = []
        while node >= 0:
            self.line_of[node] = len(self.members)
            nodes.append(node)
            node = following[node]
        self.members.append(nodes)

    def separate(self, layers: Layers, steps: list[float]) -> None:
        """Move lines apart that are too near each other."""
        count = len(self.members)
        line_of = self.line_of
        before: Gaps = [{} for _ in range(count)]
        after: Gaps = [{} for _ in range(count)]
        for row in layers.rows:
            last = line_of[row[0]]
            for node in row[1:]:
                line = line_of[node]
                step = steps[node]
                if step > before[line].get(last, 0):
                    before[line][last] = step
                    after[last][line] = step
                last = line
        waiting = [len(gaps) for gaps in before]
        order = [line for line in range(count) if not waiting[line]]
        for line in order:
            for other in after[line]:
                waiting[other] -= 1
                if not waiting[other]:
                    order.append(other)
        self.order, self.before, self.after = order, before, after
        # Pushed apart all the one way or all the other way, the lines keep their distances; so does the mean of both.
        forth = self.places.copy()
        for line in order:
            for other, step in after[line].items():
                forth[other] = max(forth[other], forth[line] + step)
        back = self.places
        for line in reversed(order):
            for other, step in before[line].items():
                back[other] = min(back[other], back[line] - step)
        self.places = [(low + high) / 2 for low, high in zip(back, forth, strict=True)]

    def push(self, long: float, visits: int) -> None:
        """Push lines, with those in their way, to where their edges are shortest and in the middle."""
        places = self.places
        for turn in range(_PASSES):
            moved = False
            stuck: set[int] = set()
            for line in self.order if turn % 2 == 0 else reversed(self.order):
                place = places[line]
                visits -= 1
                level, pull = 0, 0.0
                for other in self.near[line]:
                    distance = places[other] - place
                    pull += distance / long
                    if distance > _LEVEL:
                        pull += 1
                    elif distance < -_LEVEL:
                        pull -= 1
                    else:
                        level += 1
                # Level neighbours hold a line fast; together with them it may still be free.
                together = level >= abs(pull)
                if abs(pull) < _LEVEL or (together and (not level or line in stuck)):
                    continue
                spent, went = self._push(line, 1 if pull > 0 else -1, long, stuck if together else None)
                visits -= spent
                moved = moved or went
                if visits < 0:
                    return
            if not moved:
                return

    def _push(self, line: int, sign: int, long: float, together: set[int] | None) -> tuple[int, bool]:
        """Push a line as far as good; return how many visits that took and whether it moved."""
        places = self.places
        ahead = self.after if sign > 0 else self.before
        visits, moved = 0, False
        while True:
            group, inside = self._group(line, sign, ahead, level=together is not None)
            visits += 3 * len(group)
            distances = [
                (places[other] - places[member]) * sign
                for member in group
                for other in self.near[member]
                if other not in inside
            ]
            way = _best_way(distances, long)
            if way <= _LEVEL:
                if together is not None:
                    together |= inside
                return visits, moved
            free = min(
                (
                    (places[other] - places[member]) * sign - step
                    for member in group
                    for other, step in ahead[member].items()
                    if other not in inside
                ),
                default=way,
            )
            for member in group:
                places[member] += sign * min(way, free)
            moved = True
            if way <= free:
                return visits, moved

    def _group(self, line: int, sign: int, ahead: Gaps, *, level: bool) -> tuple[list[int], set[int]]:
        """Return the lines that must move if one moves, and with ``level`` those level with them."""
        places = self.places
        group = [line]
        inside = {line}
        for member in group:
            place = places[member]
            for other, step in ahead[member].items():
                if other not in inside and (places[other] - place) * sign - step < _LEVEL:
                    inside.add(other)
                    group.append(other)
            if level:
                for other in self.near[member]:
                    if other not in inside and -_LEVEL < places[other] - place < _LEVEL:
                        inside.add(other)
                        group.append(other)
        return group, inside


def _best_way(distances: list[float], long: float) -> float:
    """Return how far to go so that the sum of |distance| + distance² / (2 long) is least."""
    # The slope of that sum falls by 2 where an end is passed, and by count / long all the way.
    count = len(distances)
    ends = sorted(distance for distance in distances if distance > _LEVEL)
    slope = fsum(distances) / long - count
    passed = 0.0
    for index, end in enumerate(ends):
        way = (slope + 2 * (len(ends) - index)) * long / count
        if way <= end:
            return max(way, passed)
        passed = end
    return passed


def _level_segments(layers: Layers, centres: list[float], near: float) -> list[int]:
    """Choose segments to be drawn level; return for every node the next one on its line, or -1.

    No two of them cross, so lines can never be in each other's way in a circle.
    """
    following = [-1] * len(centres)
    places = [0] * len(centres)
    for row in layers.rows:
        for place, node in enumerate(row):
            places[node] = place
    place_of: Callable[[int], int] = places.__getitem__
    worth = _Worth(layers, centres, near)
    for row in layers.rows:
        candidates = []
        for node in row:
            heads = layers.downs[node]
            for head in sorted(heads, key=place_of, reverse=True) if len(heads) > 1 else heads:
                value = worth(node, head)
                if value > 0:
                    candidates.append((places[head], value, node, head))
        for node, head in _heaviest_rising(candidates):
            following[node] = head
    return following


class _Worth:
    """How much it is worth that a segment is level; 0 if it should not be forced to be."""

    def __init__(self, layers: Layers, centres: list[float], near: float) -> None:
        self.layers = layers
        self.centres = centres
        self.near = near

    def __call__(self, node: int, head: int) -> float:
        boxes = self.layers.boxes
        slope = abs(self.centres[node] - self.centres[head])
        if node >= boxes and head >= boxes:
            return 20 - min(1, slope / (3 * self.near))
        if node >= boxes or head >= boxes:
            worth, limit = 4.0, 1.5 * self.near
        elif len(self.layers.downs[node]) == 1 and len(self.layers.ups[head]) == 1:
            worth, limit = 6.0, _LONE_PAIR * self.near
        else:
            worth, limit = 2.0, self.near
        return worth - slope / limit if slope <= limit else 0


def _heaviest_rising(candidates: list[tuple[int, float, int, int]]) -> list[tuple[int, int]]:
    """Return the pairs of the heaviest sequence of candidates (place, value, node, head) with rising places."""
    # places and totals rise together: the best total of a sequence that ends at or before a place.
    places: list[int] = []
    totals: list[float] = []
    ends: list[int] = []
    previous: list[int] = []
    for index, (place, value, _, _) in enumerate(candidates):
        at = bisect_left(places, place)
        previous.append(ends[at - 1] if at else -1)
        total = value + (totals[at - 1] if at else 0)
        if at < len(places) and places[at] == place and totals[at] >= total:
            continue
        stop = at
        while stop < len(places) and totals[stop] <= total:
            stop += 1
        places[at:stop] = [place]
        totals[at:stop] = [total]
        ends[at:stop] = [index]
    chosen = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chosen.append(candidates[at][2:])
        at = previous[at]
    return chosen
