"""The Dask executor when something gets lost or is stopped, and what it connects to."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster, Security

from flowbook import Flow, task, triggers
from flowbook.engine.executors import dask_drive, executor_of
from flowbook.engine.executors.dask import DaskExecutor
from flowbook.engine.flow_run import FlowRun
from flowbook.engine.lazy import held_by
from flowbook.errors import FlowError, ResultLost, UnknownArgument
from flowbook.states import Cancelled, Failed, TimedOut
from flowbook.tasks.base import Task
from tests.engine.clusters import add, cluster, numbers, one, run, until

# ---------------------------------------------------------------- what gets lost


def test_a_lost_worker_fails_its_attempt_and_the_retry_decides(dask_processes: Client, tmp_path: Path) -> None:
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
    made = run(flow, dask_processes)
    assert made[died].result == "survived"
    assert log.read_text() == "xx"
    states = [event.state for event in made.events if event.task == "die-1"]
    assert states == ["Running", "Failed", "Retrying", "Running", "Success"], "Dask itself tried it no second time"
    assert isinstance(made[dead], Failed)
    assert "worker that ran it was lost" in str(made[dead].message)


def test_a_lost_result_is_computed_again_by_dask(dask_processes: Client) -> None:
    with Flow("recomputed") as flow:
        first = add(20, y=22)
    made = run(flow, dask_processes)
    held: Any = held_by(made[first])
    until(lambda: held.source.future.status == "finished")
    holders = dask_processes.who_has([held.source.future])[held.source.future.key]
    assert len(holders) == 1
    with pytest.raises(OSError, match=r"."):
        dask_processes.run(os._exit, 1, workers=list(holders), nanny=False)
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


def test_cancel_ends_the_run_at_once_and_says_what_may_still_run(dask_threads: Client, tmp_path: Path) -> None:
    @task
    def slow(x: int) -> None:
        (tmp_path / str(x)).touch()
        time.sleep(0.5)

    with Flow("cancelled") as flow:
        tasks = [slow(index) for index in range(10)]
    flow_run = flow.start(show=False, executor=DaskExecutor(client=dask_threads))
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


def test_what_was_handed_over_goes_on_when_a_cancel_is_to_leave_it_alone(dask_threads: Client, tmp_path: Path) -> None:
    @task
    def slow(x: int) -> None:
        (tmp_path / str(x)).touch()
        time.sleep(0.1)

    with Flow("left alone") as flow:
        for index in range(6):
            slow(index)
    executor = DaskExecutor(client=dask_threads, disable_cancellation_event=True)
    flow_run = flow.start(show=False, executor=executor)
    until(lambda: list(tmp_path.iterdir()))
    flow_run.cancel()
    assert isinstance(flow_run.wait(5), Cancelled)
    until(lambda: len(list(tmp_path.iterdir())) == 6)


def test_a_body_whose_time_is_over_is_let_go_of(dask_threads: Client) -> None:
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
    made = run(flow, dask_threads)
    assert time.monotonic() - begun < 2.5
    assert isinstance(made[late], TimedOut)
    assert made[late].message == (
        "Timed out after 1 s. Its body may still be running on its worker: Dask cannot stop it."
    )
    assert made[fine].result == 1


def test_waiting_for_a_slot_does_not_count_as_time(dask_threads: Client) -> None:
    @task(timeout=1)
    def nap() -> int:
        time.sleep(0.4)
        return 1

    with Flow("queue") as flow:
        naps = [nap() for _ in range(8)]
    assert [run(flow, dask_threads)[each].result for each in naps[-1:]] == [1]


def test_an_interrupt_is_a_clean_cancel(dask_threads: Client) -> None:
    @task
    def slow() -> None:
        time.sleep(1)

    with Flow("interrupted") as flow:
        slept = slow()
    threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        run(flow, dask_threads)
    assert isinstance(flow.last_run, FlowRun)
    assert isinstance(flow.last_run.state, Cancelled)
    assert isinstance(flow.last_run[slept], Cancelled)


def test_a_paused_run_hands_nothing_over_until_it_goes_on(dask_threads: Client) -> None:
    with Flow("paused") as flow:
        added = add.map(numbers(count=50))
    flow_run = flow.start(show=False, executor=DaskExecutor(client=dask_threads))
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


def test_an_address_is_connected_to_once_and_its_results_stay_reachable(dask_threads: Client) -> None:
    executor = DaskExecutor(dask_threads.scheduler.address, allow_insecure=True)
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


def test_arguments_that_contradict_each_other_are_refused(dask_threads: Client) -> None:
    with pytest.raises(UnknownArgument, match="runs already"):
        DaskExecutor("tcp://127.0.0.1:1", cluster_kwargs={"n_workers": 1})
    with pytest.raises(UnknownArgument, match="connected already"):
        DaskExecutor("tcp://127.0.0.1:1", client=dask_threads)
    with pytest.raises(ValueError, match="gather_limit"):
        DaskExecutor(gather_limit=-1)


def test_the_name_means_the_client_of_the_notebook(dask_threads: Client) -> None:
    with dask_threads.as_current():
        executor: Any = executor_of("dask")
    assert executor.client is dask_threads


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


def test_several_runs_share_a_client(dask_threads: Client) -> None:
    with Flow("shared") as flow:
        added = add.map(numbers(count=30))
    runs = [flow.start(show=False, executor=DaskExecutor(client=dask_threads)) for _ in range(4)]
    assert all(each.wait(20).result[added].result == list(range(1, 31)) for each in runs)


def test_a_run_that_waits_for_a_person_goes_on_with_its_results(dask_threads: Client) -> None:
    @task(trigger=triggers.manual_only)
    def approved(x: int) -> int:
        return x + 1

    with Flow("manual") as flow:
        after = approved(one())
    made = run(flow, dask_threads)
    assert made.state.is_running()
    made.resume(after)
    assert made.wait(10).result[after].result == 2


def test_keys_carry_the_name_of_the_task(dask_threads: Client) -> None:
    with Flow("keys") as flow:
        first = one()
        tasks: list[Task] = [add.map(numbers(count=3))]
    made = run(flow, dask_threads)
    held: Any = held_by(made[first])
    assert held.source.future.key == f"one-{made.id}-0-1"
    child: Any = held_by(made[tasks[0]].map_states[0])  # type: ignore[attr-defined]
    assert child.source.future.key.startswith(f"add-{made.id}-")


def test_workers_that_come_and_go_are_logged_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(processes=False) as made, Client(made, set_as_default=False) as client:
        with Flow("watched") as flow:
            one()
        flow.run(show=False, executor=DaskExecutor(client=client, watch_worker_status=True))
        made.scale(1)
        until(lambda: "has gone" in capsys.readouterr().out)
        made.scale(2)
        until(lambda: "has come" in capsys.readouterr().out)


def test_a_cluster_without_workers_is_waited_for_and_spoken_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_drive, "PATIENCE", 0.1)
    options: Any = {"n_workers": 0, "processes": False, "dashboard_address": ":0", "silence_logs": 50}
    with LocalCluster(**options) as made, Client(made, set_as_default=False) as client:
        with Flow("patient") as flow:
            first = one()
        flow_run = flow.start(show=False, executor=DaskExecutor(client=client))
        until(lambda: "has no workers; 1 task runs wait for some" in capsys.readouterr().out)
        made.scale(1)
        assert flow_run.wait(10).result[first].result == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")
def test_a_cluster_with_certificates(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", *options, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    who = {
        f"tls_{role}_{part}": file
        for role in ("client", "scheduler", "worker")
        for part, file in (("key", key), ("cert", certificate))
    }
    security = Security(tls_ca_file=certificate, require_encryption=True, **who)
    with cluster(processes=False, protocol="tls://", security=security) as made:
        executor = DaskExecutor(made.scheduler_address, client_kwargs={"security": security})
        with Flow("safe") as flow:
            first = one()
        assert made.scheduler_address.startswith("tls://")
        assert flow.run(show=False, executor=executor).result[first].result == 1
        executor.close()


def test_a_performance_report_asks_for_bokeh(dask_threads: Client, tmp_path: Path) -> None:
    if importlib.util.find_spec("bokeh"):
        pytest.skip("bokeh is here")
    with Flow("reported") as flow:
        one()
    executor = DaskExecutor(client=dask_threads, performance_report_path=tmp_path / "report.html")
    with pytest.raises(ImportError, match="needs bokeh"):
        flow.run(show=False, executor=executor)


def test_a_chunk_with_a_lost_worker_fails_as_a_whole_and_others_do_not(dask_processes: Client) -> None:
    @task
    def touchy(x: int) -> int:
        if x == 3:
            os._exit(1)
        time.sleep(0.05)
        return x

    with Flow("poisoned") as flow:
        tried = touchy.map(list(range(24)))
    states = run(flow, dask_processes)[tried].map_states  # type: ignore[attr-defined]
    failed = [index for index, state in enumerate(states) if state.is_failed()]
    assert 3 in failed
    assert len(failed) <= 12
    assert [state.result for index, state in enumerate(states) if index not in failed] == [
        index for index in range(24) if index not in failed
    ]


def test_a_run_that_waits_for_a_person_keeps_its_cluster_while_others_use_the_executor() -> None:
    @task(trigger=triggers.manual_only)
    def approved(x: list[int]) -> int:
        return sum(x)

    executor = DaskExecutor(cluster_kwargs={"n_workers": 1, "threads_per_worker": 1, "processes": False})
    with Flow("waits") as waits:
        made = approved(numbers(4))
    with Flow("other") as other:
        found = numbers(3)
    run = waits.start(executor=executor, show=False)
    run.wait(30)
    state = other.run(executor=executor, show=False)
    assert state.result[found].result == [0, 1, 2]
    run.resume()
    assert run.wait(30).is_successful()
    assert run[made].result == 6
    executor.close()
