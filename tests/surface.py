"""Write flowbook's public face down as text, so that every change of it is seen in a diff."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

INDENT = "    "


def surface(module: ModuleType) -> str:
    """Return one line per public name, with its signature; below a class its public members, sorted."""
    return "\n".join(_module_lines(module, module.__name__, _listed(module))) + "\n"


def _listed(module: ModuleType) -> set[type]:
    """Find the classes that have lines of their own."""
    values = [getattr(module, name) for name in module.__all__]
    inside = [value for value in values if inspect.ismodule(value) and hasattr(value, "__all__")]
    return {value for value in values if inspect.isclass(value)}.union(*map(_listed, inside))


def _module_lines(module: ModuleType, name: str, listed: set[type]) -> Iterator[str]:
    for public in sorted(module.__all__):
        value = getattr(module, public)
        if inspect.ismodule(value):
            yield f"{name}.{public}: module"
            if hasattr(value, "__all__"):
                yield from _module_lines(value, f"{name}.{public}", listed)
        elif inspect.isclass(value):
            yield from _class_lines(value, f"{name}.{public}", listed)
        elif callable(value):
            yield f"{name}.{public}{_signature(value)}"
        else:
            yield f"{name}.{public}: {type(value).__name__}"


def _class_lines(class_: type, name: str, listed: set[type]) -> Iterator[str]:
    bases = [base.__name__ for base in class_.__bases__ if base is not object]
    yield f"class {name}({', '.join(bases)})"
    yield f"{INDENT}{class_.__name__}{_signature(class_)}"
    fields = (
        {field.name: field.type for field in dataclasses.fields(class_)} if dataclasses.is_dataclass(class_) else {}
    )
    members = _members(class_, listed)
    for member in sorted(members):
        if not member.startswith("_"):
            yield f"{INDENT}{_member_line(member, members[member], fields.get(member))}"


def _members(class_: type, listed: set[type]) -> dict[str, Any]:
    """Gather what a class has by itself and from flowbook's bases that have no lines of their own."""
    members: dict[str, Any] = {}
    for base in reversed(class_.__mro__):
        if base is class_ or (base not in listed and base.__module__.startswith("flowbook.")):
            members.update(dict.fromkeys(vars(base).get("__annotations__", {})))
            members.update(vars(base))
    return members


def _member_line(member: str, value: object, field: object) -> str:
    if field is not None:
        return f"{member}: {field}"
    if isinstance(value, property):
        return f"{member}: property"
    if isinstance(value, classmethod | staticmethod):
        return f"@{type(value).__name__} {member}{_signature(value.__func__)}"
    if inspect.isfunction(value):
        return f"{member}{_signature(value)}"
    return member


def _signature(value: Any) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # written in C, or an exception that takes what any exception takes
        return "(...)"
    parameters = [
        parameter.replace(annotation=_bare(parameter.annotation)) for parameter in signature.parameters.values()
    ]
    bare = signature.replace(parameters=parameters, return_annotation=_bare(signature.return_annotation))
    return re.sub(r" at 0x[0-9a-f]+", "", str(bare))


def _bare(annotation: object) -> object:
    """Have an annotation that is text shown without quotes, alike in every Python."""
    return _Bare(annotation) if isinstance(annotation, str) else annotation


class _Bare(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
