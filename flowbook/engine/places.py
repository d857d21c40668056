"""Where in the user's code an error came from: the line a person would look at first."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from flowbook import errors
from flowbook.errors import shown

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["place_of"]


def _folder_of(file: str) -> str:
    # texts, not paths: they are compared with the file names of many frames
    return os.path.join(os.path.dirname(os.path.abspath(file)), "")  # noqa: PTH100, PTH118, PTH120


_ENGINE = _folder_of(__file__)
_OURS = _folder_of(errors.__file__)
_STANDARD_LIBRARY = _folder_of(os.__file__)
_INSTALLED = ("site-packages", "dist-packages")


def place_of(error: BaseException) -> str:
    """Return where an error came from, as "at etl.py:12" or "in cell 3, line 2"; "" when that is not known.

    It is the innermost line that is neither flowbook's nor that of a library; when there is none, it is the line of the
    body, unless the task is one that flowbook brings along.

    >>> try:
    ...     raise ValueError
    ... except ValueError as error:
    ...     place_of(error)
    'at <doctest flowbook.engine.places.place_of[0]>:2'

    """
    # a class of errors may have replaced the attribute
    trace: TracebackType | None = vars(BaseException)["__traceback__"].__get__(error)
    body: tuple[str, int] | None = None
    users: tuple[str, int] | None = None
    while trace is not None:
        here = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
        if here[0].startswith(_ENGINE):
            continue
        body = body or here
        if not here[0].startswith((_OURS, _STANDARD_LIBRARY, "<frozen ")) and not any(x in here[0] for x in _INSTALLED):
            users = here
    if users is None and body is not None and not body[0].startswith(_OURS):
        users = body
    return _named(*users) if users else ""


def _named(file: str, line: int) -> str:
    cell = _cell(file)
    if cell:
        return f"in {cell}, line {line}"
    name = file if file.startswith("<") else os.path.basename(file)  # noqa: PTH119 - it may be no path at all
    return f"at {shown(name, 80)[1:-1]}:{line}"


def _cell(file: str) -> str:
    """Return "cell 3" for the code of a notebook's third execution, "task cell x" for that of ``%%task x``, else ""."""
    if file.startswith("<task ") and file.endswith(">"):
        return f"task cell {shown(file[6:-1], 60)[1:-1]}"
    # asked of IPython only where it runs already
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    number = getattr(getattr(shell, "compile", None), "_filename_map", {}).get(file)
    return f"cell {number}" if isinstance(number, int) else ""
