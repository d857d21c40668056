"""The worker of a process executor: reads attempts off its pipe, runs one after another, and writes how each ended.

Messages to the worker are pickled tuples: ``("run", facts, place)`` once for each run, and for each attempt
``("do", number, body, code, call)``. ``code`` is the pickled task and function, sent to each worker once and known by
the number ``body`` from then on; ``call`` the pickled arguments and facts. Messages from it begin with a letter, see
the constants.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from flowbook.engine.ends import said
from flowbook.engine.journey import pickled_home
from flowbook.engine.remote import Attempt, LogLine, Outcome, run_attempt

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["LOGGED", "OUTCOME", "PLAIN", "PRINTED", "VALUE", "serve"]

# An attempt ended with a plain value; with anything else; something was logged; something was printed.
VALUE, OUTCOME, LOGGED, PRINTED = b"V", b"O", b"L", b"P"

# Values of these types need no pickler that knows about notebooks.
PLAIN = frozenset({int, float, str, bytes, bool, type(None)})

# How often (seconds) what a body printed is sent while it goes on.
_SOON = 0.1


def serve(pipe: Connection) -> None:
    """Run attempts until the pipe is closed at its other end."""
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches all processes; the engine decides
    _Worker(pipe).serve()


class _Worker:
    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.sending = threading.Lock()
        self.run: dict[str, Any] = {}
        self.codes: dict[int, Any] = {}
        self.printed = [_Printed(self, name) for name in ("stdout", "stderr")]
        sys.stdout, sys.stderr = self.printed

    def serve(self) -> None:
        threading.Thread(target=self.keep_watch, name="flowbook-watch", daemon=True).start()
        while True:
            try:
                kind, *message = pickle.loads(self.pipe.recv_bytes())  # noqa: S301 - from the engine that started us
            except (EOFError, OSError):
                return
            if kind == "run":
                self.begin(*message)
            else:
                self.attempt(*message)

    def begin(self, facts: bytes, place: dict[str, Any]) -> None:
        """Take in what all attempts of a run have in common, and go where the engine is."""
        sys.path[:] = place["path"]
        os.environ.clear()
        os.environ.update(place["environ"])
        with contextlib.suppress(OSError):
            os.chdir(place["folder"])
        self.run = pickle.loads(facts)  # noqa: S301 - likewise
        self.codes.clear()

    def attempt(self, number: int, body: int, code: bytes | None, call: bytes) -> None:
        outcome = self.outcome(body, code, call)
        for printed in self.printed:
            printed.flush()
        is_plain = type(outcome.value) in PLAIN and outcome.error is None
        if is_plain and not (outcome.logs or outcome.artifacts or outcome.secrets):
            self.send(VALUE, pickle.dumps((number, outcome.value, outcome.seconds)))
        else:
            self.send(OUTCOME, _packed(number, outcome))

    def outcome(self, body: int, code: bytes | None, call: bytes) -> Outcome:
        try:
            if code is not None:
                self.codes[body] = pickle.loads(code)  # noqa: S301 - likewise
            task, function = self.codes[body]
            kwargs, facts = pickle.loads(call)  # noqa: S301 - likewise
        except BaseException as error:  # noqa: BLE001 - a class of a user may raise anything when it is made again
            return Outcome(error=_unreadable(error))
        facts["run"] = self.run
        attempt = Attempt(task, function, kwargs, facts, task.log_stdout)
        return run_attempt(attempt, tell=self.log, keeps_time=False)

    def log(self, line: LogLine) -> None:
        self.send(LOGGED, pickle.dumps(line))

    def send(self, kind: bytes, data: bytes) -> None:
        with self.sending, contextlib.suppress(OSError):  # the engine is gone: `serve` notices
            self.pipe.send_bytes(kind + data)

    def keep_watch(self) -> None:
        """Send what is printed soon, and end at once when the engine's process is gone."""
        from multiprocessing import parent_process  # noqa: PLC0415 - known once the process runs

        parent = parent_process()
        while True:
            if parent is not None and wait([parent.sentinel], timeout=_SOON):
                os._exit(0)  # the body that runs would never know
            for printed in self.printed:
                printed.flush()


class _Printed:
    """Stands in the place of ``sys.stdout`` or ``sys.stderr`` and sends what is written."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, worker: _Worker, name: str) -> None:
        self.worker = worker
        self.name = f"<{name}>"
        self.stream = name
        self.texts: list[str] = []

    def write(self, text: str) -> int:
        self.texts.append(text)
        return len(text)

    def writelines(self, texts: Any) -> None:
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        if self.texts:
            texts, self.texts = self.texts, []
            self.worker.send(PRINTED, pickle.dumps((self.stream, "".join(texts))))

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1 if self.stream == "stdout" else 2


def _packed(number: int, outcome: Outcome) -> bytes:
    try:
        return pickled_home((number, outcome))
    except BaseException as error:  # noqa: BLE001 - likewise
        refused = TypeError(
            f"the result, a {type(outcome.value).__name__}, cannot be pickled to come back from its process: "
            f"{said(error, 200)}. Return something that can, or run the flow with executor='threads'."
        )
        return pickled_home((number, Outcome(None, refused, outcome.logs, outcome.seconds)))


def _unreadable(error: BaseException) -> TypeError:
    return TypeError(
        f"the function or its arguments cannot be made again in another process: {said(error, 300)}. "
        "Give it something that can, or run the flow with executor='threads'."
    )
