"""The process executor: bodies run in processes of their own, one at a time in each.

A process can be stopped whatever its body does, so timeouts and Cancel are promises here. One that dies takes nothing
with it but the attempt it was at: each has a pipe of its own, and another one is started in its place.

The driving thread alone touches the machine. It hands ready tasks to free workers and sleeps until one of them writes,
dies, or somebody posts. A worker whose bodies are tiny gets a few tasks ahead, so that it does not wait for each.

What goes to a worker is pickled by cloudpickle, so functions and classes of a notebook travel by value. Functions are
sent to each worker once per run.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import selectors
import signal
import sys
import threading
import time
import types
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook.engine import messages as m
from flowbook.engine.ends import said
from flowbook.engine.executors.local import OneByOne
from flowbook.engine.executors.process_worker import LOGGED, PLAIN, PRINTED, VALUE, serve
from flowbook.engine.invariants import is_final
from flowbook.engine.journey import WorkerLost
from flowbook.engine.remote import Outcome, body_to_send, facts_of_run, facts_of_task, print_log
from flowbook.errors import shown
from flowbook.states import Cancelled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from flowbook.engine.runner import Runner

__all__ = ["ProcessExecutor"]

# A worker whose last body took less than this (seconds) gets up to so many tasks ahead of the one it runs.
TINY = 2e-3
AHEAD = 8
# Longer calls (bytes) are not sent ahead: a pipe holds only so much, and nobody reads it while a body runs.
SHORT = 4096
# How often (seconds) the driving thread looks for an interrupt while nothing happens.
GLANCE = 0.1
# How long (seconds) workers get to leave by themselves at the end.
PATIENCE = 0.5

_monotonic = time.monotonic


class ProcessExecutor:
    """Run bodies in processes.

    What tasks take and return must survive being pickled. Values travel through the process of the engine.

    Args:
        workers: how many processes at the most; as many as the machine has cores when not given.

    Raises:
        ValueError: fewer than one worker.

    """

    name = "processes"

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            msg = f"workers={shown(workers)} must be at least 1."
            raise ValueError(msg)
        self.workers = workers if workers is not None else os.cpu_count() or 1

    def drive(self, runner: Runner) -> None:
        """Run bodies until all tasks have ended or only a person can go on."""
        _Pool(runner, self.workers).drive()


class _Slot:
    """One worker process and what it was given.

    Attributes:
        given: the task runs it has and has not answered, in the order in which it takes them; the first one runs.
        since: when the first one began.
        known: the functions it was sent, by number.
        took: how long its last body took.

    """

    __slots__ = ("given", "is_killed", "known", "pipe", "process", "since", "took")

    def __init__(self, process: Any, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe
        self.given: deque[int] = deque()
        self.since = 0.0
        self.known: set[int] = set()
        self.took = float("inf")
        self.is_killed = False


class _Hand(OneByOne):
    """Takes in what happened, and asks handlers and triggers on the driving thread; runs no bodies."""

    def __init__(self, runner: Runner, waker: int) -> None:
        self.waker = waker
        super().__init__(runner)
        runner.on_post = self.wake

    def wake(self, _: m.Stimulus) -> None:
        with contextlib.suppress(OSError):  # full, so it will wake; or closed, so nobody sleeps any more
            os.write(self.waker, b"!")


class _Pool:
    """The workers of one drive."""

    def __init__(self, runner: Runner, limit: int) -> None:
        self.runner = runner
        self.machine = runner.machine
        self.limit = limit
        self.slots: list[_Slot] = []
        self.again: deque[int] = deque()  # given to a worker that was gone before it began with them
        self.codes: dict[int, bytes] = {}
        self.alike: dict[tuple[object, ...], int] = {}
        self.facts = b""
        self.selector = selectors.DefaultSelector()
        self.woken, self.waker = os.pipe()
        for end in (self.woken, self.waker):
            os.set_blocking(end, False)
        self.selector.register(self.woken, selectors.EVENT_READ, None)
        self.hand = _Hand(runner, self.waker)
        runner.stop_body = self.stop_body

    def drive(self) -> None:
        runner = self.runner
        try:
            while True:
                self.hand.turn(at_most=0)
                self.hand_out()
                if runner.mailbox or self.machine.instructions:
                    continue
                if runner.is_over and not self.again:
                    break
                self.wait()
        finally:
            self.hand.leave()
            runner.stop_body = None
            self.close()

    def wait(self) -> None:
        """Sleep until something happens, and take it in."""
        waits = [GLANCE, self.runner.seconds_to_wait(), *(self.seconds_left(slot) for slot in self.slots)]
        for key, _ in self.selector.select(min(seconds for seconds in waits if seconds is not None)):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.woken, 4096)
                continue
            slot = key.data
            if slot in self.slots:  # else it was dropped for what another event told
                if key.fileobj is slot.pipe:
                    self.hear(slot)
                else:
                    self.bury(slot)
        for slot in list(self.slots):
            if self.seconds_left(slot) == 0.0:
                self.time_out(slot)

    # -- handing out -------------------------------------------------------------------------------------------------

    def hand_out(self) -> None:
        """Give ready tasks to workers: to those with nothing to do first, then ahead to those with tiny bodies."""
        while self.again or self.machine.may_start:
            slot = self.free_slot() or self.slot_ahead()
            if slot is None:
                return
            number = self.again.popleft() if self.again else self.begin()
            if is_final(self.machine.states[number]):
                continue  # cancelled while it waited for another worker
            try:
                call = self.call(number)
            except BaseException as error:  # noqa: BLE001 - pickling asks code of a user
                self.end(self.runner.ending(number, error))
                continue
            if slot.given and len(call) > SHORT:
                self.again.appendleft(number)  # for the next worker that has nothing to do
                return
            self.give(slot, number, call)

    def begin(self) -> int:
        """Take the next ready task."""
        number = self.machine.ready.popleft()
        self.machine.started(number, self.runner.clock.now())
        self.runner.stream.publish()
        return number

    def free_slot(self) -> _Slot | None:
        """Return a worker that has nothing to do, a new one if need be."""
        for slot in self.slots:
            if not slot.given:
                return slot
        return self.start_slot() if len(self.slots) < self.limit else None

    def slot_ahead(self) -> _Slot | None:
        """Return a worker that may be given one more task than the one it runs."""
        number = self.again[0] if self.again else self.machine.ready[0]
        slot = min(self.slots, key=lambda slot: len(slot.given))
        if slot.took > TINY or len(slot.given) >= AHEAD or self.timeout(number) or self.timeout(slot.given[0]):
            return None
        return slot

    def timeout(self, number: int) -> int | None:
        return self.runner.described(number).timeout

    def call(self, number: int) -> bytes:
        """Pickle what a body is called with and the facts about its task run.

        Raises:
            TypeError: something cannot be pickled, with the name of the argument.

        """
        kwargs = self.runner.arguments(number)
        facts = facts_of_task(self.runner, number)
        if facts["given"] is None and facts["loop"] is None and PLAIN.issuperset(map(type, kwargs.values())):
            return pickle.dumps((kwargs, facts))
        import cloudpickle  # noqa: PLC0415 - costs more than the engine, and few flows use it

        try:
            made: bytes = cloudpickle.dumps((kwargs, facts))
        except Exception as error:  # noqa: BLE001 - pickling asks code of a user
            raise _unsendable(f"argument {_culprit(kwargs)}", self.runner.slug(number), error) from None
        return made

    def body(self, number: int) -> int:
        """Return the number under which workers know a task: that of the first one which is just the same.

        Mapped children are the same task, and copies of a task share their attributes until one of them gets its own.
        """
        task = self.runner.described(number)
        alike = id(vars(task)), *sorted(task.tags)
        return self.alike.setdefault(alike, self.runner.plan.origin(number))

    def code(self, number: int) -> bytes:
        """Pickle the function of a task.

        Raises:
            TypeError: it cannot be pickled.

        """
        body = self.body(number)
        if body not in self.codes:
            import cloudpickle  # noqa: PLC0415 - likewise

            try:
                self.codes[body] = cloudpickle.dumps(body_to_send(self.runner, number))
            except Exception as error:  # noqa: BLE001 - pickling asks code of a user
                raise _unsendable("the function", self.runner.slug(number), error) from None
        return self.codes[body]

    def give(self, slot: _Slot, number: int, call: bytes) -> None:
        """Send a task to a worker."""
        body = self.body(number)
        try:
            code = None if body in slot.known else self.code(number)
        except TypeError as error:
            self.end(self.runner.ending(number, error))
            return
        slot.known.add(body)
        if not slot.given:
            slot.since = _monotonic()
        slot.given.append(number)
        self.send(slot, pickle.dumps(("do", number, body, code, call)))

    def send(self, slot: _Slot, message: bytes) -> None:
        with contextlib.suppress(OSError):  # it is dead: its sentinel tells, and what it was given is taken back
            slot.pipe.send_bytes(message)

    # -- taking in ---------------------------------------------------------------------------------------------------

    def hear(self, slot: _Slot) -> None:
        """Take in the next message of a worker, which lies in the pipe."""
        try:
            message = slot.pipe.recv_bytes()
        except (EOFError, OSError):
            self.bury(slot)
        else:
            self.take(slot, message)

    def take(self, slot: _Slot, message: bytes) -> None:
        kind, data = message[:1], message[1:]
        if kind == LOGGED:
            print_log((pickle.loads(data),))  # noqa: S301 - from our own worker
        elif kind == PRINTED:
            stream, text = pickle.loads(data)  # noqa: S301 - likewise
            getattr(sys, stream).write(text)
        else:
            self.take_outcome(slot, kind, data)

    def take_outcome(self, slot: _Slot, kind: bytes, data: bytes) -> None:
        number = slot.given.popleft()  # they are answered in order
        slot.since = _monotonic()
        if kind == VALUE:
            _, value, slot.took = pickle.loads(data)  # noqa: S301 - likewise
            self.machine.returned(number, value, self.runner.clock.now())
            return
        slot.took = float("inf")
        try:
            outcome: Outcome = pickle.loads(data)[1]  # noqa: S301 - likewise
        except BaseException as error:  # noqa: BLE001 - a class of a user may raise anything when it is made again
            self.end(self.runner.ending(number, _unreadable(error)))
            return
        slot.took = outcome.seconds
        self.runner.artifacts.update(outcome.artifacts)
        print_log(outcome.logs)
        if outcome.error is None:
            self.machine.returned(number, outcome.value, self.runner.clock.now())
        else:
            self.end(self.runner.ending(number, outcome.error))

    def end(self, ended: m.Stimulus) -> None:
        self.machine.handle(ended)
        self.hand.turn(at_most=0)

    def bury(self, slot: _Slot) -> None:
        """Take back what a dead worker was given; the attempt it was at is lost, the others have not begun."""
        with contextlib.suppress(EOFError, OSError):
            while slot.pipe.poll():  # what it wrote before it died
                self.take(slot, slot.pipe.recv_bytes())
        self.drop(slot)
        given, slot.given = list(slot.given), deque()
        if not given:
            return
        self.again.extend(given[1:])
        self.end(self.runner.ending(given[0], WorkerLost(_last_words(slot.process))))

    def seconds_left(self, slot: _Slot) -> float | None:
        """Return how long the body of a worker may still take; None when that is not limited."""
        limit = self.timeout(slot.given[0]) if slot.given else None
        return None if limit is None else max(0.0, slot.since + limit - _monotonic())

    def time_out(self, slot: _Slot) -> None:
        number, *rest = slot.given
        slot.given.clear()
        self.kill(slot)
        self.again.extend(rest)
        self.end(m.Ended(number, self.runner.timed_out(number), self.runner.clock.now()))

    def stop_body(self, number: int) -> None:
        """Stop a body whose run was cancelled."""
        if number in self.again:
            self.again.remove(number)
        for slot in self.slots:
            if number in slot.given:
                slot.given.remove(number)
                self.kill(slot)
                self.again.extend(slot.given)  # asked to stop themselves, one by one
                slot.given.clear()
                break
        why = self.machine.cancelled or "Cancelled."
        self.machine.handle(m.Ended(number, Cancelled(why), self.runner.clock.now()))

    # -- workers -----------------------------------------------------------------------------------------------------

    def start_slot(self) -> _Slot:
        slot = _started()
        place = {"path": sys.path, "environ": dict(os.environ), "folder": _folder()}
        self.slots.append(slot)
        for end in (slot.pipe, slot.process.sentinel):
            self.selector.register(end, selectors.EVENT_READ, slot)
        self.facts = self.facts or _sendable_facts(facts_of_run(self.runner))
        self.send(slot, pickle.dumps(("run", self.facts, place)))
        return slot

    def kill(self, slot: _Slot) -> None:
        slot.process.kill()
        self.drop(slot)

    def drop(self, slot: _Slot) -> None:
        """Have no more to do with a worker."""
        self.slots.remove(slot)
        for end in (slot.pipe, slot.process.sentinel):
            self.selector.unregister(end)
        slot.pipe.close()
        slot.process.join(PATIENCE)
        _living.discard(slot.process)

    def close(self) -> None:
        """Let all workers go; who does not leave soon is made to."""
        slots, self.slots = self.slots, []
        for slot in slots:
            slot.pipe.close()
        deadline = _monotonic() + PATIENCE
        for slot in slots:
            if slot.given:
                slot.process.kill()
            slot.process.join(max(0.0, deadline - _monotonic()))
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join(PATIENCE)
            _living.discard(slot.process)
        self.selector.close()
        os.close(self.woken)
        os.close(self.waker)


_starting = threading.Lock()
# Workers that live: at the end of the program nobody waits for what their bodies are at.
_living: set[Any] = set()


def _kill_all() -> None:
    for process in list(_living):
        with contextlib.suppress(Exception):  # it may be gone, or be let go of right now
            process.kill()


def _started() -> _Slot:
    """Start a worker process.

    It is forked off a server that has loaded flowbook and nothing of the user's; where there is none, a new interpreter
    is started. The script that runs here must not be run again over there, so it is hidden meanwhile.
    """
    import multiprocessing  # noqa: PLC0415 - costs more than the engine

    way = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    starter: Any = multiprocessing.get_context(way)
    if way == "forkserver":
        starter.set_forkserver_preload(["flowbook.engine.executors.process_worker", "cloudpickle"])
    ours, theirs = starter.Pipe()
    process = starter.Process(target=serve, args=(theirs,), name="flowbook-worker")
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main
    theirs.close()
    if not _living:
        # after multiprocessing's own, and so called before it, which waits for all children
        atexit.unregister(_kill_all)
        atexit.register(_kill_all)
    _living.add(process)
    return _Slot(process, ours)


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a text is what is sent
    except OSError:  # it was removed
        return os.sep


def _sendable_facts(facts: Mapping[str, Any]) -> bytes:
    """Pickle what all attempts have in common; what people gave to the context stays here where it can't be pickled."""
    import cloudpickle  # noqa: PLC0415 - see above

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        made = {}
        for key, value in values.items():
            with contextlib.suppress(Exception):  # whoever asks for it over there is told that it is missing
                cloudpickle.dumps(value)
                made[key] = value
        return made

    sent: bytes = cloudpickle.dumps({**facts, "given": kept(facts["given"]), "parameters": kept(facts["parameters"])})
    return sent


def _culprit(kwargs: Mapping[str, Any]) -> str:
    """Return the name and the type of the first argument that cannot be pickled."""
    import cloudpickle  # noqa: PLC0415 - see above

    for key, value in kwargs.items():
        try:
            cloudpickle.dumps(value)
        except Exception:  # noqa: BLE001, PERF203 - likewise
            return f"{shown(key)}, a {type(value).__name__},"
    return "(one of the facts about the run)"


def _unsendable(what: str, slug: str, error: Exception) -> TypeError:
    return TypeError(
        f"{what} of task {shown(slug, 60)} cannot be pickled to go to another process: {said(error, 200)}. "
        "Give it something that can, or run the flow with executor='threads'."
    )


def _unreadable(error: BaseException) -> TypeError:
    return TypeError(
        f"the result cannot be made again here, after it came from its process: {said(error, 300)}. "
        "Return something that can, or run the flow with executor='threads'."
    )


def _last_words(process: Any) -> str:
    """Say how a worker process ended."""
    code = process.exitcode
    if code is None or code >= 0:
        how = "" if code is None else f" with exit code {code}"
        return f"The process that ran the body ended{how} before the body did."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    guess = ", probably because memory ran out" if name == "SIGKILL" else ""
    return f"The process that ran the body was ended by {name}{guess}."
