"""A task that takes too long."""

import time

from flowbook import Flow, task
from flowbook.engine.state import TimedOut


@task(timeout=1)
def slow():
    time.sleep(30)


@task
def after():
    return "never"


with Flow("slow") as flow:
    late = slow()
    below = after(upstream_tasks=[late])

begin = time.monotonic()
state = flow.run()
assert time.monotonic() - begin < 10
assert state.is_failed()
assert isinstance(state.result[late], TimedOut)
assert state.result[below].is_failed()
