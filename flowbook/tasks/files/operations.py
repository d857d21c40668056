"""Move, copy, remove and find files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from flowbook.errors import shown
from flowbook.tasks.base import Task
from flowbook.tasks.given import check_given
from flowbook.utilities.tasks import defaults_from_attrs

__all__ = ["Copy", "Glob", "Move", "Remove"]

_Path = str | os.PathLike[str]


class Move(Task):
    """Move a file or a folder, and return where it is then.

    Args:
        source_path: what to move.
        target_path: where to; a folder that is there takes it in under its own name.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: a path is missing.
        OSError: it cannot be moved.

    """

    def __init__(self, source_path: _Path = "", target_path: _Path = "", **kwargs: Any) -> None:
        self.source_path = source_path
        self.target_path = target_path
        super().__init__(**kwargs)

    @defaults_from_attrs("source_path", "target_path")
    def run(self, source_path: _Path = "", target_path: _Path = "") -> Path:
        """Move it; see the class."""
        check_given(self, source_path=source_path, target_path=target_path)
        self.logger.debug("Moving %s to %s", source_path, target_path)
        return Path(shutil.move(source_path, target_path))


class Copy(Task):
    """Copy a file or a whole folder, and return where the copy is.

    Args:
        source_path: what to copy.
        target_path: where to. A file is put into a folder that is there, and replaces a file; a folder is copied to a
            place that must not be there yet.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: a path is missing.
        OSError: it cannot be copied.

    """

    def __init__(self, source_path: _Path = "", target_path: _Path = "", **kwargs: Any) -> None:
        self.source_path = source_path
        self.target_path = target_path
        super().__init__(**kwargs)

    @defaults_from_attrs("source_path", "target_path")
    def run(self, source_path: _Path = "", target_path: _Path = "") -> Path:
        """Copy it; see the class."""
        check_given(self, source_path=source_path, target_path=target_path)
        self.logger.debug("Copying %s to %s", source_path, target_path)
        copy = shutil.copytree if Path(source_path).is_dir() else shutil.copy
        return Path(copy(source_path, target_path))


class Remove(Task):
    """Remove a file, or a folder with all that is in it; of a link only the link.

    Args:
        path: what to remove.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: the path is missing, or is a folder that somebody lives in: the working or home directory, or one
            above them.
        OSError: it is not there, or cannot be removed.

    """

    def __init__(self, path: _Path = "", **kwargs: Any) -> None:
        self.path = path
        super().__init__(**kwargs)

    @defaults_from_attrs("path")
    def run(self, path: _Path = "") -> None:
        """Remove it; see the class."""
        check_given(self, path=path)
        doomed = Path(path)
        if doomed.is_symlink() or not doomed.is_dir():
            doomed.unlink()
            return
        whole = doomed.resolve()
        for lived_in in (Path.cwd(), Path.home()):
            if lived_in.resolve().is_relative_to(whole):
                raise ValueError(
                    f"path={shown(str(path))} holds {lived_in}, and is not removed by a task. Name what is to go in it."
                )
        shutil.rmtree(doomed)


class Glob(Task):
    """Return the paths in a folder that fit a pattern, sorted.

    Args:
        path: the folder.
        pattern: as for ``Path.glob``: ``*.csv``, or ``**/*.csv`` for folders below too.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: the folder or the pattern is missing.
        NotADirectoryError: there is no such folder.

    """

    def __init__(self, path: _Path = "", pattern: str = "", **kwargs: Any) -> None:
        self.path = path
        self.pattern = pattern
        super().__init__(**kwargs)

    @defaults_from_attrs("path", "pattern")
    def run(self, path: _Path = "", pattern: str = "") -> list[Path]:
        """Find them; see the class."""
        check_given(self, path=path, pattern=pattern)
        folder = Path(path)
        if not folder.is_dir():
            raise NotADirectoryError(f"path={shown(str(path))} is not a folder to look in.")
        return sorted(folder.glob(pattern))
