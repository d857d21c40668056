"""Serialisation: flows and states as JSON, to be compared, kept and sent.

Structure, not code: what a body does is not in it (`flowbook.saving` keeps code). Nothing of the machine is in it
either, no path, no version, no address, so that the same flow gives the same text everywhere.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.errors import FlowError, nearest, shown
from flowbook.hints import in_words
from flowbook.redaction import MASK, is_hidden, redact
from flowbook.states import State
from flowbook.triggers import Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.flows import Flow
    from flowbook.schedules.schedules import Schedule
    from flowbook.tasks.base import Task

__all__ = ["NotCarried", "decoded", "encoded", "flow_document", "flow_hash", "state_document", "state_from"]

_FORMAT = 1

# Constants whose JSON is longer than this stand in a flow's document by their digest.
_LONGEST_CONSTANT = 2000


class NotCarried(NamedTuple):
    """Stand for a value which JSON cannot carry.

    Attributes:
        type: the name of its type.
        text: a few words on it.

    """

    type: str
    text: str

    def __repr__(self) -> str:
        return f"<a {self.type} that JSON could not carry: {self.text}>"


# -- values ----------------------------------------------------------------------------------------------------------


def encoded(value: Any, *, in_words: bool = True) -> Any:
    """Return a value as JSON can carry it; `decoded` brings it back, or a `NotCarried` in its place.

    Args:
        value: anything. Of a value that is not plain, only the type is told, and words on it.
        in_words: leave the words out when False: they may hold an address, and differ from run to run.

    >>> encoded({"when": dt.date(2026, 11, 22), "pair": (1, 2.5)})
    {'when': {'$date': '2026-11-22'}, 'pair': {'$tuple': [1, 2.5]}}

    """
    try:
        return _encoded(value, in_words, ())
    except RecursionError:
        return _told(value, in_words)


def _encoded(value: Any, words: bool, around: tuple[int, ...]) -> Any:  # noqa: FBT001 - private, and called often
    kind = type(value)
    if words and is_hidden(value):
        return {"$type": kind.__name__, "text": MASK}
    if words and kind is str:
        return redact(value)
    if value is None or kind in {bool, int, str}:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind in _WRITTEN:
        name, write, _ = _WRITTEN[kind]
        return {name: write(value)}
    if kind not in {list, tuple, set, frozenset, dict} or id(value) in around:
        return _told(value, words)
    around = (*around, id(value))
    if kind is dict:
        pairs = [(key, _encoded(item, words, around)) for key, item in value.items()]
        if all(type(key) is str and not key.startswith("$") for key, _ in pairs):
            return dict(pairs)
        return {"$dict": [[_encoded(key, words, around), item] for key, item in pairs]}
    items = [_encoded(item, words, around) for item in value]
    if kind is list:
        return items
    return {"$tuple": items} if kind is tuple else {f"${kind.__name__}": sorted(items, key=_canonical)}


def _told(value: Any, words: bool) -> dict[str, Any]:  # noqa: FBT001 - as above
    if isinstance(value, State):
        return {"$state": state_document(value)}
    if words and isinstance(value, BaseException):
        return {"$error": shown(value, 1000)}
    name = type_name(type(value))
    return {"$type": name, "text": shown(value, 200)} if words else {"$type": name}


def decoded(value: Any) -> Any:
    """Return the value which `encoded` wrote.

    >>> decoded({"$tuple": [1, {"$float": "inf"}]})
    (1, inf)

    """
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next((key for key in value if key.startswith("$")), None)
    if tag is None:
        return {key: decoded(item) for key, item in value.items()}
    if tag == "$type":
        return NotCarried(value[tag], value.get("text", ""))
    if tag not in _READERS:
        raise FlowError(f"{shown(value)} is marked {tag!r}, which this version of flowbook does not know.")
    return _READERS[tag](value[tag])


# How plain values that JSON does not know are written: mark, writer, reader.
_WRITTEN: dict[type, tuple[str, Any, Any]] = {
    bytes: ("$bytes", lambda value: base64.b64encode(value).decode(), base64.b64decode),
    dt.datetime: ("$datetime", dt.datetime.isoformat, dt.datetime.fromisoformat),
    dt.date: ("$date", dt.date.isoformat, dt.date.fromisoformat),
    dt.time: ("$time", dt.time.isoformat, dt.time.fromisoformat),
    dt.timedelta: (
        "$timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: dt.timedelta(*parts),
    ),
}

_READERS: dict[str, Any] = {
    **{mark: read for mark, _, read in _WRITTEN.values()},
    "$float": float,
    "$error": str,
    "$tuple": lambda items: tuple(map(decoded, items)),
    "$set": lambda items: set(map(decoded, items)),
    "$frozenset": lambda items: frozenset(map(decoded, items)),
    "$dict": lambda pairs: {decoded(key): decoded(item) for key, item in pairs},
}


def type_name(kind: type) -> str:
    """Return the full name of a class; without its module when it is built in or made by hand in a notebook."""
    module = kind.__module__
    return kind.__qualname__ if module in {"builtins", "__main__"} else f"{module}.{kind.__qualname__}"


def _canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


# -- states ----------------------------------------------------------------------------------------------------------


def state_document(state: State) -> dict[str, Any]:
    """Return a state as JSON can carry it."""
    document: dict[str, Any] = {
        "type": type(state).__name__,
        "message": None if state.message is None else redact(str(state.message)),
    }
    if _is_of_a_flow(state.result):
        # tasks have no name that would be theirs everywhere; a server keeps their states one by one
        document["result"] = {"$type": "dict", "text": f"the states of {len(state.result)} tasks"}
    else:
        document["result"] = encoded(state.result)
    for name in ("context", "cached_inputs"):
        value = getattr(state, name)
        if value:
            document[name] = encoded(value)
    for name in type(state)._slots():  # noqa: SLF001 - a state's own fields
        name = name.lstrip("_")  # noqa: PLW2901 - the constructor's name for it
        if name not in {"extra", "message", "result"}:
            document[name] = encoded(getattr(state, name))
    return document


def _is_of_a_flow(result: Any) -> bool:
    return isinstance(result, dict) and bool(result) and all(isinstance(state, State) for state in result.values())


def state_from(document: Any) -> State:
    """Return the state which a document describes.

    Raises:
        FlowError: it describes none that is known here.

    """
    if not isinstance(document, dict) or "type" not in document:
        raise FlowError(f"{shown(document)} describes no state: it must be what state.serialize() returned.")
    kinds = {kind.__name__: kind for kind in State.children(include_self=True)}
    kind = kinds.get(document["type"])
    if kind is None:
        name = str(document["type"])
        raise FlowError(f"there is no state called {shown(name)}.{nearest(name, kinds)} Known: {', '.join(kinds)}.")
    fields = {name: decoded(value) for name, value in document.items() if name != "type"}
    try:
        made: State = kind(**fields)
    except TypeError as error:
        raise FlowError(f"{shown(document)} does not describe a {kind.__name__}: {error}.") from error
    return made


_READERS["$state"] = state_from


# -- flows -----------------------------------------------------------------------------------------------------------


def flow_document(flow: Flow) -> dict[str, Any]:
    """Return the structure of a flow as JSON can carry it; the order of adding does not show in it."""
    flow.validate()
    slugs = flow.slugs
    edges = [
        {
            "upstream": slugs[edge.upstream_task],
            "downstream": slugs[edge.downstream_task],
            "key": edge.key,
            "mapped": edge.mapped,
            "flattened": edge.flattened,
        }
        for edge in flow.edges
    ]
    parameters = [
        {
            "name": parameter.name,
            "slug": slugs[parameter],
            "required": parameter.required,
            "default": MASK if parameter.sensitive else encoded(parameter.default, in_words=False),
            "type": in_words(flow.parameter_type(parameter)),
        }
        for parameter in flow.parameters()
    ]
    return {
        "type": "flow",
        "format": _FORMAT,
        "name": flow.name,
        "tasks": sorted((_task_document(flow, task) for task in flow.nodes), key=lambda task: str(task["slug"])),
        "edges": sorted(edges, key=lambda edge: (edge["upstream"], edge["downstream"], _canonical(edge))),
        "parameters": sorted(parameters, key=lambda parameter: str(parameter["name"])),
        "reference_tasks": sorted(slugs[task] for task in flow.reference_tasks()),
        "schedule": _schedule_document(flow.schedule),
    }


def flow_hash(flow: Flow) -> str:
    """Return a digest of a flow's structure: 64 characters, the same in every process."""
    return hashlib.sha256(_canonical(flow_document(flow)).encode()).hexdigest()


def _task_document(flow: Flow, task: Task) -> dict[str, Any]:
    node = flow.nodes[task]
    constants = dict(node.constants)
    document: dict[str, Any] = {
        "slug": node.slug,
        "name": task.name,
        "type": type_name(type(task)),
        "tags": sorted(task.tags),
        "auto_generated": task.auto_generated,
        "mapped": any(edge.mapped for edge in node.upstream.values()),
        "max_retries": task.max_retries,
        "retry_delay": _seconds(task.retry_delay),
        "retry_on": None if task.retry_on is None else sorted(map(type_name, task.retry_on)),
        "timeout": task.timeout,
        "trigger": _called(task.trigger),
        "skip_on_upstream_skip": task.skip_on_upstream_skip,
        "cache_for": _seconds(task.cache_for),
        "cache_key": task.cache_key,
        "nout": task.nout,
        "inputs": {
            name: {"type": in_words(input_["type"]), "required": input_["required"]}
            for name, input_ in task.inputs().items()
        },
        "outputs": in_words(task.outputs()),
        "constants": {key: _constant(value) for key, value in sorted(constants.items())},
    }
    if "value" in task.__dict__ and task.auto_generated:
        document["value"] = _constant(task.__dict__["value"])
    return document


def _seconds(duration: dt.timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _constant(value: Any) -> Any:
    """Return a constant; a digest for a long one, so that it still shows when it changes."""
    made = encoded(value, in_words=False)
    text = _canonical(made)
    if len(text) <= _LONGEST_CONSTANT:
        return made
    return {"$type": type_name(type(value)), "digest": hashlib.sha256(text.encode()).hexdigest()}


def _called(function: Any) -> str:
    """Name a trigger, a filter or an adjustment, with what it was given when it shows that itself."""
    own = type(function)
    if isinstance(function, Trigger):
        made_by = function._made_by  # noqa: SLF001 - what pickle is told, too
        return f"{function.__name__}{made_by[1]!r}" if made_by else function.__name__
    if "__repr__" in vars(own) and own.__module__.startswith("flowbook."):
        return repr(function)
    return str(getattr(function, "__qualname__", own.__qualname__))


def _schedule_document(schedule: Schedule | None) -> Any:
    if schedule is None:
        return None
    parts = ("filters", "or_filters", "not_filters", "adjustments")
    return {
        "clocks": sorted((_clock_document(clock) for clock in schedule.clocks), key=_canonical),
        **{part: _all_called(getattr(schedule, part)) for part in parts},
    }


def _all_called(functions: Iterable[Any]) -> list[str]:
    return [_called(function) for function in functions]


def _clock_document(clock: Any) -> dict[str, Any]:
    document = {
        name: encoded(getattr(clock, name), in_words=False)
        for name in ("start_date", "end_date", "parameter_defaults", "labels")
    }
    for name in clock._names():  # noqa: SLF001 - what it is made of, beside what all clocks have
        value = getattr(clock, name)
        document[name] = (
            str(value) if type(value).__module__.startswith("dateutil.") else encoded(value, in_words=False)
        )
    return {"type": type(clock).__name__, **document}
