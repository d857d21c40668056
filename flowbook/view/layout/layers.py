"""The layered graph: boxes and bends in ranks, and segments that reach from one rank to the next only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.view.layout.ranking import Neighbours, Pair

# With more bends than this, edges that leave one node share theirs from the start; with more bends than that even
# then, the longest edges go round the picture instead of through it.
_BENDS_PER_NODE = 1
_BENDS_AT_LEAST = 4_000


@dataclass(slots=True)
class Layers:
    """A graph cut into ranks.

    Attributes:
        boxes: Nodes below this number are boxes, the others are bends, where an edge passes a rank.
        ranks: The rank of every node.
        rows: The nodes of every rank, in the order in which they are drawn.
        ups: For every node its neighbours one rank before.
        downs: For every node its neighbours one rank after.
        chains: For every pair that needs bends, these bends from tail to head.
        far: The pairs that are too long for bends; they go round.
    """

    boxes: int
    ranks: list[int]
    rows: list[list[int]]
    ups: Neighbours
    downs: Neighbours
    chains: dict[Pair, list[int]]
    far: list[Pair]


def cut(count: int, pairs: Sequence[Pair], ranks: Sequence[int]) -> Layers:
    """Cut long edges where they pass a rank."""
    layers = Layers(
        boxes=count,
        ranks=list(ranks),
        rows=[[] for _ in range(max(ranks, default=-1) + 1)],
        ups=[[] for _ in range(count)],
        downs=[[] for _ in range(count)],
        chains={},
        far=[],
    )
    for node, rank in enumerate(ranks):
        layers.rows[rank].append(node)
    room = _BENDS_AT_LEAST + _BENDS_PER_NODE * count
    lengths = {pair: ranks[pair[1]] - ranks[pair[0]] for pair in pairs}
    share = sum(lengths.values()) - len(lengths) > room
    trunks: dict[int, list[int]] = {}
    for tail, head in sorted(pairs, key=lengths.__getitem__) if share else pairs:
        bends = lengths[tail, head] - 1
        trunk = trunks.setdefault(tail, []) if share else []
        missing = bends - len(trunk)
        if missing > room:
            layers.far.append((tail, head))
            continue
        for _ in range(missing):
            trunk.append(_add_bend(layers, trunk[-1] if trunk else tail))
            room -= 1
        if bends:
            layers.chains[tail, head] = trunk[:bends]
        before = trunk[bends - 1] if bends else tail
        layers.downs[before].append(head)
        layers.ups[head].append(before)
    return layers


def _add_bend(layers: Layers, before: int) -> int:
    bend = len(layers.ranks)
    rank = layers.ranks[before] + 1
    layers.ranks.append(rank)
    layers.rows[rank].append(bend)
    layers.ups.append([before])
    layers.downs.append([])
    layers.downs[before].append(bend)
    return bend


def bundle(layers: Layers) -> None:
    """Let edges that leave one node share their bends as long as nothing lies between them: they carry one result."""
    same = list(range(len(layers.ranks)))
    for row in layers.rows:
        last = -1
        for node in row:
            if node >= layers.boxes:
                # What lies before has been looked at already, so equal bends have an equal origin.
                layers.ups[node] = [same[layers.ups[node][0]]]
                if last >= layers.boxes and layers.ups[node] == layers.ups[last]:
                    same[node] = last
                    continue
            last = node
    if same == list(range(len(same))):
        return
    kept = [node for node in range(len(same)) if same[node] == node]
    number = {node: place for place, node in enumerate(kept)}
    new = [number[other] for other in same]
    for node, other in enumerate(same):
        if other != node:
            layers.downs[other] += layers.downs[node]
    layers.ranks = [layers.ranks[node] for node in kept]
    layers.rows = [[new[node] for node in row if same[node] == node] for row in layers.rows]
    layers.downs = [list(dict.fromkeys(new[head] for head in layers.downs[node])) for node in kept]
    layers.ups = [list(dict.fromkeys(new[tail] for tail in layers.ups[node])) for node in kept]
    layers.chains = {pair: [new[bend] for bend in chain] for pair, chain in layers.chains.items()}
