"""States: what can be said of a task run or a flow run at one moment.

A state is a value: once made it is not changed, and a run moves from one state to the next. The families follow the
reference API: a subclass *is* its parent, so a `Skipped` run counts as successful and a `Retrying` one as pending.

    State
    ├── Pending ── Scheduled ── Paused, Resume, Retrying, Queued (meta)
    │           └─ Submitted, ClientFailed (meta: they wrap another state)
    ├── Running ── Cancelling
    └── Finished ─ Looped, Cancelled
                 ├ Success ── Cached, Mapped, Skipped
                 └ Failed ─── TimedOut, TriggerFailed, ValidationFailed
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar

from flowbook.contexts import context as run_context
from flowbook.contexts import current_tags
from flowbook.errors import shown
from flowbook.redaction import redact
from flowbook.results.base import NoResult, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Cached",
    "Cancelled",
    "Cancelling",
    "ClientFailed",
    "Failed",
    "Finished",
    "Looped",
    "Mapped",
    "Paused",
    "Pending",
    "Queued",
    "Resume",
    "Retrying",
    "Running",
    "Scheduled",
    "Skipped",
    "State",
    "Submitted",
    "Success",
    "TimedOut",
    "TriggerFailed",
    "ValidationFailed",
]


def aware(moment: dt.datetime | None) -> dt.datetime | None:
    """Return the moment with a time zone; a naive one is taken as UTC."""
    if moment is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=dt.timezone.utc)
    return moment


class TaskStates(dict[Any, Any]):
    """The state of each task of a flow; a task that is not among them is told why.

    >>> TaskStates()["add"]
    Traceback (most recent call last):
    ...
    KeyError: "'add' is no task of this run. Calling a task copies it: look up what the call returned, x = add(...)."
    """

    def __missing__(self, task: Any) -> Any:
        name = getattr(task, "name", task)
        raise KeyError(
            f"{shown(name, 60)} is no task of this run. Calling a task copies it: look up what the call returned, "
            f"x = {str(name)[:40]}(...)."
        )


class State:
    """One moment of a run.

    Args:
        message: a sentence for people.
        result: what the task returned; the exception of a failed task; for a flow a dict of task to state.
        context: extra facts; the tags of the running task are added under ``"tags"``.
        cached_inputs: the inputs to use when the run is taken up again.

    >>> Success("done", result=3)
    <Success: "done">
    >>> Success(result=3) == Success("other words", result=3)
    True

    """

    __slots__ = ("_extra", "message", "result")

    color: ClassVar[str] = "#000000"
    # data attributes that count for equality, beside type and result
    _compared: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
    ) -> None:
        self.message = message
        tags = current_tags()
        if tags:
            context = {"tags": sorted(tags), **(context or {})}
        self._extra: dict[str, Any] | None = (
            {"context": context, "cached_inputs": cached_inputs} if context or cached_inputs else None
        )
        if isinstance(result, Result):
            self._result = result
        else:
            self.result = result

    @property
    def context(self) -> dict[str, Any]:
        """Extra facts about the run at this moment."""
        return (self._extra or {}).get("context") or {}

    @property
    def cached_inputs(self) -> dict[str, Any]:
        """The inputs to use when the run is taken up again."""
        return (self._extra or {}).get("cached_inputs") or {}

    @property
    def _result(self) -> Result:
        """The value together with where it is kept; `NoResult` when there is neither."""
        kept: Result | None = (self._extra or {}).get("kept")
        if kept is not None:
            return kept.from_value(self.result)
        return NoResult if self.result is None else Result(self.result)

    @_result.setter
    def _result(self, result: Result) -> None:
        self.result = result.value
        kept = None if result.location is None else result.from_value(None)  # the value is here already
        if kept is not None or self._extra is not None:
            self._extra = {**(self._extra or {}), "kept": kept}  # a dict of its own: states share their task's tags

    def load_result(self, result: Result | None = None) -> State:
        """Read the value from where it is kept, unless it is here already; return the state itself.

        Args:
            result: knows how to read; the one that wrote it when not given.

        """
        kept = self._result
        if self.result is None and isinstance(kept.location, str):
            self._result = (result if result is not None else kept).read(kept.location)
        return self

    def __repr__(self) -> str:
        name = type(self).__name__
        return f'<{name}: "{redact(str(self.message))}">' if self.message else f"<{name}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State) or type(self) is not type(other):
            return False
        mine = [self.result, *(getattr(self, name) for name in self._compared)]
        theirs = [other.result, *(getattr(other, name) for name in self._compared)]
        return bool(mine == theirs)

    # Two equal states are still two moments: triggers count states, so they must not collapse in a set.
    __hash__ = object.__hash__

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        slots = {name: getattr(self, name) for name in self._slots()}
        if isinstance(self.result, BaseException) and not _survives_pickle(self.result):
            slots["result"] = shown(self.result, 1000)
        return None, slots

    def serialize(self) -> dict[str, Any]:
        """Return this state as a dict that JSON can carry; of a value it cannot carry, the type and a few words.

        >>> Retrying("later", run_count=2, start_time=dt.datetime(2026, 11, 22)).serialize()["start_time"]
        {'$datetime': '2026-11-22T00:00:00+00:00'}

        """
        from flowbook.serialization import state_document  # noqa: PLC0415 - loaded when somebody asks

        return state_document(self)

    @staticmethod
    def deserialize(document: dict[str, Any]) -> State:
        """Return the state which `serialize` wrote.

        Raises:
            FlowError: the document describes no state that is known here.

        >>> State.deserialize(Success("done", result=(1, 2)).serialize()).result
        (1, 2)

        """
        from flowbook.serialization import state_from  # noqa: PLC0415 - likewise

        return state_from(document)

    def without_result(self) -> State:
        """Return the same state with no result."""
        made = object.__new__(type(self))
        for name in self._slots():
            setattr(made, name, getattr(self, name))
        made.result = None
        return made

    @classmethod
    def _slots(cls) -> list[str]:
        return [name for kind in cls.__mro__ for name in getattr(kind, "__slots__", ())]

    @classmethod
    def children(cls, include_self: bool = False, names_only: bool = False) -> list[Any]:
        """Return all public classes below this one, sorted by name.

        Args:
            include_self: count this class too.
            names_only: return names instead of classes.

        >>> Failed.children(names_only=True)
        ['TimedOut', 'TriggerFailed', 'ValidationFailed']

        """
        found = {cls}
        stack = [cls]
        while stack:
            children = stack.pop().__subclasses__()
            found.update(children)
            stack.extend(children)
        return _listed(found if include_self else found - {cls}, names_only=names_only)

    @classmethod
    def parents(cls, include_self: bool = False, names_only: bool = False) -> list[Any]:
        """Return all public state classes above this one, sorted by name.

        Args:
            include_self: count this class too.
            names_only: return names instead of classes.

        >>> Cached.parents(names_only=True)
        ['Finished', 'State', 'Success']

        """
        found = {kind for kind in cls.__mro__ if issubclass(kind, State)}
        return _listed(found if include_self else found - {cls}, names_only=names_only)

    def is_pending(self) -> bool:
        """Tell whether the run has not started (a retry that waits is pending too)."""
        return isinstance(self, Pending)

    def is_queued(self) -> bool:
        """Tell whether the run waits for a free place."""
        return isinstance(self, Queued)

    def is_scheduled(self) -> bool:
        """Tell whether the run waits for a moment in time."""
        return isinstance(self, Scheduled)

    def is_submitted(self) -> bool:
        """Tell whether the run was handed to an executor."""
        return isinstance(self, Submitted)

    def is_retrying(self) -> bool:
        """Tell whether the run waits for its next attempt."""
        return isinstance(self, Retrying)

    def is_running(self) -> bool:
        """Tell whether the body is being run."""
        return isinstance(self, Running)

    def is_finished(self) -> bool:
        """Tell whether the run has ended, well or not."""
        return isinstance(self, Finished)

    def is_looped(self) -> bool:
        """Tell whether the run asked for another iteration."""
        return isinstance(self, Looped)

    def is_successful(self) -> bool:
        """Tell whether the run ended well; skipped, cached and mapped runs did."""
        return isinstance(self, Success)

    def is_cached(self) -> bool:
        """Tell whether the result was taken from a cache."""
        return isinstance(self, Cached)

    def is_mapped(self) -> bool:
        """Tell whether the run was spread over mapped children."""
        return isinstance(self, Mapped)

    def is_skipped(self) -> bool:
        """Tell whether the run was skipped."""
        return isinstance(self, Skipped)

    def is_failed(self) -> bool:
        """Tell whether the run ended badly."""
        return isinstance(self, Failed)

    def is_meta_state(self) -> bool:
        """Tell whether this state wraps another one."""
        return isinstance(self, (Submitted, Queued, ClientFailed))


def _listed(kinds: set[type[State]], *, names_only: bool) -> list[Any]:
    # by the last part of the qualified name: a stand-in has the name of the public class it stands for
    public = (kind for kind in kinds if not kind.__qualname__.rpartition(".")[2].startswith("_"))
    ordered = sorted(public, key=lambda kind: kind.__name__)
    return [kind.__name__ for kind in ordered] if names_only else ordered


def _survives_pickle(error: BaseException) -> bool:
    import pickle  # noqa: PLC0415 - whoever gets here has loaded it; others need not

    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, a moment old
    except Exception:  # noqa: BLE001 - an exception's own __reduce__ may raise anything
        return False
    return True


class Pending(State):
    """The run waits for its turn."""

    __slots__ = ()
    color = "#7ebdff"


class Scheduled(Pending):
    """The run waits for a moment in time.

    Args:
        start_time: when it may go on; now when not given. A naive one is taken as UTC.

    """

    __slots__ = ("start_time",)
    color = "#ffab00"
    _compared: ClassVar[tuple[str, ...]] = ("start_time",)

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        start_time: dt.datetime | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message, result, **extra)
        self.start_time: dt.datetime | None = aware(start_time) or dt.datetime.now(dt.timezone.utc)


class Paused(Scheduled):
    """The run waits for a person, or for `start_time` when there is one."""

    __slots__ = ()
    color = "#99a8e8"

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        start_time: dt.datetime | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message, result, start_time, **extra)
        self.start_time = aware(start_time)


class Resume(Scheduled):
    """A person let a paused run go on."""

    __slots__ = ()


class Retrying(Scheduled):
    """The run failed and waits for its next attempt.

    Args:
        run_count: how many attempts there were so far; from the context, else 1.

    """

    __slots__ = ("run_count",)
    color = "#f66a0a"
    _compared = ("start_time", "run_count")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        start_time: dt.datetime | None = None,
        run_count: int | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message, result, start_time, **extra)
        self.run_count: int = run_count if run_count is not None else run_context.get("task_run_count", 1)


class _Meta(State):
    """A state that wraps another one; wrapping a wrapper keeps only the innermost state."""

    __slots__ = ()

    @staticmethod
    def _innermost(state: State | None) -> State | None:
        while state is not None and state.is_meta_state():
            state = state.state  # type: ignore[attr-defined]  # every meta state has one
        return state


class Submitted(Pending, _Meta):
    """The run was handed to an executor; wraps the state it had."""

    __slots__ = ("state",)
    _compared = ("state",)

    def __init__(
        self, message: str | None = None, result: Any = None, state: State | None = None, **extra: Any
    ) -> None:
        super().__init__(message, result, **extra)
        self.state = self._innermost(state)


class ClientFailed(Pending, _Meta):
    """The state could not be recorded; wraps the state it would have been."""

    __slots__ = ("state",)
    _compared = ("state",)

    def __init__(
        self, message: str | None = None, result: Any = None, state: State | None = None, **extra: Any
    ) -> None:
        super().__init__(message, result, **extra)
        self.state = self._innermost(state)


class Queued(Scheduled, _Meta):
    """The run waits for a free place; wraps the state it had."""

    __slots__ = ("state",)
    _compared = ("start_time", "state")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        state: State | None = None,
        start_time: dt.datetime | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message, result, start_time, **extra)
        self.state = self._innermost(state)


class Running(State):
    """The body is being run."""

    __slots__ = ()
    color = "#3d67ff"


class Cancelling(Running):
    """The body is being run and was asked to stop."""

    __slots__ = ()


class Finished(State):
    """The run has ended."""

    __slots__ = ()
    color = "#003ccb"


class Looped(Finished):
    """The run asked for another iteration."""

    __slots__ = ("loop_count",)
    _compared = ("loop_count",)

    def __init__(
        self, message: str | None = None, result: Any = None, loop_count: int | None = None, **extra: Any
    ) -> None:
        super().__init__(message, result, **extra)
        self.loop_count: int = loop_count if loop_count is not None else run_context.get("task_loop_count", 1)


class Cancelled(Finished):
    """The run was stopped on request: neither a success nor a failure."""

    __slots__ = ()
    color = "#8d9092"


class Success(Finished):
    """The run ended well."""

    __slots__ = ()
    color = "#28a745"


class Cached(Success):
    """The run ended well with a result from a cache."""

    __slots__ = ("cached_parameters", "cached_result_expiration", "hashed_inputs")
    color = "#34d058"
    _compared = ("hashed_inputs", "cached_parameters", "cached_result_expiration")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        hashed_inputs: dict[str, str] | None = None,
        cached_parameters: dict[str, Any] | None = None,
        cached_result_expiration: dt.datetime | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message, result, **extra)
        self.hashed_inputs = hashed_inputs
        self.cached_parameters = cached_parameters
        self.cached_result_expiration = aware(cached_result_expiration)


class Mapped(Success):
    """The run was spread over mapped children.

    Args:
        map_states: the children's states, by map index.
        n_map_states: how many there are, when the states themselves are not given.

    """

    __slots__ = ("_n_map_states", "map_states")
    color = "#003ccb"
    _compared = ("map_states", "n_map_states")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        map_states: Iterable[State | None] | None = None,
        n_map_states: int | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message, result, **extra)
        self.map_states: list[State | None] = list(map_states or ())
        self._n_map_states = n_map_states

    @property
    def n_map_states(self) -> int:
        """Return the number of mapped children."""
        return len(self.map_states) if self._n_map_states is None else self._n_map_states


class Skipped(Success):
    """The run was left out."""

    __slots__ = ()
    color = "#62757f"


class Failed(Finished):
    """The run ended badly; the result is the exception."""

    __slots__ = ()
    color = "#eb0000"


class TimedOut(Failed):
    """The body took longer than the task's timeout."""

    __slots__ = ()
    color = "#ff4e33"


class TriggerFailed(Failed):
    """The trigger did not let the task run."""

    __slots__ = ()
    color = "#ff5131"


class ValidationFailed(Failed):
    """The result was refused by a check."""

    __slots__ = ()
