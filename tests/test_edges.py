"""Edges: two tasks, an argument, and when two edges are the same one."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from flowbook import Edge, Flow, Task
from flowbook.tasks.core.collections import Constant, List

a, b = Task("a"), Task("b")


def test_an_edge_has_two_ends_and_no_flags_unless_they_are_given() -> None:
    edge = Edge(a, b)
    assert (edge.upstream_task, edge.downstream_task, edge.key, edge.mapped, edge.flattened) == (
        a,
        b,
        None,
        False,
        False,
    )
    assert edge.tasks == {a, b}
    assert repr(edge) == "<Edge: a to b>"
    assert repr(Edge(a, b, "x", mapped=True, flattened=True)) == "<Edge: a to b as x, mapped, flattened>"


def test_edges_are_equal_when_all_five_fields_are() -> None:
    edge = Edge(a, b, "x", True, True)
    assert edge == Edge(a, b, "x", True, True)
    assert hash(edge) == hash(Edge(a, b, "x", True, True))
    others = [
        Edge(b, a, "x", True, True),
        Edge(a, Task("b"), "x", True, True),
        Edge(a, b, "y", True, True),
        Edge(a, b, "x", False, True),
        Edge(a, b, "x", True, False),
        "edge",
    ]
    assert edge not in others
    assert len({edge, *others}) == 7


@pytest.mark.parametrize("key", ["two words", "1x", "", "class", "None", "x.y", 7, ["x"], b"x", True])
def test_a_key_must_be_able_to_name_an_argument(key: Any) -> None:
    with pytest.raises(
        ValueError, match="cannot be the key of an edge: it must be a Python identifier and not a keyword"
    ):
        Edge(a, b, key)


@pytest.mark.parametrize("key", ["x", "_x", "naïve", "match", "x" * 1000])
def test_any_identifier_may_be_a_key(key: str) -> None:
    assert Edge(a, b, key).key == key


def test_a_task_cannot_depend_on_itself() -> None:
    with pytest.raises(ValueError, match=r"task 'a' cannot depend on itself\. Copy it first: task\.copy\(\)"):
        Edge(a, a)


def test_ends_that_are_no_tasks_become_some() -> None:
    edge = Edge(5, b, "x")
    assert isinstance(edge.upstream_task, Constant)
    flow = Flow("ends")
    assert isinstance(Edge([a], b, "x", flow=flow).upstream_task, List)
    assert a in flow


def test_an_edge_survives_pickle() -> None:
    again = pickle.loads(pickle.dumps(Edge(a, b, "x", mapped=True)))
    assert (again.upstream_task.name, again.downstream_task.name, again.key, again.mapped) == ("a", "b", "x", True)
