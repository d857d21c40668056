"""Versions: which cell makes a name for which reader, and where nobody can tell."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flowbook.errors import shown
from flowbook.sources.notebook import Notebook, Uses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.notebook.cells import TaskCell
    from flowbook.sources import CellNames

__all__ = ["Problem", "problems", "uses_of", "versions"]


@dataclass(frozen=True)
class Problem:
    """Something that keeps a cell from running, with the ways out.

    Attributes:
        kind: "ambiguous", when it is not clear who makes a name; "missing", when the cell that did was forgotten.
        name: of what is read.
        reader: the task that reads it.
        writers: the tasks that make it.
        text: what to do, in words.

    """

    kind: Literal["ambiguous", "missing"]
    name: str
    reader: str
    writers: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.text


def uses_of(names: Sequence[CellNames]) -> list[Uses]:
    """Return what each cell does, functions of other cells followed."""
    return Notebook(names).uses


def versions(uses: Iterable[Uses]) -> dict[str, dict[int, int]]:
    """Return for each name which cells make a new version of it: place of the cell to number, from 1.

    >>> from flowbook.sources import analyse
    >>> versions(uses_of([analyse("x = 1"), analyse("y = x"), analyse("x = 2")]))["x"]
    {0: 1, 2: 2}

    """
    found: dict[str, dict[int, int]] = {}
    for place, use in enumerate(uses):
        for name in use.writes | use.maybe | use.mutates:
            numbers = found.setdefault(name, {})
            numbers[place] = len(numbers) + 1
    return found


def problems(
    cells: Sequence[TaskCell], forgotten: Iterable[TaskCell] = (), known: Iterable[str] = ()
) -> tuple[Problem, ...]:
    """Tell which reads are bound to nothing, or to more than one thing.

    What ``--in`` names is taken as it is found in the notebook.

    Args:
        cells: in document order.
        forgotten: cells that were tasks.
        known: names that are there before the first cell: parameters.

    """
    uses = uses_of([cell.names for cell in cells])
    there, gone, found = _ALWAYS.union(known), list(forgotten), []
    for place, (cell, use) in enumerate(zip(cells, uses, strict=True)):
        if "in" in cell.given:
            continue
        for name in sorted(use.reads - there):
            earlier = [other for other, before in enumerate(uses[:place]) if name in before.writes | before.maybe]
            sure = [other for other in earlier if name in uses[other].writes]
            if sure:
                continue
            later = [other for other in range(place + 1, len(cells)) if name in uses[other].writes]
            lost = [ghost.name for ghost in gone if name in ghost.names.writes | ghost.names.maybe_writes]
            if len(earlier) > 1:
                found.append(_alternatives(name, cell, [cells[other].name for other in earlier]))
            elif not earlier and lost:
                found.append(_missing(name, cell, lost))
            elif not earlier and later and name not in use.writes | use.maybe:
                found.append(_above(name, cell, [cells[other].name for other in later]))
    return tuple(found)


# What every cell of a notebook can use, whether another one binds that name or not.
_ALWAYS = frozenset(vars(builtins)) | {"display", "get_ipython"}


def _alternatives(name: str, cell: TaskCell, writers: list[str]) -> Problem:
    listed = " and ".join(map(shown, writers))
    text = (
        f"task {shown(cell.name)} reads {name}, which {listed} may each make, or not. Rename it in one of them, "
        f"merge the cells into one, or take what is there: %%task {cell.name} --in {name}"
    )
    return Problem("ambiguous", name, cell.name, tuple(writers), text)


def _above(name: str, cell: TaskCell, writers: list[str]) -> Problem:
    listed = " and ".join(map(shown, writers))
    text = (
        f"task {shown(cell.name)} reads {name}, which only {listed} below it "
        f"{'makes' if len(writers) == 1 else 'make'}. Rename it in one of them, merge the cells into one (or move "
        f"the reader below), or take what is there: %%task {cell.name} --in {name}"
    )
    return Problem("ambiguous", name, cell.name, tuple(writers), text)


def _missing(name: str, cell: TaskCell, writers: list[str]) -> Problem:
    text = (
        f"task {shown(cell.name)} needs {name}, which the forgotten cell {shown(writers[-1])} made. Bring it back: "
        f"%flowbook restore {writers[-1]}. Or make {name} in another cell; or forget it once more, and {name} is "
        f"taken as it is in the notebook: %flowbook forget {writers[-1]}"
    )
    return Problem("missing", name, cell.name, tuple(writers), text)
