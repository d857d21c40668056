"""Run shell commands.

A command is a text that the shell reads, with all that a shell makes of it: ``$``, ``;``, quotes, globs. So values that
come from elsewhere do not belong *into* the text: hand them over in `env`, and write ``"$NAME"`` in the command.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.signals import FAIL
from flowbook.tasks.base import Task
from flowbook.tasks.given import check_given
from flowbook.utilities.tasks import defaults_from_attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ShellTask"]

# So much of what a failing command printed is in the message of the failure.
_LAST_LINES = 5

# How long a command that is to be stopped may take to tidy up, before it is killed.
_SECONDS_TO_TIDY_UP = 2.0


class ShellTask(Task):
    """Run a command in a shell and return the last line it prints, or all of them.

    What the command writes to its error output counts as printed. All options can be given when the task is made or
    when it is called; a call's own ones win. The command sees the environment of this process, changed by `env`.

    A command that is stopped (by a timeout, a cancel, an interrupt) is stopped with all it has started. One that
    leaves something running in the background on purpose must send that one's output elsewhere: the task waits until
    nobody can print to it any more.

    Args:
        command: what the shell reads; several lines if you like.
        env: environment variables; numbers and paths are taken as text, None takes a variable away.
        helper_script: lines that are read before the command: functions, ``cd``, ``set -e``.
        shell: the program that reads it, with options if it needs some: ``"bash -euo pipefail"``.
        return_all: return a list of all lines instead of the last line.
        log_stderr: when the command fails, log all it printed, as an error.
        stream_output: log each line as it comes; True for INFO, or a level by name or number.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: no command was given, or there is no such shell.
        flowbook.signals.FAIL: the command ended with another exit code than 0.

    >>> ShellTask(env={"WHO": "Marvin"}).run(command='echo "Hello, $WHO"')
    'Hello, Marvin'
    >>> ShellTask("seq 3", shell="sh", return_all=True).run()
    ['1', '2', '3']

    """

    def __init__(
        self,
        command: str | None = None,
        env: Mapping[str, object] | None = None,
        helper_script: str | None = None,
        shell: str = "bash",
        return_all: bool = False,
        log_stderr: bool = False,
        stream_output: bool | int | str = False,
        **kwargs: Any,
    ) -> None:
        self.command = command
        self.env = env
        self.helper_script = helper_script
        self.shell = shell
        self.return_all = return_all
        self.log_stderr = log_stderr
        self.stream_output = stream_output
        super().__init__(**kwargs)

    @defaults_from_attrs("command", "env", "helper_script", "shell", "return_all", "log_stderr", "stream_output")
    def run(
        self,
        command: str | None = None,
        env: Mapping[str, object] | None = None,
        helper_script: str | None = None,
        shell: str = "bash",
        return_all: bool = False,
        log_stderr: bool = False,
        stream_output: bool | int | str = False,
    ) -> str | list[str]:
        """Run the command; see the class."""
        check_given(self, command=command, shell=shell)
        level = _level_of(stream_output)
        lines: deque[str] = deque(maxlen=None if return_all or log_stderr else _LAST_LINES)
        script = "\n".join(part for part in (helper_script, command) if part)
        with _written(script) as path, _started(_words_of(shell), path, _environment(env)) as process:
            for line in process.stdout or ():
                lines.append(line.rstrip("\r\n"))
                if level is not None:
                    self.logger.log(level, "%s", lines[-1])
            code = process.wait()
        if code:
            if log_stderr:
                self.logger.error("%s", "\n".join(lines))
            raise FAIL(_failure(code, lines), result=list(lines) if return_all else _last_of(lines))
        return list(lines) if return_all else _last_of(lines)


def _last_of(lines: deque[str]) -> str:
    return lines[-1] if lines else ""


def _failure(code: int, lines: deque[str]) -> str:
    how = f"was ended by the signal {_signal_name(-code)}" if code < 0 else f"failed with exit code {code}"
    last = "\n".join(list(lines)[-_LAST_LINES:])
    return f"Command {how}" + (f"; it last printed:\n{last}" if last else "; it printed nothing.")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _level_of(stream_output: bool | int | str) -> int | None:
    """Return the level at which to log each line, or None."""
    import logging  # noqa: PLC0415 - logging is loaded when somebody logs

    if isinstance(stream_output, bool):
        return logging.INFO if stream_output else None
    if isinstance(stream_output, int):
        return stream_output
    levels = {name: getattr(logging, name) for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}
    level = levels.get(stream_output.upper())
    if level is None:
        raise ValueError(f"stream_output={shown(stream_output)} is no level of logging: {', '.join(levels)}.")
    return int(level)


def _words_of(shell: str) -> list[str]:
    """Return the program and its options."""
    # a path with spaces or backslashes in it is a program as it stands
    words = [shell] if shutil.which(shell) else shlex.split(shell)
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise ValueError(
            f"shell={shown(shell)}: there is no such program here. Name one that is on the PATH: bash, sh."
        )
    return [program, *words[1:]]


def _environment(changes: Mapping[str, object] | None) -> dict[str, str]:
    """Return the environment of this process with the changes made."""
    merged = {**os.environ, **(changes or {})}
    return {name: str(value) for name, value in merged.items() if value is not None}


@contextlib.contextmanager
def _written(script: str) -> Iterator[Path]:
    """Keep a script in a file of its own for a while: on a command line there is a limit to its length."""
    handle, name = tempfile.mkstemp(prefix="flowbook-", suffix=".sh")
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(f"{script}\n")
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _started(words: list[str], script: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Have a process for the time of the block; whatever ends the block early ends the process."""
    with subprocess.Popen(  # noqa: S603 - running what the user wrote is the purpose
        [*words, str(script)],
        env=environment,
        stdin=subprocess.DEVNULL,  # a command that asks would wait for ever
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        bufsize=1,
        start_new_session=True,  # so that it can be stopped with all it has started
    ) as process:
        try:
            yield process
        except BaseException:
            _stop(process)
            raise


def _stop(process: subprocess.Popen[str]) -> None:
    """Ask a process and all it has started to end, and kill what does not."""
    _send(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_SECONDS_TO_TIDY_UP)
    # also when the shell itself has ended: what it had started may not have listened
    _send(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def _send(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)  # it leads a group of its own
        else:
            process.send_signal(number)
