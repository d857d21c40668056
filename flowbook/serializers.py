"""Serializers: how a value becomes bytes in a store, and a value again.

>>> serializer = CompressedSerializer(JSONSerializer(), format="gzip")
>>> serializer.deserialize(serializer.serialize({"a": [1, 2]}))
{'a': [1, 2]}

What a serializer needs (pickle, json, pandas) is loaded when it is used.
"""

from __future__ import annotations

import datetime as dt
from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowbook.errors import nearest, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "CompressedSerializer",
    "DateTimeSerializer",
    "JSONSerializer",
    "PandasSerializer",
    "PickleSerializer",
    "Serializer",
]


class Serializer:
    """Turns values into bytes and back; two of one type with the same options are equal."""

    def serialize(self, value: Any) -> bytes:
        """Return the bytes of a value."""
        raise NotImplementedError(f"{type(self).__name__} does not say how a value becomes bytes: define serialize.")

    def deserialize(self, value: bytes) -> Any:
        """Return the value of bytes that `serialize` made."""
        raise NotImplementedError(f"{type(self).__name__} does not say how bytes become a value: define deserialize.")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(type(self))  # options may be dicts, which have no hash

    def __repr__(self) -> str:
        options = ", ".join(f"{name.lstrip('_')}={value!r}" for name, value in self.__dict__.items() if value)
        return f"{type(self).__name__}({options})"


class PickleSerializer(Serializer):
    """Keep any Python value, by pickle; by cloudpickle what was defined in a notebook or has no name.

    Reading a pickle runs code: read only what you or your own flows have written.

    >>> PickleSerializer().deserialize(PickleSerializer().serialize({1, 2}))
    {1, 2}

    """

    def serialize(self, value: Any) -> bytes:
        """Return the pickle of a value."""
        import pickle  # noqa: PLC0415 - loaded when something is written

        try:
            data = pickle.dumps(value, protocol=5)
        except Exception:  # noqa: BLE001 - a value's own __reduce__ may raise anything; cloudpickle raises it again
            data = b""
        # pickle only names what __main__ defines, and the next kernel has not defined it yet
        if data and b"__main__" not in data:
            return data
        import cloudpickle  # noqa: PLC0415 - likewise

        made: bytes = cloudpickle.dumps(value, protocol=5)
        return made

    def deserialize(self, value: bytes) -> Any:
        """Return the value of a pickle."""
        import pickle  # noqa: PLC0415 - likewise

        return pickle.loads(value)  # noqa: S301 - what was written here; the class says so


class JSONSerializer(Serializer):
    """Keep what JSON knows: texts, numbers, booleans, None, lists, and dicts with texts as keys.

    >>> JSONSerializer().serialize({"a": 1})
    b'{"a": 1}'

    """

    def serialize(self, value: Any) -> bytes:
        """Return the JSON text of a value, as UTF-8."""
        import json  # noqa: PLC0415 - loaded when something is written

        return json.dumps(value).encode()

    def deserialize(self, value: bytes) -> Any:
        """Return the value of a JSON text."""
        import json  # noqa: PLC0415 - likewise

        return json.loads(value)


class DateTimeSerializer(Serializer):
    """Keep a moment as an ISO text.

    >>> DateTimeSerializer().deserialize(b"2026-11-22T10:00:00+01:00").isoformat()
    '2026-11-22T10:00:00+01:00'

    """

    def serialize(self, value: Any) -> bytes:
        """Return the ISO text of a datetime or a date."""
        if not isinstance(value, dt.date):
            raise TypeError(f"{shown(value)} is not a datetime. Keep other values with PickleSerializer().")
        return value.isoformat().encode()

    def deserialize(self, value: bytes) -> dt.datetime:
        """Return the moment of an ISO text; one without a zone stays without."""
        text = value.decode().strip()
        return dt.datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text)


class PandasSerializer(Serializer):
    """Keep a DataFrame or Series in a format of pandas.

    Args:
        file_type: what follows ``to_`` and ``read_`` in pandas: "csv", "parquet", "json", "feather", "pickle", …
        serialize_kwargs: passed to ``to_…``, for instance ``{"index": False}``.
        deserialize_kwargs: passed to ``read_…``.

    Raises:
        ValueError: pandas does not read such files.

    >>> PandasSerializer("csv", serialize_kwargs={"index": False})
    PandasSerializer(file_type='csv', serialize_kwargs={'index': False})

    """

    def __init__(
        self,
        file_type: str,
        serialize_kwargs: Mapping[str, Any] | None = None,
        deserialize_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if not str(file_type).isidentifier():
            raise ValueError(
                f"file_type={shown(file_type)} is not a format of pandas, for instance 'csv' or 'parquet'."
            )
        self.file_type = file_type
        self.serialize_kwargs = dict(serialize_kwargs or {})
        self.deserialize_kwargs = dict(deserialize_kwargs or {})

    def serialize(self, value: Any) -> bytes:
        """Return the bytes of a table."""
        import io  # noqa: PLC0415 - loaded when something is written

        write = getattr(value, f"to_{self.file_type}", None)
        if write is None:
            raise TypeError(f"{shown(value)} cannot be written as {self.file_type}: it has no to_{self.file_type}().")
        buffer = io.BytesIO()
        # pandas closes some buffers when it is through with them
        close, buffer.close = buffer.close, lambda: None  # type: ignore[method-assign]
        try:
            write(buffer, **self.serialize_kwargs)
            return buffer.getvalue()
        finally:
            close()

    def deserialize(self, value: bytes) -> Any:
        """Return the table of its bytes."""
        import io  # noqa: PLC0415 - likewise

        import pandas as pd  # noqa: PLC0415 - likewise

        read = getattr(pd, f"read_{self.file_type}", None)
        if read is None:
            raise ValueError(f"pandas has no read_{self.file_type}(), so such a file cannot be read back.")
        return read(io.BytesIO(value), **self.deserialize_kwargs)


# Modules of the standard library which have a compress and a decompress.
_FORMATS = ("bz2", "gzip", "lzma", "zlib")


class CompressedSerializer(Serializer):
    """Compress what another serializer makes.

    Args:
        serializer: the other one.
        format: "bz2", "gzip", "lzma" or "zlib".
        compress: instead of a format, a function of bytes to fewer bytes.
        decompress: its inverse.
        compress_kwargs: passed to ``compress``, for instance ``{"compresslevel": 1}``.
        decompress_kwargs: passed to ``decompress``.

    Raises:
        ValueError: neither a format nor both functions, or both; or an unknown format.

    >>> CompressedSerializer(PickleSerializer(), format="lzma") == CompressedSerializer(PickleSerializer(), "bz2")
    False

    """

    def __init__(
        self,
        serializer: Serializer,
        format: str | None = None,  # noqa: A002 - the reference API's name
        compress: Callable[..., bytes] | None = None,
        decompress: Callable[..., bytes] | None = None,
        compress_kwargs: Mapping[str, Any] | None = None,
        decompress_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        has_both = compress is not None and decompress is not None
        has_one = compress is not None or decompress is not None
        if (format is not None and has_one) or (format is None and not has_both):
            raise ValueError(
                "a CompressedSerializer takes either a format or both compress= and decompress=, and here it got "
                f"format={shown(format)}, compress={shown(compress)}, decompress={shown(decompress)}."
            )
        if format is not None and format not in _FORMATS:
            raise ValueError(
                f"format={shown(format)} is not known.{nearest(str(format), _FORMATS)} "
                f"Known: {', '.join(_FORMATS)}; or give compress= and decompress=."
            )
        self.serializer = serializer
        self.format = format
        self.compress = compress
        self.decompress = decompress
        self.compress_kwargs = dict(compress_kwargs or {})
        self.decompress_kwargs = dict(decompress_kwargs or {})

    def serialize(self, value: Any) -> bytes:
        """Return the compressed bytes of a value."""
        data = self.serializer.serialize(value)
        made: bytes = self._function("compress")(data, **self.compress_kwargs)
        return made

    def deserialize(self, value: bytes) -> Any:
        """Return the value of compressed bytes."""
        return self.serializer.deserialize(self._function("decompress")(value, **self.decompress_kwargs))

    def _function(self, verb: str) -> Callable[..., bytes]:
        given: Callable[..., bytes] | None = getattr(self, verb)
        if given is not None:
            return given
        assert self.format is not None
        found: Callable[..., bytes] = getattr(import_module(self.format), verb)
        return found
