"""Define every message between the kernel and a view, once, for two languages.

The dataclasses of `flowbook.view.messages` are the schema. ``python -m flowbook.view.protocol`` writes the same types
to ``js/src/protocol.ts``; the suite regenerates that file and compares. Messages travel as plain JSON: `encode` makes
it, `decode` checks it.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from flowbook.view.messages import (
    COMMAND_TARGET,
    FEED_TARGET,
    MIME,
    OPEN_CODE,
    PROTOCOL,
    RUN_CODE,
    Acknowledged,
    Ask,
    AskChildren,
    AskTask,
    Basis,
    Bundle,
    CellLook,
    CellOutputs,
    CellText,
    Changes,
    ChildLook,
    Children,
    Command,
    Document,
    Field,
    FieldType,
    Fix,
    Hello,
    Item,
    Kind,
    Message,
    Moment,
    NodeCard,
    NodeLook,
    NotebookLook,
    Orders,
    Part,
    Picture,
    Problem,
    Reason,
    Record,
    Role,
    RunLook,
    Snapshot,
    TaskDetails,
    ToKernel,
    ToView,
    Verb,
    Which,
)

__all__ = [
    "COMMAND_TARGET",
    "FEED_TARGET",
    "MIME",
    "OPEN_CODE",
    "PROTOCOL",
    "RUN_CODE",
    "Acknowledged",
    "Ask",
    "AskChildren",
    "AskTask",
    "Basis",
    "Bundle",
    "CellLook",
    "CellOutputs",
    "CellText",
    "Changes",
    "ChildLook",
    "Children",
    "Command",
    "Document",
    "Field",
    "FieldType",
    "Fix",
    "Hello",
    "Item",
    "Kind",
    "Message",
    "Moment",
    "NodeCard",
    "NodeLook",
    "NotebookLook",
    "Orders",
    "Part",
    "Picture",
    "Problem",
    "ProtocolError",
    "Reason",
    "Record",
    "Role",
    "RunLook",
    "Snapshot",
    "TaskDetails",
    "ToKernel",
    "ToView",
    "Verb",
    "Which",
    "decode",
    "decode_bundle",
    "decode_orders",
    "encode",
    "main",
    "typescript",
]


class ProtocolError(ValueError):
    """Report a message that does not fit the protocol; `message` carries what came."""

    def __init__(self, text: str, message: object = None) -> None:
        super().__init__(text)
        self.message = message


_R = TypeVar("_R")
_PARTS: tuple[type[Any], ...] = typing.get_args(Part)
_TO_VIEW: tuple[type[Any], ...] = typing.get_args(ToView)
_TO_KERNEL: tuple[type[Any], ...] = typing.get_args(ToKernel)


def encode(message: Record) -> dict[str, Any]:
    """Turn a message into plain JSON-able data, `type` first.

    Args:
        message: any dataclass of this module.

    Returns:
        A new dict that shares nothing with the message.

    Raises:
        ProtocolError: a number is not finite; browsers can't read such JSON.

    >>> encode(Ask(run="r1"))
    {'type': 'ask', 'run': 'r1'}
    """
    data: dict[str, Any] = {name: _plain(getattr(message, name), name) for name in _fields(type(message))}
    return data


def decode(data: object) -> Message:
    """Check plain data that came over the wire and make the message of it.

    Args:
        data: what `json.loads` gave.

    Returns:
        The message; its sequences are tuples.

    Raises:
        ProtocolError: unknown type, missing or unknown field, or a value of the wrong type. Its text names
            the value.

    >>> decode({"type": "command", "run": "r1", "id": "7", "verb": "pause"}).verb
    'pause'
    """
    known = {_tag(cls): cls for cls in (*_TO_VIEW, *_TO_KERNEL)}
    if not isinstance(data, Mapping):
        msg = f"A message is an object with a 'type', not {_shown(data)}."
        raise ProtocolError(msg, data)
    tag = data.get("type")
    cls = known.get(tag) if isinstance(tag, str) else None
    if cls is None:
        msg = (
            f"Unknown message type {_shown(tag)}. Protocol {PROTOCOL} knows: {', '.join(known)}. "
            "Reload the page if flowbook was just updated."
        )
        raise ProtocolError(msg, data)
    message: Message = _build(cls, data, _tag(cls))
    return message


def decode_bundle(data: object) -> Bundle:
    """Check the data saved under our MIME type and make a `Bundle` of it.

    Args:
        data: the JSON object of the output bundle.

    Returns:
        The bundle with its picture and snapshot.

    Raises:
        ProtocolError: as `decode`.
    """
    return _build(Bundle, data, "bundle")


def decode_orders(data: object) -> Orders:
    """Check the orders that a page gave and make an `Orders` of them.

    Args:
        data: the JSON object.

    Returns:
        The orders.

    Raises:
        ProtocolError: as `decode`.

    >>> decode_orders({"to": "c1", "from_failed": False, "parameters": {}, "notebook": "n.ipynb"}).to
    'c1'
    """
    return _build(Orders, data, "orders")


def typescript() -> str:
    """Return the TypeScript twin of this module: the text of ``js/src/protocol.ts``."""
    about = "Generated from flowbook/view/protocol.py by `python -m flowbook.view.protocol`."
    parts = [
        f"// {about} Edit that, not this.",
        "\n".join(
            f"export const {name} = {_shown(value, quote=True)} as const;"
            for name, value in [
                ("PROTOCOL", PROTOCOL),
                ("MIME", MIME),
                ("COMMAND_TARGET", COMMAND_TARGET),
                ("FEED_TARGET", FEED_TARGET),
                ("OPEN_CODE", OPEN_CODE),
                ("RUN_CODE", RUN_CODE),
            ]
        ),
        f"export type Kind = {_ts(Kind)};",
        f"export type Verb = {_ts(Verb)};",
        f"export type Which = {_ts(Which)};",
        f"export type Role = {_ts(Role)};",
        f"export type Basis = {_ts(Basis)};",
        f"export type FieldType = {_ts(FieldType)};",
        *[_interface(cls) for cls in (*_PARTS, *_TO_VIEW, *_TO_KERNEL, Bundle)],
        f"export type ToView = {' | '.join(cls.__name__ for cls in _TO_VIEW)};",
        f"export type ToKernel = {' | '.join(cls.__name__ for cls in _TO_KERNEL)};",
    ]
    return "\n\n".join(parts) + "\n"


# --- reading values


def _fields(cls: type[Any]) -> dict[str, Any]:
    """Name and type of each field, `type` first as a reader of JSON expects it."""
    found = _FIELDS.get(cls)
    if found is None:
        hints = typing.get_type_hints(cls)
        names = sorted((field.name for field in dataclasses.fields(cls)), key=lambda name: name != "type")
        found = _FIELDS[cls] = {name: hints[name] for name in names}
    return found


_FIELDS: dict[type[Any], dict[str, Any]] = {}


def _required(cls: type[Any]) -> frozenset[str]:
    """Fields a message must bring; `type` too, although Python gives it a default."""
    missing = dataclasses.MISSING
    return frozenset(f.name for f in dataclasses.fields(cls) if f.default is missing or f.name == "type")


def _tag(cls: type[Any]) -> str:
    (tag,) = typing.get_args(_fields(cls)["type"])
    return str(tag)


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            msg = f"{where} is {value!r}; JSON has only finite numbers. Give None for an unknown time."
            raise ProtocolError(msg, value)
        return value
    if isinstance(value, Sequence):
        return [_plain(item, where) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item, where) for name, item in value.items()}
    return encode(value)


def _build(cls: type[_R], data: object, where: str) -> _R:
    if not isinstance(data, Mapping):
        msg = f"{where} must be an object, not {_shown(data)}."
        raise ProtocolError(msg, data)
    fields = _fields(cls)
    for name in data:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(fields)}."
            msg = f"{where} has no field {_shown(name)}. {hint}"
            raise ProtocolError(msg, data)
    missing = sorted(_required(cls) - data.keys())
    if missing:
        msg = f"{where} lacks {', '.join(missing)}. Send every field of {cls.__name__}."
        raise ProtocolError(msg, data)
    return cls(**{name: _checked(fields[name], value, f"{where}.{name}") for name, value in data.items()})


def _checked(kind: Any, value: object, where: str) -> Any:
    """Return `value` if it is of `kind`, sequences as tuples, or say what is wrong with it."""
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast("type[Any]", kind), value, where)
    if origin is Literal:
        return _one_of(typing.get_args(kind), value, where)
    if origin in (typing.Union, types.UnionType):
        some = [option for option in typing.get_args(kind) if option is not type(None)]
        return None if value is None else _checked(some[0], value, where)
    if origin is not None and issubclass(origin, Mapping):
        return _counted(typing.get_args(kind)[1], value, where)
    if origin is not None and issubclass(origin, Sequence):
        if not isinstance(value, (list, tuple)):
            raise _wrong(where, "a list", value)
        (item,) = typing.get_args(kind)
        return tuple(_checked(item, one, f"{where}[{index}]") for index, one in enumerate(value))
    is_right, wanted = _SCALARS[kind]
    if not is_right(value):
        raise _wrong(where, wanted, value)
    return value


def _counted(kind: Any, value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise _wrong(where, "an object", value)
    return {name: _checked(kind, one, f"{where}.{_shown(name)}") for name, one in value.items()}


def _one_of(options: tuple[Any, ...], value: object, where: str) -> object:
    if value not in options:
        raise _wrong(where, "one of " + ", ".join(map(repr, options)), value)
    return value


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


_SCALARS: dict[Any, tuple[Callable[[object], bool], str]] = {
    str: (lambda value: isinstance(value, str), "a text"),
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (_is_int, "a whole number"),
    float: (_is_number, "a finite number"),
}


def _wrong(where: str, wanted: str, value: object) -> ProtocolError:
    return ProtocolError(f"{where} must be {wanted}, not {_shown(value)}.", value)


def _shown(value: object, *, quote: bool = False) -> str:
    """Name a value in an error (shortened, so a picture never floods the log) or as a TypeScript literal."""
    if quote and isinstance(value, str):
        return f'"{value}"'
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - one line of an error text


# --- writing TypeScript


def _interface(cls: type[Any]) -> str:
    about = (inspect.getdoc(cls) or "").splitlines()[0]
    lines = [f"  readonly {name}: {_ts(kind)};" for name, kind in _fields(cls).items()]
    return "\n".join([f"/** {about} */", f"export interface {cls.__name__} {{", *lines, "}"])


_TS_NAMES: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}


def _ts(kind: Any) -> str:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in args)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_ts(option) for option in args)
    if origin is not None and issubclass(origin, Mapping):
        return f"Readonly<Record<{_ts(args[0])}, {_ts(args[1])}>>"
    if origin is not None and issubclass(origin, Sequence):
        return f"readonly {_ts(args[0])}[]"
    return _TS_NAMES[kind] if kind in _TS_NAMES else str(kind.__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the TypeScript twin; an argument says where, else to ``js/src`` of this checkout."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    default = Path(__file__).resolve().parents[2] / "js" / "src" / "protocol.ts"
    path = Path(arguments[0]) if arguments else default
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(typescript(), encoding="utf-8")
    print(f"wrote {path}", file=sys.stderr)  # not on stdout, which may be redirected to the file itself
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
