"""Caching: tokens of values, and the validators that compare them."""

from __future__ import annotations

import datetime as dt
import enum
import subprocess
import sys
import threading
import types
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook import Task, task
from flowbook.caching import (
    Candidates,
    HashedInputs,
    all_inputs,
    all_parameters,
    duration_only,
    never_use,
    partial_inputs_only,
    partial_parameters_only,
    token,
    why_not,
)
from flowbook.states import Cached

HOUR = dt.timedelta(hours=1)
LATER = dt.datetime.now(dt.timezone.utc) + HOUR
EARLIER = dt.datetime.now(dt.timezone.utc) - HOUR


@dataclass
class Point:
    x: int
    y: Any = None


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Broken:
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError("not today")


# ---------------------------------------------------------------- tokens


def loop() -> list[Any]:
    made: list[Any] = [1]
    made.append(made)
    return made


SAME: list[tuple[Any, Any]] = [
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1, 2, 3}, {3, 2, 1}),
    (Point(1, [2]), Point(1, [2])),
    (Colour.RED, Colour.RED),
    (Path("a/b"), Path("a") / "b"),
    (dt.date(2026, 1, 1), dt.date(2026, 1, 1)),
    (np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3)),
    (np.arange(6)[::2], np.array([0, 2, 4])),
    (np.array(["2026-01-01"], dtype="M8[D]"), np.array(["2026-01-01"], dtype="M8[D]")),
    (np.array([{"a": 1}, [2]], dtype=object), np.array([{"a": 1}, [2]], dtype=object)),
    (np.float64(1.5), np.float64(1.5)),
    (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})),
    (pd.DataFrame({"a": [[1], {2}]}), pd.DataFrame({"a": [[1], {2}]})),
    (pd.Series([1, 2], name="a"), pd.Series([1, 2], name="a")),
    (pd.Index([1, 2]), pd.Index([1, 2])),
    (loop(), loop()),
    (["a" * 2, "aa"], ["aa", "a" * 2]),
    (lambda x: x + 1, lambda x: x + 1),
    (float("nan"), float("nan")),
]

DIFFERENT: list[tuple[Any, Any]] = [
    (1, 1.0),
    (1, True),
    (1, "1"),
    (b"a", "a"),
    ([1, 2], (1, 2)),
    ([[1], 2], [1, [2]]),
    (["ab", "c"], ["a", "bc"]),
    ({"a": 1}, {"a": 2}),
    ({"a": 1}, OrderedDict(a=1)),
    ({"a": 1}.items(), {"a": 1}),
    (Point(1, 2), Point(1, 3)),
    (Colour.RED, Colour.BLUE),
    (np.arange(6), np.arange(6).reshape(2, 3)),
    (np.arange(3), np.arange(3).astype("int32")),
    (np.arange(3), [0, 1, 2]),
    (np.ma.array([1, 2], mask=[False, True]), np.ma.array([1, 2], mask=[True, False])),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}, index=[7])),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})),
    (pd.Series([1], name="a"), pd.Series([1], name="b")),
    (lambda x: x + 1, lambda x: x + 2),
    (print, len),
    (int, float),
    ("".join, "a".join),
    (Broken(), Broken()),
    (threading.Lock(), threading.Lock()),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=lambda value: type(value).__name__)
def test_equal_values_have_one_token(one: Any, other: Any) -> None:
    assert token(one) == token(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=lambda value: type(value).__name__)
def test_other_values_have_other_tokens(one: Any, other: Any) -> None:
    assert token(one) != token(other)


def test_what_cannot_be_read_is_like_nothing_not_even_itself() -> None:
    lock = threading.Lock()
    assert token(lock) != token(lock)
    assert token([lock]) != token([lock])


def test_a_deep_value_and_a_strange_one_raise_nothing() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, Broken(), (x for x in [1]), sys.stdout, object(), type, sys, NotImplemented, "\ud800"):
        assert len(token(value)) == 32


def test_a_package_that_another_thread_is_just_importing_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.machinery import ModuleSpec

    half = types.ModuleType("pandas")
    half.__spec__ = ModuleSpec("pandas", None)
    half.__spec__._initializing = True  # type: ignore[attr-defined]  # as importlib marks it meanwhile
    monkeypatch.setitem(sys.modules, "pandas", half)
    assert token(dt.date(2026, 1, 1)) == token(dt.date(2026, 1, 1))


def test_a_token_holds_in_another_process() -> None:
    program = "from flowbook.caching import token; print(token({'a', 'b', ('c', 1.5)}))"
    seeds = ({"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(Path(__file__).parents[1])} for seed in (1, 2))
    said = [subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True) for env in seeds]
    assert {ran.stdout.decode().strip() for ran in said} == {token({"a", "b", ("c", 1.5)})}


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_LIKE, JSON_LIKE)
def test_two_values_have_one_token_only_if_they_are_written_alike(one: Any, other: Any) -> None:
    def ordered(value: Any) -> str:
        if isinstance(value, dict):
            return f"dict {sorted((key, ordered(item)) for key, item in value.items())}"
        return repr([ordered(item) for item in value]) if isinstance(value, list) else repr(value)

    def kind(value: Any) -> str:
        return f"{type(value).__name__} {ordered(value)}"

    assert (token(one) == token(other)) is (kind(one) == kind(other))


# ---------------------------------------------------------------- validators


def kept(expires: dt.datetime | None = LATER, **inputs: Any) -> Cached:
    return Cached(
        result=1,
        hashed_inputs={key: token(value) for key, value in inputs.items()},
        cached_parameters={"p": [1], "q": 2},
        cached_result_expiration=expires,
    )


PARAMETERS = {"p": [1], "q": 2}

TABLE: list[tuple[Any, dict[str, Any], dict[str, Any], bool]] = [
    (never_use, {"x": 1}, PARAMETERS, False),
    (duration_only, {"x": 9}, {}, True),
    (all_inputs, {"x": 1, "y": [2]}, {}, True),
    (all_inputs, {"x": 1, "y": [3]}, PARAMETERS, False),
    (all_inputs, {"x": 1}, PARAMETERS, False),
    (all_inputs, {"x": 1, "y": [2], "z": None}, PARAMETERS, False),
    (all_parameters, {}, PARAMETERS, True),
    (all_parameters, {"x": 1, "y": [2]}, {"p": [1]}, False),
    (all_parameters, {"x": 1, "y": [2]}, {"p": [1], "q": 3}, False),
    (partial_inputs_only(["x"]), {"x": 1, "y": "another"}, {}, True),
    (partial_inputs_only(["x"]), {"x": 2, "y": [2]}, {}, False),
    (partial_inputs_only(), {"x": 2}, {}, True),
    (partial_inputs_only([]), {"x": 2}, {}, True),
    (partial_parameters_only(["q"]), {}, {"p": 0, "q": 2}, True),
    (partial_parameters_only(["q"]), {}, {"p": [1], "q": 0}, False),
    (partial_parameters_only(), {}, {}, True),
]


@pytest.mark.parametrize(("validator", "inputs", "parameters", "holds"), TABLE)
def test_the_validators(validator: Any, inputs: dict[str, Any], parameters: dict[str, Any], holds: bool) -> None:
    state = kept(x=1, y=[2])
    assert validator(state, inputs, parameters) is holds
    assert validator(state, HashedInputs(inputs), parameters) is holds
    assert validator(kept(None, x=1, y=[2]), inputs, parameters) is holds, "no expiry means never"
    assert not validator(kept(EARLIER, x=1, y=[2]), inputs, parameters), "all look at the expiry first"


@pytest.mark.parametrize(
    ("validator", "state", "why"),
    [
        (never_use, kept(), "never takes a kept result"),
        (duration_only, kept(EARLIER), "it expired at 20"),
        (all_inputs, kept(x=1, y=2), "the input x is another one"),
        (all_inputs, kept(x=2, z=1), "the input z is another one"),
        (all_inputs, kept(x=1, z=1), "the inputs x, z are others"),
        (all_parameters, kept(), "the parameter q is another one"),
        (lambda *_: False, kept(), "its validator '<lambda>' refused it"),
    ],
)
def test_a_refusal_says_why(validator: Any, state: Cached, why: str) -> None:
    inputs = {key: 2 for key in (state.hashed_inputs or {}) if key != "z"}
    assert why in why_not(validator, state, inputs, {"p": [1]})


def test_one_text_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match=r"validate_on=\['xy'\]"):
        partial_inputs_only("xy")


def test_partial_validators_are_equal_by_their_names_and_can_be_pickled() -> None:
    import pickle

    assert partial_inputs_only(["x"]) == pickle.loads(pickle.dumps(partial_inputs_only(["x"])))
    assert partial_inputs_only(["x"]) != partial_parameters_only(["x"])
    assert hash(partial_inputs_only(["x"])) == hash(partial_inputs_only(["x"]))


def test_candidates_are_found_by_their_inputs_also_after_more_were_added() -> None:
    candidates = Candidates([kept(x=index) for index in range(5)])
    assert candidates.with_inputs({"x": token(3)}) == [candidates[3]]
    candidates.append(kept(x=9))
    assert candidates.with_inputs({"x": token(9)}) == [candidates[5]]
    assert candidates.with_inputs({"y": token(9)}) == []


# ---------------------------------------------------------------- options of tasks


def test_the_default_validator_depends_on_whether_results_are_kept() -> None:
    assert Task().cache_validator is never_use
    assert Task(cache_for=HOUR).cache_validator is duration_only

    @task
    def one() -> int:
        return 1

    assert one.copy(cache_for=HOUR).cache_validator is duration_only
    assert one.copy(cache_for=HOUR, cache_validator=all_inputs).cache_validator is all_inputs


def test_a_validator_without_anything_kept_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="task 'Task' has a cache_validator and no cache_for"):
        Task(cache_validator=all_inputs)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"cache_for": 60}, TypeError, "cache_for=60 is not a timedelta"),
        ({"cache_for": -HOUR}, ValueError, "is negative"),
        ({"cache_key": 3}, TypeError, "cache_key='3'"),
        ({"cache_for": HOUR, "cache_validator": 3}, TypeError, "cache_validator=3 is not a function"),
        ({"cache_for": HOUR, "cache_validator": partial_inputs_only}, TypeError, "Call it first"),
        ({"result": "folder"}, TypeError, r"result=LocalResult\('results'\)"),
        ({"target": 3}, TypeError, "target=3 is neither"),
        ({"task_run_name": 3}, TypeError, "task_run_name=3 is neither"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        Task(**options)


def test_the_reference_has_the_validators_in_the_engine() -> None:
    from flowbook.engine import cache_validators

    assert cache_validators.all_inputs is all_inputs
