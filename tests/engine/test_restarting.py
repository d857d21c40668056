"""Restarting: a failed run goes on with what it has, and a part of a flow is run by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flowbook import Flow, Parameter, Task, context, resource_manager, signals, states, task, triggers
from flowbook.engine.executors import ThreadExecutor
from flowbook.engine.flow_run import FlowRun
from flowbook.errors import FlowError, UnknownArgument
from flowbook.states import Cancelled, Failed, Mapped, Pending, Skipped, State, Success, TriggerFailed
from flowbook.tasks.secrets import EnvVarSecret


class Counting:
    """Count the calls of bodies by name, and break those that are asked to break."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.broken: set[str] = set()

    def task(self, name: str, **options: Any) -> Any:
        """Return a task of this name that returns it with its arguments."""

        @task(name=name, **options)
        def body(x: Any = None, y: Any = None) -> Any:
            self.calls.append(name)
            if name in self.broken:
                raise ValueError(f"{name} is broken")
            return name if x is None else f"{name}({x})"

        return body

    def since(self) -> list[str]:
        """Return the calls since the last time, in order."""
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def counting() -> Counting:
    return Counting()


def line(counting: Counting, *names: str) -> tuple[Flow, list[Any]]:
    """Return a flow of tasks in a row."""
    made: list[Any] = []
    with Flow("line") as flow:
        for name in names:
            made.append(counting.task(name)(*made[-1:]))
    return flow, made


def last(flow: Flow) -> FlowRun:
    assert flow.last_run is not None
    flow.last_run.runner.machine.check()
    return flow.last_run


def kinds(state: State, tasks: list[Any]) -> list[type[State]]:
    return [type(state.result[one]) for one in tasks]


# -- resuming what failed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_failed_run_goes_on_from_its_failure_and_keeps_results(counting: Counting, executor: str) -> None:
    flow, tasks = line(counting, "a", "b", "c")
    counting.broken = {"b"}
    assert kinds(flow.run(executor=executor), tasks) == [Success, Failed, TriggerFailed]
    failed = last(flow)
    assert counting.since() == ["a", "b"]
    counting.broken = set()
    resumed = failed.resume()
    state = resumed.wait(5)
    assert state.is_successful()
    assert counting.since() == ["b", "c"]
    assert state.result[tasks[2]].result == "c(b(a))"
    assert resumed is last(flow) is not failed
    assert failed.state.is_failed(), "the run that failed stays what it is"


def test_kept_states_are_the_same_and_appear_at_once(counting: Counting) -> None:
    flow, tasks = line(counting, "a", "b")
    counting.broken = {"b"}
    flow.run()
    failed = last(flow)
    counting.broken = set()
    resumed = failed.resume()
    resumed.wait(5)
    assert resumed[tasks[0]] is failed[tasks[0]]
    assert [(event.task, event.state) for event in resumed.events[:2]] == [("", "Running"), ("a-1", "Success")]


def test_a_run_that_fails_again_can_be_resumed_again(counting: Counting) -> None:
    flow, _ = line(counting, "a", "b", "c")
    counting.broken = {"b", "c"}
    flow.run()
    counting.broken = {"c"}
    assert last(flow).resume().wait(5).is_failed()
    counting.broken = set()
    counting.since()
    assert last(flow).resume().wait(5).is_successful()
    assert counting.since() == ["c"]


def test_a_cancelled_run_goes_on_with_what_was_cancelled(counting: Counting) -> None:
    @task
    def cancels() -> str:
        last(flow).cancel("enough")
        return "ended all the same"

    with Flow("cancelled") as flow:
        first = cancels()
        second = counting.task("second")(first)
    assert isinstance(flow.run(), Cancelled)
    state = last(flow).resume().wait(5)
    assert state.is_successful()
    assert state.result[second].result == "second(ended all the same)"


def test_parameters_context_and_executor_are_those_of_the_run_that_failed(counting: Counting) -> None:
    seen: list[tuple[Any, Any, Any]] = []

    @task
    def look(x: Any) -> None:
        seen.append((x, context["colour"], threading.current_thread() is threading.main_thread()))
        if len(seen) == 1:
            raise ValueError("once")

    with Flow("look") as flow:
        look(Parameter("x"))
    flow.run(x=7, context={"colour": "green"}, executor="threads")
    assert last(flow).resume().wait(5).is_successful()
    assert seen[0] == seen[1]
    assert seen[1] == (7, "green", False)


def test_a_run_that_ended_well_has_nothing_to_resume(counting: Counting) -> None:
    flow, _ = line(counting, "a")
    flow.run()
    run = last(flow)
    assert run.resume() is run is flow.last_run


def test_resuming_a_run_that_is_held_returns_that_run(counting: Counting) -> None:
    with Flow("approval") as flow:
        counting.task("asked", trigger=triggers.manual_only)()
    flow.run()
    run = last(flow)
    assert run.resume() is run
    assert run.wait(5).is_successful()


def test_a_skip_is_kept_and_what_was_made_of_a_failure_is_not(counting: Counting) -> None:
    @task
    def skips() -> None:
        counting.calls.append("skips")
        raise signals.SKIP("not today")

    with Flow("mixed") as flow:
        skipped = skips()
        after_skip = counting.task("after skip")(skipped)
        broken = counting.task("broken")()
        report = counting.task("report", trigger=triggers.all_finished)(upstream_tasks=[broken])
        other = counting.task("other")()
    counting.broken = {"broken"}
    state = flow.run()
    assert kinds(state, [skipped, after_skip, broken, report, other]) == [Skipped, Skipped, Failed, Success, Success]
    flow.set_reference_tasks([broken])
    flow.run()
    counting.since()
    counting.broken = set()
    state = last(flow).resume().wait(5)
    assert counting.since() == ["broken", "report"]
    assert kinds(state, [skipped, after_skip, broken, report, other]) == [Skipped, Skipped, Success, Success, Success]


def test_what_must_be_run_anew_is_though_it_ended_well(counting: Counting) -> None:
    with Flow("secrets") as flow:
        secret = counting.task("secret")()
        user = counting.task("user")(secret)
        broken = counting.task("broken")(user)
    secret.runs_anew = True
    counting.broken = {"broken"}
    flow.run()
    counting.since()
    counting.broken = set()
    assert last(flow).resume().wait(5).result[broken].result == "broken(user(secret))"
    assert sorted(counting.since()) == ["broken", "secret"], "the result of the user is kept"


def resource_flow(counting: Counting) -> tuple[Flow, Any, Any, Any]:
    """Return a flow with a resource around a task, and one task after it."""

    class Desk:
        def setup(self) -> str:
            counting.calls.append("setup")
            return "desk"

        def cleanup(self, desk: str) -> None:
            counting.calls.append(f"clean {desk}")

    with Flow("resource") as flow:
        before = counting.task("before")()
        with resource_manager(Desk)() as desk:
            work = counting.task("work")(desk, before)
            more = counting.task("more")(work)
        counting.task("after")(more)
    return flow, before, work, more


def test_a_resource_is_set_up_and_cleaned_up_again(counting: Counting) -> None:
    flow, *_ = resource_flow(counting)
    counting.broken = {"work"}
    assert flow.run().is_failed()
    assert counting.since() == ["before", "setup", "work", "clean desk"]
    counting.broken = set()
    assert last(flow).resume().wait(5).is_successful()
    calls = counting.since()
    assert "before" not in calls
    assert calls.index("setup") < calls.index("work") < calls.index("more") < calls.index("clean desk")


def test_a_part_has_its_resource_for_itself(counting: Counting) -> None:
    flow, _, work, more = resource_flow(counting)
    state = flow.run(until=work)
    assert state.is_successful()
    assert sorted(counting.since()) == ["before", "clean desk", "setup", "work"]
    last(flow)
    flow.run()
    counting.since()
    assert flow.run(start_at=more).is_successful()
    calls = counting.since()
    assert sorted(calls) == ["after", "clean desk", "more", "setup"]
    assert calls.index("more") < calls.index("clean desk")
    last(flow)


def test_a_secret_is_asked_for_again(counting: Counting) -> None:
    with Flow("secret") as flow:
        secret = EnvVarSecret("FLOWBOOK_TEST_KEY")
        used = counting.task("used")(secret)
        counting.task("after")(used)
        counting.task("beside")(EnvVarSecret("FLOWBOOK_TEST_OTHER", raise_if_missing=True))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FLOWBOOK_TEST_KEY", "one of the keys")
        assert flow.run().is_failed()
        environment.setenv("FLOWBOOK_TEST_OTHER", "the other key")
        counting.since()
        assert last(flow).resume().wait(5).is_successful()
        assert counting.since() == ["beside"]
        environment.setenv("FLOWBOOK_TEST_KEY", "another key")
        state = flow.run(start_at=used)
        assert state.result[used].result == "used(another key)"
    last(flow)


# -- mapped tasks --------------------------------------------------------------------------------------------------


def mapped_flow(broken: set[int], calls: list[tuple[str, int]]) -> tuple[Flow, list[Any]]:
    """Return a flow of two mapped tasks and one that takes them all."""

    def body(name: str) -> Callable[[int], int]:
        def one(x: int) -> int:
            calls.append((name, x))
            if name == "first" and x in broken:
                raise ValueError(f"{x} is broken")
            return x

        return one

    @task
    def total(xs: list[int]) -> int:
        calls.append(("total", sum(xs)))
        return sum(xs)

    with Flow("mapped") as flow:
        first = task(body("first"), name="first").map([1, 2, 3, 4])
        second = task(body("second"), name="second").map(first)
        summed = total(second)
    return flow, [first, second, summed]


def test_of_a_mapped_task_only_the_failed_children_are_run_again() -> None:
    broken, calls = {2, 4}, []  # type: tuple[set[int], list[tuple[str, int]]]
    flow, tasks = mapped_flow(broken, calls)
    state = flow.run()
    assert kinds(state, tasks) == [Mapped, Mapped, TriggerFailed]
    calls.clear()
    broken.clear()
    state = last(flow).resume().wait(5)
    assert state.result[tasks[2]].result == 10
    assert kinds(state, tasks) == [Mapped, Mapped, Success]
    assert sorted(calls) == [("first", 2), ("first", 4), ("second", 2), ("second", 4), ("total", 10)]
    last(flow)


def test_a_child_that_ended_well_behind_one_that_failed_is_run_again() -> None:
    broken, calls = {2}, []  # type: tuple[set[int], list[tuple[str, int]]]
    flow, tasks = mapped_flow(broken, calls)
    tasks[1].trigger = triggers.all_finished

    @task(trigger=triggers.all_finished, skip_on_upstream_skip=False)
    def ended(xs: Any) -> int:
        return len(xs)

    with flow:
        ended(tasks[1])
    flow.set_reference_tasks([tasks[0]])
    assert flow.run().is_failed()
    assert all(child and child.is_successful() for child in last(flow)[tasks[1]].map_states)  # type: ignore[attr-defined]
    calls.clear()
    broken.clear()
    last(flow).resume().wait(5)
    assert ("second", 2) in calls
    assert len([call for call in calls if call[0] == "second"]) == 1


def test_a_failed_child_of_a_mapped_reference_task_makes_the_run_one_to_resume() -> None:
    broken, calls = {1}, []  # type: tuple[set[int], list[tuple[str, int]]]
    flow, tasks = mapped_flow(broken, calls)
    state = flow.run()
    assert state.is_failed()
    broken.clear()
    assert last(flow).resume().wait(5).result[tasks[0]].result == [1, 2, 3, 4]


# -- run to here -------------------------------------------------------------------------------------------------------


def diamond(counting: Counting) -> tuple[Flow, dict[str, Any]]:
    """Return a flow: a leads to b and c, both lead to d, and e stands alone."""
    with Flow("diamond") as flow:
        a = counting.task("a")()
        b, c = counting.task("b")(a), counting.task("c")(a)
        d = counting.task("d")(b, c)
        e = counting.task("e")()
    return flow, {"a": a, "b": b, "c": c, "d": d, "e": e}


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_run_to_here_runs_a_task_and_what_is_upstream(counting: Counting, executor: str) -> None:
    flow, at = diamond(counting)
    counting.broken = {"e", "c"}
    state = flow.run(until=at["b"], executor=executor)
    assert state.is_successful()
    assert counting.since() == ["a", "b"]
    assert set(state.result) == flow.tasks
    for name in "cde":
        left_out = state.result[at[name]]
        assert (type(left_out), left_out.message) == (Pending, "Task not run.")
    assert "left out" in last(flow).story(at["d"]).why
    assert "2 of 5 tasks" in repr(last(flow))


def test_the_task_that_is_run_to_decides_the_state_of_the_flow(counting: Counting) -> None:
    flow, at = diamond(counting)
    counting.broken = {"b"}
    assert flow.run(until=at["b"]).is_failed()
    assert flow.run(until=[at["c"], at["e"]]).is_successful()
    assert flow.run(until=[at["c"], at["b"]]).is_failed()


def test_a_parameter_that_is_left_out_needs_no_value(counting: Counting) -> None:
    with Flow("parameters") as flow:
        first = counting.task("first")(Parameter("x"))
        counting.task("second")(first, Parameter("y"))
    with pytest.raises(FlowError, match="needs a value for: x"):
        flow.run(until=first)
    assert flow.run(until=first, x=1).result[first].result == "first(1)"


def test_a_cancel_leaves_alone_what_was_left_out(counting: Counting) -> None:
    flow, at = diamond(counting)

    @task
    def cancels() -> None:
        last(flow).cancel("enough")

    with flow:
        cancelling = cancels()
        after = counting.task("after")(cancelling)
    state = flow.run(until=after)
    assert isinstance(state, Cancelled)
    assert type(state.result[after]) is Cancelled
    assert type(state.result[at["d"]]) is Pending


def test_a_part_that_failed_is_resumed_as_that_part(counting: Counting) -> None:
    flow, at = diamond(counting)
    counting.broken = {"b"}
    flow.run(until=at["b"])
    counting.broken = set()
    counting.since()
    state = last(flow).resume().wait(5)
    assert state.is_successful()
    assert counting.since() == ["b"]
    assert type(state.result[at["d"]]) is Pending


def test_a_mapped_task_can_be_run_to() -> None:
    calls: list[tuple[str, int]] = []
    flow, tasks = mapped_flow(set(), calls)
    state = flow.run(until=tasks[0])
    assert kinds(state, tasks) == [Mapped, Pending, Pending]
    assert {name for name, _ in calls} == {"first"}
    last(flow)


# -- run from here -----------------------------------------------------------------------------------------------------


def test_run_from_here_keeps_what_is_upstream_and_beside(counting: Counting) -> None:
    flow, at = diamond(counting)
    flow.run()
    counting.since()
    state = flow.run(start_at=at["b"])
    assert state.is_successful()
    assert sorted(counting.since()) == ["b", "d"]
    assert state.result[at["d"]].result == "d(b(a))"
    assert kinds(state, list(at.values())) == [Success] * 5


def test_there_must_be_something_to_start_from(counting: Counting) -> None:
    flow, at = diamond(counting)
    with pytest.raises(FlowError, match=r"flow 'diamond' has not been run\. Run it as a whole first"):
        flow.run(start_at=at["b"])
    flow.run(until=at["b"])
    message = r"task 'd' cannot start from the last run: its upstream task 'c' is Pending there\. Start at 'c'"
    with pytest.raises(FlowError, match=message):
        flow.run(start_at=at["b"])
    counting.since()
    assert flow.run(start_at=at["b"], until=at["b"]).is_successful()
    assert counting.since() == ["b"]


def test_a_task_that_was_added_since_is_named(counting: Counting) -> None:
    flow, at = diamond(counting)
    flow.run()
    with flow:
        new = counting.task("new")()
        at["d"].set_upstream(new)
    with pytest.raises(FlowError, match="its upstream task 'new' was not part of it"):
        flow.run(start_at=at["d"])


def test_both_ends_can_be_given(counting: Counting) -> None:
    flow, tasks = line(counting, "a", "b", "c", "d")
    flow.run()
    counting.since()
    state = flow.run(start_at=tasks[1], until=tasks[2])
    assert counting.since() == ["b", "c"]
    assert state.is_successful()
    assert kinds(state, tasks) == [Success] * 4, "what was there of the last run is kept in the picture"
    with pytest.raises(FlowError, match="until='a' is not downstream of start_at='b'"):
        flow.run(start_at=tasks[1], until=tasks[0])


def test_a_failure_beside_the_part_does_not_decide(counting: Counting) -> None:
    flow, at = diamond(counting)
    counting.broken = {"e"}
    assert flow.run().is_failed()
    state = flow.run(start_at=at["b"])
    assert state.is_successful()
    assert type(state.result[at["e"]]) is Failed, "it is kept in the picture as it was"


def test_parameters_are_those_of_the_last_run_unless_given_anew(counting: Counting) -> None:
    with Flow("parameters") as flow:
        x, y = Parameter("x"), Parameter("y")
        first = counting.task("first")(x)
        second = counting.task("second")(first, y)
        third = counting.task("third")(y)
    flow.run(x=1, y=2)
    assert flow.run(start_at=second).result[second].result == "second(first(1))"
    with pytest.raises(FlowError, match="parameter 'x' was given, but 'first' takes it and is not run again"):
        flow.run(start_at=second, x=5)
    assert flow.run(start_at=[second, third], y=5).result[third].result == "third(5)"


def test_an_earlier_state_can_be_started_from(counting: Counting) -> None:
    flow, tasks = line(counting, "a", "b")
    earlier = flow.run()
    flow.run(task_states={tasks[0]: Success(result="other")})
    state = flow.run(start_at=tasks[1], state=earlier)
    assert state.result[tasks[1]].result == "b(a)"


def test_what_mapped_children_returned_is_started_from() -> None:
    calls: list[tuple[str, int]] = []
    flow, tasks = mapped_flow(set(), calls)
    flow.run()
    calls.clear()
    assert flow.run(start_at=tasks[1]).result[tasks[2]].result == 10
    assert {name for name, _ in calls} == {"second", "total"}


@pytest.mark.parametrize("option", ["until", "start_at"])
@pytest.mark.parametrize("wrong", ["d", 3, ["d"], []])
def test_a_part_is_named_by_its_tasks(counting: Counting, option: str, wrong: Any) -> None:
    flow, _ = diamond(counting)
    with pytest.raises(UnknownArgument, match=f"{option}="):
        flow.run(**{option: wrong})


def test_a_part_is_of_this_flow(counting: Counting) -> None:
    flow, _ = diamond(counting)
    with pytest.raises(FlowError, match="is not in flow 'diamond'"):
        flow.run(until=Task("elsewhere"))


def test_a_state_whose_result_json_could_not_carry_is_not_kept(counting: Counting) -> None:
    flow, tasks = line(counting, "a", "b")
    made = State.deserialize(states.Success("done", result=object()).serialize())
    flow.run(task_states={tasks[0]: made})
    flow.set_reference_tasks([tasks[1]])
    counting.broken = {"b"}
    flow.run(task_states={tasks[0]: made})
    counting.since()
    counting.broken = set()
    last(flow).resume().wait(5)
    assert counting.since() == ["a", "b"]


def test_children_that_ended_well_before_a_cancel_are_not_run_again(counting: Counting) -> None:
    waits = threading.Event()
    is_there = threading.Event()

    @task(name="each")
    def each(x: int) -> int:
        counting.calls.append(f"each {x}")
        if x == 2 and not waits.is_set():
            is_there.set()
            waits.wait(10)
        return x * 10

    @task(name="after")
    def after(x: int) -> int:
        counting.calls.append(f"after {x}")
        return x + 1

    with Flow("cancelled") as flow:
        firsts = each.map([0, 1, 2, 3])
        seconds = after.map(firsts)
    run = flow.start(executor=ThreadExecutor(workers=1), show=False)
    assert is_there.wait(10)
    run.cancel()
    assert isinstance(run.wait(10), Cancelled)
    waits.set()
    assert counting.since() == ["each 0", "after 0", "each 1", "after 10", "each 2"]
    again = run.resume()
    assert again.wait(10).is_successful()
    assert sorted(counting.since()) == ["after 20", "after 30", "each 2", "each 3"]
    assert again[seconds].result == [1, 11, 21, 31]
    assert isinstance(run[firsts], Cancelled)  # what was, stays as it was


def test_what_uses_a_resource_waits_until_it_is_there_again(counting: Counting) -> None:
    @resource_manager
    class Connection:
        def setup(self) -> str:
            time.sleep(0.05)
            counting.calls.append("setup")
            return "open"

        def cleanup(self, connection: str) -> None:
            counting.calls.append("cleanup")

    manager: Any = Connection
    with Flow("resource") as flow, manager() as connection:
        first = counting.task("first")(connection)
        counting.task("second")(first)  # no edge to the resource of its own
    counting.broken = {"second"}
    flow.run(executor="threads", show=False)
    counting.since()
    counting.broken = set()
    assert last(flow).resume().wait(5).is_successful()
    assert counting.since() == ["setup", "second", "cleanup"]
