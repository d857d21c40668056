"""A task that loops: the next number of a row, until it is large enough."""

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.engine.signals import LOOP


@task
def fibonacci(limit):
    last, this = flowbook.context.get("task_loop_result", (0, 1))
    if this > limit:
        return last
    raise LOOP(message=f"now {this}", result=(this, last + this))


@task
def count_pages():
    pages = flowbook.context.get("task_loop_result", [])
    pages = pages + [f"page {flowbook.context.task_loop_count}"]
    if flowbook.context.task_loop_count < 50:
        raise LOOP(result=pages)
    return pages


with Flow("loop") as flow:
    found = fibonacci(Parameter("limit", default=100))
    pages = count_pages()

state = flow.run()
assert state.result[found].result == 89
assert len(state.result[pages].result) == 50
assert flow.run(limit=1000).result[found].result == 987
