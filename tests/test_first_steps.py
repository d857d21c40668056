"""The first steps a newcomer takes, one test per step; the words and the order are those of the introduction."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import flowbook
from flowbook import Flow, Parameter, Task, task
from flowbook.edges import Edge


class AddTask(Task):
    """Add two numbers; the second one has a default that is chosen when the task is made."""

    def __init__(self, default: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default = default

    def run(self, x: int, y: int | None = None) -> int:
        if y is None:
            y = self.default
        return x + y


@pytest.fixture
def add() -> AddTask:
    return AddTask(default=1)


@pytest.fixture
def say_hello() -> Task:
    @task
    def say_hello(person: str) -> None:
        print(f"Hello, {person}!")

    return say_hello


# -- tasks -----------------------------------------------------------------------------------------------------------


def test_a_decorated_function_is_a_task_and_still_does_its_work(capsys: pytest.CaptureFixture[str]) -> None:
    @task
    def say_hello() -> None:
        print("Hello, world!")

    assert isinstance(say_hello, Task)
    assert say_hello.name == "say_hello"
    say_hello.run()
    assert capsys.readouterr().out == "Hello, world!\n"


def test_a_task_takes_inputs_with_defaults_and_gives_an_output() -> None:
    @task
    def add(x: Any, y: Any = 1) -> Any:
        return x + y

    assert add.run(1) == 2
    assert add.run(1, y=2) == 3
    assert {name: facts["required"] for name, facts in add.inputs().items()} == {"x": True, "y": False}


def test_annotations_tell_the_types_of_inputs_and_output(say_hello: Task) -> None:
    assert say_hello.inputs() == {"person": {"type": str, "required": True, "default": None}}
    assert say_hello.outputs() is type(None)


def test_a_task_class_has_to_be_made_an_instance_before_it_is_used(add: AddTask) -> None:
    assert add.name == "AddTask"
    assert add.run(x=1) == 2
    assert add.run(x=1, y=10) == 11


# -- flows -----------------------------------------------------------------------------------------------------------


def test_calling_tasks_inside_a_flow_runs_nothing_and_builds_a_graph(add: AddTask) -> None:
    with Flow("My first flow!") as flow:
        first_result = add(1, y=2)
        second_result = add(x=first_result, y=100)

    assert flow.tasks == {first_result, second_result}
    assert first_result is not add
    assert second_result is not first_result
    assert flow.edges == {Edge(first_result, second_result, key="x")}
    assert flow.constants == {first_result: {"x": 1, "y": 2}, second_result: {"y": 100}}


def test_the_state_of_a_run_tells_the_state_and_the_result_of_each_task(add: AddTask) -> None:
    with Flow("My first flow!") as flow:
        first_result = add(1, y=2)
        second_result = add(x=first_result, y=100)

    state = flow.run()

    assert state.is_successful()

    first_task_state = state.result[first_result]
    assert first_task_state.is_successful()
    assert first_task_state.result == 3

    second_task_state = state.result[second_result]
    assert second_task_state.is_successful()
    assert second_task_state.result == 103


def test_a_parameter_is_given_when_the_flow_is_run(say_hello: Task, capsys: pytest.CaptureFixture[str]) -> None:
    with Flow("Say hi!") as flow:
        name = Parameter("name")
        say_hello(name)

    assert flow.parameters() == {name}

    state = flow.run(name="Marvin")

    assert state.is_successful()
    assert "Hello, Marvin!" in capsys.readouterr().out


# -- the imperative API ----------------------------------------------------------------------------------------------


def test_a_flow_can_be_built_step_by_step_without_a_block(
    add: AddTask, say_hello: Task, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = Flow("My imperative flow!")

    # the tasks of the flow
    name = Parameter("name")
    second_add = add.copy()
    flow.add_task(add)
    flow.add_task(second_add)
    flow.add_task(say_hello)

    # say_hello waits for second_add, and takes nothing from it
    say_hello.set_upstream(second_add, flow=flow)

    # what each of them takes
    add.bind(x=1, y=2, flow=flow)
    second_add.bind(x=add, y=100, flow=flow)
    say_hello.bind(person=name, flow=flow)

    assert flow.tasks == {add, second_add, say_hello, name}
    assert flow.edges == {
        Edge(second_add, say_hello),
        Edge(add, second_add, key="x"),
        Edge(name, say_hello, key="person"),
    }

    state = flow.run(name="Marvin")

    assert state.is_successful()
    assert state.result[add].result == 3
    assert state.result[second_add].result == 103
    assert "Hello, Marvin!" in capsys.readouterr().out


def test_say_hello_does_not_run_before_the_task_it_waits_for(add: AddTask, say_hello: Task) -> None:
    flow = Flow("My imperative flow!")
    second_add = add.copy()
    say_hello.set_upstream(second_add, flow=flow)
    second_add.bind(x="not a number", y=100, flow=flow)
    say_hello.bind(person="Marvin", flow=flow)

    state = flow.run()

    assert state.is_failed()
    assert type(state.result[say_hello]).__name__ == "TriggerFailed"


def test_upstream_tasks_does_in_a_call_what_set_upstream_does(add: AddTask, say_hello: Task) -> None:
    with Flow("Functional") as flow:
        total = add(1, y=2)
        greeting = say_hello("Marvin", upstream_tasks=[total])

    assert flow.edges == {Edge(total, greeting)}


def test_a_block_can_take_over_where_the_imperative_api_left_off(add: AddTask, say_hello: Task) -> None:
    flow = Flow("Mixed")
    second_add = add.copy()
    for node in (add, second_add, say_hello):
        flow.add_task(node)
    say_hello.set_upstream(second_add, flow=flow)

    with flow:
        name = Parameter("name")
        add.bind(x=1, y=2)
        second_add.bind(x=add, y=100)
        say_hello.bind(person=name)

    assert flow.tasks == {add, second_add, say_hello, name}
    assert flow.run(name="Marvin").result[second_add].result == 103


def test_parts_are_reached_as_attributes_as_everyday_programs_do() -> None:
    program = (
        "import flowbook\n"
        "assert issubclass(flowbook.engine.state.Failed, flowbook.states.State)\n"
        "assert flowbook.engine.signals.SKIP is flowbook.signals.SKIP\n"
        "assert flowbook.core.Task is flowbook.Task\n"
        "assert flowbook.executors.LocalExecutor().name == 'local'\n"
        "assert flowbook.utilities.logging.get_logger('etl').name == 'flowbook.etl'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="Did you mean 'Flow'"):
        flowbook.Flwo  # noqa: B018 - looking it up is the test
