from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest

from flowbook.engine.lazy import Holder, LazyMapped, LazySuccess, by_reference, held_by, lazy_success, mapped_over
from flowbook.errors import ResultLost
from flowbook.events import event_of
from flowbook.states import Failed, Mapped, State, Success


class Box(Holder):
    """Holds a value and counts how often it is asked for."""

    together: list[int] = []  # noqa: RUF012 - of all boxes

    def __init__(self, value: Any) -> None:
        self.value = value
        self.fetched = 0

    def fetch(self) -> Any:
        self.fetched += 1
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    @classmethod
    def fetch_together(cls, holders: Any) -> None:
        cls.together.append(len(holders))


def lazy(value: Any) -> tuple[State, Box]:
    box = Box(value)
    return lazy_success("It went well.", box), box


def test_a_lazy_success_passes_for_a_success_without_fetching() -> None:
    state, box = lazy(3)
    assert isinstance(state, Success)
    assert type(state).__name__ == "Success"
    assert repr(state) == '<Success: "It went well.">'
    assert state.is_successful()
    assert not state.is_mapped()
    assert event_of(0, (1.0, 0, state), ["a-1"]).state == "Success"
    assert box.fetched == 0


def test_the_value_is_fetched_once_and_the_state_is_a_plain_success_from_then_on() -> None:
    state, box = lazy([1, 2])
    assert state.result is state.result
    assert type(state) is Success
    assert box.fetched == 1


def test_a_value_that_cannot_be_fetched_raises_each_time() -> None:
    state, box = lazy(ResultLost("gone"))
    for _ in range(2):
        with pytest.raises(ResultLost, match="gone"):
            _ = state.result
    assert box.fetched == 2
    assert isinstance(state, LazySuccess)


@pytest.mark.parametrize("turned", [False, True])
def test_a_lazy_success_equals_a_plain_one_with_the_same_value(turned: bool) -> None:
    state, _ = lazy(3)
    plain = Success(result=3)
    assert (plain == state) if turned else (state == plain)
    assert lazy(3)[0] != Success(result=4)
    assert lazy(3)[0] == lazy(3)[0]
    assert lazy(3)[0] != Failed(result=3)


def test_two_lazy_successes_are_two_moments_in_a_set() -> None:
    assert len({lazy(3)[0], lazy(3)[0]}) == 2


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))])
def test_copies_are_plain_successes(copied: Any) -> None:
    made = copied(lazy([3])[0])
    assert type(made) is Success
    assert made.result == [3]


def test_without_result_it_is_not_fetched() -> None:
    state, box = lazy(3)
    made = state.without_result()
    assert type(made) is Success
    assert made.message == "It went well."
    assert made.result is None
    assert box.fetched == 0


def test_by_reference_hands_over_what_holds_the_value_on_this_thread_only() -> None:
    state, box = lazy(3)
    elsewhere: list[Any] = []
    with by_reference():
        assert state.result is box
        with by_reference(wanted=False):
            pass
        assert state.result is box
        thread = threading.Thread(target=lambda: elsewhere.append(state.result))
        thread.start()
        thread.join()
    assert elsewhere == [3]


def test_stand_ins_are_no_classes_of_states() -> None:
    assert Success.children() == sorted(Success.children(), key=lambda kind: str(kind.__name__))
    assert LazySuccess not in State.children()
    assert LazyMapped not in State.children()
    assert State.children(names_only=True).count("Success") == 1


def test_a_mapped_state_of_lazy_children_fetches_them_together() -> None:
    failure = ValueError("no")
    children = [lazy(1)[0], Failed(result=failure), lazy(2)[0]]
    state = mapped_over("All have ended.", children)
    assert type(state).__name__ == "Mapped"
    assert isinstance(held_by(children[0]), Box)
    with by_reference():
        assert [type(held) for held in state.result] == [Box, ValueError, Box]
    Box.together.clear()
    assert state.result == [1, failure, 2]
    assert Box.together == [2]
    assert type(state) is Mapped
    assert held_by(children[0]) is None


def test_a_mapped_state_of_plain_children_is_a_plain_one() -> None:
    state = mapped_over("All have ended.", [Success(result=1)])
    assert type(state) is Mapped
    assert state.result == [1]
