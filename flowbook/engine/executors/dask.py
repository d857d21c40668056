"""The Dask executor: bodies run on the workers of a `dask.distributed` cluster, on this machine or on many.

Tasks are submitted as they become ready, with the futures of what they need as inputs, so values stay on the workers
and travel from one to another. What comes here of a task run is a short report; the value comes when somebody looks at
``state.result``. Retries, triggers, caches, handlers and mapping stay with the engine: Dask is asked for one attempt at
a time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import os
from typing import TYPE_CHECKING, Any

from flowbook.engine.executors.dask_connection import Connection
from flowbook.engine.executors.dask_drive import Drive
from flowbook.errors import FlowError, UnknownArgument, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flowbook.engine.runner import Runner

__all__ = ["DaskExecutor"]

GATHER_LIMIT = 64 * 2**20

# What may cross a network: the others carry pickles, which are programs, for everybody to read and to change.
_SECURE = ("tls", "wss", "inproc")


class DaskExecutor:
    """Run bodies on Dask workers.

    Args:
        address: of a scheduler, as ``tls://10.0.0.1:8786``; without one a cluster is started for each run and closed at
            its end.
        cluster_class: what to start instead of a `distributed.LocalCluster`, or the full name of it.
        cluster_kwargs: for the cluster; by default one worker with one thread per core.
        adapt_kwargs: for ``cluster.adapt``, as ``{"minimum": 1, "maximum": 10}``.
        client_kwargs: for the `distributed.Client`; ``{"security": Security(...)}`` gives it certificates.
        debug: show what Dask itself logs.
        performance_report_path: where to write Dask's performance report of a run (this needs bokeh).
        disable_cancellation_event: leave what was handed to Dask alone when a run is cancelled.
        watch_worker_status: log which workers come and go; by default when there are `adapt_kwargs`.
        client: a client that is open already.
        allow_insecure: connect by plain ``tcp://`` to another machine all the same. Everybody on the way can read the
            data, and whoever can reach the scheduler can run programs on the workers.
        gather_limit: how many bytes of results to bring here before a cluster of ours is closed; larger ones are lost
            with it.

    Raises:
        UnknownArgument: arguments that contradict each other.
        FlowError: a plain address of another machine.

    """

    name = "dask"

    def __init__(
        self,
        address: str | None = None,
        cluster_class: type[Any] | str | Callable[..., Any] | None = None,
        cluster_kwargs: Mapping[str, Any] | None = None,
        adapt_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
        *,
        debug: bool = False,
        performance_report_path: str | os.PathLike[str] | None = None,
        disable_cancellation_event: bool = False,
        watch_worker_status: bool | None = None,
        client: Any = None,
        allow_insecure: bool = False,
        gather_limit: int = GATHER_LIMIT,
    ) -> None:
        if address is not None and (cluster_class or cluster_kwargs or adapt_kwargs):
            raise UnknownArgument(
                f"address={shown(address)} names a cluster that runs already; cluster_class, cluster_kwargs and "
                "adapt_kwargs are for one that is started. Give one or the other."
            )
        if client is not None and (address or cluster_class or cluster_kwargs or adapt_kwargs or client_kwargs):
            raise UnknownArgument("client= is connected already: leave out address, cluster_… and client_kwargs.")
        if gather_limit < 0:
            msg = f"gather_limit={shown(gather_limit)} must be a number of bytes, at least 0."
            raise ValueError(msg)
        self.address = address
        self.cluster_class = cluster_class
        self.cluster_kwargs = dict(cluster_kwargs or {})
        self.adapt_kwargs = dict(adapt_kwargs or {})
        self.client_kwargs = dict(client_kwargs or {})
        self.debug = debug
        self.performance_report_path = performance_report_path
        self.disable_cancellation_event = disable_cancellation_event
        self.watch_worker_status = bool(adapt_kwargs) if watch_worker_status is None else watch_worker_status
        self.client = client
        self.allow_insecure = allow_insecure
        self.gather_limit = gather_limit
        self._kept_open: Connection | None = None
        # the clusters of runs that may be taken up again, and need their results
        self._waiting: dict[Runner, Connection] = {}
        if address is not None:
            self._refuse_plain(address)

    @classmethod
    def in_notebook(cls) -> DaskExecutor:
        """Return an executor for the client that is open in this process; without one, for a cluster of this machine.

        This is what ``executor="dask"`` means.
        """
        _distributed()
        from distributed import default_client  # noqa: PLC0415 - only where Dask is

        try:
            return cls(client=default_client())
        except ValueError:
            return cls()

    def drive(self, runner: Runner) -> None:
        """Run bodies until all tasks have ended or only a person can go on."""
        _distributed()
        connection = self._connection(runner)
        if self.watch_worker_status:
            connection.watch_workers()
        try:
            with self._performance_report(connection.client):
                Drive(runner, connection, takes_back=not self.disable_cancellation_event).drive()
        finally:
            if connection.is_temporary:
                if runner.machine.is_parked and not connection.is_lost:
                    self._waiting[runner] = connection
                else:
                    connection.close(runner.machine.states, self.gather_limit)

    @contextlib.contextmanager
    def connected(self, runner: Runner) -> Iterator[Any]:
        """Yield the client of a run, for who has other work for Dask than the bodies of tasks.

        Args:
            runner: the run.

        """
        _distributed()
        connection = self._connection(runner)
        try:
            yield connection.client
        finally:
            if connection.is_temporary:
                connection.close((), 0)

    def close(self) -> None:
        """Close the connection, and the cluster that was started for it; results that were not fetched are lost."""
        if self._kept_open is not None:
            self._kept_open.close((), 0)
            self._kept_open = None
        while self._waiting:
            self._waiting.popitem()[1].close((), 0)

    # -- connecting --------------------------------------------------------------------------------------------------

    def _connection(self, runner: Runner) -> Connection:
        waiting = self._waiting.pop(runner, None)
        if waiting is not None and not waiting.is_lost:
            return waiting
        if self.client is not None:
            return Connection(self.client)
        from distributed import Client  # noqa: PLC0415 - only where Dask is

        options = {"set_as_default": False, **self.client_kwargs}
        if self.address is not None:
            if self._kept_open is None or self._kept_open.is_lost:
                self._kept_open = Connection(Client(self.address, **options), is_ours=True)
            return self._kept_open
        cluster = self._cluster()
        try:
            self._refuse_plain(str(getattr(cluster, "scheduler_address", "")))
            if self.adapt_kwargs:
                cluster.adapt(**self.adapt_kwargs)
            client = Client(cluster, **options)
        except BaseException:
            cluster.close()
            raise
        return Connection(client, cluster=cluster, is_ours=True)

    def _cluster(self) -> Any:
        from distributed import LocalCluster  # noqa: PLC0415 - only where Dask is

        made = self.cluster_class
        if isinstance(made, str):
            made = _named(made)
        options = dict(self.cluster_kwargs)
        if made is None or made is LocalCluster:
            if "n_workers" not in options and "threads_per_worker" not in options and not self.adapt_kwargs:
                options.update(n_workers=os.cpu_count() or 1, threads_per_worker=1)
            if options.get("processes", True):
                options.setdefault("host", "127.0.0.1")  # nobody elsewhere has anything to ask of it
            options.setdefault("dashboard_address", "127.0.0.1:0")  # several may run on this machine
            if not self.debug:
                import logging  # noqa: PLC0415 - only here

                options.setdefault("silence_logs", logging.CRITICAL)
        return (made or LocalCluster)(**options)

    def _refuse_plain(self, address: str) -> None:
        scheme, _, rest = address.rpartition("://")
        host = rest.rpartition(":")[0].strip("[]") if ":" in rest else rest
        if self.allow_insecure or scheme in _SECURE or _is_this_machine(host):
            return
        raise FlowError(
            f"address={shown(address)} is a plain connection to another machine: everybody on the way can read the "
            "data, and whoever reaches the scheduler can run programs. Use a tls:// address with "
            'client_kwargs={"security": distributed.Security(...)}, or allow_insecure=True on a network that you trust.'
        )

    def _performance_report(self, client: Any) -> Any:
        if self.performance_report_path is None:
            return contextlib.nullcontext()
        if not _is_there("bokeh"):
            raise ImportError("performance_report_path= needs bokeh, which draws the report: pip install bokeh.")
        from distributed import performance_report  # noqa: PLC0415 - only where Dask is

        stack = contextlib.ExitStack()
        stack.enter_context(client.as_current())
        stack.enter_context(performance_report(filename=os.fspath(self.performance_report_path)))
        return stack

    def __repr__(self) -> str:
        where = self.address or (self.client and shown(self.client, 80)) or "a cluster for each run"
        return f"<DaskExecutor: {where}>"


def _named(name: str) -> Any:
    """Return the class of a full name."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        msg = f"cluster_class={shown(name)} cannot be imported: {error}. Give a full name: 'distributed.SSHCluster'."
        raise UnknownArgument(msg) from error


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _distributed() -> None:
    """Make sure that Dask is there.

    Raises:
        ImportError: it is not.

    """
    if not _is_there("distributed"):
        raise ImportError(
            "executor='dask' needs dask.distributed. Install it with: pip install 'jupyter-flowbook[dask]'."
        )
