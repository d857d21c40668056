"""Testing: the body of a task, the shape of a flow, the states of a run."""

from flowbook import Edge, Flow, Parameter, task
from flowbook.engine.state import TriggerFailed


@task
def read(path):
    if not path.endswith(".csv"):
        raise ValueError("not a csv file")
    return [1, 2, 3]


@task
def total(rows):
    return sum(rows)


@task
def write(x):
    return f"wrote {x}"


with Flow("to be tested") as flow:
    path = Parameter("path")
    rows = read(path)
    summed = total(rows)
    written = write(summed)


def test_a_body():
    assert total.run([1, 2]) == 3


def test_the_shape():
    assert Edge(path, rows, key="path") in flow.edges
    assert Edge(rows, summed, key="rows") in flow.edges
    assert flow.root_tasks() == {path}
    assert flow.terminal_tasks() == {written}
    assert len(flow.tasks) == 4
    assert flow.all_upstream_edges()[summed] == {Edge(rows, summed, key="rows")}


def test_good_states():
    state = flow.run(path="x.csv")
    assert state.is_successful()
    assert state.result[written].result == "wrote 6"


def test_bad_states():
    state = flow.run(parameters={"path": "x.txt"})
    assert state.is_failed()
    assert isinstance(state.result[rows].result, ValueError)
    assert all(isinstance(state.result[one], TriggerFailed) for one in (summed, written))


def test_with_a_task_replaced():
    copy = flow.copy()
    copy.replace(rows, [10, 20])
    assert copy.run(path="x.csv").result[summed].result == 30


for test in (test_a_body, test_the_shape, test_good_states, test_bad_states, test_with_a_task_replaced):
    test()
