"""Fold the children of mapped tasks: counts by state, and a compact record of each child.

A family of 100,000 children changes some 200,000 times in a run, so an event costs a few list accesses and nothing is
made for it: the state object of the log is referred to, numbers stand in arrays. What a child looks like is worked out
when somebody asks for it, and the whole is a fold of the log: it can be made again from any copy of it.
"""

from __future__ import annotations

import heapq
from array import array
from typing import TYPE_CHECKING

from flowbook.states import Finished, Looped, Pending, Retrying, Running, Scheduled, State
from flowbook.view.palette import MAPPING, family_of
from flowbook.view.preview import brief, previewed
from flowbook.view.protocol import ChildLook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flowbook.view.protocol import Which

__all__ = ["MOST_ROWS", "Family", "Move"]

MOST_ROWS = 200
"""Children that are told of in one answer: nobody reads more, and a message must stay small."""
_KEPT_PREVIEWS = 1000
"""Children of one family whose results are described before the results are let go."""

_ORDER = {"bad": 0, "active": 1, "warn": 2, "waiting": 3, "good": 4}


class Move:
    """What entering a state does to the record of a child; one number per class, found by one look into a dict."""

    NONE, RUN, LOOP, RETRY, WAIT, END = range(6)

    @staticmethod
    def of(kind: type[State]) -> int:
        """Return the number of a class that was not seen before."""
        pairs = (
            (Running, Move.RUN),
            (Looped, Move.LOOP),
            (Retrying, Move.RETRY),
            (Scheduled, Move.WAIT),
            (Finished, Move.END),
        )
        return next((move for base, move in pairs if issubclass(kind, base)), Move.NONE)


class _Moves(dict[type[State], int]):
    def __missing__(self, kind: type[State]) -> int:
        move = self[kind] = Move.of(kind)
        return move


_MOVES = _Moves()
_NEVER = -1.0
_PENDING = Pending()


class Family:
    """The children of one mapped task.

    Args:
        parent: the number of the mapped task.
        base: the number of its first child.
        width: how many there are.
        say: what to say of the result of a child in this state.

    Attributes:
        counts: how many children are in each state, by class; classes that none is in may stand at 0.
        started: when the first child began, or None.
        first_bad: the place of the child that failed first and still stands so, or -1.

    """

    __slots__ = (
        "_attempts",
        "_dues",
        "_ended",
        "_previews",
        "_say",
        "_started",
        "_states",
        "base",
        "counts",
        "first_bad",
        "parent",
        "started",
        "width",
    )

    def __init__(self, parent: int, base: int, width: int, say: Callable[[State], str] = previewed) -> None:
        self._say = say
        self.parent, self.base, self.width = parent, base, width
        self.counts: dict[type[State], int] = {Pending: width}
        self.started: float | None = None
        self.first_bad = -1
        self._states: list[State] = [_PENDING] * width
        self._attempts = array("i", bytes(4 * width))
        self._started = array("d", [_NEVER]) * width
        self._ended = array("d", [_NEVER]) * width
        self._dues: list[tuple[float, int]] = []
        self._previews: dict[int, str] | None = None

    @classmethod
    def of_states(cls, parent: int, states: Sequence[State | None], say: Callable[[State], str] = previewed) -> Family:
        """Make the family of a mapped task of which only the children's states are known."""
        family = cls(parent, -1, len(states), say)
        for index, state in enumerate(states):
            if state is not None:
                family.take(_NEVER, index - 1, state)
        family.started = None
        return family

    def take(self, at: float, task: int, state: State) -> None:
        """Fold one more state of the child with that task number."""
        index = task - self.base
        states, counts = self._states, self.counts
        before, kind = type(states[index]), type(state)
        states[index] = state
        if before is not kind:
            counts[before] -= 1
            counts[kind] = counts.get(kind, 0) + 1
        move = _MOVES[kind]
        if move == Move.RUN:
            # an attempt that is asked to stop is still the same one; that of a retry was counted when it began to wait
            previous = _MOVES[before]
            if previous != Move.RUN:
                if previous != Move.RETRY:
                    self._attempts[index] += 1
                self._started[index], self._ended[index] = at, _NEVER
                if self.started is None:
                    self.started = at
        elif move == Move.END:
            self._ended[index] = at
            if self.first_bad < 0 and family_of(kind.__name__) == "bad":
                self.first_bad = index
        elif move != Move.NONE:
            self._wait(at, index, state, move)

    def _wait(self, at: float, index: int, state: State, move: int) -> None:
        if move == Move.LOOP:
            self._attempts[index] = 0
            return
        if move == Move.RETRY:
            self._attempts[index] += 1
            self._ended[index] = at
        due = _due(state)
        if due is not None:
            heapq.heappush(self._dues, (due, index))

    # -- what a node says ----------------------------------------------------------------------------------------------

    def counted(self) -> dict[str, int]:
        """Return how many children are in each state, by its name, without states that none is in."""
        counts: dict[str, int] = {}
        for kind, count in self.counts.items():
            if count:
                counts[kind.__name__] = counts.get(kind.__name__, 0) + count
        return counts

    def state_name(self) -> str:
        """Return what the mapped task is called while it has not ended.

        It is being mapped from the first start on; unless all that is left waits for a time or a person, which is said.
        """
        counts = self.counted()
        if self.started is None:
            return "Pending"
        going = counts.get("Pending", 0) or any(family_of(state) == "active" for state in counts)
        held = next((state for state in ("Paused", "Retrying", "Scheduled", "Queued") if state in counts), None)
        return MAPPING if going or held is None else held

    def next_due(self) -> float | None:
        """Return when the next child that waits starts again, or None when none waits for a time."""
        dues = self._dues
        while dues:
            due, index = dues[0]
            if _due(self._states[index]) == due:
                return due
            heapq.heappop(dues)  # it has begun since
        return None

    def failure(self) -> tuple[int, State] | None:
        """Return the place and the state of the child that failed first, or None when none stands failed."""
        if not any(count and family_of(kind.__name__) == "bad" for kind, count in self.counts.items()):
            return None
        if self.first_bad < 0 or not self._is_bad(self.first_bad):  # it was taken up again: look for the next one
            bad = [index for index in range(self.width) if self._is_bad(index)]
            self.first_bad = min(bad, key=lambda index: self._ended[index])
        return self.first_bad, self._states[self.first_bad]

    def ended_at(self, index: int) -> float | None:
        """Return when a child ended."""
        return _time(self._ended[index])

    def _is_bad(self, index: int) -> bool:
        return family_of(type(self._states[index]).__name__) == "bad"

    # -- what a list of children says ----------------------------------------------------------------------------------

    def total(self, which: Which) -> int:
        """Return how many children a list would have without its limit."""
        if which == "all":
            return self.width
        return sum(count for kind, count in self.counts.items() if family_of(kind.__name__) == "bad")

    def rows(self, which: Which, offset: int, limit: int) -> list[ChildLook]:
        """Return how some children are: failed ones first, then running, held up, waiting and done ones.

        Args:
            which: all children, or the failed ones.
            offset: how many of the list to leave out.
            limit: how many to return at the most; never more than `MOST_ROWS`.

        """
        wanted = max(0, min(limit, MOST_ROWS))
        return [self._look(index) for index in self._listed(which, max(0, offset), wanted)]

    def _listed(self, which: Which, offset: int, wanted: int) -> Iterator[int]:
        """Places of children in the order of the list: one pass over the states per group, only as far as needed."""
        groups: dict[int, set[type[State]]] = {}
        for kind, count in self.counts.items():
            if count:
                groups.setdefault(_ORDER[family_of(kind.__name__)], set()).add(kind)
        for order in sorted(groups):
            if which == "failed" and order != _ORDER["bad"]:
                return
            kinds = groups[order]
            size = sum(self.counts[kind] for kind in kinds)
            if offset >= size:
                offset -= size
                continue
            for index, state in enumerate(self._states):
                if type(state) not in kinds:
                    continue
                if offset:
                    offset -= 1
                    continue
                if not wanted:
                    return
                wanted -= 1
                yield index

    def _look(self, index: int) -> ChildLook:
        state = self._states[index]
        result = self._say(state) if self._previews is None else self._previews.get(index, "")
        return ChildLook(
            index,
            type(state).__name__,
            brief(state.message),
            self._attempts[index],
            _time(self._started[index]),
            _time(self._ended[index]),
            _due(state),
            result,
        )

    def holds(self, result: object) -> bool:
        """Return whether some child's result is this very object."""
        return any(state.result is result for state in self._states)

    def remember(self) -> None:
        """Keep what is to be said of the results of the first children, before they go."""
        said = {index: self._say(self._states[index]) for index in self._listed("all", 0, _KEPT_PREVIEWS)}
        self._previews = {index: words for index, words in said.items() if words}

    def close(self) -> None:
        """Let go of the children's results; how they are stays."""
        states = self._states
        kept: dict[tuple[type[State], str | None], State] = {}
        for index, state in enumerate(states):
            if type(state) is Pending:
                continue
            if not isinstance(state, Finished):
                states[index] = state.without_result()
                continue
            key = (type(state), state.message)
            bare = kept.get(key)
            if bare is None:  # thousands of children end in the same words
                bare = kept[key] = type(state)(brief(state.message))
            states[index] = bare
        self._dues.clear()


def _due(state: State) -> float | None:
    start_time = state.start_time if isinstance(state, Scheduled) else None
    return None if start_time is None else start_time.timestamp()


def _time(value: float) -> float | None:
    return None if value == _NEVER else value
