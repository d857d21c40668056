"""Decide what a picture says: durations, the state line of a node, progress, counts.

Pure functions of looks, cards and a time. The browser says the same words; the vectors in
``tests/protocol/texts.json`` are read by both languages.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from math import ceil, floor  # by name: cells of a notebook may put other functions into math
from typing import TYPE_CHECKING

from flowbook.view.measure import clean, elide, text_width
from flowbook.view.palette import FAMILIES, FAMILY_WORD, ROUTINE, family_of
from flowbook.view.protocol import NodeLook

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.view.protocol import ChildLook, NodeCard, RunLook

MINUTE, HOUR, DAY = 60, 3600, 86400
LINE_SIZE = 11.0
"""Font size of a state line; must agree with `CARD` in js/src/look.ts."""
SHARE_GAP, SHARE_LEAST = 1.0, 3.0
"""Between two parts of a bar of children, and the length of the smallest part."""
TIMELESS: frozenset[str] = frozenset({"parameter", "constant", "condition", "merge"})
"""Kinds of nodes whose time says nothing, and whose cards have no room for it."""
# What is said of children beside done and failed: what is left out or waits for a time or a person.
_TOLD = ("Skipped", "Cancelled", "Retrying", "Paused")


@dataclass(frozen=True, slots=True)
class NodeTexts:
    """The words of one node: its state line, the time at its right, and the share of a wait that is over.

    `short` is the state line without the word of the state, for a mapped task whose numbers take all the room.
    """

    state: str
    time: str = ""
    bar: float | None = None
    short: str = ""

    def line(self, room: float) -> str:
        """Return the state line that fits into `room`: whole, else short, else with its end left out."""
        is_whole = not self.short or text_width(self.state, LINE_SIZE) <= room
        return elide(self.state if is_whole else self.short, room, LINE_SIZE, at="end")


def duration(seconds: float) -> str:
    """Return a span of time as people say it, never more than two units.

    >>> [duration(s) for s in (0.012, 0.1, 3.44, 42.5, 125, 3720, 100_000)]
    ['12 ms', '0.1 s', '3.4 s', '43 s', '2 min 05 s', '1 h 02 min', '1 d 04 h']
    """
    seconds = max(0.0, seconds)
    if (thousandths := _round(seconds * 1000)) < 100:  # noqa: PLR2004 - a tenth of a second
        return f"{thousandths} ms" if thousandths else "< 1 ms"
    if (tenths := _round(seconds * 10)) < 100:  # noqa: PLR2004 - ten seconds
        return f"{tenths // 10}.{tenths % 10} s"
    if (whole := _round(seconds)) < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // 60} min {whole % 60:02d} s"
    if (minutes := _round(seconds / MINUTE)) < DAY // MINUTE:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = _round(seconds / HOUR)
    return f"{hours // 24} d {hours % 24:02d} h"


def countdown(seconds: float) -> str:
    """Return how long until something starts; never "in 0 s".

    >>> [countdown(s) for s in (1.2, 0.0, -3.0, 75)]
    ['in 2 s', 'now', 'now', 'in 1 min 15 s']
    """
    left = ceil(seconds - 1e-6)
    if left <= 0:
        return "now"
    return f"in {left} s" if left < MINUTE else f"in {duration(left)}"


def node_texts(look: NodeLook, card: NodeCard, now: float) -> NodeTexts:
    """Decide the words of a node.

    Args:
        look: how it is; an empty state means that its flow has not run.
        card: what it is.
        now: the kernel's time.

    Returns:
        The full state line (shorten it with `measure.elide`, at the end), the time, and the share of a wait
        that is over, or None where nothing is waited for.

    >>> from flowbook.view.protocol import NodeCard, NodeLook
    >>> card = NodeCard(0, "load-1", "load", "task", [], [], attempts=4)
    >>> texts = node_texts(NodeLook(0, "Retrying", attempt=2, started=0, ended=1, due=5), card, 3)
    >>> texts.state, texts.time, texts.bar
    ('Retrying · attempt 2 of 4', 'in 2 s', 0.5)
    """
    if not look.state:
        return NodeTexts(idle_text(card))
    if look.counts is not None:
        counted = children_text(look)
        line, time = f"{clean(look.state)} · {counted}", _elapsed(look, card, now)
        if is_due(look) and look.due is not None:
            time = countdown(look.due - now)
        return NodeTexts(line, time, None, counted)
    parts = [clean(look.state), _attempt(look, card), _detail(look)]
    line = " · ".join(part for part in parts if part)
    if is_due(look) and look.due is not None:
        return NodeTexts(line, countdown(look.due - now), _waited(look, now))
    return NodeTexts(line, _elapsed(look, card, now))


@dataclass(frozen=True, slots=True)
class ChildTexts:
    """The words of one child in a list: its state with the attempt, the time, and what it had to say."""

    state: str
    time: str
    said: str


def child_texts(row: ChildLook, card: NodeCard, now: float) -> ChildTexts:
    """Decide the words of one child of a mapped task.

    >>> from flowbook.view.protocol import ChildLook, NodeCard
    >>> card = NodeCard(0, "clean-1", "clean", "task", [], [], attempts=3, mapped=True)
    >>> child_texts(ChildLook(4, "Failed", "no rows", attempt=3, started=0, ended=1.5), card, 9)
    ChildTexts(state='Failed · attempt 3 of 3', time='1.5 s', said='no rows')
    """
    look = NodeLook(card.node, row.state, row.message, row.attempt, row.started, row.ended, row.due, row.result)
    state = " · ".join(part for part in (clean(row.state), _attempt(look, card)) if part)
    is_waiting = is_due(look) and row.due is not None
    time = countdown((row.due or 0.0) - now) if is_waiting else _elapsed(look, card, now)
    if row.result and family_of(row.state) == "good":
        return ChildTexts(state, time, clean(row.result))
    return ChildTexts(state, time, detail_text(row.state, row.message))


def children_text(look: NodeLook) -> str:
    """Return how the children of a mapped task are, in numbers: what failed is never left out.

    >>> from flowbook.view.protocol import NodeLook
    >>> counts = {"Success": 6, "Failed": 1, "Running": 2, "Pending": 3}
    >>> children_text(NodeLook(0, "Mapping", width=12, counts=counts))
    '7 of 12 · 1 failed'
    >>> children_text(NodeLook(0, "Mapped", width=12, counts={"Success": 9, "Failed": 3}))
    '3 of 12 failed'
    """
    counts, width = look.counts or {}, look.width or 0
    if not width:
        return "no elements"
    over = sum(count for state, count in counts.items() if is_over(state))
    bad = sum(count for state, count in counts.items() if family_of(state) == "bad")
    others = [f"{counts[state]:,} {state.lower()}" for state in _TOLD if counts.get(state) and state != look.state]
    if over < width:
        return " · ".join([f"{over:,} of {width:,}", *([f"{bad:,} failed"] if bad else []), *others])
    done = over - bad - counts.get("Skipped", 0) - counts.get("Cancelled", 0)
    first = f"{bad:,} of {width:,} failed" if bad else f"{done:,} done" if done or not others else ""
    return " · ".join(part for part in (first, *others) if part)


def shares(look: NodeLook, room: float) -> list[tuple[str, float, float]]:
    """Return the bar of a mapped task: family, beginning and length of each part, in the order of `FAMILIES`.

    Each family that any child is in can be seen, be it one of a hundred thousand.

    >>> from flowbook.view.protocol import NodeLook
    >>> shares(NodeLook(0, "Mapped", width=4, counts={"Success": 3, "Failed": 1}), 101)
    [('good', 0.0, 75.0), ('bad', 76.0, 25.0)]
    """
    counts: Counter[str] = Counter()
    for state, count in (look.counts or {}).items():
        counts[family_of(state)] += count
    present = [family for family in FAMILIES if counts[family]]
    if not present:
        return []
    free, total = room - SHARE_GAP * (len(present) - 1), sum(counts.values())
    small = [family for family in present if free * counts[family] / total < SHARE_LEAST]
    left = free - SHARE_LEAST * len(small)
    rest = total - sum(counts[family] for family in small)
    made, x = [], 0.0
    for family in present:
        length = SHARE_LEAST if family in small else left * counts[family] / rest
        made.append((family, x, length))
        x += length + SHARE_GAP
    return made


def is_busy(look: NodeLook) -> bool:
    """Return whether a child of a mapped task runs."""
    return any(count and family_of(state) == "active" for state, count in (look.counts or {}).items())


def failed_children(look: NodeLook) -> int:
    """Return how many children of a mapped task have failed."""
    return sum(count for state, count in (look.counts or {}).items() if family_of(state) == "bad")


def node_title(look: NodeLook, card: NodeCard, now: float) -> str:
    """Return all there is to say about a node in one line, for tooltips and screen readers.

    >>> from flowbook.view.protocol import NodeCard, NodeLook
    >>> card = NodeCard(0, "clean-1", "clean", "task", [], [], attempts=3)
    >>> node_title(NodeLook(0, "Failed", "no rows", attempt=2, started=0, ended=1.2), card, 5)
    'clean: Failed · attempt 2 of 3 · no rows, 1.2 s'
    """
    texts = node_texts(look, card, now)
    return f"{clean(card.name)}: {texts.state}" + (f", {texts.time}" if texts.time else "")


def idle_text(card: NodeCard) -> str:
    """Return what stands in the state line of a node whose flow has not run.

    >>> from flowbook.view.protocol import NodeCard
    >>> idle_text(NodeCard(0, "load-1", "load", "task", [], [], attempts=4))
    'task · up to 4 attempts'
    """
    kind = f"mapped {card.kind}" if card.mapped else card.kind
    return f"{kind} · up to {card.attempts} attempts" if card.attempts > 1 else kind


def is_over(state: str) -> bool:
    """Return whether a task run in this state has ended.

    >>> is_over("Skipped"), is_over("Retrying")
    (True, False)
    """
    return family_of(state) in {"good", "bad"} or state in {"Skipped", "Cancelled"}


def is_due(look: NodeLook) -> bool:
    """Return whether the node waits for a moment that is known."""
    waits = family_of(look.state) in {"waiting", "warn"} and not is_over(look.state)
    return look.due is not None and waits


def task_runs(looks: Iterable[NodeLook]) -> Counter[str]:
    """Return how many task runs are in each state; a mapped task counts as its children once they are known."""
    counts: Counter[str] = Counter()
    for look in looks:
        counts.update(look.counts or {look.state: 1})
    return counts


def is_done(state: str) -> bool:
    """Return whether a task run counts as done: it has ended, and was not kept from running by a failure or a cancel.

    >>> is_done("Failed"), is_done("Skipped"), is_done("TriggerFailed"), is_done("Cancelled")
    (True, True, False, False)
    """
    return is_over(state) and state not in {"TriggerFailed", "Cancelled"}


def progress(looks: Iterable[NodeLook]) -> str:
    """Return how many task runs are done; those that were not run are not.

    >>> from flowbook.view.protocol import NodeLook
    >>> progress([NodeLook(0, "Success"), NodeLook(1, "Running")])
    '1 of 2'
    >>> progress([NodeLook(0, "Success"), NodeLook(1, "Mapping", width=12, counts={"Success": 5, "Running": 7})])
    '6 of 13'
    """
    runs = task_runs(looks)
    over = sum(count for state, count in runs.items() if is_done(state))
    return f"{over:,} of {sum(runs.values()):,}"


def family_counts(looks: Iterable[NodeLook]) -> dict[str, int]:
    """Return how many task runs each family has, in the order in which counts are shown, without empty ones."""
    counts: Counter[str] = Counter()
    for state, count in task_runs(looks).items():
        counts[family_of(state)] += count
    return {family: counts[family] for family in FAMILIES if counts[family]}


def counts_text(looks: Iterable[NodeLook]) -> str:
    """Return the counts in words; what was not run because of a failure has not failed itself.

    >>> from flowbook.view.protocol import NodeLook
    >>> counts_text([NodeLook(0, "Failed"), NodeLook(1, "Success"), NodeLook(2, "TriggerFailed")])
    '1 done, 1 failed, 1 not run'
    """
    looks = list(looks)
    missed = task_runs(looks)["TriggerFailed"]
    said = []
    for family, count in family_counts(looks).items():
        own = count - missed if family == "bad" else count
        said += [f"{own:,} {FAMILY_WORD[family]}"] if own else []
        said += [f"{missed:,} not run"] if family == "bad" and missed else []
    return ", ".join(said)


def run_texts(run: RunLook, looks: Sequence[NodeLook], now: float) -> tuple[str, str, str]:
    """Return the words of the header: state, progress, elapsed time or how long a run waits; empty if nothing."""
    if not run.state:
        count = len(looks)
        return "not run yet", ("" if not count else "1 task" if count == 1 else f"{count} tasks"), ""
    state = "Paused" if run.paused and not is_over(run.state) else clean(run.state)
    if run.due is not None and run.ended is None:
        return state, progress(looks) if looks else "", countdown(run.due - now)
    end = now if run.ended is None else run.ended
    return state, progress(looks) if looks else "", "" if run.started is None else duration(end - run.started)


def latest(looks: Sequence[NodeLook], run: RunLook) -> float:
    """Return the last moment that is known: where a picture that no longer moves stands still."""
    if run.ended is not None:
        return run.ended
    times = [run.started, *(time for look in looks for time in (look.started, look.ended))]
    return max((time for time in times if time is not None), default=run.due or 0.0)


def _round(value: float) -> int:
    """Round half up, as JavaScript does."""
    return floor(value + 0.5)


def _attempt(look: NodeLook, card: NodeCard) -> str:
    """Say which attempt, where it matters: a first attempt that goes well needs no number."""
    tells = look.attempt > 1 or look.state == "Retrying" or family_of(look.state) == "bad"
    if look.attempt < 1 or not tells or max(card.attempts, look.attempt) == 1 or look.state == "TriggerFailed":
        return ""
    # A RETRY signal may go beyond what the task allows; "5 of 4" would look like a mistake of ours.
    return f"attempt {look.attempt} of {card.attempts}" if look.attempt <= card.attempts else f"attempt {look.attempt}"


_TRIGGER = re.compile(r'^Trigger was "([^"]+)"')
_UNEXPECTED = re.compile(r"^Unexpected error: ")
_REPR = re.compile(r"^(\w+)\((['\"])(.*)\2\)$")


def detail_text(state: str, message: str) -> str:
    """Return what a message adds to the word of its state, without the words that all messages of its kind have.

    >>> detail_text("Failed", "Unexpected error: ValueError('no rows')")
    'ValueError: no rows'
    """
    if message in ROUTINE:
        return ""
    if trigger := _TRIGGER.match(message):
        return clean(trigger[1])
    text = _REPR.sub(r"\1: \3", clean(_UNEXPECTED.sub("", message)).strip())
    text = text[:-1] if text.endswith(".") and not text.endswith("..") else text
    return "" if text.replace(" ", "").lower() == state.lower() else text.removeprefix(f"{state} ")


def _detail(look: NodeLook) -> str:
    if look.state == "Retrying":
        return ""
    if look.result and family_of(look.state) == "good":
        return clean(look.result)
    return detail_text(look.state, look.message)


def _elapsed(look: NodeLook, card: NodeCard, now: float) -> str:
    is_running = family_of(look.state) == "active"
    if look.started is None or card.kind in TIMELESS or not (is_running or look.ended is not None):
        return ""
    return duration((now if look.ended is None else look.ended) - look.started)


def _waited(look: NodeLook, now: float) -> float | None:
    """Return the share of a wait that is over, when its beginning (the end of the last attempt) is known."""
    if look.due is None or look.ended is None or look.due <= look.ended:
        return None
    return min(1.0, max(0.0, (now - look.ended) / (look.due - look.ended)))
