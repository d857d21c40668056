"""Results in files of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.configuration import config
from flowbook.errors import FlowError, shown
from flowbook.results.base import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from flowbook.serializers import Serializer

__all__ = ["LocalResult"]


class LocalResult(Result):
    """Keep a value in a file.

    A file is whole or not there: it is written under another name first. Files, and the folders that are made for
    them, can be read by their owner only.

    Args:
        dir: the folder, which is made when something is written; when not given, ``results`` in the setting
            ``home_dir``.
        validate_dir: refuse a folder that is a file, and make it independent of later changes of the working folder.
        value: as for `Result`.
        location: likewise: the path below the folder, or an absolute one.
        serializer: likewise.

    Raises:
        ValueError: the folder is a file.

    >>> import tempfile
    >>> result = LocalResult(tempfile.mkdtemp(), location="{x}.pickle")
    >>> written = result.write({"a": 1}, x="first")
    >>> written.location, result.read("first.pickle").value
    ('first.pickle', {'a': 1})

    """

    def __init__(
        self,
        dir: str | os.PathLike[str] | None = None,  # noqa: A002 - the reference API's name
        validate_dir: bool = True,  # noqa: FBT001, FBT002 - the reference API takes it by position
        *,
        value: Any = None,
        location: str | Callable[..., str] | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        super().__init__(value, location, serializer)
        folder = Path(dir) if dir is not None else Path(str(config.home_dir)) / "results"
        if validate_dir:
            folder = folder.expanduser().absolute()
            if folder.exists() and not folder.is_dir():
                raise ValueError(f"dir={shown(str(dir))} is a file; give the folder that the results are to be put in.")
        self.dir = str(folder)

    def path(self, location: str) -> Path:
        """Return the file of a location.

        Raises:
            FlowError: a relative location that leads out of the folder.

        """
        relative = os.path.normpath(os.path.expanduser(location))  # noqa: PTH111 - and a Path would not collapse ".."
        if not os.path.isabs(relative) and Path(relative).parts[:1] == (os.pardir,):  # noqa: PTH117 - likewise
            raise FlowError(
                f"location {shown(location)} leads out of {shown(self.dir)}. Give another dir, or a whole path."
            )
        return Path(self.dir) / relative

    def read(self, location: str) -> Self:
        """Return the result that is kept in a file, with its value."""
        made = self.copy()
        made.location = location
        made.value = self.serializer.deserialize(self.path(location).read_bytes())
        return made

    def write(self, value_: Any, **context: Any) -> Self:
        """Write a value to its file and return the result with its value and location."""
        made = self.format(**context).from_value(value_)
        assert isinstance(made.location, str)
        _write_whole(self.path(made.location), self.serializer.serialize(value_))
        return made

    def exists(self, location: str, **context: Any) -> bool:
        """Tell whether there is a file at a location."""
        made = self.copy()
        made.location = location
        formatted = made.format(**context).location if context else location
        return self.path(str(formatted)).is_file()


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it, not even after a crash of this process."""
    import tempfile  # noqa: PLC0415 - loaded when something is written

    _make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)  # noqa: PTH105 - the one call that is atomic by contract
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each for its owner only."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)
