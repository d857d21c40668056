"""The Dask executor, on clusters of this machine: one of threads where that is enough, one of processes where not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from flowbook import Flow, Parameter, context, signals, task, triggers, unmapped
from flowbook.engine.executors import executor_of
from flowbook.engine.executors.dask import DaskExecutor
from flowbook.engine.flow_run import FlowRun
from flowbook.engine.lazy import LazyMapped, LazySuccess, held_by
from flowbook.errors import FlowError, ResultLost, UnknownArgument
from flowbook.states import Cancelled, Failed, Mapped, Retrying, Skipped, State, Success, TimedOut, TriggerFailed
from flowbook.tasks.base import Task

HERE = os.getpid()


def cluster(*, processes: bool, **options: Any) -> LocalCluster:
    return LocalCluster(
        n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=":0", silence_logs=50, **options
    )


@pytest.fixture(scope="module")
def threads() -> Iterator[Client]:
    """A cluster in this process: quick to start, and it pickles all the same."""
    with cluster(processes=False) as made, Client(made, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def processes() -> Iterator[Client]:
    """A cluster of two worker processes."""
    with cluster(processes=True) as made, Client(made, set_as_default=False) as client:
        yield client


def run(flow: Flow, client: Client, **options: Any) -> FlowRun:
    flow.run(show=False, executor=DaskExecutor(client=client), **options)
    made = flow.last_run
    assert isinstance(made, FlowRun)
    return made


def until(happened: Callable[[], Any]) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@task
def one() -> int:
    return 1


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def numbers(count: int = 20) -> list[int]:
    return list(range(count))


@task
def whoami() -> int:
    return os.getpid()


# ---------------------------------------------------------------- values stay where they are


def test_a_chain_ends_well_and_values_come_when_they_are_looked_at(threads: Client) -> None:
    with Flow("chain") as flow:
        first = one()
        second = add(first, y=10)
        third = add(second, y=first)
    made = run(flow, threads)
    assert made.state.is_successful()
    assert [type(made[part]) for part in (first, second, third)] == [LazySuccess] * 3
    assert made[third].result == 12
    assert type(made[third]) is Success
    assert type(made[second]) is LazySuccess


def test_bodies_run_in_the_worker_processes(processes: Client) -> None:
    with Flow("elsewhere") as flow:
        found = whoami()
    assert run(flow, processes)[found].result not in {HERE, 0}


class Marked:
    """Remembers in which processes it was unpickled."""

    def __init__(self) -> None:
        self.seen: list[int] = [os.getpid()]
        self.load = bytearray(1000)

    def __setstate__(self, values: dict[str, Any]) -> None:
        vars(self).update(values)
        self.seen = [*self.seen, os.getpid()]


def test_a_value_that_goes_from_task_to_task_never_comes_here(processes: Client) -> None:
    @task
    def make() -> Any:
        return Marked()

    @task
    def look(marked: Any, wait: Any) -> list[int]:
        return list(marked.seen)

    with Flow("stays") as flow:
        made = make()
        pids = whoami()
        seen = look(made, pids)
    done = run(flow, processes)
    assert HERE not in done[seen].result
    assert done[made].result.seen[-1] == HERE, "and comes when somebody looks at it"


def test_the_handle_of_a_value_says_what_it_is(threads: Client) -> None:
    with Flow("words") as flow:
        listed = numbers(count=3)
    held = held_by(run(flow, threads)[listed])
    assert repr(held).startswith("<list [0, 1, 2], ")
    assert "on the Dask workers, from task 'numbers-1'" in repr(held)


def test_a_trigger_of_a_user_sees_values(threads: Client) -> None:
    def is_small(upstream: dict[Any, State]) -> bool:
        return all(state.result < 5 for state in upstream.values())

    @task(trigger=is_small)
    def after(x: int) -> int:
        return x

    with Flow("looks") as flow:
        first = one()
        small = after(first)
        large = after(add(first, y=10))
    made = run(flow, threads)
    assert made[small].result == 1
    assert isinstance(made[large], TriggerFailed)


def test_a_state_handler_sees_values(threads: Client) -> None:
    seen = []

    def handler(_: Any, __: State, new: State) -> State:
        seen.append((type(new).__name__, new.result))
        return new

    @task(state_handlers=[handler])
    def watched(x: int) -> int:
        return x + 1

    with Flow("handled") as flow:
        after = watched(one())
    assert run(flow, threads)[after].result == 2
    assert seen == [("Running", None), ("Success", 2)]


# ---------------------------------------------------------------- the engine decides


def test_retries_are_the_engines(threads: Client, tmp_path: Path) -> None:
    log = tmp_path / "attempts"

    @task(max_retries=2, retry_delay=timedelta(hours=1))
    def flaky() -> int:
        with log.open("a") as file:
            file.write(f"{context.task_run_count}\n")
        if context.task_run_count < 3:
            raise ValueError(context.task_run_count)
        return context.task_run_count  # type: ignore[no-any-return]

    with Flow("retried") as flow:
        tried = flaky()
    made = run(flow, threads, clock="fast")
    assert made[tried].result == 3
    assert log.read_text() == "1\n2\n3\n"
    states = [event.state for event in made.events if event.task == "flaky-1"]
    assert states == ["Running", "Failed", "Retrying", "Running", "Failed", "Retrying", "Running", "Success"]


def test_a_failure_brings_its_exception_and_what_follows_is_as_everywhere(threads: Client) -> None:
    @task
    def fail(x: int) -> None:
        raise ZeroDivisionError(x)

    @task(trigger=triggers.any_failed)
    def repair(error: Any) -> str:
        return repr(error)

    with Flow("fails") as flow:
        failed = fail(one())
        after = add(failed)
        repaired = repair(failed)
        flow.set_reference_tasks([repaired])
    made = run(flow, threads)
    assert made.state.is_successful()
    assert isinstance(made[failed].result, ZeroDivisionError)
    assert isinstance(made[after], TriggerFailed)
    assert made[repaired].result == "ZeroDivisionError(1)"


def test_signals_and_loops(threads: Client) -> None:
    @task
    def skip() -> None:
        raise signals.SKIP("not today")

    @task
    def count() -> int:
        so_far = int(context.get("task_loop_result", 0))
        if so_far < 3:
            raise signals.LOOP(result=so_far + 1)
        return so_far

    with Flow("signals") as flow:
        skipped = skip()
        after = add(skipped)
        counted = count()
    made = run(flow, threads)
    assert isinstance(made[skipped], Skipped)
    assert isinstance(made[after], Skipped)
    assert made[counted].result == 3


def test_a_body_finds_its_run_in_the_context(threads: Client) -> None:
    @task(tags={"blue"})
    def ask() -> dict[str, Any]:
        keys = ("flow_name", "task_name", "task_slug", "task_run_id", "parameters", "flow_run_id", "today", "country")
        return {key: context[key] for key in keys}

    with Flow("asks") as flow:
        asked = ask(upstream_tasks=[Parameter("month", default=3)])
    made = run(flow, threads, month=4, context={"country": "NL"})
    found = made[asked].result
    assert found["flow_name"] == "asks"
    assert found["task_slug"] == "ask-blue-1"
    assert found["parameters"] == {"month": 4}
    assert found["task_run_id"] == f"{made.id}:ask-blue-1"
    assert found["country"] == "NL"
    assert made[asked].context == {"tags": ["blue"]}


# ---------------------------------------------------------------- mapping


def test_mapped_children_pass_values_on_among_themselves(processes: Client) -> None:
    @task
    def double(x: int) -> int:
        return x * 2

    @task
    def total(xs: list[int]) -> int:
        return sum(xs)

    with Flow("mapped") as flow:
        listed = numbers(count=200)
        doubled = double.map(listed)
        added = add.map(doubled, y=unmapped(one()))
        result = total(added)
    made = run(flow, processes)
    assert type(made[listed]) is LazySuccess, "to know how many they are, they are not fetched"
    assert made[result].result == 2 * sum(range(200)) + 200
    assert isinstance(made[added], LazyMapped)
    assert made[added].result == [2 * x + 1 for x in range(200)]
    assert type(made[added]) is Mapped
    assert all(type(state) is Success for state in made[added].map_states)  # type: ignore[attr-defined]


def test_one_failing_element_fails_alone_and_is_retried_alone(threads: Client) -> None:
    @task(max_retries=1, retry_delay=timedelta(minutes=1))
    def check(x: int) -> int:
        if x == 7 and context.task_run_count == 1:
            raise ValueError(x)
        if x == 13:
            raise SystemExit("leave")
        return x

    with Flow("one of many") as flow:
        checked = check.map(numbers(count=20))
    made = run(flow, threads, clock="fast")
    states = made[checked].map_states  # type: ignore[attr-defined]
    assert [index for index, state in enumerate(states) if state.is_failed()] == [13]
    assert states[7].result == 7
    assert isinstance(states[13].result, SystemExit)
    retried = {event.task for event in made.events if event.state == "Retrying"}
    assert retried == {"check-1[7]", "check-1[13]"}


def test_children_of_a_chunk_know_their_place(threads: Client) -> None:
    @task
    def place(x: str) -> Any:
        return x, context.map_index, context.task_full_name, context.task_slug, context.task_run_id

    with Flow("places") as flow:
        placed = place.map(["a", "b", "c"])
    made = run(flow, threads)
    assert made[placed].result == [
        (letter, index, f"place[{index}]", f"place-1[{index}]", f"{made.id}:place-1[{index}]")
        for index, letter in enumerate("abc")
    ]


def test_slow_elements_are_handed_back_and_spread_over_the_workers(threads: Client) -> None:
    @task
    def slow(x: int) -> int:
        time.sleep(0.1)
        return x

    with Flow("slow") as flow:
        slept = slow.map(list(range(40)))
    begun = time.monotonic()
    assert run(flow, threads)[slept].result == list(range(40))
    assert time.monotonic() - begun < 3.5, "two slots, 4 s of sleep"


def test_mapping_over_what_has_no_elements_fails_with_words(threads: Client) -> None:
    with Flow("unmappable") as flow:
        added = add.map(one())
    made = run(flow, threads)
    assert made[added].message == "At least one upstream state has an unmappable result."


def test_mapping_over_nothing_is_a_success(threads: Client) -> None:
    with Flow("empty") as flow:
        added = add.map(numbers(count=0))
    made = run(flow, threads)
    assert made[added].is_mapped()
    assert made[added].result == []


def test_flatten_opens_results_wherever_they_are(threads: Client) -> None:
    from flowbook import flatten

    @task
    def pair(x: int) -> list[int]:
        return [x, x]

    @task
    def listed(xs: list[int]) -> list[int]:
        return xs

    with Flow("flat") as flow:
        pairs = pair.map(numbers(count=3))
        added = add.map(flatten(pairs))
        all_of_them = listed(flatten(pairs))
    made = run(flow, threads)
    assert made[added].result == [1, 1, 2, 2, 3, 3]
    assert made[all_of_them].result == [0, 0, 1, 1, 2, 2]


# ---------------------------------------------------------------- hostile bodies and values


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_a_body_that_raises_what_would_hang_dask_fails_at_once(threads: Client, error: Any) -> None:
    @task
    def leave() -> None:
        raise error("out")

    with Flow("leaves") as flow:
        left = leave()
        also = one()
    made = run(flow, threads)
    assert isinstance(made[left], Failed)
    assert type(made[left].result) is error
    assert made[also].result == 1


class Awkward(Exception):
    """Cannot be made from its arguments: it does not survive a pickle."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def test_an_exception_that_cannot_be_unpickled_arrives_all_the_same(processes: Client) -> None:
    @task
    def fail() -> None:
        raise Awkward("one", "two")

    with Flow("awkward") as flow:
        failed = fail()
    made = run(flow, processes)
    assert isinstance(made[failed], Failed)
    assert isinstance(made[failed].result, Awkward)
    assert str(made[failed].result) == "one two"
    assert "in fail" in str(made[failed].result.__cause__), "with its traceback over there"


def test_a_result_that_cannot_be_pickled_fails_with_words(processes: Client) -> None:
    @task
    def lock() -> Any:
        return threading.Lock()

    with Flow("lock") as flow:
        made_lock = lock()
        after = add(made_lock)
    made = run(flow, processes)
    assert isinstance(made[made_lock], Failed)
    assert "lock" in str(made[made_lock].message)
    assert isinstance(made[after], TriggerFailed)


def test_an_argument_that_cannot_be_pickled_fails_with_the_next_step(threads: Client) -> None:
    lock = threading.Lock()
    with Flow("argument") as flow:
        failed = add(lock)
    made = run(flow, threads)
    assert isinstance(made[failed], Failed)
    assert "task 'add-1' or what it is called with cannot be sent to a Dask worker" in str(made[failed].message)


def test_a_large_argument_is_sent_once(threads: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    scatter = Client.scatter

    def counting(client: Client, data: Any, **options: Any) -> Any:
        sent.append(len(data))
        return scatter(client, data, **options)

    monkeypatch.setattr(Client, "scatter", counting)

    @task
    def size(x: bytes, place: int) -> int:
        return len(x) + place

    with Flow("large") as flow:
        sizes = size.map(unmapped(b"x" * 2_000_000), list(range(50)))
    assert run(flow, threads)[sizes].result[3] == 2_000_003
    assert sent == [1]


# ---------------------------------------------------------------- what gets lost


def test_a_lost_worker_fails_its_attempt_and_the_retry_decides(processes: Client, tmp_path: Path) -> None:
    log = tmp_path / "attempts"

    @task(max_retries=1, retry_delay=timedelta(0))
    def die() -> str:
        with log.open("a") as file:
            file.write("x")
        if log.read_text() == "x":
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"

    @task
    def die_always() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with Flow("killed") as flow:
        died = die()
        dead = die_always()
        flow.set_reference_tasks([died])
    made = run(flow, processes)
    assert made[died].result == "survived"
    assert log.read_text() == "xx", "Dask itself tried it no second time"
    assert isinstance(made[dead], Failed)
    assert "worker that ran it was lost" in str(made[dead].message)


def test_a_lost_result_is_computed_again_by_dask(processes: Client) -> None:
    with Flow("recomputed") as flow:
        first = add(20, y=22)
    made = run(flow, processes)
    held: Any = held_by(made[first])
    until(lambda: held.source.future.status == "finished")
    holders = processes.who_has([held.source.future])[held.source.future.key]
    assert len(holders) == 1
    with pytest.raises(OSError, match=r"."):
        processes.run(os._exit, 1, workers=list(holders), nanny=False)
    assert made[first].result == 42


SCHEDULER = """
from distributed import LocalCluster
if __name__ == "__main__":
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with LocalCluster(protocol="tcp://", **options) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


def test_a_lost_scheduler_ends_the_run(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    @task
    def rest() -> None:
        begun.touch()
        time.sleep(60)

    with Flow("lonely") as flow:
        rested = rest()
        after = add(rested)
    process = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        client = Client(process.stdout.readline().strip(), set_as_default=False, timeout=1)
        flow_run = flow.start(show=False, executor=DaskExecutor(client=client))
        until(begun.exists)
        process.kill()
    state = flow_run.wait(10)
    assert isinstance(state, Cancelled)
    assert "connection to the Dask scheduler" in str(state.message)
    assert isinstance(flow_run[rested], Cancelled)
    assert isinstance(flow_run[after], Cancelled)
    client.close()


# ---------------------------------------------------------------- stopping


def test_cancel_ends_the_run_at_once_and_says_what_may_still_run(threads: Client, tmp_path: Path) -> None:
    @task
    def slow(x: int) -> None:
        (tmp_path / str(x)).touch()
        time.sleep(0.5)

    with Flow("cancelled") as flow:
        tasks = [slow(index) for index in range(10)]
    flow_run = flow.start(show=False, executor=DaskExecutor(client=threads))
    until(lambda: list(tmp_path.iterdir()))
    flow_run.cancel("enough")
    begun = time.monotonic()
    state = flow_run.wait(5)
    assert time.monotonic() - begun < 0.4
    assert isinstance(state, Cancelled)
    assert all(isinstance(flow_run[one], Cancelled) for one in tasks)
    assert flow_run[tasks[0]].message == "enough Its body may still be running on its worker: Dask cannot stop it."
    time.sleep(1)
    assert len(list(tmp_path.iterdir())) <= 4, "what had not begun was taken back"


def test_a_body_whose_time_is_over_is_let_go_of(threads: Client) -> None:
    @task(timeout=1)
    def slow() -> None:
        time.sleep(3)

    @task(timeout=5)
    def quick() -> int:
        return 1

    with Flow("late") as flow:
        late = slow()
        fine = quick()
    begun = time.monotonic()
    made = run(flow, threads)
    assert time.monotonic() - begun < 2.5
    assert isinstance(made[late], TimedOut)
    assert made[late].message == (
        "Timed out after 1 s. Its body may still be running on its worker: Dask cannot stop it."
    )
    assert made[fine].result == 1


def test_waiting_for_a_slot_does_not_count_as_time(threads: Client) -> None:
    @task(timeout=1)
    def nap() -> int:
        time.sleep(0.4)
        return 1

    with Flow("queue") as flow:
        naps = [nap() for _ in range(8)]
    assert [run(flow, threads)[each].result for each in naps[-1:]] == [1]


def test_an_interrupt_is_a_clean_cancel(threads: Client) -> None:
    @task
    def slow() -> None:
        time.sleep(1)

    with Flow("interrupted") as flow:
        slept = slow()
    threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        run(flow, threads)
    assert isinstance(flow.last_run, FlowRun)
    assert isinstance(flow.last_run.state, Cancelled)
    assert isinstance(flow.last_run[slept], Cancelled)


def test_a_paused_run_hands_nothing_over_until_it_goes_on(threads: Client) -> None:
    with Flow("paused") as flow:
        added = add.map(numbers(count=50))
    flow_run = flow.start(show=False, executor=DaskExecutor(client=threads))
    flow_run.pause()
    flow_run.step()
    flow_run.resume()
    assert flow_run.wait(10).result[added].result == list(range(1, 51))


# ---------------------------------------------------------------- connections


def test_a_temporary_cluster_leaves_small_results_behind_and_says_what_became_of_large_ones() -> None:
    @task
    def make(size: int) -> bytes:
        return b"x" * size

    with Flow("temporary") as flow:
        small = make(1000)
        listed = add.map(numbers(count=5))
        large = make(3_000_000)
    executor = DaskExecutor(
        cluster_kwargs={"n_workers": 1, "processes": False, "threads_per_worker": 1}, gather_limit=2_000_000
    )
    state = flow.run(show=False, executor=executor)
    assert state.is_successful()
    assert len(state.result[small].result) == 1000
    assert state.result[listed].result == [1, 2, 3, 4, 5]
    with pytest.raises(ResultLost, match=r"task 'make-2'.*went when the cluster of this run was closed: 2 MB"):
        _ = state.result[large].result


def test_an_address_is_connected_to_once_and_its_results_stay_reachable(threads: Client) -> None:
    executor = DaskExecutor(threads.scheduler.address, allow_insecure=True)
    with Flow("address") as flow:
        first = one()
    states = [flow.run(show=False, executor=executor) for _ in range(2)]
    assert [state.result[first].result for state in states] == [1, 1]
    assert executor._kept_open is not None
    executor.close()


@pytest.mark.parametrize("address", ["tcp://10.1.2.3:8786", "10.1.2.3:8786", "tcp://example.org:8786", "ws://h:1"])
def test_a_plain_address_of_another_machine_is_refused(address: str) -> None:
    with pytest.raises(FlowError, match="allow_insecure=True"):
        DaskExecutor(address)
    assert DaskExecutor(address, allow_insecure=True).address == address


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "localhost:8786", "tls://10.1.2.3:8786", "tcp://[::1]:1"])
def test_an_address_of_this_machine_or_with_tls_is_fine(address: str) -> None:
    assert DaskExecutor(address).address == address


def test_arguments_that_contradict_each_other_are_refused(threads: Client) -> None:
    with pytest.raises(UnknownArgument, match="runs already"):
        DaskExecutor("tcp://127.0.0.1:1", cluster_kwargs={"n_workers": 1})
    with pytest.raises(UnknownArgument, match="connected already"):
        DaskExecutor("tcp://127.0.0.1:1", client=threads)
    with pytest.raises(ValueError, match="gather_limit"):
        DaskExecutor(gather_limit=-1)


def test_the_name_means_the_client_of_the_notebook(threads: Client) -> None:
    with threads.as_current():
        executor: Any = executor_of("dask")
    assert executor.client is threads


def test_a_cluster_class_may_be_a_name_and_a_wrong_one_is_refused() -> None:
    with Flow("named") as flow:
        first = one()
    executor = DaskExecutor(
        cluster_class="distributed.LocalCluster", cluster_kwargs={"n_workers": 1, "processes": False}
    )
    assert flow.run(show=False, executor=executor).result[first].result == 1
    flow.start(show=False, executor=DaskExecutor(cluster_class="nowhere.Cluster"))
    assert isinstance(flow.last_run, FlowRun)
    with pytest.raises(UnknownArgument, match=r"nowhere\.Cluster"):
        flow.last_run.wait(10)


def test_a_closed_client_is_refused() -> None:
    with cluster(processes=False) as made:
        client = Client(made, set_as_default=False)
        client.close()
        with Flow("closed") as flow:
            one()
        with pytest.raises(UnknownArgument, match="closed"):
            flow.run(show=False, executor=DaskExecutor(client=client))


def test_several_runs_share_a_client(threads: Client) -> None:
    with Flow("shared") as flow:
        added = add.map(numbers(count=30))
    runs = [flow.start(show=False, executor=DaskExecutor(client=threads)) for _ in range(4)]
    assert all(each.wait(20).result[added].result == list(range(1, 31)) for each in runs)


def test_a_run_that_waits_for_a_person_goes_on_with_its_results(threads: Client) -> None:
    @task(trigger=triggers.manual_only)
    def approved(x: int) -> int:
        return x + 1

    with Flow("manual") as flow:
        after = approved(one())
    made = run(flow, threads)
    assert made.state.is_running()
    made.resume(after)
    assert made.wait(10).result[after].result == 2
    assert Retrying.children() == []


def test_keys_carry_the_name_of_the_task(threads: Client) -> None:
    with Flow("keys") as flow:
        first = one()
        tasks: list[Task] = [add.map(numbers(count=3))]
    made = run(flow, threads)
    held: Any = held_by(made[first])
    assert held.source.future.key == f"one-{made.id}-0-1"
    child: Any = held_by(made[tasks[0]].map_states[0])  # type: ignore[attr-defined]
    assert child.source.future.key.startswith(f"add-{made.id}-")
