"""Restarting with results that are elsewhere: kept without fetching them, or run again when they are gone."""

from __future__ import annotations

from typing import Any

from flowbook import Flow, Task
from flowbook.engine.lazy import Holder, lazy_success, mapped_over
from flowbook.engine.restarting import kept_states
from flowbook.states import Mapped, Success


class Elsewhere(Holder):
    """A value that must not be fetched, or is gone."""

    __slots__ = ("gone",)

    def __init__(self, *, gone: bool = False) -> None:
        self.gone = gone

    @property
    def is_lost(self) -> bool:
        return self.gone

    def fetch(self) -> Any:
        raise AssertionError("this was to stay where it is")


def test_a_result_that_is_elsewhere_is_kept_without_fetching_it_and_run_again_when_it_is_gone() -> None:
    with Flow("elsewhere") as flow:
        made = [Task(f"t{number}") for number in range(3)]
        flow.chain(*made)
    held, gone = Elsewhere(), Elsewhere(gone=True)
    kept = kept_states(flow, {made[0]: lazy_success("", held), made[1]: lazy_success("", gone), made[2]: Success()})
    assert list(kept) == [made[0]]


def test_of_a_mapped_task_the_children_whose_results_are_gone_are_run_again() -> None:
    with Flow("elsewhere") as flow:
        one = Task("one")
        flow.add_task(one)
    held, gone = lazy_success("", Elsewhere()), lazy_success("", Elsewhere(gone=True))
    kept = kept_states(flow, {one: mapped_over("", [held, gone])})[one]
    assert isinstance(kept, Mapped)
    assert [child is held for child in kept.map_states] == [True, False]
    assert kept.map_states[1] is None
    assert kept_states(flow, {one: mapped_over("", [held, held])})[one].is_mapped()
