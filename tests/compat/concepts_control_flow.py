"""Branches that are taken or not, and how they come together."""

from flowbook import Flow, Parameter, case, task
from flowbook.tasks.control_flow import ifelse, merge, switch


@task
def is_even(x):
    return x % 2 == 0


@task
def half(x):
    return x // 2


@task
def triple_plus_one(x):
    return 3 * x + 1


@task
def label(text):
    return text


with Flow("branch") as flow:
    x = Parameter("x")
    even = is_even(x)
    with case(even, True):
        halved = half(x)
        halved_again = half(halved)
    with case(even, False):
        tripled = triple_plus_one(x)
    result = merge(halved_again, tripled)
    shown = label(result)

state = flow.run(x=12)
assert state.result[result].result == 3
assert state.result[shown].result == 3
assert state.result[tripled].is_skipped()
state = flow.run(x=5)
assert state.result[result].result == 16
assert state.result[halved].is_skipped() and state.result[halved_again].is_skipped()
assert state.is_successful()

with Flow("switch") as flow:
    size = Parameter("size")
    small, large = label("small one"), label("large one")
    switch(size, {"s": small, "l": large})
    which = merge(small, large)
assert flow.run(size="l").result[which].result == "large one"
assert flow.run(size="s").result[which].result == "small one"
neither = flow.run(size="xl")
assert neither.result[which].is_skipped()

with Flow("if") as flow:
    wanted = Parameter("wanted")
    yes, no = label("yes"), label("no")
    ifelse(wanted, yes, no)
    answer = merge(yes, no)
assert flow.run(wanted=[1]).result[answer].result == "yes"
assert flow.run(wanted=[]).result[answer].result == "no"
