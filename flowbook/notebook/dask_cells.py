"""Dask cells: cells of a notebook file on the workers of a `dask.distributed` cluster.

They go there like those that run in processes of this machine (see `flowbook.notebook.workers`), but for what belongs
to one machine: workers keep their own folder and environment, and cells that read files stay where the notebook is.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from flowbook.engine.executors.threads import ThreadExecutor
from flowbook.engine.journey import WorkerLost
from flowbook.notebook.workers import CellProcesses, run_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from flowbook.engine.executors.dask import DaskExecutor
    from flowbook.engine.runner import Runner
    from flowbook.notebook.document_flow import DocumentRun

__all__ = ["DaskCellExecutor"]


class DaskCellExecutor:
    """Runs the cells of a notebook file: those that may on Dask workers, the others on threads of this process.

    Args:
        run: whose cells.
        dask: says which workers.

    """

    name = "dask"

    def __init__(self, run: DocumentRun, dask: DaskExecutor) -> None:
        self.run = run
        self.dask = dask

    def drive(self, runner: Runner) -> None:
        """Run cells until all tasks have ended or only a person can go on."""
        with self.dask.connected(runner) as client, _Calls(client) as calls:
            self.run.elsewhere = CellProcesses(self.run, calls.call, is_far=True)
            try:
                ThreadExecutor().drive(runner)
            finally:
                self.run.elsewhere = None


class _Calls:
    """The cells that are at work; what is still there at the end is given up."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.lock = threading.Lock()
        self.waiting: set[Any] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.lock:
            left = list(self.waiting)
        for future in left:
            with contextlib.suppress(Exception):  # the cluster may be gone already
                future.cancel(force=True)

    def call(self, letter: bytes) -> bytes:
        """Have a worker run a cell, and return its answer.

        Raises:
            WorkerLost: no worker came to the end of it.

        """
        future = self.client.submit(run_apart, letter, pure=False)
        with self._noted(future):
            try:
                answer: bytes = future.result()
            except BaseException as error:  # noqa: BLE001 - Dask has many ways to lose a worker
                msg = f"Its Dask worker was lost: {type(error).__name__}: {str(error)[:200]}"
                raise WorkerLost(msg) from None
        return answer

    @contextlib.contextmanager
    def _noted(self, future: Any) -> Iterator[None]:
        with self.lock:
            self.waiting.add(future)
        try:
            yield
        finally:
            with self.lock:
                self.waiting.discard(future)
