"""Kept runs: what the cells of a notebook file had made when one failed, so that a later run can go on from there.

The names of the cells that ended well are pickled into a private file of the person's cache folder. A later run takes
them back and runs only what is left. It must end as a whole run would, so these cells are run again as well:

* cells whose text, or whose parameters, have changed since, and all that need them;
* cells that made what a cell of those to be run has changed in place: a cell that failed may have done half of it;
* cells whose names could not be pickled, unless these are loop variables and the like;
* cells that draw random numbers or use another hidden state of the process, before a cell that is run and does so too.

Imports, definitions and settings are run again at first, since pickles find classes and functions by their names.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import pickle
import stat
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import flowbook
from flowbook.errors import FlowError
from flowbook.notebook.again import Again, again_in
from flowbook.notebook.outputs import Outputs, remember
from flowbook.notebook.traces import reached
from flowbook.sources import temporaries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.notebook.document_flow import DocumentFlow, DocumentRun
    from flowbook.notebook.documents import CodeCell, Document

__all__ = [
    "KeptRun",
    "cache_folder",
    "forget",
    "keep",
    "kept_file",
    "private_bytes",
    "recall",
    "take_back",
    "write_private",
]

_FORMAT = 1


@dataclass
class KeptRun:
    """What an earlier run has left.

    Attributes:
        kept: positions of the cells that need not be run.
        first: positions of those among them that are run nevertheless, before all others: imports, definitions.
        again: why cells that had ended well are run again, by position.
        names: the names to begin with, pickled.
        outputs: what the cells had printed and shown, by id.

    """

    kept: frozenset[int]
    first: frozenset[int]
    again: dict[int, str]
    names: bytes = b""
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


# -- keeping ----------------------------------------------------------------------------------------------------------


def keep(flow: DocumentFlow, given: Mapping[str, Any]) -> None:
    """Keep what the last run of a flow has made.

    Args:
        flow: the flow of a notebook file.
        given: values of its parameters.

    """
    run, cells = flow.last_document_run, flow.document.cells
    if run is None:
        return
    began = {at for at, cell in enumerate(cells) if cell.id in run.outputs}
    plan = again_in(flow.document)
    plan.changes = {at: _changed(flow, plan, at) for at in began}
    for at, cell in enumerate(cells):
        if at not in began or cell.id in run.errors:
            plan.add(at, "it did not end well")
        elif cell.names.deferred and not plan.comes_first(at):
            plan.add(at, "what it defines cannot be kept")
    well = {at for at in began if cells[at].id not in run.errors}
    plan.follow()
    owner: dict[str, int] = {}
    for at in sorted(began):
        owner.update(dict.fromkeys(plan.changes[at] or (), at))
    wanted = {
        name: value
        for name, value in run.names.items()
        if (place := owner.get(name)) is not None and place not in plan.reasons and not plan.comes_first(place)
    }
    with run.interpreter.as_main():
        blob, lost = _pickled(wanted)
    own = temporaries([cell.names for cell in cells])  # an open file of a `with` is nothing to run a cell again for
    header = {
        "format": _FORMAT,
        "python": list(sys.version_info[:2]),
        "flowbook": flowbook.__version__,
        "given": {name: repr(value) for name, value in sorted(given.items())},
        "cells": [
            {
                "id": cell.id,
                "code": _digest(cell),
                "well": at in well,
                "began": at in began,
                "changes": sorted(names) if (names := plan.changes.get(at)) is not None else None,
                "lost": sorted(name for name in lost - own[at] if owner.get(name) == at),
                "outputs": run.outputs[cell.id].saved() if at in well else [],
            }
            for at, cell in enumerate(cells)
        ],
    }
    write_private(kept_file(flow.document.path), json.dumps(header).encode() + b"\n" + blob)


def _changed(flow: DocumentFlow, plan: Again, at: int) -> frozenset[str] | None:
    """Return the names that a cell has changed; of one that failed, until it did."""
    run, cell = flow.last_document_run, flow.document.cells[at]
    error = run.errors.get(cell.id) if run is not None else None
    if run is None or error is None:
        return plan.changed_by(at)
    return plan.changed_before(at, reached(cell.source, error, run.interpreter.filename(cell.number)))


class _Pickler(pickle.Pickler):
    """Pickles modules by their names."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, ModuleType):
            return importlib.import_module, (value.__name__,)
        return NotImplemented


def _dumps(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


def _pickled(names: dict[str, Any]) -> tuple[bytes, set[str]]:
    """Pickle names together, so that objects which share parts still do; return also which could not be."""
    lost: set[str] = set()
    try:
        return _dumps(names), lost
    except Exception:  # noqa: BLE001 - anything may go wrong in a user's objects
        for name, value in names.items():
            try:
                _dumps(value)
            except Exception:  # noqa: BLE001, PERF203 - as above, and each is tried by itself
                lost.add(name)
    try:
        return _dumps({name: value for name, value in names.items() if name not in lost}), lost
    except Exception:  # noqa: BLE001 - as above
        return _dumps({}), set(names)


def _digest(cell: CodeCell) -> str:
    return hashlib.sha256(cell.source.encode("utf-8", "surrogatepass")).hexdigest()


# -- taking back ------------------------------------------------------------------------------------------------------


def recall(document: Document, given: Mapping[str, Any]) -> KeptRun:
    """Return what the last run of a notebook that failed has left, and what of it is still good.

    Args:
        document: the notebook as it is now.
        given: values of its parameters.

    Raises:
        FlowError: nothing was kept, or it cannot be used; with the reason.

    """
    header, blob = _read(kept_file(document.path), document.path)
    entries: list[dict[str, Any]] = header["cells"]
    places = {cell.id: at for at, cell in enumerate(document.cells)}
    stored = [places.get(entry["id"], -1) for entry in entries]
    if -1 in stored or stored != sorted(stored):
        msg = "cells were deleted or moved since the run that failed"
        raise FlowError(msg)
    by_place = dict(zip(stored, entries, strict=True))
    changes = {
        at: None if entry["changes"] is None else frozenset(entry["changes"])
        for at, entry in by_place.items()
        if entry["began"]
    }
    plan = again_in(document)
    plan.changes = changes
    has_other_values = header["given"] != {name: repr(value) for name, value in sorted(given.items())}
    for at, cell in enumerate(document.cells):
        known = by_place.get(at)
        if known is None:
            plan.add(at, "it is new")
        elif not known["well"]:
            plan.add(at, "it did not end well")
        elif known["code"] != _digest(cell):
            plan.add(at, "its text has changed")
        elif has_other_values and cell.is_parameters:
            plan.add(at, "parameters have other values")
        elif cell.names.deferred and not plan.comes_first(at):
            plan.add(at, "what it defines cannot be kept")
        elif known["lost"]:
            plan.add(at, f"{', '.join(known['lost'])} cannot be pickled")
    plan.follow()
    kept = frozenset(by_place) - plan.reasons.keys()
    return KeptRun(
        kept=kept,
        first=frozenset(at for at in kept if plan.comes_first(at)),
        again={at: why for at, why in plan.reasons.items() if at in by_place and by_place[at]["well"]},
        names=blob,
        outputs={document.cells[at].id: by_place[at]["outputs"] for at in kept},
    )


def take_back(kept: KeptRun, run: DocumentRun, given: Mapping[str, Any]) -> None:
    """Bring a namespace to where the kept cells had left it.

    Args:
        kept: what an earlier run has left.
        run: one that has not run anything.
        given: values of parameters.

    Raises:
        FlowError: it cannot be done; the namespace is of no use then.

    """
    cells = run.document.cells
    try:
        for at in sorted(kept.first):
            own = {name: value for name, value in given.items() if name in cells[at].names.writes}
            run.run(cells[at], frozenset(), own if cells[at].is_parameters else {})
        with run.interpreter.as_main():
            names = pickle.loads(kept.names)  # noqa: S301 - our own file, whose owner and mode were checked
    except Exception as error:  # noqa: BLE001 - a user's cells and objects may raise anything
        msg = f"what was kept cannot be taken back ({type(error).__name__}: {error})"
        raise FlowError(msg) from None
    read = [cells[at].names for at in kept.kept]
    made: frozenset[str] = frozenset().union(*(one.writes | one.maybe_writes for one in read))
    run.interpreter.namespace.update({name: value for name, value in names.items() if name in made})
    for cell_id, items in kept.outputs.items():
        run.outputs[cell_id] = Outputs()
        run.outputs[cell_id].items.extend(items)
        remember(run.outputs[cell_id])


# -- the file ---------------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return flowbook's part of the person's cache folder."""
    if os.environ.get("XDG_CACHE_HOME"):
        caches = Path(os.environ["XDG_CACHE_HOME"])
    elif os.name == "nt":
        caches = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif os.uname().sysname == "Darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path.home() / ".cache"
    return caches / "flowbook"


def kept_file(notebook: Path) -> Path:
    """Return where the run of a notebook is kept: in the person's cache folder."""
    name = hashlib.sha256(str(notebook.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return cache_folder() / "runs" / f"{name}.kept"


def forget(notebook: Path) -> None:
    """Remove what was kept of a notebook's run."""
    kept_file(notebook).unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, for its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)


def private_bytes(path: Path) -> bytes:
    """Return what is in a file when it is ours alone: it holds a pickle, which can run anything.

    Raises:
        OSError: it cannot be read.
        FlowError: others could have written it.

    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if hasattr(os, "getuid"):
            _refuse_foreign(os.fstat(handle), path)
            _refuse_foreign(path.parent.stat(), path.parent)
        return file.read()


def _read(path: Path, notebook: Path) -> tuple[dict[str, Any], bytes]:
    try:
        line, _, blob = private_bytes(path).partition(b"\n")
    except FileNotFoundError:
        msg = f"no run of {notebook.name} that failed was kept"
        raise FlowError(msg) from None
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise FlowError(msg) from None
    try:
        header = json.loads(line)
    except ValueError:
        header = {}
    if header.get("format") != _FORMAT or header.get("flowbook") != flowbook.__version__:
        msg = "it was kept by another version of flowbook"
        raise FlowError(msg)
    if header.get("python") != list(sys.version_info[:2]):
        msg = f"it was kept by Python {'.'.join(map(str, header.get('python', ())))}, and this is another one"
        raise FlowError(msg)
    return header, blob


def _refuse_foreign(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        msg = f"{path} can be written by others than you, so it is not trusted; remove it"
        raise FlowError(msg)
