"""Forms: what a form or a command line sends becomes what parameters are, and a schema tells a form what to ask."""

from __future__ import annotations

import datetime as dt
import enum
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pandas as pd
import pytest
from pydantic import BaseModel, Field

from flowbook import Flow, Parameter, config, task
from flowbook.errors import FlowError, ParameterError, TypeMismatch
from flowbook.parameters import DateTimeParameter
from flowbook.redaction import hide
from flowbook.states import Success

UTC = dt.timezone.utc


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclass
class Point:
    x: int
    y: int = 0


class Options(TypedDict):
    depth: int


class Model(BaseModel):
    rate: Annotated[float, Field(gt=0)]


def flow_of(**types: Any) -> Flow:
    """Return a flow with a required parameter of each type."""
    return Flow("form", tasks=[Parameter(name, type=kind) for name, kind in types.items()])


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        (int, "3", 3),
        (int, 3, 3),
        (float, "3", 3.0),
        (float, "1e-3", 0.001),
        (bool, "true", True),
        (bool, "off", False),
        (str, "3", "3"),
        (str, "", ""),
        (int | None, "3", 3),
        (int | None, None, None),
        (list[int], "[1, 2]", [1, 2]),
        (list[int], ["1", 2], [1, 2]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (Literal["a", "b"], "a", "a"),
        (Colour, "red", Colour.RED),
        (Path, "data.csv", Path("data.csv")),
        (dt.date, "2026-11-22", dt.date(2026, 11, 22)),
        (dt.timedelta, "PT1H", dt.timedelta(hours=1)),
        (Point, '{"x": "1"}', Point(1)),
        (Point, {"x": 1, "y": 2}, Point(1, 2)),
        (Options, '{"depth": 2}', {"depth": 2}),
        (Model, '{"rate": 0.5}', Model(rate=0.5)),
        (int | float, "3", 3),
        (int | float, "3.5", 3.5),
    ],
)
def test_text_becomes_what_the_parameter_is(kind: Any, sent: Any, value: Any) -> None:
    read = flow_of(x=kind).parse_parameters({"x": sent})["x"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("sent", "value"), [("3", 3), ("[1, 2]", [1, 2]), ("null", None), ("data.csv", "data.csv"), ("'a", "'a"), (7, 7)]
)
def test_of_an_unknown_type_json_is_read_and_other_text_is_kept(sent: Any, value: Any) -> None:
    flow = Flow("form", tasks=[Parameter("x")])
    assert flow.parse_parameters({"x": sent}) == {"x": value}


def test_the_type_comes_from_the_tasks_that_take_the_parameter() -> None:
    @task
    def take(days: int, names: list[str]) -> None: ...

    with Flow("used") as flow:
        take(Parameter("days"), Parameter("names"))
    values = flow.parse_parameters({"days": "7", "names": '["a"]'})
    assert values == {"days": 7, "names": ["a"]}
    assert flow.run(values).is_successful()


def test_errors_name_each_parameter_its_value_and_its_type_at_once() -> None:
    flow = flow_of(days=int, point=Point, name=str)
    with pytest.raises(ParameterError) as caught:
        flow.parse_parameters({"days": "many", "point": '{"x": "left"}'})
    assert set(caught.value.problems) == {"days", "point", "name"}
    why = "input should be a valid integer, unable to parse string as an integer."
    assert str(caught.value).splitlines() == [
        "flow 'form' cannot take these parameters:",
        f"  parameter 'days' got 'many', which is not of type int: {why}",
        "  parameter 'name' needs a value: of type str.",
        f"  parameter 'point' got '{{\"x\": \"left\"}}', which is not of type Point: at x: {why}",
    ]
    assert isinstance(caught.value, ValueError)


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(FlowError, match=r"has no parameter 'dais'\. Did you mean 'days'\?"):
        flow_of(days=int).parse_parameters({"dais": 3})


def test_a_field_that_was_left_empty_is_not_given() -> None:
    flow = Flow("form", tasks=[Parameter("x", default=3), Parameter("name", default="Ford")])
    assert flow.parse_parameters({"x": " ", "name": ""}) == {"name": ""}
    with pytest.raises(ParameterError, match="parameter 'y' needs a value: any value"):
        Flow("form", tasks=[Parameter("y")]).parse_parameters({"y": ""})


def test_a_class_that_no_text_can_make_is_taken_from_python() -> None:
    flow = flow_of(table=pd.DataFrame)
    table = pd.DataFrame()
    assert flow.parse_parameters({"table": table})["table"] is table
    with pytest.raises(ParameterError, match="got 'a', which is not of type DataFrame: only Python code can give one"):
        flow.parse_parameters({"table": "a"})
    assert (
        flow.parameters_schema()["properties"]["table"]["description"] == "DataFrame, which only Python code can give"
    )


def test_dates_are_read_as_the_parameter_itself_reads_them() -> None:
    flow = Flow("daily", tasks=[DateTimeParameter("day"), DateTimeParameter("until", required=False)])
    day = dt.datetime(2026, 11, 22, tzinfo=UTC)
    assert flow.parse_parameters({"day": "20261122", "until": ""}) == {"day": day}
    assert flow.parse_parameters({"day": day, "until": None}) == {"day": day, "until": None}
    with pytest.raises(ParameterError, match=r"'day' got 'soon', which is not of type datetime: write it like 2026-11"):
        flow.parse_parameters({"day": "soon"})
    properties = flow.parameters_schema()["properties"]
    assert properties["day"] == {"type": "string", "format": "date-time", "title": "day"}


def test_the_schema_asks_for_each_parameter() -> None:
    tasks = [
        Parameter("days", default=7),
        Parameter("colour", type=Colour),
        Parameter("start", type=Point),
        Parameter("end", type=Point, required=False),
        Parameter("anything"),
        Parameter("day", default=dt.date(2026, 11, 22)),
        Parameter("odd", default=object()),
    ]
    schema = Flow("form", tasks=tasks).parameters_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["title"] == "form"
    assert schema["required"] == ["anything", "colour", "start"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert list(properties) == ["anything", "colour", "day", "days", "end", "odd", "start"]
    assert properties["days"]["default"] == 7
    assert {each["type"] for each in properties["days"]["anyOf"]} == {"integer", "number"}
    assert properties["anything"] == {"title": "anything"}
    assert properties["odd"] == {"title": "odd"}
    assert properties["day"] == {"type": "string", "format": "date", "title": "day", "default": "2026-11-22"}
    assert properties["colour"]["enum"] == ["red", "green"]
    assert properties["start"]["properties"]["x"]["type"] == "integer"


def test_shared_definitions_stand_in_one_place() -> None:
    schema = flow_of(points=list[Point], colour=Colour | None).parameters_schema()
    assert set(schema["$defs"]) == {"Point", "Colour"}
    assert schema["properties"]["points"]["items"] == {"$ref": "#/$defs/Point"}


def test_building_and_running_typed_flows_loads_no_pydantic() -> None:
    code = """
import sys
from flowbook import Flow, Parameter, task
@task
def double(x: int) -> int: return 2 * x
with Flow("typed") as flow: double(double(Parameter("x", type=int)))
assert flow.run(x=3).is_successful() and flow.edge_types()
print("pydantic" in sys.modules)
flow.parse_parameters({"x": "3"})
print("pydantic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_secret_value_is_in_no_error_and_a_secret_default_in_no_form() -> None:
    tasks = [Parameter("key", type=int, sensitive=True), Parameter("other", default="hush hush", sensitive=True)]
    flow = Flow("secret", tasks=tasks)
    for value in ("kept quiet", "abc"):
        with pytest.raises(ParameterError) as caught:
            flow.parse_parameters({"key": value})
        assert value not in str(caught.value)
        assert "parameter 'key' got ***, which is not of type int" in str(caught.value)
    for text in (json.dumps(flow.parameters_schema()), json.dumps(flow.serialize())):
        assert "hush" not in text
    with pytest.raises(TypeMismatch) as refused:
        Parameter("key", default="hush", type=int, sensitive=True)
    assert "hush" not in str(refused.value)
    config.flows.strict_types = True
    try:
        with pytest.raises(TypeMismatch) as refused:
            flow.run(key="abcd")
    finally:
        config.flows.strict_types = False
    assert "abcd" not in str(refused.value)


def test_a_secret_result_is_not_carried_by_json() -> None:
    secret = hide("open sesame")
    text = json.dumps(Success(f"said {secret}", result=[secret, f"{secret}!"]).serialize())
    assert "sesame" not in text
