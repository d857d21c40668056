"""A task that was defined again after its flow was built is named: it runs as it was then."""

from __future__ import annotations

import types
import warnings
from typing import Any

import pytest

from flowbook import Flow, task
from flowbook.engine.arguments import options_of
from flowbook.engine.running import _prepare
from flowbook.notebook.live import warn_of_newer_tasks


def defined(source: str) -> Any:
    """Define a function as a notebook's cell would, and return it."""
    module = types.ModuleType("__main__")
    exec(source, module.__dict__)
    return module.__dict__["read"]


def test_a_newer_definition_is_named_and_an_unchanged_one_is_not() -> None:
    old = task(defined("def read():\n    return 1"))
    same = task(defined("def read():\n    return 1"))
    newer = task(defined("def read():\n    return 2"))
    with Flow("etl") as flow:
        old()
    run = _prepare(flow, None, options_of(flow, (), {}))
    with pytest.warns(UserWarning, match="read was defined again after this flow was built"):
        warn_of_newer_tasks(run, {"read": newer})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_newer_tasks(run, {"read": same})
        warn_of_newer_tasks(run, {})
