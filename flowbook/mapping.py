"""Mapping: what is said at one end of an edge about how a result is handed over.

``mapped(x)`` hands over one element to each mapped child, ``unmapped(x)`` the whole of it to every child, and
``flatten(x)`` takes one level of nesting out of it first. They nest, and beat what the call says for all arguments::

    clean.map(flatten(pages), unmapped(rules))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from flowbook.errors import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EdgeAnnotation", "flags_of", "flatten", "like", "mapped", "options_when_mapped", "unmappable", "unmapped"]


class EdgeAnnotation:
    """Something said about the edge that a task or value is going to be one end of; what is said last counts.

    Args:
        task: a task, a value, or another annotation of one.

    Attributes:
        task: what it is about, without any annotation.
        is_mapped: whether the edge is mapped; None when that was not said.
        is_flattened: whether it is flattened; likewise.

    """

    __slots__ = ("is_flattened", "is_mapped", "task")

    _mapped: ClassVar[bool | None] = None
    _flattened: ClassVar[bool | None] = None

    def __init__(self, task: Any) -> None:
        self.task: Any = task
        self.is_mapped, self.is_flattened = self._mapped, self._flattened
        if isinstance(task, EdgeAnnotation):
            self.task = task.task
            self.is_mapped = task.is_mapped if self._mapped is None else self._mapped
            self.is_flattened = task.is_flattened if self._flattened is None else self._flattened

    def pipe(self, other: Any, /, **kwargs: Any) -> Any:
        """Return ``other(self, **kwargs)``, as `Task.pipe` does."""
        return other(self, **kwargs)

    def __repr__(self) -> str:
        text = shown(self.task)
        if self.is_flattened:
            text = f"flatten({text})"
        if self.is_mapped is not None:
            text = f"{'mapped' if self.is_mapped else 'unmapped'}({text})"
        return text


class mapped(EdgeAnnotation):  # noqa: N801 - reads as a function, as in the reference API
    """Hand one element of a result to each child, though the call is none of `Task.map`.

    >>> from flowbook import Flow, mapped, task
    >>> @task
    ... def price(amount, tax):
    ...     return amount * (100 + tax) // 100
    >>> with Flow("prices") as flow:
    ...     prices = price(mapped([100, 200]), tax=20)
    >>> sorted((edge.key, edge.mapped) for edge in flow.edges_to(prices))
    [('amount', True)]

    """

    __slots__ = ()
    _mapped = True


class unmapped(EdgeAnnotation):  # noqa: N801 - likewise
    """Hand the whole of a result to every child of a mapped task.

    >>> from flowbook import Flow, task, unmapped
    >>> @task
    ... def pick(number, table):
    ...     return table[number]
    >>> with Flow("picking") as flow:
    ...     picked = pick.map([0, 1], unmapped(["a", "b", "c"]))
    >>> flow.constants[picked]
    {'table': ['a', 'b', 'c']}

    """

    __slots__ = ()
    _mapped = False


class flatten(EdgeAnnotation):  # noqa: N801 - likewise
    """Take one level of nesting out of a result before it is handed over.

    >>> from flowbook import Flow, flatten, task
    >>> @task
    ... def double(x):
    ...     return 2 * x
    >>> with Flow("flat") as flow:
    ...     doubled = double.map(flatten([[1, 2], [3]]))
    >>> flow.edges_to(doubled)
    {<Edge: list to double as x, mapped, flattened>}

    """

    __slots__ = ()
    _flattened = True


def flags_of(value: Any, *, is_mapped: bool = False, is_flattened: bool = False) -> tuple[Any, bool, bool]:
    """Return a value without its annotation, and whether its edge is mapped and flattened.

    Args:
        value: one end of an edge.
        is_mapped: what holds when the annotation does not say.
        is_flattened: likewise.

    >>> flags_of(unmapped(flatten([1])), is_mapped=True)
    ([1], False, True)

    """
    if not isinstance(value, EdgeAnnotation):
        return value, is_mapped, is_flattened
    return (
        value.task,
        is_mapped if value.is_mapped is None else value.is_mapped,
        is_flattened if value.is_flattened is None else value.is_flattened,
    )


def like(annotated: Any, other: Any) -> Any:
    """Return `other` with what the annotation at the opposite end of the edge says, when there is one.

    >>> like(unmapped("b"), "a"), like("b", "a")
    (unmapped('a'), 'a')

    """
    if not isinstance(annotated, EdgeAnnotation):
        return other
    made = EdgeAnnotation(other)
    if annotated.is_mapped is not None:
        made.is_mapped = annotated.is_mapped
    if annotated.is_flattened is not None:
        made.is_flattened = annotated.is_flattened
    return made


def unmappable(values: tuple[Any, ...]) -> list[Any]:
    """Return those of the values that are going to be mapped over and have no elements to be asked for.

    >>> unmappable(([1, 2], 3, unmapped(4), "text", {5}))
    [3, {5}]

    """
    plain = (flags_of(value, is_mapped=True) for value in values)
    return [value for value, is_mapped, _ in plain if is_mapped and not hasattr(value, "__getitem__")]


def options_when_mapped(task_args: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the attributes of a mapped copy: it returns as many results as it has children, so `nout` is not known."""
    return {"nout": None, **(task_args or {})}
