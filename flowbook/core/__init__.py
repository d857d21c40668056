"""Tasks, flows, edges and parameters, under the names of the reference API."""

from __future__ import annotations

from flowbook.edges import Edge
from flowbook.flows import Flow
from flowbook.parameters import Parameter
from flowbook.tasks.base import Task

__all__ = ["Edge", "Flow", "Parameter", "Task"]
