"""Looks: what a page is told of the flow of a notebook, and of one task that a person looks into."""

from __future__ import annotations

import builtins
import contextlib
import difflib
import inspect
import json
import re
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowbook.engine.lazy import by_reference
from flowbook.engine.story import tell
from flowbook.errors import shown
from flowbook.notebook.cells import Made
from flowbook.notebook.converting import converted
from flowbook.redaction import MASK, is_hidden, redact
from flowbook.states import Success
from flowbook.view.preview import brief, preview
from flowbook.view.protocol import (
    PROTOCOL,
    Bundle,
    CellLook,
    Field,
    Fix,
    Item,
    Moment,
    NodeLook,
    Problem,
    Reason,
    RunLook,
    Snapshot,
    TaskDetails,
)
from flowbook.view.show import message_of, picture_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flowbook.engine.flow_run import FlowRun
    from flowbook.flows import Flow
    from flowbook.notebook.documents import CodeCell
    from flowbook.notebook.live_document import LiveDocument
    from flowbook.notebook.outputs import Outputs
    from flowbook.parameters import Parameter
    from flowbook.tasks.base import Task

__all__ = [
    "cell_look",
    "details_of",
    "document_looks",
    "document_problems",
    "document_reasons",
    "fields_of",
    "text_of",
    "waiting_bundle",
]

# How much of a result, of its logs, and of its code a page gets.
_LONGEST = 4000
_KINDS = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text"}


# -- the flow ----------------------------------------------------------------------------------------------------------


def waiting_bundle(flow: Flow, looks: Iterable[CellLook], at: float) -> Bundle:
    """Return the picture of a flow as it would run next, each node as its cell ended last.

    Args:
        flow: the flow.
        looks: of its cells.
        at: now, in seconds since the epoch.

    """
    nodes = tuple(
        NodeLook(look.node, look.state, look.message, look.attempt, look.started, look.ended)
        for look in looks
        if look.node >= 0 and look.state
    )
    picture = message_of(flow, "", live=False)
    return Bundle(PROTOCOL, "", False, picture, Snapshot("", 0, at, RunLook(""), nodes))


def nodes_of(flow: Flow) -> dict[str, int]:
    """Return the number of the node of each cell of a flow, by the cell's id."""
    return {card.cell: card.node for card in picture_of(flow).cards if card.cell}


def cell_look(cell: str, name: str, node: int, ended: Any, *, dirty: bool, stale: bool) -> CellLook:
    """Return how a cell stands.

    Args:
        cell: its id.
        name: of its task.
        node: its number in the picture.
        ended: how it ended last: something with `state`, `attempt`, `started` and `at`; None when it has not run.
        dirty: it was changed since.
        stale: something upstream was.

    """
    if ended is None:
        return CellLook(cell, "task", name, node)
    state = ended.state
    return CellLook(
        cell,
        "task",
        name,
        node,
        type(state).__name__,
        brief(redact(state.message or "")),
        ended.attempt,
        ended.started,
        ended.at,
        dirty,
        stale,
    )


def document_looks(live: LiveDocument) -> list[CellLook]:
    """Return how each cell of an open notebook stands, in document order."""
    if live.flow is None or live.document is None:
        return []
    nodes, stale, texts = nodes_of(live.flow), live.stale(), converted(live.document)
    looks = [
        cell_look(
            cell.id,
            cell.name,
            nodes.get(cell.id, -1),
            live.ended.get(cell.id),
            dirty=live.is_dirty(cell),
            stale=cell.id in stale,
        )
        for cell in live.document.cells
    ]
    again = live.again()
    return [replace(look, again=again.get(look.cell, ""), converted=texts.get(look.cell, "")) for look in looks]


def document_reasons(live: LiveDocument) -> list[Reason]:
    """Return why cells of an open notebook run after others."""
    if live.document is None:
        return []
    cells = live.document.cells
    return [Reason(cells[one.upstream].id, cells[one.downstream].id, one.reason) for one in live.document.dependencies]


def document_problems(live: LiveDocument) -> list[Problem]:
    """Return what keeps cells of an open notebook from running, and what makes them run less freely than they could."""
    if live.document is None:
        return []
    left = live.left_behind()
    made: set[str] = set(vars(builtins)) | (set(live.shell.user_ns) - left)
    last = {name: cell for cell in live.document.cells for name in cell.names.writes | cell.names.maybe_writes}
    found: list[Problem] = []
    may_be_made = False  # by a cell above whose text does not tell what it makes, as that of `%run helper.py`
    for cell in live.document.cells:
        if may_be_made and cell.names.opaque is None:
            made |= cell.names.reads
        found += _problems_of(cell, made, last, left)
        made |= cell.names.writes | cell.names.maybe_writes | set(cell.names.imports)
        may_be_made = may_be_made or cell.names.opaque is not None
    return sorted(found, key=lambda problem: not problem.grave)


def _problems_of(
    cell: CodeCell, made: set[str], last: Mapping[str, CodeCell], left: frozenset[str]
) -> Iterable[Problem]:
    called = cell.title
    if cell.problem is not None:
        yield Problem(cell.id, f"{called} cannot run: {cell.problem}.", True, cell.problem.lineno)
        return
    if cell.names.opaque is not None:
        text = f"{called} keeps its place among all cells: {cell.names.opaque}."
        yield Problem(cell.id, text, False)
        return
    for name in sorted(cell.names.reads - made):
        maker, line = last.get(name), _line_of(name, cell.source)
        if maker is not None and maker is not cell:
            yield Problem(cell.id, f"{called} reads {name}, which only {maker.title} below it makes.", True, line)
            continue
        if name in left:
            text = f"{called} reads {name}, which is only left from code that is not in the notebook any more."
            yield Problem(cell.id, text, True, line)
            continue
        found = difflib.get_close_matches(name, made - vars(builtins).keys(), 1, 0.8)
        text = f"{called} reads {name}, which no cell above it makes." + (f" Did you mean {found[0]}?" if found else "")
        fixes = tuple(Fix(f"Write {one}", cell.id, _renamed(cell.source, name, one)) for one in found)
        yield Problem(cell.id, text, True, line, fixes)


def _line_of(name: str, source: str) -> int | None:
    """Return the first line, from 1, on which a name stands."""
    lines = (number for number, line in enumerate(source.split("\n"), 1) if re.search(rf"\b{re.escape(name)}\b", line))
    return next(lines, None)


def _renamed(source: str, name: str, other: str) -> str:
    """Return a text with another name in the place of one; attributes and texts of that name stay."""
    return re.sub(rf"(?<![\w.\"'])\b{re.escape(name)}\b(?![\"'])", other, source)


# -- the form ----------------------------------------------------------------------------------------------------------


def fields_of(flow: Flow, chosen: Callable[[str], Any]) -> list[Field]:
    """Return the fields of a form for the parameters of a flow.

    Args:
        flow: the flow.
        chosen: returns what a person gave a parameter last; `...` when nobody has.

    """
    parameters = sorted(flow.parameters(), key=lambda one: one.name)
    schemas = flow.parameters_schema()["properties"] if parameters else {}
    return [_field(parameter, schemas.get(parameter.name, {}), chosen) for parameter in parameters]


def _field(parameter: Parameter, schema: Mapping[str, Any], chosen: Callable[[str], Any]) -> Field:
    value = chosen(parameter.name)
    value = parameter.default if value is ... else value
    kind, choices = _kind(parameter, schema)
    text = "" if parameter.sensitive or value is None or value is ... else _written(value)
    text = "" if text != redact(text) else text  # nobody could send the mask back as a value
    about = inspect.cleandoc(parameter.__doc__ or "") if "__doc__" in vars(parameter) else ""
    return Field(parameter.name, kind, text, bool(parameter.required), choices, bool(parameter.sensitive), about)


def _kind(parameter: Parameter, schema: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    if "enum" in schema:
        return "choice", tuple(_written(one) for one in schema["enum"])
    if schema.get("type") in _KINDS:
        return _KINDS[schema["type"]], ()
    default = parameter.default
    by_type = {bool: "boolean", int: "integer", float: "number", str: "text"}
    return by_type.get(type(default), "text" if default is None else "json"), ()


def _written(value: Any) -> str:
    """Return a value as a person writes it into a form."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return shown(value)


# -- one task ----------------------------------------------------------------------------------------------------------


def details_of(run: FlowRun, node: int, outputs: Outputs | None) -> TaskDetails:
    """Return all about one task of a run.

    Args:
        run: the run.
        node: the task's number.
        outputs: what its cell printed and showed, where it has one.

    Raises:
        IndexError: there is no such task.

    """
    runner = run.runner
    task, story = runner.plan.tasks[node], tell(runner, node)
    numbers = {slug: number for number, slug in enumerate(runner.plan.slugs)}
    moments = tuple(
        Moment(event.at, event.state, brief(redact(event.message))) for event in story.events if event.state
    )
    return TaskDetails(
        run.id,
        node,
        redact(story.why),
        moments,
        tuple(_inputs(run, task)),
        _result(run, task),
        "" if _was_left_out(run, task, moments) else text_of(outputs) if outputs is not None else _logged(run, task),
        code_of(task),
        numbers.get(story.root_cause, -1),
    )


def _was_left_out(run: FlowRun, task: Task, moments: Iterable[Moment]) -> bool:
    """Tell whether a task has ended without having run: what its cell printed is an earlier run's."""
    state = run[task]
    return state.is_finished() and not state.is_successful() and all(moment.state != "Running" for moment in moments)


def _inputs(run: FlowRun, task: Task) -> Iterable[Item]:
    for edge in sorted(run.flow.edges_to(task), key=lambda edge: edge.key or ""):
        state = run[edge.upstream_task]
        if edge.key is None or not isinstance(state, Success):
            continue
        value = state.result
        with by_reference():
            words = value.replaced.get(edge.key, "") if isinstance(value, Made) else ""
            if isinstance(value, Made) and edge.key in value:
                value = value[edge.key]
            text = MASK if _is_secret(edge.upstream_task, value) else words or preview(value) or _typed(value)
        yield Item(edge.key, text, edge.upstream_task.name)


def _is_secret(task: Task, value: Any) -> bool:
    return bool(task.sensitive) or is_hidden(value)


def _result(run: FlowRun, task: Task) -> str:
    state = run[task]
    if not isinstance(state, Success) or state.result is None:
        return ""
    if _is_secret(task, state.result):
        return MASK
    with by_reference():
        value = state.result
        if isinstance(value, Made):
            lines = [f"{name} = {_long(one)}" for name, one in value.items()]
            lines += [f"{name} was {words}, until another cell replaced it" for name, words in value.replaced.items()]
            return redact("\n".join(lines))[:_LONGEST]
        return redact(_long(value))[:_LONGEST]


def _long(value: Any) -> str:
    """Return a value in some lines; of large collections only what `preview` says."""
    words = preview(value)
    if isinstance(value, (str, bytes, list, tuple, set, frozenset, dict)) and len(value) > 200:  # noqa: PLR2004 - more than a person reads
        return words or _typed(value)
    try:
        text = repr(value)
    except BaseException as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"{_typed(value)}, whose repr raised {type(error).__name__}"
    return f"{words}\n{text}" if words and words not in text and "\n" in text else text


def _typed(value: Any) -> str:
    return f"a {type(value).__name__}"


def text_of(outputs: Outputs | None) -> str:
    """Return what a cell printed and showed as text, the end of it when it is long."""
    found = []
    for item in outputs.saved() if outputs is not None else ():
        if item["output_type"] == "error":
            continue  # said in its state
        text = item.get("text") or item.get("data", {}).get("text/plain", "")
        found.append(text if text.endswith("\n") or not text else text + "\n")
    text = redact("".join(found))
    return text if len(text) <= _LONGEST else "…" + text[-_LONGEST:]


def _logged(run: FlowRun, task: Task) -> str:
    text = "".join(f"{entry}\n" for entry in run.logs(task))
    return text if len(text) <= _LONGEST else "…" + text[-_LONGEST:]


def code_of(task: Task) -> str:
    """Return the code of a task, as far as it is known."""
    cell = getattr(task, "cell", None)
    if cell is not None:
        return redact(str(getattr(cell, "source", "") or getattr(cell, "code", "")))[:_LONGEST]
    with contextlib.suppress(OSError, TypeError):
        return redact(textwrap.dedent(inspect.getsource(task.run)))[:_LONGEST]
    return ""
