"""Parameters: required, with defaults, by context, dates, and what is refused."""

import datetime

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.core.parameter import DateTimeParameter


@task
def line(city, days, when):
    return f"{city} {days} {when:%Y-%m-%d}"


with Flow("weather") as flow:
    city = Parameter("city")
    days = Parameter("days", default=3)
    when = DateTimeParameter("when", default="2026-01-02T03:04:05", required=False)
    text = line(city, days, when)

assert {p.name for p in flow.parameters()} == {"city", "days", "when"}
assert {p.name for p in flow.parameters() if p.required} == {"city"}

assert flow.run(city="Delft").result[text].result == "Delft 3 2026-01-02"
assert flow.run(parameters={"city": "Leiden", "days": 1}).result[text].result == "Leiden 1 2026-01-02"
state = flow.run(city="Delft", when="2026-05-06")
assert state.result[text].result == "Delft 3 2026-05-06"
assert state.result[when].result.tzinfo is not None
assert isinstance(state.result[when].result, datetime.datetime)

with flowbook.context(parameters={"city": "Gouda"}):
    assert flow.run().result[text].result.startswith("Gouda")

for wrong in ({}, {"city": "Delft", "dayz": 1}):
    try:
        flow.run(parameters=wrong)
    except ValueError as error:
        assert "city" in str(error) or "dayz" in str(error)
    else:
        raise AssertionError(wrong)

with Flow("items") as flow:
    settings = Parameter("settings", default={"limit": 10})
    doubled = settings["limit"] * 2
assert flow.run().result[doubled].result == 20
assert flow.run(settings={"limit": 4}).result[doubled].result == 8
