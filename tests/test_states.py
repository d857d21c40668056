"""States: the tree of classes, what each says of itself, and when two are the same."""

from __future__ import annotations

import copy
import copyreg
import datetime as dt
import pickle
import threading
from typing import Any

import pytest

from flowbook import context, states, task
from flowbook import signals as raised
from flowbook.engine import state as second_name
from flowbook.flows import Flow
from flowbook.states import (
    Cached,
    ClientFailed,
    Failed,
    Looped,
    Mapped,
    Paused,
    Pending,
    Queued,
    Resume,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Submitted,
    Success,
)

UTC = dt.timezone.utc
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)

EVERY: list[type[State]] = State.children(include_self=True)

# Which predicates hold for which class, by hand: the letters of the head of the table below.
PREDICATES = {
    "P": "is_pending",
    "S": "is_scheduled",
    "Y": "is_retrying",
    "Q": "is_queued",
    "B": "is_submitted",
    "R": "is_running",
    "F": "is_finished",
    "L": "is_looped",
    "G": "is_successful",
    "C": "is_cached",
    "M": "is_mapped",
    "K": "is_skipped",
    "X": "is_failed",
    "W": "is_meta_state",
}

HOLDS = {
    "State": "",
    "Pending": "P",
    "Scheduled": "PS",
    "Paused": "PS",
    "Resume": "PS",
    "Retrying": "PSY",
    "Queued": "PSQW",
    "Submitted": "PBW",
    "ClientFailed": "PW",
    "Running": "R",
    "Cancelling": "R",
    "Finished": "F",
    "Looped": "FL",
    "Cancelled": "F",
    "Success": "FG",
    "Cached": "FGC",
    "Mapped": "FGM",
    "Skipped": "FGK",
    "Failed": "FX",
    "TimedOut": "FX",
    "TriggerFailed": "FX",
    "ValidationFailed": "FX",
}


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_state_is_all_that_its_parents_are(kind: type[State]) -> None:
    state = kind("a message")
    held = "".join(letter for letter, name in PREDICATES.items() if getattr(state, name)())
    assert set(held) == set(HOLDS[kind.__name__])


def test_the_family_tree_can_be_asked_for() -> None:
    assert State.children(names_only=True) == sorted(set(HOLDS) - {"State"})
    assert Failed.children(True, True) == ["Failed", "TimedOut", "TriggerFailed", "ValidationFailed"]
    assert Success.children() == [Cached, Mapped, Skipped]
    assert Retrying.parents(names_only=True) == ["Pending", "Scheduled", "State"]
    assert Queued.parents(include_self=True, names_only=True) == ["Pending", "Queued", "Scheduled", "State"]
    assert State.parents() == []


def test_the_states_are_found_under_the_reference_api_s_name_too() -> None:
    assert {name: getattr(second_name, name) for name in states.__all__} == {
        name: getattr(states, name) for name in states.__all__
    }


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_state_shows_its_class_and_its_message(kind: type[State]) -> None:
    assert repr(kind()) == f"<{kind.__name__}>"
    assert repr(kind("all is well")) == f'<{kind.__name__}: "all is well">'


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_state_takes_message_result_context_and_inputs(kind: type[State]) -> None:
    state = kind("words", 7, context={"a": 1}, cached_inputs={"x": 2})
    assert (state.message, state.result, state.context, state.cached_inputs) == ("words", 7, {"a": 1}, {"x": 2})
    bare = kind()
    assert (bare.message, bare.result, bare.context, bare.cached_inputs) == (None, None, {}, {})


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_state_notes_the_tags_of_the_task_it_was_made_in(kind: type[State]) -> None:
    with context(task_tags={"b", "a"}):
        assert kind().context == {"tags": ["a", "b"]}
        assert kind(context={"more": 1}).context == {"tags": ["a", "b"], "more": 1}
    with context(task_tags=set()):
        assert kind().context == {}


def test_a_state_made_by_a_body_notes_the_tags_of_its_task() -> None:
    @task(tags=["slow"])
    def skip() -> None:
        raise raised.SKIP("not today")

    flow = Flow("tags", tasks=[skip])
    assert flow.run().result[skip].context == {"tags": ["slow"]}


# -- what classes add ------------------------------------------------------------------------------------------------


def test_waiting_states_start_now_unless_they_say_when() -> None:
    before = dt.datetime.now(UTC)
    for kind in (Scheduled, Resume, Retrying, Queued):
        start_time = kind().start_time
        assert start_time is not None
        assert before <= start_time <= dt.datetime.now(UTC)
    assert Scheduled(start_time=NOON).start_time == NOON
    assert Paused().start_time is None
    assert Paused(start_time=NOON).start_time == NOON


def test_a_moment_without_a_time_zone_is_taken_as_utc() -> None:
    naive = dt.datetime(2026, 11, 22, 12)  # noqa: DTZ001 - without a zone on purpose
    assert Scheduled(start_time=naive).start_time == NOON
    assert Paused(start_time=naive).start_time == NOON
    assert Queued(start_time=naive).start_time == NOON
    assert Cached(cached_result_expiration=naive).cached_result_expiration == NOON


def test_a_retry_and_a_loop_count_from_the_context_or_from_one() -> None:
    assert (Retrying().run_count, Looped().loop_count) == (1, 1)
    assert (Retrying(run_count=3).run_count, Looped(loop_count=4).loop_count) == (3, 4)
    with context(task_run_count=5, task_loop_count=6):
        assert (Retrying().run_count, Looped().loop_count) == (5, 6)


def test_a_state_that_wraps_another_never_wraps_a_wrapper() -> None:
    inner = Running("inner")
    for kind in (Submitted, Queued, ClientFailed):
        assert kind(state=inner).state is inner
        assert kind(state=Submitted(state=Queued(state=inner))).state is inner
        assert kind(state=Queued()).state is None
        assert kind().state is None


def test_a_mapped_state_counts_its_children() -> None:
    children = [Success(), Failed(), None]
    assert (Mapped(map_states=children).map_states, Mapped(map_states=children).n_map_states) == (children, 3)
    assert (Mapped().map_states, Mapped().n_map_states) == ([], 0)
    assert (Mapped(n_map_states=5).map_states, Mapped(n_map_states=5).n_map_states) == ([], 5)


def test_a_cached_state_knows_what_it_was_made_from() -> None:
    cached = Cached(hashed_inputs={"x": "1"}, cached_parameters={"p": 2}, cached_result_expiration=NOON)
    assert (cached.hashed_inputs, cached.cached_parameters, cached.cached_result_expiration) == (
        {"x": "1"},
        {"p": 2},
        NOON,
    )


def test_colours_are_those_of_the_reference_api() -> None:
    wanted = {
        "Success": "#28a745",
        "Failed": "#eb0000",
        "Running": "#3d67ff",
        "Pending": "#7ebdff",
        "Skipped": "#62757f",
        "Retrying": "#f66a0a",
        "Cached": "#34d058",
        "Scheduled": "#ffab00",
        "Paused": "#99a8e8",
        "Mapped": "#003ccb",
        "Looped": "#003ccb",
        "Finished": "#003ccb",
        "TriggerFailed": "#ff5131",
        "TimedOut": "#ff4e33",
    }
    assert {name: getattr(states, name).color for name in wanted} == wanted


# -- equality --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_states_are_equal_by_class_and_result_whatever_they_say(kind: type[State]) -> None:
    options: dict[str, Any] = {"start_time": NOON} if issubclass(kind, Scheduled) else {}
    state = kind("one", 1, **options)
    assert state == kind("other words", 1, context={"a": 1}, **options)
    assert state != kind("one", 2, **options)
    assert state not in [other("one", 1) for other in EVERY if other is not kind]
    assert state != "one"


@pytest.mark.parametrize(
    ("state", "other"),
    [
        (Scheduled(start_time=NOON), Scheduled(start_time=NOON + dt.timedelta(1))),
        (Retrying(start_time=NOON, run_count=1), Retrying(start_time=NOON, run_count=2)),
        (Looped(loop_count=1), Looped(loop_count=2)),
        (Cached(hashed_inputs={"x": "1"}), Cached(hashed_inputs={"x": "2"})),
        (Cached(cached_parameters={"x": 1}), Cached()),
        (Cached(cached_result_expiration=NOON), Cached()),
        (Mapped(map_states=[Success()]), Mapped(map_states=[Failed()])),
        (Mapped(n_map_states=1), Mapped(n_map_states=2)),
        (Submitted(state=Success()), Submitted(state=Failed())),
    ],
    ids=lambda state: type(state).__name__,
)
def test_what_a_class_adds_counts_for_equality(state: State, other: State) -> None:
    assert state != other
    assert state == copy.copy(state)


def test_two_equal_states_are_still_two_in_a_set() -> None:
    assert len({Success(), Success()}) == 2


# -- pickling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_state_survives_pickle(kind: type[State]) -> None:
    state = kind("words", {"a": [1]}, context={"a": 1}, cached_inputs={"x": 2})
    again = pickle.loads(pickle.dumps(state))
    assert again == state
    assert (again.message, again.context, again.cached_inputs) == ("words", {"a": 1}, {"x": 2})


class Locked(Exception):
    """An error that cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("it is locked")
        self.lock = threading.Lock()


class Picky(Exception):
    """An error that cannot be made again from what pickle keeps of it."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@pytest.mark.parametrize("error", [Locked(), Picky(1, 2)], ids=lambda error: type(error).__name__)
def test_an_error_that_cannot_be_pickled_becomes_text_and_the_original_keeps_it(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dask, once loaded, teaches pickle how to take any exception
    monkeypatch.delitem(copyreg.dispatch_table, type(error), raising=False)
    state = Failed("bad", result=error)
    again = pickle.loads(pickle.dumps({"nested": state}))["nested"]
    assert (type(again), again.message, again.result) == (Failed, "bad", repr(error))
    assert state.result is error


def test_an_error_that_can_be_pickled_stays_an_error() -> None:
    again = pickle.loads(pickle.dumps(Failed(result=ValueError("no"))))
    assert isinstance(again.result, ValueError)
    assert again.result.args == ("no",)


def test_a_state_can_be_made_without_its_result() -> None:
    state = Retrying("again", 7, start_time=NOON, run_count=3)
    bare = state.without_result()
    assert bare == Retrying(result=None, start_time=NOON, run_count=3)
    assert (bare.message, state.result) == ("again", 7)


def test_pending_is_not_equal_to_scheduled() -> None:
    assert Pending() != Scheduled()
