"""Telling in words how the cells of a flow hang together, how each stands, and how one ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.notebook.versions import uses_of, versions
from flowbook.sources import dependencies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowbook.notebook.book import Notebook

__all__ = ["dependencies_told", "standing", "story_told"]


def standing(book: Notebook, flow: str) -> str:
    """Tell which tasks are out of date, which were changed, and what keeps any from running."""
    stale, dirty = book.stale(flow), book.dirty(flow)
    lines = []
    if dirty:
        lines.append(f"Changed since it ran (dirty): {', '.join(dirty)}.")
    if stale:
        lines.append(f"Out of date, since something upstream was changed or ran again (stale): {', '.join(stale)}.")
    if dirty or stale:
        lines.append("Bring them up to date: %flowbook run --from-failed")
    lines += [f"Problem: {problem.text}." for problem in book.problems(flow)]
    return "\n".join(lines)


def dependencies_told(book: Notebook, flow: str) -> str:
    """Tell for each cell after which others it runs, and why."""
    return "\n".join(_told(book, flow))


def _told(book: Notebook, flow: str) -> Iterator[str]:
    book.flow(flow)  # says what is wrong with the flow as a whole
    cells, first = book.ordered(flow), book.settings(flow).read()
    read = [*first, *(cell.names for cell in cells)]
    numbers = versions(uses_of(read))
    names = [*(["the parameters"] if first else []), *(cell.name for cell in cells)]
    found = dependencies(read)
    if not book.document:
        yield "Cells stand in the order in which they were first run: the front end did not send the document's."
    for place, cell in enumerate(cells, len(first)):
        said = [word for word, is_said in (("--in", "in" in cell.given), ("--out", "out" in cell.given)) if is_said]
        yield cell.name + (f" (as said with {' and '.join(said)})" if said else "")
        lines = [f"  after {name}: said with --after" for name in cell.after]
        for one in found:
            if one.downstream != place:
                continue
            labels = [
                f"{name}@{numbers[name][one.upstream]}"
                for name in one.names
                if len(numbers.get(name, ())) > 1 and one.kind == "data" and one.upstream in numbers[name]
            ]
            version = f" ({', '.join(labels)})" if labels else ""
            lines.append(f"  after {names[one.upstream]}: {one.reason}{version}")
        yield from lines or ["  needs no other cell"]
    for problem in book.problems(flow):
        yield f"Problem: {problem.text}."


def story_told(book: Notebook, task: str, flow: str) -> str:
    """Tell how a task ended last and why, with what it printed."""
    ended, cell = book.ended(task, flow), book.cell(task, flow)
    if ended is None:
        return f"{cell.name} has not run yet. Run it: Shift+Enter in its cell, or %flowbook run --to {cell.name}"
    lines = [str(ended.run.story(ended.task))]
    if cell.name in book.dirty(flow):
        lines.append("  Its cell was changed since (dirty).")
    if cell.name in book.stale(flow):
        lines.append("  It is out of date (stale): something upstream was changed or ran again since.")
    printed = book.shelf.text(cell.id)
    if printed:
        lines += ["  printed and showed:", *(f"    {line}" for line in printed.splitlines())]
    return "\n".join(lines)
