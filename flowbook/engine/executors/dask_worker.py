"""What runs on a Dask worker: attempts at task bodies, and what comes of them told to the client.

The value of an attempt is what the Dask task returns, so it stays on the worker and travels from worker to worker. What
the client needs to know (a `Report`) goes another way, as an event of the worker, and is there before Dask says that
the value is. Nothing a body does is raised here: Dask would let a `SystemExit` end its own thread, and a client wait
for ever.
"""

from __future__ import annotations

import functools
import pickle
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.engine.ends import said
from flowbook.engine.remote import Attempt, Outcome, run_attempt
from flowbook.errors import shown
from flowbook.redaction import hide, redact_error

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BEGAN",
    "Facts",
    "Gathered",
    "Job",
    "Ref",
    "Report",
    "Stretch",
    "child_facts",
    "measured",
    "picked",
    "run_chunk",
    "run_one",
]

# How long (seconds) a chunk of mapped children may last before it hands back what it has not begun.
BUDGET = 0.2

# What is told when a body begins whose time is measured.
BEGAN = b""

# The values that are shown to the client, and how much of them.
_SHOWN = frozenset({bool, float, int, type(None)})
_CHARACTERS = 30

# How many bytes of a pickled value are tried.
_TRIED = 2**20


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands for a value on a worker: one of the inputs of the Dask task, and the way into it."""

    place: int
    path: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Gathered:
    """Stands for a list some of whose items are on workers: stretches of inputs, references, and plain values."""

    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Stands for several items in a row of one input."""

    place: int
    start: int
    stop: int


@dataclass(slots=True)
class Job:
    """What one Dask task has to do.

    Attributes:
        code: the task and its body, pickled once for all attempts at it.
        run: the facts about the run, pickled once for all attempts.
        facts: the facts about the task run, or about one of those of a chunk.
        kwargs: what the body is called with, every time.
        tells_begin: whether the client must know when the body begins.
        indices: the places of mapped children in their family, for a chunk of them.
        columns: what each of them is called with besides, by key, in the order of `indices`.
        hidden: the arguments that are secrets, by key.

    """

    code: bytes
    run: bytes
    facts: dict[str, Any]
    kwargs: dict[str, Any]
    tells_begin: bool = False
    indices: Sequence[int] | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    hidden: Sequence[str] = ()


@dataclass(slots=True)
class Facts:
    """What the client knows of a value that stays on a worker."""

    type: str = ""
    size: int = 0
    text: str = ""
    length: int | None = None


@dataclass(slots=True)
class Report:
    """What came of a job.

    Attributes:
        done: how many attempts were made; a chunk hands back what it has not begun when its time is over.
        outcomes: by place, those that say more than that a value is there.
        facts: of the value, when it is one.
        size: bytes of all values.
        seconds: how long all of it took.
        problem: why nothing could be begun.
        is_secret: the value is one.

    """

    done: int = 0
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    facts: Facts | None = None
    size: int = 0
    seconds: float = 0.0
    problem: str = ""
    is_secret: bool = False


def run_one(payload: bytes, inputs: list[Any], topic: str, key: str) -> Any:
    """Run one attempt, tell what came of it, and return its value."""
    values, report = _run(payload, inputs, topic, key)
    if values and 0 not in report.outcomes:
        report.facts = measured(values[0])
        if report.is_secret:
            report.facts.text = ""
    _tell(topic, key, pickle.dumps(report))
    return values[0] if values else None


def run_chunk(payload: bytes, inputs: list[Any], topic: str, key: str) -> list[Any]:
    """Run a chunk of mapped children, tell what came of them, and return their values in order."""
    values, report = _run(payload, inputs, topic, key)
    report.size = _size(values)
    _tell(topic, key, pickle.dumps(report))
    return values


def _run(payload: bytes, inputs: list[Any], topic: str, key: str) -> tuple[list[Any], Report]:
    began = time.perf_counter()
    values: list[Any] = []
    report = Report()
    try:
        job: Job = pickle.loads(payload)  # noqa: S301 - made by the client of this very worker
        task, body = _loaded(job.code)
        facts = {**job.facts, "run": _loaded(job.run)}
        report.is_secret = task.sensitive
        columns = {key: _opened(column, inputs) for key, column in job.columns.items()}
    except BaseException as error:  # noqa: BLE001 - e.g. a module of the user that this machine does not have
        report.problem = f"a Dask worker could not load the task: {said(error)}. Install its modules there, too."
        return values, report
    if job.tells_begin:
        _tell(topic, key, BEGAN)
    for place, index in enumerate((None,) if job.indices is None else job.indices):
        if place and time.perf_counter() - began > BUDGET:
            break
        try:
            kwargs = {key: picked(value, inputs) for key, value in job.kwargs.items()}
            for name, column in columns.items():
                kwargs[name] = picked(column[place], inputs)
        except BaseException as error:  # noqa: BLE001 - the __getitem__ of a value upstream may raise anything
            outcome = Outcome(error=error)
        else:
            own = facts if index is None else child_facts(facts, index)
            for key in job.hidden:
                hide(kwargs.get(key))  # the process in which it was made has told nobody else
            outcome = _fit(run_attempt(Attempt(task, body, kwargs, own, task.log_stdout), keeps_time=False), own)
        values.append(outcome.value)
        if outcome.error is not None:
            redact_error(outcome.error)
        if outcome.error is not None or outcome.logs or outcome.artifacts:
            outcome.value = None
            report.outcomes[place] = outcome
    report.done, report.seconds = len(values), time.perf_counter() - began
    return values, report


def child_facts(facts: dict[str, Any], index: int) -> dict[str, Any]:
    """Return the facts about a mapped child, given those about another child of its family.

    >>> child_facts({"slug": "add-1[0]", "name": "add[0]", "index": 0}, 3)
    {'slug': 'add-1[3]', 'name': 'add[3]', 'index': 3}

    """
    slug, name = facts["slug"].rpartition("[")[0], facts["name"].rpartition("[")[0]
    return {**facts, "slug": f"{slug}[{index}]", "name": f"{name}[{index}]", "index": index}


def _fit(outcome: Outcome, facts: dict[str, Any]) -> Outcome:
    """Return an outcome; a failed one, when its value could never go to another worker or to the client.

    Dask would only notice when somebody asks for the value, and ask again and again.
    """
    if outcome.error is not None or type(outcome.value) in _FIT:
        return outcome
    try:
        _try_journey(outcome.value)
    except BaseException as error:  # noqa: BLE001 - pickling is code of the value's own class
        problem = TypeError(
            f"the result of {shown(facts['slug'], 60)} cannot leave its Dask worker: {said(error)}. "
            "Return something that can be pickled, or run the flow with executor='threads'."
        )
        return Outcome(None, problem, outcome.logs, outcome.seconds)
    return outcome


_FIT = frozenset({bool, bytes, float, int, str, type(None)})


class _Enough(Exception):
    """Raised when so much of a value was pickled that the rest is believed."""


class _Sink:
    """Takes the first megabyte of a pickle."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def write(self, part: Any) -> int:
        self.size += len(part)
        if self.size > _TRIED:
            raise _Enough
        self.parts.append(bytes(part))
        return len(part)


def _try_journey(value: Any) -> None:
    """Pickle and unpickle a value; buffers of arrays are not copied, and what is large is tried in part."""
    import cloudpickle  # noqa: PLC0415 - only where something goes to another process

    sink = _Sink()
    buffers: list[Any] = []
    try:
        # buffers stay where they are: appending answers None, which means that they go beside the pickle
        cloudpickle.CloudPickler(sink, protocol=5, buffer_callback=buffers.append).dump(value)
    except _Enough:
        return
    pickle.loads(b"".join(sink.parts), buffers=buffers)  # noqa: S301 - our own bytes, a moment old


@functools.lru_cache(maxsize=256)
def _loaded(pickled: bytes) -> Any:
    return pickle.loads(pickled)  # noqa: S301 - made by the client of this very worker


def picked(value: Any, inputs: list[Any]) -> Any:
    """Return what an argument stands for.

    >>> picked(Ref(0, (1,)), [["a", "b"]])
    'b'
    >>> picked(Gathered((Stretch(0, 1, 3), 9)), [[1, 2, 3]])
    [2, 3, 9]

    """
    if isinstance(value, Ref):
        found = inputs[value.place]
        for step in value.path:
            found = found[step]
        return found
    if isinstance(value, Gathered):
        return [picked(item, inputs) for item in _opened(value, inputs)]
    return value


def _opened(column: Any, inputs: list[Any]) -> list[Any]:
    """Return the items of a list that was written down, without looking into values upstream that are no lists."""
    if not isinstance(column, Gathered):
        return list(column)
    opened: list[Any] = []
    for part in column.parts:
        if isinstance(part, Stretch):
            opened.extend(inputs[part.place][part.start : part.stop])
        else:
            opened.append(part)
    return opened


def measured(value: Any) -> Facts:
    """Return what the client is told of a value.

    >>> measured([1, 2]).length, measured(3).text, measured("three").text
    (2, '3', '')

    """
    # nothing but numbers is shown: a text may be a secret, and the scheduler keeps what it passes on
    text = repr(value) if type(value) in _SHOWN else ""
    return Facts(type(value).__name__, _size(value), text[:_CHARACTERS], _length(value))


def _size(value: Any) -> int:
    from dask.sizeof import sizeof  # noqa: PLC0415 - only where Dask is

    try:
        return int(sizeof(value))
    except BaseException:  # noqa: BLE001 - a user's __sizeof__ may raise anything
        return 0


def _length(value: Any) -> int | None:
    """Return how many elements a value has that can be mapped over, or None."""
    try:
        return len(value) if hasattr(type(value), "__getitem__") else None
    except BaseException:  # noqa: BLE001 - a user's __len__ may raise anything
        return None


def _tell(topic: str, key: str, message: bytes) -> None:
    from distributed import get_worker  # noqa: PLC0415 - loaded where this runs

    get_worker().log_event(topic, [key, message])
