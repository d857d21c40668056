"""Define every message between the kernel and a view, once, for two languages.

The dataclasses below are the schema. ``python -m flowbook.view.protocol`` writes the same types to
``js/src/protocol.ts``; the suite regenerates that file and compares. Messages travel as plain JSON: `encode`
makes it, `decode` checks it.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

PROTOCOL = 2
MIME = "application/vnd.jupyter-flowbook.run.v1+json"
COMMAND_TARGET = "jupyter-flowbook.command"
FEED_TARGET = "jupyter-flowbook.feed"

Kind = Literal["task", "parameter", "constant", "operator", "collection", "condition", "merge", "resource"]
Verb = Literal["cancel", "pause", "resume", "step"]
Which = Literal["all", "failed"]


class ProtocolError(ValueError):
    """Report a message that does not fit the protocol; `message` carries what came."""

    def __init__(self, text: str, message: object = None) -> None:
        super().__init__(text)
        self.message = message


@dataclass(frozen=True, slots=True)
class NodeCard:
    """What a node is, for as long as its picture lives; a mapped one stands for all its children."""

    node: int
    slug: str
    name: str
    kind: Kind
    upstream: Sequence[int]
    downstream: Sequence[int]
    attempts: int
    mapped: bool = False


@dataclass(frozen=True, slots=True)
class NodeLook:
    """How a node is right now; times are seconds of the kernel's clock, `due` is when it starts (again).

    `attempt` counts from 1 and is the one that runs or ran; while Retrying it is the one to come. An empty
    `state` means that the flow has not run. `result` is a short text such as "336,776 rows".

    A mapped task that knows its children has their `width` and how many are in each state, by its name: from then
    on `state` is "Mapping" until all have ended, `started` is when the first one began, and `due` when the next one
    starts again.
    """

    node: int
    state: str
    message: str = ""
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    due: float | None = None
    result: str = ""
    width: int | None = None
    counts: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class ChildLook:
    """How one child of a mapped task is; `index` is its place among the elements."""

    index: int
    state: str
    message: str = ""
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    due: float | None = None
    result: str = ""


@dataclass(frozen=True, slots=True)
class RunLook:
    """How the flow run is right now; `sentence` is the one line below the picture that answers why.

    `due` is when a run that waits for its schedule begins.
    """

    state: str
    message: str = ""
    started: float | None = None
    ended: float | None = None
    paused: bool = False
    sentence: str = ""
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that does not change during a run: the drawing, what its nodes are, what may be asked."""

    protocol: int
    flow: str
    run: str
    svg: str
    nodes: Sequence[NodeCard]
    controls: Sequence[str]
    notice: str = ""
    type: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The look of all nodes after event `seq`; `at` is the kernel's now."""

    run: str
    seq: int
    at: float
    flow: RunLook
    nodes: Sequence[NodeLook]
    type: Literal["snapshot"] = "snapshot"


@dataclass(frozen=True, slots=True)
class Changes:
    """The look of the nodes that changed after `since`; a view that stands elsewhere asks for a snapshot."""

    run: str
    seq: int
    since: int
    at: float
    flow: RunLook
    nodes: Sequence[NodeLook]
    type: Literal["changes"] = "changes"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The answer to one command: taken or not, and a sentence for the person who pressed the button."""

    run: str
    id: str
    verb: Verb
    ok: bool
    at: float
    said: str = ""
    type: Literal["acknowledged"] = "acknowledged"


@dataclass(frozen=True, slots=True)
class Children:
    """Some children of a mapped task, those that need a look first; `total` is how many there are of that sort."""

    run: str
    node: int
    which: Which
    total: int
    offset: int
    rows: Sequence[ChildLook]
    type: Literal["children"] = "children"


@dataclass(frozen=True, slots=True)
class Hello:
    """The first word of a view: the protocol it speaks and who it is."""

    protocol: int
    view: str
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class Ask:
    """A view wants the picture and a snapshot of this run."""

    run: str
    type: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class AskChildren:
    """A view wants to list children of a mapped task: at most `limit` of them, from place `offset` in the list."""

    run: str
    node: int
    which: Which
    offset: int
    limit: int
    type: Literal["ask-children"] = "ask-children"


@dataclass(frozen=True, slots=True)
class Command:
    """A person pressed a button; `id` comes back in the acknowledgement."""

    run: str
    id: str
    verb: Verb
    type: Literal["command"] = "command"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a saved notebook keeps under our MIME type; `run` is empty for a flow that has not run.

    `children` are the first few of each mapped task, for readers who have no kernel to ask.
    """

    protocol: int
    run: str
    live: bool
    picture: Picture
    snapshot: Snapshot
    children: Sequence[Children] = ()


ToView = Picture | Snapshot | Changes | Acknowledged | Children
ToKernel = Hello | Ask | AskChildren | Command
Message = ToView | ToKernel
Record = Message | Bundle | NodeCard | NodeLook | ChildLook | RunLook

_R = TypeVar("_R")
_RECORDS: tuple[type[Any], ...] = (NodeCard, NodeLook, ChildLook, RunLook)
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
            ]
        ),
        f"export type Kind = {_ts(Kind)};",
        f"export type Verb = {_ts(Verb)};",
        f"export type Which = {_ts(Which)};",
        *[_interface(cls) for cls in (*_RECORDS, *_TO_VIEW, *_TO_KERNEL, Bundle)],
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
