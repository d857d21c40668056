"""Boxes lie apart, edges go up in rank and pass no box, labels cover none; the same graph gives the same layout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowbook.view.layout import Layout, Route, crossings, layout
from flowbook.view.layout.layers import bundle, cut
from flowbook.view.layout.ordering import Search
from tests.bench.graphs import SHAPES, fan, graphs

Size = tuple[float, float]
Edges = Sequence[tuple[int, int]]
Direction = Literal["right", "down"]
Box = tuple[float, float, float, float]
DIRECTIONS: list[Direction] = ["right", "down"]
ROUNDING = 1e-6


def boxes_of(plan: Layout, sizes: Sequence[Size]) -> list[Box]:
    return [(x, y, x + width, y + height) for (x, y), (width, height) in zip(plan.nodes, sizes, strict=True)]


def overlap(one: Box, other: Box, room: float = 0) -> bool:
    return (
        one[0] < other[2] + room - ROUNDING
        and other[0] < one[2] + room - ROUNDING
        and one[1] < other[3] + room - ROUNDING
        and other[1] < one[3] + room - ROUNDING
    )


def label_box(route: Route, size: Size) -> Box:
    assert route.label is not None
    x, y = route.label
    return (x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)


def along(route: Route, steps: int = 8) -> list[tuple[float, float]]:
    """Points on the curve of a route."""
    points = [route.points[0]]
    for index in range(1, len(route.points), 3):
        ends = route.points[index - 1 : index + 3]
        for step in range(1, steps + 1):
            t = step / steps
            shares = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (sum(share * end[axis] for share, end in zip(shares, ends, strict=True)) for axis in (0, 1))
            points.append((x, y))
    return points


def centres_of(plan: Layout, sizes: Sequence[Size]) -> list[tuple[float, float]]:
    return [(x + width / 2, y + height / 2) for (x, y), (width, height) in zip(plan.nodes, sizes, strict=True)]


def closes_a_cycle(plan: Layout, edge: tuple[int, int]) -> bool:
    return plan.ranks[edge[0]] > plan.ranks[edge[1]]


def check(
    plan: Layout,
    sizes: Sequence[Size],
    edges: Edges,
    labels: Sequence[Size | None] = (),
    direction: Direction = "right",
) -> None:
    """Assert what holds for every layout."""
    boxes = boxes_of(plan, sizes)
    assert len(plan.nodes) == len(plan.ranks) == len(sizes)
    assert len(plan.edges) == len(edges)
    for index, box in enumerate(boxes):
        assert box[0] >= -ROUNDING
        assert box[1] >= -ROUNDING
        assert box[2] <= plan.width + ROUNDING
        assert box[3] <= plan.height + ROUNDING
        assert not any(overlap(box, other) for other in boxes[:index])
    for number, (edge, route) in enumerate(zip(edges, plan.edges, strict=True)):
        assert len(route.points) % 3 == 1
        assert len(route.points) >= 4
        check_ends(plan, boxes, edge, route, direction)
        check_way(boxes, edge, route)
        size = labels[number] if labels else None
        assert (route.label is None) == (size is None)
        if size:
            place = label_box(route, size)
            assert not any(overlap(place, box) for box in boxes), (edge, route.label)


def check_ends(plan: Layout, boxes: list[Box], edge: tuple[int, int], route: Route, direction: Direction) -> None:
    """An edge leaves at the far side and arrives at the near side; one that closes a cycle, the other way round."""
    tail, head = boxes[edge[0]], boxes[edge[1]]
    start, end = (route.points[0], route.points[-1])
    if direction == "down":
        tail, head, start, end = (
            (tail[1], tail[0], tail[3], tail[2]),
            (head[1], head[0], head[3], head[2]),
            (start[1], start[0]),
            (end[1], end[0]),
        )
    if edge[0] == edge[1]:
        assert start[0] == end[0] == pytest.approx(tail[2])
        return
    if closes_a_cycle(plan, edge):
        tail, head, start, end = head, tail, end, start
    assert start == pytest.approx((tail[2], (tail[1] + tail[3]) / 2))
    assert end == pytest.approx((head[0], (head[1] + head[3]) / 2))


def check_way(boxes: list[Box], edge: tuple[int, int], route: Route) -> None:
    """An edge passes through no box."""
    for x, y in along(route):
        for node, box in enumerate(boxes):
            if node not in edge:
                assert not (box[0] < x < box[2] and box[1] < y < box[3]), (edge, node)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[list[Size], list[tuple[int, int]], list[Size | None]]:
    """A small graph of any kind: cycles, loops, the same edge twice, several parts."""
    count = draw(st.integers(1, 14))
    node = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=24))
    side = st.sampled_from([20.0, 52.0, 90.0, 170.0])
    sizes = draw(st.lists(st.tuples(side, side), min_size=count, max_size=count))
    label = st.one_of(st.none(), st.tuples(st.sampled_from([12.0, 40.0, 90.0]), st.just(15.0)))
    labels = draw(st.lists(label, min_size=len(edges), max_size=len(edges)))
    return sizes, edges, labels


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn(), st.sampled_from(DIRECTIONS))
@example(  # the label of a loop stands out of its box, into that of another part
    ([(20.0, 20.0), (20.0, 20.0), (170.0, 52.0)], [(0, 0), (0, 0), (0, 1), (0, 0)], [None, None, None, (90.0, 15.0)]),
    "down",
)
def test_every_graph_has_a_sound_layout(
    graph: tuple[list[Size], list[tuple[int, int]], list[Size | None]], direction: Direction
) -> None:
    sizes, edges, labels = graph
    plan = layout(sizes, edges, labels=labels, direction=direction)
    check(plan, sizes, edges, labels, direction)


@settings(max_examples=60, deadline=None)
@given(drawn())
def test_edges_go_up_in_rank_unless_they_close_a_cycle(
    graph: tuple[list[Size], list[tuple[int, int]], list[Size | None]],
) -> None:
    sizes, edges, _ = graph
    plan = layout(sizes, [(min(edge), max(edge)) for edge in edges])
    assert all(plan.ranks[min(edge)] < plan.ranks[max(edge)] for edge in edges if edge[0] != edge[1])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_shapes_of_the_bench_have_a_sound_layout(shape: str, direction: Direction) -> None:
    edges = SHAPES[shape](60, 1)
    sizes = [(110.0 + 10 * (node % 7), 52.0) for node in range(60)]
    labels = [(20.0 + 9 * (number % 5), 15.0) if number % 3 else None for number in range(len(edges))]
    check(layout(sizes, edges, labels=labels, direction=direction), sizes, edges, labels, direction)


def test_labels_of_a_small_flow_keep_clear_of_each_other() -> None:
    edges = [(0, 2), (0, 3), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7), (5, 8), (6, 8), (6, 9)]
    labels: list[Size] = [(40, 15)] * len(edges)
    plan = layout([(170, 52)] * 10, edges, labels=labels)
    places = [label_box(route, size) for route, size in zip(plan.edges, labels, strict=True)]
    assert not any(overlap(one, other) for index, one in enumerate(places) for other in places[:index])


def test_an_empty_graph_takes_no_room() -> None:
    assert layout([], []) == Layout(0, 0, (), (), ())


def test_a_single_node_is_the_whole_picture() -> None:
    assert layout([(170, 52)], []) == Layout(170, 52, ((0, 0),), (), (0,))


def test_a_chain_is_a_straight_line() -> None:
    plan = layout([(170, 52), (120, 40), (90, 60)], [(0, 1), (1, 2)])
    assert {y for route in plan.edges for _, y in route.points} == {30}


def test_a_node_stands_in_the_middle_of_its_two_neighbours() -> None:
    plan = layout([(100, 40)] * 3, [(0, 1), (0, 2)])
    assert plan.nodes[0][1] == pytest.approx((plan.nodes[1][1] + plan.nodes[2][1]) / 2)


def test_equal_nodes_stand_in_the_order_in_which_they_were_given() -> None:
    plan = layout([(100, 40)] * 12, fan(10))
    heights = [plan.nodes[leaf][1] for leaf in range(1, 11)]
    assert heights == sorted(heights)


def test_boxes_that_might_as_well_change_places_do_so() -> None:
    layers = cut(6, [(0, leaf) for leaf in range(1, 5)] + [(leaf, 5) for leaf in (1, 2, 4)], [0, 1, 1, 1, 1, 2])
    layers.rows[1] = [2, 4, 1, 3]
    search = Search(layers)
    search.tidy(layers.boxes)
    assert search.rows == [[0], [1, 2, 3, 4], [5]]


def test_boxes_with_different_neighbours_keep_their_places() -> None:
    layers = cut(5, [(0, 3), (1, 2), (0, 4), (1, 4)], [0, 0, 1, 1, 1])
    layers.rows = [[0, 1], [3, 4, 2]]
    search = Search(layers)
    search.tidy(layers.boxes)
    assert search.rows == [[0, 1], [3, 4, 2]]


def test_long_edges_of_one_node_run_together_and_those_of_two_do_not() -> None:
    layers = cut(4, [(0, 2), (0, 3), (1, 2), (1, 3)], [0, 0, 3, 3])
    bundle(layers)
    assert layers.chains == {(0, 2): [4, 5], (0, 3): [4, 5], (1, 2): [6, 7], (1, 3): [6, 7]}
    assert layers.rows == [[0, 1], [4, 6], [5, 7], [2, 3]]


def test_long_edges_part_where_something_lies_between_them() -> None:
    layers = cut(4, [(0, 1), (0, 2), (0, 3)], [0, 3, 3, 2])
    upper, lower = layers.chains[0, 1], layers.chains[0, 2]
    layers.rows[2] = [upper[1], 3, lower[1]]
    bundle(layers)
    one, other = layers.chains[0, 1], layers.chains[0, 2]
    assert one[0] == other[0] == layers.chains[0, 3][0]
    assert layers.rows[2] == [one[1], 3, other[1]]


def test_a_loop_stays_at_its_box_and_changes_no_rank() -> None:
    plan = layout([(100, 40)] * 2, [(0, 0), (0, 1)])
    assert plan.ranks == (0, 1)
    assert max(x for x, _ in plan.edges[0].points) < plan.nodes[1][0]


def test_an_edge_that_closes_a_cycle_points_back() -> None:
    plan = layout([(100, 40)] * 3, [(0, 1), (1, 2), (2, 0)])
    assert plan.ranks == (0, 1, 2)
    points = plan.edges[2].points
    assert points[0][0] > points[-1][0]


def test_two_edges_between_the_same_boxes_part_in_the_middle() -> None:
    labels: list[Size] = [(40, 15), (40, 15)]
    plan = layout([(100, 40)] * 2, [(0, 1), (0, 1)], labels=labels)
    assert not overlap(label_box(plan.edges[0], labels[0]), label_box(plan.edges[1], labels[1]))


def test_a_gap_is_as_wide_as_the_widest_label_in_it() -> None:
    plan = layout([(100, 40)] * 3, [(0, 1), (1, 2)], labels=[(150, 15), None])
    assert plan.nodes[1][0] - 100 > 150
    assert plan.nodes[2][0] - plan.nodes[1][0] - 100 == 64


def test_parts_are_packed_beside_each_other() -> None:
    plan = layout([(170, 52)] * 100, [])
    assert plan.height < plan.width < 2.5 * plan.height


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("labelled", [False, True])
def test_a_crowd_becomes_a_grid(direction: Direction, labelled: bool) -> None:
    edges = fan(100)
    sizes: list[Size] = [(170, 52)] * 102
    labels: list[Size | None] = [(30, 15)] * len(edges) if labelled else []
    plan = layout(sizes, edges, labels=labels, direction=direction)
    check(plan, sizes, edges, labels, direction)
    assert 1 / 3 < plan.width / plan.height < 5
    assert plan.ranks == (0, *[1] * 100, 2)


def test_a_crowd_of_chains_becomes_a_grid() -> None:
    edges = [edge for first in range(1, 91, 3) for edge in [(0, first), (first, first + 1), (first + 1, first + 2)]]
    edges += [(last, 91) for last in range(3, 91, 3)]
    sizes: list[Size] = [(170, 52)] * 92
    plan = layout(sizes, edges)
    check(plan, sizes, edges)
    assert plan.height < plan.width
    assert plan.ranks == (0, *[1, 2, 3] * 30, 4)


def test_a_thousand_nodes_from_one_to_one_are_no_hairline() -> None:
    plan = layout([(170, 52)] * 1002, fan(1000))
    assert 1 < plan.width / plan.height < 3


def test_edges_too_long_for_bends_go_round() -> None:
    count = 400
    edges = [(node, node + 1) for node in range(count - 1)]
    edges += [(node, count - 1 - node % 7) for node in range(0, 300, 2)]
    sizes: list[Size] = [(60, 30)] * count
    check(layout(sizes, edges), sizes, edges)


def test_a_dense_graph_is_laid_out_in_time() -> None:
    edges = [(tail, head) for head in range(60) for tail in range(head)]
    sizes: list[Size] = [(60, 30)] * 60
    check(layout(sizes, edges), sizes, edges)


@pytest.mark.parametrize("seed", ["1", "2", "77"])
def test_the_order_of_hashes_changes_nothing(seed: str) -> None:
    script = (
        "from tests.bench.graphs import SHAPES; from flowbook.view.layout import layout\n"
        "print([layout([(170, 52)] * 40, draw(40, 3)) for draw in SHAPES.values()])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("0", seed)
    }
    assert len(outputs) == 1


def test_crossings_count_pairs_of_straight_lines() -> None:
    centres = [(0.0, 0.0), (10.0, 10.0), (0.0, 10.0), (10.0, 0.0), (5.0, -5.0)]
    assert crossings(centres, [(0, 1), (2, 3)]) == 1
    assert crossings(centres, [(0, 1), (0, 3)]) == 0
    assert crossings(centres, [(0, 1), (2, 3), (4, 2)]) == 2


def test_trees_need_no_crossing() -> None:
    for graph in graphs():
        if graph.shape in ("tree", "gathering"):
            sizes: list[Size] = [(170, 52)] * graph.nodes
            assert crossings(centres_of(layout(sizes, graph.edges), sizes), graph.edges) == 0, graph[:2]


def test_an_edge_to_a_node_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Edge \(0, 3\) names a node that is not there: nodes go from 0 to 1"):
        layout([(1, 1), (1, 1)], [(0, 3)])


def test_labels_must_be_as_many_as_edges() -> None:
    with pytest.raises(ValueError, match="There are 1 labels, but 2 edges"):
        layout([(1, 1), (1, 1)], [(0, 1), (0, 1)], labels=[None])
