"""What sort of node a task is, and the ground that the tasks of a resource stand on."""

from __future__ import annotations

from typing import Any

import pytest

from flowbook import Flow, Parameter, Task, case, resource_manager, task
from flowbook.tasks.control_flow import ifelse, merge, switch
from flowbook.tasks.control_flow.conditional import CompareValue
from flowbook.view.kinds import bands, kind_of, name_of
from flowbook.view.picture import FlowPicture, picture
from flowbook.view.places import place_of
from tests.view import examples
from tests.view.examples import Database, named


class Drawer:
    """A resource that needs no setup."""

    def cleanup(self, desk: object) -> None: ...


Desk: Any = resource_manager(name="Desk")(Drawer)


def kinds_in(flow: Flow) -> dict[str, str]:
    return {card.name: card.kind for card in picture(flow).cards}


def test_conditions_and_merges_of_every_sort_are_known() -> None:
    @task
    def which() -> str:
        return "a"

    with Flow("branches") as flow:
        chosen = which()
        switch(chosen, {"a": (first := named("first")()), 2: (second := named("second")())})
        with case(chosen, None):
            third = named("third")()
        ifelse(chosen, fourth := named("fourth")(), None)
        merge(first, second, third, fourth)
    kinds = kinds_in(flow)
    assert {name for name, kind in kinds.items() if kind == "condition"} == {"= 'a'", "= 2", "= None", "= True"}
    assert kinds["Merge"] == "merge"
    assert kinds["as_bool"] == "operator"
    assert kinds["which"] == kinds["first"] == "task"


def test_a_class_of_a_user_is_known_by_what_it_is_made_of_and_not_by_its_name() -> None:
    class Merge(Task):
        def run(self) -> None: ...

    class Mine(CompareValue):
        pass

    assert kind_of(Merge()) == "task"
    assert kind_of(Mine(3)) == "condition"
    assert name_of(Mine(3)) == "= 3"


def test_a_value_that_is_hostile_is_named_all_the_same() -> None:
    class Liar:
        def __repr__(self) -> str:
            raise AssertionError("asked")

    with Flow("hostile") as flow, case(named("which")(), Liar()):
        named("taken")()
    assert any(name.startswith("= ") for name in kinds_in(flow))


def test_a_resource_without_setup_begins_where_it_is_made() -> None:
    with Flow("desk") as flow:
        with Desk() as desk:
            named("write")(desk)
        named("read")()
    (place,) = picture(flow).places
    drawn = picture(flow)
    assert (place.name, drawn.cards[place.setup].name) == ("Desk", "Desk")


def test_an_outer_resource_is_drawn_before_the_one_inside_it() -> None:
    with Flow("nested") as flow, Database("a") as outer:
        rows = named("query")(outer)
        with Database("b") as inner:
            named("store")(inner, rows=rows)
    first, second = (place.setup for place in picture(flow).places)
    assert first < second


def test_what_is_only_made_from_a_result_of_a_resource_does_not_belong_to_it() -> None:
    drawn = examples.resource()[0]
    tasks = tuple(examples.resource_flow().sorted_tasks())
    (band,) = bands(tasks, [(link.source, link.target) for link in drawn.links])
    assert {drawn.cards[number].name for number in band.members} == {
        "Database.setup",
        "query",
        "store",
        "Database.cleanup",
    }


def again(drawn: FlowPicture, ranks: list[int]) -> tuple[int, int, int]:
    """Work the ground out anew with other ranks; return how many boxes, forms between and routes it has."""
    tasks = tuple(examples.resource_flow().sorted_tasks())
    (band,) = bands(tasks, [(link.source, link.target) for link in drawn.links])
    place = place_of(band, drawn.nodes, drawn.links, ranks, drawn.direction)
    return len(place.boxes), len(place.forms), len(place.routes)


def test_the_ground_goes_along_the_edges_where_a_rank_has_no_task_of_the_resource() -> None:
    drawn = examples.resource()[0]
    names = [card.name for card in drawn.cards]
    ranks = {"file": 0, "Database": 1, "Database.setup": 2, "query": 3, "store": 4, "publish": 4, "Database.cleanup": 5}
    assert again(drawn, [ranks[name] for name in names]) == (4, 3, 0)
    gap = {**ranks, "Database.cleanup": 9}
    assert again(drawn, [gap[name] for name in names]) == (4, 0, 5)


def test_the_ground_goes_along_the_edges_where_a_stranger_stands_among_the_tasks() -> None:
    drawn = examples.resource()[0]
    names = [card.name for card in drawn.cards]
    ranks = {"file": 0, "Database": 2, "Database.setup": 2, "query": 3, "store": 4, "publish": 3, "Database.cleanup": 5}
    moved = [drawn.nodes[names.index("query")] if name == "publish" else drawn.nodes[n] for n, name in enumerate(names)]
    twisted = FlowPicture(drawn.name, tuple(moved), drawn.links, drawn.width, drawn.height, drawn.direction)
    assert again(twisted, [ranks[name] for name in names]) == (4, 0, 5)


def test_a_flow_without_resources_has_no_ground() -> None:
    with Flow("plain") as flow:
        named("one")(Parameter("x", default=1))
    assert picture(flow).places == ()


@pytest.mark.parametrize("direction", ["right", "down"])
def test_every_task_of_a_resource_is_on_its_ground_in_both_directions(direction: str) -> None:
    drawn = picture(examples.resource_flow(), direction="right" if direction == "right" else "down")
    (place,) = drawn.places
    for node in drawn.nodes:
        x, y = node.x + node.width / 2, node.y + node.shape.height / 2
        on_it = any(left < x < left + width and top < y < top + height for left, top, width, height in place.boxes)
        assert on_it == (node.card.name in {"Database.setup", "query", "store", "Database.cleanup"}), node.card.name
