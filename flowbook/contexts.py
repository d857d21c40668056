"""The context: what a task body may ask about the run it belongs to.

Two layers. *Given* values are what people set (``with context(...)``, ``flow.run(context=...)``). *Computed* values
(``task_name``, ``parameters``, ``today``, …) are answered lazily by the `Frame` that a runner installs on the thread
which runs the bodies, so that a task which never asks costs nothing. Given values beat computed ones.

Context variables keep both layers apart per thread and per asyncio task.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from flowbook.configuration import config, configured_secrets
from flowbook.errors import nearest, shown
from flowbook.redaction import MASK, hide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from flowbook.flows import Flow

__all__ = [
    "Context",
    "Frame",
    "caches",
    "context",
    "current_flow",
    "current_frame",
    "current_tags",
    "given_values",
    "install_frame",
    "restore_frame",
]

# The results that tasks have kept with ``cache_for``, by cache key; they live as long as this process.
caches: dict[str, list[Any]] = {}

_given: ContextVar[Mapping[str, Any]] = ContextVar("flowbook_given", default=MappingProxyType({}))


class Frame(Protocol):
    """Answer for the task run which the current thread is busy with."""

    def lookup(self, key: str) -> Any:
        """Return the value of a key, or raise KeyError."""

    def keys(self) -> list[str]:
        """Return the keys which `lookup` would answer now."""


_frame: ContextVar[Frame | None] = ContextVar("flowbook_frame", default=None)


def current_frame() -> Frame | None:
    """Return the frame of the task run on this thread, or None outside a run."""
    return _frame.get()


def install_frame(frame: Frame | None) -> Any:
    """Install a frame on this thread; return the token which `ContextVar.reset` takes."""
    return _frame.set(frame)


def restore_frame(token: Any) -> None:
    """Put back the frame that stood before `install_frame`."""
    _frame.reset(token)


def given_values() -> Mapping[str, Any]:
    """Return what people set on this thread; one look serves several questions while a flow is being built."""
    return _given.get()


def current_flow() -> Flow | None:
    """Return the flow of the innermost open ``with Flow(...)`` block of this thread."""
    flow: Flow | None = _given.get().get("flow")
    return flow


def current_tags() -> Iterable[str]:
    """Return the tags of the task run on this thread, for the states it makes."""
    tags = _given.get().get("task_tags")
    if tags is None and (frame := _frame.get()) is not None:
        try:
            tags = frame.lookup("task_tags")
        except KeyError:
            tags = None
    return tags or ()


class Secrets(dict[str, Any]):
    """Secrets by name; who looks at them sees the names, and from then on their values are masked in all text.

    >>> Secrets(PASSWORD="correct horse")
    {'PASSWORD': '***'}
    """

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        for value in self.values():
            hide(value)

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self, MASK))

    __str__ = __repr__


def _secrets_key() -> tuple[str, ...]:
    return ("secrets",) if configured_secrets() else ()


class Context:
    """What the running task may ask about its run, with attribute and item access.

    >>> with context(country="NL"):
    ...     context.country
    'NL'
    >>> context.get("country", "none")
    'none'
    """

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            known = list(self)
            present = ", ".join(known) or "nothing"
            raise AttributeError(
                f"nothing named {shown(key)} in the context.{nearest(key, known)} Present now: {present}."
            ) from None

    def __getitem__(self, key: str) -> Any:
        if key == "secrets":
            return self._secrets()
        return self._looked_up(key)

    def _looked_up(self, key: str) -> Any:
        given, frame = _given.get(), _frame.get()
        # inside a run its parameters come first: what was given around it was merged into them when it began
        if frame is not None and (key not in given or key == "parameters"):
            try:
                return frame.lookup(key)
            except KeyError:
                pass
        if key in given:
            return given[key]
        if key == "config":
            return config
        if key == "caches":
            return caches
        raise KeyError(key)

    def _secrets(self) -> Secrets:
        try:
            given = self._looked_up("secrets")
        except KeyError:
            given = {}
        return Secrets({**configured_secrets(), **(given or {})})

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or `default` when the context has none."""
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a value; when the context has none, add `default` and return that.

        >>> with context(country="NL"):
        ...     context.setdefault("country", "DE"), context.setdefault("month", 11), context.month
        ('NL', 11, 11)
        """
        if key not in self:
            self.update({key: default})
        return self[key]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, _MISSING) is not _MISSING

    def __iter__(self) -> Iterator[str]:
        frame = _frame.get()
        every = dict.fromkeys([*_given.get(), *(frame.keys() if frame is not None else ()), *_secrets_key()])
        return (key for key in every if not key.startswith("_"))

    def keys(self) -> list[str]:
        """Return the names of all values, given and computed."""
        return list(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all values, given and computed, as a dictionary."""
        return {key: self[key] for key in self}

    copy = to_dict

    def given(self) -> dict[str, Any]:
        """Return only what people set on this thread, without the flow that is being built."""
        return {key: value for key, value in _given.get().items() if not key.startswith("_") and key != "flow"}

    def __setattr__(self, key: str, value: Any) -> None:
        _given.set({**_given.get(), key: value})

    __setitem__ = __setattr__

    def __delattr__(self, key: str) -> None:
        _given.set({name: value for name, value in _given.get().items() if name != key})

    __delitem__ = __delattr__

    def update(self, *args: Mapping[str, Any], **values: Any) -> None:
        """Set several values for the rest of this thread's block."""
        _given.set({**_given.get(), **dict(*args), **values})

    def __call__(self, *args: Mapping[str, Any], **values: Any) -> _Block:
        """Return a block in which the values hold; what stood before comes back at its end."""
        return _Block(dict(*args, **values))

    def __reduce__(self) -> str:
        # by its name: it belongs to one run on one thread, and a body that is sent to a worker means the one over there
        return "context"

    def __repr__(self) -> str:
        return f"<Context: {', '.join(self) or 'empty'}>"


class _Block:
    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.tokens: list[Any] = []

    def __enter__(self) -> Context:
        self.tokens.append(_given.set({**_given.get(), **self.values}))
        return context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _given.reset(self.tokens.pop())


_MISSING = object()
context = Context()
