"""Order the nodes of every rank so that few edges cross.

Barycentre sweeps from several starts find a good order. Then every row is sifted: each node moves to its best place
among its neighbours in the row, seen from both rows beside it, until no move helps. Then a few nodes of one row are
shuffled and all is sifted again, which is undone when it made things worse; this last part finds most. How much of
all that is done depends on the size of the graph alone, never on a clock, so the same graph gives the same picture.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from operator import itemgetter
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from flowbook.view.layout.layers import Layers
    from flowbook.view.layout.ranking import Neighbours

Rows = list[list[int]]

# Budgets count visits of segments (sweeps) and of pairs of nodes (sifting): a million visits take about 0.3 s.
_TRIAL = 3
_SWEEPS = 8
_SWEEP_VISITS = 30_000
_MOST_STARTS = 8
_WALKS = (False, True)
_SIFT_VISITS = 30_000
_KICK_VISITS = 50_000
# Beyond so many segments there is less and less time for the last part.
_MANY = 500
_KICK_NODES = 5
# So many kicks for each node may be in vain.
_PATIENCE = 6
# Rows up to this length are sifted whole, longer ones in overlapping windows.
_WHOLE_ROW = 32
_WINDOW = 12


def order(layers: Layers, share: float = 1) -> None:
    """Sort the rows of ``layers`` so that few segments cross.

    Args:
        layers: What to sort.
        share: How much of the whole picture this is, and so of the time that may be spent.
    """
    segments = sum(map(len, layers.downs))
    search = Search(layers)
    starts = max(1, min(_MOST_STARTS, int(_SWEEP_VISITS * share) // (segments * _SWEEPS + 1)))
    best, rows = search.crossings(), _copy(search.rows)
    # All starts are tried for a few sweeps, the better ones to the end.
    tried = [(best, rows)]
    for start in _starts(layers, max(starts, 3)) if best else ():
        search.begin(start)
        tried.append(search.sweep(min(_TRIAL, starts + 1)))
        if not tried[-1][0]:
            break
    tried.sort(key=itemgetter(0))
    best, rows = tried[0]
    for _, start in tried[:starts] if best else ():
        search.begin(_copy(start))
        found, found_rows = search.sweep(_SWEEPS)
        if found < best:
            best, rows = found, found_rows
    search.begin(rows)
    if best:
        search.sift(range(len(rows)), int(_SIFT_VISITS * share))
        search.kick(int(_KICK_VISITS * share * min(1, _MANY / segments)))
    search.tidy(layers.boxes)
    layers.rows = search.rows


def _copy(rows: Rows) -> Rows:
    return [row.copy() for row in rows]


def _starts(layers: Layers, count: int) -> Iterator[Rows]:
    """Go through several first orders: as given, as walks through the graph meet the nodes, and shuffled."""
    dice = _dice()
    yield _copy(layers.rows)
    for start in range(1, count):
        if start <= len(_WALKS):
            yield _walked(layers, back=_WALKS[start - 1])
            continue
        rows = _copy(layers.rows)
        for row in rows:
            _shuffle(row, dice)
        yield rows


def _dice() -> Random:
    return Random(1)  # noqa: S311 - the same numbers every time are what is wanted


def _shuffle(nodes: list[int], dice: Random) -> None:
    # Random.shuffle is not promised to stay the same between versions of Python; Random.random is.
    nodes.sort(key=lambda _: dice.random())


def _walked(layers: Layers, *, back: bool) -> Rows:
    """Return the rows in the order in which a depth-first walk from the first (or last) ranks meets the nodes."""
    ranks = layers.ranks
    ahead, behind = (layers.ups, layers.downs) if back else (layers.downs, layers.ups)
    rows: Rows = [[] for _ in layers.rows]
    met = [False] * len(ranks)
    for root in sorted(range(len(ranks)), key=ranks.__getitem__, reverse=back):
        stack = [root]
        while stack:
            node = stack.pop()
            if met[node]:
                continue
            met[node] = True
            rows[ranks[node]].append(node)
            stack += reversed(behind[node])
            stack += reversed(ahead[node])
    return rows


def count_crossings(row: Iterable[int], downs: Neighbours, places: list[int]) -> int:
    """Count the crossings between the segments that go down from a row."""
    place_of = places.__getitem__
    ends: list[int] = []
    for node in row:
        heads = downs[node]
        if len(heads) == 1:
            ends.append(places[heads[0]])
        else:
            ends += sorted(map(place_of, heads))
    total = 0
    seen: list[int] = []
    for count, end in enumerate(ends):
        # All ends seen so far that lie behind this one belong to segments that cross it.
        index = bisect_right(seen, end)
        total += count - index
        seen.insert(index, end)
    return total


class Search:
    """A search for an order with few crossings.

    Attributes:
        rows: The order so far.
        places: For every node its place in its row.
        gaps: The number of crossings between a row and the next.
    """

    def __init__(self, layers: Layers) -> None:
        self.ups = layers.ups
        self.downs = layers.downs
        self.places = [0] * len(layers.ranks)
        self.begin(layers.rows)

    def begin(self, rows: Rows) -> None:
        """Go on from the given order."""
        self.rows = rows
        for row in rows:
            self._number(row)
        self._changed: dict[int, list[int]] = {}

    def crossings(self) -> int:
        """Count all crossings."""
        return sum(count_crossings(row, self.downs, self.places) for row in self.rows)

    def _number(self, row: list[int]) -> None:
        places = self.places
        for place, node in enumerate(row):
            places[node] = place

    def sweep(self, sweeps: int) -> tuple[int, Rows]:
        """Sort rows by the mean place of their neighbours, to and fro; return the best that was met."""
        best = self.crossings()
        best_rows = _copy(self.rows)
        patience = 4
        for turn in range(sweeps):
            if not best or not patience:
                break
            # Every other pair of sweeps turns ties round, which is how equal nodes get to change places.
            self._sweep_once(down=turn % 2 == 0, turn_ties=turn % 4 > 1)
            found = self.crossings()
            if found < best:
                best, best_rows, patience = found, _copy(self.rows), 4
            else:
                patience -= 1
        return best, best_rows

    def _sweep_once(self, *, down: bool, turn_ties: bool) -> None:
        near = self.ups if down else self.downs
        place_of = self.places.__getitem__
        means: dict[int, float] = {}
        for row in self.rows if down else reversed(self.rows):
            moving = []
            for node in row:
                others = near[node]
                if others:
                    moving.append(node)
                    one = len(others) == 1
                    means[node] = place_of(others[0]) if one else sum(map(place_of, others)) / len(others)
            if turn_ties:
                moving.reverse()
            moving.sort(key=means.__getitem__)
            if len(moving) < len(row):
                # Nodes with no neighbour on that side keep their places.
                following = iter(moving)
                moving = [next(following) if near[node] else node for node in row]
            row[:] = moving
            self._number(row)

    def sift(self, first: Iterable[int], visits: int) -> int:
        """Sift rows, and the rows beside those that changed, until nothing moves; return the visits it took."""
        queue = list(first)
        waiting = set(queue)
        spent = 0
        for index in queue:
            waiting.discard(index)
            spent += 20 + len(self.rows[index]) * min(len(self.rows[index]), 2 * _WINDOW)
            if self._sift_row(index):
                beside = [other for other in (index - 1, index + 1) if 0 <= other < len(self.rows)]
                queue += [other for other in beside if other not in waiting]
                waiting.update(beside)
            if spent > visits:
                break
        return spent

    def _sift_row(self, index: int) -> bool:
        row = self.rows[index]
        above = len(self.rows[index - 1]) if index else 0
        below = len(self.rows[index + 1]) if index + 1 < len(self.rows) else 0
        place_of = self.places.__getitem__
        ends: list[list[int]] = []
        costs = []
        for node in row:
            up = sorted(map(place_of, self.ups[node]))
            down = sorted(map(place_of, self.downs[node]))
            costs.append((_balance(up, above) + _balance(down, below)).__getitem__)
            ends.append(up + [above + place for place in down])
        size = len(row) if len(row) <= _WHOLE_ROW else _WINDOW
        sifted = list(range(len(row)))
        moved = False
        for start in range(0, max(1, len(row) - size // 2), size // 2 if size < len(row) else size):
            window = sifted[start : start + size]
            if _sift(window, ends, costs):
                sifted[start : start + size] = window
                moved = True
        if moved:
            self._changed.setdefault(index, row)
            self.rows[index] = [row[place] for place in sifted]
            self._number(self.rows[index])
        return moved

    def kick(self, visits: int) -> None:
        """Shuffle a few nodes and sift, again and again; keep what is no worse."""
        dice = _dice()
        gaps = [count_crossings(row, self.downs, self.places) for row in self.rows]
        patience = _PATIENCE * len(self.places)
        while visits > 0 and patience:
            patience -= 1
            crossed = [index for index, crossings in enumerate(gaps) if crossings]
            if not crossed:
                return
            index = crossed[int(dice.random() * len(crossed))] + int(dice.random() * 2)
            row = self.rows[index]
            start = int(dice.random() * max(1, len(row) - _KICK_NODES + 1))
            part = row[start : start + _KICK_NODES]
            _shuffle(part, dice)
            self._changed = {index: row}
            self.rows[index] = row[:start] + part + row[start + _KICK_NODES :]
            self._number(self.rows[index])
            near = [other for other in (index + 1, index - 1, index) if 0 <= other < len(self.rows)]
            visits -= 100 + self.sift(near, visits)
            touched = {other for changed in self._changed for other in (changed - 1, changed) if other >= 0}
            found = {other: count_crossings(self.rows[other], self.downs, self.places) for other in touched}
            visits -= 2 * sum(len(self.rows[other]) for other in touched)
            before = sum(gaps[other] for other in touched)
            if sum(found.values()) < before:
                patience = _PATIENCE * len(self.places)
            if sum(found.values()) <= before:
                for other, crossings in found.items():
                    gaps[other] = crossings
            else:
                for other, row_before in self._changed.items():
                    self.rows[other] = row_before
                    self._number(row_before)

    def tidy(self, boxes: int) -> None:
        """Let boxes that might as well change places stand in the order in which they were given, first one on top."""
        falling = 0
        for row in self.rows:
            for one, other in pairwise(row):
                if one < boxes and other < boxes:
                    falling += 1 if one > other else -1
        if falling > 0:
            for row in self.rows:
                row.reverse()
                self._number(row)
        for row in self.rows:
            end = len(row)
            while end > 1:
                # A bubble sort that swaps equals only; behind the last swap of a pass all is in order.
                last = 0
                for place in range(1, end):
                    one, other = row[place - 1], row[place]
                    if other < one < boxes and self._as_good(one, other):
                        row[place - 1 : place + 1] = other, one
                        last = place
                end = last
            self._number(row)

    def _as_good(self, one: int, other: int) -> bool:
        """Tell whether two neighbours in a row may change places: no more crossings, no longer edges."""
        places = self.places
        alike = False
        change = 0
        for near in (self.ups, self.downs):
            heads, other_heads = near[one], near[other]
            if heads and other_heads:
                ends = [places[head] for head in heads]
                other_ends = [places[head] for head in other_heads]
                if sum(ends) * len(other_ends) != sum(other_ends) * len(ends):
                    return False
                alike = True
                change += sum((end > other_end) - (end < other_end) for end in ends for other_end in other_ends)
        return alike and change >= 0


def _balance(ends: list[int], width: int) -> list[int]:
    """Return, for every place of a row, how many ends lie behind it, less those before it."""
    if not ends:
        return [0] * width
    line: list[int] = []
    behind = len(ends)
    done = 0
    for place in ends:
        line += [behind] * (place - done)
        line.append(behind - 1)
        behind -= 2
        done = place + 1
    line += [behind] * (width - done)
    return line


def _sift(window: list[int], ends: list[list[int]], costs: Sequence[Callable[[int], int]]) -> bool:
    """Sort a few neighbours in a row by moving each to its best place; return whether any moved."""
    # gains[a][b]: how many crossings come if a goes before b instead of after it.
    count = len(window)
    gains = [[0] * count for _ in window]
    for after in range(count):
        cost = costs[window[after]]
        mine = gains[after]
        for before in range(after):
            change = sum(map(cost, ends[window[before]]))
            if change:
                mine[before] = change
                gains[before][after] = -change
    if all(min(gains[after][:after], default=0) >= 0 for after in range(count)):
        return False
    sifted = list(range(count))
    moved = False
    again = True
    while again:
        again = False
        for node in range(count):
            at = sifted.index(node)
            target = _best_place(gains[node], sifted, at)
            if target != at:
                sifted.insert(target, sifted.pop(at))
                moved = again = True
    window[:] = [window[place] for place in sifted]
    return moved


def _best_place(gains: list[int], sifted: list[int], at: int) -> int:
    """Return the place to which a node goes best, which is at one now."""
    best, target = 0, at
    change = 0
    for place in range(at - 1, -1, -1):
        change += gains[sifted[place]]
        if change < best:
            best, target = change, place
    change = 0
    for place in range(at + 1, len(sifted)):
        change -= gains[sifted[place]]
        if change < best:
            best, target = change, place
    return target
