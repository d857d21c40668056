"""The thread executor: bodies run side by side on threads of this process.

Whoever finishes a body takes its end in and goes on with the next ready task, so a chain costs no switch of threads.
The machine is guarded by one lock; bodies, handlers and triggers run outside it.

Threads that share an interpreter and a lock hinder each other when bodies are tiny, and help each other when bodies
wait. So one worker, the *taker*, takes ready tasks as long as its bodies are tiny, and all others rest. A body that
takes longer than a moment makes its worker *away*, and another one becomes the taker: the driving thread looks every
millisecond while tasks are ready, and a body known from an earlier task to be long is away at once.

A flow with an order of its own, as the cells of a notebook have, is run with patience: its ready tasks are taken in
that order, and none is started beside a body that has only just begun. So quick cells run one after the other as they
stand, which is right where no analysis can see that one needs another, and only cells that take long get company.

Python cannot stop a thread: a body whose time is over, or whose run was cancelled, is let go of. Its task run ends at
once in its state, its place is free again, and its late result is dropped. An async body is cancelled at its next
await.
"""

from __future__ import annotations

import contextvars
import heapq
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook.contexts import current_frame, install_frame
from flowbook.engine import messages as m
from flowbook.engine.frame import NO_TASK, RunFrame
from flowbook.engine.printing import printing_to_log
from flowbook.engine.ready import InOrder
from flowbook.errors import shown
from flowbook.states import Cancelled

if TYPE_CHECKING:
    from flowbook.engine.runner import Runner

__all__ = ["ThreadExecutor"]

# A body that took less than this (seconds) was tiny: handing the next one to another thread would have cost more.
TINY = 50e-6
# A body that is busy for longer is away, and leaves the ready tasks to another worker.
MOMENT = 200e-6
# How often the driving thread looks after busy workers while tasks are ready.
GLANCE = 1e-3
# How long (seconds) all bodies that run must have been at it before a task that has a place is started beside them.
# Cells that set things up for others (register, patch, define, connect) are through well before; of those that compute,
# for which company pays, it is a small part. It is also how much later each of many long cells begins than the one
# before it: ten times as much would cost a notebook of eight of them more than two seconds.
PATIENCE = 0.03
# At most so much counts from one look to the next: while the garbage collector, or a machine with too much to do, keeps
# the whole process from going on, a body has not been at it. A look may come 5 ms late since a body that computes in
# Python gives the interpreter away no sooner.
LOOK = 6e-3
# After so long a body has been at it, whether or not somebody looked.
AT_LAST = 10 * PATIENCE

_monotonic = time.monotonic


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
    """One thread and what it is at.

    Attributes:
        frame: what the context answers on this thread.
        task: the task whose body it runs, or `NO_TASK`.
        since: when that body began.
        watched: for how long the driving thread saw it at that body.
        is_asking: it asks handlers or a trigger.
        is_away: its body takes long, so that another worker takes what is ready.
        is_dropped: its body was let go of; what comes of it is of no interest any more.
        deadline: the number of the deadline its body has, or 0.

    """

    __slots__ = ("deadline", "frame", "is_asking", "is_away", "is_dropped", "since", "task", "watched")

    def __init__(self, frame: RunFrame) -> None:
        self.frame = frame
        self.task = NO_TASK
        self.since = 0.0
        self.watched = 0.0
        self.is_asking = False
        self.is_away = False
        self.is_dropped = False
        self.deadline = 0


class _Pool:
    """The threads of one drive.

    Invariant: `lock` is held whenever the machine, the pool's own books, or a worker change.

    Attributes:
        takers: how many workers are awake and not away.
        idle: how many rest.
        slow: the functions whose bodies took long; unused in flows with an order, whose tasks may share one.
        order: the ready tasks of a flow with an order of its own.
        looked: when the driving thread last looked after the workers.
        broken: what a worker ended by, against all intent.

    """

    def __init__(self, runner: Runner, limit: int) -> None:
        self.runner = runner
        self.machine = runner.machine
        self.limit = limit
        self.lock = threading.Lock()
        self.work = threading.Condition(self.lock)
        self.questions: deque[m.Question] = deque()
        self.workers: set[_Worker] = set()
        self.takers = 0
        self.idle = 0
        self.slow: set[int] = set()
        self.order = self.machine.ready if isinstance(self.machine.ready, InOrder) else None
        self.looked = _monotonic()
        self.is_closed = False
        self.broken: BaseException | None = None
        self.is_glancing = False
        self.deadlines: list[tuple[float, int, int, _Worker]] = []
        self.serial = 0
        reading, offset = runner.clock.reading
        # how long bodies take is measured in real time, whatever the clock of the run says
        self.offset = offset if reading is _monotonic else None
        runner.stop_body = self.stop_body
        runner.ask = self.questions.append
        self.context = contextvars.copy_context()

    # -- on the driving thread ---------------------------------------------------------------------------------------

    def drive(self) -> None:
        runner = self.runner
        runner.errands.begin()
        runner.errands.before = self.leave_for_errand
        runner.errands.patience = 0.0 if self.order is None else PATIENCE
        try:
            while True:
                runner.errands.run()
                with self.lock:
                    if self.broken is not None:
                        raise self.broken
                    runner.pump()
                    self.drop_late_bodies()
                    if self.machine.cancelled is not None:
                        self.questions.clear()  # nobody waits for their answers
                    if runner.is_over and not self.questions:
                        break
                    self.look_after_workers()
                    seconds = self.seconds_to_wait()
                if seconds is None or seconds > 0:
                    runner.bell.wait(seconds)
        finally:
            runner.errands.end()
            with self.lock:
                self.is_closed = True
                self.work.notify_all()
            runner.stop_body = None

    def seconds_to_wait(self) -> float | None:
        """Return how long the driving thread may sleep: until a timer, a body's deadline, or the next look."""
        waits = [self.runner.seconds_to_wait()]
        if self.deadlines:
            waits.append(max(0.0, self.deadlines[0][0] - _monotonic()))
        self.is_glancing = self.has_work() and self.has_place()
        if self.is_glancing:
            waits.append(GLANCE)
        known = [seconds for seconds in waits if seconds is not None]
        return min(known) if known else None

    def look_after_workers(self) -> None:
        """Mark workers whose bodies take long as away, and see that somebody takes what is ready."""
        now = _monotonic()
        for worker in self.workers:
            is_busy = worker.task != NO_TASK or worker.is_asking
            worker.watched += min(now - worker.since, now - self.looked, LOOK)
            if is_busy and not worker.is_away and now - worker.since > MOMENT:
                worker.is_away = True
                self.takers -= 1
                if not worker.is_asking and self.order is None:
                    self.slow.add(_function(self.runner.plan.bodies[worker.task]))
        self.looked = now
        if not self.takers:
            self.call_worker()

    # -- with the lock held ------------------------------------------------------------------------------------------

    def has_work(self) -> bool:
        return self.machine.may_start or bool(self.questions)

    def has_place(self) -> bool:
        return bool(self.idle) or len(self.workers) < self.limit

    def is_early(self) -> bool:
        """Tell whether the next task keeps its place, and a body beside which it would run has only just begun."""
        if self.order is None or not self.order.is_kept():
            return False
        lately = _monotonic() - AT_LAST
        busy = (one for one in self.workers if one.task != NO_TASK or one.is_asking)
        return any(one.watched < PATIENCE and one.since > lately for one in busy)

    def call_worker(self) -> None:
        """Wake a resting worker, or start one, when there is something to do."""
        if not self.has_work() or (not self.questions and self.is_early()):
            return
        if self.idle:
            self.idle -= 1
            self.takers += 1
            self.work.notify()
        elif len(self.workers) < self.limit:
            self.start_worker()

    def start_worker(self) -> None:
        worker = _Worker(RunFrame(self.runner))
        carried = self.context.copy()
        thread = threading.Thread(target=carried.run, args=(self.work_on, worker), name="flowbook-worker", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self.workers:
                raise
            self.limit = len(self.workers)  # the system gives no more: go on with those there are
            return
        self.workers.add(worker)
        self.takers += 1

    def ask_for_glances(self) -> None:
        """Have the driving thread look after the workers from now on, if it could do anything for what is ready."""
        if self.has_place():
            self.is_glancing = True
            self.runner.bell.ring()

    def come_back(self, worker: _Worker) -> None:
        """Note that a worker is not away any more."""
        if worker.is_away:
            worker.is_away = False
            self.takers += 1

    def leave_rest_to_others(self, worker: _Worker) -> None:
        """Note that a worker is away for a while, so that another one takes what is ready."""
        worker.is_away = True
        self.takers -= 1
        if not self.takers:
            self.call_worker()

    def leave_for_errand(self) -> None:
        """Note that the body on this thread waits for the driving one, which looks after nobody meanwhile."""
        frame = current_frame()
        with self.lock:
            worker = next((worker for worker in self.workers if worker.frame is frame), None)
            if worker is None:
                return
            worker.watched = PATIENCE  # it waited for as long
            if not worker.is_away:
                self.leave_rest_to_others(worker)
            elif not self.takers:
                self.call_worker()  # when the body was seen to be away it may have been too early

    # -- on a worker's thread ----------------------------------------------------------------------------------------

    def work_on(self, worker: _Worker) -> None:
        """Run what is ready until the drive is over or this worker was let go of."""
        install_frame(worker.frame)
        self.lock.acquire()
        try:
            self.run_bodies(worker)
        except BaseException as error:  # noqa: BLE001 - a fault of ours; the driving thread raises it
            self.broken = error
            self.runner.bell.ring()
        finally:
            self.workers.discard(worker)
            self.lock.release()

    def run_bodies(self, worker: _Worker) -> None:
        """Take ready tasks and run their bodies; lock in hand but for the bodies.

        The hot path of every run with threads: a plain task makes three calls besides its body and the machine's two.
        """
        runner, machine, lock, frame = self.runner, self.machine, self.lock, worker.frame
        bodies, guarded, arguments, offset = runner.plan.bodies, runner.plan.guarded, runner.arguments, self.offset
        now = _monotonic()
        while (task := self.next_task(worker, now)) != NO_TASK:
            error: BaseException | None = None
            value: Any = None
            try:
                kwargs = arguments(task)
            except BaseException as raised:  # noqa: BLE001 - a user's sequence may raise anything
                machine.handle(runner.ending(task, raised))
                frame.task = worker.task = NO_TASK
                self.come_back(worker)  # it may have left the rest to others, for a body that never began
                now = _monotonic()
                continue
            lock.release()
            try:
                value = self.guarded(task, kwargs) if guarded[task] else bodies[task](**kwargs)
            except BaseException as raised:  # noqa: BLE001 - whatever a user's body raises ends in a state
                error = raised
            finally:
                lock.acquire()
            if worker.is_dropped:
                return
            now = _monotonic()
            frame.task = worker.task = NO_TASK
            if error is None:
                machine.returned(task, value, runner.clock.now() if offset is None else now + offset)
            else:
                machine.handle(runner.ending(task, error))
                now = _monotonic()
            if self.takers != 1 or worker.is_away or self.slow:
                if not self.goes_on(worker, task, now - worker.since):
                    return
                now = _monotonic()

    def next_task(self, worker: _Worker, now: float) -> int:
        """Take the next ready task, lock in hand; answer questions and rest meanwhile. `NO_TASK` when all is over."""
        runner, machine, ready, order = self.runner, self.machine, self.machine.ready, self.order
        while True:
            if runner.mailbox or runner.timers or machine.instructions or runner.stream.readers:
                runner.pump()
                now = _monotonic()
            if self.questions:
                self.ask(worker, self.questions.popleft())
            elif ready and (not machine.held or machine.steps > 0) and (order is None or not self.is_early()):
                break
            elif not self.leave_ready():
                return NO_TASK
            now = _monotonic()
        task = ready.popleft()
        worker.since, worker.watched = now, 0.0
        machine.started(task, runner.clock.now() if self.offset is None else now + self.offset)
        if runner.stream.readers:
            runner.stream.publish()
        worker.task = worker.frame.task = task
        if runner.plan.guarded[task]:
            self.watch(worker, task)
        if ready:
            if self.slow and _function(runner.plan.bodies[task]) in self.slow:
                self.leave_rest_to_others(worker)
            elif not self.is_glancing and (self.idle or len(self.workers) < self.limit):
                self.ask_for_glances()
        return task

    def goes_on(self, worker: _Worker, task: int, took: float) -> bool:
        """Decide, lock in hand, whether a worker takes another task after the one it ran; False when all is over."""
        self.come_back(worker)
        if took < TINY:
            self.slow.discard(_function(self.runner.plan.bodies[task]))
            if self.takers > 1 and not self.questions:
                return self.leave_ready()
        return True

    def leave_ready(self) -> bool:
        """Rest, lock in hand, although tasks may be ready; return whether there is more to do."""
        if self.machine.may_start and not self.is_glancing:
            self.is_glancing = True  # the bodies that run may be long ones, and this worker is free to be called
            self.runner.bell.ring()
        return self.rest()

    def rest(self) -> bool:
        """Wait, lock in hand, until this worker is called; return whether there is more to do."""
        if self.is_closed:
            return False
        runner = self.runner
        if runner.is_over or runner.timers or self.deadlines or not self.machine.running:
            runner.bell.ring()  # the driving thread has something to see
        self.takers -= 1
        self.idle += 1
        self.work.wait()
        return not self.is_closed

    def ask(self, worker: _Worker, question: m.Question) -> None:
        """Ask handlers or a trigger, outside the lock."""
        if question.task not in self.machine.asking:
            return  # the run was cancelled meanwhile
        worker.since, worker.watched, worker.is_asking = _monotonic(), 0.0, True
        if self.has_work() and not self.is_glancing:
            self.ask_for_glances()
        self.lock.release()
        try:
            answer = self.runner.answer(question, worker.frame)
        finally:
            self.lock.acquire()
            worker.is_asking = False
            self.come_back(worker)
        self.machine.handle(answer)

    def guarded(self, task: int, kwargs: dict[str, Any]) -> Any:
        """Call a body whose printing goes to the log; its timeout is watched from the driving thread."""
        described, body = self.runner.plan.described[task], self.runner.plan.bodies[task]
        if described.log_stdout:
            with printing_to_log(described):
                return body(**kwargs)
        return body(**kwargs)

    # -- letting go --------------------------------------------------------------------------------------------------

    def watch(self, worker: _Worker, task: int) -> None:
        """Remember when a body has to be done; real time, since bodies run in it whatever the clock says."""
        seconds = self.runner.plan.described[task].timeout
        if seconds:
            self.serial += 1
            worker.deadline = self.serial
            heapq.heappush(self.deadlines, (worker.since + seconds, self.serial, task, worker))
            self.runner.bell.ring()

    def drop_late_bodies(self) -> None:
        while self.deadlines and self.deadlines[0][0] <= _monotonic():
            _, serial, task, worker = heapq.heappop(self.deadlines)
            if worker.deadline == serial and worker.task == task and not worker.is_dropped:
                self.drop(worker)
                ended = m.Ended(task, self.runner.timed_out(task, is_let_go=True), self.runner.clock.now())
                self.machine.handle(ended)
                self.runner.pump()

    def stop_body(self, task: int) -> None:
        """Let go of a body whose run was cancelled."""
        for worker in list(self.workers):
            if worker.task == task:
                self.drop(worker)
                why = f"{self.machine.cancelled or 'Cancelled.'}{self.runner.said_of_body(task)}"
                self.machine.handle(m.Ended(task, Cancelled(why), self.runner.clock.now()))

    def drop(self, worker: _Worker) -> None:
        worker.is_dropped = True
        self.workers.discard(worker)
        if not worker.is_away:
            self.takers -= 1
        self.runner.coroutines.stop(worker.frame)


def _function(body: Any) -> int:
    """Return what the bodies of copies of one task have in common."""
    return id(getattr(body, "__func__", body))
