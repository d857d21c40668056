"""Parcels: objects on their way to another process and back, so that nobody can tell that they were away.

Copies are not as good as the things themselves: two names of one object must stay that, and so must parts of it. So
each parcel numbers the objects in it, and on the way back an object that had come along is only named. What shares
memory with such an object without being it, what has an order or a state of its own in each process, and all of which
it is not known that a copy is as good, stays where it is.
"""

from __future__ import annotations

import enum
import functools
import importlib
import io
import itertools
import pickle
import sys
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Arrived", "Sent", "Stays", "is_plain_definition"]

# Where types come from whose copies are known to be as good as the things themselves.
_KNOWN = frozenset(
    {*sys.stdlib_module_names, "numpy", "pandas", "pyarrow", "dateutil", "pytz", "scipy", "sklearn", "IPython"}
)
_ATOMS = (bool, int, str, bytes, complex, type(None), type(Ellipsis))
# With one of these a class decides itself what of it a copy has.
_OWN_WAYS = (
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__setstate__",
    "__copy__",
    "__deepcopy__",
    "__getnewargs_ex__",
)
_FIRST_WITH_COPY_ON_WRITE = 3


class Stays(Exception):
    """Say that something cannot go to another process, or not come back from it: what it does, in words."""


class Sent:
    """A parcel that is packed here and goes to another process.

    Args:
        names: what is in it.
        defined: what modules, functions and classes the other process has by name already.

    Attributes:
        data: what is sent.
        used: of what the other process has by name, that which the objects in the parcel need.

    Raises:
        Stays: something in it must stay here.

    """

    def __init__(self, names: Mapping[str, Any], defined: Mapping[str, Any]) -> None:
        file = io.BytesIO()
        packer = _Packer(file, defined)
        try:
            packer.dump(dict(names))
        except Stays:
            raise
        except Exception as error:  # noqa: BLE001 - code of a user's classes runs
            name = _culprit(names, defined)
            msg = f"reads {name}, which cannot be pickled ({type(error).__name__})"
            raise Stays(msg) from None
        self.data = file.getvalue()
        self._objects: dict[int, Any] = dict(packer.memo.copy().values())
        self._numbers = packer.numbers
        self._indexes = dict(enumerate(packer.indexes))
        self.used = frozenset(packer.used)

    def opened_back(self, data: bytes) -> Any:
        """Return what came back; what had come along is what it was."""
        return _Unpacker(io.BytesIO(data), self._objects, self._numbers, self._indexes).load()


def _culprit(names: Mapping[str, Any], defined: Mapping[str, Any]) -> str:
    for name, value in names.items():
        try:
            _Packer(io.BytesIO(), defined).dump(value)
        except Exception:  # noqa: BLE001, PERF203 - code of a user's classes runs
            return name
    return "something"


class Arrived:
    """A parcel from another process, opened here.

    Args:
        data: what was sent.

    Attributes:
        names: what was in it.

    """

    def __init__(self, data: bytes) -> None:
        opener = _Unpacker(io.BytesIO(data), {}, [], {})
        self.names: dict[str, Any] = opener.load()
        self._objects: dict[int, Any] = opener.memo.copy()
        self._numbers = opener.numbers
        self._indexes = [opener.indexes[place] for place in range(len(opener.indexes))]
        self._before = self._looks()

    def _looks(self) -> bytes:
        """Return what the objects are like now."""
        file = io.BytesIO()
        _Packer(file, sys.modules["__main__"].__dict__, self._numbers).dump(self.names)
        return file.getvalue()

    def packed_back(self, values: Any) -> bytes:
        """Return values as they are sent back.

        Raises:
            Stays: they cannot be, or what had come along was changed.

        """
        if self._looks() != self._before:
            msg = "changes an object which it reads"
            raise Stays(msg)
        file = io.BytesIO()
        packer = _HomePacker(file, sys.modules["__main__"].__dict__, self._numbers, self._objects, self._indexes)
        try:
            packer.dump(values)
        except Stays:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            msg = f"makes what cannot be pickled ({type(error).__name__}: {str(error)[:100]})"
            raise Stays(msg) from None
        return file.getvalue()


class _Packer(pickle.Pickler):
    """Pickles by name what the other process has already, and refuses what is better not copied.

    Attributes:
        numbers: the floats that are not equal to themselves, of which only the identity tells one from another.
        indexes: those of pandas tables. Views of one count as the same for pandas, so they stay that.

    """

    def __init__(
        self, file: Any, defined: Mapping[str, Any], numbers: Iterable[float] = (), indexes: Iterable[Any] = ()
    ) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.defined = defined
        self.numbers: list[float] = list(numbers)
        self.used: set[str] = set()
        self.indexes: list[Any] = list(indexes)
        self._index_numbers = {id(index): number for number, index in enumerate(self.indexes)}
        self._marks = {_mark(index): number for number, index in enumerate(self.indexes)}

    def persistent_id(self, value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return None
        if kind is float:
            return None if value == value else ("nan", self._number(value))  # noqa: PLR0124 - a float that is no number
        if kind is types.ModuleType:
            return "module", value.__name__
        if kind is types.FunctionType or isinstance(value, type):
            self._refuse_unknown_code(value)
        elif _is_index(value):
            return self._index(value)
        elif (reason := _reason(kind)) is not None:  # type: ignore[arg-type]  # classes can be hashed
            raise Stays(reason)
        return None

    def _number(self, value: float) -> int:
        for place, known in enumerate(self.numbers):
            if known is value:
                return place
        self.numbers.append(value)
        return len(self.numbers) - 1

    def _index(self, index: Any) -> Any:
        number = self._index_numbers.get(id(index))
        if number is not None:
            return "index", number, b""
        number = self._index_numbers[id(index)] = len(self.indexes)
        self.indexes.append(index)
        first = self._marks.setdefault(_mark(index), number)
        if first != number:
            return "view", number, first, list(index.names)
        return "index", number, pickle.dumps(index, pickle.HIGHEST_PROTOCOL)

    def _refuse_unknown_code(self, value: Any) -> None:
        if value.__module__ == "__main__" and self.defined.get(value.__qualname__) is not value:
            what = "class" if isinstance(value, type) else "function"
            msg = f"has to do with the {what} {value.__qualname__}, which is not defined once and for all"
            raise Stays(msg)
        if value.__module__ == "__main__":
            self.used.add(value.__qualname__)


class _HomePacker(_Packer):
    """Names what had come along, and refuses what shares memory with it."""

    def __init__(
        self,
        file: Any,
        defined: Mapping[str, Any],
        numbers: Iterable[float],
        objects: Mapping[int, Any],
        indexes: Iterable[Any],
    ) -> None:
        super().__init__(file, defined, numbers, indexes)
        self.known = {id(value): place for place, value in objects.items() if type(value) not in _ATOMS}
        tables = [*(value for value in objects.values() if not _is_array(value)), *self.indexes]
        self.memory = {_root(array) for value in (*objects.values(), *tables) for array in _arrays(value)}
        self.loose = self.memory - {_root(array) for value in tables for array in _arrays(value)}
        self.made: dict[int, Any] = {}  # memory -> the array in which it has come by
        self.free: dict[int, Any] = {}  # arrays of tables that pandas copies before it changes them, by identity

    def persistent_id(self, value: Any) -> Any:
        place = self.known.get(id(value))
        if place is not None and not _is_array(value):
            return "in", place
        if _is_array(value):
            if _root(value) in self.memory and id(value) not in self.free:
                msg = "makes an array that shares memory with one it reads"
                raise Stays(msg)
            if id(value) not in self.free and self.made.setdefault(_root(value), value) is not value:
                msg = "makes arrays that share memory with each other"
                raise Stays(msg)
        elif _is_copied_on_write(value):
            arrays = _arrays(value)
            if self.loose.isdisjoint(map(_root, arrays)):
                self.free.update((id(array), array) for array in arrays)
        return super().persistent_id(value)


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: Any, objects: Mapping[int, Any], numbers: list[float], indexes: dict[int, Any]) -> None:
        super().__init__(file)
        self.objects = objects
        self.numbers = numbers
        self.indexes = indexes

    def persistent_load(self, said: Any) -> Any:
        match said:
            case ("in", place):
                return self.objects[place]
            case ("module", name):
                return importlib.import_module(name)
            case ("nan", place):
                while len(self.numbers) <= place:
                    self.numbers.append(float("nan"))
                return self.numbers[place]
            case ("index", number, data):
                if number not in self.indexes:
                    self.indexes[number] = pickle.loads(data)  # noqa: S301 - from our own process
                return self.indexes[number]
            case ("view", number, first, names):
                self.indexes[number] = self.indexes[first].view()
                self.indexes[number].names = names
                return self.indexes[number]
        msg = f"a parcel says {said!r}, which nobody writes."
        raise pickle.UnpicklingError(msg)


# -- which types may travel -------------------------------------------------------------------------------------------


@functools.cache
def _reason(kind: type) -> str | None:
    """Return why objects of a type stay where they are; None when they may travel."""
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.").removeprefix("__main__.")
    if issubclass(kind, set | frozenset):
        return "has to do with a set, whose order is another one in another process"
    if issubclass(kind, BaseException | io.IOBase | Iterator):
        return f"has to do with an object of type {name}, of which a copy has not all"
    if kind.__module__ == "__main__":
        own = [one for base in kind.__mro__ for one in _OWN_WAYS if base.__module__ == "__main__" and one in vars(base)]
        return f"has to do with an object of class {name}, which defines {own[0]}" if own else None
    if kind.__module__.partition(".")[0] not in _KNOWN and not kind.__module__.startswith("_cython_"):
        return f"has to do with an object of type {name}, of which it is not known whether a copy is as good"
    return None


def is_plain_definition(value: Any) -> bool:
    """Tell whether a function or class keeps nothing that calls could change, as caches and counters do.

    >>> is_plain_definition(len), is_plain_definition(functools.cache(len))
    (True, False)

    """
    if isinstance(value, types.FunctionType):
        defaults = (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        return not (value.__closure__ or vars(value)) and all(map(_is_constant, defaults))
    if not isinstance(value, type):
        return isinstance(value, types.BuiltinFunctionType)
    if issubclass(value, enum.Enum):
        return True
    ours = [base for base in value.__mro__ if base.__module__ == value.__module__]
    return all(
        _is_plain_member(name, one) for base in ours for name, one in vars(base).items() if not _is_made(base, name)
    )


def _is_made(kind: type, name: str) -> bool:
    """Tell whether `dataclasses` has made this part of a class; its `__repr__` remembers what it is at, while it is."""
    return name == "__repr__" and "__dataclass_fields__" in vars(kind) and hasattr(vars(kind)[name], "__wrapped__")


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, (*_ATOMS, float, type, types.FunctionType, types.BuiltinFunctionType))


def _is_plain_member(name: str, value: Any) -> bool:
    """Tell whether what stands in a class is the same for all time."""
    inner = getattr(value, "__func__", value)
    if isinstance(inner, types.FunctionType):
        cells = [one.cell_contents for one in inner.__closure__ or ()]  # `super()` has its class there
        defaults = (*(inner.__defaults__ or ()), *(inner.__kwdefaults__ or {}).values())
        return not vars(inner) and all(isinstance(one, type) for one in cells) and all(map(_is_constant, defaults))
    if isinstance(inner, property):
        return all(is_plain_definition(one) for one in (inner.fget, inner.fset, inner.fdel) if one is not None)
    return name.startswith("__") or _is_constant(value) or isinstance(value, _SLOTS)


_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)


# -- memory -----------------------------------------------------------------------------------------------------------


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _is_index(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.Index)


def _mark(index: Any) -> int:
    """Return what views of one index have in common: pandas has no public name for it."""
    mark = getattr(index, "_id", None)
    return id(index if mark is None else mark)


def _is_table(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)


def _is_copied_on_write(value: Any) -> bool:
    """Tell whether pandas sees to it that a change of a table shows in no other, whatever memory they share."""
    if not _is_table(value) or int(sys.modules["pandas"].__version__.partition(".")[0]) < _FIRST_WITH_COPY_ON_WRITE:
        return False
    kept = value._mgr.arrays  # noqa: SLF001 - pandas has no public name for it
    return not any(_is_array(one) and one.dtype.kind == "O" for one in kept)  # the objects in there are shared


def _arrays(value: Any) -> list[Any]:
    """Return the arrays in which an object keeps its values."""
    if _is_array(value):
        return [value]
    if _is_index(value):
        kept = [getattr(value, "_data", None)]
    elif _is_table(value):
        kept = list(value._mgr.arrays)  # noqa: SLF001 - pandas has no public name for it
    else:
        return []
    inner = [getattr(one, name, None) for one in kept for name in ("_ndarray", "_data", "_mask")]
    return [one for one in itertools.chain(kept, inner) if _is_array(one)]


def _root(array: Any) -> int:
    """Return the identity of the memory of an array, whoever else looks at it."""
    while (base := getattr(array, "base", None)) is not None or isinstance(array, memoryview):
        array = array.obj if isinstance(array, memoryview) else base
    return id(array)
