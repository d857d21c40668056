"""The thread executor: bodies run side by side on threads of this process.

Whoever finishes a body takes its end in and goes on with the next ready task, so a chain costs no switch of threads.
The machine is guarded by one lock; bodies, handlers and triggers run outside it. Threads are started one by one, as
long as there is more ready than is being run.

Python cannot stop a thread: a body whose time is over, or whose run was cancelled, is let go of. Its task run ends at
once in its state, its place is free again, and its late result is dropped.
"""

from __future__ import annotations

import contextvars
import heapq
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook.contexts import install_frame
from flowbook.engine import messages as m
from flowbook.engine.attempt import printing_to_log
from flowbook.engine.executors.local import Interruption, interrupts
from flowbook.engine.frame import RunFrame
from flowbook.errors import shown
from flowbook.states import Cancelled

if TYPE_CHECKING:
    from flowbook.engine.runner import Runner

__all__ = ["ThreadExecutor"]


class ThreadExecutor:
    """Run bodies on threads.

    Args:
        workers: how many at the same time; by default four more than the machine has cores, at most 32.

    Raises:
        ValueError: fewer than one worker.

    """

    name = "threads"

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            msg = f"workers={shown(workers)} must be at least 1."
            raise ValueError(msg)
        self.workers = workers if workers is not None else min(32, (os.cpu_count() or 1) + 4)

    def drive(self, runner: Runner) -> None:
        """Run bodies until all tasks have ended or only a person can go on."""
        _Pool(runner, self.workers).drive()


class _Worker:
    """One thread and what it is busy with; `dropped` when its body was let go of."""

    __slots__ = ("busy", "dropped", "frame", "thread")

    def __init__(self, frame: RunFrame) -> None:
        self.frame = frame
        self.busy: int | None = None
        self.dropped = False
        self.thread: threading.Thread | None = None


class _Pool:
    """The threads of one drive.

    Invariant: `lock` is held whenever the machine, the pool's own books, or a worker's `busy` and `dropped` change.
    """

    def __init__(self, runner: Runner, workers: int) -> None:
        self.runner = runner
        self.limit = workers
        self.lock = threading.Lock()
        self.work = threading.Condition(self.lock)
        self.questions: deque[m.Instruction] = deque()
        self.workers: set[_Worker] = set()
        self.idle = 0
        self.closed = False
        self.deadlines: list[tuple[float, int, int, _Worker]] = []
        self.serial = 0
        runner.stop_body = self.stop_body
        runner.ask_elsewhere = self.questions.append
        self.context = contextvars.copy_context()

    def drive(self) -> None:
        runner = self.runner
        try:
            with interrupts(runner, Interruption()):
                while True:
                    with self.lock:
                        runner.pump()
                        self.drop_late_bodies()
                        if runner.is_over and not self.questions:
                            break
                        self.call_workers()
                        seconds = self.seconds_to_wait()
                    if seconds is None or seconds > 0:
                        runner.bell.wait(seconds)
        finally:
            with self.lock:
                self.closed = True
                self.work.notify_all()
            runner.stop_body = runner.ask_elsewhere = None

    def seconds_to_wait(self) -> float | None:
        """Return how long the driving thread may sleep: until a timer or a body's deadline."""
        waits = [self.runner.seconds_to_wait()]
        if self.deadlines:
            waits.append(max(0.0, self.deadlines[0][0] - time.monotonic()))
        known = [seconds for seconds in waits if seconds is not None]
        return min(known) if known else None

    def call_workers(self) -> None:
        """Wake idle threads, or start one, while there is something for them to do."""
        todo = len(self.questions) + (len(self.runner.machine.ready) if self.runner.machine.may_start else 0)
        if not todo:
            return
        if self.idle:
            self.work.notify(min(todo, self.idle))
        elif len(self.workers) < self.limit:
            self.start_worker()

    def start_worker(self) -> None:
        worker = _Worker(RunFrame(self.runner))
        self.workers.add(worker)
        carried = self.context.copy()
        worker.thread = threading.Thread(
            target=carried.run, args=(self.work_on, worker), name="flowbook-worker", daemon=True
        )
        worker.thread.start()

    # -- on a worker's thread ----------------------------------------------------------------------------------------

    def work_on(self, worker: _Worker) -> None:
        """Run what is ready until the drive is over or this worker was let go of."""
        install_frame(worker.frame)
        runner, machine, lock = self.runner, self.runner.machine, self.lock
        states, structure, bodies, guarded = (
            machine.states,
            runner.plan.structure,
            runner.plan.bodies,
            runner.plan.guarded,
        )
        inputs, constants, clock = structure.inputs, structure.constants, runner.clock
        outcome: m.Stimulus | None = None
        value: Any = None
        task = -1
        lock.acquire()
        try:
            while not worker.dropped:
                if task >= 0:  # take in the end of the last body
                    worker.busy = None
                    if outcome is None:
                        machine.returned(task, value, clock.now())
                    else:
                        machine.handle(outcome)
                    task, outcome, value = -1, None, None
                    if machine.instructions or runner.stream.readers:
                        runner.carry_out()
                if runner.mailbox or runner.timers:
                    runner.pump()
                if self.questions:
                    self.ask(worker, self.questions.popleft())
                    continue
                if not machine.may_start:
                    if self.closed or not self.rest():
                        return
                    continue
                task = machine.ready.popleft()
                machine.started(task, clock.now())
                if runner.stream.readers:
                    runner.stream.publish()
                worker.busy = task
                worker.frame.task = task
                if machine.ready or self.questions:
                    self.call_workers()
                kwargs: dict[str, Any] = {**fixed} if (fixed := constants[task]) else {}
                if wanted := inputs[task]:
                    for key, upstream in wanted:
                        kwargs[key] = states[upstream].result
                if guarded[task]:
                    self.watch(worker, task)
                lock.release()
                try:
                    value = self.guarded(task, kwargs) if guarded[task] else bodies[task](**kwargs)
                except BaseException as error:  # noqa: BLE001 - whatever a user's body raises ends in a state
                    outcome = runner.ending(task, error)
                finally:
                    lock.acquire()
        finally:
            self.workers.discard(worker)
            lock.release()

    def rest(self) -> bool:
        """Wait for work, lock in hand; return whether to look again."""
        if self.runner.is_over or self.runner.timers or self.deadlines:
            self.runner.bell.ring()  # the driving thread has something to see: the end, or a new timer
        elif not self.runner.machine.running:
            self.runner.bell.ring()
        self.idle += 1
        try:
            self.work.wait()
        finally:
            self.idle -= 1
        return not self.closed

    def ask(self, worker: _Worker, question: m.Instruction) -> None:
        """Ask handlers or a trigger, outside the lock."""
        if self.questions or self.runner.machine.ready:
            self.call_workers()
        self.lock.release()
        try:
            answer = self.runner.answer(question, worker.frame)
        finally:
            self.lock.acquire()
        self.runner.machine.handle(answer)
        self.runner.carry_out()

    def guarded(self, task: int, kwargs: dict[str, Any]) -> Any:
        """Call a body whose printing goes to the log; its timeout is watched from the driving thread."""
        described, body = self.runner.plan.tasks[task], self.runner.plan.bodies[task]
        if described.log_stdout:
            with printing_to_log(described):
                return body(**kwargs)
        return body(**kwargs)

    # -- letting go --------------------------------------------------------------------------------------------------

    def watch(self, worker: _Worker, task: int) -> None:
        """Remember when a body has to be done; real time, since bodies run in it whatever the clock says."""
        seconds = self.runner.plan.tasks[task].timeout
        if seconds is not None:
            self.serial += 1
            heapq.heappush(self.deadlines, (time.monotonic() + seconds, self.serial, task, worker))
            self.runner.bell.ring()

    def drop_late_bodies(self) -> None:
        while self.deadlines and self.deadlines[0][0] <= time.monotonic():
            _, _, task, worker = heapq.heappop(self.deadlines)
            if worker.busy == task and not worker.dropped:
                self.drop(worker)
                self.runner.machine.handle(
                    m.Ended(task, self.runner.timed_out(task, still_running=True), self.runner.clock.now())
                )
                self.runner.carry_out()

    def drop(self, worker: _Worker) -> None:
        worker.dropped = True
        self.workers.discard(worker)

    def stop_body(self, task: int) -> None:
        """Let go of a body whose run was cancelled."""
        for worker in list(self.workers):
            if worker.busy == task and not worker.dropped:
                self.drop(worker)
                why = self.runner.machine.cancelled or "Cancelled."
                message = f"{why} The body is still running on its thread: only a process can be stopped."
                self.runner.machine.handle(m.Ended(task, Cancelled(message), self.runner.clock.now()))
