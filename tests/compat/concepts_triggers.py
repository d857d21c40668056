"""When a task may run, from the states above it."""

import flowbook
from flowbook import Flow, task, triggers
from flowbook.engine.state import TriggerFailed
from flowbook.engine.signals import SKIP


@task
def fine():
    return 1


@task
def broken():
    raise RuntimeError("no")


@task
def left_out():
    raise SKIP("nothing to do")


def run_after(trigger, *upstream, **options):
    @task(trigger=trigger, **options)
    def after():
        return "ran"

    with Flow("triggers") as flow:
        result = after(upstream_tasks=[one() for one in upstream])
    return flow.run().result[result]


assert run_after(triggers.all_successful, fine, fine).result == "ran"
refused = run_after(triggers.all_successful, fine, broken)
assert isinstance(refused, TriggerFailed)
assert refused.message == 'Trigger was "all_successful" but some of the upstream tasks failed.'
assert run_after(triggers.all_failed, broken, broken).result == "ran"
assert run_after(triggers.any_failed, fine, broken).result == "ran"
assert run_after(triggers.any_successful, fine, broken).result == "ran"
assert isinstance(run_after(triggers.any_failed, fine, fine), TriggerFailed)
assert run_after(triggers.all_finished, fine, broken).result == "ran"
assert run_after(triggers.always_run, broken).result == "ran"
assert run_after(triggers.some_failed(at_least=1, at_most=2), fine, broken).result == "ran"
assert run_after(triggers.some_successful(at_least=0.5), fine, broken).result == "ran"

assert run_after(triggers.all_finished, left_out).is_skipped()
assert run_after(triggers.all_finished, left_out, skip_on_upstream_skip=False).result == "ran"
assert run_after(triggers.not_all_skipped, left_out, fine, skip_on_upstream_skip=False).result == "ran"


def only_if_two(upstream_states):
    if len(upstream_states) != 2:
        raise flowbook.engine.signals.SKIP("not two")
    return all(state.is_successful() for state in upstream_states.values())


assert run_after(only_if_two, fine, fine).result == "ran"
assert run_after(only_if_two, fine).is_skipped()
