"""Draw the ways of edges between boxes whose heights are known: gaps, bends, and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.view.layout.folding import TURN
from flowbook.view.layout.gaps import AFTER_LABEL, BEFORE_LABEL, Curve, Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.view.layout.layers import Layers
    from flowbook.view.layout.result import Point, Size

Stop = tuple[int, float]

# The distance of two lines that go round the picture, and of two edges without labels between the same boxes.
_LANE = 8
# What two labels of such edges are apart.
_LABELS_APART = 4
# An edge that would leave its rank early looks at no more boxes in its way than this.
_LOOK = 12


class Link(NamedTuple):
    """An edge in the direction in which it is drawn."""

    edge: int
    tail: int
    head: int
    label: Size | None


class Anchor(NamedTuple):
    """Where edges hold on to a box.

    Attributes:
        node: The node of the layered graph that the box is or is in.
        rank: The rank of that node.
        left: The left side of the box, from the start of the rank.
        right: Its right side, from there too.
        centre: The height at which edges reach and leave the box.
        enter: The height at which they enter the rank: not that of the box if a lane leads there.
        leave: The height at which they leave the rank.
        before: The room before the box in which an edge from a lane is level again.
        after: The room after the box in which an edge to a lane is still level; 0 for a box that is in no grid.
    """

    node: int
    rank: int
    left: float
    right: float
    centre: float
    enter: float
    leave: float
    before: float
    after: float


class Way(NamedTuple):
    """The way of a link.

    Attributes:
        edge: The edge that it is the way of.
        points: Points in which it is level.
        label: The centre of its label.
        bow: How far it bows out on the way to one of the points.
        bowed: The place of that point.
    """

    edge: int
    points: list[Point]
    label: Point | None
    bow: float
    bowed: int


class Drawing:
    """The ways of all links of a part.

    Attributes:
        starts: Where every rank starts.
        ends: Where every rank ends.
        stops: For every link the ranks that it passes, and at which height; only those where it may change height.
        gaps: The gaps after every rank but the last.
    """

    def __init__(
        self,
        layers: Layers,
        heights: Sequence[float],
        sizes: Sequence[Size],
        anchors: Sequence[Anchor],
        links: Sequence[Link],
    ) -> None:
        self.layers = layers
        self.heights = heights
        self.sizes = sizes
        self.anchors = anchors
        self.links = links
        self.bows = _bows(links)
        lanes = self._lanes()
        self.stops = [self._stops(link, lanes) for link in links]
        self.gaps: list[Gap] = []
        self.starts: list[float] = []
        self.ends: list[float] = []

    def measure(self, rank_gap: float) -> None:
        """Find how wide gaps must be, and so where ranks start and end."""
        count = len(self.layers.rows)
        curves: list[dict[Curve, None]] = [{} for _ in range(count)]
        labels: list[dict[int, tuple[Curve, Size]]] = [{} for _ in range(count)]
        for number, (link, stops) in enumerate(zip(self.links, self.stops, strict=True)):
            last = len(stops) - 2
            for place in range(last + 1):
                (rank, start), (next_rank, end) = stops[place], stops[place + 1]
                if rank + 1 < next_rank:
                    continue
                in_gap = place == last and not self._in_grid(link)
                curve = Curve(start, end, self.bows.get(number, 0) if in_gap else 0)
                curves[rank][curve] = None
                if in_gap and link.label:
                    labels[rank][number] = curve, link.label
        at = 0.0
        for rank, row in enumerate(self.layers.rows):
            self.starts.append(at)
            at += max((self.sizes[node][0] for node in row if node < self.layers.boxes), default=0)
            self.ends.append(at)
            self.gaps.append(Gap(list(curves[rank]), labels[rank], rank_gap))
            at += self.gaps[rank].width

    def ways(self) -> list[Way]:
        """Return the ways of all links."""
        self.reaches = self._reaches()
        return [self._way(number) for number in range(len(self.links))]

    def _in_grid(self, link: Link) -> bool:
        """Tell whether the label of a link stands in a grid: before its head, or else after its tail."""
        tail, head = self.anchors[link.tail], self.anchors[link.head]
        return tail.after > 0 or head.enter != head.centre

    def _lanes(self) -> dict[tuple[int, int], float]:
        """Find the heights of the lines that go round the picture, one for each node from which some start."""
        layers = self.layers
        if not layers.far:
            return {}
        lowest = max(
            height + (self.sizes[node][1] / 2 if node < layers.boxes else 0) for node, height in enumerate(self.heights)
        )
        stretches: dict[int, tuple[int, int]] = {}
        for tail, head in layers.far:
            end = stretches.get(tail, (0, 0))[1]
            stretches[tail] = layers.ranks[tail], max(end, layers.ranks[head])
        free: list[int] = []
        lane_of: dict[int, int] = {}
        for tail, (start, end) in sorted(stretches.items(), key=lambda item: (item[1], item[0])):
            lane = next((number for number, until in enumerate(free) if until < start), len(free))
            free[lane : lane + 1] = [end]
            lane_of[tail] = lane
        return {pair: lowest + _LANE * (lane_of[pair[0]] + 2) for pair in layers.far}

    def _stops(self, link: Link, lanes: dict[tuple[int, int], float]) -> list[Stop]:
        tail, head = self.anchors[link.tail], self.anchors[link.head]
        if tail.node == head.node:
            return []
        pair = tail.node, head.node
        if pair in lanes:
            between = [(tail.rank + 1, lanes[pair]), (head.rank - 1, lanes[pair])]
        else:
            between = [(self.layers.ranks[bend], self.heights[bend]) for bend in self.layers.chains.get(pair, ())]
        return [(tail.rank, tail.leave), *between, (head.rank, head.enter)]

    def _way(self, number: int) -> Way:
        link, stops = self.links[number], self.stops[number]
        tail, head = self.anchors[link.tail], self.anchors[link.head]
        bow, bowed = self.bows.get(number, 0), 1
        points = [(self.starts[tail.rank] + tail.right, tail.centre)]
        if not stops:
            points.append((self.starts[head.rank] + head.left, head.centre))
            return Way(link.edge, points, self._label(number), bow, bowed)
        if tail.leave != tail.centre:
            level = self.starts[tail.rank] + tail.right + tail.after
            points += [(level, tail.centre), (level + TURN, tail.leave)]
        points.append((self.starts[tail.rank] + self.reaches[link.tail], tail.leave))
        for rank, height in stops[1:-1]:
            points += [(self.starts[rank], height), (self.ends[rank], height)]
        start = self.starts[head.rank]
        points.append((start, head.enter))
        if not self._in_grid(link):
            bowed = len(points) - 1
        if head.enter != head.centre:
            level = start + head.left - head.before
            points += [(level - TURN, head.enter), (level, head.centre), (start + head.left, head.centre)]
            bowed = len(points) - 1
        return Way(link.edge, points, self._label(number), bow, bowed)

    def _label(self, number: int) -> Point | None:
        link = self.links[number]
        if not link.label:
            return None
        tail, head = self.anchors[link.tail], self.anchors[link.head]
        if head.enter != head.centre or head.node == tail.node:
            end = self.starts[head.rank] + head.left - AFTER_LABEL
            return end - link.label[0] / 2, head.centre + self.bows.get(number, 0)
        if tail.after:
            start = self.starts[tail.rank] + tail.right + BEFORE_LABEL
            return start + link.label[0] / 2, tail.centre + self.bows.get(number, 0)
        rank = head.rank - 1
        place = self.gaps[rank].places[number]
        return self.ends[rank] + place[0], place[1]

    def _reaches(self) -> list[float]:
        """Return how far the links of every box go level before they turn: past the boxes in their way.

        The links of a box turn together, so that they look like one bunch.
        """
        reaches = [anchor.right for anchor in self.anchors]
        for number, (link, stops) in enumerate(zip(self.links, self.stops, strict=True)):
            tail = self.anchors[link.tail]
            whole = self.ends[tail.rank] - self.starts[tail.rank]
            if reaches[link.tail] == whole or not stops:
                continue
            bound = not stops[1:-1] and (link.label or number in self.bows)
            reaches[link.tail] = whole if bound or tail.after else max(reaches[link.tail], self._reach(tail, stops[1]))
        return reaches

    def _reach(self, tail: Anchor, stop: Stop) -> float:
        target = stop[1]
        row = self.layers.rows[tail.rank]
        at = row.index(tail.node)
        down = target > tail.centre
        beside = row[at + 1 : at + 1 + _LOOK] if down else row[max(0, at - _LOOK) : at][::-1]
        reach = tail.right
        for node in beside:
            half = self.sizes[node][1] / 2 if node < self.layers.boxes else 0
            if abs(self.heights[node] - tail.centre) - half > abs(target - tail.centre):
                return reach
            if half:
                reach = max(reach, self.sizes[node][0])
        return reach if len(beside) < _LOOK else self.ends[tail.rank] - self.starts[tail.rank]


def _bows(links: Iterable[Link]) -> dict[int, float]:
    """Return how far links between the same boxes bow apart in the middle."""
    numbers: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for number, link in enumerate(links):
        height = link.label[1] + _LABELS_APART if link.label else _LANE
        numbers.setdefault((link.tail, link.head), []).append((number, height))
    bows = {}
    for same in numbers.values():
        if len(same) > 1:
            pitch = max(height for _, height in same)
            for place, (number, _) in enumerate(same):
                bows[number] = (place - (len(same) - 1) / 2) * pitch
    return bows
