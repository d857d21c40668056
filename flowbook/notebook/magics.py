"""The magics: ``%%task`` makes a cell a task, ``%flowbook`` shows, runs, and lets go of the flow of such cells."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.display import display

from flowbook import triggers
from flowbook.errors import FlowbookError, nearest, shown
from flowbook.notebook.book import DEFAULT_FLOW, Notebook, notebook
from flowbook.notebook.cells import TaskCell, names_of
from flowbook.sources import CellSyntaxError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["FlowbookMagics", "duration"]

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "min": "minutes", "h": "hours"}


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong as a magic does, and does not end the kernel."""

    def error(self, message: str) -> NoReturn:
        msg = f"{message}\n{self.format_usage().strip()}"
        raise UsageError(msg)


def duration(text: str) -> dt.timedelta:
    """Read ``5s``, ``500ms``, ``2m`` or ``1h``; a bare number is seconds.

    >>> duration("2m").total_seconds()
    120.0

    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?\s*", text)
    if match is None:
        msg = f"{shown(text)} is not a duration: write 5s, 500ms, 2m or 1h"
        raise argparse.ArgumentTypeError(msg)
    return dt.timedelta(**{_UNITS[match[2] or "s"]: float(match[1])})


def _trigger(name: str) -> triggers.Trigger:
    found = getattr(triggers, name, None)
    if not isinstance(found, triggers.Trigger):
        known = [key for key in triggers.__all__ if isinstance(getattr(triggers, key), triggers.Trigger)]
        msg = f"no trigger is called {shown(name)}.{nearest(name, known)} Known: {', '.join(known)}"
        raise argparse.ArgumentTypeError(msg)
    return found


def _task_parser() -> _Parser:
    parser = _Parser(prog="%%task", add_help=False, allow_abbrev=False)
    parser.add_argument("name", nargs="?", help="of the task; the first comment line when not given")
    parser.add_argument("--retries", type=int, default=0, help="how often a failed attempt is repeated")
    parser.add_argument("--delay", type=duration, default=None, help="how long to wait before that, as 5s or 2m")
    parser.add_argument("--trigger", type=_trigger, default=triggers.all_successful, help="one of flowbook.triggers")
    parser.add_argument("--in", dest="reads", nargs="*", help="the names it needs, instead of the inferred ones")
    parser.add_argument("--out", dest="writes", nargs="*", help="the names it makes, instead of the inferred ones")
    parser.add_argument("--flow", default=DEFAULT_FLOW, help="the flow it belongs to")
    parser.add_argument("--define", action="store_true", help="add the task without running it")
    return parser


def _flowbook_parser() -> _Parser:
    parser = _Parser(prog="%flowbook", add_help=False, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)
    show = verbs.add_parser("show", add_help=False)
    run = verbs.add_parser("run", add_help=False)
    run.add_argument("--executor", default=None)
    forget = verbs.add_parser("forget", add_help=False)
    forget.add_argument("task")
    for verb in (show, run):
        verb.add_argument("flow", nargs="?", default=DEFAULT_FLOW)
    forget.add_argument("--flow", default=DEFAULT_FLOW)
    return parser


@magics_class
class FlowbookMagics(Magics):
    """The magics of flowbook, bound to one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.interpreter = shell  # traitlets calls the same one optional
        self.notebook: Notebook = notebook(shell.user_ns)

    @cell_magic
    def task(self, line: str, cell: str) -> None:
        """Make this cell a task of a flow, and run it with whatever upstream has not run yet.

        ::

            %%task [name] [--retries N] [--delay 5s] [--trigger all_finished]
                   [--in a b] [--out c] [--flow etl] [--define]

        What the code reads and makes is inferred from the code; ``--in`` and ``--out`` say it instead.
        """
        __tracebackhide__ = True
        try:
            options = _task_parser().parse_args(shlex.split(line))
            made = self._cell(options, cell)
            self.notebook.put(made, options.flow)
        except (FlowbookError, CellSyntaxError) as error:
            raise UsageError(str(error)) from None
        if options.define:
            return
        state = self.notebook.run(options.flow, to=made.id, show=False)
        ended = next(ended for task, ended in state.result.items() if task.cell.id == made.id)
        if isinstance(ended.result, Exception) and ended.is_failed():
            raise ended.result
        if not ended.is_successful() or ended.is_skipped():
            print(f"{made.name}: {type(ended).__name__}. {ended.message or ''}")  # noqa: T201 - said in the cell

    def _cell(self, options: argparse.Namespace, cell: str) -> TaskCell:
        if options.retries and options.delay is None:
            options.delay = dt.timedelta(0)
        if options.delay is not None and not options.retries:
            msg = f"--delay {options.delay.total_seconds():g}s needs --retries of at least 1."
            raise UsageError(msg)
        name = options.name or _first_comment(cell) or self._numbered()
        given = {key for key, value in (("in", options.reads), ("out", options.writes)) if value is not None}
        return TaskCell(
            id=self._cell_id() or name,
            name=name,
            code=self.interpreter.transform_cell(cell),
            names=names_of(cell, options.reads, options.writes),
            retries=options.retries,
            delay=options.delay,
            trigger=options.trigger,
            given=frozenset(given),
        )

    def _cell_id(self) -> str:
        """Return the notebook's id of the running cell; JupyterLab sends it with the request."""
        kernel: Any = getattr(self.interpreter, "kernel", None)
        parent = kernel.get_parent("shell") if kernel is not None else {}
        return str(parent.get("metadata", {}).get("cellId") or "")

    def _numbered(self) -> str:
        return f"cell_{self.interpreter.execution_count}"

    @line_magic
    def flowbook(self, line: str) -> Any:
        """Show, run, or let go of the flow that the task cells make.

        ::

            %flowbook show [flow]
            %flowbook run [flow] [--executor threads]
            %flowbook forget task [--flow etl]
        """
        try:
            options = _flowbook_parser().parse_args(shlex.split(line))
            if options.verb == "forget":
                self.notebook.forget(options.task, options.flow)
                return None
            if options.verb == "show":
                flow = self.notebook.flow(options.flow)
                display(flow.last_run if flow.last_run is not None else flow)
                return None
            return self.notebook.run(options.flow, executor=options.executor)
        except FlowbookError as error:
            raise UsageError(str(error)) from None


def _first_comment(cell: str) -> str:
    """Return the first line as a name when it is a comment: ``# clean the rows`` gives ``clean_the_rows``."""
    first = next((line for line in cell.splitlines() if line.strip()), "")
    if not first.startswith("#"):
        return ""
    return re.sub(r"\W+", "_", first.lstrip("# ")).strip("_")[:60]
