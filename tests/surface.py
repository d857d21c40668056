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
    return "\n".join(_module_lines(module, module.__name__)) + "\n"


def _module_lines(module: ModuleType, name: str) -> Iterator[str]:
    for public in sorted(module.__all__):
        value = getattr(module, public)
        if inspect.ismodule(value):
            yield f"{name}.{public}: module"
            if hasattr(value, "__all__"):
                yield from _module_lines(value, f"{name}.{public}")
        elif inspect.isclass(value):
            yield from _class_lines(value, f"{name}.{public}")
        elif callable(value):
            yield f"{name}.{public}{_signature(value)}"
        else:
            yield f"{name}.{public}: {type(value).__name__}"


def _class_lines(class_: type, name: str) -> Iterator[str]:
    bases = [base.__name__ for base in class_.__bases__ if base is not object]
    yield f"class {name}({', '.join(bases)})"
    yield f"{INDENT}{class_.__name__}{_signature(class_)}"
    fields = (
        {field.name: field.type for field in dataclasses.fields(class_)}
        if dataclasses.is_dataclass(class_)
        else {}
    )
    for member in sorted(vars(class_).keys() | vars(class_).get("__annotations__", {}).keys()):
        if not member.startswith("_"):
            yield f"{INDENT}{_member_line(member, vars(class_).get(member), fields.get(member))}"


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
        parameter.replace(annotation=_bare(parameter.annotation))
        for parameter in signature.parameters.values()
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
