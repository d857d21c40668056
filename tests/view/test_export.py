"""A flow for Graphviz, NetworkX and Mermaid."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
from pathlib import Path

import graphviz
import networkx as nx
import pytest

from flowbook import Flow, Parameter, task
from flowbook.states import Failed, Mapped, Success
from flowbook.view.export import MOST_CHILDREN, digraph, mermaid, networkx_graph, render_or_explain, visualize
from flowbook.view.protocol import NodeLook


@task
def numbers(upto: int) -> list[int]:
    return list(range(upto))


@task(max_retries=2, retry_delay=dt.timedelta(seconds=1))
def double(x: int) -> int:
    return 2 * x


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def notify() -> None:
    pass


def mapped_flow() -> Flow:
    with Flow("doubles") as flow:
        xs = numbers(Parameter("upto"))
        doubles = double.copy()
        flow.add_edge(xs, doubles, key="x", mapped=True)
        sums = total(doubles)
        notify(upstream_tasks=[sums])
    return flow


def final_state(flow: Flow, children: int) -> Success:
    states = {one: Success() for one in flow.tasks}
    mapped = flow.get_tasks(name="double")[0]
    states[mapped] = Mapped(map_states=[Failed() if index == 1 else Success() for index in range(children)])
    return Success(result=states)


def test_mapped_tasks_are_boxes_and_others_ellipses() -> None:
    body = "".join(digraph(mapped_flow()).body)
    assert 'label="double <map>" shape=box' in body
    assert body.count("shape=ellipse") == 4
    assert "[label=x style=dashed]" in body
    assert "[label=xs]" in body
    assert body.count("->") == 4


def test_building_a_digraph_needs_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert digraph(mapped_flow()).source.startswith("digraph {")


def test_horizontal_goes_from_left_to_right() -> None:
    assert "rankdir=LR" in digraph(mapped_flow(), horizontal=True).source
    assert "rankdir" not in digraph(mapped_flow()).source


def test_states_fill_their_nodes_with_half_their_colour() -> None:
    flow = mapped_flow()
    body = "".join(digraph(flow, final_state(flow, 3)).body)
    assert body.count(f'color="{Success.color}80"') == 4 + 2
    assert body.count(f'color="{Failed.color}80"') == 1
    assert body.count('label="double <map>"') == 3
    assert body.count("style=dashed") == 3
    assert body.count("[label=xs]") == 3


def test_a_task_with_endless_children_stays_readable() -> None:
    flow = mapped_flow()
    body = "".join(digraph(flow, final_state(flow, 5_000)).body)
    assert body.count("double <map>") == MOST_CHILDREN + 1
    assert "4,900 more" in body


def test_digraph_is_the_same_each_time() -> None:
    assert digraph(mapped_flow()).source == digraph(mapped_flow()).source


def test_missing_dot_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(graphviz.ExecutableNotFound, match=r"'dot' was not found.*flow\.to_svg\(\)"):
        visualize(mapped_flow(), filename=str(tmp_path / "flow.svg"))


def test_missing_package_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match="pip install graphviz"):
        digraph(mapped_flow())


@pytest.mark.parametrize(
    ("filename", "chosen", "written"),
    [("flow.svg", None, "flow.svg"), ("flow", "svg", "flow.svg"), ("flow.v2", "svg", "flow.v2.svg")],
)
def test_rendering_writes_one_file(tmp_path: Path, filename: str, chosen: str | None, written: str) -> None:
    import shutil

    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed.")
    path = render_or_explain(digraph(mapped_flow()), str(tmp_path / filename), chosen)
    assert Path(path) == tmp_path / written
    assert [found.name for found in tmp_path.iterdir()] == [written]
    assert "<svg" in Path(path).read_text(encoding="utf-8")


def test_networkx_graph_has_plain_attributes_that_every_format_can_write() -> None:
    graph = networkx_graph(mapped_flow())
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.nodes["double-1"]["max_retries"] == 2
    assert graph.nodes["double-1"]["mapped"] is True
    assert graph.nodes["upto"]["kind"] == "parameter"
    assert graph.nodes["total-1"]["trigger"] == "all_successful"
    assert sorted(graph.edges(data="argument")) == [
        ("double-1", "total-1", "xs"),
        ("numbers-1", "double-1", "x"),
        ("total-1", "notify-1", ""),
        ("upto", "numbers-1", "upto"),
    ]
    nx.write_graphml(graph, io.BytesIO())


def test_mermaid_shows_kinds_of_nodes_and_edges() -> None:
    assert mermaid(mapped_flow()).split("\n") == [
        "flowchart LR",
        '  n0(["upto"])',
        '  n1["numbers"]',
        '  n2["double"]',
        '  n3["total"]',
        '  n4["notify"]',
        '  n0 -->|"upto"| n1',
        '  n1 ==>|"x"| n2',
        '  n2 -->|"xs"| n3',
        "  n3 -.-> n4",
    ]


def test_mermaid_colours_by_family() -> None:
    text = mermaid(mapped_flow(), [NodeLook(2, "Failed")])
    assert 'n2["✗ double"]:::bad' in text
    assert "classDef bad fill:#f9eced,stroke:#b5141c,color:#a3121a" in text


def test_a_cycle_can_be_exported() -> None:
    with Flow("circle") as flow:
        first, second = notify(), notify()
    flow.add_edge(first, second)
    flow.add_edge(second, first)
    assert "".join(digraph(flow).body).count("->") == 2
    assert networkx_graph(flow).number_of_edges() == 2
    assert mermaid(flow).count("-.->") == 2


def test_visualize_shows_nothing_by_itself_in_ipython() -> None:
    code = (
        "import IPython; shell = IPython.core.interactiveshell.InteractiveShell.instance();"
        "from tests.view.test_export import mapped_flow, visualize; import os; os.environ['PATH'] = '';"
        "print(type(visualize(mapped_flow())).__name__)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "Digraph"
