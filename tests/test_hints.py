"""Hints: annotations are called incompatible only where they surely are."""

# The ways in which types were written before are under test, too.
# ruff: noqa: PYI061, UP006, UP007, UP035, UP045
from __future__ import annotations

import datetime as dt
import decimal
import enum
import os
import pathlib
import typing
from collections import abc
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Callable,
    Dict,
    List,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Protocol,
    Tuple,
    TypedDict,
    TypeVar,
    Union,
)

import numpy as np
import pandas as pd
import pytest

from flowbook.hints import UNKNOWN, arrives, element_of, in_words, may_fit, resolved

T = TypeVar("T")
Bound = TypeVar("Bound", bound=int)
UserId = NewType("UserId", int)


class Animal: ...


class Dog(Animal): ...


class Plant: ...


class Colour(enum.Enum):
    red = 1


class Level(enum.IntEnum):
    low = 1


class HasName(Protocol):
    name: str


@typing.runtime_checkable
class Closes(Protocol):
    def close(self) -> None: ...


class Movie(TypedDict):
    title: str


class Point(NamedTuple):
    x: int
    y: int


class Box(typing.Generic[T]): ...


class Shape(abc.Sized): ...


class SaysItself(type):
    def __instancecheck__(cls, value: object) -> bool:
        return True


class Anything(metaclass=SaysItself): ...


@dataclass
class Row:
    name: str


FITS: list[tuple[Any, Any]] = [
    (int, int),
    (Any, int),
    (int, Any),
    (str, object),
    (object, str),
    (int, float),
    (int, complex),
    (float, complex),
    (bool, int),
    (int, bool),
    (bool, float),
    (Dog, Animal),
    (Animal, Dog),
    (Optional[int], int),
    (int, Optional[int]),
    (Union[int, str], Union[str, bytes]),
    (int | str, str),
    (Optional[Animal], Optional[Plant]),
    (None, None),
    (None, Optional[int]),
    (None, object),
    (T, int),
    (int, T),
    (str, Bound),
    (list.__class_getitem__(T), list[int]),
    (UserId, int),
    (int, UserId),
    (UserId, float),
    (Annotated[int, "metres"], int),
    (Annotated[int, ["no hash"]], Annotated[float, ["none either"]]),
    (Literal["a"], str),
    (str, Literal["a", "b"]),
    (Literal["a", "b"], Literal["b", "c"]),
    (Literal[1], float),
    (Literal[None], Optional[int]),
    (list[int], list),
    (list, list[int]),
    (list[int], list[float]),
    (List[int], list[int]),
    (list[bool], abc.Sequence[int]),
    (list[int], abc.Iterable[int]),
    (abc.Iterable[int], list[int]),
    (tuple[int, ...], abc.Sequence[int]),
    (tuple[int, str], tuple[int, str]),
    (tuple[int, str], tuple),
    (tuple[int, str], list[int] | tuple[int, ...]),
    (Tuple[int, int], Tuple[float, float]),
    (Point, tuple[int, int]),
    (set[int], abc.Collection[int]),
    (dict[str, int], abc.Mapping[str, float]),
    (Dict[str, int], dict),
    (dict[str, int], abc.Iterable[str]),
    (Movie, dict[str, Any]),
    (dict[str, str], Movie),
    (Movie, Movie),
    (list[Any], list[int]),
    (list[list[int]], list[list[float]]),
    (str, abc.Sequence[str]),
    (str, abc.Iterable[str]),
    (Callable[[int], int], Callable[[str], str]),
    (type[int], Callable[..., int]),
    (Animal, HasName),
    (int, HasName),
    (HasName, int),
    (Animal, Closes),
    (Animal, abc.Callable),
    (Animal, abc.Mapping[str, int]),
    (Plant, abc.Sized),
    (Shape, Plant),
    (Anything, int),
    (int, Anything),
    (Level, int),
    (int, Level),
    (bytearray, bytes),
    (dt.datetime, dt.date),
    (dt.date, dt.datetime),
    (pathlib.Path, os.PathLike),
    (pathlib.Path, pathlib.PurePath),
    (pathlib.Path, str | os.PathLike[str]),
    (Box[int], Box[str]),
    (Box[int], Box),
    (np.float64, float),
    (np.int64, int),
    (np.int64, float),
    (np.bool_, bool),
    (np.ndarray, np.typing.NDArray[np.float64]),
    (np.typing.NDArray[np.int64], np.typing.ArrayLike),
    (pd.DataFrame, pd.DataFrame),
    (pd.DataFrame, abc.Mapping[str, Any]),
    (pd.Series, abc.Iterable[int]),
    (typing.NoReturn, int),
    ("Undefined", int),
    (int, "Undefined"),
    (typing.IO[str], typing.TextIO),
]

MISMATCHES: list[tuple[Any, Any]] = [
    (str, int),
    (int, str),
    (float, int),
    (float, bool),
    (str, bytes),
    (decimal.Decimal, float),
    (None, int),
    (int, None),
    (Animal, Plant),
    (Animal, int),
    (int, Animal),
    (Optional[str], int),
    (Union[int, float], Union[str, bytes]),
    (Literal["a"], int),
    (int, Literal["a"]),
    (Literal["a"], Literal["b"]),
    (Annotated[str, "x"], int),
    (UserId, str),
    (list[int], int),
    (int, list[int]),
    (list[str], list[int]),
    (list[int], dict[str, int]),
    (list[int], set[int]),
    (list[list[str]], list[list[int]]),
    (tuple[int, str], tuple[int, int]),
    (tuple[int, int], tuple[int, int, int]),
    (tuple[int, ...], abc.Sequence[str]),
    (dict[str, int], dict[int, int]),
    (dict[str, int], abc.Mapping[str, str]),
    (str, abc.Sequence[int]),
    (int, abc.Iterable[int]),
    (int, abc.Callable),
    (int, abc.Mapping[str, int]),
    (abc.Mapping[str, int], int),
    (Colour, int),
    (Row, str),
    (str, pathlib.Path),
    (str, os.PathLike),
    (dt.timedelta, dt.datetime),
    (Movie, int),
    (Box[int], int),
    (np.ndarray, list[int]),
    (np.ndarray, int),
    (pd.DataFrame, pd.Series),
    (pd.DataFrame, str),
    (np.str_, int),
]


@pytest.mark.parametrize(("gives", "takes"), FITS, ids=in_words)
def test_these_may_be_meant_together(gives: Any, takes: Any) -> None:
    assert may_fit(gives, takes)


@pytest.mark.parametrize(("gives", "takes"), MISMATCHES, ids=in_words)
def test_these_can_surely_not_be_meant_together(gives: Any, takes: Any) -> None:
    assert not may_fit(gives, takes)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Any, "Any"),
        (None, "None"),
        (int, "int"),
        (Optional[int], "int | None"),
        (Union[int, List[str]], "int | list[str]"),
        (int | None, "int | None"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Dict[str, Any], "dict[str, Any]"),
        (abc.Sequence[int], "Sequence[int]"),
        (typing.Mapping[str, int], "Mapping[str, int]"),
        (Callable[[int], str], "Callable"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Annotated[int, "metres"], "int"),
        (T, "T"),
        (UserId, "UserId"),
        (pd.DataFrame, "DataFrame"),
        ("Undefined", "Undefined"),
        (Box[int], "Box[int]"),
    ],
)
def test_types_are_written_as_people_write_them(annotation: Any, words: str) -> None:
    assert in_words(annotation).split(".")[-1] == words or in_words(annotation) == words


@pytest.mark.parametrize(
    ("collection", "element"),
    [
        (list[int], int),
        (List[str], str),
        (abc.Iterable[int], int),
        (set[int], int),
        (tuple[int, ...], int),
        (tuple[int, int], int),
        (tuple[int, str], int | str),
        (Optional[list[int]], int),
        (str, str),
        (list, UNKNOWN),
        (int, UNKNOWN),
        (dict[str, int], UNKNOWN),
        (np.ndarray, UNKNOWN),
        (Box[int], UNKNOWN),
        (list[int] | pd.Series, UNKNOWN),
    ],
)
def test_what_is_mapped_over_gives_its_elements(collection: Any, element: Any) -> None:
    assert element_of(collection) == element


@pytest.mark.parametrize(
    ("gives", "flags", "comes"),
    [
        (int, "", int),
        (list[int], "mapped", int),
        (int, "spread", list[int]),
        (int, "spread mapped", int),
        (list[list[int]], "flattened", list[int]),
        (list[list[int]], "flattened mapped", int),
        (list[int], "spread flattened", list[int]),
        (list[int], "spread flattened mapped", int),
        (Any, "spread", list),
        (Any, "spread mapped", UNKNOWN),
        (Any, "", UNKNOWN),
    ],
)
def test_what_arrives_depends_on_how_an_edge_is_mapped(gives: Any, flags: str, comes: Any) -> None:
    said = {flag: flag in flags.split() for flag in ("spread", "mapped", "flattened")}
    assert arrives(gives, **said) == comes


def test_names_are_looked_up_where_the_function_was_written() -> None:
    class Inner: ...

    def takes(x: Inner) -> list[Dog]:
        _ = Inner
        return []

    assert resolved(takes, "Inner") is Inner
    assert resolved(takes, "list[Dog]") == list[Dog]
    assert resolved(takes, "Annotated[Dog, 3]") is Dog
    assert resolved(takes, "OnlyForCheckers") == "OnlyForCheckers"
    assert resolved(takes, "not a type") == "not a type"
    assert resolved(takes, 3) is UNKNOWN
