"""Flowbook: build workflows in a notebook, run them in the kernel, and watch the graph turn colour.

>>> from flowbook import Flow, task
>>> @task
... def add(x, y=1):
...     return x + y
>>> with Flow("sum") as flow:
...     total = add(1, y=2)
>>> flow.run(show=False).result[total].result
3
"""

from flowbook import signals, states, triggers
from flowbook.configuration import config
from flowbook.contexts import context
from flowbook.edges import Edge
from flowbook.flows import Flow
from flowbook.parameters import Parameter
from flowbook.tasks.base import Task
from flowbook.utilities.tasks import as_task, tags, task

__version__ = "0.1.0"

__all__ = [
    "Edge",
    "Flow",
    "Parameter",
    "Task",
    "as_task",
    "config",
    "context",
    "signals",
    "states",
    "tags",
    "task",
    "triggers",
]
