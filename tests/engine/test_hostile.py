"""Hostile bodies, results, handlers, triggers and readers: the run ends in states, and the kernel stays usable."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from flowbook import Flow, Task, signals, task, triggers
from flowbook.states import Failed, Success, TriggerFailed
from tests.engine.conftest import Run


@pytest.fixture(autouse=True)
def kernel_is_left_as_it_was() -> Iterator[None]:
    before = (signal.getsignal(signal.SIGINT), sys.stdout, sys.getrecursionlimit(), threading.excepthook)
    yield
    assert before == (signal.getsignal(signal.SIGINT), sys.stdout, sys.getrecursionlimit(), threading.excepthook)


class Unpicklable(Exception):
    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot be pickled")


class Mute(Exception):
    def __repr__(self) -> str:
        raise ValueError("no repr")

    def __str__(self) -> str:
        raise ValueError("no str")


class Malicious(Exception):
    def __repr__(self) -> str:
        raise SystemExit("in repr")

    def __str__(self) -> str:
        raise KeyboardInterrupt


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    place: int = 3


class Endless(BaseException):
    """Has a message that is too long for any picture."""

    def __init__(self) -> None:
        super().__init__("x" * 1_000_000)


def forever() -> int:
    return forever() + 1


RAISED: dict[str, Callable[[], object]] = {
    "SystemExit": lambda: sys.exit(3),
    "KeyboardInterrupt": lambda: _raise(KeyboardInterrupt()),
    "GeneratorExit": lambda: _raise(GeneratorExit()),
    "RecursionError": forever,
    "MemoryError": lambda: _raise(MemoryError()),
    "StopIteration": lambda: next(iter(())),
    "unpicklable": lambda: _raise(Unpicklable("x")),
    "mute": lambda: _raise(Mute("x")),
    "malicious": lambda: _raise(Malicious("x")),
    "frozen": lambda: _raise(Frozen()),
    "endless": lambda: _raise(Endless()),
    "BaseException": lambda: _raise(BaseException("bare")),
    "exception group": lambda: _raise(_chained()),
}


def _raise(error: BaseException) -> NoReturn:
    raise error


def _chained() -> BaseException:
    """Return an error that is its own cause."""
    error = ValueError("circle")
    error.__cause__ = error
    return error


@task
def good(x: object = None) -> str:
    return "kept"


@task(trigger=triggers.all_finished)
def finish(x: object = None) -> str:
    return "finished"


def beside(body: Any, **options: Any) -> tuple[Flow, Task, Task, Task]:
    """Put a body between one that goes well and one that runs anyway."""
    with Flow("beside") as flow:
        before = good()
        made = task(name="body", **options)(body)(upstream_tasks=[before])
        after = finish(made)
    return flow, before, made, after


@pytest.mark.parametrize("name", RAISED)
def test_whatever_a_body_raises_is_a_failure_with_it_as_the_result(name: str, run: Run) -> None:
    flow, before, made, after = beside(RAISED[name])
    state = run(flow)
    assert type(state.result[made]) is Failed
    assert isinstance(state.result[made].result, BaseException)
    assert len(state.result[made].message or "") < 1000
    assert state.result[before].result == "kept"
    assert state.result[after].result == "finished"
    assert flow.last_run is not None
    assert str(flow.last_run.story(made))
    assert str(flow.last_run.story(after))
    json.dumps([event.to_dict() for event in flow.last_run.events])
    assert repr(flow.last_run)


class Liar:
    """Claims anything, and raises where that is possible."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        raise TypeError("no hash")

    def __bool__(self) -> bool:
        raise ValueError("no truth")

    def __len__(self) -> int:
        raise ValueError("no length")

    def __repr__(self) -> str:
        raise SystemExit("no repr")

    def __iter__(self) -> Iterator[object]:
        raise ValueError("no items")

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(f"no {name}")


def test_results_that_lie_are_passed_on_and_kept(run: Run) -> None:
    liar = Liar()

    @task
    def take(x: object) -> object:
        return x

    with Flow("liars") as flow:
        made = take(task(name="lie")(lambda: liar)())
        after = good(made)
    state = run(flow)
    assert state.is_successful()
    assert state.result[made].result is liar
    assert state.result[after].is_successful()
    assert flow.last_run is not None
    assert str(flow.last_run.story(made))


def test_a_liar_raised_as_a_signals_result_is_kept(run: Run) -> None:
    liar = Liar()
    flow, _, made, _ = beside(lambda: _raise(signals.FAIL("with a liar", result=liar)))
    assert run(flow).result[made].result is liar


def test_a_body_that_swallows_everything_is_a_success(run: Run) -> None:
    def body() -> str:
        try:
            sys.exit(1)
        except BaseException:  # noqa: BLE001 - what is under test
            return "swallowed"

    flow, _, made, _ = beside(body)
    assert run(flow).result[made].result == "swallowed"


def test_a_body_that_changes_signal_handlers_and_puts_them_back_disturbs_nothing() -> None:
    def body() -> str:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGINT, before)
        return "put back"

    flow, _, made, _ = beside(body)
    assert flow.run(show=False).result[made].result == "put back"


def test_a_body_that_changes_the_flow_changes_its_next_run_only(run: Run) -> None:
    def body() -> None:
        with flow:
            good()
        made.name = "renamed"
        made.max_retries = 5

    flow, _, made, _ = beside(body)
    count = len(flow.tasks)
    assert len(run(flow).result) == count
    assert len(run(flow, task_states={made: Success()}).result) == count + 1


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("place", ["handler", "trigger", "on_failure", "terminal handler", "flow handler"])
def test_one_that_raises_anywhere_leaves_finished_results_alone(
    kind: type[BaseException], place: str, run: Run
) -> None:
    def broken(*args: Any) -> NoReturn:
        raise kind("broken")

    options: dict[str, dict[str, Any]] = {
        "handler": {"state_handlers": [broken]},
        "trigger": {"trigger": broken},
        "on_failure": {"on_failure": broken},
    }
    flow, before, made, after = beside(lambda: _raise(ZeroDivisionError()), **options.get(place, {}))
    if place == "terminal handler":
        flow.terminal_state_handler = broken
    if place == "flow handler":
        flow.state_handlers.append(lambda flow, old, new: broken() if new.is_finished() else None)
    state = run(flow)
    assert state.result[before].result == "kept"
    assert type(state.result[made]) is (TriggerFailed if place == "trigger" else Failed)
    assert state.result[after].result == "finished"


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_reader_that_raises_is_let_go_of_and_the_run_goes_on(kind: type[BaseException]) -> None:
    with Flow("read") as flow:
        first = good()
        good(first)
    heard: list[int] = []

    def broken(events: object) -> NoReturn:
        raise kind("broken reader")

    @task(name="subscribe")
    def subscribe() -> None:
        assert flow.last_run is not None
        flow.last_run.subscribe(broken)
        flow.last_run.subscribe(lambda events: heard.append(len(events)))

    with flow:
        first.set_upstream(subscribe())
    for executor in ("local", "threads"):
        heard.clear()
        assert flow.run(show=False, executor=executor).is_successful()
        assert heard
        assert flow.last_run is not None
        assert [type(error) for _, error in flow.last_run.runner.stream.broken] == [kind]


def test_a_watcher_that_raises_warns_and_the_run_ends() -> None:
    def broken(run: object) -> NoReturn:
        raise ValueError("broken display")

    def body() -> None:
        assert flow.last_run is not None
        flow.last_run.on_change(broken)

    flow, _, made, _ = beside(body)
    with pytest.warns(UserWarning, match="could not be told how the run stands"):
        assert flow.run(show=False).result[made].is_successful()


def test_a_display_that_is_broken_warns_and_the_flow_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython

    class Shell:
        kernel = object()

    def broken(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError("no display")

    import flowbook.notebook.live

    monkeypatch.setattr(IPython, "get_ipython", Shell)
    monkeypatch.setattr(flowbook.notebook.live, "show_run", broken)
    flow, _, made, _ = beside(lambda: "fine")
    with pytest.warns(UserWarning, match="could not be shown: RuntimeError"):
        assert flow.run().result[made].result == "fine"


def test_after_all_this_a_plain_flow_runs(run: Run) -> None:
    flow, *_ = beside(lambda: 1)
    assert run(flow).is_successful()
