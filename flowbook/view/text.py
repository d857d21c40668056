"""Draw a flow in characters, for terminals and for ``text/plain``.

One row per task, from first to last. A rail runs down from each task until the last task that waits for it; where a
row takes a result from a rail, the rail bends or branches to the row's sign.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowbook.view import words
from flowbook.view.measure import clean, elide
from flowbook.view.palette import family_of, glyph_of
from flowbook.view.protocol import NodeLook, RunLook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flowbook.view.protocol import NodeCard

_UNICODE = {"down": "│", "across": "─", "end": "╰", "start": "╯", "both": "┴", "left": "├", "right": "┤", "all": "┼"}
_ASCII = {"down": "|", "across": "-", "end": "`", "start": "'", "both": "+", "left": "+", "right": "+", "all": "+"}
_ASCII_SIGN = {"good": "*", "bad": "x", "active": ">", "warn": "!", "waiting": "o"}
_NAME_MOST = 48
_MANY = 200
"""More tasks than this are listed without rails: nobody follows a hundred of them."""
_MOST = 1000


def draw_text(
    name: str,
    cards: Sequence[NodeCard],
    looks: Iterable[NodeLook] | None = None,
    run: RunLook | None = None,
    *,
    ascii_only: bool = False,
    now: float | None = None,
) -> str:
    """Draw a flow in characters.

    Args:
        name: of the flow.
        cards: its nodes, from `picture.node_cards`.
        looks: how they are; any that is missing has not run.
        run: how the run is.
        ascii_only: use no character beyond ASCII in the drawing itself; names stay as they are.
        now: the kernel's time; by default the last moment that the looks know of.

    Returns:
        Lines without a line break at the end.

    >>> from flowbook.view.protocol import NodeCard
    >>> a = NodeCard(0, "a-1", "extract", "task", [], [1, 2], 1)
    >>> b = NodeCard(1, "b-1", "clean", "task", [0], [2], 1)
    >>> c = NodeCard(2, "c-1", "join", "task", [0, 1], [], 1)
    >>> print(draw_text("etl", [a, b, c]))
    etl · not run yet · 3 tasks
    ○    extract
    ├─○  clean
    ○─╯  join
    """
    given = {look.node: look for look in looks or ()}
    ordered = [given.get(card.node, NodeLook(card.node, "")) for card in cards]
    run = run or RunLook("")
    at = now if now is not None else words.latest(ordered, run)
    head = " · ".join([clean(name), *(fact for fact in words.run_texts(run, ordered, at) if fact)])
    names = [_shortened(card.name) for card in cards]
    told = [_told(card, look, at) for card, look in zip(cards, ordered, strict=True)]
    signs = [_sign(look, ascii_only=ascii_only) for look in ordered]
    rows = list(_rows(cards, names, signs, _ASCII if ascii_only else _UNICODE))
    rail = max((len(row.drawn) for row in rows), default=0)
    wide = max((len(name) for name in names), default=0)
    lines = [head.replace(" · ", " - ") if ascii_only else head]
    for row in rows:
        line = "  ".join([f"{row.drawn:<{rail}}", f"{names[row.node]:<{wide}}", told[row.node] + row.note])
        lines.append(line.replace(" · ", " - ") if ascii_only else line)
    if len(cards) > len(rows):
        lines.append(f"... and {len(cards) - len(rows):,} more")
    lines += [clean(run.sentence)] if run.sentence else []
    return "\n".join(line.rstrip() for line in lines)


def _sign(look: NodeLook, *, ascii_only: bool) -> str:
    return _ASCII_SIGN[family_of(look.state)] if ascii_only else glyph_of(look.state or "Pending")


def _told(card: NodeCard, look: NodeLook, now: float) -> str:
    texts = words.node_texts(look, card, now)
    is_plain = not look.state and texts.state == "task"
    return "  ".join(part for part in ("" if is_plain else texts.state, texts.time) if part)


@dataclass(frozen=True)
class _Row:
    node: int
    drawn: str
    note: str = ""


def _rows(
    cards: Sequence[NodeCard],
    names: Sequence[str],
    signs: Sequence[str],
    characters: Mapping[str, str],
) -> Iterable[_Row]:
    if len(cards) > _MANY:
        for card in cards[:_MOST]:
            yield _Row(card.node, signs[card.node])
        return
    rails = _Rails(characters)
    for card in _order(cards):
        late = [names[up] for up in card.upstream if up not in rails.seen]
        note = f"  waits in a circle for {', '.join(late)}" if late else ""
        yield _Row(card.node, rails.row(card, signs[card.node]), note)


def _shortened(name: str) -> str:
    return elide(clean(name), _NAME_MOST * 0.62, 1, "mono")


def _order(cards: Sequence[NodeCard]) -> Iterable[NodeCard]:
    """Each task after what it waits for; of those that may come, the one that ends most rails, then the newest."""
    by_number = {card.node: card for card in cards}
    waiting = {card.node: set(card.upstream) for card in cards}
    open_ends = {card.node: len(card.downstream) for card in cards}
    came: dict[int, int] = {}
    ready = {number for number, upstream in waiting.items() if not upstream}
    while waiting:
        # A cycle leaves nothing ready: break it at the first task, which then says what it waits for.
        number = min(
            ready or waiting,
            key=lambda one: (
                -sum(open_ends[up] == 1 for up in by_number[one].upstream) + bool(by_number[one].downstream),
                -max((came.get(up, -1) for up in by_number[one].upstream), default=-1),
                one,
            ),
        )
        ready.discard(number)
        del waiting[number]
        came[number] = len(came)
        for up in by_number[number].upstream:
            open_ends[up] -= 1
        for down in by_number[number].downstream:
            if down in waiting:
                waiting[down].discard(number)
                if not waiting[down]:
                    ready.add(down)
        yield by_number[number]


@dataclass
class _Rails:
    """The rails that run down beside the rows: which task each column carries, and to how many more rows."""

    signs: Mapping[str, str]
    columns: list[int | None] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    resting: set[int] = field(default_factory=set)

    def row(self, card: NodeCard, sign: str) -> str:
        """Draw the row of one task and move on below it."""
        ups = [up for up in card.upstream if up in self.seen]
        for up in ups:
            self.left[up] -= 1
        taken = {self.columns.index(up): self.left[up] == 0 for up in ups}
        place = self._place(taken)
        drawn = self._draw(taken, place, sign)
        ended = {column for column, is_end in taken.items() if is_end}
        for column in ended:
            self.columns[column] = None
        # A column that was in use just now stays free for one row: signs right below each other are connected.
        self.resting = ended | {place}
        self.seen.add(card.node)
        after = sum(down not in self.seen for down in card.downstream)
        if after:
            self.columns[place] = card.node
            self.left[card.node] = after
        return drawn

    def _place(self, taken: Mapping[int, bool]) -> int:
        """The column of the task: a rail that ends here, else the first free one right of its rails."""
        ended = [column for column, is_end in taken.items() if is_end]
        if ended:
            return max(ended) if len(ended) < len(taken) else min(ended)
        least = max(taken, default=-1) + 1
        for column in range(least, len(self.columns)):
            if self.columns[column] is None and column not in self.resting:
                return column
        self.columns.append(None)
        return len(self.columns) - 1

    def _draw(self, taken: Mapping[int, bool], place: int, sign: str) -> str:
        touched = [*taken, place]
        first, last = min(touched), max(touched)
        drawn = []
        for column, carried in enumerate(self.columns):
            if column == place:
                mark = sign
            elif column in taken:
                mark = self.signs[_joint(column, place, first, last, is_end=taken[column])]
            elif carried is not None:
                mark = self.signs["down"]
            else:
                mark = self.signs["across"] if first < column < last else " "
            drawn.append(mark + (self.signs["across"] if first <= column < last else " "))
        return "".join(drawn).rstrip()


def _joint(column: int, place: int, first: int, last: int, *, is_end: bool) -> str:
    if column == first and column < place:
        return "end" if is_end else "left"
    if column == last and column > place:
        return "start" if is_end else "right"
    return "both" if is_end else "all"
