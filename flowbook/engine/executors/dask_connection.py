"""A connection to Dask: what of a client several drives share, and how it ends."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

from flowbook.engine.lazy import held_by
from flowbook.errors import UnknownArgument, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowbook.engine.executors.dask_results import OnWorkers
    from flowbook.engine.runner import Runner
    from flowbook.states import State

    Hearer = Callable[[str | None, Any], None]

__all__ = ["Connection"]

# What a plugin of the scheduler knows our Dask tasks by: an annotation.
ONE_ATTEMPT = "flowbook_one_attempt"

# How many task runs each run has submitted so far, by number: the keys of Dask are never used twice.
_attempts: weakref.WeakKeyDictionary[Runner, Counter[int]] = weakref.WeakKeyDictionary()

# Who hears what workers tell the clients of this process.
_hearers: weakref.WeakKeyDictionary[Any, list[Hearer]] = weakref.WeakKeyDictionary()


class Connection:
    """An open client, and the cluster that was started for it, if there is one.

    Args:
        client: of `distributed`.
        cluster: that was started for it, and is closed with it.
        is_ours: whether the client was opened by us, and is closed when nobody needs it any more.

    Attributes:
        topic: under which workers tell this client what came of attempts; one for each client, since a scheduler keeps
            the last messages of each topic for ever.

        annotations: of each Dask task of ours.
        left_alone: futures of runs that were cancelled, kept so that what they stand for runs to its end.

    Raises:
        UnknownArgument: the client is closed, or one for coroutines.

    """

    def __init__(self, client: Any, *, cluster: Any = None, is_ours: bool = False) -> None:
        if getattr(client, "_asynchronous", False):
            raise UnknownArgument(
                "the Dask client is one for coroutines (asynchronous=True), which nobody can wait for outside of its "
                "event loop. Open a plain one: Client(address)."
            )
        if client.status != "running":
            msg = f"the Dask client {shown(client)} is {client.status}. Open a new one: Client(...)."
            raise UnknownArgument(msg)
        self.client = client
        self.cluster = cluster
        self.address = str(getattr(client.scheduler, "address", "?"))
        self.topic = f"flowbook-{client.id}"
        self.annotations = {ONE_ATTEMPT: True}
        self.left_alone: list[Any] = []
        self._closing = weakref.finalize(self, _close_elsewhere, client, cluster) if is_ours else None
        if self._closing is not None:
            self._closing.atexit = False  # distributed closes what is left then
        client.register_plugin(_one_attempt_plugin())

    @property
    def is_temporary(self) -> bool:
        """Whether a cluster was started for this connection."""
        return self.cluster is not None

    @property
    def is_lost(self) -> bool:
        """Whether the scheduler can't be reached any more."""
        return bool(self.client.status != "running")

    @property
    def why_lost(self) -> str:
        """What to tell of a lost connection."""
        return f"The connection to the Dask scheduler at {self.address} was lost. Its results went with it."

    def was_lost(self, future: Any) -> bool:
        """Tell whether a future was cancelled because the scheduler could not be reached, if only for a moment."""
        error = getattr(getattr(future, "_state", None), "exception", None)
        return getattr(error, "reason", "") == "scheduler-connection-lost"

    def slots(self) -> int:
        """Return how many bodies the workers can run at the same time."""
        threads: dict[str, int] = self.client.nthreads()
        return max(1, sum(threads.values()))

    def next_attempt(self, runner: Runner, number: int) -> int:
        """Count how often a task run was submitted."""
        counts = _attempts.setdefault(runner, Counter())
        counts[number] += 1
        return counts[number]

    # -- what workers tell -------------------------------------------------------------------------------------------

    def listen(self, hear: Hearer) -> None:
        """Call `hear` with what workers tell, on Dask's thread."""
        hearers = _hearers.setdefault(self.client, [])
        hearers.append(hear)

        def dispatch(event: tuple[float, tuple[str, bytes]]) -> None:
            for told in list(hearers):
                told(*event[1])

        # each time anew: a scheduler that was lost for a moment has forgotten it
        self.client.subscribe_topic(self.topic, dispatch)

    def hush(self, hear: Hearer) -> None:
        """Call `hear` no more."""
        hearers = _hearers.get(self.client, [])
        if hear in hearers:
            hearers.remove(hear)

    def kept_message(self, key: str) -> bytes | None:
        """Return what a worker told of an attempt, as far as the scheduler remembers it."""
        try:
            events = self.client.get_events(self.topic)
        except Exception:  # noqa: BLE001 - whatever breaks a connection: the next glance sees that it is lost
            return None
        found = [message for _, (told, message) in events if told == key and message]
        return found[-1] if found else None

    # -- the end -----------------------------------------------------------------------------------------------------

    def close(self, states: Iterable[State | None], limit: int) -> None:
        """Close the client and its cluster, after bringing here what the states hold, smallest first, up to a limit."""
        sources = {id(held.source): held.source for state in states if (held := held_by(state)) is not None}  # type: ignore[attr-defined]
        self._rescue([source for source in sources.values() if not source.is_here], limit)
        if self._closing is not None and self._closing.detach() is not None:
            _close(self.client, self.cluster)

    def _rescue(self, sources: list[OnWorkers], limit: int) -> None:
        wanted: dict[str, OnWorkers] = {}
        left = limit
        for source in sorted(sources, key=lambda source: source.size):
            left -= source.size
            if left < 0 or source.future is None:
                break
            wanted[source.future.key] = source
        if wanted and not self.is_lost:
            values = self.client.gather({key: source.future for key, source in wanted.items()}, errors="skip")
            for key, value in values.items():
                wanted[key].take(value)
        for source in sources:
            source.lose(
                f"the result of {source.name} was left on the Dask workers, and went when the cluster of this run was "
                f"closed: {limit / 2**20:.0f} MB are brought here before. Raise DaskExecutor(gather_limit=...), store "
                "it in the task, or run on a cluster of your own: DaskExecutor(client=Client())."
            )


def _close(client: Any, cluster: Any) -> None:
    client.close()
    if cluster is not None:
        cluster.close()


def _close_elsewhere(client: Any, cluster: Any) -> None:
    """Close on a thread of its own: this is called wherever the last reference goes, perhaps on Dask's own thread."""
    threading.Thread(target=_close, args=(client, cluster), name="flowbook-dask-close", daemon=True).start()


def _one_attempt_plugin() -> Any:
    """Make a plugin that has the scheduler run each of our Dask tasks once.

    When a worker dies, Dask runs what it was running elsewhere, and gives up after some deaths only. Whether a body may
    be run again is for the task's retries to say. So each task of ours begins with all its deaths but one behind it.
    The class is made here, so that it is sent as it stands, and the scheduler needs nothing of ours for it.
    """
    from distributed import SchedulerPlugin  # noqa: PLC0415 - only where Dask is

    class OneAttempt(SchedulerPlugin):  # type: ignore[misc]  # ships no types that are read
        name = ONE_ATTEMPT
        idempotent = True  # the first one stays

        def update_graph(self, scheduler: Any, *, annotations: Any, **kwargs: Any) -> None:  # noqa: ARG002
            for key in annotations.get("flowbook_one_attempt", ()):
                task = scheduler.tasks.get(key)
                if task is not None:
                    task.suspicious = max(task.suspicious, scheduler.allowed_failures)

    return OneAttempt()
