"""Pictures of a flow, before and after it ran."""

from flowbook import Flow, Parameter, task


@task
def add(x, y):
    return x + y


with Flow("picture") as flow:
    x = Parameter("x")
    total = add(x, 1)
    add(total, total * 2)

graph = flow.visualize(filename="flow", format="dot")
assert "add" in graph.source
state = flow.run(x=1)
coloured = flow.visualize(flow_state=state, filename="coloured", format="dot")
assert "#28a745" in coloured.source
