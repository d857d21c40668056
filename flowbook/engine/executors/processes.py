"""The process executor: each body runs in a worker process, and one that dies takes nothing else with it.

Only the driving thread touches the machine. It hands one ready task at a time to each slot, a slot being one worker
process on a line of its own, and waits on all lines at once. No task is ever queued behind another one in a worker, so
the end of a process, whatever the reason, is the end of one attempt.

A process can be stopped at any moment, in the middle of a call into C too. So timeouts and a cancel hold here whatever
a body does.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import selectors
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from flowbook.contexts import install_frame, restore_frame
from flowbook.engine import messages as m
from flowbook.engine.ends import said
from flowbook.engine.executors import process_nursery
from flowbook.engine.executors.local import OneByOne
from flowbook.engine.executors.process_letters import Letters, Postbox
from flowbook.engine.executors.process_line import KernelEnd
from flowbook.engine.frame import NO_TASK
from flowbook.engine.journey import WorkerLost
from flowbook.engine.remote import print_log
from flowbook.engine.runner import Bell
from flowbook.errors import shown
from flowbook.states import Cancelled, Failed

if TYPE_CHECKING:
    from flowbook.engine.executors.process_nursery import Source
    from flowbook.engine.remote import Outcome
    from flowbook.engine.runner import Runner

__all__ = ["ProcessExecutor", "ended_how"]

# How long (seconds) a worker whose line is closed may take to end by itself; one that only closed its files never does.
_LAST_BREATH = 0.3
# How long a worker may take to load what it is to call before the time of a task is counted all the same.
_LOADING = 10.0
# How often it is looked whether workers have ended, where nothing tells.
_GLANCE = 0.05
# So many workers in a row that end before they are there: there is no use in starting more.
_HOPELESS = 3

_monotonic = time.monotonic
_numbers = itertools.count(1)


class ProcessExecutor:
    """Run bodies in processes of their own.

    What goes there and back is pickled, functions and classes of a notebook too. A worker that is killed, crashes or
    runs out of memory ends one attempt as Failed, which is retried like any other failure.

    Args:
        workers: how many at the same time; by default as many as the machine has cores.

    Raises:
        ValueError: fewer than one worker.

    >>> ProcessExecutor(workers=2).workers
    2

    """

    name = "processes"

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            msg = f"workers={shown(workers)} must be at least 1."
            raise ValueError(msg)
        self.workers = workers if workers is not None else _cores()

    def drive(self, runner: Runner) -> None:
        """Run bodies until all tasks have ended or only a person can go on."""
        _Drive(runner, self.workers).drive()


def _cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


class _Slot:
    """One worker process and what it is at.

    Attributes:
        number: what the nursery calls it.
        end: our end of its line.
        box: what it has got already.
        task: the task run whose body it runs, or `NO_TASK`.
        is_there: it has said that it is there.
        is_leaving: it gets nothing more to do.
        deadline: when the body has to be done.
        patience: when to stop waiting for its end, after its line was closed.

    """

    __slots__ = ("box", "deadline", "end", "is_leaving", "is_there", "number", "patience", "task")

    def __init__(self, number: int, end: KernelEnd) -> None:
        self.number = number
        self.end = end
        self.box = Postbox()
        self.task = NO_TASK
        self.is_there = False
        self.is_leaving = False
        self.deadline: float | None = None
        self.patience: float | None = None


class _WakingBell(Bell):
    """A bell that is heard by who waits on lines."""

    def __init__(self) -> None:
        super().__init__()
        self.heard, self.rings = socket.socketpair()
        self.heard.setblocking(False)
        self.rings.setblocking(False)

    def ring(self) -> None:
        """Wake the waiter; what does not fit into the line any more would not wake him twice."""
        super().ring()
        with contextlib.suppress(OSError):
            self.rings.send(b"!")

    def hush(self) -> None:
        """Forget all rings so far."""
        with contextlib.suppress(OSError):
            self.heard.recv(4096)

    def close(self) -> None:
        """Take it down; who still rings it is not heard."""
        self.heard.close()
        self.rings.close()


class _Drive(OneByOne):
    """One drive of a run; handlers and triggers are asked on the driving thread, as by the local executor.

    Attributes:
        slots: the workers, by number.
        idle: those that are there and have nothing to do.
        losses: how many workers in a row ended before they were there.

    """

    def __init__(self, runner: Runner, limit: int) -> None:
        super().__init__(runner)
        self.machine = runner.machine
        self.limit = limit
        self.letters = Letters(runner)
        self.slots: dict[int, _Slot] = {}
        self.idle: list[_Slot] = []
        self.slot_of: dict[int, _Slot] = {}
        self.watched: set[_Slot] = set()
        self.losses = 0
        self.selector = selectors.DefaultSelector()
        self.bell = _WakingBell()
        self.source: Source = process_nursery.borrowed()
        self.source_file = self.source.fileno()
        self.listen_to_source()
        runner.stop_body = self.stop_body

    def listen_to_source(self) -> None:
        if self.source_file is not None:
            self.selector.register(self.source_file, selectors.EVENT_READ, "source")

    # -- the loop ----------------------------------------------------------------------------------------------------

    def drive(self) -> None:
        runner = self.runner
        before, runner.bell = runner.bell, self.bell
        self.selector.register(self.bell.heard, selectors.EVENT_READ, "bell")
        try:
            while True:
                self.turn(at_most=0)
                self.hand_out()
                if runner.is_over and not self.slot_of:
                    break
                self.listen(self.seconds_to_wait())
        finally:
            runner.bell = before
            runner.stop_body = None
            self.leave()
            self.close()

    def seconds_to_wait(self) -> float | None:
        """Return how long nothing can happen but what is heard on a line."""
        if self.runner.mailbox or self.machine.instructions:
            return 0.0
        waits = [self.runner.seconds_to_wait()]
        if self.watched:
            now = _monotonic()
            waits += [max(0.0, due - now) for slot in self.watched for due in (slot.deadline, slot.patience) if due]
        if self.source_file is None and len(self.slots) > len(self.idle):
            waits.append(_GLANCE)
        return min((wait for wait in waits if wait is not None), default=None)

    def listen(self, seconds: float | None) -> None:
        """Wait until something is heard, and take it in."""
        has_news = self.source_file is None
        for key, events in self.selector.select(seconds):
            if isinstance(slot := key.data, _Slot):
                if events & selectors.EVENT_WRITE:
                    self.send_more(slot)
                if events & selectors.EVENT_READ:
                    self.hear(slot)
            elif slot == "bell":
                self.bell.hush()
            else:
                has_news = True
        if has_news:
            self.bury()
        if self.watched:
            self.look_at_watches()

    def close(self) -> None:
        """Let all workers go; one that is busy, because the drive was broken off, is stopped."""
        for slot in self.slots.values():
            if slot.task != NO_TASK or slot.is_leaving:
                self.source.kill(slot.number)
            slot.end.close()
        self.selector.close()
        self.bell.close()
        process_nursery.given_back(self.source)

    # -- handing out -------------------------------------------------------------------------------------------------

    def hand_out(self) -> None:
        """Hand ready tasks to workers that have nothing to do, and start workers for the rest."""
        machine, idle = self.machine, self.idle
        while idle and machine.may_start:
            self.hand_over(idle.pop(), machine.ready.popleft())
        if machine.may_start and len(self.slots) < self.limit:
            starting = sum(not slot.is_there for slot in self.slots.values())
            for _ in range(min(len(machine.ready) - starting, self.limit - len(self.slots))):
                self.start_worker()

    def start_worker(self) -> None:
        # numbers are not used twice by one nursery: late news about a worker of an earlier run is about nobody
        number = next(_numbers)
        try:
            end = KernelEnd(self.source.start(number))
        except OSError:
            self.replace_source()
            end = KernelEnd(self.source.start(number))
        slot = self.slots[number] = _Slot(number, end)
        self.selector.register(end.line, selectors.EVENT_READ, slot)
        self.send(slot, self.letters.welcome())

    def replace_source(self) -> None:
        """Take another nursery in the place of one that has ended, and all its workers with it."""
        if self.source_file is not None:
            self.selector.unregister(self.source_file)
        for number in list(self.slots):
            self.take_death(number)
        self.note_loss("the process which forks them")
        self.source.close()
        self.source = process_nursery.borrowed()
        self.source_file = self.source.fileno()
        self.listen_to_source()

    def hand_over(self, slot: _Slot, task: int) -> None:
        """Have a worker run the next attempt of a task run."""
        runner, machine = self.runner, self.machine
        machine.started(task, runner.clock.now())
        if runner.stream.readers:
            runner.stream.publish()
        token = install_frame(self.frame)
        self.frame.task = task
        try:
            letter = self.letters.call(task, runner.arguments(task), slot.box)
        except BaseException as error:  # noqa: BLE001 - e.g. a user's sequence, of which an element is taken
            self.idle.append(slot)
            machine.handle(runner.ending(task, error))
            runner.pump()
            return
        finally:
            self.frame.task = NO_TASK
            restore_frame(token)
        slot.task = task
        self.slot_of[task] = slot
        if timeout := runner.plan.described[task].timeout:
            slot.deadline = _monotonic() + timeout + _LOADING
            self.watched.add(slot)
        self.send(slot, letter)

    def send(self, slot: _Slot, frames: bytes) -> None:
        try:
            slot.end.send(frames)
        except OSError:  # it has ended: that is heard on the same line
            return
        if slot.end.has_more_to_send:
            self.selector.modify(slot.end.line, selectors.EVENT_READ | selectors.EVENT_WRITE, slot)

    def send_more(self, slot: _Slot) -> None:
        with contextlib.suppress(OSError):
            slot.end.send_more()
            if slot.end.has_more_to_send:
                return
        self.selector.modify(slot.end.line, selectors.EVENT_READ, slot)

    # -- taking in ---------------------------------------------------------------------------------------------------

    def hear(self, slot: _Slot) -> None:
        """Take in what a worker says."""
        for tag, content in slot.end.receive():
            self.take(slot, tag, content)
        if not slot.end.is_open and slot.number in self.slots and slot.patience is None:
            self.selector.unregister(slot.end.line)
            slot.is_leaving = True
            self.rest(slot)
            slot.patience = _monotonic() + _LAST_BREATH
            self.watched.add(slot)

    def take(self, slot: _Slot, tag: bytes, content: bytes) -> None:
        if tag in b"vfx":
            self.take_end(slot, tag, content)
        elif tag == b"h":
            slot.is_there = True
            self.losses = 0
            self.idle.append(slot)
        elif tag == b"g":
            if slot.task != NO_TASK and (timeout := self.runner.plan.described[slot.task].timeout):
                slot.deadline = _monotonic() + timeout
        elif tag == b"l":
            print_log(self.runner, slot.task, (pickle.loads(content),))  # noqa: S301 - by our own worker
        elif tag in b"oe":
            _print(sys.stdout if tag == b"o" else sys.stderr, content)
        elif tag == b"q":
            slot.is_leaving = True
            self.rest(slot)

    def take_end(self, slot: _Slot, tag: bytes, content: bytes) -> None:
        """Take in how an attempt ended."""
        runner, machine, task = self.runner, self.machine, slot.task
        if task == NO_TASK:
            return  # its body was stopped meanwhile
        slot.task, slot.deadline = NO_TASK, None
        del self.slot_of[task]
        self.watched.discard(slot)
        self.idle.append(slot)
        error: BaseException | None = None
        value: Any = None
        if tag == b"x":
            error = RuntimeError(f"its worker process could not load the task: {content.decode()}.")
        else:
            try:
                came: Any = pickle.loads(content)  # noqa: S301 - by our own worker
                if tag == b"v":
                    value = came[0]
                else:
                    outcome: Outcome = came
                    value, error = outcome.value, outcome.error
                    runner.artifacts.update(outcome.artifacts)
            except BaseException as raised:  # noqa: BLE001 - a class of a user, made anew here, may raise anything
                error = TypeError(
                    f"the result of task {shown(runner.slug(task), 60)} cannot be made again here, after it came from "
                    f"its process: {said(raised)}. Return something that can, or run the flow with executor='threads'."
                )
        if error is None:
            machine.returned(task, value, runner.clock.now())
        else:
            machine.handle(runner.ending(task, error))

    def rest(self, slot: _Slot) -> None:
        """Give a worker nothing more to do."""
        if slot in self.idle:
            self.idle.remove(slot)

    # -- workers that end --------------------------------------------------------------------------------------------

    def bury(self) -> None:
        """Take in which workers have ended."""
        try:
            deaths = self.source.deaths()
        except (EOFError, OSError):
            self.replace_source()
            return
        for number, code, pid in deaths:
            self.take_death(number, code, pid)

    def take_death(self, number: int, code: int | None = None, pid: int | None = None) -> None:
        """Take in that a worker has ended: the attempt it was at is lost, and nothing else."""
        slot = self.slots.get(number)
        if slot is None:
            return  # we have stopped it ourselves
        for tag, content in slot.end.receive():  # its last words
            self.take(slot, tag, content)
        task = slot.task
        self.strike(slot)
        if task != NO_TASK:
            self.lose(task, slot, pid, code)
        elif not slot.is_there:
            self.note_loss(f"{_process(pid)} {ended_how(code)}")

    def lose(self, task: int, slot: _Slot, pid: int | None, code: int | None) -> None:
        """End an attempt whose worker has ended."""
        runner = self.runner
        if slot.patience is not None and slot.patience < 0:
            how = "closed its line to the kernel, or all its files, and was stopped"
        else:
            how = ended_how(code)
        message = f"Its worker {_process(pid)} {how}. Other tasks are not harmed; max_retries= would try it again."
        error = WorkerLost(message)
        if runner.raises:
            runner.machine.handle(runner.ending(task, error))
        else:
            runner.machine.handle(m.Ended(task, Failed(message, result=error), runner.clock.now()))

    def note_loss(self, what: str) -> None:
        self.losses += 1
        if self.losses >= _HOPELESS:
            msg = (
                f"worker processes cannot be started: {what} ended before it could be used, {self.losses} times. What "
                "it had to say is where this process prints its errors. Run the flow with executor='threads' meanwhile."
            )
            raise RuntimeError(msg)

    def strike(self, slot: _Slot) -> None:
        """Strike a worker off the books."""
        del self.slots[slot.number]
        self.rest(slot)
        self.watched.discard(slot)
        if slot.task != NO_TASK:
            del self.slot_of[slot.task]
            slot.task = NO_TASK
        with contextlib.suppress(KeyError, ValueError):  # its line was closed before
            self.selector.unregister(slot.end.line)
        slot.end.close()

    # -- stopping bodies ---------------------------------------------------------------------------------------------

    def look_at_watches(self) -> None:
        """Stop bodies whose time is over, and workers that do not end although they have hung up."""
        now = _monotonic()
        for slot in list(self.watched):
            if slot.patience is not None and 0 <= slot.patience <= now:
                slot.patience = -1.0  # what it dies of now is us
                self.source.kill(slot.number)
            elif slot.deadline is not None and slot.deadline <= now and slot.task != NO_TASK:
                task = slot.task
                self.stop(slot)
                ended = m.Ended(task, self.runner.timed_out(task), self.runner.clock.now())
                self.machine.handle(ended)

    def stop_body(self, task: int) -> None:
        """Stop a body whose run was cancelled."""
        slot = self.slot_of.get(task)
        if slot is not None:
            self.stop(slot)
        self.machine.handle(m.Ended(task, Cancelled(self.machine.cancelled or "Cancelled."), self.runner.clock.now()))

    def stop(self, slot: _Slot) -> None:
        """Stop a worker; another one takes its place when there is something to do."""
        self.source.kill(slot.number)
        self.strike(slot)


def _process(pid: int | None) -> str:
    return "process" if pid is None else f"process {pid}"


def ended_how(code: int | None) -> str:
    """Say how a process ended.

    >>> ended_how(-9)
    'was killed by SIGKILL, probably because memory ran out'

    """
    if code is None:
        return "ended with the process that had started it"
    if not code:
        return "ended in the middle of its body, which had ended the process or closed its line to the kernel"
    if code > 0:
        return f"left with exit code {code} in the middle of its body"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return "was killed by SIGKILL, probably because memory ran out"
    if name in {"SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL"}:
        return f"crashed with {name}, probably in compiled code"
    return f"was killed by {name}"


def _print(stream: Any, content: bytes) -> None:
    """Print what a worker has printed; a closed stream here must not end the run."""
    with contextlib.suppress(Exception):
        stream.write(content.decode("utf-8", "replace"))
        stream.flush()
