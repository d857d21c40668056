"""``with case(task, value):``, whose tasks run only when the task's result is that value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.mapping import EdgeAnnotation
from flowbook.tasks.base import Task
from flowbook.tasks.blocks import Block, outside_of_blocks
from flowbook.tasks.control_flow.conditional import CompareValue

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from flowbook.flows import Flow

__all__ = ["case"]


class case(Block):  # noqa: N801 - reads as a statement, as in the reference API
    """Run the tasks made inside only when a result equals a value; otherwise they are skipped.

    A task that takes nothing from another one inside the block waits for the comparison; the others follow from it.

    Args:
        task: the task whose result decides.
        value: what it has to be; not a task.

    Raises:
        TypeError: the value is a task, or the task is annotated as mapped and the like.

    >>> from flowbook import Flow, case, task
    >>> from flowbook.tasks.control_flow import merge
    >>> @task
    ... def weather():
    ...     return "rain"
    >>> @task
    ... def take(what):
    ...     return what
    >>> with Flow("walk") as flow:
    ...     sky = weather()
    ...     with case(sky, "rain"):
    ...         wet = take("umbrella")
    ...     with case(sky, "sun"):
    ...         dry = take("hat")
    ...     taken = merge(wet, dry)
    >>> state = flow.run(show=False)
    >>> state.result[taken].result, state.result[dry].is_skipped()
    ('umbrella', True)

    """

    def __init__(self, task: Any, value: Any) -> None:
        if isinstance(value, Task):
            raise TypeError(
                f"the value of case({shown(task, 40)}, {shown(value, 40)}) is a task, whose result is not known yet. "
                "Compare the two results in a task of your own, and open case(compared, True)."
            )
        if isinstance(task, EdgeAnnotation):
            raise TypeError(
                f"case({shown(task, 60)}, ...) decides about a whole block, not about elements. "
                "To decide for each element, give a function with the case in it to flowbook.apply_map."
            )
        super().__init__()
        self.task = task
        self.value = value
        self.condition: CompareValue | None = None

    def __repr__(self) -> str:
        return f"case({shown(self.task, 60)}, {shown(self.value, 60)})"

    def __enter__(self) -> Self:
        self.opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed(kind, error, trace)
        if kind is None:
            self._decide()

    def add_task(self, task: Task, flow: Flow) -> None:
        """Let a task run only in this case; inside ``with case(...)`` this happens by itself.

        Args:
            task: the task; a parameter or a constant stays outside.
            flow: the flow it belongs to.

        Raises:
            FlowError: the block has tasks of another flow.

        """
        super().add_task(task, flow)
        if self.condition is None and task in self.tasks:
            # before the task itself: the order in which tasks are added is the one in which people read them
            with outside_of_blocks(self._around):
                self.condition = CompareValue(self.value, tags=["case"]).bind(self.task, flow=flow)
        if not self._open:
            flow.add_task(task)
            self._decide()

    def _decide(self) -> None:
        if self.flow is None or self.condition is None:
            return
        for task in self.first_tasks(self.flow):
            self.flow.add_edge(self.condition, task)
