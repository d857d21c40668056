"""Which tasks decide about the state of a flow."""

from flowbook import Flow, task
from flowbook.triggers import all_finished


@task
def work():
    raise ValueError("broken")


@task(trigger=all_finished)
def tidy_up():
    return "tidy"


with Flow("clean") as flow:
    worked = work()
    tidied = tidy_up(upstream_tasks=[worked])

assert flow.reference_tasks() == {tidied}
state = flow.run()
assert state.is_successful()
assert state.result[worked].is_failed()
assert isinstance(state.result[worked].result, ValueError)

flow.set_reference_tasks([worked])
state = flow.run()
assert state.is_failed()
assert state.message == "Some reference tasks failed."
assert state.result[tidied].result == "tidy"
