from __future__ import annotations

import pickle
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow, Task, context, redaction, signals, task
from flowbook.engine.attempt import BodyTimedOut
from flowbook.engine.frame import _ANSWERS
from flowbook.engine.journey import RemoteError, RemoteTraceback, packed_error, unpacked_error
from flowbook.engine.remote import Outcome, attempt_of, print_log, run_attempt
from flowbook.results import LocalResult
from tests.engine.far import attempt_for, outcome_of, runner_of


def here(body: Any, **options: Any) -> Outcome:
    """Run a body in this process, and let what comes of it make the journey."""
    with Flow("far") as flow:
        one = task(**options)(body)()
    outcome: Outcome = pickle.loads(pickle.dumps(run_attempt(attempt_for(flow, one))))
    return outcome


def home(error: BaseException) -> BaseException:
    return unpacked_error(packed_error(error))


class NeedsTwo(ValueError):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.two = two


class Holds(KeyError):
    def __init__(self, what: object) -> None:
        super().__init__("it holds", what)
        self.what = what


class Liar(OSError):
    def __reduce__(self) -> Any:
        return (print, ("never an error",))


class Loud(Exception):
    def __reduce__(self) -> Any:
        raise SystemExit(3)

    def __str__(self) -> str:
        raise KeyboardInterrupt


# -- secrets over there ----------------------------------------------------------------------------------------------


def test_what_is_handed_out_over_there_is_masked_over_there_and_here() -> None:
    """A worker of its own: what this process knows must come from there."""

    def look() -> None:
        from flowbook import context
        from flowbook.client import Secret

        secret = Secret("VAULT").get()
        context.logger.warning("looked up %s", secret)
        try:
            {}[secret]
        except KeyError:
            context.logger.exception("with %s", secret)
        raise ValueError(f"refused {secret}")

    with Flow("far") as flow:
        one = task(look)()
    secret = "marvin the paranoid"
    try:
        outcome = outcome_of(flow, one, runner_of(flow, given={"secrets": {"VAULT": secret}}))
        assert secret not in f"{outcome.logs} {outcome.error!r} {getattr(outcome.error, '__cause__', None)}"
        assert "looked up ***" in outcome.logs[0].text
        assert redaction.redact(secret) == "***"
    finally:
        redaction.known.clear()
        redaction._pattern.clear()


# -- the context over there ------------------------------------------------------------------------------------------


def test_every_key_of_the_context_answers_over_there_as_it_does_here() -> None:
    def ask() -> dict[str, Any]:
        from flowbook import context

        return {key: context[key] for key in context if key not in {"config", "logger"}}

    with Flow("asks") as flow:
        one = task(name="the asker", tags=["x"], slug="asker", task_run_name="{task_name} in {country}")(ask)()
    contexts = {0: {"note": "own"}}
    runner = runner_of(flow, parameters={"country": "NL"}, given={"today": "2020-02-02"}, task_contexts=contexts)
    runner.machine.runs[0] = 3
    runner.machine.loops[0] = (2, "before")
    runner.machine.resumed.add(0)
    outcome = outcome_of(flow, one, runner)
    assert outcome.error is None
    from flowbook.contexts import install_frame, restore_frame
    from flowbook.engine.frame import RunFrame

    frame = RunFrame(runner)
    frame.task = 0
    token = install_frame(frame)
    try:
        assert outcome.value == ask()
    finally:
        restore_frame(token)
    assert outcome.value["note"] == "own"
    assert outcome.value["task_run_name"] == "the asker in NL"
    assert outcome.value["task_loop_result"] == "before"
    assert {key for key in _ANSWERS if not key.startswith("_")} - {"config", "logger"} <= set(outcome.value)


def test_what_a_task_logs_and_prints_comes_back_with_the_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    def say() -> None:
        from flowbook import context

        context.logger.warning("careful, %s", "you")
        print("printed")
        try:
            int("inside")
        except ValueError:
            context.logger.exception("it went wrong")

    with Flow("talks") as flow:
        one = task(name="talker", log_stdout=True)(say)()
    outcome = outcome_of(flow, one)
    assert [(line.name, line.level, line.text) for line in outcome.logs[:2]] == [
        ("flowbook.talker", 30, "careful, you"),
        ("flowbook.talker", 20, "printed"),
    ]
    assert "ValueError: invalid literal" in outcome.logs[2].text
    runner = runner_of(flow)
    print_log(runner, runner.plan.number(one), outcome.logs)
    assert "WARNING - flowbook.talker | careful, you" in capsys.readouterr().out
    assert [line[2:] for line in runner.lines][:2] == [("WARNING", "careful, you"), ("INFO", "printed")]


def test_in_the_process_it_was_made_in_an_attempt_prints_its_log_itself(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = here(lambda: context.logger.warning("once"), name="near")
    assert outcome.logs == ()
    assert capsys.readouterr().out.count("once") == 1


def test_handlers_and_triggers_that_cannot_be_pickled_stay_where_they_are() -> None:
    lock = threading.Lock()

    class Sized(Task):
        def __init__(self, size: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.size = size

        def run(self, factor: int) -> int:
            return self.size * factor

    with Flow("held") as flow:
        one = Sized(7, state_handlers=[lambda *_: lock.locked()], trigger=lambda states: lock is not None)(3)
    assert outcome_of(flow, one).value == 21


def test_a_task_that_keeps_its_result_leaves_its_handlers_behind_too(tmp_path: Path) -> None:
    lock = threading.Lock()

    def looks(*_: object) -> None:
        lock.locked()

    @task(state_handlers=[looks], result=LocalResult(dir=str(tmp_path)), checkpoint=True)
    def kept(x: int) -> int:
        return x + 1

    @task(state_handlers=[looks], result=LocalResult(dir=str(tmp_path)), checkpoint=True)
    async def later(x: int) -> int:
        return x + 1

    with Flow("kept") as flow:
        made = later(kept(1))
    state = flow.run(executor="processes", show=False)
    assert state.result[made].result == 3


def test_gathering_the_facts_of_an_attempt_takes_microseconds() -> None:
    with Flow("quick") as flow:
        one = task(lambda: 1)()
    runner = runner_of(flow)
    number = runner.plan.number(one)
    best = float("inf")
    for _ in range(20):
        begun = time.perf_counter()
        for _ in range(100):
            attempt_of(runner, number, {})
        best = min(best, (time.perf_counter() - begun) / 100)
    assert best < 50e-6  # 7 µs on a machine with nothing else to do


# -- how bodies end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("odd")])
def test_whatever_a_body_raises_is_an_outcome(error: BaseException) -> None:
    def body() -> None:
        raise error

    assert type(here(body).error) is type(error)


def test_an_async_body_runs_to_its_end_over_there() -> None:
    async def fetch() -> str:
        import asyncio

        from flowbook import context

        await asyncio.sleep(0)
        return f"{context.task_name}"

    with Flow("async") as flow:
        one = task(fetch)()
    assert outcome_of(flow, one).value == "fetch"


def test_a_body_that_takes_too_long_is_let_go_of_or_left_to_others() -> None:
    assert isinstance(here(lambda: time.sleep(5), timeout=1).error, BodyTimedOut)
    with Flow("watched") as flow:
        one = task(timeout=1)(lambda: time.sleep(1.2))()
    assert run_attempt(attempt_for(flow, one), keeps_time=False).error is None


# -- the journey of errors -------------------------------------------------------------------------------------------


def test_a_plain_error_comes_back_as_itself_with_its_traceback_as_cause() -> None:
    def body() -> None:
        raise ValueError("no")

    error = here(body).error
    assert type(error) is ValueError
    assert error.args == ("no",)
    assert isinstance(error.__cause__, RemoteTraceback)
    assert str(error.__cause__).strip().startswith("Traceback (most recent call last):")
    assert "in body" in str(error.__cause__)
    assert "run_attempt" not in str(error.__cause__)


def test_an_error_whose_class_wants_other_arguments_keeps_its_class() -> None:
    error = home(NeedsTwo(1, 2))
    assert type(error) is NeedsTwo
    assert (str(error), error.two) == ("1 and 2", 2)


def test_an_error_that_holds_what_cannot_be_pickled_keeps_its_class_without_it() -> None:
    error = home(Holds(threading.Lock()))
    assert type(error) is Holds
    assert error.args[0] == "it holds"
    assert "lock" in error.args[1]
    assert not hasattr(error, "what")


@pytest.mark.parametrize("error", [Liar(2, "gone"), Loud("loud")])
def test_an_error_that_lies_about_itself_arrives_as_an_error(error: BaseException) -> None:
    found = home(error)
    assert isinstance(found, BaseException)
    assert isinstance(found, (type(error), RemoteError))


def test_a_remote_error_is_caught_as_the_nearest_base_of_what_it_stands_for() -> None:
    class Metal(type):
        def __reduce__(cls) -> Any:
            raise TypeError("no class of mine travels")

    class Gone(LookupError, metaclass=Metal):
        def __reduce__(self) -> Any:
            raise TypeError("nor does any of them")

    error = home(Gone("lost"))
    if type(error).__name__ != "Gone":
        assert isinstance(error, RemoteError)
        assert isinstance(error, LookupError)
        assert str(error) == "Gone: lost"
        again = home(error)
        assert isinstance(again, LookupError)


def test_signals_bring_their_states_home() -> None:
    error = home(signals.LOOP("again", result=[1, 2]))
    assert isinstance(error, signals.LOOP)
    assert error.state.result == [1, 2]
    assert isinstance(home(signals.SKIP("not today")), signals.SKIP)


def test_a_signal_that_carries_what_cannot_be_pickled_says_so() -> None:
    error = home(signals.SUCCESS("done", result=threading.Lock()))
    assert isinstance(error, TypeError)
    assert "signal SUCCESS" in str(error)
    assert "lock" in str(error)
