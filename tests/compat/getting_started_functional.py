"""Calling tasks on each other makes a graph; each call is a copy."""

from flowbook import Flow, task


@task
def add(x, y=1):
    return x + y


with Flow("sums") as flow:
    first = add(1, y=2)
    second = add(x=first, y=100)

assert first is not add
assert second is not first
assert flow.tasks == {first, second}

state = flow.run()
assert state.is_successful()
assert state.result[first].is_successful()
assert state.result[first].result == 3
assert state.result[second].result == 103
