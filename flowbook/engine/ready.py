"""Ready tasks in an order of the flow's own, where it has one; others run in the order in which they became ready."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["InOrder"]


class InOrder(deque[int]):
    """Ready tasks, the one with the lowest place first.

    A notebook's cells are run one after the other as they stand in it, whenever dependencies leave a choice: what no
    analysis can see, such as a function that calls whatever was registered, then finds what it would find there.

    Args:
        places: of each task, by number.
        ready: the tasks that are ready already.

    >>> ready = InOrder([2, 0, 1], [0, 2])
    >>> ready.append(1)
    >>> [ready.popleft() for _ in range(3)]
    [1, 2, 0]
    """

    def __init__(self, places: Sequence[int], ready: Iterable[int] = ()) -> None:
        self._places = places
        super().__init__(sorted(ready, key=places.__getitem__))

    def append(self, task: int) -> None:
        """Put a task where it belongs. Children of mapped tasks have no place, and come last."""
        if task >= len(self._places):
            super().append(task)
        else:
            insort(self, task, key=self._place)

    def appendleft(self, task: int) -> None:
        """Put a child of a mapped task before those that have no place, and any other where it belongs."""
        if task >= len(self._places):
            self.insert(bisect_left(self, float("inf"), key=self._place), task)
        else:
            self.append(task)

    def is_kept(self) -> bool:
        """Tell whether there is a next task and it has a place."""
        return bool(self) and self[0] < len(self._places)

    def extend(self, tasks: Iterable[int]) -> None:
        """Put tasks where they belong."""
        for task in tasks:
            self.append(task)

    def _place(self, task: int) -> float:
        return self._places[task] if task < len(self._places) else float("inf")
