"""Triggers against a truth table: what each of them says to every crowd of up to four upstream tasks."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowbook import Edge, Flow, Task, context, signals, task, triggers
from flowbook.states import (
    Cached,
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Running,
    Skipped,
    State,
    Success,
    TimedOut,
    TriggerFailed,
)
from flowbook.triggers import Trigger, judge

# A crowd is written as one letter per upstream task.
LETTERS: dict[str, type[State]] = {
    "s": Success,
    "k": Skipped,
    "c": Cached,
    "m": Mapped,
    "f": Failed,
    "t": TriggerFailed,
    "o": TimedOut,
    "x": Cancelled,
}
CROWDS = [
    "".join(crowd) for size in range(5) for crowd in itertools.combinations_with_replacement(sorted(LETTERS), size)
]
GOOD, BAD = set("skcm"), set("fto")


def upstream(crowd: str) -> dict[Edge, State]:
    """Return the states of a crowd as a trigger is given them."""
    downstream = Task("downstream")
    return {Edge(Task(letter), downstream): LETTERS[letter]() for letter in crowd}


# What the triggers mean, in the plainest words: (number of all, of good ones, of bad ones, of skipped ones) -> passes.
MEANING: dict[str, Callable[[int, int, int, int], bool]] = {
    "all_successful": lambda n, good, bad, skipped: good == n,
    "all_failed": lambda n, good, bad, skipped: bad == n,
    "any_successful": lambda n, good, bad, skipped: n == 0 or good > 0,
    "any_failed": lambda n, good, bad, skipped: n == 0 or bad > 0,
    "all_finished": lambda n, good, bad, skipped: True,
    "not_all_skipped": lambda n, good, bad, skipped: n == 0 or (good == n and skipped < n),
    "manual_only": lambda n, good, bad, skipped: False,
}

# And some rows of the table written out by hand, so that the meaning above is watched too: crowd, then 1 for "passes"
# in the order all_successful, all_failed, any_successful, any_failed, all_finished, not_all_skipped, manual_only.
BY_HAND = {
    "": "1111110",
    "s": "1010110",
    "k": "1010100",
    "c": "1010110",
    "m": "1010110",
    "f": "0101100",
    "t": "0101100",
    "o": "0101100",
    "x": "0000100",
    "ss": "1010110",
    "kk": "1010100",
    "ks": "1010110",
    "fs": "0011100",
    "fk": "0011100",
    "ft": "0101100",
    "fx": "0001100",
    "sx": "0010100",
    "kx": "0010100",
    "xx": "0000100",
    "ckms": "1010110",
    "kkkk": "1010100",
    "fotx": "0001100",
    "foot": "0101100",
    "fkkk": "0011100",
    "fksx": "0011100",
}


def test_the_table_holds_every_crowd_once() -> None:
    assert len(CROWDS) == len(set(CROWDS)) == 1 + 8 + 36 + 120 + 330


@pytest.mark.parametrize("place", range(len(MEANING)), ids=list(MEANING))
def test_the_rows_written_by_hand_are_what_the_triggers_mean_and_do(place: int) -> None:
    name, meaning = list(MEANING.items())[place]
    for crowd, row in BY_HAND.items():
        assert meaning(*counts(crowd)) is (row[place] == "1"), (name, crowd)
        assert getattr(triggers, name).judge(upstream(crowd)).passed is (row[place] == "1"), (name, crowd)


def counts(crowd: str) -> tuple[int, int, int, int]:
    letters = Counter(crowd)
    good = sum(letters[each] for each in GOOD)
    return len(crowd), good, sum(letters[each] for each in BAD), letters["k"]


@pytest.mark.parametrize("name", MEANING)
def test_a_trigger_answers_every_crowd_as_it_is_meant(name: str) -> None:
    for crowd in CROWDS:
        passes = MEANING[name](*counts(crowd))
        assert getattr(triggers, name).judge(upstream(crowd)).passed is passes, (name, crowd)


@pytest.mark.parametrize("name", MEANING)
def test_a_trigger_called_as_in_the_reference_api_says_true_or_raises(name: str) -> None:
    trigger: Trigger = getattr(triggers, name)
    for crowd in CROWDS:
        states = upstream(crowd)
        verdict = trigger.judge(states)
        if verdict.passed:
            assert trigger(states) is True
            continue
        with pytest.raises(signals.FlowbookSignal) as caught:
            trigger(states)
        assert verdict.state is not None
        assert type(caught.value.state) is type(verdict.state)
        assert caught.value.state.message == verdict.reason


@pytest.mark.parametrize(
    ("name", "crowd", "state", "words"),
    [
        ("all_successful", "sf", TriggerFailed, "some of the upstream tasks failed"),
        ("all_successful", "x", TriggerFailed, "some of the upstream tasks failed"),
        ("all_failed", "sf", TriggerFailed, "some of the upstream tasks succeeded"),
        ("any_successful", "ff", TriggerFailed, "none of the upstream tasks succeeded"),
        ("any_failed", "ss", TriggerFailed, "none of the upstream tasks failed"),
        ("not_all_skipped", "sf", TriggerFailed, "some of the upstream tasks failed"),
        ("not_all_skipped", "kk", Skipped, "all of the upstream tasks were skipped"),
    ],
)
def test_a_trigger_that_does_not_pass_says_why(name: str, crowd: str, state: type[State], words: str) -> None:
    verdict = getattr(triggers, name).judge(upstream(crowd))
    assert verdict.reason == f'Trigger was "{name}" but {words}.'
    assert (type(verdict.state), verdict.state.message) == (state, verdict.reason)


@pytest.mark.parametrize("crowd", ["", "s", "f"])
def test_manual_only_pauses_whatever_is_upstream(crowd: str) -> None:
    verdict = triggers.manual_only.judge(upstream(crowd))
    assert isinstance(verdict.state, Paused)
    assert verdict.state.start_time is None
    assert verdict.reason == 'Trigger is "manual_only": the task waits for a person.'


def test_a_verdict_names_the_edges_that_decided() -> None:
    states = upstream("sfxt")
    by_letter = {edge.upstream_task.name: edge for edge in states}
    assert set(triggers.all_successful.judge(states).decided_by) == {by_letter[each] for each in "fxt"}
    assert set(triggers.any_successful.judge(states).decided_by) == {by_letter["s"]}
    assert set(triggers.any_failed.judge(states).decided_by) == {by_letter["f"], by_letter["t"]}
    assert set(triggers.all_finished.judge(states).decided_by) == set(states)


def test_all_finished_waits_for_what_is_not() -> None:
    states: dict[Edge, State] = {**upstream("s"), Edge(Task("r"), Task("d")): Running()}
    verdict = triggers.all_finished.judge(states)
    assert not verdict.passed
    assert isinstance(verdict.state, TriggerFailed)
    assert triggers.always_run is triggers.all_finished


def test_manual_only_passes_when_a_person_lets_the_task_go_on() -> None:
    with context(resume=True):
        assert triggers.manual_only(upstream("sf")) is True
    with pytest.raises(signals.PAUSE):
        triggers.manual_only(upstream("sf"))


# -- bounds ----------------------------------------------------------------------------------------------------------

BOUNDS = [None, 0, 1, 2, 3, 0.25, 0.5, 0.75]


def within(count: int, size: int, low: float | None, high: float | None) -> bool:
    """Tell in plain words what the bounds mean: a number below one is a part of all."""
    low = 0 if low is None else low * size if low < 1 else low
    high = size if high is None else high * size if high < 1 else high
    return size == 0 or low <= count <= high


def crowds_of_two_kinds() -> Iterator[str]:
    return (crowd for crowd in CROWDS if set(crowd) <= set("skfx"))


@pytest.mark.parametrize("low", BOUNDS)
@pytest.mark.parametrize("high", BOUNDS)
def test_bounds_are_inclusive_and_may_be_fractions(low: float | None, high: float | None) -> None:
    failed = triggers.some_failed(at_least=low, at_most=high)
    successful = triggers.some_successful(low, high)
    for crowd in crowds_of_two_kinds():
        size, good, bad, _ = counts(crowd)
        assert failed.judge(upstream(crowd)).passed is within(bad, size, low, high), (crowd, low, high)
        assert successful.judge(upstream(crowd)).passed is within(good, size, low, high), (crowd, low, high)


@pytest.mark.parametrize(
    ("crowd", "at_least", "at_most", "passes"),
    [
        ("ffss", 2, None, True),
        ("ffss", 3, None, False),
        ("ffss", None, 2, True),
        ("ffss", None, 1, False),
        ("ffss", 0.5, None, True),
        ("ffss", 0.75, None, False),
        ("ffss", None, 0.5, True),
        ("ffss", None, 0.25, False),
        ("fsss", 1, 1, True),
        ("ssss", 1, 1, False),
        ("", 3, 3, True),
        ("ssss", 0, 0, True),
        ("fsss", 0, 0, False),
    ],
)
def test_some_failed_by_hand(crowd: str, at_least: float | None, at_most: float | None, *, passes: bool) -> None:
    assert triggers.some_failed(at_least, at_most).judge(upstream(crowd)).passed is passes


def test_bounds_that_are_not_met_are_named() -> None:
    verdict = triggers.some_failed(at_least=3).judge(upstream("ffs"))
    assert verdict.reason == (
        'Trigger was "some_failed" but thresholds were not met: 2 of 3, at least 3, at most None.'
    )
    assert isinstance(verdict.state, TriggerFailed)


def test_one_state_seen_through_two_edges_counts_once() -> None:
    failed, downstream = Failed(), Task("downstream")
    states: dict[Edge, State] = {
        Edge(Task("a"), downstream, key="x"): failed,
        Edge(Task("a"), downstream, key="y"): failed,
        Edge(Task("b"), downstream): Failed(),
    }
    assert triggers.some_failed(at_least=2, at_most=2).judge(states).passed
    assert not triggers.some_failed(at_least=3).judge(states).passed


@pytest.mark.parametrize("bound", [-1, "2", True, float("nan")])
@pytest.mark.parametrize("make", [triggers.some_failed, triggers.some_successful])
def test_bounds_that_cannot_be_meant_are_refused(make: Callable[..., Trigger], bound: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"at_least=.* number of states, or a fraction of them below 1"):
        make(at_least=bound)
    with pytest.raises((TypeError, ValueError), match=r"at_most="):
        make(at_most=bound)


# -- of one's own ----------------------------------------------------------------------------------------------------


def test_any_function_of_edges_and_states_is_a_trigger() -> None:
    def two_good(states: dict[Edge, State]) -> bool:
        return sum(state.is_successful() for state in states.values()) >= 2

    assert judge(two_good, upstream("ss")).passed
    verdict = judge(two_good, upstream("sf"))
    assert (type(verdict.state), str(verdict.state)) == (TriggerFailed, '<TriggerFailed: "Trigger failed">')


def test_a_trigger_that_breaks_fails_the_task_with_its_error() -> None:
    def broken(states: dict[Edge, State]) -> bool:
        raise KeyError("oops")

    verdict = judge(broken, upstream("s"))
    assert isinstance(verdict.state, TriggerFailed)
    assert isinstance(verdict.state.result, KeyError)
    assert "oops" in verdict.reason


def test_a_trigger_may_raise_a_signal() -> None:
    def skip(states: dict[Edge, State]) -> bool:
        raise signals.SKIP("not today")

    verdict = judge(skip, upstream("s"))
    assert (type(verdict.state), verdict.reason) == (Skipped, "not today")


def test_a_trigger_decides_in_a_run() -> None:
    @task
    def fail() -> None:
        raise ValueError

    @task(trigger=triggers.any_failed)
    def clean_up() -> str:
        return "cleaned"

    @task(trigger=lambda states: False)
    def never() -> None: ...

    with Flow("run") as flow:
        failed = fail()
        cleaned, refused = clean_up(upstream_tasks=[failed]), never(upstream_tasks=[failed])

    result = flow.run().result
    assert result[cleaned].result == "cleaned"
    assert (type(result[refused]), result[refused].message) == (TriggerFailed, "Trigger failed")


def test_triggers_survive_pickle_and_are_the_same_ones() -> None:
    for name in MEANING:
        assert pickle.loads(pickle.dumps(getattr(triggers, name))) is getattr(triggers, name)
    again = pickle.loads(pickle.dumps(triggers.some_failed(at_least=0.5)))
    assert again.judge(upstream("fs")).passed
    assert not again.judge(upstream("fsss")).passed
    assert (triggers.all_failed.__name__, repr(triggers.all_failed)) == ("all_failed", "<trigger all_failed>")


# -- children of a mapped task ---------------------------------------------------------------------------------------


def reduced(crowd: str, *, is_mapped: bool = False) -> dict[Edge, State]:
    """Return the state of a mapped task whose children are the crowd, as a task downstream is given it."""
    children = [LETTERS[letter]() for letter in crowd]
    return {Edge(Task("parent"), Task("downstream"), "x", mapped=is_mapped): Mapped(map_states=children)}


@pytest.mark.parametrize("name", MEANING)
def test_children_of_a_mapped_task_count_like_as_many_tasks(name: str) -> None:
    trigger: Trigger = getattr(triggers, name)
    for crowd in CROWDS[1:]:
        assert trigger.judge(reduced(crowd)).passed is trigger.judge(upstream(crowd)).passed, (name, crowd)


@pytest.mark.parametrize("bounds", [(2, None), (None, 2), (0.5, None), (0.25, 0.75)])
def test_bounds_count_the_children_of_a_mapped_task(bounds: tuple[float | None, float | None]) -> None:
    for crowd in crowds_of_two_kinds():
        for trigger in (triggers.some_failed(*bounds), triggers.some_successful(*bounds)):
            if crowd:
                assert trigger.judge(reduced(crowd)).passed is trigger.judge(upstream(crowd)).passed, crowd


def test_children_and_other_tasks_count_together_and_the_edge_is_named() -> None:
    states = {**reduced("sfs"), **upstream("s")}
    mapped_edge, plain_edge = states
    assert triggers.all_successful.judge(states).decided_by == (mapped_edge,)
    assert triggers.any_successful.judge(states).decided_by == (mapped_edge, plain_edge)
    assert triggers.some_successful(0.75, 0.75).judge(states).passed


def test_one_child_seen_through_two_edges_counts_once() -> None:
    (edge, state), downstream = next(iter(reduced("ffs").items())), Task("downstream")
    states = {edge: state, Edge(edge.upstream_task, downstream, "y"): state}
    assert triggers.some_failed(at_least=2, at_most=2).judge(states).passed


def test_a_mapped_edge_has_the_state_of_the_parent() -> None:
    assert triggers.all_successful.judge(reduced("ff", is_mapped=True)).passed


def test_a_task_mapped_over_nothing_is_a_success() -> None:
    assert triggers.any_successful.judge(reduced("")).passed
    assert triggers.not_all_skipped.judge(reduced("")).passed
    assert not triggers.any_failed.judge(reduced("")).passed


def test_children_whose_states_are_not_known_do_not_count() -> None:
    edge = next(iter(reduced("")))
    assert triggers.all_failed.judge({edge: Mapped(map_states=[None, Failed()])}).passed
    assert [len(found) for _, found in triggers.expanded({edge: Mapped(map_states=[None, Failed()])})] == [1]


def test_a_trigger_of_ones_own_is_given_the_parent() -> None:
    seen: list[State] = []
    states = reduced("sf")
    judge(lambda given: seen.extend(given.values()), states)
    assert seen == list(states.values())
