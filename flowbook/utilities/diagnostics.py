"""Diagnostics: what to paste into a report about something that goes wrong: shapes and versions, no values."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from flowbook.configuration import DEFAULTS, PREFIX, config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.flows import Flow

__all__ = ["diagnostics"]


def diagnostics(flow: Flow | None = None) -> str:
    """Return facts about this machine, the settings and a flow as JSON text; names and values of people never show.

    Args:
        flow: what it is about, when it is about one.

    >>> sorted(json.loads(diagnostics()))
    ['config_overrides', 'env_vars', 'system_information']

    """
    facts: dict[str, Any] = {
        "config_overrides": _changed(config.to_dict(), DEFAULTS),
        "env_vars": sorted(name for name in os.environ if name.startswith(PREFIX)),
        "system_information": {
            "flowbook_version": sys.modules["flowbook"].__version__,
            "platform": platform.platform(),
            "python_version": platform.python_version(),
        },
    }
    if flow is not None:
        facts["flow_information"] = _facts_of(flow)
    return json.dumps(facts, sort_keys=True, indent=2)


def _changed(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Say which settings differ from their defaults, and not in what."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in defaults:
            continue  # a section of their own
        if isinstance(value, dict):
            inside = _changed(value, defaults[name])
            if inside:
                found[name] = inside
        elif value != defaults[name]:
            found[name] = True
    return found


def _facts_of(flow: Flow) -> dict[str, Any]:
    def kind(value: object) -> str | None:
        return None if value is None else type(value).__name__

    return {
        "constants": sum(map(len, flow.constants.values())),
        "edges": len(flow.edges),
        "executor": flow.executor if isinstance(flow.executor, str) else kind(flow.executor),
        "mapped_edges": sum(edge.mapped for edge in flow.edges),
        "parameters": len(flow.parameters()),
        "result": kind(flow.result),
        "run_config": kind(flow.run_config),
        "schedule": kind(flow.schedule),
        "state_handlers": len(flow.state_handlers),
        "storage": kind(flow.storage),
        "task_types": dict(Counter(type(task).__name__ for task in flow.nodes)),
        "tasks": len(flow),
        "tasks_with_retries": sum(task.max_retries > 0 for task in flow.nodes),
        "tasks_with_timeout": sum(task.timeout is not None for task in flow.nodes),
    }
