"""Building flows in other ways, putting them together, looking at them."""

from flowbook import Flow, Task, task
from flowbook.core import Edge


@task
def number():
    return 4


@task
def square(x):
    return x * x


class Print(Task):
    def run(self, x):
        return str(x)


flow = Flow("edges")
show = Print()
flow.add_edge(number, square, key="x")
edge = flow.add_edge(upstream_task=square, downstream_task=show, key="x")
assert edge in flow.edges
assert edge == Edge(square, show, key="x")
assert [t.name for t in flow.sorted_tasks()] == ["number", "square", "Print"]
assert flow.run().result[show].result == "16"

tail = Flow("tail")
a, b, c = Task(name="a"), Task(name="b"), Task(name="c")
tail.chain(a, b, c)
tail.set_dependencies(task=c, upstream_tasks=[a])
assert len(tail.edges) == 3

flow.update(tail)
assert {t.name for t in flow.tasks} == {"number", "square", "Print", "a", "b", "c"}
assert len(flow.edges) == 5
copy = flow.copy()
assert copy == flow
copy.add_task(Task(name="more"))
assert copy != flow

for broken in (
    lambda: Flow(),
    lambda: Flow(""),
    lambda: flow.add_edge(a, a),
    lambda: flow.add_edge(a, square, key="not a name"),
):
    try:
        broken()
    except (TypeError, ValueError):
        pass
    else:
        raise AssertionError(broken)

tail.add_edge(c, a)
try:
    tail.run()
except ValueError as error:
    assert "Cycle found" in str(error)
else:
    raise AssertionError("a cycle was run")
