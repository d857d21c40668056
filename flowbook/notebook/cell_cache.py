"""The cell cache: what cells of a notebook file made, for runs in which code and all that they read are unchanged.

Only cells that may run apart can be kept (see `flowbook.notebook.apart`): for all others what they make does not follow
from their text and what they read. The files are in the person's cache folder, and hold pickles; so only those are read
which nobody else could have written. What was not used for long makes room for what is new.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

import flowbook
from flowbook.errors import FlowError
from flowbook.notebook.kept import cache_folder, private_bytes, write_private
from flowbook.sources.magics import parse_cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from flowbook.notebook.apart import Apart
    from flowbook.notebook.documents import Document

__all__ = ["CellCache"]

# How much is kept of one notebook (bytes).
ROOM = 1 << 30
# Names and attributes with which a cell may ask for what no input tells.
_ASKS = frozenset(
    ["now", "utcnow", "today", "time", "time_ns", "perf_counter", "monotonic", "process_time", "localtime", "gmtime"]
)
NEW = "its code or something that it reads is new"


class CellCache:
    """What cells of one notebook file have made.

    Args:
        document: the notebook.
        apart: which of its cells may run apart.

    Attributes:
        taken: ids of the cells that were taken from the cache in this run.
        reasons: why others were not, by id.

    """

    def __init__(self, document: Document, apart: Apart) -> None:
        self.document = document
        self.apart = apart
        digest = hashlib.sha256(str(document.path.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self.folder: Path = cache_folder() / "cells" / digest
        self.taken: set[str] = set()
        self.reasons: dict[str, str] = {}
        self._versions = sorted(_versions(document))

    def reason(self, position: int) -> str:
        """Return why a cell is not kept though it may run apart; an empty text when it may be kept."""
        if "files" in self.apart.uses[position].looks | self.apart.uses[position].hints:
            return "reads files, which may have changed"
        for at in (position, *self.apart.needed(position)):
            for node in (one for top in parse_cell(self.document.cells[at].source) for one in ast.walk(top)):
                if (getattr(node, "id", None) or getattr(node, "attr", None)) in _ASKS:
                    return "may ask what time it is"
        return ""

    def key(self, position: int, data: bytes, used: Iterable[str], private: Iterable[str]) -> str:
        """Return what identifies code and inputs of a cell.

        Args:
            position: of the cell.
            data: what it reads, packed.
            used: the functions and classes that belong to it.
            private: names that it makes for itself alone.

        """
        cells = [self.document.cells[at] for at in (*self.apart.needed(position, used), position)]
        code = [(cell.number, cell.source) for cell in cells]
        facts = (flowbook.__version__, sys.version_info[:3], self._versions, code, sorted(private))
        return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass") + b"\0" + data).hexdigest()

    def find(self, key: str) -> bytes | None:
        """Return what is kept under a key; None when nothing is, or when others could have written it."""
        path = self.folder / f"{key}.cell"
        try:
            found = private_bytes(path)
        except (OSError, FlowError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # it was used now
        return found

    def keep(self, key: str, answer: bytes) -> None:
        """Keep what a cell has made; nothing is said when that cannot be done."""
        with contextlib.suppress(OSError):
            write_private(self.folder / f"{key}.cell", answer)

    def make_room(self) -> None:
        """Remove what was not used for longest, when there is more than is kept."""
        with contextlib.suppress(OSError):
            files = sorted(((path.stat().st_mtime, path) for path in self.folder.glob("*.cell")), reverse=True)
            used = 0
            for _, path in files:
                used += path.stat().st_size
                if used > ROOM:
                    path.unlink(missing_ok=True)

    def told(self) -> list[str]:
        """Tell in lines which cells were taken, and why others were not."""
        cells = self.document.cells
        taken = ", ".join(str(cell.number) for cell in cells if cell.id in self.taken)
        lines = [f"Taken from the cache, cells: {taken or 'none'}"]
        by_reason: dict[str, list[str]] = {}
        for cell in cells:
            if cell.id in self.reasons:
                by_reason.setdefault(self.reasons[cell.id], []).append(str(cell.number))
        for reason, numbers in by_reason.items():
            lines.append(f"Run, cell{'s' * (len(numbers) > 1)} {', '.join(numbers)}: {reason}")
        return lines


def _versions(document: Document) -> set[tuple[str, str]]:
    """Return the versions of the libraries that a notebook imports."""
    roots = {path.partition(".")[0] for cell in document.cells for path in cell.names.modules.values()}
    found: set[tuple[str, str]] = set()
    for root in roots:
        with contextlib.suppress(Exception):  # a library may have none, or an odd one
            from importlib.metadata import version  # noqa: PLC0415 - only for notebooks whose cells are kept

            found.add((root, version(root)))
    return found


def unpacked(answer: bytes) -> tuple[bool, Any]:
    """Return what a worker answered: whether the cell ran there, and what came of it, or why it did not."""
    found: tuple[bool, Any] = pickle.loads(answer)  # noqa: S301 - by our own worker
    return found
