"""The one renderer: what must be in a drawing, and golden drawings of small flows."""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from flowbook import Flow, Parameter, task, triggers
from flowbook.view import svg
from flowbook.view.html import draw_html
from flowbook.view.palette import FAMILY
from flowbook.view.picture import FlowPicture, picture
from flowbook.view.protocol import NodeLook, RunLook
from flowbook.view.text import draw_text
from tests.view import examples

NS = {"s": "http://www.w3.org/2000/svg"}
SECOND = dt.timedelta(seconds=1)

Shown = tuple[FlowPicture, list[NodeLook], RunLook | None]


@task
def extract() -> list[int]:
    return [1, 2]


@task
def transform(rows: list[int], factor: int = 1) -> list[int]:
    return [row * factor for row in rows]


@task
def double(row: int) -> int:
    return 2 * row


@task
def load(rows: list[int]) -> None:
    pass


@task(max_retries=3, retry_delay=SECOND)
def publish(rows: list[int]) -> None:
    pass


@task(trigger=triggers.all_finished)
def clean_up() -> None:
    pass


def etl() -> Flow:
    with Flow("etl") as flow:
        rows = transform(extract(), factor=Parameter("factor", default=2))
        load(rows)
        done = publish(rows)
        clean_up(upstream_tasks=[done])
    return flow


def not_run() -> Shown:
    return picture(etl()), [], None


def running() -> Shown:
    shown = picture(etl())
    looks = _looks(
        shown,
        extract=NodeLook(0, "Success", "Task run succeeded.", 1, 0.0, 1.2, None, "2 items"),
        factor=NodeLook(0, "Success", "", 1, 0.0, 0.0, None, "2"),
        transform=NodeLook(0, "Running", "Starting task run.", 1, 1.2),
    )
    return shown, looks, RunLook("Running", "", 0.0)


def retrying() -> Shown:
    shown = picture(etl())
    looks = _looks(
        shown,
        extract=NodeLook(0, "Cached", "from 10:42"),
        factor=NodeLook(0, "Success", "", 1, 0.0, 0.0, None, "2"),
        transform=NodeLook(0, "Success", "", 1, 0.1, 0.4, None, "2 items"),
        load=NodeLook(0, "Skipped", "nothing new"),
        publish=NodeLook(0, "Retrying", "", 2, 0.4, 1.4, 4.4),
    )
    return shown, looks, RunLook("Running", "", 0.0)


def failed() -> Shown:
    shown = picture(etl())
    why = 'Trigger was "all_successful" but some of the upstream tasks failed.'
    looks = _looks(
        shown,
        extract=NodeLook(0, "Failed", "Unexpected error: ConnectionError: no route to host", 1, 0.0, 2.5),
        factor=NodeLook(0, "Success", "", 1, 0.0, 0.0, None, "2"),
        transform=NodeLook(0, "TriggerFailed", why),
        load=NodeLook(0, "TriggerFailed", why),
        publish=NodeLook(0, "TriggerFailed", why),
        clean_up=NodeLook(0, "Success", "", 1, 2.5, 2.6),
    )
    sentence = (
        "transform did not run: its trigger all_successful saw extract Failed (ConnectionError: no route to host)."
    )
    return shown, looks, RunLook("Failed", "Some reference tasks failed.", 0.0, 2.6, sentence=sentence)


def cycle() -> Shown:
    with Flow("circle") as flow:
        a, b, c = (load.copy(name=name) for name in ("hen", "egg", "omelette"))
        flow.add_edge(a, b)
        flow.add_edge(b, a)
        flow.add_edge(b, c)
    return picture(flow), [], None


def mapped() -> Shown:
    with Flow("mapped") as flow:
        rows = extract()
        each = double.copy()
        flow.add_edge(rows, each, key="row", mapped=True)
        load(each)
    return picture(flow), [], None


def every_state() -> Shown:
    with Flow("every state") as flow:
        for state in FAMILY:
            flow.add_task(load.copy(name=state.lower()))
    shown = picture(flow)
    looks = [NodeLook(card.node, state, attempt=1) for card, state in zip(shown.cards, FAMILY, strict=True)]
    return shown, looks, RunLook("Running", "", 0.0, 1.0)


def _looks(shown: FlowPicture, **looks: NodeLook) -> list[NodeLook]:
    """Number looks that are given by name; the others are Pending."""
    found = []
    for card in shown.cards:
        look = looks.get(card.name, NodeLook(0, "Pending", "Waits for its turn."))
        found.append(
            NodeLook(
                card.node, look.state, look.message, look.attempt, look.started, look.ended, look.due, look.result
            ),
        )
    return found


EXAMPLES: dict[str, Callable[[], Shown]] = {
    "not-run": not_run,
    "running": running,
    "retrying": retrying,
    "failed": failed,
    "cycle": cycle,
    "mapped": mapped,
    "mapped-half-way": examples.half_way,
    "mapped-over": examples.all_over,
    "mapped-huge": examples.huge,
    "mapped-small-cards": examples.many,
    "flattened": examples.flattened,
    "branches": examples.branches,
    "resource": examples.resource,
    "every-state": every_state,
}
EVERY = pytest.mark.parametrize("name", EXAMPLES)


@EVERY
def test_golden_drawing(name: str, golden: Callable[[str, str], None]) -> None:
    shown, looks, run = EXAMPLES[name]()
    golden(f"{name}.svg", svg.draw(shown, looks, run, theme="auto", now=3.0))


@EVERY
def test_golden_text(name: str, golden: Callable[[str, str], None]) -> None:
    shown, looks, run = EXAMPLES[name]()
    golden(f"{name}.txt", draw_text(shown.name, shown.cards, looks, run, now=3.0) + "\n")


def parsed(shown: Shown, **options: object) -> ET.Element:
    return ET.fromstring(svg.draw(*shown, now=3.0, **options))  # type: ignore[arg-type]


def node(root: ET.Element, name: str) -> ET.Element:
    for group in root.iterfind(".//s:g[@data-node]", NS):
        label = group.find("s:text[@class='fb-name']", NS)
        if label is not None and label.text == name:
            return group
    raise AssertionError(name)


def words_of(group: ET.Element, name: str) -> str | None:
    found = group.find(f"s:text[@class='fb-{name}']", NS)
    return None if found is None else found.text


def test_a_node_says_its_state_in_colour_glyph_and_word() -> None:
    group = node(parsed(failed()), "extract")
    assert group.get("data-state") == "Failed"
    assert group.get("data-family") == "bad"
    assert words_of(group, "glyph") == "✗"
    assert (words_of(group, "state") or "").startswith("Failed · Connection")
    assert words_of(group, "time") == "2.5 s"
    title = group.find("s:title", NS)
    assert title is not None
    assert title.text == "extract: Failed · ConnectionError: no route to host, 2.5 s"


def test_a_wait_has_a_countdown_and_a_bar() -> None:
    group = node(parsed(retrying()), "publish")
    assert words_of(group, "time") == "in 2 s"
    bar, track = (group.find(f"s:rect[@class='fb-{part}']", NS) for part in ("bar", "track"))
    assert bar is not None
    assert track is not None
    share = float(bar.get("width", "")) / float(track.get("width", ""))
    assert share == pytest.approx((3.0 - 1.4) / 3, abs=0.01)


def shares_of(group: ET.Element) -> dict[str, float]:
    parts = group.findall("s:rect[@class='fb-share']", NS)
    return {part.get("data-family", ""): float(part.get("width", "")) for part in parts}


def test_a_mapped_task_is_one_node_with_the_counts_of_its_children() -> None:
    group = node(parsed(examples.half_way()), "read")
    assert group.get("data-state") == "Mapping"
    assert group.get("data-family") == "active"
    assert words_of(group, "glyph") == "▦"
    assert words_of(group, "state") == "Mapping · 10 of 12 · 1 failed"
    shares = shares_of(group)
    assert list(shares) == ["good", "bad", "active"]
    assert shares["good"] == pytest.approx(9 * shares["bad"], rel=0.02)


def test_a_mapped_task_that_has_ended_never_hides_what_failed() -> None:
    group = node(parsed(examples.all_over()), "read")
    assert (group.get("data-state"), group.get("data-family")) == ("Mapped", "good")
    assert words_of(group, "glyph") == "▤"
    assert words_of(group, "state") == "Mapped · 1 of 12 failed"
    assert group.get("data-marred") is not None
    assert shares_of(group)["bad"] > 0
    told = draw_html(*examples.all_over())
    assert "read: Mapped · 1 of 12 failed" in told
    subject = parsed(examples.all_over()).find(".//s:tspan[@class='fb-subject']", NS)
    assert subject is not None
    assert (subject.text, subject.get("data-family")) == ("read", "bad")


def test_three_children_of_ten_thousand_can_be_seen() -> None:
    shares = shares_of(node(parsed(examples.huge()), "clean_one…ny_files"))
    assert min(shares.values()) >= 3
    assert len(list(parsed(examples.huge()).iterfind(".//s:g[@data-node]", NS))) == 3


def test_only_a_mapped_task_with_a_running_child_moves() -> None:
    root = parsed(examples.half_way())
    assert node(root, "clean").get("data-busy") is not None
    assert node(root, "score").get("data-busy") is None
    assert node(root, "score").find("s:rect[@class='fb-halo']", NS) is None


def test_a_picture_that_lives_on_has_a_part_of_the_bar_for_each_family() -> None:
    group = node(parsed((*examples.half_way()[:1], [], None), theme="host"), "read")
    assert shares_of(group) == {"good": 0, "bad": 0, "active": 0, "warn": 0, "waiting": 0}


def test_edges_tell_what_becomes_of_what_flows() -> None:
    links = {
        (shown.cards[link.source].name, shown.cards[link.target].name): (link.kind, link.label)
        for shown in (examples.flattened()[0], examples.branches()[0], examples.chain_picture())
        for link in shown.links
    }
    assert links["list_pages", "links_of"] == ("mapped", "x")
    assert links["links_of", "fetch"] == ("mapped", "flatten(x)")
    assert links["links_of", "count"] == ("gathered", "flatten(rows)")
    assert links["fetch", "index"] == ("gathered", "rows")
    assert links["measure", "= 'small'"] == ("data", "")
    assert links["= 'small'", "fit_small"] == ("branch", "")
    assert links["find_stations", "score"] == ("data", "y")


def test_a_condition_shows_the_value_that_it_is_for() -> None:
    group = node(parsed(examples.branches()), "= 'large'")
    assert group.get("data-kind") == "condition"
    card = group.find("s:path[@class='fb-card']", NS)
    assert card is not None
    assert card.get("d", "").count("L") == 5  # six corners


def test_the_tasks_of_a_resource_stand_on_one_ground_with_its_name() -> None:
    (place,) = examples.resource()[0].places
    cards = {card.name: card.node for card in examples.resource()[0].cards}
    nodes = examples.resource()[0].nodes

    def stands_on_it(name: str) -> bool:
        card = nodes[cards[name]]
        x, y = card.x + card.width / 2, card.y + card.shape.height / 2
        return any(left < x < left + width and top < y < top + height for left, top, width, height in place.boxes)

    assert place.name == "Database"
    assert all(map(stands_on_it, ("Database.setup", "query", "store", "Database.cleanup")))
    assert not any(map(stands_on_it, ("file", "Database", "publish")))
    name = parsed(examples.resource()).find(".//s:text[@class='fb-ground-name']", NS)
    assert name is not None
    assert name.text == "Database"


def test_edges_into_running_tasks_are_active() -> None:
    root = parsed(running())
    number = node(root, "transform").get("data-node")
    active = [edge for edge in root.iterfind(".//s:g[@data-edge]", NS) if edge.get("data-active") is not None]
    assert {edge.get("data-to") for edge in active} == {number}
    assert len(active) == 2


def test_header_and_sentence_can_be_left_to_the_page() -> None:
    assert parsed(failed()).find("s:g[@class='fb-header']", NS) is not None
    bare = parsed(failed(), header=False)
    assert bare.find("s:g[@class='fb-header']", NS) is None
    assert bare.find("s:text[@class='fb-sentence']", NS) is None


def test_header_tells_state_progress_time_and_counts() -> None:
    (header,) = parsed(failed()).findall("s:g[@class='fb-header']", NS)
    title = header.find("s:text", NS)
    assert title is not None
    assert "".join(title.itertext()).replace("\u00a0", " ") == "etl · Failed · 3 of 6 · 2.6 s"
    tallies = [tally.text for tally in header.iterfind(".//s:text[@class='fb-tally']", NS)]
    assert tallies == ["✓ 2", "✗ 4"]


def test_the_sentence_sets_its_task_off() -> None:
    subject = parsed(failed()).find(".//s:tspan[@class='fb-subject']", NS)
    assert subject is not None
    assert subject.text == "transform"
    assert subject.get("data-family") == "bad"


def test_a_drawing_for_a_host_has_all_parts_and_no_style() -> None:
    group = node(parsed(not_run(), theme="host"), "publish")
    parts = {child.get("class") for child in group}
    assert {f"fb-{part}" for part in ("halo", "card", "inner", "stripe", "hatch", "badge", "track", "bar")} <= parts
    assert {f"fb-{part}" for part in ("glyph", "name", "state", "time")} <= parts


@pytest.mark.parametrize(("theme", "forced"), [("auto", None), ("light", "light"), ("dark", "dark"), ("host", None)])
def test_a_theme_is_forced_on_the_root(theme: str, forced: str | None) -> None:
    assert parsed(not_run(), theme=theme).get("data-theme") == forced


def test_those_who_do_not_see_it_are_told() -> None:
    assert parsed(failed()).get("aria-label") == "Flow etl: Failed, 3 of 6, 2.6 s, 2 done, 1 failed, 3 not run"
    html = draw_html(*failed())
    assert "extract: Failed · ConnectionError: no route to host, 2.5 s." in html
    assert "States as a table: Failed, 3 of 6, 2.6 s" in html


def test_an_empty_flow_can_be_drawn() -> None:
    root = parsed((picture(Flow("empty")), [], None))
    assert root.find(".//s:g[@data-node]", NS) is None


def test_a_saved_picture_of_a_large_flow_stays_small() -> None:
    with Flow("large") as flow:
        for number in range(1000):
            flow.add_task(load.copy(name=f"part_{number}"))
    assert len(svg.draw(picture(flow))) < 900_000
