"""Again: which cells must be run again so that the end is that of a whole run.

When some cells are run again, so is

* whatever needs them;
* what made an object that one of them has changed in place: a cell that failed may have done half of it;
* what draws random numbers or uses another hidden state of the process, before one of them that does so too.

Imports, definitions and settings only set the scene: they can be run at any time before all others, and need not.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from flowbook.sources import CellNames, CellSyntaxError, Dependency, analyse, shared_cells
from flowbook.sources.notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.notebook.documents import Document

__all__ = ["Again", "again_in"]

# Hidden state that is not where it was, once a cell has used it.
_OF_THE_PROCESS = frozenset({"random", "process", "settings", "plot"})
_SETTINGS = frozenset({"process", "settings"})


class Again:
    """Works out which cells must be run again, with the reason of each.

    Args:
        names: what each cell reads and writes, in document order.
        titles: what messages call each cell.
        dependencies: which must run before which.

    Attributes:
        changes: the names that cells which have begun to run before changed then, by position; None means any.
        serials: numbers that tell which of these cells ran after which; without them, any may have after any other.
        reasons: why cells are run again, by position.

    >>> from flowbook.sources import analyse, dependencies
    >>> names = [analyse(code) for code in ("x = []", "x.append(1)", "y = 2")]
    >>> again = Again(names, ("one", "two", "three"), dependencies(names))
    >>> again.changes = {1: again.changed_by(1)}
    >>> again.add(1, "its text has changed")
    True
    >>> again.follow()
    >>> again.reasons
    {1: 'its text has changed', 0: 'two needs x as before, and what ran since may have changed it'}

    """

    def __init__(self, names: Sequence[CellNames], titles: Sequence[str], dependencies: Sequence[Dependency]) -> None:
        self.names = names
        self.titles = titles
        self.dependencies = dependencies
        self.uses = Notebook(names).uses
        self.shared = frozenset(shared_cells(names))
        self.changes: Mapping[int, frozenset[str] | None] = {}
        self.serials: Mapping[int, int] = {}
        self.reasons: dict[int, str] = {}

    def changed_by(self, position: int) -> frozenset[str] | None:
        """Return the names a cell changes; None when its text does not tell."""
        uses = self.uses[position]
        if uses.opaque is not None and not uses.opaque.startswith("from "):
            return None
        return frozenset(uses.changing())

    def changed_before(self, position: int, reached: str) -> frozenset[str] | None:
        """Return the names that a cell changed which did not come to its end; None when that cannot be told.

        Args:
            position: of the cell.
            reached: the part of its text that was run, see `flowbook.notebook.traces.reached`.

        """
        try:
            names = [*self.names[:position], analyse(reached), *self.names[position + 1 :]]
        except CellSyntaxError:
            return self.changed_by(position)
        return Again(names, self.titles, self.dependencies).changed_by(position)

    def comes_first(self, position: int) -> bool:
        """Tell whether a cell only sets the scene, so that it can be run at any time before all others."""
        cell, uses = self.names[position], self.uses[position]
        if uses.opaque is not None:
            return uses.opaque.startswith("from ")
        only_settings = uses.changing() <= cell.imports and uses.effects <= _SETTINGS
        return position in self.shared or (only_settings and bool(uses.effects or cell.imports))

    def add(self, position: int, reason: str) -> bool:
        """Have a cell run again; return whether that is news."""
        if position in self.reasons:
            return False
        self.reasons[position] = reason
        return True

    def follow(self) -> None:
        """Add what else must be run again because of the cells that are."""
        while self._step():
            pass

    def _step(self) -> bool:
        began = [at for at in self.reasons if at in self.changes]
        why = "another one that is run may have changed anything"
        opaque = [at for at in began if self.changes[at] is None]
        touched = [one for one in range(len(self.names)) if any(self._ran_after(at, one) for at in opaque)]
        news = False
        for one in touched:
            news |= self.add(one, why)
        for found in self.dependencies:
            up, down = found.upstream, found.downstream
            if up in self.reasons:
                news |= self.add(down, f"it runs after {self.titles[up]}, which is run")
            elif down in self.reasons and (why := self._why(up, down, found.names, began)):
                news |= self.add(up, why)
        return news

    def _ran_after(self, one: int, other: int) -> bool:
        """Tell whether a cell may have run after another one; what it changed before, that one has made anew."""
        ran, before = self.serials.get(one), self.serials.get(other)
        return ran is None or before is None or ran > before

    def _is_used(self, up: int, down: int, hidden: frozenset[str] | None = None) -> bool:
        """Tell whether the state that a cell left is another one by now than in a whole run, when `down` is reached.

        Args:
            up: position of the cell.
            down: position of a later one that goes on from there.
            hidden: the state; None stands for any.

        """
        return any(
            at >= down
            and self._ran_after(at, up)
            and (hidden is None or self.uses[at].opaque is not None or bool(hidden & self.uses[at].effects))
            for at in self.changes
        )

    def _why(self, up: int, down: int, names: tuple[str, ...], began: Sequence[int]) -> str:
        """Return why a cell must be run again before another one, or an empty text."""
        called = self.titles[down]
        if self.comes_first(up):
            return ""
        if opaque := self.uses[up].opaque or self.uses[down].opaque:
            may = f"{called} is run, and one of the two may do anything: {opaque}"
            return may if self._is_used(up, down) else ""
        if hidden := _OF_THE_PROCESS & set(names):
            needs = f"{called} is run, and needs the same {', '.join(sorted(hidden))}"
            return needs if self._is_used(up, down, hidden) else ""
        damaged = frozenset[str]().union(*(self.changes[at] or () for at in began if self._ran_after(at, up)))
        if changed := damaged & set(names):
            it = "it" if len(changed) == 1 else "them"
            return f"{called} needs {', '.join(sorted(changed))} as before, and what ran since may have changed {it}"
        if not names and down in self.changes and self._ran_after(down, up):
            return f"{called} may have changed an object of it"
        return ""


def again_in(document: Document) -> Again:
    """Return what works out which cells of a document are run again; none yet."""
    known: Again | None = document.kept.get("again")
    if known is None:
        titles = [f"cell {cell.number}" for cell in document.cells]
        known = Again([cell.names for cell in document.cells], titles, document.dependencies)
        document.kept["again"] = known
    made = copy.copy(known)  # to follow the cells takes a while, and is the same each time
    made.changes, made.serials, made.reasons = {}, {}, {}
    return made
