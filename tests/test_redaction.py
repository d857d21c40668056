"""Redaction: what was handed out as a secret is found in any text, in all the forms it may take there."""

from __future__ import annotations

import builtins
import datetime as dt
import html
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook import redaction
from flowbook.errors import FlowbookError, shown
from flowbook.redaction import handing_out, hide, is_hidden, learn, redact, redact_error
from flowbook.states import Failed
from flowbook.view.feed import preview


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Forget what other tests have handed out, and what this one will."""
    before = set(redaction.known), set(redaction._values)
    forget()
    yield
    forget()
    redaction.known.update(before[0])
    redaction._values.update(before[1])


def forget() -> None:
    redaction.known.clear()
    redaction._values.clear()
    redaction._pattern.clear()


def test_a_text_without_secrets_is_the_same_object() -> None:
    text = "nothing to see"
    assert redact(text) is text
    assert redact("") == ""


@pytest.mark.parametrize(
    "look",
    [str, repr, json.dumps, html.escape, quote, quote_plus, lambda text: " ".join(text.split()), lambda t: repr([t])],
)
def test_a_secret_is_found_in_whatever_form_it_is_written(look: Any) -> None:
    secret = hide("p\"w'<&>\n\\x  ü/ ?=1")
    assert "w" not in redact(look(secret)).replace("\\n", "").strip("'\"[] ")
    assert redaction.MASK in redact(look(secret))


@given(st.text(min_size=4).filter(lambda text: len(text.strip()) >= 4))
def test_no_text_survives(secret: str) -> None:
    forget()
    hide(secret)
    for text in (f"a{secret}b", f"{secret!r}", json.dumps(secret), f"{[secret]}"):
        assert secret not in redact(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"bytes!", "bytes!"),
        (b"\x00\xffraw", repr(b"\x00\xffraw")),
        (12345678, "12345678"),
        (3.14159, "3.14159"),
        (dt.date(2026, 11, 22), "2026-11-22"),
        ({"user": "marvin", "codes": ["first", ("second",)]}, "second"),
        ({"user": "marvin"}, "marvin"),
        ("-----BEGIN\nabcdefghijkl\n-----END", "abcdefghijkl"),
        (bytearray(b"mutable"), "mutable"),
    ],
)
def test_values_of_many_kinds_are_found(value: Any, text: str) -> None:
    hide(value)
    assert text not in redact(f"it is {text}.")


@pytest.mark.parametrize("value", [None, True, "abc", 123, b"xy", object(), "", "   "])
def test_what_is_short_or_says_nothing_is_not_searched_for(value: Any) -> None:
    hide(value)
    assert redaction.known == set()
    assert redact("True None abc 123 xy    ") == "True None abc 123 xy    "


def test_a_circle_does_not_hang() -> None:
    circle: list[Any] = ["within"]
    circle.append(circle)
    hide(circle)
    assert redact("within") == "***"


def test_the_names_in_a_dict_are_not_secret() -> None:
    hide({"username": "zaphod"})
    assert redact("username zaphod") == "username ***"


def test_the_longest_secret_is_masked_first() -> None:
    hide("pass")
    hide("password1")
    assert redact("password1 pass") == "*** ***"


def test_a_short_value_is_masked_where_it_stands_alone() -> None:
    hide("abc")
    hide(42)
    assert (is_hidden("abc"), is_hidden(42), is_hidden(42.0), is_hidden("42"), is_hidden([])) == (
        True,
        True,
        False,
        False,
        False,
    )
    assert (preview("abc"), preview(42), preview(43)) == ("***", "***", "43")


def test_half_a_secret_that_is_cut_off_does_not_show() -> None:
    secret = hide("s" * 30 + "ecret")
    text = shown(["x" * 100, secret, "y" * 200], 130)
    assert "sss" not in text


def test_the_repr_of_a_state_masks() -> None:
    hide("zaphod")
    assert repr(Failed("zaphod was here", result="zaphod")) == '<Failed: "*** was here">'


def test_the_words_of_an_error_and_of_those_behind_it_are_masked() -> None:
    hide("zaphod")
    error = ValueError("no zaphod", 7)
    error.__cause__ = KeyError("zaphod")
    if hasattr(error, "add_note"):
        error.add_note("ask zaphod")
    redact_error(error)
    assert error.args == ("no ***", 7)
    assert error.__cause__ is not None
    assert error.__cause__.args == ("***",)
    assert getattr(error, "__notes__", ["ask ***"]) == ["ask ***"]


def test_an_error_of_the_system_keeps_no_secret_in_its_file_name() -> None:
    hide("zaphod")
    error = FileNotFoundError(2, "No such file", "/tmp/zaphod.txt")
    redact_error(error)
    assert "zaphod" not in f"{error} {error!r}"


def test_errors_of_flowbook_keep_no_secret_in_their_attributes() -> None:
    class Told(FlowbookError):
        __module__ = "flowbook.somewhere"

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    error = Told("zaphod")
    hide("zaphod")
    redact_error(error)
    assert error.text == "***"


def test_what_another_process_knows_can_be_learned() -> None:
    learn({"zaphod"})
    assert redact("zaphod") == "***"
    learn({"trillian"})
    assert redact("trillian") == "***"


def test_secrets_in_collections_among_the_words_of_an_error_are_masked() -> None:
    hide("zaphod")
    plain = ["arthur"]
    error = ValueError({"name": "zaphod"}, ["a", ("zaphod",)], plain, 3)
    redact_error(error)
    assert error.args == ({"name": "***"}, ["a", ("***",)], ["arthur"], 3)
    assert error.args[2] is plain


class Frozen(ValueError):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class Awkward(ValueError):
    exceptions = 3

    def __getattribute__(self, name: str) -> Any:
        if name in {"args", "__notes__"}:
            raise SystemExit(name)
        return super().__getattribute__(name)


class Unequal:
    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth is ambiguous")

    __hash__ = object.__hash__


def test_errors_that_refuse_to_be_looked_at_do_no_harm() -> None:
    hide("zaphod")
    for kind in (Frozen, Awkward):
        error = kind("zaphod", Unequal())
        redact_error(error)
        assert BaseException.args.__get__(error)[0] == "***"  # type: ignore[attr-defined]  # its slot


def test_the_errors_of_a_group_are_masked() -> None:
    hide("zaphod")
    group = getattr(builtins, "ExceptionGroup", None)
    if group is None:
        pytest.skip("this Python has no groups of errors")
    error = group("zaphod", [ValueError("zaphod")])
    redact_error(error)
    assert "zaphod" not in repr(error.exceptions)


def test_what_is_handed_out_in_a_block_is_told() -> None:
    hide("zaphod")
    with handing_out() as told:
        hide("trillian")
        hide("zaphod")
    hide("arthur dent")
    assert told == {"trillian", "zaphod"}


def test_errors_that_point_at_each_other_do_not_hang() -> None:
    one, other = ValueError("zaphod"), ValueError("zaphod")
    one.__cause__, other.__cause__ = other, one
    hide("zaphod")
    redact_error(one)
    assert (str(one), str(other)) == ("***", "***")
