"""The journey of values and errors from a worker back to where the engine is.

What cannot be pickled there, or not be unpickled here, must not break anything: an error always arrives, as itself
where that is possible, else as the nearest thing to it. The worker tries the way back before it sends an error off.

Classes of a notebook travel by value, since no worker can import them. On their way *back* they are named instead: the
class is here already, and cloudpickle would overwrite its methods with the worker's copies.
"""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
import traceback
import weakref
from typing import TYPE_CHECKING, Any

from flowbook.engine.ends import said
from flowbook.engine.places import spot_of
from flowbook.errors import FlowbookError
from flowbook.signals import FlowbookSignal

if TYPE_CHECKING:
    from types import TracebackType

    from flowbook.engine.places import Spot

__all__ = ["RemoteError", "RemoteTraceback", "WorkerLost", "packed_error", "pickled_home", "unpacked_error"]

# Longer tracebacks (characters) are cut in the middle.
_LONG = 20_000
# Code of these files stands above a user's in every traceback of a worker, and says nothing to the user.
_OURS = ("flowbook/engine/", "flowbook\\engine\\", "contextlib.py", "asyncio")


class RemoteError(FlowbookError):
    """Stand for an error of a worker that cannot be pickled; also an instance of its nearest base that can.

    Attributes:
        type_name: the name of the error's class.
        message: what it said.
        traceback_text: where it came from.

    """

    def __init__(self, type_name: str, message: str, traceback_text: str = "") -> None:
        Exception.__init__(self, type_name, message, traceback_text)
        self.type_name = type_name
        self.message = message
        self.traceback_text = traceback_text

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" if self.message else self.type_name

    def __repr__(self) -> str:
        return f"RemoteError({str(self)!r})"

    def __reduce__(self) -> Any:
        bases = [base for base in type(self).__mro__[1:] if not issubclass(base, RemoteError)]
        return _remote_error, (bases[0], self.type_name, self.message, self.traceback_text)


class RemoteTraceback(Exception):
    """Show where on a worker an error came from: its cause, as text.

    Attributes:
        text: the traceback.
        spot: the file and the line of the user's code, when they are known.

    >>> print(RemoteTraceback("Traceback (most recent call last): …"))
    <BLANKLINE>
    Traceback (most recent call last): …

    """

    def __init__(self, text: str, spot: Spot | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.spot = spot

    def __str__(self) -> str:
        return f"\n{self.text}"


class WorkerLost(FlowbookError, RuntimeError):
    """Say that the process which ran a body ended before the body did."""


@functools.cache
def _remote_class(base: Any) -> type[RemoteError]:
    """Return the class of remote errors which are also caught as `base`."""
    if issubclass(RemoteError, base):
        return RemoteError
    try:
        return type("RemoteError", (RemoteError, base), {"__module__": __name__})
    except TypeError:  # the two cannot be combined
        return RemoteError


def _remote_error(base: Any, type_name: str, message: str, text: str) -> RemoteError:
    kind = _remote_class(base)
    made = kind.__new__(kind, type_name, message, text)
    RemoteError.__init__(made, type_name, message, text)
    return made


# -- pickling on the worker ------------------------------------------------------------------------------------------


def pickled_home(value: object) -> bytes:
    """Pickle a value for the way back; what came from there by value is only named.

    Raises:
        BaseException: whatever its pickling raises.

    """
    with io.BytesIO() as file:
        _home_pickler()(file).dump(value)
        return file.getvalue()


@functools.cache
def _home_pickler() -> Any:
    import cloudpickle  # noqa: PLC0415 - costs more than the engine

    known: Any = getattr(cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", None)
    if known is None:  # another cloudpickle than those we know: classes travel by value
        return cloudpickle.Pickler
    own: weakref.WeakSet[type] = weakref.WeakSet()

    class HomePickler(cloudpickle.Pickler):  # type: ignore[misc]  # ships no types
        def reducer_override(self, obj: Any) -> Any:
            if issubclass(type(obj), type) and obj not in own:
                number = known.get(obj)
                if number is not None:
                    return _named_class, (number, obj.__name__)
                own.add(obj)  # if it is a class of the body's own, it travels by value from now on
            return super().reducer_override(obj)

    return HomePickler


def _named_class(number: str, name: str) -> type:
    """Return the class that travelled under this number."""
    import cloudpickle  # noqa: PLC0415 - likewise

    tracked: Any = cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID  # noqa: SLF001 - see above
    found: type | None = tracked.get(number)
    if found is None:
        raise pickle.UnpicklingError(
            f"class {name!r} is not here any more: it was defined anew, or travelled elsewhere."
        )
    return found


# -- errors ----------------------------------------------------------------------------------------------------------


def packed_error(error: BaseException) -> bytes:
    """Pickle an error so that `unpacked_error` makes the most of it that is possible: itself, or a `RemoteError`."""
    text = _traceback_text(error)
    name, message = type(error).__name__, _message(error)
    if isinstance(error, FlowbookSignal) and not _survives(error):
        return packed_error(_unsendable_signal(error))
    payload = _whole(error) or _rebuildable(error) or pickled_home(_nearest(error, name, message, text))
    return pickle.dumps((payload, name, message, text, spot_of(error)))


def unpacked_error(packed: bytes) -> BaseException:
    """Return the error that was packed; its traceback over there is its cause, as text."""
    payload, name, message, text, spot = pickle.loads(packed)  # noqa: S301 - made by `packed_error`
    error: Any
    try:
        error = pickle.loads(payload)  # noqa: S301 - by our own worker
        if not isinstance(error, BaseException):
            error = RemoteError(name, message, text)
    except BaseException:  # noqa: BLE001 - a class of a user, made anew here, may raise anything
        error = RemoteError(name, message, text)
    if text:
        with contextlib.suppress(Exception):  # an exception may refuse any attribute
            object.__setattr__(error, "__cause__", RemoteTraceback(text, spot))
    found: BaseException = error
    return found


def _whole(error: BaseException) -> bytes | None:
    """Return the pickle of an error that survives being pickled."""
    try:
        data = pickled_home(error)
        again = pickle.loads(data)  # noqa: S301 - a moment old
    except BaseException:  # noqa: BLE001 - a class of a user may raise anything
        return None
    return data if type(again) is type(error) else None


def _survives(error: BaseException) -> bool:
    return _whole(error) is not None


def _rebuildable(error: BaseException) -> bytes | None:
    """Return a pickle that makes the error again without calling its class, which may want other arguments."""
    values = {}
    for key, value in _attributes(error).items():
        with contextlib.suppress(BaseException):  # what cannot be pickled stays behind
            pickled_home(value)
            values[key] = value
    try:
        data = pickled_home(_Rebuilt(type(error), tuple(_sendable(arg) for arg in error.args), values))
        again = pickle.loads(data)  # noqa: S301 - a moment old
        str(again)  # one which cannot be printed without what stayed behind is of no use
    except BaseException:  # noqa: BLE001 - likewise
        return None
    return data if type(again) is type(error) else None


def _attributes(error: BaseException) -> dict[str, Any]:
    try:
        return dict(vars(error))
    except BaseException:  # noqa: BLE001 - likewise
        return {}


def _sendable(value: Any) -> Any:
    try:
        pickle.loads(pickled_home(value))  # noqa: S301 - a moment old
    except BaseException:  # noqa: BLE001 - likewise
        return said(value)
    return value


class _Rebuilt:
    """Becomes an error when it is unpickled."""

    def __init__(self, kind: type[BaseException], args: tuple[Any, ...], values: dict[str, Any]) -> None:
        self.parts = kind, args, values

    def __reduce__(self) -> Any:
        return _rebuilt, self.parts


def _rebuilt(kind: type[BaseException], args: tuple[Any, ...], values: dict[str, Any]) -> BaseException:
    made = BaseException.__new__(kind) if kind.__new__ is BaseException.__new__ else kind.__new__(kind, *args)
    BaseException.__setattr__(made, "args", args)
    vars(made).update(values)
    return made


def _nearest(error: BaseException, name: str, message: str, text: str) -> RemoteError:
    """Return a remote error that is also an instance of the first base of an error which can be pickled."""
    for base in type(error).__mro__:
        if base in {Exception, BaseException, object}:
            break
        with contextlib.suppress(BaseException):
            made = _remote_error(base, name, message, text)
            pickle.loads(pickled_home(made))  # noqa: S301 - a moment old
            str(made)
            return made
    return RemoteError(name, message, text)


def _unsendable_signal(signal: FlowbookSignal) -> TypeError:
    name = type(signal).__name__
    result = getattr(getattr(signal, "state", None), "result", None)
    return TypeError(
        f"signal {name} could not be pickled to come back from its worker; it carries a {type(result).__name__}. "
        'Give it a result that can be pickled, or run the flow with executor="threads".'
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except BaseException:  # noqa: BLE001 - a user's __str__ may raise anything
        return ""


def _traceback_text(error: BaseException) -> str:
    """Format where an error came from, without the frames that are ours; where it crossed processes, what came then."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, trace)).rstrip()
    except BaseException:  # noqa: BLE001 - likewise
        return ""
    return text if len(text) <= _LONG else f"{text[: _LONG // 2]}\n…\n{text[-_LONG // 2 :]}"


def _is_ours(trace: TracebackType) -> bool:
    file = trace.tb_frame.f_code.co_filename
    return any(ours in file for ours in _OURS)
