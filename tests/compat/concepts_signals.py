"""A body says by a signal how its run shall go on."""

import datetime

import flowbook
from flowbook import Flow, task
from flowbook.engine import signals
from flowbook.engine.state import Failed, Skipped, Success


@task
def choose(what):
    try:
        if what == "skip":
            raise signals.SKIP("left out", result=None)
        if what == "fail":
            raise signals.FAIL("no good")
        if what == "early":
            raise signals.SUCCESS("early", result=7)
    except Exception:
        return "swallowed"
    return "usual"


with Flow("signals") as flow:
    skipped, failed, early, usual = (choose(what) for what in ("skip", "fail", "early", "usual"))
    below = choose("usual", upstream_tasks=[skipped])

state = flow.run()
assert state.is_failed()
assert isinstance(state.result[skipped], Skipped)
assert isinstance(state.result[failed], Failed)
assert state.result[failed].message == "no good"
assert isinstance(state.result[failed].result, signals.FAIL)
assert state.result[early] == Success(result=7)
assert state.result[usual].result == "usual"
assert state.result[below].is_skipped()


@task
def poll():
    if flowbook.context.task_run_count < 3:
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=20)
        raise signals.RETRY("not yet", start_time=soon)
    return flowbook.context.task_run_count


with Flow("polling") as flow:
    polled = poll()
assert flow.run().result[polled].result == 3

assert isinstance(signals.signal_from_state(Failed("x")), signals.FAIL)
