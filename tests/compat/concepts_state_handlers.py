"""Handlers hear of each change of state, and may answer with another one."""

from flowbook import Flow, task
from flowbook.engine.state import Failed, Success

heard = []


def listen(task, old_state, new_state):
    heard.append((task.name, type(old_state).__name__, type(new_state).__name__))


def no_big_numbers(task, old_state, new_state):
    if new_state.is_successful() and new_state.result > 10:
        return Failed("too big", result=new_state.result)
    return new_state


def of_the_flow(flow, old_state, new_state):
    heard.append((flow.name, type(old_state).__name__, type(new_state).__name__))


failures = []


@task(state_handlers=[listen, no_big_numbers], on_failure=lambda task, state: failures.append(state.message))
def number(x):
    return x


with Flow("handled", state_handlers=[of_the_flow]) as flow:
    small = number(1)
    big = number(11)

state = flow.run()
assert state.is_failed()
assert state.result[small].is_successful()
assert state.result[big].is_failed()
assert state.result[big].message == "too big"
assert failures == ["too big"]
assert heard.count(("number", "Pending", "Running")) == 2
assert heard.count(("number", "Running", "Success")) == 2
assert [entry for entry in heard if entry[0] == "handled"] == [
    ("handled", "Pending", "Running"),
    ("handled", "Running", "Failed"),
]


def forgive(flow, state, reference_task_states):
    if state.is_failed() and len(reference_task_states) == 2:
        return Success("good enough")
    return None


with Flow("forgiving", terminal_state_handler=forgive) as flow:
    number(1)
    number(11)
state = flow.run()
assert state.is_successful()
assert state.message == "good enough"
