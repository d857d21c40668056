"""What `a + b` makes of two tasks: a third one that adds their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.tasks.base import Task

__all__ = ["Arithmetic", "constructors"]

# Filled by flowbook.tasks.core: how values become tasks ("as_task") and which task each operator makes. The core tasks
# are subclasses of Task, so Task itself cannot import them without a circle.
constructors: dict[str, Callable[..., Task]] = {}


def _operation(name: str, *, reflected: bool = False) -> Callable[[Any, Any], Task]:
    def operate(self: Any, other: Any) -> Task:
        operands = (other, self) if reflected else (self, other)
        return constructors[name](*operands)

    operate.__doc__ = f"Return a task of the operator {name} on both results."
    return operate


class Arithmetic:
    """The operators of `Task`.

    ``==`` and ``!=`` keep meaning identity, so that tasks stay usable as keys; `Task.is_equal` compares results.
    """

    __slots__ = ()

    __add__ = _operation("Add")
    __radd__ = _operation("Add", reflected=True)
    __sub__ = _operation("Sub")
    __rsub__ = _operation("Sub", reflected=True)
    __mul__ = _operation("Mul")
    __rmul__ = _operation("Mul", reflected=True)
    __truediv__ = _operation("Div")
    __rtruediv__ = _operation("Div", reflected=True)
    __floordiv__ = _operation("FloorDiv")
    __rfloordiv__ = _operation("FloorDiv", reflected=True)
    __mod__ = _operation("Mod")
    __rmod__ = _operation("Mod", reflected=True)
    __pow__ = _operation("Pow")
    __rpow__ = _operation("Pow", reflected=True)
    __and__ = _operation("And")
    __rand__ = _operation("And", reflected=True)
    __lt__ = _operation("LessThan")
    __le__ = _operation("LessThanOrEqual")
    __gt__ = _operation("GreaterThan")
    __ge__ = _operation("GreaterThanOrEqual")
