"""Settings: nested names with defaults, each overridable by an environment variable.

``FLOWBOOK__TASKS__DEFAULTS__MAX_RETRIES=2`` in the environment sets ``config.tasks.defaults.max_retries``.
The values are read once, when flowbook is imported, and can be set at any time from Python:

>>> from flowbook import config
>>> config.flows.eager_edge_validation
False
"""

from __future__ import annotations

import ast
import os
import warnings
from typing import TYPE_CHECKING, Any

from flowbook.errors import UnknownArgument, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["DEFAULTS", "PREFIX", "Config", "config", "configuration_from"]

PREFIX = "FLOWBOOK__"

DEFAULTS: dict[str, Any] = {
    # where flowbook keeps what belongs to this person: results, …
    "home_dir": "~/.flowbook",
    "flows": {
        # check each edge (duplicate keys, cycles) when it is made rather than when the flow is validated or run
        "eager_edge_validation": False,
        # write results: None when a task or its flow says where, False never (True says what None does)
        "checkpointing": None,
    },
    "tasks": {"defaults": {"max_retries": 0, "retry_delay": None, "timeout": None}},
    "logging": {
        "level": "INFO",
        "format": "[%(asctime)s] %(levelname)s - %(name)s | %(message)s",
    },
    "notebook": {
        # show the live picture of a run in the cell without being asked
        "autoshow": True,
        # picture messages a second, at the most
        "messages_per_second": 30,
    },
}


class Config:
    """A nested set of settings with attribute and item access.

    >>> Config({"a": {"b": 1}}).a.b
    1
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(
            {key: Config(value) if isinstance(value, dict) else value for key, value in values.items()},
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"no setting {shown(name)} here.{self._known(name)}")

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__:
            raise UnknownArgument(f"unknown setting {shown(name)}.{self._known(name)}")
        section = self.__dict__[name]
        if not isinstance(section, Config):
            self.__dict__[name] = value
        elif isinstance(value, (dict, Config)):
            # a part of a section changes that part
            for key in value:
                section[key] = value[key]
        else:
            raise UnknownArgument(
                f"{name!r} is a section of settings, not {shown(value)}. Set one of its own: {', '.join(section)}."
            )

    def _known(self, name: str) -> str:
        return f"{nearest(name, self.__dict__)} Known: {', '.join(sorted(self.__dict__))}."

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a setting, or `default` when there is none of that name."""
        return self.__dict__.get(name, default)

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested dictionaries."""
        return {key: value.to_dict() if isinstance(value, Config) else value for key, value in self.__dict__.items()}

    def __repr__(self) -> str:
        return f"Config({self.to_dict()!r})"


def _coerced(text: str) -> Any:
    """Read ``true``, ``3`` or ``[1, 2]`` as Python values; anything else stays text."""
    lowered = text.strip().lower()
    if lowered in {"true", "false"}:
        return lowered == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def configuration_from(environment: Mapping[str, str]) -> Config:
    """Build the settings from the defaults and an environment.

    A variable that names no setting is warned about rather than refused: nothing in an environment should keep flowbook
    from being imported.

    >>> configuration_from({"FLOWBOOK__NOTEBOOK__AUTOSHOW": "false"}).notebook.autoshow
    False
    """
    made = Config(DEFAULTS)
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        *path, last = variable[len(PREFIX) :].lower().split("__")
        place: Any = made
        try:
            for name in path:
                place = getattr(place, name)
            setattr(place, last, _coerced(text))
        except (AttributeError, UnknownArgument) as error:
            warnings.warn(f"{variable}={shown(text)} has no effect: {error}", UserWarning, stacklevel=2)
    return made


config = configuration_from(os.environ)
