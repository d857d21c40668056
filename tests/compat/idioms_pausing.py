"""A step that waits for a while, and a flow that goes on by itself."""

import datetime

import flowbook
from flowbook import Flow, task
from flowbook.engine import signals
from flowbook.engine.state import Paused
from flowbook.triggers import manual_only
from flowbook.utilities.tasks import pause_task


@task
def wait_a_moment():
    pause_task("a moment", duration=datetime.timedelta(milliseconds=50))
    return "waited"


@task
def wait_by_signal():
    if not flowbook.context.get("resume"):
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=50)
        raise signals.PAUSE("soon", start_time=soon)
    return "waited too"


with Flow("pausing") as flow:
    waited, by_signal = wait_a_moment(), wait_by_signal()
state = flow.run()
assert state.result[waited].result == "waited"
assert state.result[by_signal].result == "waited too"


@task(trigger=manual_only)
def approve():
    return "approved"


with Flow("approval") as flow:
    approved = approve()
assert isinstance(flow.run().result[approved], Paused)
assert flow.run(context={"resume": True}).result[approved].result == "approved"
