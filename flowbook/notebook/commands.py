"""Verbs of the command line for notebook files: ``flowbook run``, ``flowbook explain``, ``flowbook convert``."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowbook.errors import FlowError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowbook.notebook.document_flow import DocumentFlow
    from flowbook.notebook.documents import Document
    from flowbook.states import State

__all__ = ["convert", "explain", "run"]

_NOTEBOOK = click.Path(dir_okay=False, path_type=Path)
# How many dependencies of a cell `explain` writes out.
_LISTED = 12


@click.command()
@click.argument("notebook", type=_NOTEBOOK)
@click.option("-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="Give a parameter a value.")
@click.option(
    "--executor",
    type=click.Choice(["local", "threads", "processes", "dask"]),
    default="threads",
    show_default=True,
    help="Run cells one after another, or side by side where they are independent: on threads, in processes, or on "
    "Dask workers where nobody can tell.",
)
@click.option("--to", metavar="CELL", help="Run only what this cell needs, and the cell; its number, name or id.")
@click.option("--from-failed", is_flag=True, help="Go on where the last run failed: keep the cells that ended well.")
@click.option(
    "--cache", is_flag=True, help="Take cells from the cache whose code and inputs are unchanged; keep others."
)
@click.option("-o", "--output", type=_NOTEBOOK, help="Write the executed notebook to this file.")
@click.option("--html", type=_NOTEBOOK, help="Write the picture of the run to this file, one HTML page.")
@click.pass_context
def run(
    asked: click.Context,
    /,
    notebook: Path,
    given: tuple[str, ...],
    executor: str,
    to: str | None,
    from_failed: bool,  # noqa: FBT001 - click gives it by name
    cache: bool,  # noqa: FBT001 - likewise
    output: Path | None,
    html: Path | None,
) -> None:
    """Run the cells of NOTEBOOK as a flow.

    It ends as running all cells from top to bottom does; cells that do not depend on each other may run side by side.
    It runs in the notebook's folder. A cell that fails stops those that need it, and no others. The exit code is 0 when
    all cells ended well, 1 when one failed, and 2 when nothing could be run.

    A cell tagged "parameters" says what -p can change: flowbook run report.ipynb -p days=30
    """
    from flowbook.notebook.descriptors import descriptors_of_cells

    with _refusals():
        flow = _flow(notebook, to)
        values = _values(flow, given)
        flow.keeps_cells = cache
        with descriptors_of_cells() as out:
            run_it = functools.partial(asked.obj, flow, out, executor=executor, parameters=values)
            state = _going_on(flow, values, run_it) if from_failed else run_it()
        for line in flow.last_cache.told() if flow.last_cache is not None else ():
            click.echo(line)
        failures = flow.failures()
        for line in failures:
            click.echo(f"✗ {line}", err=True)
        for line in (*_not_run(flow, state), *flow.left_running()):
            click.echo(f"⚑ {line}", err=True)
        _write(flow, output, html)
        is_well = state.is_successful() and not _unexpected(flow)
        if to is None:
            _keep(flow, values, is_well=is_well)
    sys.exit(0 if is_well else 1)


@click.command()
@click.argument("notebook", type=_NOTEBOOK)
def explain(notebook: Path) -> None:
    """Tell how the cells of NOTEBOOK depend on each other, and why; nothing is run.

    The exit code is 1 when a cell cannot be run at all.
    """
    from flowbook.notebook.documents import read_document

    with _refusals():
        document = read_document(notebook)
    for line in explained(document):
        click.echo(line)
    sys.exit(1 if any(cell.problem is not None for cell in document.cells) else 0)


@click.command()
@click.argument("source", type=_NOTEBOOK)
@click.argument("target", type=_NOTEBOOK)
@click.option("--force", is_flag=True, help="Write over TARGET when it is there already.")
def convert(source: Path, target: Path, force: bool) -> None:  # noqa: FBT001 - click gives it by name
    """Write the notebook SOURCE as a script, or the script SOURCE as a notebook; nothing is run.

    \b
    flowbook convert report.ipynb report.py
        functions with @task, and the flow that runs them to the same end
    flowbook convert report.py report.ipynb
        each of them a cell; a script made by convert is that notebook again
    """  # noqa: D301 - click looks for the character itself
    kinds = source.suffix.lower(), target.suffix.lower()
    if kinds not in {(".ipynb", ".py"), (".py", ".ipynb")}:
        _refuse(f"{source} to {target}: one of the two is a notebook (.ipynb), and the other one a script (.py).")
    if target.exists() and not force:
        _refuse(f"{target} is there already. Write over it with --force, or give another name.")
    if kinds[1] == ".py" and target.stem in sys.stdlib_module_names:
        _refuse(f"{target} would be found in the place of Python's own module {target.stem}. Give another name.")
    with _refusals():
        text = _script_text(source) if kinds[0] == ".ipynb" else _converted_notebook(source)
    try:
        _replace(target, lambda: text)
    except OSError as error:
        _refuse(f"{target} cannot be written: {error.strerror}.")
    runs = f"python {target}" if kinds[1] == ".py" else f"flowbook run {target}"
    click.echo(f"Written: {target}. Run it: {runs}")


def _script_text(source: Path) -> str:
    from flowbook.notebook.documents import read_document
    from flowbook.notebook.scripts import script_of_document

    return script_of_document(read_document(source))


def _converted_notebook(source: Path) -> str:
    from flowbook.notebook.files import written_node
    from flowbook.notebook.script_cells import notebook_of_script

    return written_node(notebook_of_script(source))


def explained(document: Document) -> Iterator[str]:
    """Tell in lines how the cells of a document depend on each other, what is odd, and what may run side by side."""
    yield f"{document.path.name}: {len(document.cells)} cells with code"
    by_cell: dict[int, list[Any]] = {}
    for found in document.dependencies:
        by_cell.setdefault(found.downstream, []).append(found)
    for position, cell in enumerate(document.cells):
        yield f"\n{cell.title}"
        if cell.problem is not None:
            yield f"  cannot run: {cell.problem}"
        if cell.names.opaque is not None:
            yield f"  keeps its place among all cells: {cell.names.opaque}"
        needs = by_cell.get(position, [])
        for found in needs[:_LISTED]:
            yield f"  after {document.cells[found.upstream].title}: {found.reason}"
        if len(needs) > _LISTED:
            yield f"  and after {len(needs) - _LISTED} more"
        if not needs and cell.problem is None:
            yield "  needs no other cell"
    layers = side_by_side(document)
    yield "\nWhat may run side by side:"
    for step, layer in enumerate(layers, 1):
        yield f"  {step}. {', '.join(document.cells[position].title for position in layer)}"
    yield from _where(document)


def _where(document: Document) -> Iterator[str]:
    """Tell which cells may run in a process of their own, and why others may not."""
    from flowbook.notebook.apart import Apart

    apart, numbers = Apart(document), [cell.number for cell in document.cells]
    by_reason: dict[str, list[str]] = {}
    for position, number in enumerate(numbers):
        by_reason.setdefault(apart.reason(position), []).append(str(number))
    own = ", ".join(by_reason.pop("", ["none"]))
    yield f"\nWith --executor processes, in processes of their own if all that they use can be copied, cells: {own}"
    if by_reason:
        yield "In the kernel process, since it"
    for reason, cells in by_reason.items():
        yield f"  {reason}: cell{'s' * (len(cells) > 1)} {', '.join(cells)}"


def side_by_side(document: Document) -> list[list[int]]:
    """Return the cells in steps: those of one step need only cells of earlier ones."""
    step = [0] * len(document.cells)
    for found in document.dependencies:  # sorted by the downstream cell
        step[found.downstream] = max(step[found.downstream], step[found.upstream] + 1)
    return [[cell for cell, at in enumerate(step) if at == wanted] for wanted in range(max(step, default=-1) + 1)]


def _flow(notebook: Path, to: str | None) -> DocumentFlow:
    from flowbook.notebook.document_flow import flow_of_document, until
    from flowbook.notebook.documents import read_document

    document = read_document(notebook)
    return flow_of_document(document if to is None else until(document, document.cell(to)))


def _going_on(flow: DocumentFlow, values: dict[str, Any], run_it: Callable[..., State]) -> State:
    """Run a flow with the cells that are kept from the run before; all of it when they cannot be."""
    from flowbook.notebook.kept import recall

    with contextlib.ExitStack() as stack:
        try:
            kept = recall(flow.document, values)
            more = stack.enter_context(flow.going_on(kept, values))
        except FlowError as error:
            click.echo(f"All cells are run: {error}.", err=True)
            return run_it()
        cells = flow.document.cells
        listed = ", ".join(str(cells[at].number) for at in sorted(kept.kept)) or "none"
        click.echo(f"Kept from the run before, cells: {listed}")
        for at, why in sorted(kept.again.items()):
            click.echo(f"{cells[at].title} is run again: {why}")
        return run_it(**more)


def _keep(flow: DocumentFlow, values: dict[str, Any], *, is_well: bool) -> None:
    """Keep what a run that failed has made, for --from-failed."""
    from flowbook.notebook.kept import forget, keep

    try:
        if is_well:
            forget(flow.document.path)
        else:
            keep(flow, values)
            click.echo("Correct it and go on from there: add --from-failed.", err=True)
    except OSError as error:
        click.echo(f"What the cells have made could not be kept: {error.strerror}.", err=True)


def _values(flow: DocumentFlow, given: Iterable[str]) -> dict[str, Any]:
    """Read NAME=VALUE as forms and command lines of all flows are read, see `Flow.parse_parameters`."""
    texts: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            _refuse(f"-p {text!r} is not NAME=VALUE. Write it as -p days=30.")
        texts[name.strip()] = value
    known = {task.name for task in flow.parameters()}
    if texts.keys() - known:
        hint = "" if known else ' Tag the cell that sets it "parameters".'
        _refuse(flow.unknown_parameters(sorted(texts)) + hint)
    return flow.parse_parameters(texts) if texts else {}


def _unexpected(flow: DocumentFlow) -> list[str]:
    run = flow.last_document_run
    return [
        cell.id
        for cell in flow.document.cells
        if run is not None and cell.id in run.errors and "raises-exception" not in cell.tags
    ]


def _not_run(flow: DocumentFlow, state: State) -> Iterator[str]:
    """Tell which cells were not run, and for want of which others."""
    run = flow.last_document_run
    states = state.result if isinstance(state.result, dict) else {}
    names = {task: task.cell for task in flow.sorted_tasks() if hasattr(task, "cell")}
    for task, cell in names.items():
        if run is None or cell.id in run.outputs:
            continue
        lacking = [
            names[edge.upstream_task].title
            for edge in flow.edges_to(task)
            if edge.upstream_task in names
            and edge.upstream_task in states
            and not states[edge.upstream_task].is_successful()
        ]
        why = f", since it needs {', '.join(dict.fromkeys(lacking))}" if lacking else ""
        yield f"{cell.title} was not run{why}"


def _write(flow: DocumentFlow, output: Path | None, html: Path | None) -> None:
    for path, text in ((output, lambda: _notebook_text(flow)), (html, flow.to_html)):
        if path is not None:
            try:
                _replace(path, text)
            except OSError as error:
                _refuse(f"{path} cannot be written: {error.strerror}.")
            click.echo(f"Written: {path}")


def _notebook_text(flow: DocumentFlow) -> str:
    from flowbook.notebook.files import written_node

    return written_node(flow.executed_node())


def _replace(path: Path, text: Callable[[], str]) -> None:
    """Write a file whole or not at all: the notebook that ran may be the one that is written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text(), "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _refuse(words: str) -> None:
    raise click.UsageError(words)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Say what cannot be done in one line, with exit code 2."""
    try:
        yield
    except (FlowError, ParameterError) as error:
        raise click.UsageError(str(error)) from None
