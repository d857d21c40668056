"""The hub: one thread per kernel that tells every view what happened, thirty times a second at the most.

Runs are never held up by views: the hub reads a run's log from where it stopped. Commands from a view come in on
whatever thread the kernel hears them (a subshell's, or the main one); the handler posts to the run's mailbox, rings,
and returns. It never draws and never sends.
"""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Protocol

from flowbook.configuration import config
from flowbook.errors import FlowError, shown
from flowbook.utilities.logging import get_logger
from flowbook.view.feed import Feed
from flowbook.view.protocol import (
    PROTOCOL,
    Acknowledged,
    Ask,
    AskChildren,
    AskTask,
    Command,
    Document,
    Hello,
    ProtocolError,
    ToView,
    decode,
    encode,
)
from flowbook.view.show import message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowbook.engine.clock import Clock
    from flowbook.engine.flow_run import FlowRun
    from flowbook.flows import Flow

__all__ = ["Channel", "Hub", "Viewing", "hub"]

# Runs whose looks are kept for views that ask later: a page that is reloaded, a second view.
_KEPT = 50


class Channel(Protocol):
    """A way to a browser."""

    def send(self, message: dict[str, Any]) -> None:
        """Send one encoded message."""


class Office(Protocol):
    """Who knows the notebook: `flowbook.notebook.desk.Desk`."""

    def hear(self, message: Document | AskTask) -> None:
        """Note what a page says."""

    def joined(self) -> None:
        """Note that a page has come, which has missed what was told before."""

    def news(self) -> Iterable[ToView]:
        """Return what pages have to be told."""


class Viewing:
    """A run that is, or was, shown.

    Args:
        run: the run; only a weak reference is kept once it has ended, so that its results can go.

    Attributes:
        refresh: called at the end, to put the final picture into the output.

    """

    def __init__(self, run: FlowRun) -> None:
        self.id = run.id
        self.flow: Flow = run.flow
        self.feed = Feed(run.runner)
        self.clock: Clock = run.runner.clock
        self.refresh: Callable[[Viewing], None] = _nothing
        self.notice = ""
        self.is_live = True
        self.is_hurried = run.runner.scheduled_for is not None and self.clock.is_virtual
        self.was_asked = threading.Event()
        self.lock = threading.RLock()
        self._run: FlowRun | None = run
        self._weak = weakref.ref(run)

    @property
    def run(self) -> FlowRun | None:
        """The run, while it lives."""
        return self._run if self._run is not None else self._weak()

    def begin(self) -> None:
        """Hold the run while it goes on."""
        self.is_live = True
        self._run = self._weak() or self._run

    def end(self) -> None:
        """Let go of the run's results; looks stay."""
        self.is_live = False
        self.feed.close()
        self._run = None


def _nothing(viewing: Viewing) -> None:
    """Refresh no output: there is none."""


class Hub:
    """All channels and all runs of one kernel."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.viewings: OrderedDict[str, Viewing] = OrderedDict()
        self.has_linked = False
        self.desk: Office | None = None
        self._asked: deque[str | AskChildren] = deque()
        self._answers: deque[ToView] = deque()
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._rung = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    # -- what runs and displays call -----------------------------------------------------------------------------------

    def follow(self, viewing: Viewing) -> None:
        """Tell all views about a run from now on."""
        self.viewings[viewing.id] = viewing
        while len(self.viewings) > _KEPT:
            oldest = next((key for key, kept in self.viewings.items() if not kept.is_live), None)
            if oldest is None:
                break
            del self.viewings[oldest]
        self.ring()

    def settle(self, viewing: Viewing, *, ended: bool) -> None:
        """Send what is left and refresh the output: the run has ended, or waits for a person."""
        with viewing.lock:
            self.tell(viewing)
            if ended:
                viewing.end()
        viewing.refresh(viewing)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something on the hub's thread after a while."""
        self._later.append((time.monotonic() + seconds, do))
        self.ring()

    # -- what channels call --------------------------------------------------------------------------------------------

    def link(self, name: str, channel: Channel) -> None:
        """Send all messages to a browser from now on."""
        self.channels[name] = channel
        self.has_linked = True
        if self.desk is not None:
            self.desk.joined()
            self.ring()

    def unlink(self, name: str) -> None:
        """Forget a browser that is gone."""
        self.channels.pop(name, None)

    def hear(self, data: object) -> None:
        """Take in a message from a browser; on any thread, quick, and never raising into the kernel."""
        try:
            message = decode(data)
        except ProtocolError as error:
            self._say_trouble(str(error))
            return
        if isinstance(message, Hello):
            if message.protocol != PROTOCOL:
                self._say_trouble(
                    f"the page speaks protocol {message.protocol}, this kernel {PROTOCOL}: reload the page."
                )
        elif isinstance(message, Ask):
            self._asked.append(message.run)
            if (viewing := self.viewings.get(message.run)) is not None:
                viewing.was_asked.set()
            self.ring()
        elif isinstance(message, AskChildren):
            self._asked.append(message)
            self.ring()
        elif isinstance(message, (Document, AskTask)):
            self._ask_desk(message)
        elif isinstance(message, Command):
            self._answers.append(self._obey(message))
            self.ring()

    def _ask_desk(self, message: Document | AskTask) -> None:
        if self.desk is None:
            from flowbook.notebook.desk import open_desk  # noqa: PLC0415 - most kernels never need one

            open_desk()
        if self.desk is not None:
            self.desk.hear(message)
            self.ring()

    def _obey(self, command: Command) -> Acknowledged:
        viewing = self.viewings.get(command.run)
        run = viewing.run if viewing is not None else None
        at = viewing.clock.now() if viewing is not None else time.time()
        if run is None or run.state.is_finished():
            return Acknowledged(
                command.run, command.id, command.verb, ok=False, at=at, said="The run has already ended."
            )
        try:
            if command.verb == "retry":
                run.retry(run.runner.plan.tasks[command.node])
            else:
                getattr(run, command.verb)()
        except (FlowError, IndexError) as error:
            return Acknowledged(command.run, command.id, command.verb, ok=False, at=at, said=str(error))
        return Acknowledged(command.run, command.id, command.verb, ok=True, at=at, said=_SAID[command.verb])

    def _say_trouble(self, words: str) -> None:
        get_logger("notebook").warning("A view sent something that was not understood: %s", shown(words, 300))

    # -- the thread ----------------------------------------------------------------------------------------------------

    def ring(self) -> None:
        """Wake the hub: there may be something to tell."""
        self._rung.set()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="flowbook-hub", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        """Tell what is new, as often as configured while something lives, and sleep otherwise.

        News waits for a tick, so that a run of a few milliseconds is not disturbed at all; questions and commands
        are answered at once.
        """
        spent = 0.0
        while True:
            if not (self._later or any(viewing.is_live for viewing in list(self.viewings.values()))):
                self._rung.wait()
            # never more than a fifth of the time for telling: the run has the rest
            # and a little longer than asked for, since the end of a run is told at once
            pause = max(1.05 / max(1, config.notebook.messages_per_second), 4 * spent)
            end = time.monotonic() + pause - spent
            while not (self._answers or self._asked) and (left := end - time.monotonic()) > 0:
                self._rung.clear()
                if not (self._answers or self._asked):
                    self._rung.wait(left)
            self._rung.clear()
            began = time.monotonic()
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - a broken view must not end the telling for all others
                self._say_trouble(f"{type(error).__name__}: {error}")
            spent = time.monotonic() - began

    def _turn(self) -> None:
        while self._answers:
            self._send(self._answers.popleft())
        questions = [self._asked.popleft() for _ in range(len(self._asked))]
        for asked in dict.fromkeys(questions):  # all views hear the answer to one of them
            if isinstance(asked, AskChildren):
                self._answer_children(asked)
            else:
                self._answer_ask(asked)
        for viewing in list(self.viewings.values()):
            if viewing.is_live:
                with viewing.lock:
                    self.tell(viewing)
        for message in self.desk.news() if self.desk is not None else ():
            self._send(message)
        due = [do for when, do in self._later if when <= time.monotonic()]
        self._later = [(when, do) for when, do in self._later if when > time.monotonic()]
        for do in due:
            do()

    def _answer_ask(self, run: str) -> None:
        viewing = self.viewings.get(run)
        if viewing is None:
            return
        with viewing.lock:
            picture = message_of(viewing.flow, viewing.id, live=viewing.is_live, notice=viewing.notice)
            # Much happens while a large picture is made. A snapshot with a number that no changes follow on would be a
            # gap to every view, and all of them would ask again.
            changes, snapshot = viewing.feed.caught_up(viewing.clock.now())
            for message in (changes, picture, snapshot):
                if message is not None:
                    self._send(message)

    def _answer_children(self, asked: AskChildren) -> None:
        viewing = self.viewings.get(asked.run)
        if viewing is not None:
            self._send(viewing.feed.children(asked.node, asked.which, asked.offset, asked.limit))

    def tell(self, viewing: Viewing) -> None:
        """Send what changed since the last time."""
        changes = viewing.feed.changes(viewing.clock.now())
        if changes is not None:
            self._send(changes)

    def _send(self, message: ToView) -> None:
        encoded = encode(message)
        for name, channel in list(self.channels.items()):
            try:
                try:
                    channel.send(encoded)
                except UnicodeError:  # a text with half a character in it, which no browser could be sent
                    channel.send(_without_halves(encoded))
            except Exception:  # noqa: BLE001, PERF203 - a closed comm may raise anything; the others go on
                self.unlink(name)


def _without_halves(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with a question mark for each lone surrogate in its texts: they cannot be sent as UTF-8."""
    text = json.dumps(message, ensure_ascii=False)
    whole: dict[str, Any] = json.loads(text.encode("utf-8", "replace"))
    return whole


_SAID = {
    "cancel": "Cancel was requested.",
    "pause": "Nothing new is started until you resume.",
    "resume": "Going on.",
    "step": "One more task is started.",
    "retry": "It is tried again.",
}

hub = Hub()
