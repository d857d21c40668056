"""A flow drawn in characters."""

from __future__ import annotations

import random

from flowbook.view.protocol import NodeCard, NodeLook, RunLook
from flowbook.view.text import draw_text


def cards(**upstream: str) -> list[NodeCard]:
    """Cards by name, each with the names of what it waits for: ``cards(a="", b="a", c="a b")``."""
    names = list(upstream)
    ups = {name: [names.index(up) for up in text.split()] for name, text in upstream.items()}
    return [
        NodeCard(
            number,
            f"{name}-1",
            name,
            "task",
            ups[name],
            [names.index(other) for other in names if number in ups[other]],
            1,
        )
        for number, name in enumerate(names)
    ]


def rails(**upstream: str) -> list[str]:
    return draw_text("x", cards(**upstream)).split("\n")[1:]


def test_a_chain_is_one_straight_line() -> None:
    assert rails(a="", b="a", c="b") == ["○  a", "○  b", "○  c"]


def test_a_diamond_parts_and_meets() -> None:
    assert rails(a="", b="a", c="a", d="b c") == ["○    a", "├─○  b", "○ │  c", "○─╯  d"]


def test_signs_below_each_other_are_connected_and_others_are_not() -> None:
    assert rails(a="", b="", c="") == ["○    a", "  ○  b", "○    c"]


def test_a_rail_that_only_passes_is_not_joined() -> None:
    drawn = rails(a="", b="a", c="a", d="a b", e="c")
    assert drawn[0] == "○    a"
    assert all("┼" not in line for line in drawn)


def test_words_stand_in_columns() -> None:
    looks = [NodeLook(0, "Success", attempt=1, started=0, ended=1.2), NodeLook(1, "Failed", "no rows", 1, 2, 2.5)]
    run = RunLook("Failed", "", 0, 3, sentence="b failed: no rows.")
    assert draw_text("etl", cards(a="", b="a"), looks, run).split("\n") == [
        "etl · Failed · 2 of 2 · 3.0 s",
        "✓  a  Success  1.2 s",
        "✗  b  Failed · no rows  0.5 s",
        "b failed: no rows.",
    ]


def test_ascii_draws_with_ascii() -> None:
    text = draw_text("x", cards(a="", b="a", c="a", d="b c"), [NodeLook(0, "Success", "well")], ascii_only=True)
    assert text.isascii()
    assert text.split("\n")[1:] == ["*    a  Success - well", "+-o  b", "o |  c", "o-'  d"]


def test_a_circle_is_named() -> None:
    lines = rails(a="c", b="a", c="b")
    assert lines[0].endswith("waits in a circle for c")
    assert sum("circle" in line for line in lines) == 1


def test_a_very_large_flow_is_listed() -> None:
    many = [NodeCard(number, f"t-{number}", f"t{number}", "task", (), (), 1) for number in range(5_000)]
    lines = draw_text("big", many).split("\n")
    assert len(lines) == 1 + 1000 + 1
    assert lines[-1] == "... and 4,000 more"


def test_every_edge_can_be_followed_along_the_rails() -> None:
    """Read the drawing back: from each sign, walk the rails up to the signs they come from."""
    chance = random.Random(7)
    for size in (5, 12, 30, 50):
        upstream = {f"t{n}": " ".join(f"t{up}" for up in _some(chance, n)) for n in range(size)}
        flow = cards(**upstream)
        wanted = {(flow[up].name, card.name) for card in flow for up in card.upstream}
        assert _edges_of(rails(**upstream)) == wanted


def _some(chance: random.Random, below: int) -> list[int]:
    return chance.sample(range(max(0, below - 9), below), min(below, chance.choice([0, 1, 1, 2, 3])))


def _edges_of(lines: list[str]) -> set[tuple[str, str]]:
    """Which task each column carries is known from the rows above; a row's own rails say what it takes."""
    found: set[tuple[str, str]] = set()
    carried: dict[int, str] = {}
    for index, line in enumerate(lines):
        name = line.split()[-1]
        place = line.index("○")
        above = lines[index - 1] if index else ""
        joined = [at for at, sign in enumerate(line) if sign in "├┤┼╰╯┴"]
        if place < len(above) and above[place] in "○│├┤┼":
            joined.append(place)
        found |= {(carried[at], name) for at in joined}
        carried[place] = name
    return found
