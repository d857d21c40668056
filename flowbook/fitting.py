"""Fitting: whether what a task returns can be what the next one takes, edge by edge, and what parameters are."""

from __future__ import annotations

import datetime as dt
import os
import sys
import typing
import warnings
from typing import TYPE_CHECKING, Any

from flowbook.configuration import config
from flowbook.errors import TypeMismatch, TypeMismatchWarning, shown
from flowbook.hints import UNKNOWN, EdgeTypes, arrives, in_words, is_known, list_of, may_fit
from flowbook.parameters import DateTimeParameter, Parameter
from flowbook.redaction import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.edges import Edge
    from flowbook.graphs import Graph, Node
    from flowbook.tasks.base import Task

__all__ = ["check_edge", "check_values", "edge_types", "parameter_type"]

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120 - compared with file names of code


def edge_types(nodes: Mapping[Task, Node], edge: Edge) -> EdgeTypes | None:
    """Return the types at the ends of an edge, or None when no result goes along it or neither end says anything."""
    if edge.key is None:
        return None
    upstream, downstream = edge.upstream_task, edge.downstream_task
    takes = downstream.run_signature.takes_type(downstream.run, edge.key)
    gives = arrives(
        _returned(nodes, upstream), spread=_is_mapped(nodes, upstream), mapped=edge.mapped, flattened=edge.flattened
    )
    if not is_known(gives) and not is_known(takes):
        return None
    return EdgeTypes(gives, takes, may_fit(gives, takes))


def check_edge(nodes: Mapping[Task, Node], edge: Edge) -> None:
    """Warn of an edge whose ends can surely not be meant together.

    Raises:
        TypeMismatch: instead, when ``config.flows.strict_types`` is set.

    """
    found = edge_types(nodes, edge)
    if found is None or found.fits or _may_be_mapped_later(nodes, edge, found):
        return
    upstream, downstream = edge.upstream_task, edge.downstream_task
    giver, gives = f"task {shown(upstream.name, 60)}", in_words(found.gives)
    if isinstance(upstream, Parameter):
        giver = f"parameter {shown(upstream.name, 60)}"
        source = f"each element of {giver} is {gives}" if edge.mapped else f"{giver} is {gives}"
    else:
        source = f"each element of what {giver} returns is {gives}" if edge.mapped else f"{giver} returns {gives}"
    message = (
        f"{source}, but argument {shown(edge.key)} of task {shown(downstream.name, 60)} takes {in_words(found.takes)}. "
        "Change one of the two annotations, or put a task between them that converts."
    )
    if config.flows.strict_types:
        raise TypeMismatch(message)
    warnings.warn(message, TypeMismatchWarning, stacklevel=_frames_of_ours())


def _frames_of_ours() -> int:
    """Return the stack level of the first line that is not flowbook's own, so that a warning points at it."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001 - as warnings itself does
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        level, frame = level + 1, frame.f_back
    return level


def _returned(nodes: Mapping[Task, Node], task: Task) -> Any:
    """Return what a task is annotated to return; an item that is taken out of a tuple or dict is known, too."""
    if type(task).__name__ == "GetItem" and task in nodes:
        return _item(nodes, task)
    return task.outputs()


def _item(nodes: Mapping[Task, Node], task: Task) -> Any:
    node = nodes[task]
    whole = next((edge.upstream_task for edge in node.upstream.values() if edge.key == "task_result"), None)
    key = node.constants.get("key")
    if whole is None or _is_mapped(nodes, whole) or _is_mapped(nodes, task):
        return UNKNOWN
    gives = whole.outputs()
    args = typing.get_args(gives)
    if typing.get_origin(gives) is not tuple or type(key) is not int or Ellipsis in args:
        return UNKNOWN
    return args[key] if -len(args) <= key < len(args) else UNKNOWN


def _is_mapped(nodes: Mapping[Task, Node], task: Task) -> bool:
    node = nodes.get(task)
    return node is not None and any([edge.mapped for edge in node.upstream.values()])  # noqa: C419 - few, and often


def _may_be_mapped_later(nodes: Mapping[Task, Node], edge: Edge, found: EdgeTypes) -> bool:
    """Tell whether the task upstream may still become a mapped one: who says each step may say this step first."""
    upstream = edge.upstream_task
    node = nodes.get(upstream)
    bound = node.keys() if node is not None else {}
    missing = upstream.run_signature.needed[0].difference(bound)
    return bool(missing) and not edge.mapped and may_fit(list_of(found.gives), found.takes)


# -- parameters ------------------------------------------------------------------------------------------------------

# Defaults of these types say what else may be given; an empty list, or None, says too little.
_TELLING = (bool, int, float, str, dt.datetime, dt.date, dt.time, dt.timedelta)


def parameter_type(graph: Graph, parameter: Parameter) -> Any:
    """Return the type of a parameter: the one it was given, else what takes it, else that of its default."""
    declared = parameter.outputs()
    if is_known(declared):
        return declared
    taken = []
    for edge in graph.node(parameter).downstream:
        if edge.key is None:
            continue
        takes = edge.downstream_task.run_signature.takes_type(edge.downstream_task.run, edge.key)
        if is_known(takes):
            for _ in range(edge.mapped + edge.flattened):
                takes = list_of(takes)
            taken.append(takes)
    if taken:
        return _narrowest(taken)
    kind = type(parameter.default)
    if kind is int:
        return int | float  # who writes 1 may well mean 1.5 the next time
    return kind if kind in _TELLING else UNKNOWN


def _narrowest(types: list[Any]) -> Any:
    """Return the type that is a subclass of all others when there is one, else the first."""
    for one in types:
        if isinstance(one, type) and all(isinstance(other, type) and issubclass(one, other) for other in types):
            return one
    return types[0]


def check_values(graph: Graph, parameters: set[Parameter], values: Mapping[str, Any]) -> None:
    """Refuse values of parameters whose types surely do not fit.

    Raises:
        TypeMismatch: with the first such parameter, its value and its type.

    """
    for parameter in sorted(parameters, key=lambda parameter: parameter.name):
        if parameter.name not in values:
            continue
        value, wanted = values[parameter.name], parameter_type(graph, parameter)
        reads_text = isinstance(parameter, DateTimeParameter) and isinstance(value, str)
        if not reads_text and not may_fit(type(value), wanted):
            given = MASK if parameter.sensitive else shown(value)
            raise TypeMismatch(
                f"parameter {shown(parameter.name)} got {given}, a {in_words(type(value))}, but it is "
                f"{in_words(wanted)}. Give one, or read it from text: flow.parse_parameters({{...}})."
            )
