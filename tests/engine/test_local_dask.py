"""The executor of one machine under the reference API's name."""

from __future__ import annotations

import threading

import pytest

from flowbook import Flow, config, task
from flowbook.errors import UnknownArgument
from flowbook.executors import LocalDaskExecutor


@pytest.mark.parametrize(
    ("scheduler", "name", "is_here"),
    [("threads", "threads", False), ("sync", "local", True), ("single-threaded", "local", True)],
)
def test_the_scheduler_says_which_executor_is_meant(scheduler: str, name: str, is_here: bool) -> None:
    @task
    def where() -> str:
        return threading.current_thread().name

    with Flow("here") as flow:
        asked = where()
    executor = LocalDaskExecutor(scheduler=scheduler, num_workers=2)
    assert executor.name == name
    found = flow.run(executor=executor, show=False).result[asked].result
    assert (found == threading.current_thread().name) is is_here


def test_threads_are_meant_without_a_word() -> None:
    assert LocalDaskExecutor().name == "threads"
    with Flow("by class", executor=LocalDaskExecutor) as flow:
        pass
    assert flow.run(show=False).is_successful()


def test_as_many_bodies_run_at_a_time_as_it_has_workers() -> None:
    meeting = threading.Barrier(3, timeout=10)

    @task
    def meet() -> None:
        meeting.wait()

    with Flow("three") as flow:
        for _ in range(3):
            meet()
    assert flow.run(executor=LocalDaskExecutor(num_workers=3), show=False).is_successful()


def test_what_is_not_known_is_named_with_what_is_nearest() -> None:
    with pytest.raises(UnknownArgument, match=r"scheduler='threds' is not known. Did you mean 'threads'\?"):
        LocalDaskExecutor(scheduler="threds")
    with pytest.raises(UnknownArgument, match=r"num_worker=2 would be a setting of Dask.*Did you mean 'num_workers'\?"):
        LocalDaskExecutor(num_worker=2)
    with pytest.raises(ValueError, match="workers=0 must be at least 1"):
        LocalDaskExecutor(num_workers=0)


@pytest.mark.parametrize("named", ["threads", "ThreadExecutor", "flowbook.executors.ThreadExecutor"])
def test_the_setting_says_where_bodies_run_when_nobody_else_does(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.engine.executor, "default_class", named)
    with Flow("configured") as flow:
        pass
    flow.run(show=False)
    assert flow.last_run is not None
    assert flow.last_run.executor.name == "threads"
    flow.run(show=False, executor="local")
    assert flow.last_run.executor.name == "local"
