"""Blocks: tasks that belong together because they were made inside one ``with``.

While a block is open, every task that is added to a flow joins it, and the blocks around it. Parameters and constants
stay outside: their values are there whatever happens to the block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.contexts import context, given_values
from flowbook.errors import FlowError, shown
from flowbook.parameters import Parameter
from flowbook.tasks.core.collections import Constant

if TYPE_CHECKING:
    from types import TracebackType

    from flowbook.flows import Flow
    from flowbook.tasks.base import Task

__all__ = ["Block", "outside_of_blocks"]


class Block:
    """Tasks of one flow, gathered while a ``with`` is open."""

    def __init__(self, flow: Flow | None = None) -> None:
        self.flow = flow
        self.tasks: dict[Task, None] = {}
        self._around: Block | None = None
        self._open: list[Any] = []

    def add_task(self, task: Task, flow: Flow) -> None:
        """Let a task join the block; inside ``with`` this happens by itself.

        Args:
            task: the task; a parameter or a constant stays outside.
            flow: the flow it belongs to.

        Raises:
            FlowError: the block has tasks of another flow.

        """
        if isinstance(task, (Parameter, Constant)):
            return
        if self.flow is not None and self.flow is not flow:
            raise FlowError(
                f"task {shown(task.name)} of flow {shown(flow.name)} was made inside {self}, whose tasks are of flow "
                f"{shown(self.flow.name)}. Open a block of its own for each flow."
            )
        self.flow = flow
        self.tasks[task] = None
        if self._around is not None:
            self._around.add_task(task, flow)

    def first_tasks(self, flow: Flow) -> list[Task]:
        """Return the tasks with nothing upstream inside the block."""
        return [task for task in self.tasks if flow.upstream_tasks(task).isdisjoint(self.tasks)]

    def last_tasks(self, flow: Flow) -> list[Task]:
        """Return the tasks with nothing downstream inside the block."""
        return [task for task in self.tasks if flow.downstream_tasks(task).isdisjoint(self.tasks)]

    def opened(self) -> None:
        """Begin to gather tasks."""
        if not self._open:
            self._around = given_values().get("_block")
        block = context(_block=self)
        block.__enter__()
        self._open.append(block)

    def closed(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop gathering."""
        self._open.pop().__exit__(kind, error, trace)


def outside_of_blocks(around: Block | None = None) -> Any:
    """Return a ``with`` in which tasks join no block, or the given one."""
    return context(_block=around)
