"""Shell commands as tasks: what they return, how they fail, and that nothing of them is left behind."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow, Parameter, signals
from flowbook.tasks.shell import ShellTask
from flowbook.utilities.logging import get_logger


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Catch what tasks log; flowbook's loggers do not hand on to others by themselves."""
    monkeypatch.setattr(get_logger(), "propagate", True)
    caplog.set_level(logging.DEBUG, logger="flowbook")
    return caplog


def wait_until_gone(pid: int) -> bool:
    """Tell whether a process ends within a few seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True  # it has ended, and nobody has asked for it yet
        time.sleep(0.02)
    return False


# ---------------------------------------------------------------- what it returns


def test_the_last_line_is_the_result() -> None:
    assert ShellTask().run(command="echo one; echo two") == "two"


def test_all_lines_are_the_result_when_asked_for() -> None:
    assert ShellTask(return_all=True).run(command="printf 'one\\n\\ntwo'") == ["one", "", "two"]


def test_a_silent_command_returns_an_empty_text_or_list() -> None:
    assert ShellTask("true").run() == ""
    assert ShellTask("true", return_all=True).run() == []


def test_the_error_output_counts_as_printed() -> None:
    assert ShellTask("echo out; echo err >&2", return_all=True).run() == ["out", "err"]


def test_bytes_that_are_no_text_do_not_fail_the_task() -> None:
    assert ShellTask(r"printf 'a\xffb'").run() == "a\ufffdb"


# ---------------------------------------------------------------- what it is given


def test_options_of_the_call_win_over_those_of_the_constructor() -> None:
    shell = ShellTask("echo made", shell="bash", return_all=True)
    assert shell.run() == ["made"]
    assert shell.run(command="echo called", return_all=False) == "called"
    assert shell.run(command="echo $0", shell="sh", return_all=False) != ""


def test_the_environment_is_merged_and_a_variable_can_be_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("GONE", "1")
    shell = ShellTask('echo "$KEPT ${GONE-none} $NUMBER"', env={"GONE": None, "NUMBER": 42})
    assert shell.run() == "1 none 42"
    assert os.environ["GONE"] == "1"


def test_a_value_in_the_environment_is_never_read_as_code(tmp_path: Path) -> None:
    hostile = f"$(touch {tmp_path}/hacked); `touch {tmp_path}/hacked`"
    assert ShellTask('echo "$VALUE"', env={"VALUE": hostile}).run() == hostile
    assert list(tmp_path.iterdir()) == []


def test_a_helper_script_comes_first(tmp_path: Path) -> None:
    shell = ShellTask("here", helper_script=f"cd {tmp_path}\nhere() {{ pwd; }}")
    assert shell.run() == str(tmp_path.resolve())


def test_a_shell_may_have_options() -> None:
    with pytest.raises(signals.FAIL):
        ShellTask("false; echo went on", shell="bash -e").run()
    assert ShellTask("false; echo went on").run() == "went on"


def test_a_command_may_be_longer_than_a_command_line() -> None:
    assert ShellTask(f": {'x' * 300_000}\necho done").run() == "done"


def test_a_command_that_asks_gets_no_answer_and_does_not_wait() -> None:
    assert ShellTask("read answer || echo nobody there").run() == "nobody there"


def test_without_a_command_the_error_says_where_to_give_it() -> None:
    with pytest.raises(ValueError, match=r"task 'ShellTask' has no command.*ShellTask\(command=\.\.\.\)"):
        ShellTask().run()


def test_a_shell_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"shell='nosuchshell'.*no such program"):
        ShellTask("true", shell="nosuchshell").run()


# ---------------------------------------------------------------- how it fails


def test_a_failing_command_fails_the_task_with_its_exit_code_and_last_lines() -> None:
    with Flow("failing") as flow:
        failed = ShellTask(name="list")(command="seq 9; exit 3")
    state = flow.run(show=False).result[failed]
    assert state.is_failed()
    assert state.message == "Command failed with exit code 3; it last printed:\n5\n6\n7\n8\n9"
    assert state.result == "9"


def test_a_command_ended_by_a_signal_says_which() -> None:
    with pytest.raises(signals.FAIL, match="ended by the signal SIGTERM; it printed nothing"):
        ShellTask("kill $$").run()


def test_all_that_a_failing_command_printed_is_logged_when_asked_for(logged: pytest.LogCaptureFixture) -> None:
    with pytest.raises(signals.FAIL):
        ShellTask("seq 9; exit 1", log_stderr=True).run()
    assert [(record.levelname, record.getMessage()) for record in logged.records] == [
        ("ERROR", "\n".join(map(str, range(1, 10))))
    ]


# ---------------------------------------------------------------- lines as they come


def test_lines_are_logged_at_once(tmp_path: Path, logged: pytest.LogCaptureFixture) -> None:
    """The command goes on only when its first line has been seen."""
    seen = tmp_path / "seen"

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.touch()

    watch = Watch()
    get_logger().addHandler(watch)
    try:
        wait = f"for i in $(seq 200); do [ -e {seen} ] && echo seen && exit 0; sleep 0.02; done; echo never; exit 1"
        assert ShellTask(f"echo first; {wait}", stream_output=True).run() == "seen"
    finally:
        get_logger().removeHandler(watch)
    assert [record.getMessage() for record in logged.records] == ["first", "seen"]


@pytest.mark.parametrize(("stream", "level"), [(True, "INFO"), ("warning", "WARNING"), (logging.DEBUG, "DEBUG")])
def test_the_level_of_streamed_lines_can_be_chosen(stream: Any, level: str, logged: pytest.LogCaptureFixture) -> None:
    ShellTask("echo hello", stream_output=stream).run()
    assert [(record.levelname, record.getMessage()) for record in logged.records] == [(level, "hello")]


def test_nothing_is_logged_unless_asked_for(logged: pytest.LogCaptureFixture) -> None:
    ShellTask("echo hello").run()
    assert logged.records == []


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="stream_output='loud' is no level"):
        ShellTask("true", stream_output="loud").run()


# ---------------------------------------------------------------- in flows, and stopping


def test_a_flow_hands_results_over_by_the_environment() -> None:
    with Flow("hello") as flow:
        who = Parameter("who")
        said = ShellTask('echo "Hello, $WHO!"')(env={"WHO": who})
        shouted = ShellTask("echo ${TEXT^^}")(env={"TEXT": said})
    assert flow.run(show=False, who="Marvin").result[shouted].result == "HELLO, MARVIN!"


def test_a_timeout_stops_the_command_and_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with Flow("slow") as flow:
        slow = ShellTask(f"sleep 60 & echo $$ $! > {pids}; wait", timeout=1)()
    state = flow.run(show=False).result[slow]
    assert type(state).__name__ == "TimedOut"
    assert all(wait_until_gone(int(pid)) for pid in pids.read_text().split())


def test_no_script_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ShellTask("true").run()
    with pytest.raises(signals.FAIL):
        ShellTask("false").run()
    assert list(tmp_path.iterdir()) == []
