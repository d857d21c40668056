"""Serializers: what goes in comes out, and two with the same options are one."""

from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
import types
from typing import Any

import pandas as pd
import pytest

from flowbook.serializers import (
    CompressedSerializer,
    DateTimeSerializer,
    JSONSerializer,
    PandasSerializer,
    PickleSerializer,
    Serializer,
)

MOMENT = dt.datetime(2026, 11, 22, 10, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("serializer", "value"),
    [
        (PickleSerializer(), {"a": [1, (2, 3)], "b": {4}}),
        (JSONSerializer(), {"a": [1, None, True, "ü"]}),
        (DateTimeSerializer(), MOMENT),
        (DateTimeSerializer(), dt.datetime(2026, 11, 22, 10)),  # noqa: DTZ001 - one without a zone stays without
        (CompressedSerializer(JSONSerializer(), format="gzip"), [1, 2]),
        (CompressedSerializer(PickleSerializer(), format="bz2"), {1: 2}),
        (CompressedSerializer(PickleSerializer(), format="lzma"), "text"),
        (CompressedSerializer(PickleSerializer(), "zlib", compress_kwargs={"level": 9}), b"bytes"),
        (CompressedSerializer(JSONSerializer(), compress=lambda b: b[::-1], decompress=lambda b: b[::-1]), 12),
    ],
    ids=repr,
)
def test_what_goes_in_comes_out(serializer: Serializer, value: Any) -> None:
    data = serializer.serialize(value)

    assert isinstance(data, bytes)
    assert serializer.deserialize(data) == value


def test_pickle_leaves_to_cloudpickle_what_has_no_name() -> None:
    assert PickleSerializer().deserialize(PickleSerializer().serialize(lambda x: x + 1))(2) == 3


def test_what_a_notebook_defines_can_be_read_by_the_next_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    exec("class Point:\n    x = 7\n", notebook.__dict__)
    data = PickleSerializer().serialize(notebook.Point())

    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer).x)"
    ran = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert ran.stdout.strip() == b"7"


def test_what_nobody_can_pickle_raises() -> None:
    with pytest.raises((TypeError, pickle.PicklingError)):
        PickleSerializer().serialize(x for x in [1])


def test_a_table_survives_csv_and_pickle() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for serializer in (PandasSerializer("csv", serialize_kwargs={"index": False}), PandasSerializer("pickle")):
        pd.testing.assert_frame_equal(serializer.deserialize(serializer.serialize(table)), table)


def test_what_is_no_table_is_refused_with_the_format() -> None:
    with pytest.raises(TypeError, match=r"3 cannot be written as csv: it has no to_csv\(\)"):
        PandasSerializer("csv").serialize(3)
    with pytest.raises(ValueError, match="pandas has no read_string"):
        PandasSerializer("string").deserialize(b"")
    with pytest.raises(ValueError, match="'a b' is not a format"):
        PandasSerializer("a b")


def test_only_moments_are_kept_as_moments() -> None:
    with pytest.raises(TypeError, match="'noon' is not a datetime"):
        DateTimeSerializer().serialize("noon")
    assert DateTimeSerializer().deserialize(b"2026-11-22T10:00:00Z") == MOMENT


def test_serializers_are_equal_by_type_and_options() -> None:
    assert PickleSerializer() == PickleSerializer()
    assert PickleSerializer() != JSONSerializer()
    assert PandasSerializer("csv") == PandasSerializer("csv")
    assert PandasSerializer("csv") != PandasSerializer("json")
    assert PandasSerializer("csv") != PandasSerializer("csv", deserialize_kwargs={"sep": ";"})
    gzip = CompressedSerializer(JSONSerializer(), "gzip")
    assert gzip == CompressedSerializer(JSONSerializer(), format="gzip")
    assert gzip != CompressedSerializer(PickleSerializer(), format="gzip")
    assert hash(gzip) == hash(CompressedSerializer(JSONSerializer(), format="gzip"))
    assert len({PickleSerializer(), PickleSerializer()}) == 1


@pytest.mark.parametrize(
    "options",
    [{}, {"compress": bytes}, {"decompress": bytes}, {"format": "gzip", "compress": bytes, "decompress": bytes}],
)
def test_compressing_takes_a_format_or_both_functions(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either a format or both"):
        CompressedSerializer(PickleSerializer(), **options)


def test_an_unknown_format_offers_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"format='gzipp' is not known\. Did you mean 'gzip'\?"):
        CompressedSerializer(PickleSerializer(), format="gzipp")


def test_the_base_says_what_to_define() -> None:
    with pytest.raises(NotImplementedError, match="define serialize"):
        Serializer().serialize(1)
    with pytest.raises(NotImplementedError, match="define deserialize"):
        Serializer().deserialize(b"")


def test_the_reference_has_them_in_the_engine() -> None:
    from flowbook.engine import serializers

    assert serializers.PickleSerializer is PickleSerializer
