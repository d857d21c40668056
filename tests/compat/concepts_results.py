"""Where results are kept: places, templates, serializers."""

import datetime
import os

import flowbook
from flowbook import Flow, task
from flowbook.engine.results import ConstantResult, LocalResult, PrefectResult
from flowbook.engine.serializers import (
    CompressedSerializer,
    DateTimeSerializer,
    JSONSerializer,
    PickleSerializer,
)

# by itself
place = LocalResult(dir=os.getcwd(), location="{name}.pkl")
written = place.write({"a": 1}, name="first")
assert written.location.endswith("first.pkl")
assert place.exists("{name}.pkl", name="first")
assert place.read(written.location).value == {"a": 1}
assert not place.exists("second.pkl")
assert PrefectResult(location="[1, 2]").read("[1, 2]").value == [1, 2]
assert ConstantResult(value=5).value == 5

# serializers
for serializer, value in (
    (PickleSerializer(), {1, 2}),
    (JSONSerializer(), {"a": [1, None]}),
    (DateTimeSerializer(), datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)),
    (CompressedSerializer(PickleSerializer(), format="bz2"), [1] * 1000),
    (CompressedSerializer(JSONSerializer(), format="gzip"), [1] * 1000),
):
    assert serializer.deserialize(serializer.serialize(value)) == value
assert JSONSerializer() == JSONSerializer() != PickleSerializer()


# by tasks
@task(
    result=LocalResult(
        dir="kept", validate_dir=False, serializer=JSONSerializer(), location="{flow_name}/{task_name}.json"
    )
)
def rows():
    return [1, 2, 3]


@task(checkpoint=False)
def secret():
    return "not kept"


@task
def count(values):
    return len(values)


flowbook.config.flows.checkpointing = True
try:
    with Flow("etl", result=LocalResult(dir="rest", validate_dir=False)) as flow:
        read = rows()
        counted = count(read)
        secret()
    state = flow.run()
finally:
    flowbook.config.flows.checkpointing = None
assert state.is_successful()
with open("kept/etl/rows.json") as file:
    assert file.read().replace(" ", "") == "[1,2,3]"
assert state.result[read]._result.location.endswith("rows.json")
assert len([name for _, _, names in os.walk("rest") for name in names]) == 1
