"""Driving a run on Dask workers: one thread of ours hands ready tasks to the cluster and takes in what comes back.

Only the driving thread touches the machine. Dask's own thread puts what it hears into an inbox and rings the bell; a
thread for questions asks handlers and triggers, which may take as long as they like.

Ready tasks go to Dask in batches, mapped children in chunks. What is handed over is a *flight*, and lands in one of
these ways: its report arrives (the common one), Dask says that it failed or was cancelled, its time is over, or the
connection to the scheduler is lost.
"""

from __future__ import annotations

import contextvars
import copy
import heapq
import math
import pickle
import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook.engine import messages as m
from flowbook.engine.ends import said
from flowbook.engine.executors.dask_packing import Flight, Packer
from flowbook.engine.executors.dask_results import Kept, kept
from flowbook.engine.executors.dask_worker import BEGAN, Report, run_chunk, run_one
from flowbook.engine.frame import RunFrame
from flowbook.engine.lazy import by_reference, lazy_success
from flowbook.engine.machine import SUCCEEDED
from flowbook.engine.remote import print_log
from flowbook.errors import ResultLost, shown
from flowbook.states import Cancelled, Cancelling, Failed, State, Success
from flowbook.utilities.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.engine.executors.dask_connection import Connection
    from flowbook.engine.runner import Runner

__all__ = ["Drive"]

# How often (seconds) flights are looked at for what Dask says of them, while there are any.
GLANCE = 0.05
# How soon (seconds) Dask says that a value is there, after its report has come.
SOON = 5e-4
# How long (seconds) a report may come after Dask has said that its value is there.
LATE = 2.0
# How long (seconds) nothing may come back before it is looked whether there are workers at all.
PATIENCE = 3.0
# How long (seconds) a chunk of mapped children should last, at least and at most.
SHORT, LONG = 0.05, 0.15
# How many chunks each slot has before it, and how large the first ones may be.
CHUNKS_PER_SLOT = 4
LARGEST = 2000
# How often (seconds) it is looked how many slots there are.
COUNTED = 5.0

STILL_RUNNING = " Its body may still be running on its worker: Dask cannot stop it."

_monotonic = time.monotonic


class Questions:
    """A thread that asks handlers and triggers, one after another, and puts their answers into the inbox."""

    def __init__(self, runner: Runner, inbox: deque[Any]) -> None:
        self.runner = runner
        self.inbox = inbox
        self.waiting: queue.SimpleQueue[m.Question | None] = queue.SimpleQueue()
        self.is_started = False

    def ask(self, question: m.Question) -> None:
        if not self.is_started:
            self.is_started = True
            carried = contextvars.copy_context()
            threading.Thread(target=carried.run, args=(self.work,), name="flowbook-questions", daemon=True).start()
        self.waiting.put(question)

    def work(self) -> None:
        frame = RunFrame(self.runner)
        while (question := self.waiting.get()) is not None:
            if question.task not in self.runner.machine.asking:
                continue  # the run was cancelled meanwhile
            try:
                with by_reference(wanted=self.is_about_length(question)):
                    answer: Any = self.runner.answer(question, frame)
            except BaseException as error:  # noqa: BLE001 - a fault of ours; the driving thread raises it
                answer = error
            self.inbox.append((None, answer))
            self.runner.bell.ring()

    def is_about_length(self, question: m.Question) -> bool:
        """Tell whether only the length of values is asked for, which is known here; what is flattened is opened."""
        return isinstance(question, m.AskWidth) and not any(
            edge.flattened for edge in self.runner.plan.edges(question.task)
        )

    def close(self) -> None:
        self.waiting.put(None)


class Drive:
    """One drive of a run.

    Args:
        runner: the run.
        connection: to Dask.
        takes_back: whether a cancel takes back what was handed to Dask and has not begun.

    Attributes:
        inbox: what Dask's thread and the questions' thread have to say: a key (or None) and a message.
        flights: what is with Dask, by key.
        reported: flights whose report has come, and whose value Dask has not yet told of.
        flight_of: the flight that each running task run is in.
        chunks: how many of the flights are chunks.
        backlog: mapped children that are ready and wait for their chunk, by family.
        handed_back: mapped children that run, as far as the machine knows, and whose chunk did not come to them.
        seconds: how long a child of a family takes, as far as was seen.
        heard: when something came back, or the drive began.

    """

    def __init__(self, runner: Runner, connection: Connection, *, takes_back: bool = True) -> None:
        self.runner = runner
        self.machine = runner.machine
        self.connection = connection
        self.client = connection.client
        self.takes_back = takes_back
        self.packer = Packer(runner, connection)
        self.inbox: deque[tuple[str | None, Any]] = deque()
        self.questions = Questions(runner, self.inbox)
        self.flights: dict[str, Flight] = {}
        self.flight_of: dict[int, Flight] = {}
        self.reported: list[Flight] = []
        self.deadlines: list[tuple[float, str]] = []
        self.chunks = 0
        self.backlog: dict[int, list[int]] = {}
        self.handed_back: dict[int, list[int]] = {}
        self.seconds: dict[int, float] = {}
        self.glanced = 0.0
        self.heard = _monotonic()
        self.has_warned = False
        self.slots = 0
        self.counted = 0.0
        runner.ask = self.questions.ask
        runner.stop_body = self.stop_body

    # -- the loop ----------------------------------------------------------------------------------------------------

    def drive(self) -> None:
        """Run bodies until all tasks have ended or only a person can go on."""
        runner = self.runner
        self.connection.listen(self.hear)
        try:
            while True:
                self.turn()
                if runner.is_over and not self.inbox:
                    return
                seconds = self.seconds_to_wait()
                if seconds is None or seconds > 0:
                    runner.bell.wait(seconds)
        finally:
            self.questions.close()
            self.connection.hush(self.hear)
            self.take_back(list(self.flights.values()))
            runner.stop_body = None

    def turn(self) -> None:
        """Take in what happened and hand over what is ready."""
        self.runner.pump()
        while self.inbox:
            key, message = self.inbox.popleft()
            if key is None:
                self.take_answer(message)
            else:
                self.take_message(key, message)
        self.take_reports()
        self.drop_late_bodies()
        self.glance()
        self.runner.pump()
        if self.backlog and (self.machine.held or self.machine.cancelled is not None):
            self.give_back()
        self.submit_ready()

    def hear(self, key: str | None, message: Any) -> None:
        """Take what Dask says, on Dask's thread."""
        self.inbox.append((key, message))
        self.runner.bell.ring()

    def seconds_to_wait(self) -> float | None:
        """Return how long the driving thread may sleep: until a timer, a body's deadline, or the next glance."""
        if self.inbox or self.machine.instructions or self.machine.may_start:
            return 0.0
        waits = [self.runner.seconds_to_wait()]
        if self.reported:
            waits.append(SOON)
        if self.flights:
            waits.append(max(0.0, self.glanced + GLANCE - _monotonic()))
        if self.deadlines:
            waits.append(max(0.0, self.deadlines[0][0] - _monotonic()))
        return min((wait for wait in waits if wait is not None), default=None)

    # -- handing over ------------------------------------------------------------------------------------------------

    def submit_ready(self) -> None:
        """Hand ready tasks to Dask: single ones at once, mapped children in chunks."""
        machine = self.machine
        single: list[Flight] = []
        while machine.may_start:
            number = machine.ready.popleft()
            if self.may_be_in_chunk(number):
                self.backlog.setdefault(self.runner.plan.origin(number), []).append(number)
                continue
            machine.started(number, self.runner.clock.now())
            single.extend(self.written(number))
        chunks = self.chunks_of_backlog() if self.backlog or self.handed_back else []
        if single or chunks:
            self.runner.stream.publish()
            self.send(single, run_one)
            self.send(chunks, run_chunk)

    def may_be_in_chunk(self, number: int) -> bool:
        """Tell whether a task run is the first attempt of a mapped child of which nobody wants to know more."""
        machine, plan = self.machine, self.runner.plan
        return (
            number >= machine.static
            and not (machine.held or plan.handled[number] or plan.guarded[number])
            and number not in machine.runs
            and number not in machine.loops
            and number not in machine.approved
        )

    def chunks_of_backlog(self) -> list[Flight]:
        """Make chunks of the mapped children that are ready, the deepest first, as many as the workers can use now."""
        made: list[Flight] = []
        room = CHUNKS_PER_SLOT * self.count_slots() - self.chunks
        for parent in sorted(self.backlog.keys() | self.handed_back.keys(), reverse=True):
            for books, is_running in ((self.handed_back, True), (self.backlog, False)):
                numbers = sorted(books.pop(parent, ()))
                begin = 0
                while begin < len(numbers) and len(made) < room:
                    size = self.chunk_size(parent, len(numbers) - begin)
                    chunk = numbers[begin : begin + size]
                    begin += size
                    if not is_running:
                        now = self.runner.clock.now()
                        for number in chunk:
                            self.machine.started(number, now)
                    made.extend(self.written_chunk(parent, chunk))
                if begin < len(numbers):
                    books[parent] = numbers[begin:]
        return made

    def chunk_size(self, parent: int, waiting: int) -> int:
        """Return how many mapped children the next chunk takes, so that it lasts neither too short nor too long."""
        share = math.ceil(waiting / (CHUNKS_PER_SLOT * self.slots))
        seconds = self.seconds.get(parent)
        if seconds is None:
            return min(share, LARGEST)
        return max(1, min(max(share, int(SHORT / seconds)), int(LONG / seconds), waiting))

    def count_slots(self) -> int:
        """Return how many bodies can run at the same time; the workers may come and go."""
        if not self.slots or _monotonic() > self.counted + COUNTED:
            self.slots, self.counted = self.connection.slots(), _monotonic()
        return self.slots

    def written(self, number: int) -> list[Flight]:
        """Write down one attempt; nothing when that can't be done, and the task run has failed."""
        try:
            return [self.packer.one(number)]
        except BaseException as error:  # noqa: BLE001 - what a user made may do anything when it is pickled
            slug = self.runner.slug(number)
            problem = TypeError(
                f"task {shown(slug, 60)} or what it is called with cannot be sent to a Dask worker: {said(error)}. "
                "Make inside the body what cannot be pickled, or run the flow with executor='threads'."
            )
            self.end([number], Failed(str(problem), result=problem))
            return []

    def written_chunk(self, parent: int, numbers: list[int]) -> list[Flight]:
        """Write down a chunk; one attempt after another, when something in it can't be written down."""
        try:
            return [self.packer.chunk(self.machine.families[parent], numbers)]
        except BaseException:  # noqa: BLE001 - likewise; which of them it is comes out when each is tried
            return [flight for number in numbers for flight in self.written(number)]

    def send(self, flights: list[Flight], function: Any) -> None:
        """Submit flights, all in one message."""
        import dask  # noqa: PLC0415 - loaded by now

        if not flights:
            return
        keys = [flight.key for flight in flights]
        with dask.annotate(**self.connection.annotations):
            futures = self.client.map(
                function,
                [flight.payload for flight in flights],
                [flight.inputs for flight in flights],
                [self.connection.topic] * len(flights),
                keys,
                key=keys,
                pure=False,
                retries=0,
            )
        for flight, future in zip(flights, futures, strict=True):
            flight.source.future = future
            flight.payload = b""
            self.flights[flight.key] = flight
            self.chunks += flight.is_chunk
            self.flight_of.update(dict.fromkeys(flight.numbers, flight))

    def give_back(self) -> None:
        """Put the mapped children that wait for their chunk where the machine thinks they are."""
        if self.machine.cancelled is None:
            for numbers in self.backlog.values():
                self.machine.ready.extend(sorted(numbers))
        self.backlog.clear()

    # -- taking in ---------------------------------------------------------------------------------------------------

    def take_answer(self, message: Any) -> None:
        """Take in what handlers, a trigger or the length of something came to."""
        if isinstance(message, BaseException):
            raise message
        with by_reference():
            self.machine.handle(message)

    def take_message(self, key: str, message: bytes) -> None:
        """Take in what a worker says of a flight; one that has landed is of no interest any more."""
        flight = self.flights.get(key)
        if flight is None:
            return
        self.heard = _monotonic()
        if message == BEGAN:
            self.watch(flight)
            return
        try:
            report: Report = pickle.loads(message)  # noqa: S301 - made by our own workers
        except BaseException as error:  # noqa: BLE001 - an exception of a user's may refuse to be made here
            self.land(flight, Failed(f"What came of it could not be read here: {said(error)}", result=error))
            return
        flight.report = report
        self.reported.append(flight)
        self.take_reports()

    def take_reports(self) -> None:
        """Take in reports of values that are safe: Dask, too, has said by now that they are there.

        A worker that dies after its report and before that has taken its value along, and the attempt is a lost one.
        """
        waiting, self.reported = self.reported, []
        for flight in waiting:
            if flight.report is None or flight.key not in self.flights:
                continue
            if flight.source.future.status == "finished" or len(flight.report.failed) == flight.report.done:
                self.take_report(flight, flight.report)
            else:
                self.reported.append(flight)

    def take_report(self, flight: Flight, report: Report) -> None:
        """Take in what came of a flight."""
        self.forget(flight)
        source = flight.source
        source.is_secret = report.is_secret
        if report.problem:
            problem = ImportError(report.problem)
            self.end(flight.numbers, Failed(report.problem, result=problem))
            return
        if report.facts is not None:
            source.size, source.is_list = report.facts.size, report.facts.type in {"list", "tuple"}
        if flight.is_chunk:
            source.size = report.size
            self.note_seconds(flight, report)
        now = self.runner.clock.now()
        with by_reference():
            for place, number in enumerate(flight.numbers[: report.done]):
                outcome = report.outcomes.get(place)
                if outcome is not None:
                    print_log(self.runner, number, outcome.logs)
                    self.runner.artifacts.update(outcome.artifacts)
                    if outcome.error is not None:
                        self.machine.handle(self.runner.ending(number, outcome.error))
                        continue
                held = kept(source, (place,) if flight.is_chunk else (), report.facts)
                state = self.success(number, held)
                if place in report.written:
                    extras = self.runner.plan.extras[number] or {}
                    state._extra = {**extras, "kept": report.written[place]}  # noqa: SLF001 - a state's own slot
                self.machine.handle(m.Ended(number, state, now))

    def success(self, number: int, held: Kept) -> State:
        """Return the state of a body that returned a value; what the cache keeps must outlive the workers."""
        if self.runner.described(number).cache_for is None:
            return lazy_success(SUCCEEDED, held)
        try:
            return Success(SUCCEEDED, result=held.fetch())
        except ResultLost as error:
            return Failed(str(error), result=error)

    def note_seconds(self, flight: Flight, report: Report) -> None:
        """Learn from a chunk how long its children take, and keep those that it did not come to."""
        parent = self.runner.plan.origin(flight.numbers[0])
        if report.done:
            seconds = max(report.seconds / report.done, 1e-6)
            self.seconds[parent] = (self.seconds.get(parent, seconds) + seconds) / 2
        left = flight.numbers[report.done :]
        if left:
            self.handed_back.setdefault(parent, []).extend(left)

    def land(self, flight: Flight, state: Any) -> None:
        """End all task runs of a flight in one state."""
        self.forget(flight)
        self.end(flight.numbers, state)

    def end(self, numbers: Sequence[int], state: Any) -> None:
        """End task runs in one state; each has its own, since tags are added to it."""
        with by_reference():
            for number in numbers:
                self.machine.handle(m.Ended(number, copy.copy(state), self.runner.clock.now()))

    def forget(self, flight: Flight) -> None:
        """Strike a flight off the books: it has landed."""
        del self.flights[flight.key]
        self.chunks -= flight.is_chunk
        for number in flight.numbers:
            self.flight_of.pop(number, None)

    # -- looking after flights ---------------------------------------------------------------------------------------

    def glance(self) -> None:
        """Look what Dask says of flights: a report never comes of those that were lost or cancelled."""
        now = _monotonic()
        if not self.flights or now < self.glanced + GLANCE:
            return
        self.glanced = now
        if self.connection.is_lost and self.machine.cancelled is None:
            self.runner.post(m.CancelAsked(self.runner.clock.now(), self.connection.why_lost))
            return
        if not self.has_warned and now > self.heard + PATIENCE:
            self.warn_of_silence()
        for flight in list(self.flights.values()):
            status = flight.source.future.status
            if status == "error":
                self.land(flight, self.failed(flight))
            elif status == "cancelled":
                self.land_cancelled(flight)
            elif status == "finished":
                flight.landed_at = flight.landed_at or now
                if now > flight.landed_at + LATE:
                    self.look_for_report(flight)

    def warn_of_silence(self) -> None:
        """Say so, once, when nothing comes back because there are no workers: they may still come."""
        self.heard = _monotonic()
        if not self.client.nthreads():
            self.has_warned = True
            get_logger("dask").warning(
                "The Dask cluster at %s has no workers; %s task runs wait for some.",
                self.connection.address,
                len(self.flight_of),
            )

    def failed(self, flight: Flight) -> Failed:
        """Return the state of a flight that Dask itself says has failed."""
        from distributed import KilledWorker  # noqa: PLC0415 - loaded by now

        error = flight.source.future.exception(timeout=10)
        if isinstance(error, KilledWorker):
            worker = getattr(error.last_worker, "address", "?")
            if error.task == flight.key:
                message = (
                    f"The worker that ran it was lost ({worker}): it was killed, ran out of memory, or its machine is "
                    "gone. Give the task max_retries= if it may run again."
                )
            else:
                message = f"A result it needs was lost with its worker ({worker}) and could not be made again."
            return Failed(message, result=error)
        return Failed(f"Dask could not run it: {said(error)}", result=error)

    def land_cancelled(self, flight: Flight) -> None:
        """End a flight that Dask calls cancelled, and the whole run when it is for the scheduler having been away."""
        if self.connection.is_lost or self.connection.was_lost(flight.source.future):
            self.runner.post(m.CancelAsked(self.runner.clock.now(), self.connection.why_lost))
            return
        message = "Its Dask future was cancelled, or a result it needs is gone, and not by flowbook."
        self.land(flight, Failed(message, result=RuntimeError(message)))

    def look_for_report(self, flight: Flight) -> None:
        """Ask the scheduler for a report that got lost on its way."""
        message = self.connection.kept_message(flight.key)
        if message is not None:
            self.take_message(flight.key, message)
        else:
            self.land(flight, Failed("Dask has its result, but no word of what came of it arrived."))

    # -- letting go --------------------------------------------------------------------------------------------------

    def watch(self, flight: Flight) -> None:
        """Remember when a body has to be done: by our clock, from the moment at which we hear that it began."""
        seconds = self.runner.described(flight.numbers[0]).timeout
        if seconds:
            heapq.heappush(self.deadlines, (_monotonic() + seconds, flight.key))

    def drop_late_bodies(self) -> None:
        """Let go of bodies whose time is over."""
        while self.deadlines and self.deadlines[0][0] <= _monotonic():
            flight = self.flights.get(heapq.heappop(self.deadlines)[1])
            if flight is not None and flight.report is None:
                self.take_back([flight])
                state = self.runner.timed_out(flight.numbers[0])
                state.message = f"{state.message}{STILL_RUNNING}"
                self.land(flight, state)

    def stop_body(self, task: int) -> None:
        """Let go of what was handed to Dask when the run was cancelled."""
        if not isinstance(self.machine.states[task], Cancelling):
            return  # it was in one chunk with another one
        flight = self.flight_of.get(task)
        why = self.machine.cancelled or "Cancelled."
        if flight is None:  # its chunk did not come to it
            self.end([task], Cancelled(why))
            return
        if self.takes_back:
            self.take_back([flight])
        else:
            self.connection.leave_alone(flight.source.future)
        self.land(flight, Cancelled(f"{why}{STILL_RUNNING}"))

    def take_back(self, flights: list[Flight]) -> None:
        """Have Dask forget what it has not begun."""
        for flight in flights:
            if flight.source.future is not None:
                flight.source.future.release()
