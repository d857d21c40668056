"""The words of a picture, held together with the browser's by shared vectors."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from flowbook.view import measure, words
from flowbook.view.protocol import ChildLook, NodeCard, NodeLook, RunLook

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "protocol" / "texts.json").read_text(encoding="utf-8"),
)


@pytest.mark.parametrize("vector", VECTORS["duration"], ids=lambda vector: str(vector["seconds"]))
def test_duration_reads_as_people_say_it(vector: dict[str, Any]) -> None:
    assert words.duration(vector["seconds"]) == vector["says"]


@pytest.mark.parametrize("vector", VECTORS["countdown"], ids=lambda vector: str(vector["seconds"]))
def test_countdown_never_says_in_zero_seconds(vector: dict[str, Any]) -> None:
    assert words.countdown(vector["seconds"]) == vector["says"]


@pytest.mark.parametrize("vector", VECTORS["nodes"], ids=lambda vector: vector["case"])
def test_node_says(vector: dict[str, Any]) -> None:
    look, card = NodeLook(**vector["look"]), NodeCard(**vector["card"])
    texts = words.node_texts(look, card, vector["now"])
    assert asdict(texts) == vector["says"]
    assert words.node_title(look, card, vector["now"]) == vector["title"]


@pytest.mark.parametrize("vector", VECTORS["children"], ids=lambda vector: vector["case"])
def test_child_says(vector: dict[str, Any]) -> None:
    texts = words.child_texts(ChildLook(**vector["row"]), NodeCard(**vector["card"]), vector["now"])
    assert asdict(texts) == vector["says"]


@pytest.mark.parametrize("vector", VECTORS["shares"], ids=lambda vector: str(vector["counts"]))
def test_each_family_of_children_has_its_share_of_the_bar(vector: dict[str, Any]) -> None:
    counts = vector["counts"]
    shares = words.shares(NodeLook(0, "Mapping", width=sum(counts.values()), counts=counts), vector["room"])
    assert [[family, round(x, 6), round(length, 6)] for family, x, length in shares] == vector["says"]


def test_numbers_that_take_all_the_room_push_the_word_of_the_state_out() -> None:
    card = NodeCard(0, "a-1", "a", "task", (), (), 1, mapped=True)
    counts = {"Success": 7_412, "Failed": 3, "Retrying": 1, "Pending": 2_580}
    texts = words.node_texts(NodeLook(0, "Mapping", width=9_996, counts=counts), card, 0)
    assert texts.line(400) == "Mapping · 7,415 of 9,996 · 3 failed · 1 retrying"
    assert texts.line(250) == "7,415 of 9,996 · 3 failed · 1 retrying"
    assert texts.line(120).endswith("…")


@pytest.mark.parametrize("vector", VECTORS["elide"], ids=lambda vector: vector["text"][:12])
def test_elided_text_keeps_what_fits(vector: dict[str, Any]) -> None:
    says = measure.elide(vector["text"], vector["room"], vector["size"], vector["face"], at=vector["at"])
    assert says == vector["says"]


@pytest.mark.parametrize("vector", VECTORS["clean"], ids=lambda vector: ascii(vector["text"]))
def test_hostile_text_becomes_one_printable_line(vector: dict[str, Any]) -> None:
    assert measure.clean(vector["text"]) == vector["says"]


@pytest.mark.parametrize("vector", VECTORS["counts"], ids=lambda vector: vector["progress"])
def test_counts_and_progress(vector: dict[str, Any]) -> None:
    looks = [NodeLook(node, state) for node, state in enumerate(vector["states"])]
    assert words.counts_text(looks) == vector["says"]
    assert words.progress(looks) == vector["progress"]


@pytest.mark.parametrize("vector", VECTORS["mapped"], ids=lambda vector: vector["progress"])
def test_a_mapped_task_counts_as_its_children(vector: dict[str, Any]) -> None:
    looks = [NodeLook(**look) for look in vector["looks"]]
    assert words.counts_text(looks) == vector["says"]
    assert words.progress(looks) == vector["progress"]


@pytest.mark.parametrize("vector", VECTORS["runs"], ids=lambda vector: " ".join(vector["says"]))
def test_header_says(vector: dict[str, Any]) -> None:
    looks = [NodeLook(**look) for look in vector["looks"]]
    assert list(words.run_texts(RunLook(**vector["run"]), looks, vector["now"])) == vector["says"]


def test_a_wait_is_over_by_its_share() -> None:
    card = NodeCard(0, "a-1", "a", "task", (), (), 3)
    look = NodeLook(0, "Retrying", attempt=2, ended=10, due=20)
    assert [words.node_texts(look, card, now).bar for now in (5, 10, 15, 20, 99)] == [0, 0, 0.5, 1, 1]
