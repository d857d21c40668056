"""Pack files into zip archives, and get them out again."""

from __future__ import annotations

import os
import secrets
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.errors import nearest, shown
from flowbook.tasks.base import Task
from flowbook.tasks.given import check_given
from flowbook.utilities.tasks import defaults_from_attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Unzip", "Zip"]

_Path = str | os.PathLike[str]

_METHODS = {
    "deflate": zipfile.ZIP_DEFLATED,
    "store": zipfile.ZIP_STORED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


class Zip(Task):
    """Pack files and folders into a zip archive, and return its path.

    A file stands in the archive under its name, a folder under its name with all that is in it. An archive that is
    there already is replaced once the new one is whole.

    Args:
        source_path: what to pack: one path, or several.
        zip_path: the archive.
        compression_method: ``deflate``, ``store``, ``bzip2`` or ``lzma``.
        compression_level: 0 to 9 for ``deflate``, 1 to 9 for ``bzip2``.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: a path is missing, the method is not known, or two things would have one name in the archive.
        FileNotFoundError: there is nothing at a source path.

    """

    def __init__(
        self,
        source_path: _Path | Sequence[_Path] = "",
        zip_path: _Path = "",
        compression_method: str = "deflate",
        compression_level: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.source_path = source_path
        self.zip_path = zip_path
        self.compression_method = compression_method
        self.compression_level = compression_level
        super().__init__(**kwargs)

    @defaults_from_attrs("source_path", "zip_path", "compression_method", "compression_level")
    def run(
        self,
        source_path: _Path | Sequence[_Path] = "",
        zip_path: _Path = "",
        compression_method: str = "deflate",
        compression_level: int | None = None,
    ) -> Path:
        """Pack them; see the class."""
        check_given(self, source_path=source_path or None, zip_path=zip_path)
        method = _METHODS.get(compression_method)
        if method is None:
            raise ValueError(
                f"compression_method={shown(compression_method)} is not known.{nearest(compression_method, _METHODS)} "
                f"Known: {', '.join(_METHODS)}."
            )
        sources = [source_path] if isinstance(source_path, (str, os.PathLike)) else list(source_path)
        archive = Path(zip_path)
        members = _members([Path(source) for source in sources], archive)
        unfinished = archive.with_name(f".{archive.name}-{secrets.token_hex(4)}")
        try:
            with zipfile.ZipFile(unfinished, "x", method, compresslevel=compression_level) as file:
                for inside, path in members.items():
                    file.write(path, inside)
            unfinished.replace(archive)
        finally:
            unfinished.unlink(missing_ok=True)
        return archive


def _members(sources: list[Path], archive: Path) -> dict[str, Path]:
    """Return what goes into an archive, by its name there."""
    members: dict[str, Path] = {}
    for source in sources:
        if not source.exists():
            raise FileNotFoundError(f"there is nothing at source_path {shown(str(source))} to pack.")
        for path, inside in _below(source):
            if path.resolve() == archive.resolve():
                continue  # the archive may lie in the folder that is packed
            if members.setdefault(inside, path) != path:
                raise ValueError(
                    f"{members[inside]} and {path} would both be called {shown(inside)} in {archive}. Rename one, or "
                    "pack the folder that holds them both."
                )
    return members


def _below(source: Path) -> Iterator[tuple[Path, str]]:
    """Return a path and all below it, each with its name in an archive."""
    name = source.resolve().name
    yield source, name
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            yield path, f"{name}/{path.relative_to(source).as_posix()}"


class Unzip(Task):
    """Get everything out of a zip archive, and return the folder it is in then.

    An archive from elsewhere can do no harm outside of that folder: one with a name that leads out of it is refused
    before anything is written. It can still fill a disk; look at what you were sent.

    Args:
        zip_path: the archive.
        extract_dir: the folder, made when it is not there; the working directory when not given.
        zip_password: for an archive that was locked with one.
        remove_after_unzip: remove the archive then.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: the archive is missing or not safe.
        zipfile.BadZipFile: it is no zip archive, or broken.

    """

    def __init__(
        self,
        zip_path: _Path = "",
        extract_dir: _Path = "",
        zip_password: bytes | str | None = None,
        remove_after_unzip: bool = False,
        **kwargs: Any,
    ) -> None:
        self.zip_path = zip_path
        self.extract_dir = extract_dir
        self.zip_password = zip_password
        self.remove_after_unzip = remove_after_unzip
        super().__init__(**kwargs)

    @defaults_from_attrs("zip_path", "extract_dir", "zip_password", "remove_after_unzip")
    def run(
        self,
        zip_path: _Path = "",
        extract_dir: _Path = "",
        zip_password: bytes | str | None = None,
        remove_after_unzip: bool = False,
    ) -> Path:
        """Get everything out; see the class."""
        check_given(self, zip_path=zip_path)
        folder = Path(extract_dir) if extract_dir else Path.cwd()
        password = zip_password.encode() if isinstance(zip_password, str) else zip_password
        with zipfile.ZipFile(zip_path) as archive:
            for member in archive.infolist():
                _check_stays_inside(member, folder, zip_path)
            folder.mkdir(parents=True, exist_ok=True)
            archive.extractall(folder, pwd=password)
        if remove_after_unzip:
            Path(zip_path).unlink()
        return folder


def _check_stays_inside(member: zipfile.ZipInfo, folder: Path, archive: _Path) -> None:
    """Refuse a member whose name leads out of the folder, also by a link that is there already."""
    name = member.orig_filename.replace("\\", "/")
    is_absolute = name.startswith("/") or (len(name) > 1 and name[1] == ":")
    inside = folder.resolve()
    if is_absolute or ".." in name.split("/") or not (inside / name).resolve().is_relative_to(inside):
        raise ValueError(
            f"{os.fspath(archive)} is not safe: its member {shown(member.orig_filename)} leads out of {folder}. "
            "Nothing was written."
        )
