"""Branching for each element."""

from flowbook import Flow, apply_map, case, task
from flowbook.tasks.control_flow import merge
from flowbook.tasks.control_flow.filter import FilterTask


@task
def is_large(x):
    return x > 10


@task
def shrink(x):
    return x - 10


@task
def grow(x):
    return x + 10


def adjust(x):
    with case(is_large(x), True):
        small = shrink(x)
    with case(is_large(x), False):
        large = grow(x)
    return merge(small, large)


only_large = FilterTask(filter_func=lambda x: x > 10, log_func=lambda x: f"left out: {x}")

with Flow("each its own way") as flow:
    adjusted = apply_map(adjust, [1, 20, 5, 11])
    filtered = only_large(adjusted)

state = flow.run()
assert state.is_successful()
assert state.result[adjusted].result == [11, 10, 15, 1]
assert state.result[filtered].result == [11, 15]
