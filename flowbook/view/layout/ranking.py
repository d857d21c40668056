"""Give every node a rank (its column), so that edges go up in rank and are short in total.

The sum of edge lengths is minimised the way a network simplex does it, with one observation that makes it cheap
enough for plain Python: all edges weigh the same, so the gain of moving one half of a spanning tree by one rank is
the sum of (out-degree - in-degree) over that half. There are no cut values to keep up to date.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Pair = tuple[int, int]
Neighbours = list[list[int]]

# How many node visits the exchange of tree edges may cost: enough to end at the optimum for some hundred nodes, and
# about 20 ms for the largest graphs, which `_tighten` leaves within a few percent of it.
_WALK_VISITS = 40_000
# An exchange may move nothing and yet open the way for one that does, but seldom after so many walks.
_IDLE = 6
# So many nodes at most change their tree edges on one walk.
_MOST_CHANGED = 60


def neighbours(count: int, pairs: Iterable[Pair]) -> tuple[Neighbours, Neighbours]:
    """Return the upstream and the downstream nodes of every node, in the order of the pairs."""
    ups: Neighbours = [[] for _ in range(count)]
    downs: Neighbours = [[] for _ in range(count)]
    for tail, head in pairs:
        downs[tail].append(head)
        ups[head].append(tail)
    return ups, downs


def closing_edges(count: int, pairs: Sequence[Pair]) -> set[Pair]:
    """Return the pairs that close a cycle: without them (or with them reversed) the graph has none.

    Example:
        >>> closing_edges(3, [(0, 1), (1, 2), (2, 0)])
        {(2, 0)}
    """
    ups, downs = neighbours(count, pairs)
    roots = [node for node in range(count) if not ups[node]]
    fresh, entered, left = 0, 1, 2
    state = [fresh] * count
    closing: set[Pair] = set()
    for root in [*roots, *range(count)]:
        if state[root] != fresh:
            continue
        state[root] = entered
        path = [(root, iter(downs[root]))]
        while path:
            node, rest = path[-1]
            head = next(rest, None)
            if head is None:
                state[node] = left
                path.pop()
            elif state[head] == fresh:
                state[head] = entered
                path.append((head, iter(downs[head])))
            elif state[head] == entered:
                closing.add((node, head))
    return closing


def rank_nodes(count: int, pairs: Sequence[Pair], heights: Sequence[float]) -> list[int]:
    """Return a rank for every node of a connected graph without cycles.

    Args:
        count: The number of nodes.
        pairs: The edges, each once; the graph is connected and has no cycles.
        heights: The size of every node across the ranks; nodes that are free to move go where there is room.

    Example:
        >>> rank_nodes(4, [(0, 1), (1, 2), (3, 2)], [1, 1, 1, 1])
        [0, 1, 2, 1]
    """
    ups, downs = neighbours(count, pairs)
    ranks = _longest_paths(ups, downs)
    tree = _tighten(ranks, ups, downs)
    _exchange(ranks, tree, ups, downs)
    _level(ranks, ups, downs, heights)
    used = {rank: place for place, rank in enumerate(sorted(set(ranks)))}
    return [used[rank] for rank in ranks]


def _longest_paths(ups: Neighbours, downs: Neighbours) -> list[int]:
    ranks = [0] * len(ups)
    waiting = [len(tails) for tails in ups]
    ready = [node for node, open_tails in enumerate(waiting) if not open_tails]
    for node in ready:
        after = ranks[node] + 1
        for head in downs[node]:
            ranks[head] = max(ranks[head], after)
            waiting[head] -= 1
            if not waiting[head]:
                ready.append(head)
    return ranks


def _tighten(ranks: list[int], ups: Neighbours, downs: Neighbours) -> Neighbours:
    """Move parts of the graph until a spanning tree of edges of length 1 holds it together; return the tree.

    A part is what edges of length 1 hold together. The smallest part moves first, towards the side on which it has
    more edges, until the shortest of them has length 1: no move makes the sum of lengths greater.
    """
    part_of, members, tree = _tight_parts(ranks, ups, downs)
    queue = [(len(nodes), part) for part, nodes in enumerate(members)]
    heapify(queue)
    while len(queue) > 1:
        size, part = heappop(queue)
        nodes = members[part]
        if len(nodes) != size:
            continue
        outward, inward = _boundary(nodes, part, part_of, ranks, ups, downs)
        edges = outward if len(outward) >= len(inward) else inward
        length, inside, outside = min(edges)
        shift = length - 1 if edges is outward else 1 - length
        for node in nodes:
            ranks[node] += shift
        tree[inside].append(outside)
        tree[outside].append(inside)
        target = part_of[outside]
        for node in nodes:
            part_of[node] = target
        members[target] += nodes
        members[part] = []
        heappush(queue, (len(members[target]), target))
    return tree


def _tight_parts(ranks: list[int], ups: Neighbours, downs: Neighbours) -> tuple[list[int], Neighbours, Neighbours]:
    part_of = [-1] * len(ranks)
    members: Neighbours = []
    tree: Neighbours = [[] for _ in ranks]
    for root in range(len(ranks)):
        if part_of[root] >= 0:
            continue
        part_of[root] = len(members)
        nodes = [root]
        for node in nodes:
            before, after = ranks[node] - 1, ranks[node] + 1
            joined = [up for up in ups[node] if ranks[up] == before]
            joined += [down for down in downs[node] if ranks[down] == after]
            for other in joined:
                if part_of[other] < 0:
                    part_of[other] = len(members)
                    nodes.append(other)
                    tree[node].append(other)
                    tree[other].append(node)
        members.append(nodes)
    return part_of, members, tree


def _boundary(
    nodes: list[int], part: int, part_of: list[int], ranks: list[int], ups: Neighbours, downs: Neighbours
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Return (length, node inside, node outside) of the edges that leave a part and of those that enter it."""
    outward = [
        (ranks[head] - ranks[node], node, head) for node in nodes for head in downs[node] if part_of[head] != part
    ]
    inward = [(ranks[node] - ranks[tail], node, tail) for node in nodes for tail in ups[node] if part_of[tail] != part]
    return outward, inward


def _exchange(ranks: list[int], tree: Neighbours, ups: Neighbours, downs: Neighbours) -> None:
    """Exchange tree edges as long as that makes edges shorter (the network simplex)."""
    pull = [len(heads) - len(tails) for heads, tails in zip(downs, ups, strict=True)]
    patience = _IDLE
    for _ in range(_WALK_VISITS // len(ranks)):
        order, parents, sizes, pulls = _walk(tree, pull)
        # A half that is pulled towards its parent's side cannot follow: the tree edge has length 1 already.
        halves = [
            (-abs(pulls[node]), place)
            for place, node in enumerate(order)
            if place and (pulls[node] < 0 if ranks[parents[node]] > ranks[node] else pulls[node] > 0)
        ]
        if not halves or not patience:
            return
        at = {node: place for place, node in enumerate(order)}
        moved = False
        changed: list[int] = []
        for _, place in sorted(halves):
            root = order[place]
            end = place + sizes[root]
            # One walk serves for many exchanges, as long as nothing was hung into or taken out of this half since.
            if any(place <= other < end for other in changed):
                continue
            nodes = order[place:end]
            shift, node, other = _entering(nodes, ranks, ups if ranks[parents[root]] > ranks[root] else downs)
            moved = moved or shift != 0
            for member in nodes:
                ranks[member] += shift
            tree[root].remove(parents[root])
            tree[parents[root]].remove(root)
            tree[node].append(other)
            tree[other].append(node)
            changed += [place, at[node], at[other]]
            if len(changed) > _MOST_CHANGED:
                break
        patience = _IDLE if moved else patience - 1


def _entering(nodes: list[int], ranks: list[int], near: Neighbours) -> tuple[int, int, int]:
    """Return the shortest edge out of a half on one side: how far the half can go, and the nodes of that edge."""
    inside = set(nodes)
    return min(
        (
            (ranks[other] - ranks[node] - (1 if ranks[other] > ranks[node] else -1), node, other)
            for node in nodes
            for other in near[node]
            if other not in inside
        ),
        key=lambda edge: (abs(edge[0]), edge[1:]),
    )


def _walk(tree: Neighbours, pull: list[int]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Walk the tree from node 0; return the order, and for each node its parent and its half's size and pull."""
    parents = [-1] * len(tree)
    order: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        order.append(node)
        parent = parents[node]
        for other in tree[node]:
            if other != parent:
                parents[other] = node
                stack.append(other)
    sizes = [1] * len(tree)
    pulls = pull.copy()
    for node in reversed(order[1:]):
        sizes[parents[node]] += sizes[node]
        pulls[parents[node]] += pulls[node]
    return order, parents, sizes, pulls


def _level(ranks: list[int], ups: Neighbours, downs: Neighbours, heights: Sequence[float]) -> None:
    """Move nodes with as many edges in as out to the least crowded rank that they can have at no cost."""
    load: dict[int, float] = {}
    for node, rank in enumerate(ranks):
        load[rank] = load.get(rank, 0) + heights[node]
    for node, rank in enumerate(ranks):
        if not ups[node] or len(ups[node]) != len(downs[node]):
            continue
        first = max(ranks[tail] for tail in ups[node]) + 1
        last = min(ranks[head] for head in downs[node]) - 1
        if first == last:
            continue
        height = heights[node]
        choice = min(range(first, last + 1), key=lambda place: (load.get(place, 0), place))
        if load.get(choice, 0) + height < load[rank]:
            load[rank] -= height
            load[choice] = load.get(choice, 0) + height
            ranks[node] = choice
