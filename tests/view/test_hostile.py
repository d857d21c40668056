"""Whatever a name holds, it stays a name: in SVG, HTML, text, Graphviz and Mermaid."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from flowbook import Flow, task
from flowbook.view import svg
from flowbook.view.export import digraph, mermaid, networkx_graph
from flowbook.view.html import draw_html
from flowbook.view.picture import FlowPicture, picture
from flowbook.view.protocol import NodeLook, RunLook
from flowbook.view.text import draw_text
from tests.view.hostile import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {SVG + name for name in ("svg", "style", "g", "rect", "path", "circle", "text", "tspan", "title")}
SHAPE = {"class", "viewBox", "width", "height", "x", "y", "rx", "cx", "cy", "r", "d", "transform", "pathLength"}
DATA = {f"data-{name}" for name in ("edge", "node", "from", "to", "kind", "state", "family", "theme", "active", "bar")}
ATTRIBUTES = {*SHAPE, *DATA, "role", "aria-label", "stroke-width"}
EVERY = pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])


def flow_named(name: str) -> Flow:
    with Flow(name) as flow:
        first = task(lambda: 1, name=name)()
        task(lambda key: key, name=f"b{name}")(first)
    return flow


def drawn(name: str) -> tuple[FlowPicture, list[NodeLook], RunLook]:
    looks = [NodeLook(0, "Failed", name, 1, 0, 1), NodeLook(1, name, name, result=name)]
    return picture(flow_named(name)), looks, RunLook("Failed", name, 0, 2, sentence=name)


def test_the_corpus_is_large() -> None:
    assert len(set(HOSTILE)) >= 60


@EVERY
@pytest.mark.parametrize("theme", ["auto", "host"])
def test_svg_keeps_its_structure(name: str, theme: str) -> None:
    text = svg.draw(*drawn(name), theme=theme)  # type: ignore[arg-type]
    root = ET.fromstring(text)
    assert {element.tag for element in root.iter()} <= ELEMENTS
    assert {attribute for element in root.iter() for attribute in element.attrib} <= ATTRIBUTES
    assert len(root.findall(f".//{SVG}g[@class='fb-node']")) == 2
    assert len(root.findall(f".//{SVG}g[@class='fb-edge']")) == 1
    assert (root.find(f"{SVG}style") is None) == (theme == "host")


@EVERY
def test_svg_texts_fit_their_cards(name: str) -> None:
    from flowbook.view.measure import text_width

    shown = picture(flow_named(name))
    for node in shown.nodes:
        assert text_width(node.label, node.shape.name_size, "bold") <= node.room


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            self.attributes.setdefault(key, []).append(value or "")


@EVERY
def test_html_keeps_its_structure(name: str) -> None:
    text = draw_html(*drawn(name))
    parser = _Tags()
    parser.feed(text)
    wanted = ["div", "img", "details", "summary", "table", "thead", "tr", "th", "th", "th", "tbody"]
    assert parser.tags == wanted + ["tr", "td", "td", "td"] * 2
    assert set(parser.attributes) == {"style", "alt", "src"}
    (source,) = parser.attributes["src"]
    kind, _, data = source.partition(",")
    assert kind == "data:image/svg+xml;base64"
    ET.fromstring(base64.b64decode(data))
    assert "\n" not in parser.attributes["alt"][0]


@EVERY
def test_text_stays_one_line_a_task(name: str) -> None:
    shown, looks, run = drawn(name)
    lines = draw_text(name, shown.cards, looks, run).split("\n")
    assert len(lines) in {3, 4}
    assert not any(re.search(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", line) for line in lines)


@EVERY
def test_dot_source_has_two_nodes_and_an_edge(name: str) -> None:
    graph = digraph(flow_named(name))
    body = "".join(graph.body)
    # Take the quoted texts out: what is left is all that Graphviz reads as syntax.
    bare = re.sub(r'"(?:\\.|[^"\\])*"', "Q", body)
    label = r"(?:Q|\w+|-?\.?\d[\d.]*|[^\W\d]\w*)"
    assert re.fullmatch(
        rf"\tn0 \[label={label} shape=ellipse\]\n\tn1 \[label={label} shape=ellipse\]\n\tn0 -> n1 \[label=key\]\n",
        bare,
    ), bare
    assert "label=<" not in body


def test_dot_reads_all_names_as_names() -> None:
    """Ask Graphviz itself, when it is there: as many nodes and edges as there are."""
    import shutil
    import subprocess

    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed.")
    for name in HOSTILE:
        source = digraph(flow_named(name)).source
        told = subprocess.run(["dot", "-Tplain"], input=source.encode(), capture_output=True, check=True, timeout=30)
        kinds = [line.split(b" ")[0] for line in told.stdout.split(b"\n") if line]
        assert kinds.count(b"node") == 2, name
        assert kinds.count(b"edge") == 1, name
        assert b"rror" not in told.stderr


@EVERY
def test_mermaid_keeps_its_structure(name: str) -> None:
    text = mermaid(flow_named(name), [NodeLook(0, "Failed", name), NodeLook(1, name)])
    lines = text.split("\n")
    quoted = r'"[\w .,#;·✗⚑\u0080-\U0010ffff]*"'
    assert lines[0] == "flowchart LR"
    assert re.fullmatch(rf"  n0\[{quoted}\]:::bad", lines[1])
    assert re.fullmatch(rf"  n1\[{quoted}\]:::\w+", lines[2])
    assert lines[3] == '  n0 -->|"key"| n1'
    assert all(line.startswith("  classDef ") for line in lines[4:])


@EVERY
def test_networkx_has_two_nodes_and_an_edge(name: str) -> None:
    graph = networkx_graph(flow_named(name))
    assert graph.number_of_nodes() == 2
    assert graph.number_of_edges() == 1
