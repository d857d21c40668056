"""The feed: folds the log of one run into looks, and coalesces what changed into messages.

It pulls: the run is never held up by a view. Whoever sends (thirty times a second at the most) asks for `changes`; a
view that joins late or has missed a number gets a `snapshot`. What a node looks like is decided here and nowhere else.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowbook.engine.story import sentence
from flowbook.errors import shown
from flowbook.events import FLOW
from flowbook.states import (
    Failed,
    Finished,
    Looped,
    Paused,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Success,
    TimedOut,
    TriggerFailed,
)
from flowbook.view.protocol import Changes, NodeLook, RunLook, Snapshot

if TYPE_CHECKING:
    from flowbook.engine.runner import Runner

__all__ = ["Feed", "preview"]

_MESSAGE_CHARACTERS = 300


def preview(value: object) -> str:
    """Return a few words on a result: its size or, for a small plain value, itself; empty when there are none.

    Only values of known types are looked at: the length or the repr of anything else is a user's code.

    >>> preview([1, 2, 3]), preview(0.5), preview(object())
    ('3 items', '0.5', '')

    """
    kind = type(value)
    if kind in {int, float, bool}:
        return shown(value, 24)
    if kind is str and len(value) <= 24:  # type: ignore[arg-type]  # noqa: PLR2004 - it is a str; what fits a card
        return shown(value, 30)
    if kind in {list, tuple, set, frozenset, dict}:
        count = len(value)  # type: ignore[arg-type]  # a plain collection
        return f"{count:,} item{'s' if count != 1 else ''}"
    if kind.__module__.partition(".")[0] == "flowbook" and hasattr(value, "preview"):
        return str(value.preview())  # a class of ours that knows what to say
    if kind.__module__.partition(".")[0] in {"pandas", "polars", "numpy"}:
        return _shape(kind.__name__, getattr(value, "shape", None))
    return ""


def _shape(name: str, shape: Any) -> str:
    if not isinstance(shape, tuple) or not shape or not all(isinstance(size, int) for size in shape):
        return ""
    if name in {"DataFrame", "Series"}:
        return f"{shape[0]:,} row{'s' if shape[0] != 1 else ''}"
    return " \u00d7 ".join(f"{size:,}" for size in shape)  # the multiplication sign


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
        self._names = [runner.plan.called(number) for number in range(len(runner.plan.tasks))]
        self._changed: set[int] = set()
        self._sentence = ""
        self._subject: tuple[int, State | None] = (-1, None)
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
            for at, task, what in rows:
                if not isinstance(what, State):
                    continue
                if task == FLOW:
                    self._take_flow(at, what)
                elif task < len(self._nodes):
                    self._nodes[task].take(at, what)
                    self._changed.add(task)
            self.seq += len(rows)
            if rows:
                self._sentence = self._why()
            # a run that only a person can let go on is shown with the same button as one that a person paused
            machine = self.runner.machine if self.runner is not None else None
            held = machine is not None and (
                machine.held or (machine.is_parked and any(isinstance(node.state, Paused) for node in self._nodes))
            )
            flow = self.flow
            if rows or held != flow.paused:
                self.flow = replace(flow, paused=held, sentence=self._sentence)
                return True
            return False

    def snapshot(self, at: float) -> Snapshot:
        """Return the look of every node."""
        with self._lock:
            self.advance()
            return Snapshot(self.run, self.seq, at, self.flow, [self._look(node) for node in range(len(self._nodes))])

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

    def close(self) -> None:
        """Let go of the run and its results; looks stay."""
        with self._lock:
            self.advance()
            self._previews |= {number: self._preview(node) for number, node in enumerate(self._nodes)}
            for node in self._nodes:
                node.state = None if node.state is None else type(node.state)(self._message(node.state))
            self.runner = None

    def _take_flow(self, at: float, state: State) -> None:
        name, message = type(state).__name__, _brief(state.message)
        if isinstance(state, Scheduled) and state.start_time is not None:  # it has not started
            self.flow = RunLook(name, message, due=state.start_time.timestamp())
            return
        started = at if self.flow.started is None else self.flow.started
        ended = at if isinstance(state, Finished) else None
        self.flow = RunLook(name, message, started, ended)

    def _look(self, number: int) -> NodeLook:
        node = self._nodes[number]
        if node.state is None:
            return NodeLook(number, "Pending")
        result = self._preview(node) if self.runner is not None else self._previews.get(number, "")
        return NodeLook(
            number,
            type(node.state).__name__,
            self._message(node.state),
            node.attempt,
            node.started,
            node.ended,
            node.due,
            result,
        )

    @staticmethod
    def _preview(node: _Node) -> str:
        return preview(node.state.result) if isinstance(node.state, Success) else ""

    @staticmethod
    def _message(state: State) -> str:
        return _brief(state.message)

    def _why(self) -> str:
        """Return the sentence for below the picture: of the gravest trouble there is now, the first of its kind.

        The first, because what failed later mostly failed because of it; and a sentence that stays can be read.
        """
        if self.flow.due is not None:
            return self.flow.message
        rank, _, number = max(
            (
                (_RANK.get(type(node.state), -1), -(node.ended or 0.0), -number)
                for number, node in enumerate(self._nodes)
            ),
            default=(-1, 0.0, 0),
        )
        number = -number
        if rank < 0:
            return ""
        if self._subject != (number, self._nodes[number].state) and self.runner is not None:
            words = sentence(self.runner, number)
            joined = words.removeprefix("It ") if words.startswith("It ") else f"waits: {words[0].lower()}{words[1:]}"
            self._subject, self._sentence = (number, self._nodes[number].state), f"{self._names[number]} {joined}"
        return self._sentence


_RANK: dict[type[Any], int] = {
    kind: rank for rank, kind in enumerate((Skipped, Retrying, Paused, TimedOut, Failed, TriggerFailed))
}


def _brief(message: str | None) -> str:
    text = message or ""
    return text if len(text) <= _MESSAGE_CHARACTERS else text[: _MESSAGE_CHARACTERS - 1] + "…"
