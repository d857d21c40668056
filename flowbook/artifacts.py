"""Artifacts: links and texts that a body leaves with its run, for people to look at: ``flow.last_run.artifacts``.

They are kept in the process that drives the run. A body that is called outside of any run leaves nothing, and gets
None.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, Literal

from flowbook.contexts import context
from flowbook.errors import shown
from flowbook.redaction import redact

__all__ = ["Artifact", "create_link", "create_markdown", "delete_artifact", "update_link", "update_markdown"]

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Artifact:
    """Something that a body left with its run.

    Attributes:
        id: identifies it.
        kind: "link" or "markdown".
        data: the address, or the text.
        task: the slug of the task that left it.

    """

    id: str
    kind: Literal["link", "markdown"]
    data: str
    task: str = ""


def create_link(link: str) -> str | None:
    """Leave a link with the run, and return its id; None outside of a run.

    >>> from flowbook import Flow, task
    >>> with Flow("linked") as flow:
    ...     made = task(lambda: create_link("https://example.org/report"))()
    >>> state = flow.run(show=False)
    >>> flow.last_run.artifacts[0].data
    'https://example.org/report'

    """
    return _create("link", link)


def create_markdown(markdown: str) -> str | None:
    """Leave a text in Markdown with the run, and return its id; None outside of a run."""
    return _create("markdown", markdown)


def update_link(artifact_id: str | None, link: str) -> None:
    """Put another link in the place of one.

    Args:
        artifact_id: as `create_link` returned it; nothing happens for None.
        link: the address.

    Raises:
        ValueError: this run has no such link.

    """
    _update(artifact_id, "link", link)


def update_markdown(artifact_id: str | None, markdown: str) -> None:
    """Put another text in the place of one.

    Args:
        artifact_id: as `create_markdown` returned it; nothing happens for None.
        markdown: the text.

    Raises:
        ValueError: this run has no such text.

    """
    _update(artifact_id, "markdown", markdown)


def delete_artifact(artifact_id: str | None) -> None:
    """Take an artifact away again; nothing happens for None.

    Raises:
        ValueError: this run has no such artifact.

    """
    if artifact_id is not None:
        kept = _kept()
        _found(kept, artifact_id)
        del kept[artifact_id]


def _create(kind: Literal["link", "markdown"], data: str) -> str | None:
    if not isinstance(data, str):
        raise TypeError(f"a {kind} is a text, not {shown(data)}.")
    kept = context.get("_artifacts")
    if kept is None:
        return None
    made = Artifact(f"artifact-{next(_numbers)}", kind, redact(data), context.get("task_slug") or "")
    kept[made.id] = made
    return made.id


def _update(artifact_id: str | None, kind: str, data: str) -> None:
    if artifact_id is None:
        return
    kept = _kept()
    found = _found(kept, artifact_id)
    if found.kind != kind:
        raise ValueError(f"artifact {shown(artifact_id)} is a {found.kind}, not a {kind}: use update_{found.kind}.")
    kept[artifact_id] = replace(found, data=redact(data))


def _kept() -> dict[str, Artifact]:
    kept: Any = context.get("_artifacts")
    return {} if kept is None else kept


def _found(kept: dict[str, Artifact], artifact_id: str) -> Artifact:
    if artifact_id not in kept:
        raise ValueError(f"this run has no artifact {shown(artifact_id)}. It has: {', '.join(kept) or 'none'}.")
    return kept[artifact_id]
