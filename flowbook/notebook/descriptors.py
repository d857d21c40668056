"""What other programs print: a subprocess writes to the file descriptors of this process, past `sys.stdout`.

A kernel sees to it that this is shown below the cell, too. The command line does the same: while a cell runs that may
start programs, descriptors 1 and 2 are files, and what is in them is the cell's. The command line itself writes through
a copy of the first.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from typing import IO, TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowbook.notebook.outputs import Outputs

__all__ = ["are_taken", "descriptors_of_cells", "into"]

_STREAMS = {1: "stdout", 2: "stderr"}
_lock = threading.Lock()
_is_on: list[bool] = []


@contextlib.contextmanager
def descriptors_of_cells() -> Iterator[TextIO]:
    """Let cells have what is written to descriptors 1 and 2, while the block lasts; yield where to write past them.

    Where ``sys.stdout`` is no descriptor (in a kernel, in a test), there is nothing to take.
    """
    out = cast("TextIO", sys.stdout)
    try:
        is_ours = out.fileno() == 1
    except (OSError, ValueError, AttributeError):
        is_ours = False
    if not is_ours:
        yield out
        return
    out.flush()
    with os.fdopen(os.dup(1), "w", encoding=out.encoding, errors=out.errors, buffering=1) as past:
        _is_on.append(True)
        try:
            yield past
        finally:
            _is_on.pop()


def are_taken() -> bool:
    """Tell whether cells have them now."""
    return bool(_is_on)


@contextlib.contextmanager
def into(outputs: Outputs) -> Iterator[None]:
    """Let what is written to descriptors 1 and 2 go to the outputs of a cell, while the block lasts.

    What the cell itself prints comes after what a program before it has printed. Two cells that start programs never
    run at the same time; if one does none the less, its programs print into the outputs of the other.
    """
    if not are_taken() or not _lock.acquire(blocking=False):
        yield
        return
    try:
        with contextlib.ExitStack() as stack:
            files = {number: _Descriptor(number, stack) for number in _STREAMS}

            outputs.printed_past = lambda: [(_STREAMS[number], file.taken()) for number, file in files.items()]
            try:
                yield
            finally:
                outputs.take_printed_past()
                outputs.printed_past = None
    finally:
        _lock.release()


class _Descriptor:
    """A descriptor that is a file for a while.

    Args:
        number: of it.
        stack: what puts it back.

    """

    def __init__(self, number: int, stack: contextlib.ExitStack) -> None:
        self.file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - entered here
        self.read = 0
        kept = os.dup(number)
        os.dup2(self.file.fileno(), number)

        def put_back() -> None:
            os.dup2(kept, number)
            os.close(kept)

        stack.callback(put_back)

    def taken(self) -> str:
        """Return what was written since the last time."""
        text = os.pread(self.file.fileno(), os.fstat(self.file.fileno()).st_size - self.read, self.read)
        self.read += len(text)
        return text.decode("utf-8", "replace")
