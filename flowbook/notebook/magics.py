"""The magics: ``%%task`` makes a cell a task, ``%%flow`` sets up a flow of such cells, ``%flowbook`` works with it."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.display import display

from flowbook import triggers
from flowbook.errors import FlowbookError, nearest, shown
from flowbook.notebook.book import DEFAULT_FLOW, Notebook, notebook
from flowbook.notebook.cells import TaskCell, names_of
from flowbook.notebook.exporting import script_of
from flowbook.notebook.telling import dependencies_told, standing, story_told
from flowbook.sources import CellSyntaxError
from flowbook.states import Cached, Pending, TriggerFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["FlowbookMagics", "duration", "task_cell_of"]

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "min": "minutes", "h": "hours"}


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong as a magic does, and does not end the kernel."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        made, unknown = super().parse_known_args(args, namespace)
        if unknown:  # said here, where the options of the verb are known
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return made, unknown

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments: --"):
            wrong = message.removeprefix("unrecognized arguments: ").split()[0].split("=")[0]
            known = [option for action in self._actions for option in action.option_strings]
            message = f"{self.prog} has no option {wrong}.{nearest(wrong, known)} Options: {', '.join(known)}."
        elif message.startswith("argument verb: invalid choice: "):
            wrong = message.split("'")[1]
            known = [verb for action in self._actions for verb in action.choices or ()]
            message = f"{self.prog} cannot {wrong}.{nearest(wrong, known)} It can: {', '.join(known)}."
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
    parser.add_argument("--after", nargs="+", default=(), help="tasks it waits for, besides those whose names it reads")
    parser.add_argument("--timeout", type=_whole_seconds, default=None, help="how long an attempt may take, as 30s")
    parser.add_argument("--cache", type=duration, default=None, help="how long an unchanged cell need not run again")
    parser.add_argument("--tags", nargs="+", default=(), help="words to find it by")
    parser.add_argument("--define", action="store_true", help="add the task without running it")
    return parser


def _whole_seconds(text: str) -> dt.timedelta:
    made = duration(text)
    if not made or made % dt.timedelta(seconds=1):
        msg = f"{shown(text)} is not a number of whole seconds: write 5s, 2m or 1h"
        raise argparse.ArgumentTypeError(msg)
    return made


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        msg = f"{shown(text)} gives no parameter a value: write -p days=30"
        raise argparse.ArgumentTypeError(msg)
    return name, value


def _flowbook_parser() -> _Parser:
    parser = _Parser(prog="%flowbook", add_help=False, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)
    options: dict[str, Any] = {"add_help": False, "allow_abbrev": False}
    show = verbs.add_parser("show", **options)
    run = verbs.add_parser("run", **options)
    run.add_argument("--executor", default=None)
    run.add_argument("--to", default=None)
    run.add_argument("--from-failed", action="store_true")
    run.add_argument("-p", dest="given", type=_assignment, action="append", default=[])
    for verb in (show, run):
        verb.add_argument("flow", nargs="?", default=DEFAULT_FLOW)
    explain = verbs.add_parser("explain", **options)
    explain.add_argument("task", nargs="?", default=None)
    export = verbs.add_parser("export", **options)
    export.add_argument("file", type=Path)
    export.add_argument("--force", action="store_true")
    forget = verbs.add_parser("forget", **options)
    restore = verbs.add_parser("restore", **options)
    for verb in (forget, restore):
        verb.add_argument("task")
    for verb in (explain, export, forget, restore):
        verb.add_argument("--flow", default=DEFAULT_FLOW)
    return parser


@magics_class
class FlowbookMagics(Magics):
    """The magics of flowbook, bound to one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.interpreter = shell  # traitlets calls the same one optional
        self.notebook: Notebook = notebook(shell.user_ns, lambda: shell.display_pub)

    @cell_magic
    def task(self, line: str, cell: str) -> None:
        """Make this cell a task of a flow, and run it with whatever upstream has not run yet.

        ::

            %%task [name] [--retries N] [--delay 5s] [--timeout 30s] [--cache 1h] [--trigger all_finished]
                   [--in a b] [--out c] [--after other] [--tags slow] [--flow etl] [--define]

        What the code reads and makes is inferred from the code; ``--in`` and ``--out`` say it instead.
        """
        __tracebackhide__ = True
        try:
            options = _task_parser().parse_args(shlex.split(line))
            made = self._cell(options, line, cell)
            self.notebook.put(made, options.flow)
            if options.define:
                return
            self.notebook.shelf.shown = made.id
            try:
                self.notebook.run(options.flow, to=made.id, show=self.notebook.watcher or False)
            finally:
                self.notebook.shelf.shown = ""
        except (FlowbookError, CellSyntaxError, ValueError) as error:
            raise UsageError(str(error)) from None
        self._say(made, options.flow)

    def _say(self, cell: TaskCell, flow: str) -> None:
        """Say below a cell how it ended, when that is not plain from what it printed and showed."""
        __tracebackhide__ = True
        known = self.notebook.ended(cell.name, flow)
        ended = known.state if known is not None else Pending("It did not run.")
        if isinstance(ended.result, Exception) and ended.is_failed() and not isinstance(ended, TriggerFailed):
            raise without_our_frames(ended.result)
        if isinstance(ended, Cached):
            self.notebook.shelf.show_again(cell.id)
        if not ended.is_successful() or ended.is_skipped() or isinstance(ended, Cached):
            print(f"{cell.name}: {type(ended).__name__}. {ended.message or ''}")  # noqa: T201 - said in the cell

    @cell_magic
    def flow(self, line: str, cell: str) -> None:
        """Say what a flow of task cells has besides them, in plain Python.

        ::

            %%flow [name]
            Parameter("days", default=7)
            executor = "threads"
        """
        __tracebackhide__ = True
        parser = _Parser(prog="%%flow", add_help=False, allow_abbrev=False)
        parser.add_argument("name", nargs="?", default=DEFAULT_FLOW)
        try:
            name = parser.parse_args(shlex.split(line)).name
            self.notebook.set_up(name, self.interpreter.transform_cell(cell))
        except FlowbookError as error:
            raise UsageError(str(error)) from None

    def _cell(self, options: argparse.Namespace, line: str, cell: str) -> TaskCell:
        cell_id = self._cell_id()
        name = options.name or _first_comment(cell) or self.notebook.name_of(cell_id, options.flow) or self._numbered()
        return task_cell(self.interpreter, options, cell, cell_id or name, name, whole("task", line, cell))

    def _cell_id(self) -> str:
        """Return the notebook's id of the running cell; JupyterLab sends it with the request."""
        kernel: Any = getattr(self.interpreter, "kernel", None)
        parent = kernel.get_parent("shell") if kernel is not None else {}
        return str(parent.get("metadata", {}).get("cellId") or "")

    def _numbered(self) -> str:
        return f"cell_{self.interpreter.execution_count}"

    @line_magic
    def flowbook(self, line: str) -> Any:
        """Show, run, explain, or export the flow that the task cells make.

        ::

            %flowbook show [flow]
            %flowbook run [flow] [--to task] [--from-failed] [--executor threads] [-p days=30]
            %flowbook explain [task] [--flow etl]
            %flowbook export flow.py [--force] [--flow etl]
            %flowbook forget task [--flow etl]
            %flowbook restore task [--flow etl]
        """
        __tracebackhide__ = True
        try:
            options = _flowbook_parser().parse_args(shlex.split(line))
            verb: Callable[[argparse.Namespace], Any] = getattr(self, f"_{options.verb}")
            return verb(options)
        except (FlowbookError, OSError) as error:
            raise UsageError(str(error)) from None

    def _show(self, options: argparse.Namespace) -> None:
        flow = self.notebook.flow(options.flow)
        display(flow.last_run if flow.last_run is not None else flow)
        told = standing(self.notebook, options.flow)
        if told:
            print(told)  # noqa: T201 - said in the cell

    def _run(self, options: argparse.Namespace) -> Any:
        given = dict(options.given)
        flow = self.notebook.flow(options.flow)
        values = flow.parse_parameters(given) if given else {}
        return self.notebook.run(
            options.flow,
            to=options.to,
            from_failed=options.from_failed,
            parameters={name: values[name] for name in given},
            executor=options.executor,
        )

    def _explain(self, options: argparse.Namespace) -> None:
        if options.task is None:
            print(dependencies_told(self.notebook, options.flow))  # noqa: T201 - said in the cell
        else:
            print(story_told(self.notebook, options.task, options.flow))  # noqa: T201 - said in the cell

    def _export(self, options: argparse.Namespace) -> None:
        script = script_of(self.notebook, options.flow)
        if options.file.exists() and not options.force:
            line = f"%flowbook export {options.file} --force"
            msg = f"{options.file} exists already. Write another file, or over it: {line}"
            raise UsageError(msg)
        options.file.write_text(script, "utf-8")
        print(f"Wrote {options.file}. Run it: python {options.file}")  # noqa: T201 - said in the cell

    def _forget(self, options: argparse.Namespace) -> None:
        self.notebook.forget(options.task, options.flow)

    def _restore(self, options: argparse.Namespace) -> None:
        self.notebook.restore(options.task, options.flow)


def task_cell(
    shell: InteractiveShell, options: argparse.Namespace, cell: str, cell_id: str, name: str, source: str
) -> TaskCell:
    """Return the task cell that the options of ``%%task`` and the code below it make.

    Raises:
        UsageError: the options contradict each other.
        CellSyntaxError: the code is no Python.

    """
    if options.retries and options.delay is None:
        options.delay = dt.timedelta(0)
    if options.delay is not None and not options.retries:
        msg = f"--delay {options.delay.total_seconds():g}s needs --retries of at least 1."
        raise UsageError(msg)
    given = {key for key, value in (("in", options.reads), ("out", options.writes)) if value is not None}
    return TaskCell(
        id=cell_id,
        name=name,
        code=shell.transform_cell(cell),
        names=names_of(cell, options.reads, options.writes),
        retries=options.retries,
        delay=options.delay,
        trigger=options.trigger,
        given=frozenset(given),
        timeout=options.timeout,
        cache=options.cache,
        after=tuple(options.after),
        tags=frozenset(options.tags),
        source=source,
    )


def task_cell_of(shell: InteractiveShell, cell_id: str, source: str, name: str) -> tuple[str, TaskCell]:
    """Read the text of a cell that begins with ``%%task``; nothing is run.

    Args:
        shell: whose magics the code may use.
        cell_id: of the cell.
        source: all of its text.
        name: of the task, where the text says none.

    Returns:
        The flow it belongs to, and the cell.

    Raises:
        UsageError: the options cannot be read.
        CellSyntaxError: the code is no Python.

    """
    line, _, cell = source.lstrip().partition("\n")
    try:
        options = _task_parser().parse_args(shlex.split(line.partition("%%task")[2]))
    except ValueError as error:
        raise UsageError(str(error)) from None
    found = options.name or _first_comment(cell) or name
    return options.flow, task_cell(shell, options, cell, cell_id, found, source)


def whole(magic: str, line: str, cell: str) -> str:
    """Return the text of a cell that a cell magic was called with."""
    return f"%%{magic} {line}".rstrip() + f"\n{cell}"


def without_our_frames(error: Exception) -> Exception:
    """Return an error whose traceback begins in the cell."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<task "):
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else error


def _first_comment(cell: str) -> str:
    """Return the first line as a name when it is a comment: ``# clean the rows`` gives ``clean_the_rows``."""
    first = next((line for line in cell.splitlines() if line.strip()), "")
    if not first.startswith("#"):
        return ""
    return re.sub(r"\W+", "_", first.lstrip("# ")).strip("_")[:60]
