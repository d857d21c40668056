"""The stream: hands the records of a run, in order, to those who read along.

Readers that only look now and then (the picture does, thirty times a second) need no stream: they read the machine's
log from where they stopped. A reader subscribed here is called on the runner's thread, right after the events happened
and before anything follows from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.events import Event, event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.events import Log

    Reader = Callable[[list[Event]], object]

__all__ = ["Stream"]


class Stream:
    """The readers of one run.

    Args:
        log: the machine's log.
        slugs: the slug of each task number.

    """

    def __init__(self, log: Log, slugs: Sequence[str]) -> None:
        self.log = log
        self.slugs = slugs
        self.readers: list[Reader] = []
        self.broken: list[tuple[Reader, BaseException]] = []
        self._published = 0

    def events(self, start: int = 0) -> list[Event]:
        """Return the events from a place in the list on."""
        return [event_of(start + offset, record, self.slugs) for offset, record in enumerate(self.log.rows(start))]

    def subscribe(self, reader: Reader) -> Callable[[], None]:
        """Call `reader` with each new batch of events; return the function that ends this.

        A reader that raises is not called again; the run goes on, and `broken` tells.
        """
        if not self.readers:
            self._published = len(self.log)
        self.readers.append(reader)

        def unsubscribe() -> None:
            if reader in self.readers:
                self.readers.remove(reader)

        return unsubscribe

    def publish(self) -> None:
        """Hand out what happened since the last time."""
        if not self.readers or self._published == len(self.log):
            return
        batch = self.events(self._published)
        self._published = len(self.log)
        for reader in list(self.readers):
            try:
                reader(batch)
            except BaseException as error:  # noqa: BLE001, PERF203 - a listener's fault must not disturb the run
                if reader in self.readers:
                    self.readers.remove(reader)
                self.broken.append((reader, error))
