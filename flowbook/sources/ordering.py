"""Which cells must run before which, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flowbook.sources.effects import FEELS
from flowbook.sources.names import CellNames, Dependency
from flowbook.sources.notebook import Notebook, Uses
from flowbook.sources.reading import analyse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EFFECT_WORDS = {
    "random": "random numbers",
    "files": "files",
    "process": "the process (working directory, environment, other programs)",
    "settings": "settings of libraries",
    "plot": "pyplot's current figure",
}


# Hints that are no state on their own: what is ordered because of them is ordered elsewhere.
_NO_STATE = frozenset(["random", "log", "clock"])


@dataclass(slots=True)
class _Track:
    """What happened to one name so far, in document order.

    `versions`: the cells whose value a reader may see now. `last`: the last cell after which the name or its
    object was not the same, and `how` in words. `readers`: the cells that read it since. `module`: what it
    stands for when the last event was an import.
    """

    versions: list[int] = field(default_factory=list)
    last: int | None = None
    how: str = ""
    readers: list[int] = field(default_factory=list)
    module: str | None = None


def dependencies(cells: Iterable[CellNames | str]) -> list[Dependency]:
    """Tell which cells must run before which, and why.

    One namespace is meant, in which all cells run: any order that keeps to the answer leaves the same values as
    document order. A read is bound to the nearest earlier writer of the name ("data"); all else that could
    go wrong (write after read, change in place, delete, hidden state, opaque cells) is an "order" edge. Names
    that `temporaries` lists are left out: whoever runs cells at the same time must keep those apart.

    Args:
        cells: the cells in document order, analysed or as text.

    Returns:
        At most one dependency for each two cells, sorted by the downstream and then the upstream cell.

    >>> for edge in dependencies(["df = load()", "mean = df.mean()", "df['late'] = df.delay > 9", "df.head()"]):
    ...     print(edge.upstream, edge.downstream, edge.kind, edge.reason)
    0 1 data reads df
    0 2 data reads df
    1 2 order changes df in place, which the earlier cell reads
    2 3 data reads df
    >>> dependencies(["np.random.seed(1)", "a = 2 * b", "x = np.random.rand()"])[0].reason
    'both use random numbers'
    """
    names = _analysed(cells)
    notebook = Notebook(names)
    return _Orders(names, notebook.uses).edges()


def temporaries(cells: Iterable[CellNames | str]) -> tuple[frozenset[str], ...]:
    """Tell for each cell which of its names are nobody else's: loop, with and underscore names read only in it.

    `dependencies` does not order cells because of them. After a run, the value of such a name is the one of the
    last cell, in document order, that binds it.

    >>> temporaries(["for i in rows: total = i", "for i in columns: print(i)", "print(total)"])
    (frozenset({'i'}), frozenset({'i'}), frozenset())
    """
    names = _analysed(cells)
    return _temporaries(names, Notebook(names).uses)


def outputs(cells: Iterable[CellNames | str]) -> tuple[frozenset[str], ...]:
    """Tell for each cell which of the names it makes or changes another cell reads.

    >>> outputs(["a = 1; b = 2", "c = a", "print(c)"])
    (frozenset({'a'}), frozenset({'c'}), frozenset())
    """
    names = _analysed(cells)
    notebook = Notebook(names)
    found: list[set[str]] = [set() for _ in names]
    for edge in _Orders(names, notebook.uses).edges():
        if edge.kind == "data":
            found[edge.upstream].update(edge.names)
    return tuple(frozenset(one) for one in found)


def shared_cells(cells: Iterable[CellNames | str]) -> frozenset[int]:
    """Tell which cells only set the scene: imports, definitions and constants that no other cell touches.

    >>> sorted(
    ...     shared_cells(
    ...         [
    ...             "import math",
    ...             "r = 2",
    ...             "def area(): return math.pi * r**2",
    ...             "log = []",
    ...             "log.append(area())",
    ...         ]
    ...     )
    ... )
    [0, 1, 2]
    """
    names = _analysed(cells)
    uses = Notebook(names).uses
    shared = {position for position, cell in enumerate(names) if cell.shareable and uses[position].opaque is None}
    touched: dict[str, set[int]] = {}
    for position, use in enumerate(uses):
        for name in use.changing() | names[position].fleeting:
            touched.setdefault(name, set()).add(position)

    def is_alone(position: int) -> bool:
        for name in names[position].writes | names[position].maybe_writes:
            path = names[position].modules.get(name)
            others = touched[name] - {position}
            if others and not (path and all(names[other].modules.get(name) == path for other in others)):
                return False
        return True

    shared = {position for position in shared if is_alone(position)}
    while True:
        made = {name for position in shared for name in names[position].writes}
        kept = {
            position
            for position in shared
            if all(name in made or name not in touched for name in names[position].reads)
        }
        if kept == shared:
            return frozenset(shared)
        shared = kept


def _analysed(cells: Iterable[CellNames | str]) -> list[CellNames]:
    return [analyse(cell) if isinstance(cell, str) else cell for cell in cells]


def _temporaries(names: Sequence[CellNames], uses: Sequence[Uses]) -> tuple[frozenset[str], ...]:
    if any(use.opaque is not None for use in uses):
        return tuple(frozenset() for _ in names)  # an opaque cell may read any name
    wanted: set[str] = set()
    for cell, use in zip(names, uses, strict=True):
        wanted |= use.reads | use.mutates | use.may.keys() | use.deletes | (use.changing() - cell.temporary)
        for body in cell.deferred.values():
            wanted |= body.reads | body.writes
    return tuple(cell.temporary - wanted for cell in names)


class _Orders:
    """Goes through the cells once and collects the reasons for each two of them."""

    def __init__(self, names: Sequence[CellNames], uses: Sequence[Uses]) -> None:
        self.names = names
        self.uses = uses
        self.private = _temporaries(names, uses)
        self.found: dict[tuple[int, int], tuple[list[str], list[str], list[str]]] = {}
        self.tracks: dict[str, _Track] = {}
        self.states: dict[str, _Track] = {}
        self.objects: dict[int, _Track] = {}
        self.barrier: int | None = None
        self.unknown: list[int] = []  # cells that call what is not known
        self.sure: list[int] = []  # cells that surely use files, since the last one that changes some
        self.draws = any("random" in use.effects for use in uses)
        self.used = _used(names, uses)

    def edges(self) -> list[Dependency]:
        for position in range(len(self.names)):
            self._barrier(position)
            self._names(position)
            self._objects(position)
            self._effects(position)
            self._unknown_calls(position)
            self._measure(position)
        return [
            self._edge(upstream, downstream, *found)
            for (upstream, downstream), found in sorted(self.found.items(), key=lambda item: (item[0][1], item[0][0]))
        ]

    def _edge(self, up: int, down: int, data: list[str], order: list[str], reasons: list[str]) -> Dependency:
        kind: Literal["data", "order"] = "data" if data else "order"
        reads = [f"reads {', '.join(sorted(data))}"] if data else []
        names = tuple(sorted(set(data or order)))
        return Dependency(up, down, names, kind, "; ".join(dict.fromkeys((*reads, *reasons))))

    def _add(self, up: int | None, down: int, name: str, reason: str) -> None:
        if up is None or up == down:
            return
        data, order, reasons = self.found.setdefault((up, down), ([], [], []))
        if not reason:
            data.append(name)
        else:
            if name:
                order.append(name)
            reasons.append(reason)

    def _barrier(self, position: int) -> None:
        reason = self.uses[position].opaque
        start = 0 if self.barrier is None else self.barrier
        if reason is not None:
            for earlier in range(start, position):
                self._add(earlier, position, "", f"runs after all cells above: {reason}")
        elif self.barrier is not None:
            why = self.uses[self.barrier].opaque
            self._add(self.barrier, position, "", f"runs after the earlier cell: {why}")
        if reason is not None:
            self.barrier = position

    def _names(self, position: int) -> None:
        cell, use, private = self.names[position], self.uses[position], self.private[position]
        changing = {name: self._verb(name, use) for name in use.changing() - private}
        for name in cell.fleeting:
            if self.used.get(name, set()) - {position}:
                changing.setdefault(name, f"unbinds {name} after an except")
        same = {name for name in changing if self._imports_again(cell, name)}
        for name in sorted(use.reads - private):
            track = self.tracks.setdefault(name, _Track())
            for version in track.versions:
                self._add(version, position, name, "")
            if track.last is not None and track.last not in track.versions:
                self._add(track.last, position, name, f"reads {name}, and the earlier cell {track.how}")
        for name in sorted(changing.keys() - same):
            track = self.tracks.setdefault(name, _Track())
            for reader in track.readers:
                self._add(reader, position, name, f"{changing[name]}, which the earlier cell reads")
            if name not in use.reads:
                self._add(track.last, position, name, f"{changing[name]}, and the earlier cell {track.how}")
        for name in use.reads - private - changing.keys():
            self.tracks[name].readers.append(position)
        for name in changing.keys() - same:
            self._record(position, name, changing[name])

    def _objects(self, position: int) -> None:
        """Order uses of one object under names that have since come to mean something else."""
        use = self.uses[position]
        for token in sorted(use.seen.keys() | use.touched):
            track = self.objects.setdefault(token, _Track())
            name = use.seen.get(token, "")
            if token in use.touched:
                for earlier in (*track.readers, *([] if track.last is None else [track.last])):
                    self._add_if_new(earlier, position, "changes an object which the earlier cell uses")
                track.last, track.readers = position, []
            else:
                if track.last is not None:
                    self._add_if_new(track.last, position, f"reads {name}, whose object the earlier cell may change")
                track.readers.append(position)

    def _add_if_new(self, up: int, down: int, reason: str) -> None:
        if (up, down) not in self.found:
            self._add(up, down, "", reason)

    def _record(self, position: int, name: str, how: str) -> None:
        track, use = self.tracks[name], self.uses[position]
        if name in use.writes or name in use.mutates:
            track.versions = [position]
        elif name in use.maybe:
            track.versions.append(position)
        track.last, track.how, track.readers = position, how, []
        track.module = self.names[position].modules.get(name)

    def _imports_again(self, cell: CellNames, name: str) -> bool:
        track = self.tracks.get(name)
        path = cell.modules.get(name)
        return path is not None and track is not None and track.module == path and name in cell.writes

    @staticmethod
    def _verb(name: str, use: Uses) -> str:
        if name in use.mutates:
            return f"changes {name} in place"
        if name in use.writes:
            return f"writes {name}"
        if name in use.deletes:
            return f"deletes {name}"
        if name in use.maybe:
            return f"may write {name}"
        return use.may[name]

    def _measure(self, position: int) -> None:
        """Keep what stands between two looks at a clock between them."""
        for start in sorted(self.uses[position].measures):
            for between in range(start + 1, position):
                reason = f"stands between the looks at a clock of cells {start + 1} and {position + 1}"
                self._add_if_new(start, between, reason)
                self._add_if_new(between, position, reason)

    def _unknown_calls(self, position: int) -> None:
        """Keep calls of what is not known, which may use files, and cells that surely do in document order."""
        use = self.uses[position]
        if "files" in use.effects | use.looks:
            for earlier in self.unknown:
                self._add_if_new(earlier, position, "uses files, which the earlier cell may do by what it calls")
            if "files" in use.effects:  # all that is above comes before, and what uses files below comes after
                self.sure, self.unknown = [], []
            self.sure.append(position)
        elif "random" in use.hints:
            for earlier in self.sure:
                self._add_if_new(earlier, position, "may use files by what it calls, and the earlier cell does")
            self.unknown.append(position)

    def _effects(self, position: int) -> None:
        use = self.uses[position]
        changes = set(use.effects)
        if self.draws and "random" in use.hints:
            changes.add("random")
        looks = use.looks | (use.hints - _NO_STATE)
        for effect in changes | use.looks:
            looks |= set(FEELS.get(effect, ()))
        for effect in sorted(changes | looks):
            track = self.states.setdefault(effect, _Track())
            surely = effect in use.effects or effect in use.looks
            reason = f"both {'use' if surely else 'may use'} {_EFFECT_WORDS.get(effect, effect)}"
            self._add(track.last, position, effect, reason)
            if effect in changes:
                for reader in track.readers:
                    self._add(reader, position, effect, reason)
                track.last, track.readers = position, []
            else:
                track.readers.append(position)


def _used(names: Sequence[CellNames], uses: Sequence[Uses]) -> dict[str, set[int]]:
    """Name -> cells that read or change it, in whatever way."""
    used: dict[str, set[int]] = {}
    for position, (cell, use) in enumerate(zip(names, uses, strict=True)):
        deferred = {name for body in cell.deferred.values() for name in body.reads | body.writes}
        for name in use.reads | use.changing() | deferred:
            used.setdefault(name, set()).add(position)
    return used
