"""Exporting: the flow of task cells as a script on the public API.

The cells of a flow share names, also through functions that look them up late. So do the functions of the script: each
says with ``global`` which names it makes, and the edges keep the order. That is what makes both run to the same end.
"""

from __future__ import annotations

import ast
import re
import textwrap
from typing import TYPE_CHECKING

from flowbook.errors import FlowError, shown
from flowbook.notebook.cells import CellTask
from flowbook.sources import shared_cells, temporaries
from flowbook.triggers import all_successful

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowbook.flows import Flow
    from flowbook.notebook.book import Notebook
    from flowbook.notebook.cells import TaskCell
    from flowbook.tasks.base import Task

__all__ = ["function_names", "function_text", "script_of"]


def script_of(book: Notebook, name: str) -> str:
    """Return a script which builds the flow of these cells and, when it is run, runs it to the same end.

    Args:
        book: the cells.
        name: of the flow.

    Raises:
        FlowError: a cell has code that only IPython runs, or that no function may hold.

    """
    flow, cells = book.flow(name), book.ordered(name)
    for cell in cells:
        _check(cell)
    names = [cell.names for cell in cells]
    private = temporaries(names)
    shared = {cells[place].id for place in shared_cells(names) if not _has_options(cells[place])}
    if len(shared) == len(cells):
        shared = set()  # a flow has tasks
    tasks = [task for task in flow.sorted_tasks() if isinstance(task, CellTask) and task.cell.id not in shared]
    words = function_names([*flow.parameters(), *tasks], {one for cell in names for one in cell.writes | cell.reads})
    blocks = [_head(name, book, tasks)]
    blocks += [f"# {cell.name}\n{cell.code.strip()}" for cell in cells if cell.id in shared]
    blocks += [_setter(words[one], one.name) for one in _given(flow)]
    places = {cell.id: place for place, cell in enumerate(cells)}
    blocks += [function_text(task, words[task], private[places[task.cell.id]]) for task in tasks]
    options = book.settings(name).options
    if options:
        blocks.append(f"# settings of the flow\n{book.settings(name).code.strip()}")
    said = "".join(f", {option}={option}" for option in options)
    blocks.append("\n".join(_building(flow, f"{name!r}{said}", tasks, words)))
    blocks.append('if __name__ == "__main__":\n    flow.run()')
    script = "\n\n\n".join(blocks) + "\n"
    try:
        compile(script, "<script>", "exec")
    except SyntaxError as error:
        msg = f"{error.msg}: {shown((error.text or '').strip())} cannot stand in a function. Rewrite that line."
        raise FlowError(msg) from None
    return script


def _setter(word: str, name: str) -> str:
    return f"@task\ndef {word}(value):\n    global {name}\n    {name} = value"


def _given(flow: Flow) -> list[Task]:
    return sorted(flow.parameters(), key=lambda task: task.name)


def _has_options(cell: TaskCell) -> bool:
    return bool(cell.retries or cell.timeout or cell.cache or cell.after or cell.trigger is not all_successful)


def _check(cell: TaskCell) -> None:
    tree = ast.parse(cell.code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in {"get_ipython", "display"}:
            does = "uses a magic or a shell command" if node.id == "get_ipython" else "calls display()"
            msg = (
                f"task {shown(cell.name)}, line {node.lineno}, {does}, which only IPython runs. Take it out of the "
                "cell, or run the notebook itself: flowbook run notebook.ipynb"
            )
            raise FlowError(msg)
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            msg = f"task {shown(cell.name)}, line {node.lineno}: import the names one by one; a function takes no *."
            raise FlowError(msg)


def function_names(tasks: list[Task], taken: set[str]) -> dict[Task, str]:
    """Return a name for the function of each task, which no cell uses.

    Args:
        tasks: those of cells, and parameters.
        taken: names that cells use.

    """
    taken = taken | {"flow", "task", "Flow", "Parameter", "triggers", "timedelta"}
    found: dict[Task, str] = {}
    for one in tasks:
        base = one.name if isinstance(one, CellTask) else f"set_{one.name}"
        word = "_".join(re.findall(r"\w+", base)) or "cell"
        word = word.lower() if " " in base else word  # a name made of words, and no name of Python
        word = word if word.isidentifier() else f"cell_{word}"
        while word in taken:
            word += "_task" if isinstance(one, CellTask) and not word.endswith("_task") else "_"
        taken.add(word)
        found[one] = word
    return found


def _head(name: str, book: Notebook, tasks: list[CellTask]) -> str:
    lines = [f'"""The flow {name}, exported from the task cells of a notebook."""', ""]
    if any(task.cell.retries or task.cell.timeout for task in tasks):
        lines += ["from datetime import timedelta", ""]
    needed = ["Flow", "Parameter" if book.settings(name).parameters else "", "task"]
    needed.append("triggers" if any(task.cell.trigger is not all_successful for task in tasks) else "")
    lines.append(f"from flowbook import {', '.join(filter(None, needed))}")
    return "\n".join(lines)


def function_text(task: CellTask, word: str, private: frozenset[str]) -> str:
    """Return the function that does what a cell does.

    Args:
        task: of the cell.
        word: the name of the function.
        private: the names that the cell makes for itself alone; they stay in the function.

    """
    cell = task.cell
    names = cell.names
    made = (names.writes | names.maybe_writes | names.deletes | names.imports | _bound(cell.code)) - private
    lines = [_decorator(task), f"{'async ' if _awaits(cell.code) else ''}def {word}():"]
    if made:
        lines.append(f"    global {', '.join(sorted(made))}")
    lines.append(_indented(cell.code.strip("\n")))
    return "\n".join(lines)


def _bound(code: str) -> frozenset[str]:
    """Return the names that the code of a cell binds at its own level, by assignments in place as well."""
    return frozenset(
        node.target.id
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
    )


def _awaits(code: str) -> bool:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return bool(compile(code, "<cell>", "exec", flags).co_flags & 0x80)


def _indented(code: str) -> str:
    """Indent code by four spaces, texts of several lines kept as they are."""
    tree = ast.parse(code)
    if not tree.body:
        return "    pass"
    made = textwrap.indent(code, "    ")
    wanted = [ast.dump(node) for node in tree.body]
    holder = ast.parse("async def f():\n" + made).body[0]
    if isinstance(holder, ast.AsyncFunctionDef) and [ast.dump(node) for node in holder.body] == wanted:
        return made
    return textwrap.indent(ast.unparse(tree), "    ")  # one line for each text; comments are lost


def _decorator(task: CellTask) -> str:
    cell = task.cell
    options = [f"name={cell.name!r}"]
    if cell.retries:
        seconds = cell.delay.total_seconds() if cell.delay else 0
        options += [f"max_retries={cell.retries}", f"retry_delay=timedelta(seconds={seconds:g})"]
    if cell.timeout is not None:
        options.append(f"timeout=timedelta(seconds={cell.timeout.total_seconds():g})")
    if cell.trigger is not all_successful:
        options.append(f"trigger=triggers.{getattr(cell.trigger, '__name__', '')}")
    if cell.tags:
        options.append(f"tags={sorted(cell.tags)!r}")
    return f"@task({', '.join(options)})"


def _building(flow: Flow, arguments: str, tasks: list[CellTask], words: dict[Task, str]) -> Iterator[str]:
    """Write the block that builds the flow; functions are tasks already, so the variables have other names."""
    yield f"with Flow({arguments}) as flow:"
    for one in _given(flow):
        default = "" if one.required else f", default={one.default!r}"  # type: ignore[attr-defined]
        yield f"    of_{words[one]} = {words[one]}(Parameter({one.name!r}{default}))"
    for task in tasks:
        upstream = flow.upstream_tasks(task)
        before = [f"of_{words[one]}" for one in flow.sorted_tasks() if one in upstream and one in words]
        said = f"upstream_tasks=[{', '.join(before)}]" if before else ""
        yield f"    of_{words[task]} = {words[task]}({said})"
