"""Ready tasks in an order of the flow's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowbook.engine.ready import InOrder


@given(st.permutations(range(8)), st.lists(st.integers(0, 11), unique=True))
def test_the_lowest_place_is_taken_first_and_what_has_none_comes_last(places: list[int], tasks: list[int]) -> None:
    ready = InOrder(places, tasks[:2] if all(task < 8 for task in tasks[:2]) else ())
    ready.extend(task for task in tasks if task not in ready)
    taken = [ready.popleft() for _ in range(len(ready))]
    cells = [task for task in taken if task < 8]
    assert taken[: len(cells)] == cells == sorted(cells, key=places.__getitem__)
    assert taken[len(cells) :] == [task for task in tasks if task >= 8]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 11)), unique_by=lambda one: one[1]))
def test_children_that_go_first_go_before_other_children_and_after_all_that_have_a_place(
    added: list[tuple[bool, int]],
) -> None:
    ready = InOrder(range(8))
    children: list[int] = []
    for is_first, task in added:
        (ready.appendleft if is_first else ready.append)(task)
        if task >= 8:
            children.insert(0 if is_first else len(children), task)
    cells = sorted(task for _, task in added if task < 8)
    assert list(ready) == cells + children
    assert ready.is_kept() == bool(cells)
