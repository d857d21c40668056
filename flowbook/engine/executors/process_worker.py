"""A worker process: runs one body at a time and tells the kernel what comes of it.

A worker is used by one run only. It leaves when the kernel does, and also after a body that has left the process
otherwise than it was (another working directory, closed files, an alarm that is set): the next body gets a new one.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, Any

from flowbook.configuration import Config, config
from flowbook.engine.ends import said
from flowbook.engine.executors.process_line import WorkerEnd, framed
from flowbook.engine.journey import pickled_home
from flowbook.engine.remote import Attempt, LogLine, Outcome, run_attempt
from flowbook.errors import shown
from flowbook.redaction import learn

if TYPE_CHECKING:
    import socket

__all__ = ["preload", "work"]

# Signals whose handling a body may have changed.
_LOOKED_AT = [
    number
    for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE")
    if (number := getattr(signal, name, None)) is not None
]


def preload() -> None:
    """Load what every worker needs, before it is forked."""
    import cloudpickle  # noqa: F401, PLC0415 - it is here that it is to be loaded


def work(line: socket.socket) -> None:
    """Run bodies for the kernel at the other end of a line until it hangs up."""
    end = WorkerEnd(line)
    sys.stdout = _Forwarded(end, b"o", 1)
    sys.stderr = _Forwarded(end, b"e", 2)
    worker = _Worker(end)
    try:
        while (frame := end.receive()) is not None and worker.take(*frame):
            pass
    except OSError:  # the line is cut, or a body has closed it
        return


class _Forwarded:
    """Stands in the place of ``sys.stdout`` or ``sys.stderr``: each line goes to the kernel at once."""

    encoding = "utf-8"
    errors = "backslashreplace"
    closed = False

    def __init__(self, end: WorkerEnd, tag: bytes, number: int) -> None:
        self._end = end
        self._tag = tag
        self._number = number
        self._rest = ""

    def write(self, text: str) -> int:
        """Print."""
        self._rest += text
        if "\n" in self._rest or len(self._rest) > 8192:  # noqa: PLR2004 - a long line without an end
            whole, self._rest = self._split()
            self._send(whole)
        return len(text)

    def _split(self) -> tuple[str, str]:
        place = self._rest.rfind("\n") + 1 or len(self._rest)
        return self._rest[:place], self._rest[place:]

    def _send(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        if os.getpid() == self._end.pid:
            self._end.send(framed(self._tag, data))
        else:  # forked by a body: the line is not its own
            os.write(self._number, data)

    def writelines(self, texts: Any) -> None:
        """Print several texts."""
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        """Send a line that has no end yet."""
        if self._rest:
            text, self._rest = self._rest, ""
            self._send(text)

    def isatty(self) -> bool:
        """Tell that nobody sits here."""
        return False

    def writable(self) -> bool:
        """Tell that one can print."""
        return True

    def readable(self) -> bool:
        """Tell that one cannot read."""
        return False

    def fileno(self) -> int:
        """Return the file which processes that a body starts print to."""
        return self._number


class _Worker:
    """What a worker knows."""

    def __init__(self, end: WorkerEnd) -> None:
        self.end = end
        self.run: dict[str, Any] = {}
        self.bodies: dict[int, tuple[Any, Any]] = {}
        self.problems: dict[int, str] = {}
        self.before: tuple[Any, ...] = ()

    def take(self, tag: bytes, content: bytearray) -> bool:
        """Do what a frame says; return whether to go on."""
        if tag == b"c":
            return self.call(content)
        if tag == b"b":
            key, data = pickle.loads(content)  # noqa: S301 - by our own kernel
            try:
                self.bodies[key] = pickle.loads(data)  # noqa: S301 - likewise
            except BaseException as error:  # noqa: BLE001 - code of a user is imported
                self.problems[key] = said(error)
        elif tag == b"r":
            self.run = pickle.loads(content)  # noqa: S301 - likewise
            self.end.send(framed(b"h", b""))
        elif tag == b"k":
            learn(pickle.loads(content))  # noqa: S301 - likewise
        elif tag == b"i":
            self.settle_in(pickle.loads(content))  # noqa: S301 - likewise
        return True

    def settle_in(self, place: dict[str, Any]) -> None:
        """Be in the same place as the kernel, with the same environment and settings."""
        sys.path[:] = place["path"]
        sys.argv[:] = place["argv"]
        with contextlib.suppress(OSError):  # it may be gone
            os.chdir(place["directory"])
        os.environ.clear()
        os.environ.update(place["environment"])
        vars(config).update(vars(Config(place["settings"])))
        self.before = _condition()

    def call(self, content: bytearray) -> bool:
        """Call a body and tell what came of it; return whether the process is as it was before."""
        try:
            key, facts, kwargs, is_timed = pickle.loads(content)  # noqa: S301 - likewise
        except BaseException as error:  # noqa: BLE001 - code of a user is imported
            return self.refuse(said(error))
        if key in self.problems:
            return self.refuse(self.problems[key])
        task, body = self.bodies[key]
        facts["run"] = self.run
        if is_timed:
            self.end.send(framed(b"g", b""))
        outcome = run_attempt(Attempt(task, body, kwargs, facts, task.log_stdout), tell=self.tell, keeps_time=False)
        if os.getpid() != self.end.pid:
            os._exit(0)  # forked by the body, and came back from it like the body itself
        _flush()
        frames = _answer(outcome, facts["slug"])
        if _condition() == self.before:
            self.end.send(frames)
            return True
        self.end.send(frames + framed(b"q", b""))
        return False

    def refuse(self, problem: str) -> bool:
        """Tell that what was to be called could not be loaded."""
        self.end.send(framed(b"x", problem.encode("utf-8", "backslashreplace")))
        return True

    def tell(self, line: LogLine) -> None:
        """Send a log line."""
        _flush()  # what was printed before it comes before it
        self.end.send(framed(b"l", pickle.dumps(line)))


def _flush() -> None:
    """Send what was printed and has no line break."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a body may have put anything there
            stream.flush()


def _answer(outcome: Outcome, slug: str) -> bytes:
    """Return the frame that says what came of an attempt, whatever can be pickled of it."""
    try:
        if outcome.error is None and not (outcome.artifacts or outcome.secrets):
            return framed(b"v", pickled_home((outcome.value, outcome.seconds)))
        return framed(b"f", pickled_home(outcome))
    except BaseException as error:  # noqa: BLE001 - pickling is code of the value's own class
        problem = TypeError(
            f"the result of task {shown(slug, 60)}, a {type(outcome.value).__name__}, cannot be pickled to come back "
            f"from its process: {said(error)}. Return something that can, or run the flow with executor='threads'."
        )
        return framed(b"f", pickled_home(Outcome(None, problem, (), outcome.seconds, {}, outcome.secrets)))


def _condition() -> tuple[Any, ...]:
    """Return what a body may have changed in this process that would harm the next one."""
    try:
        directory = os.getcwd()  # noqa: PTH109 - this is asked after each body, and costs less
    except OSError:
        directory = ""
    mask = os.umask(0o077)
    os.umask(mask)
    return (
        directory,
        mask,
        [signal.getsignal(number) for number in _LOOKED_AT],
        signal.getitimer(signal.ITIMER_REAL)[0] > 0 if hasattr(signal, "getitimer") else False,
        [_file(number) for number in range(3)],
        sys.stdout,
        sys.stderr,
        sys.gettrace(),
        sys.getrecursionlimit(),
    )


def _file(number: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino
