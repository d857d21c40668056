"""Converting: what the cells of a plain notebook would be as task cells; a person decides whether they become it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowbook.redaction import redact

if TYPE_CHECKING:
    from flowbook.notebook.documents import CodeCell, Document

__all__ = ["converted"]

# Magics that run a whole cell in another place or language; what they make cannot be seen.
_CLOSED = re.compile(r"^\s*%%(?!time\b|timeit\b|capture\b)")


def converted(document: Document) -> dict[str, str]:
    r"""Return the text that each cell would have as a task cell, by its id; those that cannot be one are left out.

    A cell tagged ``parameters`` becomes the settings of the flow, when all it does is to set plain values.

    Args:
        document: the notebook.

    >>> import json
    >>> from pathlib import Path
    >>> from flowbook.notebook.documents import document_of
    >>> from flowbook.notebook.files import read_node
    >>> cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "# read rows\nx = 1", "outputs": []}
    >>> text = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})
    >>> print(converted(document_of(read_node(text), Path("n.ipynb")))["a"])
    %%task read_rows
    # read rows
    x = 1

    """
    made: dict[str, str] = {}
    used: set[str] = set()
    for cell in document.cells:
        if cell.problem is not None or cell.names.opaque is not None or _CLOSED.match(cell.source):
            continue
        if cell.source.lstrip().startswith(("%%task", "%%flow")):
            continue
        text = _settings(cell, document) or f"%%task {_free_name(cell, used)}\n{cell.source}"
        if text == redact(text):  # else it is not told; the page has the cell itself
            made[cell.id] = text
    return made


def _settings(cell: CodeCell, document: Document) -> str:
    """Return a parameters cell as settings; "" when it does more than set plain values."""
    values = document.parameters
    names = sorted(cell.names.writes, key=cell.source.find)
    if (
        not cell.is_parameters
        or cell.names.reads
        or cell.names.imports
        or any(values.get(name, ...) is ... for name in names)
    ):
        return ""
    lines = [f'Parameter("{name}", default={values[name]!r})' for name in names]
    return "\n".join(["%%flow", *lines])


def _free_name(cell: CodeCell, used: set[str]) -> str:
    word = re.sub(r"\W+", "_", cell.name).strip("_").lower()[:40] or f"cell_{cell.number}"
    name, number = word, 1
    while name in used:
        number += 1
        name = f"{word}_{number}"
    used.add(name)
    return name
