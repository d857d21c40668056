"""The fixed set of graphs on which the layout is measured.

Every graph is a count of nodes and a list of edges; the same name, size and seed give the same graph on every Python
(only ``random.Random.random`` is used, whose numbers are promised not to change).
"""

from __future__ import annotations

from math import isqrt
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Edges = list[tuple[int, int]]

SIZES = (10, 20, 30, 50, 70, 100)
SEEDS = (1, 2, 3)


class Graph(NamedTuple):
    """A named graph of the set."""

    shape: str
    nodes: int
    edges: Edges


def below(dice: Random, bound: int) -> int:
    """Return a number from 0 to ``bound`` - 1."""
    return int(dice.random() * bound)


def layered(count: int, seed: int) -> Edges:
    """Draw edges from layer to next layer: sqrt(count) nodes a layer, 1.5 edges a node."""
    dice = Random(seed)
    width = isqrt(count)
    edges: dict[tuple[int, int], None] = {}
    while len(edges) < min(count * 3 // 2, (count - width) * width // 2):
        tail = below(dice, count - width)
        first = (tail // width + 1) * width
        head = first + below(dice, min(width, count - first))
        edges[tail, head] = None
    return list(edges)


def long_edges(count: int, seed: int) -> Edges:
    """Give every node a near upstream node, and every third a far one."""
    dice = Random(seed)
    edges: dict[tuple[int, int], None] = {}
    for head in range(1, count):
        edges[head - 1 - below(dice, min(head, 4)), head] = None
        if head % 3 == 0:
            edges[below(dice, head), head] = None
    return list(edges)


def sparse(count: int, seed: int) -> Edges:
    """Join random nodes, 1.2 edges a node; the graph may fall in several parts."""
    dice = Random(seed)
    edges: dict[tuple[int, int], None] = {}
    while len(edges) < count * 6 // 5:
        one, other = below(dice, count), below(dice, count)
        if one != other:
            edges[min(one, other), max(one, other)] = None
    return list(edges)


def tree(count: int, seed: int) -> Edges:
    """Hang every node under a random earlier one of the last twelve."""
    dice = Random(seed)
    return [(head - 1 - below(dice, min(head, 12)), head) for head in range(1, count)]


def gathering(count: int, seed: int) -> Edges:
    """Turn the tree round: everything flows into one last node."""
    return [(count - 1 - head, count - 1 - tail) for tail, head in tree(count, seed)]


def etl(count: int, seed: int) -> Edges:
    """Extract from several sources, clean, join two and two in diamonds, load and report."""
    dice = Random(seed)
    sources = max(2, count // 6)
    edges: dict[tuple[int, int], None] = {}
    tables = list(range(sources))
    node = sources
    for table in range(sources):
        if node < count - 2:
            edges[table, node] = None
            tables[table] = node
            node += 1
    while node + 3 < count:
        place = below(dice, len(tables))
        one, other = tables[place], tables[(place + 1) % len(tables)]
        left, right, joined = node, node + 1, node + 2
        edges.update(dict.fromkeys([(one, left), (other, right), (one, right), (left, joined), (right, joined)]))
        tables[place] = joined
        node += 3
    for last in range(node, count):
        edges.update(dict.fromkeys((table, last) for table in tables[: 2 + below(dice, 3)]))
    return list(edges)


def fans(count: int, seed: int) -> Edges:
    """Alternate hubs and fans: one to many, many to one, with a few stray edges."""
    dice = Random(seed)
    edges: dict[tuple[int, int], None] = {}
    hub, node = 0, 1
    while node < count - 1:
        spread = range(node, min(count - 1, node + 2 + below(dice, 9)))
        edges.update(dict.fromkeys((hub, leaf) for leaf in spread))
        node = spread.stop
        edges.update(dict.fromkeys((leaf, node) for leaf in spread))
        edges[below(dice, hub + 1), node] = None
        hub, node = node, node + 1
    return list(edges)


def series_parallel(count: int, seed: int) -> Edges:
    """Split edges in two after each other or doubled beside each other: a graph that needs no crossing."""
    dice = Random(seed)
    edges: Edges = [(0, 1)]
    for node in range(2, count):
        place = below(dice, len(edges))
        tail, head = edges[place]
        if dice.random() < 0.5:
            edges[place : place + 1] = [(tail, node), (node, head)]
        else:
            edges += [(tail, node), (node, head)]
    return edges


SHAPES: dict[str, Callable[[int, int], Edges]] = {
    "layered": layered,
    "long edges": long_edges,
    "sparse": sparse,
    "tree": tree,
    "gathering": gathering,
    "etl": etl,
    "fans": fans,
    "series-parallel": series_parallel,
}


def graphs() -> Iterator[Graph]:
    """Go through the fixed set."""
    for shape, draw in SHAPES.items():
        for count in SIZES:
            for seed in SEEDS:
                yield Graph(shape, count, draw(count, seed))


def fan(count: int) -> Edges:
    """Go from one node to ``count`` nodes and back to one."""
    return [(0, leaf) for leaf in range(1, count + 1)] + [(leaf, count + 1) for leaf in range(1, count + 1)]
