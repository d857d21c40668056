"""Printing to the log, and the loggers of tasks."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from flowbook import Flow, Parameter, Task, context, task
from flowbook.engine.printing import printing_to_log
from flowbook.utilities.logging import get_logger
from tests.engine.conftest import Run


@pytest.fixture(autouse=True)
def streams_are_left_as_they_were() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    yield
    assert (sys.stdout, sys.stderr) == before


def talking(text: str, *, log_stdout: bool = True) -> Flow:
    @task(log_stdout=log_stdout)
    def talk() -> None:
        sys.stdout.write(text)

    with Flow("talks") as flow:
        talk()
    return flow


def test_each_line_is_logged_at_info_with_the_name_of_the_task(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(talking("one\ntwo\nthree"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("] ")[2] for line in lines] == [
        "INFO - flowbook.talk | one",
        "INFO - flowbook.talk | two",
        "INFO - flowbook.talk | three",
    ]


def test_without_log_stdout_printing_is_printing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(talking("plain\n", log_stdout=False))
    assert capsys.readouterr().out == "plain\n"


def test_percent_signs_are_only_percent_signs(capsys: pytest.CaptureFixture[str]) -> None:
    talking("100 %s\n").run(show=False)
    assert capsys.readouterr().out.endswith("| 100 %s\n")


def test_the_logger_of_a_task_is_that_of_the_task_in_a_body(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    names: list[str] = []

    @task
    def body() -> None:
        names.extend([made.logger.name, context.logger.name, get_logger("mine").name])
        context.logger.warning("careful")

    with Flow("logs") as flow:
        made = body(task_args={"name": "clean up"})
    run(flow)
    assert names == ["flowbook.clean up", "flowbook.clean up", "flowbook.mine"]
    assert "WARNING - flowbook.clean up | careful" in capsys.readouterr().out


def test_bodies_that_print_at_the_same_time_each_go_to_their_own_log(capsys: pytest.CaptureFixture[str]) -> None:
    barrier = threading.Barrier(3)

    def talker(name: str, log_stdout: bool) -> Task:
        @task(name=name, log_stdout=log_stdout)
        def talk() -> None:
            for turn in range(3):
                barrier.wait(5)
                print(f"{name} {turn}")
                time.sleep(0.005)

        return talk()

    with Flow("three voices") as flow:
        talker("first", log_stdout=True)
        talker("second", log_stdout=True)
        talker("third", log_stdout=False)
    assert flow.run(show=False, executor="threads").is_successful()
    lines = capsys.readouterr().out.splitlines()
    said = sorted(line.partition("] ")[2] or line for line in lines)
    assert said == sorted(
        [f"INFO - flowbook.{name} | {name} {turn}" for name in ("first", "second") for turn in range(3)]
        + [f"third {turn}" for turn in range(3)]
    )


def test_a_redirection_inside_a_body_gets_what_is_printed_there(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    caught = io.StringIO()

    @task(log_stdout=True)
    def body() -> None:
        print("before")
        with contextlib.redirect_stdout(caught):
            print("inside")
        print("after")

    with Flow("redirects") as flow:
        body()
    run(flow)
    assert caught.getvalue() == "inside\n"
    assert [line.partition("| ")[2] for line in capsys.readouterr().out.splitlines()] == ["before", "after"]


def test_a_run_in_a_talking_body_talks_to_its_own_log(capsys: pytest.CaptureFixture[str]) -> None:
    inner = talking("inner\n")

    @task(log_stdout=True)
    def outer() -> None:
        print("outer")
        inner.run(show=False)
        print("outer again")

    with Flow("outer") as flow:
        outer()
    flow.run(show=False)
    lines = [line.partition("] ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "INFO - flowbook.outer | outer",
        "INFO - flowbook.talk | inner",
        "INFO - flowbook.outer | outer again",
    ]


def test_the_router_is_the_stream_beneath_in_all_else(capsys: pytest.CaptureFixture[str]) -> None:
    beneath: Any = sys.stdout

    @task
    def body() -> None: ...

    with printing_to_log(body):
        router: Any = sys.stdout
        assert router is not beneath
        assert router.encoding == beneath.encoding
        assert router.isatty() == beneath.isatty()
        router.writelines(["a", "b\n"])
        print("c", file=router, flush=True)
        with printing_to_log(body):
            assert sys.stdout is router
    assert [line[-3:] for line in capsys.readouterr().out.splitlines()] == [" ab", "| c"]


def test_what_was_printed_before_an_error_is_logged(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    @task(log_stdout=True)
    def body() -> None:
        print("last words", end="")
        raise ValueError

    with Flow("fails") as flow:
        body()
    run(flow)
    assert "| last words" in capsys.readouterr().out


def test_a_log_handler_that_prints_does_not_hear_itself(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    class Printing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print("heard:", record.getMessage())

    handler = Printing()
    get_logger().addHandler(handler)
    try:
        run(talking("hello\n"))
    finally:
        get_logger().removeHandler(handler)
    assert capsys.readouterr().out.count("heard: hello\n") == 1


@pytest.mark.parametrize("log_stdout", [False, True])
def test_a_secret_is_masked_on_both_streams(*, log_stdout: bool, capsys: pytest.CaptureFixture[str]) -> None:
    @task(log_stdout=log_stdout)
    def careless(token: str) -> None:
        print("to stdout", token)
        print("to stderr", token, file=sys.stderr)

    with Flow("careless") as flow:
        careless(Parameter("token", sensitive=True))
    flow.run({"token": "swordfish-of-mine"}, show=False)
    told = capsys.readouterr()
    assert "swordfish" not in told.out + told.err
    assert told.err.startswith("to stderr ***")
