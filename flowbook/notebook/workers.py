"""Workers: cells of a notebook file in processes of their own, and what comes of them.

The run stays where its namespace is, and its cells are on threads there. The thread of a cell that may run apart (see
`flowbook.notebook.apart`) sends it to a worker process with what it reads, waits, and puts what came back into the
namespace. Wherever anything speaks against it, the cell is run here, as if nothing had been: it had no effects there.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import select
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from flowbook.configuration import config
from flowbook.engine.executors import process_nursery
from flowbook.engine.executors.process_line import WorkerEnd, framed
from flowbook.engine.executors.processes import ended_how
from flowbook.engine.executors.threads import ThreadExecutor
from flowbook.engine.journey import WorkerLost
from flowbook.engine.remote import facts_of_run
from flowbook.notebook.cell_cache import NEW, CellCache, unpacked
from flowbook.notebook.outputs import Outputs, remember
from flowbook.notebook.parcels import Arrived, Sent, Stays, is_plain_definition
from flowbook.tasks.base import Task

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from flowbook.engine.executors import Executor
    from flowbook.engine.runner import Runner
    from flowbook.notebook.document_flow import DocumentRun
    from flowbook.notebook.documents import CodeCell
    from flowbook.notebook.interpreter import Interpreter

__all__ = ["CellExecutor", "CellProcesses"]

# How long (seconds) to wait for news of how a worker ended.
_NEWS = 1.0
_numbers = itertools.count(1)


class CellExecutor:
    """Runs the cells of a notebook file: those that may in worker processes, the others on threads of this one.

    Args:
        run: whose cells.
        workers: how many processes at the same time.
        cache: what cells made in earlier runs, when they may be taken from there.
        here: what runs the other cells; by default, threads.

    """

    name = "processes"

    def __init__(
        self, run: DocumentRun, workers: int, cache: CellCache | None = None, here: Executor | None = None
    ) -> None:
        self.run = run
        self.workers = workers
        self.cache = cache
        self.here = here or ThreadExecutor()

    def drive(self, runner: Runner) -> None:
        """Run cells until all tasks have ended or only a person can go on."""
        workers = _Workers(runner, self.workers)
        self.run.elsewhere = CellProcesses(self.run, workers.call, self.cache)
        try:
            self.here.drive(runner)
        finally:
            self.run.elsewhere = None
            workers.close()
            if self.cache is not None:
                self.cache.make_room()


class CellProcesses:
    """Sends cells away and takes in what comes back.

    Args:
        run: whose cells.
        call: sends a letter to a process and returns its answer.
        cache: what cells made in earlier runs, when they may be taken from there.
        is_far: whether the process may be one of another machine, which has other files.

    """

    def __init__(
        self,
        run: DocumentRun,
        call: Callable[[bytes], bytes],
        cache: CellCache | None = None,
        *,
        is_far: bool = False,
    ) -> None:
        self.run_of = run
        self.call = call
        self.cache = cache
        self.is_far = is_far
        self.id = os.urandom(8).hex()
        self.apart = run.apart
        self.positions = {cell.id: at for at, cell in enumerate(run.document.cells)}

    def run(self, cell: CodeCell, outputs: Outputs, private: frozenset[str]) -> str:
        """Run a cell in another process when that is as good as here.

        Args:
            cell: the cell.
            outputs: where what it prints and shows goes.
            private: names that it makes for itself alone.

        Returns:
            Why it was not; an empty text when it was.

        Raises:
            WorkerLost: the process ended in the middle of the cell.

        """
        reason = self._run(cell, outputs, private)
        if reason and self.cache is not None:
            self.cache.reasons[cell.id] = reason
        return reason

    def _run(self, cell: CodeCell, outputs: Outputs, private: frozenset[str]) -> str:
        position = self.positions[cell.id]
        if reason := self.apart.reason(position):
            return reason
        if self.is_far and "files" in self.apart.uses[position].looks | self.apart.uses[position].hints:
            return "reads files, which may not be there on another machine"
        interpreter = self.run_of.interpreter
        try:
            sent, letter = self._letter(position, private)
            has_come, answer = self._answered(position, sent, letter, private)
            if not has_come:
                return str(answer)
            with interpreter.as_main():
                names, items, shown = sent.opened_back(answer)
        except Stays as stays:
            return str(stays)
        outputs.items.extend(items)
        outputs.changed()
        remember(outputs)
        interpreter.take(cell.number, names, private, shown)
        return ""

    def _answered(self, position: int, sent: Sent, letter: bytes, private: frozenset[str]) -> tuple[bool, Any]:
        """Return what came of a cell: from the cache when it is there, else from a process."""
        cache, cell_id = self.cache, self.run_of.document.cells[position].id
        if cache is None:
            return unpacked(self.call(letter))
        if reason := cache.reason(position):
            cache.reasons[cell_id] = reason
            return unpacked(self.call(letter))
        key = cache.key(position, sent.data, sent.used, private)
        if (found := cache.find(key)) is not None:
            cache.taken.add(cell_id)
            return unpacked(found)
        cache.reasons[cell_id] = NEW
        answer = self.call(letter)
        if unpacked(answer)[0]:
            cache.keep(key, answer)
        return unpacked(answer)

    def _definitions(self, position: int) -> dict[str, Any]:
        """Return the functions and classes that another process can make by running the cells which only define."""
        names = self.run_of.interpreter.namespace
        made = {
            name
            for at in self.apart.scene
            if at < position
            for name in self.run_of.document.cells[at].names.deferred
            if name in names
        }
        return {name: names[name] for name in made if is_plain_definition(names[name])}

    def _letter(self, position: int, private: frozenset[str]) -> tuple[Sent, bytes]:
        """Write down a cell with what it reads."""
        cells, interpreter = self.run_of.document.cells, self.run_of.interpreter
        definitions = self._definitions(position)
        given: dict[str, Any] = {}
        read: set[str] = set()
        for name in sorted(self.apart.uses[position].reads):
            if name not in interpreter.namespace or name in interpreter.own_names:
                continue
            value = interpreter.namespace[name]
            if definitions.get(name, interpreter) is value:
                read.add(name)
            elif getattr(value, "__module__", None) == "__main__" and hasattr(value, "__name__"):
                msg = f"uses {name}, which may keep something from call to call"
                raise Stays(msg)
            else:
                given[name] = value
        with interpreter.as_main():
            sent = Sent(given, definitions)
        needed = [cells[at] for at in self.apart.needed(position, sent.used | read)]
        request = {
            "name": interpreter.name,
            "sources": {cell.number: cell.source for cell in (*needed, cells[position])},
            "first": needed,
            "cell": cells[position],
            "private": private,
            "names": sent.data,
            "run": self.id,
            "place": None if self.is_far else (_folder(), list(sys.path), dict(os.environ)),
        }
        return sent, pickle.dumps(request)


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a text is what is sent
    except OSError:  # it was removed
        return ""


# -- in the worker ----------------------------------------------------------------------------------------------------

_places: dict[str, tuple[Interpreter, dict[str, dict[str, Any]]]] = {}
# How many runs a process that serves several, as a Dask worker does, knows at a time.
_KNOWN_RUNS = 4
_lock = threading.Lock()


def run_apart(letter: bytes) -> bytes:
    """Run a cell in this process, which is a worker, and return what came of it.

    Args:
        letter: the cell, and what it reads.

    Returns:
        A pickled pair: whether it ran, and what came of it, or the reason why it must run where it came from.

    """
    request = pickle.loads(letter)  # noqa: S301 - by our own kernel
    with _lock:
        return pickle.dumps(_ran(request))


def _ran(request: dict[str, Any]) -> tuple[bool, bytes | str]:
    if request["place"] is not None:
        folder, sys.path[:], environment = request["place"]
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        if folder and folder != _folder():
            os.chdir(folder)
    threads = threading.active_count()
    answer: tuple[bool, bytes | str]
    try:
        answer = True, _run_there(request)
    except Stays as stays:
        answer = False, str(stays)
    except BaseException as error:  # noqa: BLE001 - a user's cell may raise anything
        answer = False, f"raised {type(error).__name__} in its process"
    if answer[0] and threading.active_count() > threads:
        answer = False, "left a thread running in its process"
    return answer


def _run_there(request: dict[str, Any]) -> bytes:
    from flowbook.notebook.interpreter import Interpreter  # noqa: PLC0415 - loads IPython

    if request["run"] not in _places:
        while len(_places) >= _KNOWN_RUNS:
            del _places[next(iter(_places))]
        made = Interpreter({}, request["name"])
        made.close()  # nobody will, since a worker ends without a word
        _places[request["run"]] = made, {}
    interpreter, scenes = _places[request["run"]]
    interpreter.begin(request["sources"])
    cell, private = request["cell"], request["private"]
    with interpreter.as_main():
        for first in request["first"]:
            if first.id not in scenes:
                before = dict(interpreter.namespace)
                interpreter.run(first, Outputs())
                scenes[first.id] = {
                    name: value
                    for name, value in interpreter.namespace.items()
                    if name not in before or before[name] is not value
                }
            interpreter.namespace.update(scenes[first.id])
        arrived = Arrived(request["names"])
        interpreter.namespace.update(arrived.names)
        before = dict(interpreter.namespace)
        outputs = _Alone()
        interpreter.run(cell, outputs, private)
        names = _made(cell, before, interpreter, private)
        if outputs.is_odd or any(item.get("name") == "stderr" for item in outputs.items):
            msg = "writes a warning, or changes what another cell shows"
            raise Stays(msg)
        shown = interpreter.shown(cell.number)
        return arrived.packed_back((names, outputs.items, shown))


def _made(cell: CodeCell, before: dict[str, Any], interpreter: Interpreter, private: frozenset[str]) -> dict[str, Any]:
    """Return the names that a cell has made."""
    after = interpreter.namespace
    odd = interpreter.own_names
    made = {name: one for name, one in after.items() if name not in odd and before.get(name, after) is not one}
    known = cell.names.writes | cell.names.maybe_writes | cell.names.temporary | private
    if before.keys() - after.keys() or made.keys() - known:
        msg = "makes or deletes names which its text does not tell"
        raise Stays(msg)
    return made


class _Alone(Outputs):
    """Outputs that notice when a cell changes what another one has shown."""

    is_odd = False

    def update(self, data: dict[str, Any], metadata: dict[str, Any] | None, display_id: str) -> bool:
        """Replace what was shown under a display id; return whether this cell had any."""
        found = super().update(data, metadata, display_id)
        self.is_odd = self.is_odd or not found
        return found


# -- the processes ----------------------------------------------------------------------------------------------------


class _Worker:
    """One process and our end of its line."""

    def __init__(self, number: int, line: socket.socket) -> None:
        self.number = number
        self.end = WorkerEnd(line)

    def has_hung_up(self) -> bool:
        """Tell whether it will take nothing more."""
        return bool(select.select([self.end.line], [], [], 0)[0])


class _Workers:
    """The worker processes of one run; several threads ask for them.

    Args:
        runner: the run.
        limit: how many at the same time.

    """

    def __init__(self, runner: Runner, limit: int) -> None:
        self.runner = runner
        self.limit = limit
        self.free = threading.Semaphore(limit)
        self.lock = threading.Lock()
        self.idle: list[_Worker] = []
        self.busy: set[_Worker] = set()
        self.source: Any = None
        self.dead: dict[int, tuple[int | None, int | None]] = {}
        self.is_closed = False
        self.greeting = b""

    def call(self, letter: bytes) -> bytes:
        """Have a worker run a cell, and return its answer.

        Raises:
            WorkerLost: the worker ended in the middle of it.

        """
        with self.free:
            while True:
                worker = self._taken()
                answer = None
                try:
                    answer = self._asked(worker, letter)
                finally:
                    self._put_back(worker, is_well=answer is not None)
                if answer is not None:
                    return answer

    def _put_back(self, worker: _Worker, *, is_well: bool) -> None:
        with self.lock:
            self.busy.discard(worker)
            if is_well and not self.is_closed:
                self.idle.append(worker)
            else:
                worker.end.line.close()

    def _taken(self) -> _Worker:
        with self.lock:
            while self.idle and not self.is_closed:
                worker = self.idle.pop()
                if not worker.has_hung_up():
                    self.busy.add(worker)
                    return worker
                worker.end.line.close()
            if self.is_closed:
                msg = "the run is over."
                raise WorkerLost(msg)
            worker = self._started()
            self.busy.add(worker)
            return worker

    def _started(self) -> _Worker:
        import cloudpickle  # noqa: PLC0415 - costs more than the engine

        if self.source is None:
            self.source = process_nursery.borrowed()
            facts = {**facts_of_run(self.runner), "given": {}, "parameters": {}}  # cells ask for none of these
            place = {"path": sys.path, "argv": sys.argv, "directory": _folder(), "environment": dict(os.environ)}
            self.greeting = framed(b"i", cloudpickle.dumps({**place, "settings": config.to_dict()}))
            self.greeting += framed(b"r", cloudpickle.dumps(facts))
            self.greeting += framed(b"b", pickle.dumps((0, cloudpickle.dumps((Task(name="cell"), run_apart)))))
        number = -next(_numbers)  # those of processes for flows count upwards
        worker = _Worker(number, self.source.start(number))
        worker.end.send(self.greeting)
        return worker

    def _asked(self, worker: _Worker, letter: bytes) -> bytes | None:
        """Return the answer of a worker; None when it had hung up before it began."""
        facts = {
            "slug": "cell",
            "name": "cell",
            "index": None,
            "count": 1,
            "loop": None,
            "resumed": False,
            "given": None,
        }
        has_begun = False
        try:
            worker.end.send(framed(b"c", pickle.dumps((0, facts, {"letter": letter}, True))))
            while (frame := worker.end.receive()) is not None:
                tag, content = frame
                has_begun |= tag == b"g"
                if tag == b"v":
                    answer: bytes = pickle.loads(content)[0]  # noqa: S301 - by our own worker
                    return answer
                if tag in b"xf":
                    return pickle.dumps((False, "could not be run there"))
                if tag == b"q":
                    return None
        except OSError:
            pass
        if not has_begun and not self.is_closed and not self._death(worker)[0]:
            return None
        raise WorkerLost(self._told(worker))

    def _told(self, worker: _Worker) -> str:
        code, pid = self._death(worker)
        process = f"process {pid}" if pid else "process"
        return (
            f"Its {process} {ended_how(code)}. With --executor local or threads the cell would end the program that "
            "runs the notebook."
        )

    def _death(self, worker: _Worker) -> tuple[int | None, int | None]:
        """Return the exit code and the number of a process that has ended, once they are known."""
        until = time.monotonic() + _NEWS
        while time.monotonic() < until:
            with self.lock, contextlib.suppress(EOFError, OSError):
                self.dead.update({number: (code, pid) for number, code, pid in self.source.deaths()})
                if worker.number in self.dead:
                    return self.dead[worker.number]
            time.sleep(0.01)
        return None, None

    def close(self) -> None:
        """Let all workers go; those that are busy are stopped."""
        with self.lock:
            self.is_closed = True
            for worker in self.busy:
                self.source.kill(worker.number)
            for worker in self.idle:
                worker.end.line.close()
            if self.source is not None:
                process_nursery.given_back(self.source)
