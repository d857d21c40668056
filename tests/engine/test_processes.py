from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow, Task, context, signals, task, triggers
from flowbook.engine.executors import LocalDaskExecutor, LocalExecutor, ThreadExecutor, executor_of
from flowbook.engine.executors.processes import ProcessExecutor
from flowbook.engine.journey import RemoteError, WorkerLost
from flowbook.states import Cancelled, Failed, Mapped, Skipped, State, Success, TimedOut, TriggerFailed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the bodies below ask for POSIX")


def run(flow: Flow, workers: int = 2, **options: Any) -> State:
    state: State = flow.run(show=False, executor=ProcessExecutor(workers), **options)
    return state


@task
def where() -> int:
    return os.getpid()


@task
def double(x: Any) -> Any:
    return 2 * x


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def whole(xs: Any) -> int:
    return sum(x for x in xs if isinstance(x, int))


def test_bodies_run_in_other_processes() -> None:
    with Flow("where") as flow:
        place = where()
    assert run(flow).result[place].result != os.getpid()


def test_values_go_from_task_to_task_through_maps_and_back() -> None:
    with Flow("values") as flow:
        mapped = double(numbers(50), mapped=True)
        total = whole(mapped)
    state = run(flow)
    assert state.result[mapped].result == [2 * x for x in range(50)]
    assert state.result[total].result == sum(range(50)) * 2


def test_functions_and_classes_of_a_notebook_travel_by_value() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(
        "class Point:\n    def __init__(self, x): self.x = x\n"
        "def shift(p, by=1): return Point(p.x + by)\n"
        "def start(): return Point(1)\n",
        names,
    )
    main = sys.modules["__main__"]
    before = getattr(main, "Point", None)
    vars(main)["Point"] = names["Point"]
    try:
        with Flow("by value") as flow:
            shifted = task(names["shift"])(task(names["start"])())
        result = run(flow).result[shifted].result
    finally:
        if before is None:
            del vars(main)["Point"]
    assert result.x == 2
    assert type(result) is names["Point"]


def test_the_place_of_the_engine_is_the_place_of_its_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWBOOK_TEST_WORD", "hello")

    @task
    def look() -> tuple[str, str | None]:
        return os.getcwd(), os.environ.get("FLOWBOOK_TEST_WORD")  # noqa: PTH109 - a text is compared

    with Flow("place") as flow:
        looked = look()
    assert run(flow).result[looked].result == (str(tmp_path), "hello")


def test_what_bodies_print_and_log_arrives_here(capsys: pytest.CaptureFixture[str]) -> None:
    @task
    def talk() -> None:
        print("on stdout")
        print("on stderr", file=sys.stderr)
        context.logger.warning("in the log")

    @task(log_stdout=True)
    def printed_to_log() -> None:
        print("printed to the log")

    with Flow("talk") as flow:
        talk()
        printed_to_log()
    assert run(flow).is_successful()
    said = capsys.readouterr()
    assert "on stdout" in said.out
    assert "on stderr" in said.err
    assert "in the log" in said.out + said.err
    assert "INFO - flowbook.printed_to_log | printed to the log" in said.out + said.err


def test_what_a_long_body_prints_is_seen_while_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    @task
    def slow() -> None:
        print("begun")
        time.sleep(20)

    with Flow("slow") as flow:
        slow()
    going = flow.start(show=False, executor=ProcessExecutor(1))
    seen = ""
    deadline = time.monotonic() + 10
    while "begun" not in seen and time.monotonic() < deadline:
        time.sleep(0.05)
        seen += capsys.readouterr().out
    going.cancel()
    assert "begun" in seen
    assert type(going.wait(5)) is Cancelled


def test_retries_loops_skips_and_triggers_are_the_engines() -> None:
    @task(max_retries=2, retry_delay=dt.timedelta(hours=1))
    def flaky() -> int:
        if context.task_run_count < 3:
            raise ValueError("not yet")
        return int(context.task_run_count)

    @task
    def count_to(n: int) -> int:
        so_far = context.get("task_loop_result", 0)
        if so_far < n:
            raise signals.LOOP(result=so_far + 1)
        return int(so_far)

    @task
    def leave_out() -> None:
        raise signals.SKIP("not today")

    @task(trigger=triggers.any_failed)
    def rescue(x: Any) -> str:
        return f"rescued from {type(x).__name__}"

    @task
    def fail() -> Any:
        raise KeyError("missing")

    with Flow("moves") as flow:
        retried, looped, skipped, failed = flaky(), count_to(3), leave_out(), fail()
        rescued, after = rescue(failed), double(failed)
    state = run(flow, clock="fast")
    ended = state.result
    assert ended[retried].result == 3
    assert ended[looped].result == 3
    assert type(ended[skipped]) is Skipped
    assert ended[rescued].result == "rescued from KeyError"
    assert type(ended[after]) is TriggerFailed
    assert "Traceback" in str(ended[failed].result.__cause__)


def test_state_handlers_and_custom_triggers_are_asked_where_the_engine_is() -> None:
    asked: list[int] = []

    def handler(_: Task, __: State, ___: State) -> None:
        asked.append(os.getpid())

    def trigger(_: Any) -> bool:
        asked.append(os.getpid())
        return True

    lock = threading.Lock()  # cannot be pickled, and need not be

    def with_lock(*_: Any) -> None:
        lock.acquire()
        lock.release()

    with Flow("asked") as flow:
        double(1, task_args={"state_handlers": [handler, with_lock], "trigger": trigger})
    assert run(flow).is_successful()
    assert set(asked) == {os.getpid()}


def test_async_bodies_run_to_their_end() -> None:
    @task
    async def later() -> int:
        import asyncio

        await asyncio.sleep(0.01)
        return 5

    with Flow("async") as flow:
        awaited = later()
    assert run(flow).result[awaited].result == 5


# -- hostile bodies ----------------------------------------------------------------------------------------------------


def forever() -> None:
    while True:
        pass


def in_c() -> None:
    ctypes.CDLL(None).sleep(60)


def swallows() -> None:
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)


def recursion() -> Any:
    return recursion()


def raises(error: type[BaseException]) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def closes_descriptors() -> int:
    for descriptor in range(3):
        os.close(descriptor)
    return 1


def changes_the_process() -> int:
    os.chdir("/")
    os.umask(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return 1


def forks() -> int:
    if os.fork() == 0:
        time.sleep(5)
        os._exit(0)
    return 1


HOSTILE: dict[str, tuple[Callable[[], Any], type[State], str]] = {
    "os._exit": (lambda: os._exit(7), Failed, "exit code 7"),
    "segfault": (lambda: ctypes.string_at(0), Failed, "SIGSEGV"),
    "SIGKILL": (lambda: os.kill(os.getpid(), signal.SIGKILL), Failed, "SIGKILL"),
    "endless": (forever, TimedOut, "Timed out after 1 s"),
    "sleeps in C": (in_c, TimedOut, "Timed out"),
    "swallows all": (swallows, TimedOut, "Timed out"),
    "SystemExit": (raises(SystemExit), Failed, "SystemExit"),
    "KeyboardInterrupt": (raises(KeyboardInterrupt), Failed, "KeyboardInterrupt"),
    "GeneratorExit": (raises(GeneratorExit), Failed, "GeneratorExit"),
    "recursion": (recursion, Failed, "RecursionError"),
    "closes 0 to 2": (closes_descriptors, Success, ""),
    "changes the process": (changes_the_process, Success, ""),
    "forks": (forks, Success, ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_body_ends_in_a_named_state_soon_and_harms_no_other(kind: str) -> None:
    body, expected, words = HOSTILE[kind]
    with Flow("hostile") as flow:
        bad = task(body, name="bad", timeout=1)()
        good = double(numbers(30), mapped=True)
    begun = time.monotonic()
    state = run(flow)
    assert time.monotonic() - begun < 2.9  # the timeout, one second, and the start of the workers
    ended = state.result[bad]
    assert type(ended) is expected, ended
    assert words in str(ended.message) + repr(ended.result)
    assert state.result[good].result == [2 * x for x in range(30)]


def test_a_worker_that_dies_is_an_attempt_that_failed_and_may_be_tried_again(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    @task(max_retries=1, retry_delay=dt.timedelta(seconds=0))
    def dies_once() -> str:
        if not mark.exists():
            mark.write_text("")
            os._exit(1)
        return "alive"

    with Flow("again") as flow:
        tried = dies_once()
    state = run(flow)
    assert state.result[tried].result == "alive"


def test_fifty_killed_workers_lose_no_neighbour() -> None:
    @task
    def dies(x: int) -> int:
        if x % 6 == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with Flow("fifty") as flow:
        mapped = dies(numbers(300), mapped=True)
    ended = run(flow).result[mapped]
    assert isinstance(ended, Mapped)
    kinds = [type(child) for child in ended.map_states]
    assert kinds.count(Failed) == 50
    assert [type(child) for child in ended.map_states if child] == [
        Failed if x % 6 == 5 else Success for x in range(300)
    ]
    lost = ended.map_states[5]
    assert lost is not None
    assert isinstance(lost.result, WorkerLost)
    assert "SIGKILL" in str(lost.result)


# -- hostile results ---------------------------------------------------------------------------------------------------


class Liar:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparing")

    def __hash__(self) -> int:
        raise RuntimeError("no hashing")

    def __repr__(self) -> str:
        raise SystemExit("no repr")


class Unreduced:
    def __reduce__(self) -> Any:
        raise RuntimeError("no pickling")


class Unmade:
    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> None:
    raise RuntimeError("no unpickling")


class TwoArguments(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


class Long:
    def __repr__(self) -> str:
        return "x" * 100_000_000


def lock() -> Any:
    return threading.Lock()


def iter_nothing() -> Any:
    yield from ()


def circle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def raise_two() -> None:
    raise TwoArguments("first", "second")


RESULTS: dict[str, tuple[Callable[[], Any], type[State], str]] = {
    "a lock": (lock, Failed, "cannot be pickled to come back"),
    "a generator": (iter_nothing, Failed, "cannot be pickled to come back"),
    "refuses to be pickled": (Unreduced, Failed, "cannot be pickled to come back"),
    "cannot be made again": (Unmade, Failed, "cannot be made again"),
    "lies": (Liar, Success, ""),
    "holds itself": (circle, Success, ""),
    "a long repr": (Long, Success, ""),
    "an error that cannot be made again": (raise_two, Failed, "first second"),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_a_hostile_result_ends_in_a_named_state_and_harms_no_other(kind: str) -> None:
    body, expected, words = RESULTS[kind]
    with Flow("results") as flow:
        bad = task(body, name="bad")()
        good = double(numbers(30), mapped=True)
    state = run(flow)
    assert type(state.result[bad]) is expected
    assert words in str(state.result[bad].message)
    assert state.result[good].result == [2 * x for x in range(30)]


def test_what_cannot_be_sent_is_named_with_the_way_out() -> None:
    lock = threading.Lock()

    @task
    def takes(x: Any, guard: Any) -> Any:
        return x

    def closes_over() -> Any:
        return lock

    with Flow("unsendable") as flow:
        argument = takes(1, guard=lock)
        function = task(closes_over)()
        fine = double(1)
    state = run(flow)
    assert "argument 'guard', a lock, of task 'takes-1' cannot be pickled" in str(state.result[argument].result)
    assert "executor='threads'" in str(state.result[argument].result)
    assert "the function of task 'closes_over-1' cannot be pickled" in str(state.result[function].result)
    assert state.result[fine].result == 2


def test_an_error_that_does_not_travel_is_still_caught_as_its_kind() -> None:
    class Local(OSError):
        def __init__(self, lock: Any) -> None:
            super().__init__("holds a lock")
            self.lock = lock

        def __reduce__(self) -> Any:
            raise TypeError("no")

    def body() -> None:
        raise Local(threading.Lock())

    with Flow("error") as flow:
        failed = task(body, max_retries=1, retry_delay=dt.timedelta(0), retry_on=OSError)()
    error = run(flow).result[failed].result
    assert isinstance(error, (RemoteError, OSError))
    assert isinstance(error, OSError)
    assert "holds a lock" in str(error)


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_a_cancel_ends_bodies_at_once() -> None:
    with Flow("cancel") as flow:
        mapped = task(swallows, name="swallows").map(upstream_tasks=[numbers(8)])
    going = flow.start(show=False, executor=ProcessExecutor(2))
    deadline = time.monotonic() + 10
    while not any(state.is_running() for state in going.children(mapped)) and time.monotonic() < deadline:
        time.sleep(0.02)
    begun = time.monotonic()
    going.cancel()
    state = going.wait(5)
    assert time.monotonic() - begun < 1.0
    assert type(state) is Cancelled
    assert {type(child) for child in going.children(mapped)} == {Cancelled}


def test_an_interrupt_is_a_clean_cancel() -> None:
    with Flow("interrupt") as flow:
        task(in_c, name="sleeps")()
    timer = threading.Timer(0.7, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(flow)
    assert time.monotonic() - begun < 2.0
    assert flow.last_run is not None
    assert type(flow.last_run.state) is Cancelled


def test_no_worker_outlives_the_run() -> None:
    import multiprocessing

    with Flow("leaves") as flow:
        double(numbers(10), mapped=True)
    run(flow)
    assert [child for child in multiprocessing.active_children() if child.name == "flowbook-worker"] == []


def test_a_script_is_not_run_again_by_its_workers(tmp_path: Path) -> None:
    import subprocess

    script = tmp_path / "script.py"
    script.write_text(
        "from flowbook import Flow, task\n"
        "print('begun')\n"
        "@task\ndef double(x):\n    return 2 * x\n"
        "with Flow('script') as flow:\n    doubled = double.map([1, 2, 3])\n"
        "print(flow.run(executor='processes').result[doubled].result)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["begun", "[2, 4, 6]"], done.stderr


def test_names_and_classes_mean_the_executor() -> None:
    assert executor_of("processes").name == "processes"
    assert isinstance(executor_of(LocalDaskExecutor(scheduler="processes", num_workers=3)), ProcessExecutor)
    assert isinstance(executor_of(LocalDaskExecutor), ThreadExecutor)
    assert isinstance(executor_of(LocalDaskExecutor(scheduler="sync")), LocalExecutor)
    with pytest.raises(ValueError, match="workers=0 must be at least 1"):
        ProcessExecutor(workers=0)


def test_a_program_ends_though_a_run_goes_on_and_leaves_no_worker(tmp_path: Path) -> None:
    import subprocess

    script = tmp_path / "leaves.py"
    script.write_text(
        "import os, signal, time\n"
        "from flowbook import Flow, task\n"
        "@task\ndef stubborn():\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        "with Flow('leaves') as flow:\n    stubborn()\n"
        "flow.start(executor='processes')\n"
        f"while not os.path.exists({str(tmp_path / 'pid')!r}):\n    time.sleep(0.01)\n"
        "time.sleep(0.1)\n"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 20
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(int((tmp_path / "pid").read_text()), 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived its program")


def test_a_program_that_ends_starts_no_more_workers(tmp_path: Path) -> None:
    import subprocess

    script = tmp_path / "leaves.py"
    script.write_text(
        "import atexit, multiprocessing.util, os, time\n"
        "from flowbook import Flow, task\n"
        "atexit.register(time.sleep, 1)  # others have something to do at the end, too\n"
        "@task\ndef long(x):\n"
        f"    open({str(tmp_path / 'begun')!r}, 'w').close()\n"
        "    time.sleep(30)\n"
        "with Flow('leaves') as flow:\n    long.map(list(range(20)))\n"
        "flow.start(executor='processes')\n"
        f"while not os.path.exists({str(tmp_path / 'begun')!r}):\n    time.sleep(0.01)\n"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begun < 20  # a worker started meanwhile would have been waited for
