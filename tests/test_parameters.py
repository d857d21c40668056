"""Parameters: values that a run gives, their defaults, and which of several givers wins."""

from __future__ import annotations

import datetime as dt
import pickle
from typing import Any

import cloudpickle
import pytest

from flowbook import Flow, Parameter, Task, context, signals, tags, task
from flowbook.core.parameter import DateTimeParameter, no_default
from flowbook.parameters import moment_of
from flowbook.states import State

UTC = dt.timezone.utc


@task
def same(x: Any) -> Any:
    return x


def given(parameter: Parameter, **values: Any) -> Any:
    """Return the result of a parameter in a run that gives these values."""
    flow = Flow("given", tasks=[parameter])
    return flow.run(parameters=values).result[parameter].result


# -- making ----------------------------------------------------------------------------------------------------------


def test_a_parameter_has_its_name_for_a_slug_and_runs_without_checkpoint() -> None:
    x = Parameter("x", tags=["a"])
    assert (x.name, x.slug, x.tags, x.checkpoint) == ("x", "x", {"a"}, False)
    assert isinstance(x, Task)
    assert repr(x) == "<Parameter: x>"
    assert Flow("slugs", tasks=[x]).slugs == {x: "x"}
    with tags("b"):
        assert Parameter("x", tags=["a"]).tags == {"a", "b"}


@pytest.mark.parametrize("name", ["", None, 7])
def test_a_parameter_needs_a_name(name: Any) -> None:
    with pytest.raises(TypeError, match=r"a parameter needs a name, not .*: Parameter\('country'\)"):
        Parameter(name)


@pytest.mark.parametrize(
    ("arguments", "required", "default"),
    [
        ({}, True, None),
        ({"default": 3}, False, 3),
        ({"default": None}, False, None),
        ({"default": no_default}, True, None),
        ({"required": False}, False, None),
        ({"required": True}, True, None),
        ({"default": 3, "required": True}, True, 3),
        ({"default": 3, "required": False}, False, 3),
    ],
)
def test_a_parameter_is_required_when_it_has_no_default_unless_it_says_otherwise(
    arguments: dict[str, Any], required: bool, default: Any
) -> None:
    x = Parameter("x", **arguments)
    assert (x.required, x.default) == (required, default)
    if required:
        with pytest.raises(ValueError, match=r"flow 'given' needs a value for: x\. Give it: flow\.run\(x=\.\.\.\)"):
            given(x)
    else:
        assert given(x) == default
    assert given(x, x=4) == 4
    assert given(x, x=None) is None


def test_a_missing_required_parameter_fails_when_it_is_run_by_itself() -> None:
    with pytest.raises(signals.FAIL, match="Parameter 'x' is required and was not given"):
        Parameter("x").run()
    with context(parameters={"x": 5}):
        assert Parameter("x").run() == 5


# -- in a flow -------------------------------------------------------------------------------------------------------


def test_calling_a_parameter_adds_this_very_parameter() -> None:
    x = Parameter("x")
    with Flow("call") as flow:
        assert x() is x
        assert x() is x
    assert flow.parameters() == {x}
    assert Parameter("y")(flow=flow) in flow
    with pytest.raises(ValueError, match="no flow"):
        Parameter("z")()


def test_a_parameter_that_is_only_used_is_added_too() -> None:
    with Flow("use") as flow:
        x = Parameter("x")
        same(x)
    assert flow.parameters() == {x}


@pytest.mark.parametrize(("args", "kwargs"), [((1,), {}), ((), {"default": 1}), ((), {"mapped": True})])
def test_a_parameter_takes_no_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError,
        match=r"parameter 'x' takes no arguments.*Its value is given when the flow is run: flow\.run\(x=\.\.\.\)",
    ):
        Parameter("x")(*args, flow=Flow("call"), **kwargs)


def test_two_parameters_of_one_name_are_refused() -> None:
    flow = Flow("twice", tasks=[Parameter("x")])
    with pytest.raises(ValueError, match="a parameter with the slug 'x' is already part of flow 'twice'"):
        Parameter("x")(flow=flow)


def test_a_copy_needs_a_name_of_its_own() -> None:
    x = Parameter("x", default=3, tags=["a"])
    y = x.copy("y")
    assert (y.name, y.slug, y.default, y.tags, y.required) == ("y", "y", 3, {"a"}, False)
    assert (x.name, x.slug) == ("x", "x")
    assert x.copy("z", default=4).default == 4
    with pytest.raises(TypeError, match=r"a copy of parameter 'x' needs a name of its own: copy\('other'\)"):
        x.copy()


def test_items_and_operators_work_as_with_tasks() -> None:
    with Flow("operators") as flow:
        x, y = Parameter("x"), Parameter("y")
        item, total = x["a"], x["b"] + y * 2

    result = flow.run(x={"a": 1, "b": 2}, y=10).result

    assert (result[item].result, result[total].result, item.name) == (1, 22, "x['a']")


def test_values_need_not_be_json() -> None:
    thing = object()
    assert given(Parameter("x"), x=thing) is thing


# -- who wins --------------------------------------------------------------------------------------------------------


def test_the_nearest_giver_wins() -> None:
    with Flow("precedence") as flow:
        x = Parameter("x", default="default")

        x()

    def run(**options: Any) -> Any:
        state: State = flow.run(**options)
        return state.result[x].result

    assert run() == "default"
    with context(parameters={"x": "around", "of another flow": 1}):
        assert run() == "around"
        assert run(context={"parameters": {"x": "context"}}) == "context"
        assert run(context={"parameters": {"x": "context"}}, parameters={"x": "parameters"}) == "parameters"
        assert run(parameters={"x": "parameters"}, x="keyword") == "keyword"
        assert run(x=None) is None


@pytest.mark.parametrize("name", ["self", "args", "kwargs", "show", "wait", "context", "executor"])
def test_a_parameter_may_have_the_name_of_anything_a_run_takes(name: str) -> None:
    x = Parameter(name)
    keywords: dict[str, Any] = {name: 7}
    assert Flow("names", tasks=[x]).run(**keywords).result[x].result == 7


def test_unknown_parameters_are_named() -> None:
    flow = Flow("unknown", tasks=[Parameter("region", default="NL")])
    words = r"flow 'unknown' has no parameter 'ragion'\. Did you mean 'region'\? Its parameters: 'region'"
    with pytest.raises(ValueError, match=words):
        flow.run(ragion="DE")
    with pytest.raises(ValueError, match=words):
        flow.run(parameters={"ragion": "DE"})


def test_all_missing_parameters_are_named_at_once() -> None:
    flow = Flow("missing", tasks=[Parameter("b"), Parameter("a"), Parameter("c", default=1)])
    with pytest.raises(ValueError, match=r"needs a value for: a, b\. Give it: flow\.run\(a=\.\.\., b=\.\.\.\)"):
        flow.run(c=2)


# -- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-22", dt.datetime(2026, 11, 22, tzinfo=UTC)),
        ("20261122", dt.datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T10:30", dt.datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("2026-11-22 10:30:15", dt.datetime(2026, 11, 22, 10, 30, 15, tzinfo=UTC)),
        ("2026-11-22T10:30:15.5", dt.datetime(2026, 11, 22, 10, 30, 15, 500_000, tzinfo=UTC)),
        ("2026-11-22T10:30:15.123456789Z", dt.datetime(2026, 11, 22, 10, 30, 15, 123_456, tzinfo=UTC)),
        ("2026-11-22T10:30:00z", dt.datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("2026-11-22T10:30:00+01:00", dt.datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        ("2026-11-22T10:30:00-0530", dt.datetime(2026, 11, 22, 16, 0, tzinfo=UTC)),
        ("20261122T103000Z", dt.datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        (" 2026-11-22 ", dt.datetime(2026, 11, 22, tzinfo=UTC)),
        (dt.date(2026, 11, 22), dt.datetime(2026, 11, 22, tzinfo=UTC)),
        (dt.datetime(2026, 11, 22, 10), dt.datetime(2026, 11, 22, 10, tzinfo=UTC)),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_a_date_parameter_gives_a_moment_with_a_time_zone(text: Any, wanted: dt.datetime) -> None:
    moment = given(DateTimeParameter("when"), when=text)
    assert moment == wanted
    assert moment.tzinfo is not None


def test_a_time_zone_that_is_given_stays() -> None:
    moment = given(DateTimeParameter("when"), when="2026-11-22T10:30:00+01:00")
    assert moment.utcoffset() == dt.timedelta(hours=1)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-13-01", "2026-02-30", "2026-11-22T25:00", "22.11.2026", "2026-11-22T10:30+99:00", 7]
)
def test_what_is_no_date_fails_the_parameter(text: Any) -> None:
    when = DateTimeParameter("when")
    state = Flow("dates", tasks=[when]).run(when=text).result[when]
    assert state.is_failed()
    assert f"Parameter 'when' got {text!r}, which is not an ISO date. Write it like 2026-11-22" in state.message
    assert moment_of(str(text)) is None


def test_a_date_parameter_is_required_unless_it_says_otherwise_or_has_a_default() -> None:
    with pytest.raises(ValueError, match="needs a value for: when"):
        given(DateTimeParameter("when"))
    assert given(DateTimeParameter("when", required=False)) is None
    assert given(DateTimeParameter("when"), when=None) is None
    assert given(DateTimeParameter("when", default="2026-11-22")) == dt.datetime(2026, 11, 22, tzinfo=UTC)
    assert DateTimeParameter("when", None, False, ["a"]).tags == {"a"}


# -- keeping ---------------------------------------------------------------------------------------------------------


def test_parameters_survive_pickle() -> None:
    x = Parameter("x", tags=["a"])
    again = cloudpickle.loads(cloudpickle.dumps(x))
    assert (again.name, again.slug, again.required, again.tags) == ("x", "x", True, {"a"})
    assert pickle.loads(pickle.dumps(no_default)) is no_default
    assert repr(no_default) == "no default"
