"""Fold a crowd of equal nodes into a grid, so that 1 -> 1000 -> 1 is a picture and not a hairline.

Nodes (or chains of nodes) with the same upstream and the same downstream nodes say nothing by their order, so more of
them than `CROWD` are not put under each other but in rows and columns. An edge into the grid runs in the lane above
its row, an edge out of it in the lane below, so edges neither pass a box nor cross.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, fsum, sqrt
from typing import TYPE_CHECKING

from flowbook.view.layout.ranking import Pair, neighbours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.view.layout.result import Size

CROWD = 20
# A crowd with more common neighbours than this is no fan: its lanes would be wires that nobody can tell apart.
_HUBS = 4
# The way in which an edge gets from its lane to its box.
TURN = 16


@dataclass(slots=True)
class Spot:
    """Where a node of a grid is: its left edge and centre, the lanes of its edges (None: no need), and its depth."""

    left: float
    centre: float
    lane_in: float | None
    lane_out: float | None
    depth: int


@dataclass(slots=True)
class Grid:
    """A crowd of equal cells, each a node or a chain of nodes, in rows and columns.

    Attributes:
        cells: The nodes of every cell, in the order of their chain.
        width: The width of the grid.
        height: The height of the grid.
        before: The room before the first box of a cell in which an edge from a lane is level again.
        after: The room after the last box of a cell in which an edge to a lane is still level.
        spots: Where every node is.
    """

    cells: list[list[int]]
    width: float = 0
    height: float = 0
    before: float = 0
    after: float = 0
    spots: dict[int, Spot] = field(default_factory=dict)

    def arrange(self, sizes: Sequence[Size], rooms: Sequence[float], gap: float, aspect: float) -> None:
        """Find the place of every cell.

        Args:
            sizes: The sizes of all nodes.
            rooms: How much room a cell needs before its first box, between its boxes, and after its last one, for edges
                and their labels.
            gap: The gap between two rows.
            aspect: Width by height that the grid should have.
        """
        self.before, self.after = rooms[0], rooms[-1]
        depth = len(self.cells[0])
        widths = [max(sizes[cell[step]][0] for cell in self.cells) for step in range(depth)]
        height = max(sizes[node][1] for cell in self.cells for node in cell) + gap
        width = fsum(widths) + fsum(rooms) + 2 * TURN
        rows = max(1, round(sqrt(len(self.cells) * width / (height * aspect))))
        columns = ceil(len(self.cells) / rows)
        rows = ceil(len(self.cells) / columns)
        # Edges into the first column come from the gap before the grid, and need no room within it.
        self.width = columns * width - self.before - 2 * TURN
        self.height = rows * height - gap
        for index, cell in enumerate(self.cells):
            column, row = index // rows, index % rows
            left = column * width
            centre = row * height + (height - gap) / 2
            reach = (height - gap) / 2 + gap / 3
            for step, node in enumerate(cell):
                self.spots[node] = Spot(
                    left=left,
                    centre=centre,
                    lane_in=centre - reach if column and not step else None,
                    lane_out=centre + reach if column < columns - 1 and step == depth - 1 else None,
                    depth=step,
                )
                left += widths[step] + rooms[step + 1]


@dataclass(slots=True)
class Folded:
    """A graph in which every crowd is one node.

    Attributes:
        count: The number of nodes left.
        pairs: The edges between them, each once.
        place_of: The node left for every node of the graph.
        grids: The grids by node left.
    """

    count: int
    pairs: list[Pair]
    place_of: list[int]
    grids: dict[int, Grid]


def fold(count: int, pairs: Sequence[Pair]) -> Folded:
    """Make one node of every crowd.

    Example:
        >>> folded = fold(32, [(0, leaf) for leaf in range(1, 31)] + [(leaf, 31) for leaf in range(1, 31)])
        >>> folded.count, folded.pairs, len(folded.grids[1].cells)
        (3, [(0, 1), (1, 2)], 30)
    """
    crowds = _crowds(count, pairs)
    member_of = {member: number for number, cells in enumerate(crowds) for cell in cells for member in cell}
    place_of: list[int] = []
    left_of: dict[int, int] = {}
    left = 0
    for node in range(count):
        number = member_of.get(node, -1)
        if number in left_of:
            place_of.append(left_of[number])
            continue
        if number >= 0:
            left_of[number] = left
        place_of.append(left)
        left += 1
    between = ((place_of[tail], place_of[head]) for tail, head in pairs)
    pairs_left = list(dict.fromkeys(pair for pair in between if pair[0] != pair[1]))
    return Folded(left, pairs_left, place_of, {left_of[number]: Grid(cells) for number, cells in enumerate(crowds)})


def _crowds(count: int, pairs: Sequence[Pair]) -> list[list[list[int]]]:
    """Find the crowds: lists of cells."""
    ups, downs = neighbours(count, pairs)
    crowds: dict[tuple[frozenset[int], frozenset[int], int], list[list[int]]] = {}
    for node in range(count):
        if len(ups[node]) == 1 and len(downs[ups[node][0]]) == 1:
            continue  # not the first of its chain
        chain = [node]
        while len(downs[chain[-1]]) == 1 and len(ups[downs[chain[-1]][0]]) == 1:
            chain.append(downs[chain[-1]][0])
        tails, heads = ups[node], downs[chain[-1]]
        if (tails or heads) and len(tails) <= _HUBS and len(heads) <= _HUBS:
            crowds.setdefault((frozenset(tails), frozenset(heads), len(chain)), []).append(chain)
    return [cells for cells in crowds.values() if len(cells) > CROWD]
