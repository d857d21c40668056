"""The feed: folds the log of one run into looks, and coalesces what changed into messages.

It pulls: the run is never held up by a view. Whoever sends (thirty times a second at the most) asks for `changes`; a
view that joins late or has missed a number gets a `snapshot`. What a node looks like is decided here and nowhere else.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from flowbook.engine.lazy import by_reference
from flowbook.engine.story import missed, sentence
from flowbook.events import FLOW, Log, Spread
from flowbook.redaction import MASK
from flowbook.states import (
    Failed,
    Finished,
    Looped,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Success,
    TimedOut,
    TriggerFailed,
)
from flowbook.view import words
from flowbook.view.families import MOST_ROWS, Family
from flowbook.view.preview import brief, preview
from flowbook.view.protocol import Changes, Children, NodeLook, RunLook, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.engine.runner import Runner
    from flowbook.events import Record
    from flowbook.view.protocol import Which

__all__ = ["Feed", "preview"]


class _Node:
    """What was folded of one task run."""

    __slots__ = ("attempt", "due", "ended", "started", "state")

    def __init__(self) -> None:
        self.state: State | None = None
        self.attempt = 0
        self.started: float | None = None
        self.ended: float | None = None
        self.due: float | None = None

    def take(self, at: float, state: State) -> None:
        """Fold one more state."""
        before = self.state
        self.state = state
        self.due = None
        if isinstance(state, Running):
            if not isinstance(before, Running):
                # the number of a retry was counted when it began to wait
                self.attempt = self.attempt if isinstance(before, Retrying) else self.attempt + 1
                self.started, self.ended = at, None
        elif isinstance(state, Looped):
            self.attempt = 0
        elif isinstance(state, Scheduled):
            self.due = state.start_time.timestamp() if state.start_time is not None else None
            if isinstance(state, Retrying):
                self.attempt += 1
                self.ended = at
        elif isinstance(state, Finished):
            self.ended = at


class Feed:
    """The looks of one run, kept up to date from its log.

    Args:
        runner: the run.

    Attributes:
        seq: how many rows of the log are folded in.
        sent: up to which of them `changes` has told.

    """

    def __init__(self, runner: Runner) -> None:
        self.runner: Runner | None = runner
        self.run = runner.run_id
        self.seq = 0
        self.sent = 0
        self.flow = RunLook("Pending")
        self._log = runner.machine.log
        self._nodes = [_Node() for _ in runner.plan.tasks]
        self._secrets = frozenset(n for n, task in enumerate(runner.plan.tasks) if task.sensitive)
        self._names = [runner.plan.called(number) for number in range(len(runner.plan.tasks))]
        self._families: dict[int, Family] = {}
        # the family of each task number beyond the plan's, so that an event of a child finds it at once
        self._family_of: list[Family] = []
        self._changed: set[int] = set()
        self._sentence = ""
        self._subject: tuple[object, ...] = ()  # of what was told last
        self._told = ""
        self._previews: dict[int, str] = {}
        self._lock = threading.RLock()

    @property
    def size(self) -> int:
        """The number of nodes."""
        return len(self._nodes)

    def advance(self) -> bool:
        """Fold what happened since the last time; return whether anything did."""
        with self._lock:
            rows = self._log.rows(self.seq)
            self._fold(rows)
            self.seq += len(rows)
            if rows:
                self._sentence = self._why()
            # a run that only a person can let go on is shown with the same button as one that a person paused
            machine = self.runner.machine if self.runner is not None else None
            held = machine is not None and (machine.held or (machine.is_parked and self._asks_a_person()))
            flow = self.flow
            if rows or held != flow.paused:
                self.flow = replace(flow, paused=held, sentence=self._sentence)
                return True
            return False

    def _fold(self, rows: Sequence[Record]) -> None:
        count, family_of, changed = len(self._nodes), self._family_of, self._changed
        for at, task, what in rows:
            if isinstance(what, State):
                if task >= count:
                    family = family_of[task - count]
                    family.take(at, task, what)
                    changed.add(family.parent)
                elif task == FLOW:
                    self._take_flow(at, what)
                else:
                    self._take(at, task, what)
                    changed.add(task)
            elif isinstance(what, Spread):
                self._spread(task, what.base, what.width)
                changed.add(task)

    def _take(self, at: float, task: int, state: State) -> None:
        self._nodes[task].take(at, state)
        if isinstance(state, Mapped) and task not in self._families:
            # taken over from an earlier run, or over nothing at all: no child of this run ever had an event
            self._families[task] = Family.of_states(task, state.map_states, partial(self._preview, task))

    def _spread(self, parent: int, base: int, width: int) -> None:
        self._families[parent] = family = Family(parent, base, width, partial(self._preview, parent))
        place = base - len(self._nodes)
        # blocks follow each other, so this appends; numbers that were given out and not told of belong to nobody
        self._family_of.extend([family] * (place + width - len(self._family_of)))
        self._family_of[place : place + width] = [family] * width

    def _asks_a_person(self) -> bool:
        if any(isinstance(node.state, Paused) for node in self._nodes):
            return True
        return any("Paused" in family.counted() for family in self._families.values())

    def snapshot(self, at: float) -> Snapshot:
        """Return the look of every node."""
        with self._lock:
            self.advance()
            return self._standing(at)

    def _standing(self, at: float) -> Snapshot:
        return Snapshot(self.run, self.seq, at, self.flow, [self._look(node) for node in range(len(self._nodes))])

    def caught_up(self, at: float) -> tuple[Changes | None, Snapshot]:
        """Return the changes since the last call, and the snapshot that the next changes go on from."""
        with self._lock:
            return self.changes(at), self._standing(at)

    def changes(self, at: float) -> Changes | None:
        """Return the looks that changed since the last call, or None when none did."""
        with self._lock:
            before = self.flow
            self.advance()
            if not self._changed and self.flow == before and self.sent == self.seq:
                return None
            changed = sorted(self._changed)
            self._changed.clear()
            since, self.sent = self.sent, self.seq
            return Changes(self.run, self.seq, since, at, self.flow, [self._look(node) for node in changed])

    def children(self, node: int, which: Which = "all", offset: int = 0, limit: int = MOST_ROWS) -> Children:
        """Return how some children of a mapped task are: those that failed first, then running, waiting and done ones.

        Args:
            node: the number of the mapped task; one that has no children has an empty list.
            which: all children, or the failed ones.
            offset: how many of that list to leave out.
            limit: how many to return at the most; never more than 200.

        """
        with self._lock:
            self.advance()
            family = self._families.get(node)
            if family is None:
                return Children(self.run, node, which, 0, 0, ())
            offset = max(0, offset)
            return Children(self.run, node, which, family.total(which), offset, family.rows(which, offset, limit))

    def samples(self) -> list[Children]:
        """Return the first children of each mapped task, for a file that no kernel stands behind."""
        with self._lock:
            families = sorted(self._families)[:_SAMPLED]
            most = max(_LEAST_SAMPLE, MOST_ROWS // max(1, len(families)))
            return [self.children(node, "all", 0, most) for node in families]

    def close(self) -> None:
        """Let go of the run and its results; looks stay."""
        with self._lock:
            self.advance()
            self._previews |= {number: self._preview(number, node.state) for number, node in enumerate(self._nodes)}
            for family in self._families.values():
                family.remember()  # before any result goes: a secret is known by being the same object
            for number, node in enumerate(self._nodes):
                node.state = None if node.state is None else type(node.state)(self._message(number, node.state))
            for family in self._families.values():
                family.close()
            self.runner = None
            self._log = Log()  # the states in the run's own hold its results
            self._subject = ()

    def _take_flow(self, at: float, state: State) -> None:
        name, message = type(state).__name__, brief(state.message)
        if isinstance(state, Scheduled) and state.start_time is not None:  # it has not started
            self.flow = RunLook(name, message, due=state.start_time.timestamp())
            return
        started = at if self.flow.started is None else self.flow.started
        ended = at if isinstance(state, Finished) else None
        self.flow = RunLook(name, message, started, ended)

    def _look(self, number: int) -> NodeLook:
        node = self._nodes[number]
        family = self._families.get(number)
        if family is not None:
            return self._family_look(node, family)
        if node.state is None:
            return NodeLook(number, "Pending")
        result = self._preview(number, node.state) if self.runner is not None else self._previews.get(number, "")
        return NodeLook(
            number,
            type(node.state).__name__,
            self._message(number, node.state),
            node.attempt,
            node.started,
            node.ended,
            node.due,
            result,
        )

    def _family_look(self, node: _Node, family: Family) -> NodeLook:
        counts = family.counted()
        number, width, started = family.parent, family.width, family.started
        if node.state is not None and not isinstance(node.state, Pending):
            name, message = type(node.state).__name__, self._message(number, node.state)
            return NodeLook(number, name, message, 0, started, node.ended, node.due, "", width, counts)
        name = family.state_name()
        due = family.next_due() if name in {"Retrying", "Scheduled", "Paused"} else None
        return NodeLook(number, name, "", 0, started, None, due, "", width, counts)

    def _preview(self, number: int, state: State | None) -> str:
        """Say a few words on the result of a task, or of a child of it."""
        if not isinstance(state, Success):
            return ""
        with by_reference():  # a value that is on another machine stays there
            return MASK if self._secrets and self._is_secret(number, state) else preview(state.result)

    def _is_secret(self, number: int, state: State) -> bool:
        """Tell whether a result is a secret, or one that was handed on as it was."""
        if number in self._secrets:
            return True
        result = state.result
        if result is None or type(result) is bool:
            return False
        given = (self._nodes[secret].state for secret in self._secrets)
        handed_on = any(result is secret.result for secret in given if secret is not None)
        return handed_on or any(
            self._families[secret].holds(result) for secret in self._secrets if secret in self._families
        )

    def _message(self, number: int, state: State) -> str:
        runner = self.runner if isinstance(state, TriggerFailed) else None
        return (missed(runner, number) if runner is not None else "") or brief(state.message)

    def _why(self) -> str:
        """Return the sentence for below the picture: of the gravest trouble there is now, the first of its kind.

        The first, because what failed later mostly failed because of it; and a sentence that stays can be read. What
        did not run because of a failure is counted after it: whoever reads looks for what to mend.
        """
        if self.flow.due is not None:
            return self.flow.message
        troubles = [
            (_RANK.get(type(node.state), -1.0), -(node.ended or 0.0), -number)
            for number, node in enumerate(self._nodes)
        ]
        failures = {number: found for number, family in self._families.items() if (found := family.failure())}
        troubles += [
            (_FAMILY_RANK[isinstance(state, TriggerFailed)], -(self._families[number].ended_at(index) or 0.0), -number)
            for number, (index, state) in failures.items()
        ]
        rank, _, number = max(troubles, default=(-1.0, 0.0, 0))
        number = -number
        if rank < 0:
            return ""
        left = _left_out(self._nodes) if rank > _RANK[TriggerFailed] else ""
        if rank in _FAMILY_RANK.values():
            return self._why_family(self._families[number], *failures[number]) + left
        return self._why_node(number) + left

    def _why_node(self, number: int) -> str:
        if self._subject != (number, self._nodes[number].state) and self.runner is not None:
            told = sentence(self.runner, number)
            joined = told.removeprefix("It ") if told.startswith("It ") else f"waits: {told[0].lower()}{told[1:]}"
            self._subject, self._told = (number, self._nodes[number].state), f"{self._names[number]} {joined}"
        return self._told

    def _why_family(self, family: Family, index: int, state: State) -> str:
        """Say how many children failed, and why the first did. A mapped task is a success whatever its children are."""
        name, bad = self._names[family.parent], family.total("failed")
        subject = (family.parent, bad, index, state)
        if self._subject != subject:
            count = "its only element" if family.width == 1 else f"{bad:,} of its {family.width:,} elements"
            child = f"{name}[{index}]" if bad == 1 else f"the first, {name}[{index}],"
            if family.base >= 0 and self.runner is not None:
                told = sentence(self.runner, family.base + index).removeprefix("It ")
            else:
                told = f"{words.detail_text(type(state).__name__, state.message or '') or type(state).__name__}."
            self._subject, self._told = subject, f"{name} failed for {count}; {child} {told}"
        return self._told


def _left_out(nodes: Iterable[_Node]) -> str:
    """Say how many tasks did not run because of a failure before them, as the end of a sentence about that."""
    missed = sum(isinstance(node.state, TriggerFailed) for node in nodes)
    return f" {missed:,} tasks were not run." if missed > 1 else " 1 task was not run." if missed else ""


# Mapped tasks whose children are saved with a picture, and how many of each at the least: a notebook must stay small.
_SAMPLED = 20
_LEAST_SAMPLE = 20
_RANK: dict[type[Any], float] = {
    kind: float(rank) for rank, kind in enumerate((Skipped, Retrying, Paused, TriggerFailed, TimedOut, Failed))
}
# A child that failed says more than a task that did not run because of it; one that did not run says less.
_FAMILY_RANK = {False: _RANK[TriggerFailed] + 0.5, True: _RANK[TriggerFailed] - 0.5}
