"""Saving: a flow as a file, code included.

The file begins with one line of JSON that says what it is; cloudpickle's bytes follow. They hold code of one minor
version of Python, and another one may crash on them, so the line is read first.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.configuration import config
from flowbook.errors import FlowError, shown

if TYPE_CHECKING:
    from flowbook.flows import Flow

__all__ = ["flow_path", "load", "save"]

_KIND = "flowbook.flow"
_FORMAT = 1

# A first line longer than this is no line of ours.
_LONGEST_HEADER = 65_536


def flow_path(name: str) -> Path:
    """Return the file in which a flow of this name is kept by default.

    >>> flow_path("My first flow!").name
    'my-first-flow.flow'

    """
    slug = re.sub(r"[^\w]+", "-", name.lower()).strip("-_")
    if not slug:
        raise FlowError(f"no file can be named after flow {shown(name)}. Give a path: flow.save('my-flow.flow').")
    return Path(config.home_dir).expanduser() / "flows" / f"{slug}.flow"


def save(flow: Flow, path: str | os.PathLike[str] | None = None) -> Path:
    """Write a flow to a file, whole or not at all, and return the file's path."""
    import cloudpickle  # noqa: PLC0415 - loaded when somebody saves

    try:
        code = cloudpickle.dumps(flow)
    except Exception as error:
        raise FlowError(
            f"flow {shown(flow.name)} cannot be saved: {type(error).__name__}: {error}. Something it holds cannot be "
            "pickled (an open file, a lock, a connection): make it inside a task instead."
        ) from error
    header = {"kind": _KIND, "format": _FORMAT, "name": flow.name, "flowbook": _version(), **_interpreter()}
    goal = flow_path(flow.name) if path is None else Path(path).expanduser()
    goal.parent.mkdir(parents=True, exist_ok=True)
    _write(goal, json.dumps(header).encode() + b"\n" + code)
    return goal


def _write(goal: Path, content: bytes) -> None:
    """Write a file beside its goal and move it there, so that nobody ever reads half of it."""
    handle, name = tempfile.mkstemp(dir=goal.parent, prefix=f".{goal.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(goal)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str]) -> Flow:
    """Read a flow that was saved, by its path or by its name."""
    place = _place(path)
    with place.open("rb") as file:
        _check(place, _header(file.readline(_LONGEST_HEADER)))
        content = file.read()
    import cloudpickle  # noqa: PLC0415 - see save

    try:
        made = cloudpickle.loads(content)
    except Exception as error:
        raise FlowError(
            f"the flow in {shown(str(place))} cannot be read: {type(error).__name__}: {error}. Its code may need a "
            "module that is not installed here, or the file was cut off."
        ) from error
    flow: Flow = made
    return flow


def _place(path: str | os.PathLike[str]) -> Path:
    """Return the file that is meant: a path when there is such a file, else the one of the flow of that name."""
    given = Path(path).expanduser()
    if given.is_file():
        return given
    if not isinstance(path, str) or not path:
        raise FileNotFoundError(f"there is no saved flow in {shown(str(path))}. Write one with flow.save(path).")
    by_name = flow_path(path)
    if not by_name.is_file():
        kept = sorted(file.stem for file in by_name.parent.glob("*.flow"))
        raise FileNotFoundError(
            f"there is neither a file {shown(path)} nor a saved flow of that name. "
            f"Saved by name: {', '.join(kept) or 'none'}."
        )
    return by_name


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


def _check(place: Path, header: dict[str, Any]) -> None:
    """Refuse a file before anything in it is run.

    Raises:
        FlowError: it is no flow, or made by an interpreter whose code this one cannot run.

    """
    if header.get("kind") != _KIND:
        raise FlowError(f"{shown(str(place))} is no saved flow: its first line does not say so. See flow.save(path).")
    if header.get("format") != _FORMAT:
        raise FlowError(
            f"{shown(str(place))} was saved in format {shown(header.get('format'))} by flowbook "
            f"{header.get('flowbook')}; this is flowbook {_version()}, which reads format {_FORMAT}. Upgrade flowbook."
        )
    mine = _interpreter()
    theirs = {key: header.get(key) for key in mine}
    if theirs != mine:
        raise FlowError(
            f"flow {shown(header.get('name'))} in {shown(str(place))} was saved by {theirs['implementation']} "
            f"{theirs['python']}; this is {mine['implementation']} {mine['python']}, which cannot run its code. "
            "Load it with the version that saved it, or build and save it anew here."
        )


def _interpreter() -> dict[str, str]:
    return {
        "implementation": platform.python_implementation(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def _version() -> str:
    return str(getattr(sys.modules["flowbook"], "__version__", "unknown"))
