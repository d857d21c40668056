"""Resources: set up before a block of tasks, cleaned up after it, and no judge of the flow."""

from __future__ import annotations

import pickle
from typing import Any, NoReturn

import pytest

import flowbook
from flowbook import Edge, Flow, Parameter, case, resource_manager, signals, task, triggers
from flowbook.errors import FlowError
from flowbook.states import Failed, Pending, Skipped, State, Success, TriggerFailed
from flowbook.tasks.core.resource_manager import (
    ResourceCleanupTask,
    ResourceInitTask,
    ResourceManager,
    ResourceSetupTask,
)

STORY: list[str] = []


@pytest.fixture(autouse=True)
def _story() -> None:
    STORY.clear()


class Writing:
    """A desk to write at."""

    def __init__(self, owner: str, broken: str = "") -> None:
        STORY.append(f"init {owner}")
        self.owner, self.broken = owner, broken
        if broken == "init":
            raise ValueError(broken)

    def setup(self) -> str:
        STORY.append("setup")
        if self.broken == "setup":
            raise ValueError(self.broken)
        if self.broken == "skip":
            raise signals.SKIP("no desk today")
        return f"desk of {self.owner}"

    def cleanup(self, desk: str) -> None:
        STORY.append(f"cleanup {desk}")
        if self.broken == "cleanup":
            raise ValueError(self.broken)


# As a decorator it works alike; but type checkers take no notice of what a decorator makes of a class.
Desk = resource_manager(name="Desk")(Writing)


@task
def write(desk: Any) -> str:
    STORY.append(f"write at {desk}")
    return "letter"


@task
def send(letter: str) -> str:
    STORY.append("send")
    return "sent"


@task
def fail(desk: Any) -> NoReturn:
    STORY.append("fail")
    raise ValueError("no ink")


def three(flow: Flow) -> tuple[Any, Any, Any]:
    """Return the tasks of the only resource."""
    kinds = (ResourceInitTask, ResourceSetupTask, ResourceCleanupTask)
    return tuple(next(iter(flow.get_tasks(task_type=kind)), None) for kind in kinds)  # type: ignore[return-value]  # three of them


def of(result: dict[Any, State], *tasks: Any) -> list[type[State]]:
    return [type(result[each]) for each in tasks]


# -- edges -----------------------------------------------------------------------------------------------------------


def test_a_resource_is_three_tasks_around_a_block() -> None:
    with Flow("desk") as flow:
        who = Parameter("who", default="Marvin")
        with Desk(who) as desk:
            letter = write(desk)
            sent = send(letter)
            other = task(lambda: 1, name="other")()
        after = send(sent)
    init, setup, cleanup = three(flow)
    assert [each.name for each in (init, setup, cleanup)] == ["Desk", "Desk.setup", "Desk.cleanup"]
    assert desk is setup
    assert flow.edges == {
        Edge(who, init, "owner"),
        Edge(init, setup, "mgr"),
        Edge(setup, letter, "desk"),
        Edge(letter, sent, "letter"),
        Edge(setup, other),
        Edge(init, cleanup, "mgr"),
        Edge(setup, cleanup, "resource"),
        Edge(sent, cleanup),
        Edge(other, cleanup),
        Edge(sent, after, "letter"),
    }
    assert flow.reference_tasks() == {after, other}
    assert list(flow.nodes)[-2:] == [cleanup, after]


def test_an_empty_block_is_set_up_and_cleaned_up() -> None:
    with Flow("empty") as flow, Desk("Marvin"):
        pass
    assert states(flow)
    assert STORY == ["init Marvin", "setup", "cleanup desk of Marvin"]


def states(flow: Flow, **options: Any) -> dict[Any, State]:
    result: dict[Any, State] = flow.run(show=False, **options).result
    return result


def test_names_and_options_of_the_three_tasks_can_be_given() -> None:
    made = resource_manager(
        name="table",
        init_task_kwargs={"tags": ["init"]},
        setup_task_kwargs={"name": "lay", "max_retries": 0},
        cleanup_task_kwargs={"tags": ["clean"]},
    )(Writing)
    with Flow("options") as flow, made("Marvin"):
        pass
    init, setup, cleanup = three(flow)
    assert [each.name for each in (init, setup, cleanup)] == ["table", "lay", "table.cleanup"]
    assert (init.tags, setup.tags, cleanup.tags) == ({"init"}, set(), {"clean"})
    assert (setup.checkpoint, cleanup.checkpoint) == (False, False)


def test_a_manager_looks_like_its_class() -> None:
    made: Any = resource_manager(Writing)
    assert (made.__doc__, made.__name__, repr(made)) == ("A desk to write at.", "Writing", "<ResourceManager: Writing>")
    assert flowbook.resource_manager is resource_manager


def test_what_cannot_manage_a_resource_is_refused() -> None:
    class Bare:
        def setup(self) -> None: ...

    class Many:
        def __init__(self, *things: Any) -> None: ...
        def cleanup(self, resource: Any) -> None: ...

    with pytest.raises(TypeError, match=r"Bare.* cannot manage a resource: .* cleanup\(self, resource\)"):
        resource_manager(Bare)
    with pytest.raises(ValueError, match=r"takes \*things"):
        resource_manager(Many)
    with pytest.raises(ValueError, match="cannot have checkpoint=True"):
        resource_manager(setup_task_kwargs={"checkpoint": True})(Writing)


def test_a_resource_needs_a_flow_and_arguments_that_fit() -> None:
    with pytest.raises(ValueError, match="no flow to use the resource of task 'Desk' in"):
        Desk("Marvin")
    with pytest.raises(TypeError, match="missing a required argument: 'owner'"), Flow("fit"):
        Desk()


def test_a_flow_can_be_given() -> None:
    flow = Flow("given")
    with Desk("Marvin", flow=flow) as desk:
        write.copy().bind(desk, flow=flow)
    states(flow)
    assert STORY == ["init Marvin", "setup", "write at desk of Marvin", "cleanup desk of Marvin"]


def test_a_block_has_tasks_of_one_flow_and_is_opened_once() -> None:
    other = Flow("other")
    with Flow("once") as flow:
        block = Desk("Marvin")
        with block as desk:
            with pytest.raises(ValueError, match=r"of flow 'other' was made inside with Desk\(\.\.\.\)"):
                write("desk", flow=other)
            write(desk)
        with pytest.raises(FlowError, match=r"was cleaned up at the end of its block\. Open a new one"):
            block.__enter__()
    assert len(flow.get_tasks(task_type=ResourceCleanupTask)) == 1


def test_a_block_that_breaks_off_is_not_cleaned_up_because_it_will_not_run() -> None:
    with Flow("broken") as flow:
        block = Desk("Marvin")
        with pytest.raises(TypeError), block:
            write()
        assert block.cleanup_task not in flow.nodes
        flow.add_task(block.cleanup_task)


# -- runs ------------------------------------------------------------------------------------------------------------


def test_a_resource_is_cleaned_up_after_all_tasks_of_its_block() -> None:
    with Flow("desk") as flow, Desk("Marvin") as desk:
        letter = write(desk)
        send(letter)
    state = flow.run(show=False)
    assert state.is_successful()
    assert STORY == ["init Marvin", "setup", "write at desk of Marvin", "send", "cleanup desk of Marvin"]


def test_a_resource_is_cleaned_up_when_a_task_inside_failed_or_was_skipped() -> None:
    with Flow("fails") as flow, Desk("Marvin") as desk:
        bad = fail(desk)
        after = send(bad)
        left_out = task(skip)(desk)
    state = flow.run(show=False)
    cleanup = three(flow)[2]
    assert of(state.result, bad, after, left_out, cleanup) == [Failed, TriggerFailed, Skipped, Success]
    assert state.is_failed()
    assert STORY[-1] == "cleanup desk of Marvin"


def skip(desk: Any) -> None:
    raise signals.SKIP


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("init", [Failed, TriggerFailed, TriggerFailed, Skipped]),
        ("setup", [Success, Failed, TriggerFailed, Skipped]),
        ("skip", [Success, Skipped, Skipped, Skipped]),
        ("cleanup", [Success, Success, Success, Failed]),
    ],
)
def test_nothing_is_cleaned_up_that_was_not_set_up(broken: str, expected: list[type[State]]) -> None:
    with Flow("broken") as flow, Desk("Marvin", broken=broken) as desk:
        letter = write(desk)
    state = flow.run(show=False)
    init, setup, cleanup = three(flow)
    assert of(state.result, init, setup, letter, cleanup) == expected
    assert state.is_failed() == (expected[2] is TriggerFailed)
    assert any(line.startswith("cleanup") for line in STORY) == (broken == "cleanup")


def test_a_resource_in_a_case_is_left_out_with_it() -> None:
    with Flow("case") as flow:
        with case(Parameter("wanted", default=False), True), Desk("Marvin") as desk:
            letter = write(desk)
        after = send(letter)
    result = states(flow)
    assert of(result, *three(flow), letter, after) == [Skipped] * 5
    assert STORY == []
    assert states(flow, wanted=True)[letter].is_successful()
    assert STORY[-2:] == ["cleanup desk of Marvin", "send"] or STORY[-2:] == ["send", "cleanup desk of Marvin"]


def test_a_case_in_a_resource_is_waited_for() -> None:
    with Flow("case") as flow, Desk("Marvin") as desk, case(Parameter("wanted", default=True), True):
        letter = write(desk)
        send(letter)
    states(flow)
    assert STORY[-2:] == ["send", "cleanup desk of Marvin"]
    states(flow, wanted=False)
    assert STORY[-2:] == ["setup", "cleanup desk of Marvin"]


def test_resources_nest() -> None:
    with Flow("nested") as flow, Desk("outer") as outer, Desk("inner") as inner:
        task(lambda a, b: STORY.append(f"use {a} and {b}"), name="use")(outer, inner)
    states(flow)
    assert STORY[-3:] == ["use desk of outer and desk of inner", "cleanup desk of inner", "cleanup desk of outer"]
    assert [each.name for each in flow.reference_tasks()] == ["use"]


def test_without_a_setup_the_manager_is_what_there_is() -> None:
    @resource_manager
    class Chair:
        def cleanup(self, resource: Any) -> None:
            STORY.append(f"cleanup {resource}")

    open_chair: Any = Chair
    with Flow("chair") as flow, open_chair() as chair:
        used = task(lambda: STORY.append("use"), name="use")()
    init, setup, cleanup = three(flow)
    assert chair is setup is None
    assert flow.edges == {Edge(init, used), Edge(init, cleanup, "mgr"), Edge(used, cleanup)}
    states(flow)
    assert STORY == ["use", "cleanup None"]


def test_setup_and_cleanup_may_be_coroutines() -> None:
    @resource_manager
    class Session:
        async def setup(self) -> str:
            return "session"

        async def cleanup(self, session: str) -> None:
            STORY.append(f"closed {session}")

    open_session: Any = Session
    with Flow("async") as flow, open_session() as session:
        letter = write(session)
    assert states(flow)[letter].is_successful()
    assert STORY == ["write at session", "closed session"]


def test_resource_tasks_do_not_decide_about_the_flow_and_the_last_ones_inside_do() -> None:
    with Flow("decides") as flow, Desk("Marvin", broken="cleanup") as desk:
        letter = write(desk)
    assert flow.reference_tasks() == {letter}
    assert flow.run(show=False).is_successful()
    flow.set_reference_tasks([three(flow)[2]])
    assert flow.run(show=False).is_failed()
    flow.set_reference_tasks([])
    assert flow.reference_tasks() == {letter}


def test_a_flow_with_nothing_but_resources_is_judged_by_its_terminal_tasks() -> None:
    with Flow("nothing") as flow, Desk("Marvin", broken="cleanup"):
        pass
    assert flow.reference_tasks() == flow.terminal_tasks() == {three(flow)[2]}
    assert flow.run(show=False).is_failed()


def test_the_flow_ends_when_its_terminal_tasks_have_and_not_before() -> None:
    with Flow("end") as flow, Desk("Marvin") as desk:
        write(desk)
    assert states(flow)[three(flow)[2]].is_finished()


def test_a_restarted_run_sets_up_and_cleans_up_again() -> None:
    flaky: list[int] = []

    @task
    def once(letter: str) -> str:
        flaky.append(1)
        if len(flaky) == 1:
            raise ValueError("first time")
        return letter

    with Flow("restart") as flow, Desk("Marvin") as desk:
        letter = write(desk)
        end = once(letter)
    first = flow.run(show=False)
    kept = {each: state for each, state in first.result.items() if state.is_successful()}
    STORY.clear()
    second = flow.run(task_states=kept, show=False)
    assert second.is_successful()
    assert second.result[end].result == "letter"
    assert STORY == ["setup", "cleanup desk of Marvin"]
    STORY.clear()
    flow.run(state=Pending(result=second.result), show=False)
    assert STORY == ["setup", "cleanup desk of Marvin"]


def test_the_trigger_of_a_cleanup_names_what_was_not_there() -> None:
    with Flow("trigger") as flow, Desk("Marvin", broken="setup") as desk:
        write(desk)
    cleanup = three(flow)[2]
    run = flow.start(show=False)
    run.wait(10)
    assert cleanup.trigger is triggers.resource_is_set_up
    assert run.state.result[cleanup].message == (
        'Trigger was "resource_is_set_up" but the resource was not set up, so nothing is left to clean up.'
    )
    assert pickle.loads(pickle.dumps(cleanup.trigger)) is cleanup.trigger


def test_tasks_of_resources_survive_pickle() -> None:
    for made in (ResourceInitTask(Writing), ResourceSetupTask(), ResourceCleanupTask()):
        assert type(pickle.loads(pickle.dumps(made))) is type(made)
    assert isinstance(Desk, ResourceManager)
