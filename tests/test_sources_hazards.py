"""Ordering cells by what no name tells: clocks, functions that are kept, what every cell uses unseen."""

from __future__ import annotations

import pytest

from flowbook.sources import dependencies
from tests.test_sources_ordering import edges

TABLE: list[tuple[str, list[str], set[str]]] = [
    (
        "cells that time themselves do not wait for each other",
        ["import time", "t = time.time(); a = time.time() - t", "s = time.time(); b = time.time() - s"],
        {"0-1 data time", "0-2 data time"},
    ),
    (
        "what stands between two looks at a clock stays there",
        ["import time", "t = time.time()", "a = 1", "b = time.time() - t"],
        {"0-1 data time", "1-2 order", "0-3 data time", "1-3 data t", "2-3 order"},
    ),
    (
        "a function that was given on is called by who keeps it, and by nobody else",
        [
            "k = 1",
            "def f(): return k",
            "kept = []",
            "def keep(g): kept.append(g)",
            "said = [keep(f), 2]",
            "kept",
            "said",
        ],
        {
            "0-4 data k",
            "1-4 data f",
            "2-4 data kept",
            "3-4 data keep",
            "0-5 data k",
            "4-5 order kept",
            "2-5 data kept",
            "4-6 data said",
        },
    ),
    (
        "what is replaced and put back by one cell is of no concern to others",
        ["import sys", "old = sys.stdout; sys.stdout = f; print(1); sys.stdout = old", "a = 1", "b = 2"],
        {"0-1 data sys", "1-2 order", "1-3 order"},
    ),
]


@pytest.mark.parametrize(("rule", "cells", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_cells_follow_the_rule(rule: str, cells: list[str], expected: set[str]) -> None:
    assert edges(*cells) == expected


def in_order(*cells: str) -> list[int]:
    """Return the cells before which all cells above have to run."""
    found = dependencies(cells)
    before = [{edge.upstream for edge in found if edge.downstream == at} for at in range(len(cells))]
    return [at for at in range(1, len(cells)) if at - 1 in before[at]]


def test_two_things_are_replaced_until_both_are_put_back() -> None:
    cells = [
        "import sys",
        "sys.stdout = f",
        "sys.stderr = g",
        "sys.stdout = o",
        "a = 1",
        "sys.stderr = e",
        "b = 2",
        "c = 3",
    ]
    assert in_order(*cells) == [1, 2, 3, 4, 5, 6]


def test_a_context_goes_on_until_it_is_left() -> None:
    cells = ["c = make()", "c.__enter__()", "a = 1", "b = 2", "c.__exit__(None, None, None)", "d = 3", "e = 4"]
    assert in_order(*cells) == [1, 2, 3, 4, 5]


def test_who_has_globals_by_another_name_may_do_anything_from_then_on() -> None:
    assert in_order("g = globals", "a = 1", "b = 2", "c = 3") == [1, 2, 3]
