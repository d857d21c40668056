"""What a task may return and take: several results, collections, constants, items, operators."""

from typing import Dict, Tuple

from flowbook import Flow, Task, as_task, task
from flowbook.tasks.core.constants import Constant
from flowbook.tasks.core.operators import GetAttr


@task(nout=2)
def split(pair):
    return pair[0], pair[1]


@task
def bounds(values) -> Tuple[int, int]:
    return min(values), max(values)


@task
def describe(data: Dict) -> dict:
    return {"rows": data["rows"], "total": sum(data["rows"])}


@task
def one():
    return 1


with Flow("data") as flow:
    a, b = split((3, 4))
    low, high = bounds([a, b, one()])
    made = describe({"rows": [a, b, 5]})
    total = made["total"]
    ratio = total / high
    compared = (a < b) & (b >= 4)
    imag = GetAttr()(Constant(1 + 2j), "imag")

state = flow.run()
assert state.is_successful()
assert (state.result[a].result, state.result[b].result) == (3, 4)
assert (state.result[low].result, state.result[high].result) == (1, 4)
assert state.result[total].result == 12
assert state.result[ratio].result == 3
assert state.result[compared].result is True
assert state.result[imag].result == 2.0

assert isinstance(as_task([1, 2]), Task)
assert isinstance(as_task([1, 2]), Constant)
assert one.run() == 1
assert bounds.nout == 2
