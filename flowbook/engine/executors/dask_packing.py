"""Writing down what goes to a Dask worker: one attempt, or a chunk of mapped children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.executors.dask_results import Inputs, Kept, OnWorkers, kept
from flowbook.engine.executors.dask_worker import Job
from flowbook.engine.lazy import by_reference
from flowbook.engine.plan import GATHERED
from flowbook.engine.remote import body_to_send, facts_of_run, facts_of_task
from flowbook.errors import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.engine.executors.dask_connection import Connection
    from flowbook.engine.mapping import Family
    from flowbook.engine.runner import Runner

__all__ = ["Flight", "Packer"]

# Arguments larger than this (bytes) go to the workers once, however many attempts they are for.
SENT_ONCE = 2**20


class Flight:
    """What is handed to Dask at once: one task run, or a chunk of mapped children.

    Attributes:
        key: of the Dask task.
        numbers: the task runs.
        is_chunk: whether its value is a list, one item for each.
        payload: what the worker has to do.
        inputs: the futures it needs.
        source: its own future.
        landed_at: when Dask said that its value is there, or 0.

    """

    __slots__ = ("inputs", "is_chunk", "key", "landed_at", "numbers", "payload", "source")

    def __init__(self, key: str, numbers: Sequence[int], payload: bytes, inputs: list[Any], source: OnWorkers) -> None:
        self.key = key
        self.numbers = numbers
        self.payload = payload
        self.inputs = inputs
        self.source = source
        self.is_chunk = source.is_list
        self.landed_at = 0.0


class Packer:
    """Writes down the attempts of one drive.

    Attributes:
        run: the facts about the run, pickled.
        codes: tasks and their bodies, pickled, by the number of the task.
        fetched: what was fetched while the run went on, by the id of its value: it need not be sent back.
        sent: large arguments that were sent, by their id, with the arguments themselves.

    """

    def __init__(self, runner: Runner, connection: Connection) -> None:
        self.runner = runner
        self.connection = connection
        self.run = _pickled(facts_of_run(runner))
        self.codes: dict[int, bytes] = {}
        self.fetched: dict[int, OnWorkers] = {}
        self.sent: dict[int, tuple[Any, Kept]] = {}

    def one(self, number: int) -> Flight:
        """Write down one attempt.

        Raises:
            BaseException: whatever keeps it from being pickled.

        """
        runner, plan = self.runner, self.runner.plan
        inputs = Inputs(self.found)
        # what is flattened is opened here: how many items come of it, only the values themselves say
        is_open = number < len(plan.tasks) and plan.structure.inputs[number] is GATHERED
        with by_reference(wanted=not is_open):
            given = runner.arguments(number)
        kwargs = {name: inputs.written(value) for name, value in given.items()}
        facts = facts_of_task(runner, number)
        job = Job(self.code(number), self.run, facts, kwargs, hidden=self.hidden(number))
        job.tells_begin = bool(plan.described[number].timeout)
        return self._flight([number], job, inputs, is_chunk=False)

    def chunk(self, family: Family, numbers: Sequence[int]) -> Flight:
        """Write down a chunk of mapped children.

        Raises:
            BaseException: whatever keeps it from being pickled, or a sequence of a user's from being read.

        """
        states = self.runner.machine.states
        inputs = Inputs(self.found)
        indices = [number - family.base for number in numbers]
        with by_reference():
            columns = {key: inputs.written([values[index] for index in indices]) for key, values in family.indexed}
            for key, base in family.linked:
                columns[key] = inputs.written([states[base + index].result for index in indices])
        kwargs = {key: inputs.written(value) for key, value in family.fixed.items()}
        facts = facts_of_task(self.runner, numbers[0])
        job = Job(self.code(numbers[0]), self.run, facts, kwargs, hidden=self.hidden(numbers[0]))
        job.indices, job.columns = _short(indices), columns
        return self._flight(numbers, job, inputs, is_chunk=True)

    def _flight(self, numbers: Sequence[int], job: Job, inputs: Inputs, *, is_chunk: bool) -> Flight:
        runner, first = self.runner, numbers[0]
        name = runner.plan.described[first].name
        key = f"{name}-{runner.run_id}-{first}-{self.connection.next_attempt(runner, first)}"
        source = OnWorkers(None, f"task {shown(runner.slug(first), 60)}", self.connection)
        source.is_list = is_chunk
        source.on_fetched = self.note_fetched
        return Flight(key, numbers, _pickled(job), inputs.futures, source)

    def hidden(self, number: int) -> list[str]:
        """Return which arguments of a task run are secrets."""
        edges = self.runner.plan.edges(number)
        return [edge.key for edge in edges if edge.key is not None and edge.upstream_task.sensitive]

    def code(self, number: int) -> bytes:
        """Return a task and its body, pickled once for all attempts at it."""
        origin = self.runner.plan.origin(number)
        code = self.codes.get(origin)
        if code is None:
            code = self.codes[origin] = _pickled(body_to_send(self.runner, number))
        return code

    def found(self, value: Any) -> Kept | None:
        """Return what stands on the workers for a value that is here: it was fetched from there, or is large."""
        source = self.fetched.get(id(value))
        if source is not None and source.value is value and source.future is not None:
            return kept(source)
        if type(value) in _SMALL or _size(value) < SENT_ONCE:
            return None
        known = self.sent.get(id(value))
        if known is None:
            # in a list of its own: Dask takes lists and dictionaries apart
            future = self.connection.client.scatter([value], hash=False)[0]
            known = self.sent[id(value)] = (value, kept(OnWorkers(future, "an argument", self.connection)))
        return known[1]

    def note_fetched(self, source: OnWorkers) -> None:
        """Note that a value was fetched."""
        self.fetched[id(source.value)] = source


_SMALL = {bool, float, int, type(None)}


def _short(indices: list[int]) -> Sequence[int]:
    """Return numbers as a range, when they follow each other."""
    row = range(indices[0], indices[0] + len(indices))
    return row if indices == list(row) else indices


def _size(value: Any) -> int:
    from dask.sizeof import sizeof  # noqa: PLC0415 - only where Dask is

    try:
        return int(sizeof(value))
    except Exception:  # noqa: BLE001 - a user's __sizeof__ may raise anything
        return 0


def _pickled(value: Any) -> bytes:
    import cloudpickle  # noqa: PLC0415 - only where something goes to another process

    made: bytes = cloudpickle.dumps(value)
    return made
