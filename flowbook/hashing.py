"""Tokens: a short text for any value, the same for equal values.

Caches compare inputs by them, so they must not take one value for another, must not depend on the process or on the
order of a set, and must never raise. What cannot be read (a lock, a socket) gets a token that no other value ever has:
then nothing is taken from a cache, which is slow and never wrong.
"""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["token"]

_PLAIN = {bool, int, float, complex, str, type(None), type(Ellipsis), type(NotImplemented)}
_BYTES = {bytes, bytearray}


def token(value: object) -> str:
    """Return a text that is the same for equal values, in every process.

    >>> token({"a": 1, "b": [2, 3]}) == token({"b": [2, 3], "a": 1})
    True
    >>> token([1, 2]) == token((1, 2))
    False

    """
    try:
        return _digest(value, {}).hex()
    except Exception:  # noqa: BLE001 - whatever a value raises when it is looked into: it is like no other
        return _unlike_any_other()


def _unlike_any_other() -> str:
    import uuid  # noqa: PLC0415 - seldom needed

    return uuid.uuid4().hex


def _digest(value: Any, above: dict[int, int]) -> bytes:
    """Return the digest of a value; `above` has how deep each container around it lies, since one may hold itself."""
    kind = type(value)
    if kind in _PLAIN:
        return _hashed(kind.__name__, repr(value).encode("utf-8", "surrogatepass"))
    if kind in _BYTES:
        return _hashed(kind.__name__, value)
    if id(value) in above:
        return _hashed("above", str(len(above) - above[id(value)]).encode())
    above[id(value)] = len(above)
    try:
        return _container(value, kind, above)
    finally:
        del above[id(value)]


def _container(value: Any, kind: type, above: dict[int, int]) -> bytes:
    if kind is list or kind is tuple:
        return _hashed(kind.__name__, *[_digest(item, above) for item in value])
    if kind is dict:
        return _hashed("dict", *_pairs(value.items(), above))
    if kind is set or kind is frozenset:
        return _hashed(kind.__name__, *sorted([_digest(item, above) for item in value]))
    for module, read in _READERS.items():
        loaded = sys.modules.get(module)
        # one that another thread is just importing has made no values yet
        if loaded is not None and not getattr(loaded.__spec__, "_initializing", False):
            found = read(loaded, value, above)
            if found is not None:
                return found
    is_bound = not isinstance(getattr(value, "__self__", None), (ModuleType, type(None)))
    if isinstance(value, (type, ModuleType)) or (isinstance(value, BuiltinFunctionType) and not is_bound):
        return _hashed("named", _name(value))
    if isinstance(value, FunctionType):
        return _function(value, above)
    if isinstance(value, MethodType):
        return _hashed("method", _digest(value.__func__, above), _digest(value.__self__, above))
    if isinstance(value, CodeType):
        return _code(value, above)
    if type(value).__name__ == "cell":
        return _hashed("cell", _digest(value.cell_contents, above))
    return _object(value, above)


def _pairs(items: Iterable[tuple[Any, Any]], above: dict[int, int]) -> list[bytes]:
    return sorted([_digest(key, above) + _digest(item, above) for key, item in items])


def _name(value: Any) -> bytes:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}".encode()


def _function(function: FunctionType, above: dict[int, int]) -> bytes:
    """Return the digest of a function: its code and what it closes over, since a notebook redefines names all day."""
    parts = [function.__code__, function.__defaults__, function.__kwdefaults__, function.__closure__]
    return _hashed("function", _name(function), *[_digest(part, above) for part in parts])


def _code(code: CodeType, above: dict[int, int]) -> bytes:
    return _hashed("code", code.co_code, *[_digest(part, above) for part in (code.co_consts, code.co_names)])


def _object(value: Any, above: dict[int, int]) -> bytes:
    """Return the digest of any other object, from what pickle would write of it, but never from identity."""
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return _hashed("global", _name(type(value)), reduced.encode())
    make, arguments, *rest = reduced
    state, items, pairs = (*rest, None, None, None)[:3]
    return _hashed(
        "object",
        _name(type(value)),
        _digest(make, above),
        _digest(arguments, above),
        _digest(state, above),
        *[_digest(item, above) for item in items or ()],
        b"pairs",
        *_pairs(pairs or (), above),
    )


def _hashed(kind: str, *parts: Any) -> bytes:
    """Return the digest of some parts; each says how long it is, so that no two ways of cutting are alike."""
    import hashlib  # noqa: PLC0415 - costs a tenth of `import flowbook`, and only caches need it

    made = hashlib.blake2b(kind.encode(), digest_size=16)
    for part in parts:
        view = memoryview(part)
        made.update(b"%d:" % view.nbytes)
        made.update(view)
    return made.digest()


# -- what other packages bring; they are asked only when they are loaded ---------------------------------------------


def _read_numpy(numpy: Any, value: Any, above: dict[int, int]) -> bytes | None:
    """Return the digest of an array from its buffer, without copying it."""
    if not isinstance(value, (numpy.ndarray, numpy.generic)):
        return None
    kind = f"{type(value).__name__} {value.dtype.descr if value.dtype.names else value.dtype.str} {value.shape}"
    if value.dtype.hasobject:
        return _hashed(kind, *[_digest(item, above) for item in value.ravel().tolist()])
    # dates have no buffer that Python can see; and what lies scattered is gathered first
    flat = numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8) if value.size else b""
    masks = [_digest(numpy.asarray(value.mask), above)] if isinstance(value, numpy.ma.MaskedArray) else []
    return _hashed(kind, flat if isinstance(flat, bytes) else numpy.asarray(flat).data, *masks)


def _read_pandas(pandas: Any, value: Any, above: dict[int, int]) -> bytes | None:
    """Return the digest of a table: one number a row, worked out by pandas, and what stands around the rows."""
    if not isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index)):
        return None
    is_table = isinstance(value, pandas.DataFrame)
    labels = value if isinstance(value, pandas.Index) else value.index
    names = [list(labels.names), list(value.columns) if is_table else getattr(value, "name", None)]
    if is_table:
        names.append(list(value.columns.names))
    kinds = [str(kind) for kind in value.dtypes] if is_table else [str(value.dtype)]
    try:
        rows: Any = pandas.util.hash_pandas_object(value).to_numpy()
    except TypeError:  # lists and dicts in its cells
        rows = value.to_dict("split") if is_table else [list(value), list(getattr(value, "index", ()))]
    return _hashed(type(value).__name__, *[_digest(part, above) for part in (names, kinds, rows)])


# pandas first: its tables pass for arrays in some ways
_READERS: dict[str, Callable[[Any, Any, dict[int, int]], bytes | None]] = {
    "pandas": _read_pandas,
    "numpy": _read_numpy,
}
