"""Filters: keep some of the results of a mapped task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.tasks.base import Task
from flowbook.triggers import all_finished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FilterTask"]


class FilterTask(Task):
    """Keep some of several results, by default those that are neither None nor an error.

    It runs when all that is upstream has ended, however it did, so that children which failed or were skipped are left
    out and the others go on.

    Args:
        filter_func: tells of a result whether to keep it.
        log_func: makes the text that is logged for a result that is left out.
        **kwargs: as for `Task`.

    Raises:
        TypeError: one of the functions is none.

    >>> FilterTask().run([1, None, ValueError("no"), 0])
    [1, 0]
    >>> FilterTask(filter_func=lambda x: x > 1).run([1, 2, 3])
    [2, 3]

    """

    def __init__(
        self,
        filter_func: Callable[[Any], Any] | None = None,
        log_func: Callable[[Any], str] | None = None,
        **kwargs: Any,
    ) -> None:
        for name, function in (("filter_func", filter_func), ("log_func", log_func)):
            if function is not None and not callable(function):
                raise TypeError(f"{name}={shown(function)} is not a function of one result.")
        self.filter_func = filter_func or is_result
        self.log_func = log_func
        kwargs.setdefault("skip_on_upstream_skip", False)
        kwargs.setdefault("trigger", all_finished)
        super().__init__(**kwargs)

    def run(self, task_results: Iterable[Any]) -> list[Any]:
        """Return the results to keep, in their order."""
        kept = []
        for result in task_results:
            if self.filter_func(result):
                kept.append(result)
            elif self.log_func is not None:
                self.logger.info(self.log_func(result))
        return kept


def is_result(value: Any) -> bool:
    """Tell whether a value is neither None nor an error (or a signal) that stands in the place of one.

    >>> is_result(0), is_result(None), is_result(KeyError())
    (True, False, False)

    """
    return value is not None and not isinstance(value, BaseException)
