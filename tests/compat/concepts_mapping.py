"""One task over many values: chains, several lists, one value for all, and back to one."""

from flowbook import Flow, Parameter, mapped, task, unmapped
from flowbook.engine.state import Mapped


@task
def plus(x, y=10):
    return x + y


@task
def times(x, factor):
    return x * factor


@task
def total(values):
    return sum(values)


@task
def numbers(n):
    return list(range(n))


with Flow("map") as flow:
    found = numbers(Parameter("n", default=4))
    more = plus.map(found)
    more_again = plus.map(more, y=[1, 2, 3])
    scaled = times.map(more, factor=unmapped(2))
    also = times(mapped(found), 3)
    constant = plus.map(x=[1, 2], y=unmapped(found[0]))
    summed = total(scaled)

state = flow.run()
assert state.is_successful()
assert isinstance(state.result[more], Mapped)
assert state.result[more].result == [10, 11, 12, 13]
assert [child.result for child in state.result[more].map_states] == [10, 11, 12, 13]
assert state.result[more].n_map_states == 4
assert state.result[more_again].result == [11, 13, 15]
assert state.result[scaled].result == [20, 22, 24, 26]
assert state.result[also].result == [0, 3, 6, 9]
assert state.result[constant].result == [1, 2]
assert state.result[summed].result == 92

state = flow.run(n=0)
assert state.result[more].result == []
assert state.result[summed].result == 0
