"""Files: notebooks as JSON, read and written without what nbformat has to load (most of a second) to do so.

What is no notebook of format 4 as it should be goes through nbformat: it upgrades old ones, and knows what is wrong.
"""

from __future__ import annotations

import copy
import json
import warnings
from typing import Any

__all__ = ["Node", "read_node", "written_node"]

_CELL_TYPES = frozenset({"code", "markdown", "raw"})


class Node(dict[str, Any]):
    """A part of a notebook; its keys are attributes as well, as in nbformat."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        return Node({key: copy.deepcopy(value, memo) for key, value in self.items()})


def read_node(text: str) -> Any:
    """Return the notebook that a file's text holds, in format 4.

    Args:
        text: of the file.

    Raises:
        json.JSONDecodeError: it is not JSON.
        Exception: whatever nbformat says of what is no notebook.

    """
    try:
        node = json.loads(text, object_hook=Node)
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None
    if _is_plain(node):
        for cell in node.cells:
            cell.source = "".join(cell.source)
        return node
    import nbformat  # noqa: PLC0415 - only odd files need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about ids that are missing: documents give them
        return nbformat.reads(text, as_version=4)


def _is_plain(node: Any) -> bool:
    """Tell whether this is a notebook of format 4 in all that counts for running it."""
    if not isinstance(node, Node) or node.get("nbformat") != 4 or not isinstance(node.get("nbformat_minor"), int):  # noqa: PLR2004 - the format
        return False
    cells, metadata = node.get("cells"), node.get("metadata")
    if not isinstance(cells, list) or not _is_metadata(metadata):
        return False
    return all(
        isinstance(cell, Node)
        and cell.get("cell_type") in _CELL_TYPES
        and _is_text(cell.get("source"))
        and _is_metadata(cell.get("metadata"))
        and isinstance(cell.metadata.get("tags", []), list)
        and isinstance(cell.get("id", ""), str)
        for cell in cells
    )


def _is_metadata(value: Any) -> bool:
    nested = ("kernelspec", "language_info", "flowbook")
    return isinstance(value, Node) and all(isinstance(value.get(key, {}), dict) for key in nested)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(line, str) for line in value))


def written_node(node: Any) -> str:
    """Return the text of the file for a notebook, laid out as nbformat does: version control sees what changed only."""
    laid_out = copy.deepcopy(node)
    for cell in laid_out["cells"]:
        cell["source"] = _lines(cell["source"])
        for output in cell.get("outputs", ()):
            if "text" in output:
                output["text"] = _lines(output["text"])
            data = output.get("data", {})
            for kind, value in data.items():
                if kind.startswith("text/") or kind in {"application/javascript", "image/svg+xml"}:
                    data[kind] = _lines(value)
    return json.dumps(laid_out, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": ")) + "\n"


def _lines(value: Any) -> Any:
    return value.splitlines(keepends=True) if isinstance(value, str) else value
