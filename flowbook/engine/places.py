"""Where in the user's code an error came from: the line a person would look at first."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import deque
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, NamedTuple

from flowbook import errors
from flowbook.errors import shown
from flowbook.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["Spot", "place_of", "spot_of"]

# Code that cloudpickle carried to a worker has lost the name of its file, and is called so there.
_CARRIED = "<dynamic-code>"
# Code of a notebook that is run as a flow; its cells are counted in the notebook, whatever their prompts say.
_CELL = re.compile(r"<.*, cell (\d+)>")
# So many functions are looked at for the one that a carried line belongs to.
_LOOKED_AT = 200


class Spot(NamedTuple):
    """A line of code, and the function it belongs to: its name, and the line it begins at."""

    file: str
    line: int
    function: str = ""
    begin: int = 0


def _folder_of(file: str) -> str:
    # texts, not paths: they are compared with the file names of many frames
    return os.path.join(os.path.dirname(os.path.abspath(file)), "")  # noqa: PTH100, PTH118, PTH120


_ENGINE = _folder_of(__file__)
_OURS = _folder_of(errors.__file__)
_STANDARD_LIBRARY = _folder_of(os.__file__)
_INSTALLED = ("site-packages", "dist-packages")


def place_of(error: BaseException, body: object = None) -> str:
    """Return where an error came from, as "at etl.py:12" or "in cell 3, line 2"; "" when that is not known.

    It is the innermost line that is neither flowbook's nor that of a library; when there is none, it is the line of the
    body, unless the task is one that flowbook brings along.

    Args:
        error: the error.
        body: the function that was run; what it calls is searched for code that a worker knew no file of.

    >>> try:
    ...     raise ValueError
    ... except ValueError as error:
    ...     place_of(error)
    'at <doctest flowbook.engine.places.place_of[0]>:2'

    """
    spot = spot_of(error)
    if spot is None:
        return ""
    file = _file_here(spot, body) if spot.file == _CARRIED else spot.file
    return _named(file, spot.line) if file else ""


def spot_of(error: BaseException) -> Spot | None:
    """Return the file and the line that `place_of` names; of an error that came from a worker, those it had there."""
    # a class of errors may have replaced the attribute
    trace: TracebackType | None = vars(BaseException)["__traceback__"].__get__(error)
    body: Spot | None = None
    users: Spot | None = None
    while trace is not None:
        code = trace.tb_frame.f_code
        here = Spot(code.co_filename, trace.tb_lineno, code.co_name, code.co_firstlineno)
        trace = trace.tb_next
        if here.file.startswith(_ENGINE):
            continue
        body = body or here
        if not _is_library(here.file):
            users = here
    if users is None and body is not None and not body.file.startswith(_OURS):
        users = body
    if users is not None and users.file != _CARRIED:
        return users
    # Dask brings a traceback along, of frames made anew that do not know where their functions begin
    return getattr(vars(BaseException)["__cause__"].__get__(error), "spot", None) or users


def _is_library(file: str) -> bool:
    return file.startswith((_OURS, _STANDARD_LIBRARY, "<frozen ")) or any(folder in file for folder in _INSTALLED)


def _file_here(spot: Spot, body: object) -> str:
    """Return the file, in this process, of a line that a worker knew no file of; "" when it cannot be told."""
    files = {
        code.co_filename for code in _codes(body) if (code.co_name, code.co_firstlineno) == (spot.function, spot.begin)
    }
    files.discard(_CARRIED)  # it was carried here, too: loaded from a file
    return files.pop() if len(files) == 1 else ""


def _codes(body: object) -> Iterator[CodeType]:
    """Yield the code of a function, and of functions, tasks and classes that it names, as far as those name others."""
    todo: deque[object] = deque([body])
    seen: set[int] = set()
    while todo and len(seen) < _LOOKED_AT:
        value = todo.popleft()
        if isinstance(value, Task):
            value = value.run
        if isinstance(value, (MethodType, staticmethod, classmethod)):
            value = value.__func__
        if id(value) in seen or not isinstance(value, (FunctionType, type)):
            continue
        seen.add(id(value))
        if isinstance(value, type):
            todo.extend(vars(value).values())
        elif not _is_library(value.__code__.co_filename):
            todo.extend((*_held(value), value.__dict__.get("__wrapped__")))
            for code in _nested(value.__code__):
                yield code
                todo.extend(value.__globals__[name] for name in code.co_names if name in value.__globals__)


def _held(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # it is empty still
            yield cell.cell_contents


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _named(file: str, line: int) -> str:
    cell = _cell(file)
    if cell:
        return f"in {cell}, line {line}"
    name = file if file.startswith("<") else os.path.basename(file)  # noqa: PTH119 - it may be no path at all
    return f"at {shown(name, 80)[1:-1]}:{line}"


def _cell(file: str) -> str:
    """Return "cell 3" for a notebook's third execution and for its third cell run as a flow, "task cell x", else ""."""
    if file.startswith("<task ") and file.endswith(">"):
        return f"task cell {shown(file[6:-1], 60)[1:-1]}"
    own = _CELL.fullmatch(file)
    if own is not None:
        return f"cell {own[1]}"
    # asked of IPython only where it runs already
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    number = getattr(getattr(shell, "compile", None), "_filename_map", {}).get(file)
    return f"cell {number}" if isinstance(number, int) else ""
