"""Results in any store that fsspec reaches: S3, Google Cloud Storage, Azure, and a dozen others.

fsspec comes with the extra ``jupyter-flowbook[cloud]`` and is loaded when something is read or written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.contexts import context as run_context
from flowbook.errors import FlowbookError, shown
from flowbook.results.base import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from flowbook.serializers import Serializer

__all__ = ["AzureResult", "FSSpecResult", "GCSResult", "S3Result"]


class FSSpecResult(Result):
    """Keep a value below any address that fsspec understands.

    Args:
        url: the address of the folder or bucket, like ``"s3://bucket/results"`` or ``"sftp://host/path"``.
        storage_options: passed to fsspec's file system: keys, endpoints, timeouts.
        value: as for `Result`.
        location: likewise: the path below the address.
        serializer: likewise.

    Raises:
        ValueError: an address without a protocol.

    """

    def __init__(
        self,
        url: str,
        storage_options: Mapping[str, Any] | None = None,
        *,
        value: Any = None,
        location: str | Callable[..., str] | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        super().__init__(value, location, serializer)
        if "://" not in str(url):
            raise ValueError(f"url={shown(url)} names no protocol. Write it like 's3://bucket/folder'.")
        self.url = url.rstrip("/") if not url.endswith("://") else url
        self.storage_options = dict(storage_options or {})

    def options(self) -> dict[str, Any]:
        """Return what fsspec's file system is made with."""
        return self.storage_options

    def _store(self, location: str) -> tuple[Any, str]:
        """Return the file system, and the path in it of a location."""
        try:
            from fsspec import core  # noqa: PLC0415 - an extra, loaded when something is read or written
        except ImportError:
            raise FlowbookError(
                f"{type(self).__name__} needs fsspec, which is not installed: pip install 'jupyter-flowbook[cloud]'."
            ) from None
        try:
            store, path = core.url_to_fs(self.address(location), **self.options())
        except ImportError as error:
            raise FlowbookError(
                f"the store of {shown(self.url)} needs a package that is not installed: {error} "
                "pip install 'jupyter-flowbook[cloud]' brings those for S3, Google Cloud Storage and Azure."
            ) from None
        return store, path

    def address(self, location: str) -> str:
        """Return the whole address of a location; one that has a protocol already is one."""
        if "://" in location:
            return location
        return f"{self.url}{'' if self.url.endswith('://') else '/'}{location.lstrip('/')}"

    def read(self, location: str) -> Self:
        """Return the result that is kept at a location, with its value."""
        store, path = self._store(location)
        made = self.from_value(self.serializer.deserialize(store.cat_file(path)))
        made.location = location
        return made

    def write(self, value_: Any, **context: Any) -> Self:
        """Put a value to its location and return the result with both."""
        made = self.format(**context).from_value(value_)
        assert isinstance(made.location, str)
        store, path = self._store(made.location)
        data = self.serializer.serialize(value_)
        parent = path.rpartition("/")[0]
        if parent:
            store.makedirs(parent, exist_ok=True)
        store.pipe_file(path, data)  # in the stores of the clouds this is all or nothing
        return made

    def exists(self, location: str, **context: Any) -> bool:
        """Tell whether something is kept at a location."""
        made = self.copy()
        made.location = location
        formatted = made.format(**context).location if context else location
        store, path = self._store(str(formatted))
        store.invalidate_cache()  # another process may have put it there
        return bool(store.isfile(path))


class S3Result(FSSpecResult):
    """Keep a value in an S3 bucket.

    Args:
        bucket: its name.
        boto3_kwargs: passed to the client: ``region_name``, ``endpoint_url``, keys. By default as boto finds them.
        **kwargs: ``location``, ``serializer``, ``value``, ``storage_options``.

    >>> S3Result("results").address("a/b.pickle")
    's3://results/a/b.pickle'

    """

    def __init__(self, bucket: str, boto3_kwargs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(f"s3://{bucket}", **kwargs)
        self.bucket = bucket
        self.boto3_kwargs = dict(boto3_kwargs or {})

    def options(self) -> dict[str, Any]:
        """Return what fsspec's file system is made with."""
        given = dict(self.boto3_kwargs)
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "aws_session_token": "token"}
        named = {keys[name]: given.pop(name) for name in list(given) if name in keys}
        return {**named, **({"client_kwargs": given} if given else {}), **self.storage_options}


class GCSResult(FSSpecResult):
    """Keep a value in a bucket of Google Cloud Storage.

    Args:
        bucket: its name.
        **kwargs: ``location``, ``serializer``, ``value``, ``storage_options``.

    >>> GCSResult("results").address("a.pickle")
    'gs://results/a.pickle'

    """

    def __init__(self, bucket: str, **kwargs: Any) -> None:
        super().__init__(f"gs://{bucket}", **kwargs)
        self.bucket = bucket


class AzureResult(FSSpecResult):
    """Keep a value in a container of Azure Blob Storage.

    Args:
        container: its name.
        connection_string: how to reach the account.
        connection_string_secret: the name of a secret that holds it; ``AZURE_STORAGE_CONNECTION_STRING`` of the
            environment when neither is given.
        **kwargs: ``location``, ``serializer``, ``value``, ``storage_options``.

    >>> AzureResult("results", connection_string="...").address("a.pickle")
    'abfs://results/a.pickle'

    """

    def __init__(
        self,
        container: str,
        connection_string: str | None = None,
        connection_string_secret: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(f"abfs://{container}", **kwargs)
        self.container = container
        self.connection_string = connection_string
        self.connection_string_secret = connection_string_secret

    def options(self) -> dict[str, Any]:
        """Return what fsspec's file system is made with."""
        import os  # noqa: PLC0415 - seldom needed

        text = self.connection_string
        if text is None and self.connection_string_secret is not None:
            secrets = run_context.get("secrets") or {}
            text = secrets.get(self.connection_string_secret)
            if text is None:
                raise FlowbookError(
                    f"no secret is called {shown(self.connection_string_secret)}. "
                    "Give it in the context: context.secrets."
                )
        if text is None:
            text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
        return {**({"connection_string": text} if text else {}), **self.storage_options}
