"""Pickling: how tasks are written down and come back, with what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["OF_SHARING", "SHARED", "Picklable"]

# The mark in a `__dict__` which several tasks share, see Task.copy; and what such a dict is pickled as, once it was.
SHARED = "_shared"
_PICKLED = "_pickled"
OF_SHARING = frozenset({SHARED, _PICKLED})

Tags = set[str] | frozenset[str]


class Picklable:
    """The part of a task that pickle and copy talk to."""

    __slots__ = ()

    if TYPE_CHECKING:
        _tags: Tags

        def _take_attributes(self) -> None: ...

    def __getstate__(self) -> tuple[dict[str, Any], Tags]:
        values = self.__dict__
        if SHARED not in values:
            return self._to_pickle(), self._tags
        # all who share attributes give pickle the same dict, which it then writes once
        by_name = self._is_pickled_by_name()
        kept: tuple[bool, dict[str, Any]] | None = values.get(_PICKLED)
        if kept is None or kept[0] != by_name:
            kept = values[_PICKLED] = (by_name, self._to_pickle())
        return kept[1], self._tags

    def __setstate__(self, state: tuple[dict[str, Any], Tags]) -> None:
        values, tags = state
        object.__setattr__(self, "__dict__", values)
        object.__setattr__(self, "_tags", tags)

    def __copy__(self) -> Self:
        made = object.__new__(type(self))
        made.__setstate__((dict(self.__dict__), set(self._tags)))
        made._take_attributes()
        return made

    def _is_pickled_by_name(self) -> bool:
        """Tell whether the body is looked up when a pickle is read, and not in it."""
        return False

    def _to_pickle(self) -> dict[str, Any]:
        """Return the attributes as they are pickled."""
        return {key: value for key, value in self.__dict__.items() if key != _PICKLED}
