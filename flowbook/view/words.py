"""Decide what a picture says: durations, the state line of a node, progress, counts.

Pure functions of looks, cards and a time. The browser says the same words; the vectors in
``tests/protocol/texts.json`` are read by both languages.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.view.measure import clean
from flowbook.view.palette import FAMILIES, FAMILY_WORD, ROUTINE, family_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.view.protocol import NodeCard, NodeLook, RunLook

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class NodeTexts:
    """The words of one node: its state line, the time at its right, and the share of a wait that is over."""

    state: str
    time: str = ""
    bar: float | None = None


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
    left = math.ceil(seconds - 1e-6)
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
    >>> node_texts(NodeLook(0, "Retrying", attempt=2, started=0, ended=1, due=5), card, 3)
    NodeTexts(state='Retrying · attempt 2 of 4', time='in 2 s', bar=0.5)
    """
    if not look.state:
        return NodeTexts(idle_text(card))
    parts = [clean(look.state), _attempt(look, card), _detail(look)]
    line = " · ".join(part for part in parts if part)
    if is_due(look) and look.due is not None:
        return NodeTexts(line, countdown(look.due - now), _waited(look, now))
    return NodeTexts(line, _elapsed(look, card, now))


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
    return f"{card.kind} · up to {card.attempts} attempts" if card.attempts > 1 else card.kind


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


def progress(looks: Iterable[NodeLook]) -> str:
    """Return how many task runs have ended.

    >>> from flowbook.view.protocol import NodeLook
    >>> progress([NodeLook(0, "Success"), NodeLook(1, "Running")])
    '1 of 2'
    """
    over = [is_over(look.state) for look in looks]
    return f"{sum(over)} of {len(over)}"


def family_counts(looks: Iterable[NodeLook]) -> dict[str, int]:
    """Return how many nodes each family has, in the order in which counts are shown, without empty ones."""
    counts = Counter(family_of(look.state) for look in looks)
    return {family: counts[family] for family in FAMILIES if counts[family]}


def counts_text(looks: Iterable[NodeLook]) -> str:
    """Return the counts in words.

    >>> from flowbook.view.protocol import NodeLook
    >>> counts_text([NodeLook(0, "Failed"), NodeLook(1, "Success"), NodeLook(2, "Cached")])
    '2 done, 1 failed'
    """
    return ", ".join(f"{count} {FAMILY_WORD[family]}" for family, count in family_counts(looks).items())


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
    return max((time for time in times if time is not None), default=0.0)


def _round(value: float) -> int:
    """Round half up, as JavaScript does."""
    return math.floor(value + 0.5)


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


def _detail(look: NodeLook) -> str:
    if look.state == "Retrying":
        return ""
    if look.result and family_of(look.state) == "good":
        return clean(look.result)
    if look.message in ROUTINE:
        return ""
    if trigger := _TRIGGER.match(look.message):
        return clean(trigger[1])
    text = _REPR.sub(r"\1: \3", clean(_UNEXPECTED.sub("", look.message)).strip())
    text = text[:-1] if text.endswith(".") and not text.endswith("..") else text
    return "" if text.replace(" ", "").lower() == look.state.lower() else text.removeprefix(f"{look.state} ")


def _elapsed(look: NodeLook, card: NodeCard, now: float) -> str:
    is_running = family_of(look.state) == "active"
    if look.started is None or card.kind in {"parameter", "constant"} or not (is_running or look.ended is not None):
        return ""
    return duration((now if look.ended is None else look.ended) - look.started)


def _waited(look: NodeLook, now: float) -> float | None:
    """Return the share of a wait that is over, when its beginning (the end of the last attempt) is known."""
    if look.due is None or look.ended is None or look.due <= look.ended:
        return None
    return min(1.0, max(0.0, (now - look.ended) / (look.due - look.ended)))
