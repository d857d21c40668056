"""How fast graphs are laid out, and how well beside Graphviz: ``python -m tests.bench.bench_layout``.

Quality is measured on the fixed set of `tests.bench.graphs`, with boxes of one size, against what `dot` makes of the
same graphs: crossings of straight lines between box centres, the sum of the lengths of these lines, and the area of
the picture. The set has no crowds of more than twenty equal nodes: of these we make grids, which are not comparable.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from math import dist
from time import process_time

import pytest

from flowbook.view.layout import crossings, layout
from tests.bench.graphs import Edges, Graph, fan, graphs, layered

Row = tuple[str, float, float, bool]
Point = tuple[float, float]

WIDTH, HEIGHT = 170, 52
RANK_GAP, NODE_GAP = 64, 22
POINTS_AN_INCH = 72


@dataclass
class Picture:
    """What is measured of a picture."""

    crossings: int = 0
    length: float = 0
    area: float = 0

    def __add__(self, other: Picture) -> Picture:
        return Picture(self.crossings + other.crossings, self.length + other.length, self.area + other.area)


def measured(centres: Sequence[Point], edges: Edges, area: float) -> Picture:
    return Picture(crossings(centres, edges), sum(dist(centres[tail], centres[head]) for tail, head in edges), area)


def ours(graph: Graph) -> Picture:
    plan = layout([(WIDTH, HEIGHT)] * graph.nodes, graph.edges, rank_gap=RANK_GAP, node_gap=NODE_GAP)
    centres = [(x + WIDTH / 2, y + HEIGHT / 2) for x, y in plan.nodes]
    return measured(centres, graph.edges, plan.width * plan.height)


def dots(graph: Graph) -> Picture:
    """The same, by Graphviz."""
    inch = POINTS_AN_INCH
    lines = [
        f"digraph {{ rankdir=LR; nodesep={NODE_GAP / inch}; ranksep={RANK_GAP / inch}; edge [arrowhead=none]",
        f'node [shape=box, fixedsize=true, width={WIDTH / inch}, height={HEIGHT / inch}, label=""]',
        *map(str, range(graph.nodes)),
        *(f"{tail} -> {head}" for tail, head in graph.edges),
        "}",
    ]
    plain = subprocess.run(["dot", "-Tplain"], input="\n".join(lines), capture_output=True, text=True, check=True)
    centres: dict[int, Point] = {}
    area = 0.0
    for words in map(str.split, plain.stdout.splitlines()):
        if words[0] == "graph":
            area = float(words[2]) * float(words[3]) * inch * inch
        elif words[0] == "node":
            centres[int(words[1])] = (float(words[2]) * inch, float(words[3]) * inch)
    return measured([centres[node] for node in range(graph.nodes)], graph.edges, area)


def comparison() -> dict[str, tuple[Picture, Picture]]:
    """Our pictures and those of dot, added up by shape."""
    by_shape: dict[str, tuple[Picture, Picture]] = {}
    for graph in graphs():
        mine, others = by_shape.get(graph.shape, (Picture(), Picture()))
        by_shape[graph.shape] = mine + ours(graph), others + dots(graph)
    return by_shape


def seconds(count: int, edges: Edges, label: Point | None = None, turns: int = 5) -> float:
    """CPU seconds of a layout; the best of several, since other work may share the machine."""
    best = float("inf")
    for _ in range(turns):
        start = process_time()
        layout([(WIDTH, HEIGHT)] * count, edges, labels=[label] * len(edges))
        best = min(best, process_time() - start)
    return best


def speed_rows() -> list[Row]:
    figures = [
        ("CPU seconds for 1,000 nodes, at most", seconds(1000, layered(1000, 1)), 0.15),
        ("CPU seconds for 1,000 nodes with labels, at most", seconds(1000, layered(1000, 1), (40, 15)), 0.2),
        ("CPU seconds for 5,000 nodes, at most", seconds(5000, layered(5000, 1), turns=2), 1),
        ("CPU seconds for 1 to 1,000 to 1, at most", seconds(1002, fan(1000)), 0.15),
        ("CPU seconds for 100 nodes, at most", seconds(100, layered(100, 1)), 0.1),
    ]
    return [(name, round(value, 4), bar, value <= bar) for name, value, bar in figures]


def rows() -> list[Row]:
    """The figures: (name, value, bar, whether it is met)."""
    found = speed_rows()
    if shutil.which("dot") is None:
        return found
    by_shape = list(comparison().values())
    mine = sum((pair[0] for pair in by_shape), Picture())
    others = sum((pair[1] for pair in by_shape), Picture())
    worst = max(mine.crossings / others.crossings for mine, others in by_shape if others.crossings)
    figures = [
        ("crossings by those of dot, all shapes, at most", mine.crossings / others.crossings, 1.2),
        ("crossings by those of dot, worst shape, at most", worst, 1.2),
        ("edge length by that of dot, at most", mine.length / others.length, 1.1),
        ("area by that of dot, at most", mine.area / others.area, 1.2),
    ]
    return found + [(name, round(value, 3), bar, value <= bar) for name, value, bar in figures]


@pytest.mark.bench
def test_graphs_are_laid_out_fast_and_well() -> None:
    for name, value, bar, ok in rows():
        print(f"{name}: {value:g} (bar {bar:g})")
        assert ok, name


def main() -> None:
    """Print the figures, and the comparison by shape."""
    for name, value, bar, ok in rows():
        print(f"{'ok ' if ok else 'NO '} {name}: {value:g} (bar {bar:g})")
    if shutil.which("dot") is None:
        print("No dot here to compare with.")
        return
    print(f"\n{'shape':16}{'crossings':>10}{'dot':>7}{'length':>9}{'area':>7}   (length and area by those of dot)")
    for shape, (mine, others) in comparison().items():
        length, area = mine.length / others.length, mine.area / others.area
        print(f"{shape:16}{mine.crossings:10}{others.crossings:7}{length:9.2f}{area:7.2f}")


if __name__ == "__main__":
    main()
