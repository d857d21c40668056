"""The drawable model: kinds, merged edges, sizes that fit, cycles, large flows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flowbook import Flow, Parameter, task
from flowbook.view.measure import text_width
from flowbook.view.picture import CARD, MANY, SMALL, FlowPicture, node_cards, numbered_tasks, picture


@task
def add(x: Any, y: int = 0) -> Any:
    return x + y


@task(max_retries=3, retry_delay=dt.timedelta(seconds=1))
def fetch_the_flights_of_one_month_from_the_archive() -> int:
    return 1


def kinds_flow() -> Flow:
    with Flow("kinds") as flow:
        month = Parameter("month", default=6)
        one = add(month, y=1)
        two = add(one, y=one)
        gathered = add([one, two])
        add(gathered + 1, upstream_tasks=[one])
    return flow


def links(shown: FlowPicture) -> dict[tuple[str, str], tuple[str, str]]:
    name = [node.card.name for node in shown.nodes]
    return {(name[link.source], name[link.target]): (link.kind, link.label) for link in shown.links}


def test_nodes_know_their_kind() -> None:
    kinds = {card.name: card.kind for card in node_cards(kinds_flow())}
    assert kinds == {"month": "parameter", "add": "task", "List": "collection", "Add": "operator"}


def test_node_numbers_are_places_in_the_order_of_the_tasks() -> None:
    flow = kinds_flow()
    tasks, cycle = numbered_tasks(flow)
    assert tasks == flow.sorted_tasks()
    assert cycle == ()
    assert [card.slug for card in picture(flow).cards] == [flow.slugs[one] for one in tasks]
    assert picture(flow).cards == node_cards(flow)


def test_parallel_edges_become_one_with_both_labels() -> None:
    with Flow("twice") as flow:
        one = add(1)
        two = add(one, y=one)
        two.set_upstream(one, flow=flow)
    assert links(picture(flow)) == {("add", "add"): ("data", "x, y")}
    assert picture(flow).cards[1].upstream == (0,)


def test_state_and_mapped_edges_are_told_apart() -> None:
    with Flow("edges") as flow:
        first, second, third = add(1), add.copy(name="second"), add.copy(name="third")
        flow.add_edge(first, second)
        flow.add_edge(first, third, key="x", mapped=True)
    assert links(picture(flow)) == {("add", "second"): ("state", ""), ("add", "third"): ("mapped", "x")}


def test_a_cycle_is_drawn_red() -> None:
    with Flow("circle") as flow:
        a, b, c = (add.copy(name=name) for name in "abc")
        for up, down in ((a, b), (b, c), (c, b)):
            flow.add_edge(up, down)
    assert links(picture(flow)) == {("a", "b"): ("state", ""), ("b", "c"): ("cycle", ""), ("c", "b"): ("cycle", "")}


def test_names_and_times_fit_side_by_side() -> None:
    with Flow("long") as flow:
        fetch_the_flights_of_one_month_from_the_archive()
    (node,) = picture(flow).nodes
    assert node.label.startswith("fetch_")
    assert "…" in node.label
    assert node.card.name == "fetch_the_flights_of_one_month_from_the_archive"
    used = text_width(node.label, 13, "bold") + text_width("in 59 min 59 s", 11)
    assert used <= node.width - node.shape.left - node.shape.right


def test_retries_leave_room_for_their_words() -> None:
    with Flow("retries") as flow:
        flow.add_task(add.copy(name="a"))
        flow.add_task(fetch_the_flights_of_one_month_from_the_archive.copy(name="b"))
    room = {node.card.name: node.room for node in picture(flow).nodes}
    assert room["b"] >= text_width("Retrying · attempt 2 of 4", 11)
    assert room["a"] >= text_width("TriggerFailed", 11)


def test_boxes_never_overlap_and_lie_inside() -> None:
    shown = picture(kinds_flow())
    boxes = [(node.x, node.y, node.x + node.width, node.y + node.shape.height) for node in shown.nodes]
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1e-6
        assert top >= -1e-6
        assert right <= shown.width + 1e-6
        assert bottom <= shown.height + 1e-6
        for other in boxes[:number]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_what_flowbook_made_is_small() -> None:
    shapes = {node.card.name: node.shape for node in picture(kinds_flow()).nodes}
    assert shapes == {"month": CARD, "add": CARD, "List": SMALL, "Add": SMALL}


def test_a_large_flow_is_drawn_small_and_without_labels() -> None:
    with Flow("large") as flow:
        last = add(0)
        for _ in range(MANY):
            last = add(last)
    shown = picture(flow)
    assert {node.shape for node in shown.nodes} == {SMALL}
    assert {link.label for link in shown.links} == {""}


@pytest.mark.parametrize("count", [1, 3])
def test_a_short_flow_goes_to_the_right(count: int) -> None:
    with Flow("short") as flow:
        last = add(0)
        for _ in range(count):
            last = add(last)
    assert picture(flow).direction == "right"


def test_a_long_chain_goes_down() -> None:
    with Flow("long") as flow:
        last = add(0)
        for _ in range(9):
            last = add(last)
    assert picture(flow).direction == "down"
    assert picture(flow, direction="right").direction == "right"


def test_an_empty_flow_has_a_picture() -> None:
    shown = picture(Flow("empty"))
    assert shown.nodes == ()
    assert shown.links == ()


def test_a_picture_is_the_same_each_time() -> None:
    assert picture(kinds_flow()) == picture(kinds_flow())


def test_who_points_at_an_edge_is_told_the_types_at_its_ends() -> None:
    @task
    def count(text: str) -> int:
        return len(text)

    @task
    def double(number: int) -> int:
        return 2 * number

    with Flow("types") as flow:
        double(count("Marvin"))
    assert "<title>number: int -&gt; int</title>" in flow.to_svg()
