"""Lazy results: a success whose value is somewhere else until somebody looks at it.

An executor whose values stay on other machines ends a task run as a `LazySuccess`. It holds, in the place of the value,
a `Holder` that can fetch it. Who reads ``state.result`` gets the value, and from then on the state is a plain
`Success`. A mapped task with such children becomes a `LazyMapped`.

The engine itself only hands results from one task run to the next. An executor has it look at them inside
`by_reference`, where the holder is handed over in the place of what it holds.
"""

from __future__ import annotations

import contextlib
from threading import get_ident
from typing import TYPE_CHECKING, Any

from flowbook.states import Mapped, State, Success

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PLAIN", "Holder", "LazyMapped", "LazySuccess", "by_reference", "held_by", "lazy_success", "mapped_over"]


class Holder:
    """What stands in the place of a value that is somewhere else."""

    __slots__ = ()

    def fetch(self) -> Any:
        """Return the value, or raise what keeps it from coming."""
        raise NotImplementedError

    @classmethod
    def fetch_together(cls, holders: Sequence[Any]) -> None:
        """Prepare several values to be fetched, where that is quicker than one by one."""


# The threads on which results are handed over by reference now.
_by_reference: set[int] = set()


@contextlib.contextmanager
def by_reference(*, wanted: bool = True) -> Iterator[None]:
    """Hand lazy results over by what holds them, on this thread, while the block lasts; not with ``wanted=False``."""
    here = get_ident()
    before = here in _by_reference
    (_by_reference.add if wanted else _by_reference.discard)(here)
    try:
        yield
    finally:
        (_by_reference.add if before else _by_reference.discard)(here)


# The slot in which every state keeps its result; the properties below stand in front of it.
_slot: Any = State.__dict__["result"]


class _Lazy(State):
    """A state that fetches its result when it is first asked for, and is a plain one from then on."""

    __slots__ = ()

    @property
    def result(self) -> Any:
        """The value that the task returned; fetched when it is first asked for."""
        held = _slot.__get__(self)
        if not isinstance(held, Holder):
            return held  # another thread has just fetched it
        if get_ident() in _by_reference:
            return self._handed_over(held)
        value = self._fetched(held)
        self.result = value
        return value

    @result.setter
    def result(self, value: Any) -> None:
        _slot.__set__(self, value)
        if not isinstance(value, Holder):
            self.__class__ = _plain(self)  # type: ignore[assignment]  # same slots

    def without_result(self) -> State:
        """Return the same state with no result, which is not fetched for this."""
        made = object.__new__(_plain(self))
        for name in self._slots():
            setattr(made, name, None if name == "result" else getattr(self, name))
        return made

    def _handed_over(self, held: Holder) -> Any:
        return held

    def _fetched(self, held: Holder) -> Any:
        return held.fetch()

    def __eq__(self, other: object) -> bool:
        for state in (self, other):
            if isinstance(state, _Lazy):
                state.result  # noqa: B018 - looked at, it is a plain state
        return bool(State.__eq__(self, other))

    __hash__ = object.__hash__

    def __reduce_ex__(self, protocol: Any) -> Any:
        with by_reference(wanted=False):
            self.result  # noqa: B018 - likewise: what is written down is a plain state
        return object.__reduce_ex__(self, protocol)


def _plain(state: State) -> type[State]:
    """Return the class that a lazy state stands for."""
    kind: type[State] = type(state).__mro__[2]
    return kind


class LazySuccess(_Lazy, Success):
    """A success whose value is fetched when it is asked for."""

    __slots__ = ()


class _Children(Holder):
    """Stands for the list of what mapped children returned."""

    __slots__ = ()


_CHILDREN = _Children()


class LazyMapped(_Lazy, Mapped):
    """A mapped task whose children's values are fetched when they are asked for."""

    __slots__ = ()

    def _handed_over(self, held: Holder) -> Any:  # noqa: ARG002 - the children hold it
        return [None if child is None else child.result for child in self.map_states]

    def _fetched(self, held: Holder) -> Any:  # noqa: ARG002 - likewise
        holders = [holder for child in self.map_states if (holder := held_by(child)) is not None]
        if holders:
            type(holders[0]).fetch_together(holders)
        return [None if child is None else child.result for child in self.map_states]


# To those who ask for their name (events, pictures, people) they are states like any other, and `State.children` leaves
# them out.
for _kind, _name in ((LazySuccess, "Success"), (LazyMapped, "Mapped")):
    _kind.__name__, _kind.__qualname__ = _name, f"_Lazy{_name}"

# Successes that say nothing more than that: nobody downstream needs a closer look at them.
PLAIN = frozenset({Success, LazySuccess})


def held_by(state: object) -> Holder | None:
    """Return what holds the value of a lazy success; None for any other state, and when the value is here."""
    held = _slot.__get__(state) if isinstance(state, LazySuccess) else None
    return held if isinstance(held, Holder) else None


def lazy_success(message: str, held: Holder) -> LazySuccess:
    """Return a success whose value can be fetched from `held`."""
    made = LazySuccess.__new__(LazySuccess)  # not by its constructor: the tags of the task are added by the machine
    made.message = message
    made._extra = None  # noqa: SLF001 - a state's own slot
    made.result = held
    return made


def mapped_over(message: str, states: list[State]) -> Mapped:
    """Return the state of a mapped task whose children have ended; lazy, when one of theirs is."""
    if LazySuccess not in set(map(type, states)):
        return Mapped(message, result=[state.result for state in states], map_states=states)
    return LazyMapped(message, result=_CHILDREN, map_states=states)
