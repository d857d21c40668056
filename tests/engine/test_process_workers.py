"""What worker processes promise beyond how bodies end: nothing of them stays, and nothing of a body harms the next."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow, context, task
from flowbook.engine.executors import process_nursery
from flowbook.engine.executors.process_letters import Letters
from flowbook.engine.executors.process_line import KernelEnd, WorkerEnd, framed
from flowbook.engine.executors.processes import ProcessExecutor
from flowbook.redaction import hide
from flowbook.states import Failed, Success, TimedOut

pytestmark = pytest.mark.skipif(not process_nursery.can_fork(), reason="workers are not forked here")


@task
def pid() -> int:
    return os.getpid()


@task
def double(x: Any) -> Any:
    return 2 * x


def run(flow: Flow, workers: int = 2) -> Any:
    return flow.run(executor=ProcessExecutor(workers), show=False)


def gone_soon(number: int, seconds: float = 2.0) -> bool:
    """Tell whether a process has ended within some seconds; one that is dead and not buried has."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False)
        if not done.stdout.strip() or done.stdout.startswith("Z"):
            return True
        time.sleep(0.02)
    return False


# -- the line --------------------------------------------------------------------------------------------------------


def ends() -> tuple[KernelEnd, WorkerEnd]:
    ours, theirs = socket.socketpair()
    return KernelEnd(ours), WorkerEnd(theirs)


def test_frames_arrive_whole_however_they_are_cut() -> None:
    kernel, worker = ends()
    data = framed(b"o", b"one") + framed(b"v", b"x" * 3_000_000)
    threading.Thread(target=worker.send, args=(data,), daemon=True).start()
    found: list[tuple[bytes, bytes]] = []
    deadline = time.monotonic() + 10
    while len(found) < 2 and time.monotonic() < deadline:
        found += kernel.receive()
    assert [(tag, len(content)) for tag, content in found] == [(b"o", 3), (b"v", 3_000_000)]
    kernel.close()
    assert worker.receive() is None
    worker.line.close()


def test_what_a_worker_does_not_take_now_is_sent_later() -> None:
    kernel, worker = ends()
    kernel.send(framed(b"c", b"x" * 3_000_000))
    kernel.send(framed(b"c", b"last"))
    assert len(kernel._outgoing) == 2
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.extend([worker.receive(), worker.receive()]), daemon=True)
    reader.start()
    while reader.is_alive():
        kernel.send_more()
    assert [len(content) for _, content in found] == [3_000_000, 4]
    assert not kernel.has_more_to_send
    kernel.close()
    worker.line.close()


def test_two_ends_that_send_much_do_not_wait_for_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    @task
    def grow(data: bytes) -> bytes:
        print("y" * 1_000_000)
        return data * 2

    with Flow("large") as flow:
        made = [grow(b"x" * 20_000_000) for _ in range(3)]
    state = run(flow)
    assert [len(state.result[one].result) for one in made] == [40_000_000] * 3
    assert capsys.readouterr().out.count("y") == 3_000_000


# -- where workers come from -----------------------------------------------------------------------------------------


def test_each_run_has_workers_of_its_own() -> None:
    with Flow("own") as flow:
        one = pid()
    assert run(flow).result[one].result != run(flow).result[one].result


def test_runs_on_several_threads_do_not_disturb_each_other() -> None:
    with Flow("many") as flow:
        made = double.map(list(range(40)))
    runs: list[Any] = [flow.start(executor=ProcessExecutor(1), show=False) for _ in range(4)]
    for one in runs:
        assert one.wait(60).result[made].result == [2 * x for x in range(40)]


def test_a_nursery_that_is_killed_costs_what_runs_and_no_more() -> None:
    @task
    def kill_the_nursery() -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(20)

    @task(max_retries=2, retry_delay=dt.timedelta(0))
    def once_more(x: int) -> int:
        return x

    with Flow("orphaned") as flow:
        elements = double([0, 1, 2])
        killer = kill_the_nursery(upstream_tasks=[elements])
        others = once_more.map(elements)
    state = run(flow)
    assert isinstance(state.result[killer], Failed)
    assert "the process that had started it" in str(state.result[killer].message)
    assert state.result[others].result == [0, 1, 2, 0, 1, 2]


def test_workers_that_are_spawned_do_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_nursery, "can_fork", lambda: False)

    @task
    def dies() -> None:
        os._exit(3)

    @task(timeout=1)
    def sleeps() -> None:
        time.sleep(60)

    with Flow("spawned") as flow:
        made = double.map([1, 2, 3])
        lost, late = dies(), sleeps()
    state = run(flow)
    assert state.result[made].result == [2, 4, 6]
    assert "exit code 3" in str(state.result[lost].message)
    assert isinstance(state.result[late], TimedOut)


def test_workers_that_cannot_be_started_end_the_run_with_words(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Letters, "welcome", lambda self: framed(b"i", b"no pickle"))
    with Flow("hopeless") as flow:
        pid()
    with pytest.raises(RuntimeError, match="worker processes cannot be started"):
        run(flow)


# -- nothing stays ---------------------------------------------------------------------------------------------------


_KERNEL = """
import ctypes, os
from flowbook import Flow, task
from flowbook.executors import ProcessExecutor
@task
def busy():
    print(os.getpid())
    ctypes.PyDLL(None).sleep(30)  # a call into C that holds on to the interpreter
with Flow("killed") as flow:
    busy(), busy()
import sys; sys.stdout.reconfigure(line_buffering=True)
flow.run(executor=ProcessExecutor(2), show=False)
"""


def test_when_the_kernel_is_killed_its_busy_workers_end_at_once() -> None:
    with subprocess.Popen([sys.executable, "-c", _KERNEL], stdout=subprocess.PIPE, text=True) as kernel:
        assert kernel.stdout is not None
        workers = [int(kernel.stdout.readline()) for _ in range(2)]
        kernel.kill()
        kernel.wait()
        assert all(gone_soon(worker) for worker in workers)


def test_what_a_stopped_body_has_started_is_stopped_too(tmp_path: Path) -> None:
    mark = tmp_path / "child"

    @task(timeout=1)
    def waits_for_another() -> None:
        child = subprocess.Popen(["sleep", "60"])
        mark.write_text(str(child.pid))
        child.wait()

    with Flow("family") as flow:
        one = waits_for_another()
    assert isinstance(run(flow).result[one], TimedOut)
    assert gone_soon(int(mark.read_text()))


def test_a_cancel_leaves_no_process(tmp_path: Path) -> None:
    @task
    def swallows() -> None:
        (tmp_path / str(os.getpid())).write_text("")
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(60)

    with Flow("cancelled") as flow:
        swallows(), swallows()
    started: Any = flow.start(executor=ProcessExecutor(2), show=False)
    deadline = time.monotonic() + 20
    while len(list(tmp_path.iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started.cancel()
    begun = time.monotonic()
    assert started.wait(10).is_finished()
    assert time.monotonic() - begun < 0.5
    assert all(gone_soon(int(mark.name)) for mark in tmp_path.iterdir())


# -- no body harms the next ------------------------------------------------------------------------------------------


def moves_away() -> None:
    os.chdir("/")


def forbids() -> None:
    os.umask(0o777)


def sets_an_alarm() -> None:
    signal.alarm(1)


def takes_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def closes_output() -> None:
    os.close(1)


def replaces_output() -> None:
    sys.stdout = None


@pytest.mark.parametrize("body", [moves_away, forbids, sets_an_alarm, takes_signals, closes_output, replaces_output])
def test_after_a_body_that_changes_its_process_the_next_one_gets_a_new_process(body: Any) -> None:
    @task
    def look(after: Any) -> tuple[int, Path]:
        print("still printing")
        return os.getpid(), Path.cwd()

    with Flow("changed") as flow:
        before = pid()
        changer = task(body)(upstream_tasks=[before])
        after = look(changer)
    state = run(flow, workers=1)
    assert isinstance(state.result[changer], Success)
    assert state.result[after].result[0] != state.result[before].result
    assert state.result[after].result[1] == Path.cwd()


def test_a_body_that_returns_twice_after_a_fork_counts_once() -> None:
    @task
    def forks() -> str:
        if os.fork() == 0:
            return "child"
        time.sleep(0.2)
        return "parent"

    with Flow("forked") as flow:
        two = double(forks())
    assert run(flow, workers=1).result[two].result == "parentparent"


def test_a_body_that_cuts_its_line_is_lost_and_nothing_else() -> None:
    @task
    def closes_all() -> None:
        os.closerange(3, 256)
        time.sleep(0.1)

    with Flow("cut") as flow:
        one = closes_all()
        made = double.map(list(range(10)))
    state = run(flow)
    assert isinstance(state.result[one], Failed)
    assert "closed its line" in str(state.result[one].message)
    assert state.result[made].result == [2 * x for x in range(10)]


def test_a_short_task_never_waits_behind_a_long_one() -> None:
    @task
    def sometimes_long(x: int) -> float:
        if x == 30:
            time.sleep(1.5)
        return time.monotonic()

    with Flow("behind") as flow:
        made = sometimes_long.map(list(range(60)))
    ended = run(flow).result[made].result
    assert max(ended[:30] + ended[31:]) < ended[30] - 1


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_of_the_kernel_is_masked_in_what_a_worker_says(capsys: pytest.CaptureFixture[str]) -> None:
    @task
    def tells(word: str) -> None:
        context.logger.warning("the word is %s", word)
        raise ValueError(f"not {word}")

    hide("swordfish-of-the-kernel")
    with Flow("secret") as flow:
        one = tells("swordfish-of-the-kernel")
    state = run(flow)
    assert "the word is ***" in capsys.readouterr().out
    assert "swordfish" not in f"{state.result[one].message}{state.result[one].result.__cause__}"
