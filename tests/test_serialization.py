"""Serialisation: values as JSON, and the structure of a flow as a document with a stable hash."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook import Edge, Flow, Parameter, Task, task, triggers
from flowbook.errors import CycleError
from flowbook.schedules import CronSchedule, IntervalSchedule, RRuleSchedule, Schedule, adjustments, clocks, filters
from flowbook.serialization import NotCarried, decoded, encoded

UTC = dt.timezone.utc

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.integers() | st.sampled_from(["$set", "$type"]), inner)
        | st.frozensets(st.integers() | st.text())
    ),
)


@given(PLAIN)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    text = json.dumps(encoded(value), allow_nan=False)
    back = decoded(json.loads(text))
    assert back == value
    assert type(back) is type(value)


def test_numbers_that_json_does_not_know_come_back() -> None:
    assert str(decoded(encoded([float("nan"), float("inf")]))) == "[nan, inf]"


def test_what_goes_round_in_circles_or_too_deep_is_told() -> None:
    circle: list[Any] = [1]
    circle.append(circle)
    assert isinstance(decoded(encoded(circle))[1], NotCarried)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert encoded(deep)["$type"] == "list"
    while deep:
        deep = deep.pop()  # taken apart here: Python itself goes too deep when it frees it at once


class Money(int):
    """A number that is more than a number."""


def test_a_subclass_of_a_plain_type_is_not_passed_off_as_plain() -> None:
    assert encoded(Money(3), in_words=False) == {"$type": f"{__name__}.Money"}


# -- flows -------------------------------------------------------------------------------------------------------------


@task(tags=["b", "a"], max_retries=2, retry_delay=dt.timedelta(minutes=1), timeout=5)
def load(path: str, limit: int = 10) -> list[dict[str, Any]]:
    return []


@task(trigger=triggers.any_failed, skip_on_upstream_skip=False)
def report(rows: Any, options: Any = None) -> None: ...


def built(*, backwards: bool = False, **changes: Any) -> Flow:
    """Return a flow, with its tasks and edges added in one order or the other."""
    path = Parameter("path", default=changes.get("default", "data.csv"))
    loaded = load.copy()
    reported = report.copy()
    loaded.max_retries = changes.get("max_retries", 2)
    tasks = [path, loaded, reported]
    edges = [Edge(path, loaded, key="path"), Edge(loaded, reported, key="rows", mapped=changes.get("mapped", False))]
    if backwards:
        tasks, edges = tasks[::-1], edges[::-1]
    flow = Flow(changes.get("name", "etl"), tasks=tasks, edges=edges)
    reported.bind(
        options=changes.get("options", {"x": {1, 2, 3}}), rows=loaded, flow=flow, mapped=changes.get("mapped", False)
    )
    if "reference" in changes:
        flow.set_reference_tasks([loaded])
    return flow


def test_the_document_of_a_flow_has_its_structure() -> None:
    document = built().serialize()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert list(document) == ["type", "format", "name", "tasks", "edges", "parameters", "reference_tasks", "schedule"]
    assert document["edges"] == [
        {"upstream": "load-a-b-1", "downstream": "report-1", "key": "rows", "mapped": False, "flattened": False},
        {"upstream": "path", "downstream": "load-a-b-1", "key": "path", "mapped": False, "flattened": False},
    ]
    assert document["parameters"] == [
        {"name": "path", "slug": "path", "required": False, "default": "data.csv", "type": "str"}
    ]
    assert document["reference_tasks"] == ["report-1"]
    first = document["tasks"][0]
    assert (first["slug"], first["tags"], first["retry_delay"], first["timeout"]) == ("load-a-b-1", ["a", "b"], 60.0, 5)
    assert first["inputs"] == {"path": {"type": "str", "required": True}, "limit": {"type": "int", "required": False}}
    assert first["outputs"] == "list[dict[str, Any]]"
    assert document["tasks"][2]["trigger"] == "any_failed"
    assert document["tasks"][2]["constants"] == {"options": {"x": {"$set": [1, 2, 3]}}}


def test_nothing_of_this_machine_or_this_process_is_in_it() -> None:
    with Flow("values") as flow:
        report(object(), options=[lambda: None, sys.stdout])
        report.map([object(), object()])
    text = json.dumps(flow.serialize())
    assert "0x" not in text
    assert "/" not in text
    assert sys.version.split()[0] not in text


def test_the_hash_does_not_depend_on_the_order_of_adding() -> None:
    assert built().serialized_hash() == built(backwards=True).serialized_hash() == built().serialized_hash(build=True)
    assert built().serialize(build=True) == built(backwards=True).serialize()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"max_retries": 3},
        {"mapped": True},
        {"options": 5},
        {"options": "x" * 5000},
        {"default": "other.csv"},
        {"reference": True},
    ],
)
def test_the_hash_changes_with_the_structure(change: dict[str, Any]) -> None:
    assert built(**change).serialized_hash() != built().serialized_hash()
    assert built(**change).serialized_hash() == built(**change).serialized_hash()


def test_a_long_constant_stands_by_its_digest() -> None:
    one, other = (built(options=["x" * 5000, number]).serialize()["tasks"][2]["constants"] for number in (1, 2))
    assert one["options"]["$type"] == "list"
    assert len(one["options"]["digest"]) == 64
    assert one != other


def test_the_hash_is_the_same_in_every_process() -> None:
    code = """
from flowbook import Flow, Parameter, task, triggers
@task(tags={"a", "b", "c", "d"}, trigger=triggers.some_failed(at_least=2))
def f(x, y=frozenset({"a", "b", "c"})): return x
with Flow("f") as flow:
    f(f({"k": {"b", "a", "c", "d"}}), y={Parameter("p", default={"x", "y", "z"})})
print(flow.serialized_hash())
"""
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in "0123"
    }
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == 64


def test_the_bounds_of_a_trigger_count() -> None:
    def hashed(trigger: Any) -> str:
        return Flow("bounds", tasks=[Task("one", trigger=trigger)]).serialized_hash()

    assert hashed(triggers.some_failed(at_least=1)) != hashed(triggers.some_failed(at_least=2))
    assert hashed(triggers.some_failed(at_least=1)) == hashed(triggers.some_failed(at_least=1))
    assert Flow("own", tasks=[Task("one", trigger=lambda upstream: True)]).serialize()["tasks"][0]["trigger"] == (
        "test_the_bounds_of_a_trigger_count.<locals>.<lambda>"
    )


def test_a_flow_with_a_circle_has_no_document() -> None:
    flow = Flow("circle")
    one, two = Task("one"), Task("two")
    flow.chain(one, two, one)
    with pytest.raises(CycleError):
        flow.serialize()


@pytest.mark.filterwarnings("ignore:schedule of flow")
@pytest.mark.parametrize(
    "schedule",
    [
        IntervalSchedule(interval=dt.timedelta(hours=1), start_date=dt.datetime(2026, 11, 22, tzinfo=UTC)),
        CronSchedule("0 9 * * 1"),
        Schedule(
            clocks=[
                clocks.DatesClock([dt.datetime(2026, 11, 22, tzinfo=UTC)], parameter_defaults={"x": 1}, labels=["a"]),
                clocks.CronClock("5 * * * *"),
            ],
            filters=[filters.is_weekday, filters.between_times(dt.time(9), dt.time(17))],
            adjustments=[adjustments.next_weekday],
        ),
    ],
)
def test_the_schedule_is_in_the_document(schedule: Schedule) -> None:
    def document() -> Any:
        return Flow("scheduled", schedule=schedule).serialize()["schedule"]

    text = json.dumps(document(), allow_nan=False)
    assert text == json.dumps(document())
    assert "Clock" in text
    assert "0x" not in text
    assert document() is not None
    assert Flow("scheduled", schedule=schedule).serialized_hash() != Flow("scheduled").serialized_hash()


@pytest.mark.filterwarnings("ignore:schedule of flow")
def test_dates_and_rules_of_clocks_are_in_the_document() -> None:
    from dateutil.rrule import DAILY, rrule

    days = [dt.datetime(2026, 11, day, tzinfo=UTC) for day in (22, 23)]
    one, other = (Flow("dates", schedule=Schedule([clocks.DatesClock([day])])).serialized_hash() for day in days)
    assert one != other
    ruled = Flow("rule", schedule=RRuleSchedule(rrule(DAILY, dtstart=days[0].replace(tzinfo=None)))).serialize()
    assert "FREQ=DAILY" in json.dumps(ruled["schedule"])
