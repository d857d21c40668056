"""Lists of lists, mapped over as one."""

from flowbook import Flow, apply_map, flatten, task, unmapped


@task
def nested():
    return [[1, 2], [3], []]


@task
def repeat(x):
    return [x] * x


@task
def plus(x, y):
    return x + y


@task
def total(values):
    return sum(values)


with Flow("flat") as flow:
    added = plus.map(flatten(nested()), y=unmapped(100))
    repeated = repeat.map([1, 2, 3])
    each = plus.map(x=flatten(repeated), y=unmapped(0))
    summed = total(flatten(repeated))

state = flow.run()
assert state.result[added].result == [101, 102, 103]
assert state.result[each].result == [1, 2, 2, 3, 3, 3]
assert state.result[summed].result == 14


def steps(x, y):
    first = plus(x, y)
    return plus(first, 1)


with Flow("several steps for each") as flow:
    results = apply_map(steps, [1, 2, 3], unmapped(10))
    nothing = total(results)
state = flow.run()
assert state.result[results].result == [12, 13, 14]
assert state.result[nothing].result == 39
