"""Apart: which cells of a notebook may run in a process of their own, and why others may not.

A cell in another process works on copies. It may do so only where nobody can tell: it changes nothing that was there
before, feels nothing hidden, and defines nothing. All others run in the kernel process, where the namespace is. What
only running it can tell (whether objects can be copied, whether it changed one after all) is looked at in
`flowbook.notebook.parcels`; a cell that fails there is run in the kernel process as well.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cached_property
from typing import TYPE_CHECKING

from flowbook.sources import analyse, shared_cells
from flowbook.sources.magics import parse_cell
from flowbook.sources.notebook import HISTORY, Notebook, Uses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.notebook.documents import Document

__all__ = ["FROM_CACHE", "IN_PROCESS", "Apart", "in_kernel", "is_hash_random"]

FROM_CACHE = "It was taken from the cache: its code and all that it reads are unchanged."
IN_PROCESS = "It ran in a process of its own."

_FELT = {
    "random": "draws or may draw random numbers",
    "files": "writes files",
    "process": "uses or changes the process (working directory, environment, other programs)",
    "settings": "changes or reads settings of libraries",
    "plot": "draws figures",
}
# Settings of a notebook's own display, which what runs apart does not need.
_PLOTTING = re.compile(r"^[ \t]*%(?:matplotlib|config InlineBackend)\b.*$", re.MULTILINE)
# What gives another answer in another process, or hands out parts of objects that a copy has not.
_TELLTALE = {
    "set": "may build a set, whose order is another one in another process",
    "frozenset": "may build a set, whose order is another one in another process",
    "hash": "calls hash(), which gives another number in another process",
    "id": "calls id(), which gives another number in another process",
    "vars": "calls vars(), which hands out the inside of an object",
    "__dict__": "uses __dict__, the inside of an object",
}


def in_kernel(reason: str) -> str:
    """Return the sentence which tells that a cell runs in the kernel process, and why.

    >>> in_kernel("draws figures")
    'It runs in the kernel process, since it draws figures.'

    """
    return f"It runs in the kernel process, since it {reason}."


def is_hash_random() -> bool:
    """Tell whether another process may order sets of texts in another way.

    What the environment says of the seed may have been set after this process began; Dask does that for its workers.
    """
    return bool(sys.flags.hash_randomization)


class Apart:
    """Works out for each cell of a document whether it may run in a process of its own.

    Args:
        document: the notebook.

    Attributes:
        uses: what each cell does, other cells followed.
        scene: the cells that only import, define and set constants; who runs apart runs those that it needs first.

    """

    def __init__(self, document: Document) -> None:
        self.document = document
        names = [cell.names for cell in document.cells]
        self.uses = Notebook(names).uses
        self.scene = frozenset(shared_cells(names))
        self._reasons: dict[int, str] = {}

    def reason(self, position: int) -> str:
        """Return why a cell runs in the kernel process: what it does. An empty text when it may run apart."""
        if position not in self._reasons:
            self._reasons[position] = self._reason(position)
        return self._reasons[position]

    def _reason(self, position: int) -> str:
        cell, use = self.document.cells[position], self.uses[position]
        if cell.problem is not None:
            return "is not Python"
        if (opaque := cell.names.opaque or use.opaque) is not None:
            return f"is opaque: {opaque}"
        if any(HISTORY.fullmatch(name) for name in cell.names.writes):
            return "binds a name that IPython keeps for values of the cells before"
        if position in self.scene or cell.names.deferred or cell.names.imports:
            return "imports or defines what others use"
        return self._hidden(position) or self._changes(use) or self._telltale(position) or self._foreign(position)

    def _hidden(self, position: int) -> str:
        """Return what hidden state a cell has to do with."""
        use = self.uses[position]
        touched = (use.effects | (use.looks - {"files"})) or (use.hints & self._present)
        if touched:
            return _FELT[min(touched)]
        if "random" in use.hints:
            return "calls what may keep a state of its own"
        changed = max((at for at in self._settings if at < position), default=-1)
        if changed >= 0:
            return f"comes after cell {self.document.cells[changed].number}, which changes settings of libraries"
        patched = max((at for at in self._patches if at < position), default=-1)
        if patched >= 0:
            number = self.document.cells[patched].number
            return f"comes after cell {number}, which changes {self._patches[patched]}, a part of a library"
        return ""

    @cached_property
    def _patches(self) -> dict[int, str]:
        """The cells that put something into what is imported, and into which name."""
        imported = {name for cell in self.document.cells for name in cell.names.modules}
        found: dict[int, str] = {}
        for at, cell in enumerate(self.document.cells):
            if cell.problem is None and at not in self.settings:
                names = (name for node in self._nodes(at) for name in _changed_attributes(node))
                changed = next((name for name in names if name in imported), "")
                if changed:
                    found[at] = changed
        return found

    @cached_property
    def _present(self) -> set[str]:
        """The hidden state that some cell surely changes, settings apart."""
        return set().union(*(use.effects for use in self.uses)) - {"settings"}

    @cached_property
    def settings(self) -> tuple[int, ...]:
        """The cells at the top of the notebook that change settings of libraries, and do nothing else."""
        found: list[int] = []
        for position, cell in enumerate(self.document.cells):
            if position in self.scene:
                continue
            use, names = self.uses[position], cell.names
            if use.effects != {"settings"} or use.opaque is not None or not use.changing() <= names.imports:
                break
            found.append(position)
        return tuple(found)

    @cached_property
    def _settings(self) -> tuple[int, ...]:
        """The cells that change settings and are not among those at the top."""
        changing = [at for at, use in enumerate(self.uses) if "settings" in use.effects]
        return tuple(at for at in changing if at not in self.settings)

    @staticmethod
    def _changes(use: Uses) -> str:
        """Return what a cell changes of what was there before."""
        if use.deletes:
            return f"deletes {min(use.deletes)}"
        if use.mutates:
            return f"changes {min(use.mutates)} in place"
        return next((use.may[name] for name in sorted(use.may)), "")

    def _telltale(self, position: int) -> str:
        """Return what of its code, or of the functions it may call, would tell that it runs elsewhere."""
        for at in (position, *self.needed(position)):
            for node in self._nodes(at):
                if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) and at == position:
                    return "awaits, and the event loop is in the kernel process"
                if isinstance(node, ast.AnnAssign) and at == position and self._asks_for_annotations:
                    return "adds to __annotations__, which another cell reads"
                if isinstance(node, ast.Set | ast.SetComp) and is_hash_random():
                    return _TELLTALE["set"]
                word = getattr(node, "id", None) or getattr(node, "attr", None)
                if word == "get_ipython":
                    return "has a magic or a shell command"
                if word in _TELLTALE and (is_hash_random() or "set" not in word):
                    return _TELLTALE[word]
        return ""

    @cached_property
    def _asks_for_annotations(self) -> bool:
        return any("__annotations__" in cell.names.reads for cell in self.document.cells)

    def _nodes(self, position: int) -> list[ast.AST]:
        return [node for top in parse_cell(self.document.cells[position].source) for node in ast.walk(top)]

    def _foreign(self, position: int) -> str:
        """Return which function of another cell it uses that is not made once and for all."""
        for at, cell in enumerate(self.document.cells):
            if at not in self.scene and (met := self.uses[position].reads & cell.names.deferred.keys()):
                return f"uses {min(met)}, which cell {cell.number} does not only define"
        return ""

    def needed(self, position: int, also: Iterable[str] = ()) -> list[int]:
        """Return the cells that must be run before in the process where this one runs, in order.

        Args:
            position: of the cell.
            also: names of classes and functions that its objects need, besides those which it reads.

        """
        use = self.uses[position]
        found: set[int] = set()
        if "settings" in use.hints | use.looks:
            found |= {at for at in self.settings if at < position and self._is_more_than_plots(at)}
        imported = {name for cell in self.document.cells for name in cell.names.modules}
        # what is imported goes along by its name; only definitions look for it earlier
        wanted = (use.reads - imported).union(also, *(self.uses[at].reads for at in found))
        while True:
            known = {at for at in {*self.scene, *self.settings} - found if at < position}
            more = {at for at in known if self._writes(at) & wanted}
            if not more:
                return sorted(found)
            found |= more
            for at in more:
                wanted |= self.uses[at].reads

    def _writes(self, position: int) -> frozenset[str]:
        names = self.document.cells[position].names
        return names.writes | names.maybe_writes

    def _is_more_than_plots(self, position: int) -> bool:
        """Tell whether settings concern more than figures, which are drawn in the kernel process."""
        names = self.document.cells[position].names
        modules = {name: path for cell in self.document.cells for name, path in cell.names.modules.items()}
        used = {modules.get(name, "") for name in names.reads | names.imports}
        if used and all(path.partition(".")[0] in {"matplotlib", "seaborn"} for path in used):
            return False
        source = self.document.cells[position].source
        without = _PLOTTING.sub("", source)
        return without == source or "settings" in analyse(without).effects


def _changed_attributes(node: ast.AST) -> list[str]:
    """Return the names of which a statement or a call changes an attribute."""
    target: ast.AST | None = None
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        target = node
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"setattr", "delattr"} and node.args:
        target = node.args[0]
    while isinstance(target, ast.Attribute):
        target = target.value
    return [target.id] if isinstance(target, ast.Name) else []
