"""Events: the ordered list of everything that happened in a run; its truth.

The machine keeps them as the columns of a `Log`, because three numbers in three lists cost a tenth of an object and
give the garbage collector nothing to look through; an `Event` is made when somebody looks. Everything else (the handle,
the picture, the story, a replay) is a fold of this list. Values never travel in events: only the names of states, times
and words.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.states import Finished, Looped, Running, Scheduled, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FLOW", "Event", "Folded", "Log", "Note", "Record", "Spread", "event_of", "fold"]

# A row of the log: when (seconds since the epoch), which task (its number in the plan), and what (a state, a note, or
# that a mapped task was spread).
Record = tuple[float, int, Any]

# The task number of records that are about the flow as a whole.
FLOW = -1


class Log:
    """The events of a run as three columns of equal length, append-only.

    `what` is appended last: a reader on another thread that looks at ``len(log)`` never sees half a row.
    """

    __slots__ = ("at", "task", "what")

    def __init__(self) -> None:
        self.at: list[float] = []
        self.task: list[int] = []
        self.what: list[Any] = []

    def append(self, at: float, task: int, what: Any) -> None:
        """Append one row: when, which task, and what (a state or a note)."""
        self.at.append(at)
        self.task.append(task)
        self.what.append(what)

    def __len__(self) -> int:
        return len(self.what)

    def rows(self, start: int = 0) -> list[Record]:
        """Return the rows from a place on.

        >>> log = Log()
        >>> log.append(1.0, 0, Note("log", "hello"))
        >>> log.rows()
        [(1.0, 0, Note(kind='log', text='hello', level=''))]

        """
        end = len(self)
        return list(zip(self.at[start:end], self.task[start:end], self.what[start:end], strict=True))


@dataclass(frozen=True)
class Note:
    """Something that happened and is not a change of state.

    Attributes:
        kind: "request" (a person asked for something), "log" (a task said something).
        text: the words.
        level: of a log line, as in `logging`.

    """

    kind: str
    text: str
    level: str = ""


@dataclass(frozen=True)
class Spread:
    """A mapped task got its children.

    Attributes:
        base: the number of the first child; the others follow.
        width: how many there are.

    """

    base: int
    width: int


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        seq: its place in the run's list, from 0.
        at: when, in seconds since the epoch.
        kind: "state", "request", "log", or "mapped" (a mapped task got its children).
        task: the slug of the task, or "" for the flow as a whole; a mapped child's has its index, ``double-1[3]``.
        state: the name of the state class, for kind "state".
        message: the state's message, or the note's words.
        due: when a waiting state may go on, in seconds since the epoch.
        level: of a log line.
        width: how many children a mapped task got, for kind "mapped".

    >>> Event(0, 1.5, "state", task="add-1", state="Success").to_dict()
    {'seq': 0, 'at': 1.5, 'kind': 'state', 'task': 'add-1', 'state': 'Success'}

    """

    seq: int
    at: float
    kind: str
    task: str = ""
    state: str = ""
    message: str = ""
    due: float | None = None
    level: str = ""
    width: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can carry, without the empty fields."""
        return {name: value for name, value in asdict(self).items() if value not in {"", None} or name in {"seq", "at"}}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Event:
        """Read what `to_dict` wrote."""
        return cls(**values)


def event_of(seq: int, record: Record, slugs: Sequence[str]) -> Event:
    """Make the event of a record.

    Args:
        seq: its place in the list.
        record: the machine's tuple.
        slugs: the slug of each task number.

    """
    at, task, what = record
    slug = slugs[task] if task >= 0 else ""
    if isinstance(what, State):
        start_time = what.start_time if isinstance(what, Scheduled) else None
        due = start_time.timestamp() if start_time is not None else None
        return Event(seq, at, "state", slug, type(what).__name__, what.message or "", due)
    if isinstance(what, Spread):
        return Event(seq, at, "mapped", slug, width=what.width)
    return Event(seq, at, what.kind, slug, "", what.text, None, what.level)


@dataclass
class Folded:
    """What a list of events says of one run (or of one task of it) at the end of the list.

    Attributes:
        state: the name of the state class.
        message: its message.
        attempt: which attempt this is; 0 before the first.
        started: when the present (or last) attempt began.
        ended: when the run reached a final state, or None.
        due: when a waiting state may go on.
        width: how many children a mapped task got, or None.
        counts: how many of them are in each state, by its name.

    """

    state: str = "Pending"
    message: str = ""
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    due: float | None = None
    width: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, Folded] = field(default_factory=dict)

    def spread(self, width: int) -> None:
        """Fold in that a mapped task got its children."""
        self.width = width
        self.counts = {self.state: width} if width else {}

    def recount(self, before: str, after: str) -> None:
        """Fold in that a child went from one state to another."""
        self.counts[after] = self.counts.get(after, 0) + 1
        self.counts[before] -= 1
        if not self.counts[before]:
            del self.counts[before]

    def take(self, event: Event) -> None:
        """Fold one state event into this."""
        kind = STATE_CLASSES.get(event.state, State)
        if issubclass(kind, Running) and not issubclass(STATE_CLASSES.get(self.state, State), Running):
            # an attempt that is asked to stop goes from Running to Cancelling: still the same attempt
            self.attempt += 1
            self.started = event.at
        elif issubclass(kind, Looped):
            self.attempt = 0
        self.state, self.message, self.due = event.state, event.message, event.due
        self.ended = event.at if issubclass(kind, Finished) and not issubclass(kind, Looped) else None


STATE_CLASSES: dict[str, type[State]] = {kind.__name__: kind for kind in State.children(include_self=True)}


def fold(events: Iterable[Event]) -> Folded:
    """Return how a run stands after these events.

    >>> fold([Event(0, 1.0, "state", "a-1", "Running"), Event(1, 2.0, "state", "a-1", "Success")]).tasks["a-1"].state
    'Success'
    >>> fold([Event(0, 1.0, "mapped", "b-1", width=3), Event(1, 2.0, "state", "b-1[2]", "Running")]).tasks["b-1"].counts
    {'Pending': 2, 'Running': 1}

    """
    flow = Folded()
    for event in events:
        if event.kind not in {"state", "mapped"}:
            continue
        subject = flow.tasks.setdefault(event.task, Folded()) if event.task else flow
        if event.kind == "mapped":
            subject.spread(event.width or 0)
            continue
        before = subject.state
        subject.take(event)
        family = flow.tasks.get(event.task.rpartition("[")[0])
        if family is not None and family.width is not None:
            family.recount(before, subject.state)
    return flow
