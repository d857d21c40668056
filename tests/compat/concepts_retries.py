"""Failing attempts are repeated."""

import datetime

import flowbook
from flowbook import Flow, task
from flowbook.engine.state import Retrying

seen = []


def watch(task, old, new):
    if isinstance(new, Retrying):
        seen.append(new.run_count)


@task(max_retries=3, retry_delay=datetime.timedelta(milliseconds=10), state_handlers=[watch])
def flaky():
    if flowbook.context.task_run_count < 3:
        raise ConnectionError("not yet")
    return flowbook.context.task_run_count


@task(max_retries=2, retry_delay=datetime.timedelta(0), retry_on=[OSError])
def only_os_errors(error):
    seen.append(type(error).__name__)
    raise error


with Flow("retries") as flow:
    reached = flaky()
    often = only_os_errors(ConnectionError("x"))
    once = only_os_errors(KeyError("y"))

state = flow.run()
assert state.result[reached].result == 3
assert seen.count("ConnectionError") == 3
assert seen.count("KeyError") == 1
assert state.result[often].is_failed() and state.result[once].is_failed()
assert len([count for count in seen if isinstance(count, int)]) == 2

for wrong in ({"max_retries": 1}, {"retry_delay": datetime.timedelta(1)}):
    try:
        task(lambda: 1, **wrong)
    except ValueError:
        pass
    else:
        raise AssertionError(wrong)
