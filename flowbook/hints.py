"""Hints: what the annotations of two tasks say about the edge between them.

A type checker proves that types fit. This looks for the opposite: annotations that can *surely* not be meant together.
Whoever warns without being asked has to be right, so whatever is not known (`Any`, a name that cannot be looked up, a
protocol, a class that may have subclasses with more to them) fits everything.
"""

from __future__ import annotations

import collections.abc
import inspect
import numbers
import types
import typing
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UNKNOWN", "EdgeTypes", "arrives", "element_of", "in_words", "is_known", "may_fit", "resolved"]

# The type of what is not known.
UNKNOWN: Any = Any

_NONE = type(None)


class EdgeTypes(NamedTuple):
    """The types at the two ends of an edge.

    Attributes:
        gives: what arrives: the annotated result upstream, or the elements of it when the edge is mapped.
        takes: what the argument downstream is annotated with.
        fits: False when the two can surely not be meant together.

    >>> from flowbook import Flow, task
    >>> @task
    ... def count(text: str) -> int:
    ...     return len(text)
    >>> @task
    ... def double(number: int):
    ...     return 2 * number
    >>> with Flow("types") as flow:
    ...     doubled = double(count("Marvin"))
    >>> for edge, types in flow.edge_types().items():
    ...     print(edge, types)
    <Edge: count to double as number> int -> int

    """

    gives: Any
    takes: Any
    fits: bool

    def __str__(self) -> str:
        return f"{in_words(self.gives)} -> {in_words(self.takes)}"


# -- reading ---------------------------------------------------------------------------------------------------------


class _Annotated:
    """Carries one annotation to `typing.get_type_hints`, so that the others need not be known."""

    def __init__(self, annotation: Any) -> None:
        self.__annotations__ = {"it": annotation}


def resolved(run: Callable[..., Any], annotation: Any) -> Any:
    """Return what an annotation of a function means; a text when its names cannot be looked up.

    >>> resolved(resolved, "list[str]")
    list[str]
    >>> resolved(resolved, "list[Undefined]")
    'list[Undefined]'

    """
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return annotation  # before 3.11, list[int] is a type, too
    try:
        function: Any = inspect.unwrap(run)
        function = getattr(function, "__func__", function)
        known = dict(getattr(function, "__globals__", {}))
        if getattr(function, "__closure__", None):
            known.update(inspect.getclosurevars(function).nonlocals)
        found = typing.get_type_hints(_Annotated(annotation), known)["it"]
    except Exception:  # noqa: BLE001 - annotations are a user's expressions and may fail in any way
        return annotation if isinstance(annotation, str) else UNKNOWN
    return UNKNOWN if isinstance(found, _VALUES) else found


# What some people write as annotations though it is no type.
_VALUES = (int, float, complex, bytes, list, tuple, dict, set)


def is_known(annotation: Any) -> bool:
    """Tell whether an annotation says something that can be compared."""
    return annotation is not UNKNOWN and annotation is not object and not isinstance(annotation, str)


def in_words(annotation: Any) -> str:
    """Return a type as people write it, alike in every Python.

    >>> in_words(typing.Optional[typing.List[int]]), in_words(typing.Any)
    ('list[int] | None', 'Any')

    """
    if annotation is Any:
        return "Any"
    if annotation is None or annotation is _NONE:
        return "None"
    if annotation is Ellipsis:
        return "..."
    if isinstance(annotation, str):
        return annotation
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in {typing.Union, types.UnionType}:
        return " | ".join(map(in_words, args))
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin is collections.abc.Callable:
        return "Callable"
    if origin is typing.Annotated:
        return in_words(args[0])
    if origin is not None and args:
        return f"{in_words(origin)}[{', '.join(map(in_words, args))}]"
    named: str | None = getattr(annotation, "__qualname__", None) or getattr(annotation, "__name__", None)
    return named if named is not None else repr(annotation).removeprefix("typing.").removeprefix("~")


# -- comparing -------------------------------------------------------------------------------------------------------


def may_fit(gives: Any, takes: Any) -> bool:
    """Tell whether a value annotated as `gives` may be meant for an argument annotated as `takes`.

    >>> may_fit(int, float), may_fit(typing.Optional[int], int), may_fit(str, int), may_fit(list[str], list[int])
    (True, True, False, False)

    """
    if gives is takes or not is_known(gives) or not is_known(takes):
        return True
    try:
        return _kept(gives, takes)
    except TypeError:  # something that has no hash, inside of a Literal or an Annotated
        return _may_fit(gives, takes)


def _may_fit(gives: Any, takes: Any) -> bool:
    gives, takes = _plain(gives), _plain(takes)
    if gives is takes or not is_known(gives) or not is_known(takes):
        return True
    if _is_union(gives):
        return any(may_fit(one, takes) for one in typing.get_args(gives))
    if _is_union(takes):
        return any(may_fit(gives, one) for one in typing.get_args(takes))
    if typing.get_origin(gives) is typing.Literal or typing.get_origin(takes) is typing.Literal:
        return _literals_may_fit(gives, takes)
    given, taken = _class_of(gives), _class_of(takes)
    if given is None or taken is None:
        return True
    return _classes_may_fit(given, taken) and _items_may_fit(gives, takes)


_kept = lru_cache(maxsize=4096, typed=True)(_may_fit)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in {typing.Union, types.UnionType}


def _plain(annotation: Any) -> Any:
    """Take off what wraps a type: Annotated, NewType, an alias."""
    for _ in range(20):  # an alias may name itself
        if annotation is None:
            return _NONE
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation
    return UNKNOWN


def _class_of(annotation: Any) -> type | None:
    """Return the class whose instances are meant, or None when that is not known."""
    found = typing.get_origin(annotation) or annotation
    if not isinstance(found, type):
        return None  # a TypeVar, Never, LiteralString, …
    if typing.is_typeddict(found):
        return dict
    return None if getattr(found, "_is_protocol", False) and found.__module__ not in _ABCS else found


_ABCS = frozenset({"collections.abc", "typing", "contextlib", "numbers", "os", "io"})

# Modules whose classes are what they are: a subclass that is, say, an int and also a Mapping is not to be expected.
_SETTLED = frozenset({"builtins", "datetime", "decimal", "fractions", "pathlib", "uuid", "collections", "zoneinfo"})


def _classes_may_fit(gives: type, takes: type) -> bool:
    try:
        if issubclass(gives, takes) or issubclass(takes, gives):
            return True
        if any(issubclass(gives, like) for like in _TAKEN_AS.get(takes, ())):
            return True
    except Exception:  # noqa: BLE001 - a metaclass may do as it likes
        return True
    if inspect.isabstract(gives) or inspect.isabstract(takes) or _is_abc(gives) or _is_abc(takes):
        # a subclass of the other one may be both, or be registered later
        return not (gives.__module__ in _SETTLED or takes.__module__ in _SETTLED)
    return _is_open(gives, takes) or (takes is bool and gives.__module__ == "numpy")


def _is_abc(kind: type) -> bool:
    return kind.__module__ in _ABCS or type(kind).__name__ in {"ABCMeta", "_ProtocolMeta"}


def _is_open(gives: type, takes: type) -> bool:
    """Tell whether classes decide themselves what counts as their instance, so that nobody else can say."""
    return any(
        "__instancecheck__" in vars(above) or "__subclasscheck__" in vars(above)
        for kind in (gives, takes)
        for above in inspect.getmro(type(kind))
        if above is not type
    )


# What is taken for what, beside subclasses: the numeric tower (NumPy's numbers are registered in it), and buffers.
_TAKEN_AS: dict[type, tuple[type, ...]] = {
    int: (numbers.Integral,),
    float: (numbers.Real,),
    complex: (numbers.Complex,),
    bytes: (bytearray, memoryview),
}


def _literals_may_fit(gives: Any, takes: Any) -> bool:
    given, taken = _literal_values(gives), _literal_values(takes)
    if given is not None and taken is not None:
        return any(one == other for one in given for other in taken)
    if given is not None:
        return any(may_fit(type(one), takes) for one in given)
    return any(may_fit(gives, type(other)) for other in taken or ())


def _literal_values(annotation: Any) -> tuple[Any, ...] | None:
    return typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else None


# -- what is inside ---------------------------------------------------------------------------------------------------


def _items_may_fit(gives: Any, takes: Any) -> bool:
    """Compare the elements of two collections when both say what these are."""
    if _is_fixed_tuple(gives) and _is_fixed_tuple(takes):
        given, taken = typing.get_args(gives), typing.get_args(takes)
        return len(given) == len(taken) and all(map(may_fit, given, taken))
    one, other = _key_and_value(gives), _key_and_value(takes)
    if one is not None and other is not None:
        return may_fit(one[0], other[0]) and may_fit(one[1], other[1])
    if one is not None or other is not None:
        return True
    return may_fit(element_of(gives), element_of(takes))


def _is_fixed_tuple(annotation: Any) -> bool:
    args = typing.get_args(annotation)
    return typing.get_origin(annotation) is tuple and bool(args) and Ellipsis not in args and args != ((),)


def _key_and_value(annotation: Any) -> tuple[Any, Any] | None:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    is_mapping = isinstance(origin, type) and origin.__module__ in _PLAIN_HOMES and issubclass(origin, _MAPPING)
    return (args[0], args[1]) if is_mapping and len(args) == 2 else None  # noqa: PLR2004 - a key and a value


_MAPPING = collections.abc.Mapping
_PLAIN_HOMES = frozenset({"builtins", "collections", "collections.abc"})


def element_of(annotation: Any) -> Any:
    """Return the type of the elements of a collection, or `UNKNOWN`.

    >>> element_of(list[int]), element_of(tuple[int, ...]), element_of(str), element_of(dict)
    (<class 'int'>, <class 'int'>, <class 'str'>, typing.Any)

    """
    annotation = _plain(annotation)
    if annotation is str:
        return str
    if _is_union(annotation):
        inside = [element_of(one) for one in typing.get_args(annotation) if one is not _NONE]
        return _either(inside)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if not isinstance(origin, type) or not args or origin.__module__ not in _PLAIN_HOMES:
        return UNKNOWN
    if origin is tuple:
        return _either([one for one in args if one is not Ellipsis])
    is_collection = issubclass(origin, collections.abc.Iterable) and not issubclass(origin, _MAPPING)
    return args[0] if is_collection and len(args) == 1 else UNKNOWN


def _either(several: list[Any]) -> Any:
    if not several or not all(is_known(one) for one in several):
        return UNKNOWN
    made = several[0]
    try:
        for one in several[1:]:
            made = made | one
    except TypeError:
        return UNKNOWN
    return made


def arrives(gives: Any, *, spread: bool, mapped: bool, flattened: bool) -> Any:
    """Return the type of what comes along an edge.

    Args:
        gives: what the task upstream returns.
        spread: the task upstream is mapped itself, so that its result is a list.
        mapped: each element goes to a run of its own.
        flattened: one level of nesting is taken out before.

    >>> arrives(int, spread=True, mapped=False, flattened=False)
    list[int]
    >>> arrives(list[int], spread=False, mapped=True, flattened=False)
    <class 'int'>

    """
    if not is_known(gives):
        return list if spread and not (mapped or flattened) else UNKNOWN
    if flattened:
        inner = gives if spread else element_of(gives)
        element = element_of(inner)
        return element if mapped else list_of(element)
    if spread:
        return gives if mapped else list_of(gives)
    return element_of(gives) if mapped else gives


def list_of(annotation: Any) -> Any:
    """Return the type of a list of such elements."""
    return list[annotation] if is_known(annotation) else list
