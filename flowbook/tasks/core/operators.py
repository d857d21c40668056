"""Operator tasks: ``a + b`` or ``t["key"]`` on tasks adds one of these to the flow."""

from __future__ import annotations

import operator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.tasks.base import Task, constructors

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Add",
    "And",
    "Div",
    "Equal",
    "FloorDiv",
    "GetAttr",
    "GetItem",
    "GreaterThan",
    "GreaterThanOrEqual",
    "LessThan",
    "LessThanOrEqual",
    "Mod",
    "Mul",
    "Not",
    "NotEqual",
    "Or",
    "Pow",
    "Sub",
]


class _Binary(Task):
    """Apply an operator to two results."""

    def run(self, x: Any, y: Any) -> Any:
        """Return the operator applied to `x` and `y`."""
        raise NotImplementedError  # each subclass below has its own


def _binary(name: str, symbol: str, function: Callable[[Any, Any], Any]) -> type[_Binary]:
    def run(self: Task, x: Any, y: Any) -> Any:  # noqa: ARG001 - a method
        return function(x, y)

    run.__doc__ = f"Return ``x {symbol} y``."
    made: type[_Binary] = type(name, (_Binary,), {"run": run, "__doc__": f"``x {symbol} y``.", "__module__": __name__})
    constructors[name] = partial(_bound, made)
    return made


def _bound(kind: type[Task], x: Any, y: Any) -> Task:
    return kind().bind(x, y)


Add = _binary("Add", "+", operator.add)
Sub = _binary("Sub", "-", operator.sub)
Mul = _binary("Mul", "*", operator.mul)
Div = _binary("Div", "/", operator.truediv)
FloorDiv = _binary("FloorDiv", "//", operator.floordiv)
Mod = _binary("Mod", "%", operator.mod)
Pow = _binary("Pow", "**", operator.pow)
And = _binary("And", "and", lambda x, y: x and y)
Or = _binary("Or", "or", lambda x, y: x or y)
Equal = _binary("Equal", "==", operator.eq)
NotEqual = _binary("NotEqual", "!=", operator.ne)
LessThan = _binary("LessThan", "<", operator.lt)
LessThanOrEqual = _binary("LessThanOrEqual", "<=", operator.le)
GreaterThan = _binary("GreaterThan", ">", operator.gt)
GreaterThanOrEqual = _binary("GreaterThanOrEqual", ">=", operator.ge)


class Not(Task):
    """``not x``."""

    def run(self, x: Any) -> bool:
        """Return the negation of `x`."""
        return not x


class GetItem(Task):
    """``task_result[key]``."""

    def run(self, task_result: Any, key: Any) -> Any:
        """Return one item of a result."""
        return task_result[key]


# An item of a tuple is of a type that is known: see flowbook.fitting, which is to be asked for once.
GetItem.run_signature = replace(GetItem.run_signature, gives_type=True)


class GetAttr(Task):
    """One attribute of a result; dots reach into attributes of attributes.

    >>> GetAttr().run(3 + 4j, "real")
    3.0

    """

    def run(self, task_result: Any, attr: str, **default: Any) -> Any:
        """Return the attribute called `attr`, or ``default`` when it is given and there is none."""
        value = task_result
        for name in attr.split("."):
            value = getattr(value, name, default["default"]) if "default" in default else getattr(value, name)
        return value


def _not(x: Any) -> Task:
    return Not().bind(x)


def _item(task: Task, key: Any) -> Task:
    name = f"{task.name}[{key.name if isinstance(key, Task) else shown(key, 60)}]"
    made = GetItem(name=name, checkpoint=task.checkpoint)
    made.result = task.result  # it was given to the task, not to the item
    if made.result is not None and made.result.location is not None:
        made.result = made.result.copy()  # the item would be written over the whole
        made.result.location = None
    return made.bind(task, key)


constructors["Not"] = _not
constructors["GetItem"] = _item
