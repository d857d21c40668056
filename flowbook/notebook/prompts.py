"""Prompts: the numbers of cells that a flow runs, as if a person had run them one by one."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

__all__ = ["next_prompt"]

_lock = threading.Lock()


def next_prompt(shell: Any, source: str) -> int | None:
    """Take the next number of a kernel for a cell, and put its source into ``In``; None where none is ours to take.

    That is so while a cell runs that a person has started: its own number is told when it has ended.

    Args:
        shell: IPython's shell.
        source: of the cell.

    """
    history, parsed = shell.history_manager, source
    if history is None:
        return None
    with contextlib.suppress(Exception):  # whatever is wrong with the cell is told when it is run
        parsed = shell.transform_cell(source)
    with _lock:
        count: int = shell.execution_count
        if len(history.input_hist_parsed) != count:
            return None
        shell.execution_count = count + 1
        history.input_hist_raw.append(source.rstrip("\n"))
        history.input_hist_parsed.append(parsed.rstrip("\n"))
    return count
