"""Settings of a flow of cells: what a ``%%flow`` cell says in plain Python."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import linecache
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from flowbook.contexts import context
from flowbook.errors import FlowError, nearest, shown
from flowbook.flows import Flow
from flowbook.parameters import Parameter
from flowbook.sources import CellNames, analyse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.tasks.base import Task

__all__ = ["Settings", "only_names_parameters", "read_settings"]

# What of the options of a flow can be set by giving it a value in the cell.
OPTIONS = (
    "schedule",
    "executor",
    "result",
    "state_handlers",
    "on_failure",
    "terminal_state_handler",
    "run_config",
    "storage",
)


@dataclass(frozen=True)
class Settings:
    """What a flow of cells has besides its cells.

    Attributes:
        parameters: by name.
        options: as for `flowbook.Flow`.
        code: the cell, as plain Python.

    """

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""

    def read(self) -> list[CellNames]:
        """Return the parameters as a first cell that makes them all; nothing when there are none."""
        if not self.parameters:
            return []
        # of numbers and texts it is known that nobody changes them in place
        plain = [
            f"{name} = {parameter.default!r}"
            for name, parameter in self.parameters.items()
            if type(parameter.default) in {bool, int, float, str}
        ]
        names = analyse("\n".join(plain))
        return [dataclasses.replace(names, writes=frozenset(self.parameters))]


def read_settings(flow: str, code: str, namespace: Mapping[str, Any]) -> Settings:
    """Run a cell of settings and return what it says.

    It sees the notebook's names, and leaves none of its own behind.

    Args:
        flow: the name of the flow.
        code: plain Python.
        namespace: the notebook's names.

    Raises:
        FlowError: a misspelt setting, two parameters of one name, or a value that a flow does not take.

    >>> said = read_settings("etl", "days = Parameter('days', default=7); executor = 'threads'", {})
    >>> sorted(said.parameters), dict(said.options)
    (['days'], {'executor': 'threads'})

    """
    __tracebackhide__ = True
    filename = f"<flow {flow}>"
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    names: dict[str, Any] = {"Parameter": Parameter, "__builtins__": builtins, **namespace}
    before = dict(names)
    created: dict[int, Task] = {}
    with context(_created_tasks=created):
        exec(compile(code, filename, "exec"), names)  # noqa: S102 - running the notebook's cells is what we are for
    made = {name: value for name, value in names.items() if name not in before or before[name] is not value}
    for name, value in made.items():
        offered = nearest(name, OPTIONS, 0.75)
        if name not in OPTIONS and offered and not isinstance(value, (Parameter, ModuleType)):
            msg = f"flow {shown(flow)} has no setting {shown(name)}.{offered} Settings: {', '.join(OPTIONS)}."
            raise FlowError(msg)
    parameters: dict[str, Parameter] = {}
    for task in created.values():
        if not isinstance(task, Parameter):
            continue
        if task.name in parameters:
            msg = f"flow {shown(flow)} has two parameters {shown(task.name)}. Give one of them another name."
            raise FlowError(msg)
        if not task.name.isidentifier():
            msg = f"cells read a parameter by its name, and {shown(task.name)} is not a name of Python. Rename it."
            raise FlowError(msg)
        parameters[task.name] = task
    options = {name: made[name] for name in OPTIONS if name in made}
    Flow(flow, **options)  # says now what is wrong with them
    return Settings(parameters, options, code)


def only_names_parameters(code: str) -> bool:
    """Tell whether a cell of settings does nothing but name parameters with plain values: to read it runs nothing.

    >>> only_names_parameters("Parameter('days', default=7)"), only_names_parameters("Parameter('key', default=ask())")
    (True, False)
    """
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError):
        return False
    return bool(body) and all(isinstance(one, ast.Expr) and _is_plain_parameter(one.value) for one in body)


def _is_plain_parameter(call: ast.expr) -> bool:
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != Parameter.__name__:
        return False
    try:
        for value in (*call.args, *(one.value for one in call.keywords)):
            ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return all(one.arg for one in call.keywords)
