"""Tasks: the steps of a flow, and the ones flowbook brings along.

`Task` itself is in `flowbook.tasks.base`; constants, collections, operators and function tasks are in
`flowbook.tasks.core`, as in the reference API.
"""

from __future__ import annotations

from flowbook.tasks.base import Task
from flowbook.tasks.core import collections as collections
from flowbook.tasks.core import operators as operators
from flowbook.tasks.core.function import FunctionTask

__all__ = ["FunctionTask", "Task"]
