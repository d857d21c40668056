"""What stays on Dask workers, as the client knows it: futures, and the values in them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from flowbook.engine.executors.dask_worker import Facts, Gathered, Ref, Stretch
from flowbook.engine.lazy import Holder
from flowbook.errors import ResultLost, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Inputs", "Kept", "KeptSequence", "OnWorkers", "kept"]

_LARGE = 1024


class OnWorkers:
    """One future: the value of a task run, or those of a chunk of them.

    Attributes:
        future: of Dask, until the value is gone.
        value: once it was fetched.
        on_fetched: told when it was.
        is_here: whether it was.
        gone: why it can't be fetched any more, or "".
        size: of what is there, in bytes.
        is_list: whether the value is a list or a tuple, so that stretches of it can be cut out.

    """

    __slots__ = (
        "__weakref__",
        "_lock",
        "future",
        "gone",
        "is_here",
        "is_list",
        "lease",
        "name",
        "on_fetched",
        "size",
        "value",
    )

    def __init__(self, future: Any, name: str, lease: object) -> None:
        self.future = future
        self.name = name
        self.lease = lease  # keeps the connection open as long as there may be something to fetch
        self.value: Any = None
        self.is_here = False
        self.is_list = False
        self.gone = ""
        self.size = 0
        self.on_fetched: Callable[[OnWorkers], None] | None = None
        self._lock = threading.Lock()

    def fetch(self) -> Any:
        """Bring the value here, once.

        Raises:
            ResultLost: it is not there any more.

        """
        with self._lock:
            if self.is_here:
                return self.value
            if self.gone:
                raise ResultLost(self.gone)
            try:
                value = self.future.result()
            except Exception as error:
                msg = f"the result of {self.name} could not be fetched from the Dask workers: {shown(error, 300)}."
                raise ResultLost(msg) from error
            self.take(value)
            return value

    def take(self, value: Any) -> None:
        """Note that the value is here, too."""
        self.value, self.is_here = value, True
        if self.on_fetched is not None:
            self.on_fetched(self)

    def lose(self, why: str) -> None:
        """Note that the value is on no worker any more."""
        self.future = None
        if not self.is_here:
            self.gone = why


class Kept(Holder):
    """A value, or a part of one, that is on workers."""

    __slots__ = ("facts", "path", "source")

    def __init__(self, source: OnWorkers, path: tuple[Any, ...] = (), facts: Facts | None = None) -> None:
        self.source = source
        self.path = path
        self.facts = facts

    def fetch(self) -> Any:
        """Return the value."""
        value = self.source.fetch()
        for step in self.path:
            value = value[step]
        return value

    def preview(self) -> str:
        """Return a few words for a picture, which must not bring the value here."""
        if self.facts is None:
            return ""
        if self.facts.text:
            return self.facts.text
        if self.facts.length is not None and self.facts.type in {"list", "tuple", "dict"}:
            return f"{self.facts.length:,} item{'s' if self.facts.length != 1 else ''}"
        return _bytes(self.facts.size) if self.facts.size >= _LARGE else ""

    @classmethod
    def fetch_together(cls, holders: Sequence[Kept]) -> None:
        """Bring several values here at once."""
        missing = {id(held.source): held.source for held in holders if not held.source.is_here}
        wanted = {source.future.key: source for source in missing.values() if source.future is not None}
        if len(wanted) > 1:
            client = next(iter(wanted.values())).future.client
            values = client.gather({key: source.future for key, source in wanted.items()}, errors="skip")
            for key, value in values.items():
                wanted[key].take(value)

    def __repr__(self) -> str:
        where = f"on the Dask workers, from {self.source.name}"
        if self.facts is None:
            return f"<value {where}>"
        text = f" {self.facts.text}" if self.facts.text else ""
        return f"<{self.facts.type}{text}, {_bytes(self.facts.size)}, {where}>"


class KeptSequence(Kept):
    """A value on workers that can be mapped over: its length is known, its elements are taken on the workers."""

    __slots__ = ()

    def __len__(self) -> int:
        return (self.facts and self.facts.length) or 0

    def __getitem__(self, index: int) -> Kept:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return Kept(self.source, (*self.path, index))

    def __iter__(self) -> Iterator[Kept]:
        return (self[index] for index in range(len(self)))


def kept(source: OnWorkers, path: tuple[Any, ...] = (), facts: Facts | None = None) -> Kept:
    """Return what stands for a value on workers."""
    return (Kept if facts is None or facts.length is None else KeptSequence)(source, path, facts)


class Inputs:
    """The futures one Dask task takes, while what it is called with is written down.

    Args:
        find: returns what is kept on workers of a value that was fetched meanwhile, so that it is not sent back.

    """

    def __init__(self, find: Callable[[Any], Kept | None]) -> None:
        self.find = find
        self.futures: list[Any] = []
        self.sources: list[OnWorkers] = []
        self._places: dict[int, int] = {}

    def written(self, value: Any) -> Any:
        """Return a value as it is sent to a worker: a reference to an input when it is there already."""
        if isinstance(value, list) and any(isinstance(item, Holder) for item in value):
            return Gathered(tuple(self._parts(value)))
        found = value if isinstance(value, Kept) else self.find(value)
        if found is None:
            return value
        place = self._place(found.source)
        return found.fetch() if place is None else Ref(place, found.path)

    def _place(self, source: OnWorkers) -> int | None:
        place = self._places.get(id(source))
        if place is None:
            future = source.future
            if future is None:  # gone
                return None
            place = self._places[id(source)] = len(self.futures)
            self.futures.append(future)
            self.sources.append(source)
        return place

    def _parts(self, values: list[Any]) -> Iterator[Any]:
        """Give the items of a list, those in a row of one chunk together."""
        row: Stretch | None = None
        for value in values:
            part = self.written(value)
            if isinstance(part, Ref) and len(part.path) == 1 and self.sources[part.place].is_list:
                start = part.path[0]
                if row is not None and row.place == part.place and row.stop == start:
                    row = Stretch(row.place, row.start, start + 1)
                    continue
                if row is not None:
                    yield row
                row = Stretch(part.place, start, start + 1)
                continue
            if row is not None:
                yield row
                row = None
            yield part
        if row is not None:
            yield row


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < _LARGE:
            return f"{size:.0f} {unit}"
        size /= _LARGE
    return f"{size:.1f} GB"
