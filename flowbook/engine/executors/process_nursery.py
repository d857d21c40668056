"""The nursery: where worker processes come from.

On POSIX it is a small process that has flowbook and cloudpickle loaded already, runs one thread, and forks a worker in
a few milliseconds when it is asked to. It is ours and not that of `multiprocessing`, whose fork server imports a script
a second time in each worker, lives on while a worker is busy after its kernel was killed, and may have been started by
somebody else without what we need.

The nursery is the parent of its workers, so it alone knows how they end, and can stop them without ever hitting another
process that got the same number. When the kernel is gone it stops them all; when the nursery is gone Linux does.

Elsewhere (`Spawner`) each worker is a new interpreter, started by `multiprocessing`.

What is said on the line between kernel and nursery: from the kernel (tag, number of the worker, 0) with "F" to fork one
and "K" to kill one; from the nursery (tag, number, value) with "S" when it was started (value: its process id) and "D"
when it is dead (value: its exit code, negative for a signal).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Death", "Nursery", "Source", "Spawner", "borrowed", "can_fork", "given_back", "serve", "work_elsewhere"]

_MESSAGE = struct.Struct("<cii")
_FORK, _KILL, _STARTED, _DEAD = b"F", b"K", b"S", b"D"

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from flowbook.engine.executors.process_nursery import serve; serve(int(sys.argv[1]))"
)

# A worker's number, its exit code, and its process id.
Death = tuple[int, int, "int | None"]


class Source(Protocol):
    """Where workers come from."""

    def start(self, number: int) -> socket.socket:
        """Start a worker and return our end of its line."""

    def kill(self, number: int) -> None:
        """Stop a worker, whatever it is at, and what it has started."""

    def deaths(self) -> list[Death]:
        """Return which workers have ended since this was last asked."""

    def fileno(self) -> int | None:
        """Return what becomes readable when a worker has ended, where there is such a thing."""

    def close(self) -> None:
        """Let go of everything; workers that wait for work end."""


def can_fork() -> bool:
    """Tell whether workers can be forked here: not on Windows, and not in a browser."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds") and sys.platform not in {"emscripten", "wasi"}


# -- in the kernel ---------------------------------------------------------------------------------------------------


class Nursery:
    """The kernel's end of a nursery; for one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", _START, str(theirs.fileno()), json.dumps(sys.path)]
            # in a session of its own, so that an interrupt from the terminal is none of its business
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._line = ours
        self._rest = b""
        self._pids: dict[int, int] = {}

    def start(self, number: int) -> socket.socket:
        """Have a worker forked and return our end of its line."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._line, [_MESSAGE.pack(_FORK, number, 0)], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    def kill(self, number: int) -> None:
        """Stop a worker and what it has started, as far as that has not left its process group."""
        with contextlib.suppress(OSError):  # the nursery is gone, and the workers with it
            self._line.sendall(_MESSAGE.pack(_KILL, number, 0))

    def deaths(self) -> list[Death]:
        """Return which workers have ended since this was last asked.

        Raises:
            EOFError: the nursery itself has ended.

        """
        found = []
        while select.select([self._line], [], [], 0)[0]:
            data = self._line.recv(65536)
            if not data:
                raise EOFError
            self._rest += data
        whole = len(self._rest) - len(self._rest) % _MESSAGE.size
        for tag, number, value in _MESSAGE.iter_unpack(self._rest[:whole]):
            if tag == _STARTED:
                self._pids[number] = value
            else:
                found.append((number, value, self._pids.pop(number, None)))
        self._rest = self._rest[whole:]
        return found

    def fileno(self) -> int:
        """Return the line's file number."""
        return self._line.fileno()

    def is_alive(self) -> bool:
        """Tell whether the nursery is there."""
        return self._process.poll() is None

    def close(self) -> None:
        """Have the nursery end; its workers end with it."""
        self._line.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """Close our end in a process that was forked from the kernel: it must not keep the line open."""
        self._line.close()
        self._process.returncode = 0  # not ours to wait for


# Starting a nursery costs an interpreter, so one that is not used is kept for the next run.
_idle: list[Nursery] = []
_lock = threading.Lock()
_cared_for: list[bool] = []


def borrowed() -> Source:
    """Return a nursery nobody uses, or a new one."""
    if not can_fork():
        return Spawner()
    with _lock:
        if not _cared_for:
            import atexit  # noqa: PLC0415 - who never starts a process has nothing to clean up

            _cared_for.append(True)
            atexit.register(_close_idle)
            os.register_at_fork(after_in_child=_forget_idle)
        while _idle:
            nursery = _idle.pop()
            with contextlib.suppress(EOFError, OSError):
                nursery.deaths()
                if nursery.is_alive():
                    return nursery
            nursery.close()
    return Nursery()


def given_back(source: Source) -> None:
    """Keep a nursery for the next run; one is enough."""
    if isinstance(source, Nursery) and source.is_alive():
        with _lock:
            if not _idle:
                _idle.append(source)
                return
    source.close()


def _close_idle() -> None:
    with _lock:
        while _idle:
            _idle.pop().close()


def _forget_idle() -> None:
    while _idle:
        _idle.pop().forget()


# -- in the nursery --------------------------------------------------------------------------------------------------


def serve(line_number: int) -> NoReturn:
    """Fork workers for the kernel until it goes away."""
    import gc  # noqa: PLC0415 - only here

    from flowbook.engine.executors import process_worker  # noqa: PLC0415 - loaded once, for all workers

    line = socket.socket(fileno=line_number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heard, rings = socket.socketpair()
    for end in (heard, rings):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(rings.fileno(), warn_on_full_buffer=False)
    process_worker.preload()
    gc.freeze()  # what is loaded now is shared by all workers, and never garbage
    _Forker(line, heard, rings, process_worker.work).serve()


class _Forker:
    """The loop of the nursery.

    Attributes:
        workers: the number of each living worker, by process id.

    """

    def __init__(
        self, line: socket.socket, heard: socket.socket, rings: socket.socket, work: Callable[[socket.socket], object]
    ) -> None:
        self.line = line
        self.heard = heard
        self.rings = rings
        self.work = work
        self.workers: dict[int, int] = {}
        self.rest = b""
        self.ends: list[int] = []
        self.pid = os.getpid()
        self.die_with_parent = _death_with_parent()

    def serve(self) -> NoReturn:
        while True:
            readable, _, _ = select.select([self.line, self.heard], [], [])
            if self.heard in readable:
                with contextlib.suppress(BlockingIOError):
                    self.heard.recv(4096)
                self.bury()
            if self.line in readable and not self.take():
                for pid in self.workers:
                    _kill_group(pid)
                os._exit(0)

    def take(self) -> bool:
        """Take what the kernel says; False when it is gone."""
        try:
            data, ends, _, _ = socket.recv_fds(self.line, 4096, 64)
        except OSError:
            return False
        if not data:
            return False
        self.rest += data
        self.ends += ends
        while len(self.rest) >= _MESSAGE.size:
            tag, number, _ = _MESSAGE.unpack(self.rest[: _MESSAGE.size])
            self.rest = self.rest[_MESSAGE.size :]
            if tag == _FORK:
                self.fork(number, self.ends.pop(0))
            else:
                for pid, known in self.workers.items():
                    if known == number:
                        _kill_group(pid)
        return True

    def fork(self, number: int, end: int) -> None:
        try:
            pid = os.fork()
        except OSError:  # no more processes, or no memory for one
            os.close(end)
            self.say(_DEAD, number, 255)
            return
        if not pid:
            self.become_worker(end)
        os.close(end)
        with contextlib.suppress(OSError):  # it was quicker itself
            os.setpgid(pid, pid)
        self.workers[pid] = number
        self.say(_STARTED, number, pid)

    def become_worker(self, end: int) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (self.line, self.heard, self.rings):
                each.close()
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)
            self.die_with_parent()
            if os.getppid() == self.pid:
                self.work(socket.socket(fileno=end))
                code = 0
        finally:
            os._exit(code)

    def bury(self) -> None:
        """Tell the kernel which workers have ended."""
        while self.workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            number = self.workers.pop(pid, None)
            if number is not None:
                self.say(_DEAD, number, os.waitstatus_to_exitcode(status))

    def say(self, tag: bytes, number: int, value: int) -> None:
        with contextlib.suppress(OSError):  # the kernel is gone: the next look at the line tells
            self.line.sendall(_MESSAGE.pack(tag, number, value))


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):  # in the moment before it has a group of its own
        os.kill(pid, signal.SIGKILL)


def _death_with_parent() -> Callable[[], object]:
    """Return what makes a worker die with the nursery, even if that one is killed; only Linux can do it."""
    if sys.platform != "linux":
        return lambda: None
    import ctypes  # noqa: PLC0415 - only here

    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return lambda: None
    return lambda: prctl(1, signal.SIGKILL)


# -- where there is no fork ------------------------------------------------------------------------------------------


class Spawner:
    """Starts each worker as a new interpreter; slower, and where processes cannot be forked the only way."""

    def __init__(self) -> None:
        self._processes: dict[int, Any] = {}

    def start(self, number: int) -> socket.socket:
        """Start a worker and return our end of its line."""
        import multiprocessing  # noqa: PLC0415 - only where there is no fork

        ours, theirs = socket.socketpair()
        with theirs:
            process = multiprocessing.get_context("spawn").Process(
                target=work_elsewhere, args=(theirs,), name="flowbook-worker", daemon=False
            )
            process.start()
        self._processes[number] = process
        return ours

    def kill(self, number: int) -> None:
        """Stop a worker."""
        if number in self._processes:
            self._processes[number].kill()

    def deaths(self) -> list[Death]:
        """Return which workers have ended since this was last asked."""
        found = [
            (number, process.exitcode, process.pid)
            for number, process in self._processes.items()
            if not process.is_alive()
        ]
        for number, _, _ in found:
            self._processes.pop(number).close()
        return found

    def fileno(self) -> None:
        """Return nothing: one has to look."""
        return

    def close(self) -> None:
        """Wait a moment for the workers, whose lines were closed, and stop those that stay."""
        for process in self._processes.values():
            process.join(1)
            if process.is_alive():
                process.kill()
                process.join()
        self._processes.clear()


def work_elsewhere(line: socket.socket) -> None:
    """Be a worker that was spawned."""
    from flowbook.engine.executors import process_worker  # noqa: PLC0415 - only in the worker

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process_worker.work(line)
