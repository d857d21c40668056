"""Branches: run one of several tasks, as a result decides, and go on with the one that ran.

>>> from flowbook import Flow, task
>>> from flowbook.tasks.control_flow import ifelse, merge
>>> @task
... def is_large():
...     return False
>>> @task
... def shrink():
...     return "smaller"
>>> @task
... def leave():
...     return "as it was"
>>> with Flow("size") as flow:
...     ifelse(is_large(), small := shrink(), same := leave())
...     result = merge(small, same)
>>> flow.run(show=False).result[result].result
'as it was'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.contexts import current_flow
from flowbook.errors import FlowError, shown
from flowbook.mapping import like
from flowbook.tasks.base import Task
from flowbook.tasks.core.collections import as_task
from flowbook.triggers import not_all_skipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.flows import Flow

__all__ = ["AsBool", "CompareValue", "Merge", "ifelse", "merge", "switch"]


class CompareValue(Task):
    """Skip, and so all that waits for this task, unless a result equals a value.

    Args:
        value: what the result has to be.
        **kwargs: as for `Task`.

    >>> CompareValue(3).run(3)
    >>> CompareValue(3).name
    'CompareValue: 3'

    """

    def __init__(self, value: Any, **kwargs: Any) -> None:
        self.value = value
        super().__init__(**{"name": f"CompareValue: {shown(value, 40)}", **kwargs})

    def run(self, value: Any) -> None:
        """Skip unless `value` equals this task's own."""
        if not self._matches(value):
            raise signals.SKIP(f"The result is {shown(value)}, and this branch is for {shown(self.value)}.")

    def _matches(self, value: Any) -> bool:
        if value is self.value:
            return True
        try:
            return bool(value == self.value)
        except Exception as error:  # what people compare may answer with anything: an array has no truth value
            raise TypeError(
                f"{shown(value)} cannot be told apart from {shown(self.value)}: comparing them gives no yes or no "
                f"({shown(error)}). Compare in a task of your own, and branch on its True or False."
            ) from error


class AsBool(Task):
    """Give whether a result is true.

    >>> AsBool().run([])
    False

    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"name": "as_bool", **kwargs})

    def run(self, x: Any) -> bool:
        """Return the truth of `x`."""
        return bool(x)


class Merge(Task):
    """Go on with the first result that is there.

    Args:
        **kwargs: as for `Task`.

    Raises:
        ValueError: ``skip_on_upstream_skip=True``: branches that are skipped are what this task is there for.

    >>> Merge().run(task_10="tenth", task_9=None)
    'tenth'

    """

    def __init__(self, **kwargs: Any) -> None:
        if kwargs.setdefault("skip_on_upstream_skip", False):
            raise ValueError(
                "a merge cannot have skip_on_upstream_skip=True: all branches but one are skipped, so it would never "
                "run. Leave the option out."
            )
        kwargs.setdefault("trigger", not_all_skipped)
        super().__init__(**kwargs)

    def run(self, **task_results: Any) -> Any:
        """Return the first result that is there, in the order of the branches."""
        in_order = (task_results[key] for key in sorted(task_results, key=_number))
        # a branch that raises SKIP itself hands the signal on: that is no result either
        return next((value for value in in_order if value is not None and not isinstance(value, signals.SKIP)), None)


def _number(key: str) -> int:
    """Return the place of a branch; as text, the tenth would come before the second."""
    return int(key.rpartition("_")[2])


def switch(condition: Any, cases: Mapping[Any, Any], mapped: bool = False) -> None:
    """Run those of several tasks whose value is the result of a condition; the others are skipped.

    Args:
        condition: the task whose result decides.
        cases: the tasks by the value for which each of them runs.
        mapped: decide for each element, between tasks that are mapped.

    Raises:
        TypeError: `cases` is no dict, or one of its values is a task.
        FlowError: outside of ``with Flow(...)``.

    >>> from flowbook import Flow, Task, task
    >>> with Flow("switch") as flow:
    ...     sea, sky = Task("sea"), Task("sky")
    ...     switch(task(lambda: "sky", name="where")(), {"sea": sea, "sky": sky})
    >>> state = flow.run(show=False)
    >>> state.result[sea].is_skipped(), state.result[sky].is_skipped()
    (True, False)

    """
    given: object = cases
    if not isinstance(given, dict):
        raise TypeError(
            f"the cases of a switch are a dict of values to tasks, not {shown(cases)}: switch(task, {{'a': first}})."
        )
    flow = _active("switch")
    for value, branch in cases.items():
        if isinstance(value, Task):
            raise TypeError(
                f"{shown(value)} as a case of a switch is a task, whose result is not known yet; give a value."
            )
        compared = CompareValue(value, tags=["switch"]).bind(condition, mapped=mapped, flow=flow)
        as_task(branch, flow).set_upstream(like(branch, compared), flow=flow, mapped=mapped)


def ifelse(condition: Any, true_task: Any, false_task: Any, mapped: bool = False) -> None:
    """Run one of two tasks, as the truth of a condition decides; the other one is skipped.

    Args:
        condition: the task whose result decides.
        true_task: runs when it is true; None for nothing.
        false_task: runs when it is false; None for nothing.
        mapped: decide for each element, between tasks that are mapped.

    Raises:
        FlowError: outside of ``with Flow(...)``.

    >>> from flowbook import Flow, Task, task
    >>> with Flow("ifelse") as flow:
    ...     yes, no = Task("yes"), Task("no")
    ...     ifelse(task(lambda: 2 > 1, name="is it so")(), yes, no)
    >>> state = flow.run(show=False)
    >>> state.result[yes].is_skipped(), state.result[no].is_skipped()
    (False, True)

    """
    branches = {True: true_task, False: false_task}
    cases = {value: branch for value, branch in branches.items() if branch is not None}
    if cases:
        switch(AsBool().bind(condition, mapped=mapped, flow=_active("ifelse")), cases, mapped=mapped)


def merge(*tasks: Any, flow: Flow | None = None, mapped: bool = False, **kwargs: Any) -> Task:
    """Return a task that goes on with the result of the branch that ran.

    It gives the first result that is not None, in the order of the arguments, and is skipped only when all of them
    were.

    Args:
        *tasks: the ends of the branches.
        flow: where to add it; the active flow when not given.
        mapped: merge each element for itself.
        **kwargs: as for `Task`, for instance ``name`` or ``checkpoint``.

    Raises:
        ValueError: ``skip_on_upstream_skip=True``, or no flow to add it to.

    >>> from flowbook import Flow, task
    >>> with Flow("merge") as flow:
    ...     ship, plane = task(lambda: "by ship", name="ship"), task(lambda: "by plane", name="plane")
    ...     one, two = ship.copy(), plane.copy()
    ...     ifelse(task(lambda: False, name="is it near")(), one, two)
    ...     end = merge(one, two)
    >>> flow.run(show=False).result[end].result
    'by plane'

    """
    return Merge(**kwargs).bind(
        flow=flow, mapped=mapped, **{f"task_{number}": branch for number, branch in enumerate(tasks, 1)}
    )


def _active(what: str) -> Flow:
    flow = current_flow()
    if flow is None:
        raise FlowError(f"could not infer an active flow for {what}(...): call it inside `with Flow(...) as flow:`.")
    return flow
