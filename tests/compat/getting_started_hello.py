"""A first task, run in a flow, prints."""

from flowbook import Flow, task


@task
def say_hello():
    print("Hello, world!")
    return "said"


with Flow("hello") as flow:
    hello = say_hello()

state = flow.run()
assert state.is_successful()
assert state.result[hello].result == "said"
assert state.message == "All reference tasks succeeded."
