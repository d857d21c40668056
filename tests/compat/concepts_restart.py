"""Going on from the states of an earlier run, and errors that come out of a run."""

import threading

from flowbook import Flow, task
from flowbook.engine.state import Success
from flowbook.utilities.debug import is_serializable, raise_on_exception

runs = []


@task
def expensive():
    runs.append("expensive")
    return 5


@task
def fragile(x):
    runs.append("fragile")
    if len(runs) < 3:
        raise RuntimeError("not yet")
    return x + 1


with Flow("restart") as flow:
    first = expensive()
    second = fragile(first)

state = flow.run()
assert state.is_failed()
kept = {task: state for task, state in state.result.items() if state.is_successful()}
state = flow.run(task_states=kept)
assert state.is_successful()
assert state.result[second].result == 6
assert runs == ["expensive", "fragile", "fragile"]
assert flow.run(task_states={first: Success(result=10)}).result[second].result == 11

runs.clear()
try:
    with raise_on_exception():
        flow.run()
except RuntimeError as error:
    assert str(error) == "not yet"
else:
    raise AssertionError("nothing was raised")

assert is_serializable(lambda x: x)
assert not is_serializable(threading.Lock())
