"""Helpers: pausing, logging, and what to paste into a report."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from flowbook import Flow, Parameter, config, context, signals, task
from flowbook.states import Paused
from flowbook.utilities.logging import get_logger
from flowbook.utilities.tasks import pause_task

# -- pausing ---------------------------------------------------------------------------------------------------------


def test_a_task_pauses_until_somebody_lets_it_go_on() -> None:
    with pytest.raises(signals.PAUSE) as caught:
        pause_task("look at the numbers first")
    state = caught.value.state
    assert isinstance(state, Paused)
    assert (state.message, state.start_time) == ("look at the numbers first", None)
    with context(resume=True):
        pause_task("look at the numbers first")


def test_a_task_pauses_for_a_while() -> None:
    before = dt.datetime.now(dt.timezone.utc)
    with pytest.raises(signals.PAUSE) as caught:
        pause_task(duration=dt.timedelta(hours=1))
    state = caught.value.state
    assert isinstance(state, Paused)
    assert state.message
    assert state.start_time is not None
    assert before + dt.timedelta(hours=1) <= state.start_time <= before + dt.timedelta(hours=2)


def test_a_paused_task_runs_again_from_its_beginning() -> None:
    @task
    def ask() -> int:
        turns.append(1)
        pause_task(duration=dt.timedelta(minutes=5))
        return len(turns)

    turns: list[int] = []
    flow = Flow("pause", tasks=[ask])
    assert flow.run(clock="fast").result[ask].result == 2


# -- logging ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def logging_settings() -> Iterator[None]:
    before = config.logging.to_dict()
    yield
    config.logging = before
    get_logger()


def test_loggers_stand_below_flowbook_s_own() -> None:
    assert get_logger().name == "flowbook"
    assert get_logger("flowbook") is get_logger()
    assert get_logger("etl.clean").name == "flowbook.etl.clean"
    assert get_logger("etl.clean").parent is get_logger()


def test_a_line_is_printed_once_where_the_cell_prints_now(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger("etl").info("%d rows", 3)
    line = capsys.readouterr().out
    assert line.endswith("] INFO - flowbook.etl | 3 rows\n")
    elsewhere, sys.stdout = sys.stdout, io.StringIO()
    try:
        get_logger("etl").warning("careful")
        assert sys.stdout.getvalue().count("careful") == 1
    finally:
        sys.stdout = elsewhere


def test_format_and_level_follow_the_settings(capsys: pytest.CaptureFixture[str], logging_settings: None) -> None:
    get_logger("etl").debug("unseen")
    config.logging.level = "DEBUG"
    config.logging.format = "%(levelname)s %(message)s"
    get_logger("etl").debug("seen")
    assert capsys.readouterr().out == "DEBUG seen\n"


def test_a_level_that_was_set_by_hand_stays(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger().setLevel(logging.ERROR)
    try:
        get_logger("etl").warning("unseen")
        assert capsys.readouterr().out == ""
    finally:
        get_logger().setLevel(config.logging.level)


def test_a_stdout_that_is_closed_fails_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    get_logger("etl").info("lost")


def test_what_a_body_prints_and_what_it_logs_is_logged_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    @task(log_stdout=True)
    def count() -> None:
        print("printed")
        context.logger.info("logged")

    assert Flow("log", tasks=[count]).run().is_successful()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" | ")[2] for line in lines] == ["printed", "logged"]
    assert all(" INFO - flowbook.count" in line for line in lines)


# -- diagnostics -----------------------------------------------------------------------------------------------------


def test_diagnostics_tell_shapes_and_versions_and_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK__CONTEXT__SECRETS__KEY", "hidden value")

    @task(max_retries=1, retry_delay=dt.timedelta(seconds=1))
    def secretive(x: object, y: object) -> object:
        return x

    with Flow("private name", executor="threads") as flow:
        secretive(Parameter("private parameter", default="hidden value"), y="hidden value")
    config.flows.eager_edge_validation = True
    try:
        text = flow.diagnostics()
    finally:
        config.flows.eager_edge_validation = False

    facts = json.loads(text)
    assert "hidden" not in text
    assert "private" not in text
    assert facts["env_vars"] == ["FLOWBOOK__CONTEXT__SECRETS__KEY"]
    assert facts["config_overrides"] == {"flows": {"eager_edge_validation": True}}
    assert facts["system_information"]["python_version"] == sys.version.split()[0]
    about = facts["flow_information"]
    assert (about["tasks"], about["edges"], about["constants"], about["parameters"]) == (2, 1, 1, 1)
    assert (about["task_types"], about["executor"]) == ({"FunctionTask": 1, "Parameter": 1}, "threads")
    assert (about["tasks_with_retries"], about["tasks_with_timeout"], about["schedule"]) == (1, 0, None)
