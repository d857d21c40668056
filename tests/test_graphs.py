"""Graphs by themselves: order, circles, ways from one task to another."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from flowbook import Edge, Flow, Task
from flowbook.errors import CycleError
from flowbook.graphs import Node, ancestry, circle, path_between, topological_order


def graph(text: str) -> tuple[Flow, dict[str, Task]]:
    """Make a flow of words like ``ab bc``: each word is an edge."""
    letters = sorted(set(text) - {" "})
    tasks = {letter: Task(letter) for letter in letters}
    return Flow(
        "graph", tasks=tasks.values(), edges=[Edge(tasks[word[0]], tasks[word[1]]) for word in text.split()]
    ), tasks


def names(tasks: object) -> str:
    return "".join(task.name for task in tasks)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("ab bc", "abc"),
        ("cb ba", "cba"),
        ("ad bd dc", "abdc"),
        ("ab ac bd cd", "abcd"),
        ("ba", "ba"),
        ("", ""),
    ],
)
def test_tasks_come_after_what_is_upstream_and_otherwise_as_they_were_added(text: str, order: str) -> None:
    flow, _ = graph(text)
    assert names(topological_order(flow.nodes)) == order


@pytest.mark.parametrize(
    ("text", "around"), [("ab ba", "ab"), ("ab bc cb cd", "bc"), ("xa ab bc ca", "abc"), ("ab bc cd da be ef", "abcd")]
)
def test_a_circle_is_given_in_order(text: str, around: str) -> None:
    flow, _ = graph(text)
    found = names(circle(flow.nodes))
    assert sorted(found) == sorted(around)
    assert all(f"{up}{down}" in text.split() for up, down in pairwise(found + found[0]))
    with pytest.raises(CycleError):
        topological_order(flow.nodes)


def test_there_may_be_no_circle() -> None:
    assert circle(graph("ab ac bd cd")[0].nodes) == []


def test_a_way_leads_from_one_task_to_another_or_there_is_none() -> None:
    flow, tasks = graph("ab bc cd ad xd")
    nodes = flow.nodes
    assert names(path_between(nodes, tasks["a"], tasks["c"])) == "abc"
    assert names(path_between(nodes, tasks["a"], tasks["d"])) == "ad"
    assert names(path_between(nodes, tasks["a"], tasks["a"])) == "a"
    assert path_between(nodes, tasks["c"], tasks["x"]) == []


def test_ancestry_goes_up_or_down_and_counts_the_start() -> None:
    flow, tasks = graph("ab bc xc cd")
    assert names(sorted(ancestry(flow.nodes, [tasks["b"]], downstream=True), key=lambda task: task.name)) == "bcd"
    assert names(sorted(ancestry(flow.nodes, [tasks["c"]], downstream=False), key=lambda task: task.name)) == "abcx"


def test_long_chains_and_wide_fans_need_no_deep_stack_and_no_patience() -> None:
    tasks = [Task(str(number)) for number in range(5_000)]
    chain = Flow("chain", tasks=reversed(tasks))
    chain.chain(*tasks)
    fan = Flow("fan", edges=[Edge(task, tasks[0], key=f"x{number}") for number, task in enumerate(tasks[1:])])
    start = time.process_time()
    assert chain.sorted_tasks() == tuple(tasks)
    assert fan.sorted_tasks()[-1] is tasks[0]
    chain.add_edge(tasks[-1], tasks[0])
    with pytest.raises(CycleError) as caught:
        chain.validate()
    assert len(caught.value.cycle) == 5_000
    assert "'0' -> '1'" in str(caught.value)
    assert "-> (4989 more) ->" in str(caught.value)
    assert time.process_time() - start < 5


def test_a_node_keeps_each_edge_once_and_two_edges_of_one_argument_apart() -> None:
    a, b, c = (Task(name) for name in "abc")
    node = Node("c-1")
    first = Edge(a, c, key="x")
    assert node.hold(first) is first
    assert node.hold(Edge(a, c, key="x")) is first
    second, third = Edge(b, c, key="x"), Edge(a, c, key="x", mapped=True)
    for edge in (second, third):
        assert node.hold(edge) is edge
        assert node.hold(Edge(edge.upstream_task, c, "x", edge.mapped)) is edge
    assert list(node.upstream.values()) == [first, second, third]
    assert node.keys() == {"x": ["the result of 'a'", "the result of 'b'", "the result of 'a'"]}
    node.release(second)
    assert list(node.upstream.values()) == [first, third]
