"""What a body can ask about its run."""

import datetime

import flowbook
from flowbook import Flow, Parameter, task


@task(name="ask me", tags=["curious"])
def ask():
    context = flowbook.context
    return {
        "flow": context.flow_name,
        "task": context["task_name"],
        "tags": set(context.get("task_tags")),
        "parameters": dict(context.parameters),
        "nothing": context.get("nothing"),
        "mine": context.get("mine"),
        "today": context.today,
        "yesterday": context.yesterday,
        "nodash": context.tomorrow_nodash,
        "run": context.flow_run_name,
        "count": context.task_run_count,
        "date": context.date,
    }


with Flow("context") as flow:
    Parameter("city")()
    asked = ask()

with flowbook.context(mine=1):
    known = (
        flow.run(city="Delft", context={"date": datetime.datetime(2026, 3, 1)}, flow_run_name="first")
        .result[asked]
        .result
    )
assert known["flow"] == "context"
assert known["task"] == "ask me"
assert known["tags"] == {"curious"}
assert known["parameters"] == {"city": "Delft"}
assert known["nothing"] is None
assert known["mine"] == 1
assert (known["yesterday"], known["today"], known["nodash"]) == ("2026-02-28", "2026-03-01", "20260302")
assert known["run"] == "first"
assert known["count"] == 1
assert flowbook.context.get("mine") is None

with flowbook.context(x=1):
    with flowbook.context(dict(x=2), y=3):
        assert (flowbook.context.x, flowbook.context.y) == (2, 3)
    assert flowbook.context.x == 1
    assert "y" not in flowbook.context
