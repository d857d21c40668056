"""Settings: nested names with defaults, each overridable by a file of the user and by environment variables.

``FLOWBOOK__TASKS__DEFAULTS__MAX_RETRIES=2`` in the environment sets ``config.tasks.defaults.max_retries``; so does a
``[tasks.defaults]`` table in ``~/.flowbook/config.toml``. The values are read once, when flowbook is imported, and can
be set at any time from Python:

>>> from flowbook import config
>>> config.flows.eager_edge_validation
False
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from typing import TYPE_CHECKING, Any

from flowbook.errors import UnknownArgument, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["DEFAULTS", "PREFIX", "Config", "config", "configuration_from", "configured_secrets", "read_user_file"]

PREFIX = "FLOWBOOK__"
# Variables of the reference API are understood where they name something that there is here; ours win.
_OTHER_PREFIX = "PREFECT__"
_SECRETS = "CONTEXT__SECRETS__"

USER_FILE = "~/.flowbook/config.toml"
_FILE_VARIABLE = f"{PREFIX}USER_CONFIG_PATH"

DEFAULTS: dict[str, Any] = {
    # where flowbook keeps what belongs to this person: flows that were saved by name, results
    "home_dir": "~/.flowbook",
    "flows": {
        # check each edge (duplicate keys, cycles) when it is made rather than when the flow is validated or run
        "eager_edge_validation": False,
        # wait for the schedule of a flow that has one
        "run_on_schedule": True,
        # an edge between annotations that cannot fit each other is refused instead of warned about
        "strict_types": False,
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


# -- the file of the user --------------------------------------------------------------------------------------------


def read_user_file(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read the settings file that the environment names, else the usual one; nothing when there is none.

    A file that cannot be read is warned about rather than refused: nothing should keep flowbook from being imported.

    >>> read_user_file({"FLOWBOOK__USER_CONFIG_PATH": os.devnull})
    {}
    """
    named = environment.get(_FILE_VARIABLE)
    path = os.path.expanduser(named or USER_FILE)  # noqa: PTH111 - pathlib would be loaded for this alone
    if not named and not os.path.exists(path):  # noqa: PTH110 - likewise
        return {}
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - likewise
            made: dict[str, Any] = _toml().load(file)
    except (OSError, ValueError, ImportError) as error:
        warnings.warn(
            f"the settings file {path} has no effect: {error}. Correct it, or name another in {_FILE_VARIABLE}.",
            UserWarning,
            stacklevel=2,
        )
        return {}
    return made


def _toml() -> Any:
    try:
        import tomllib  # noqa: PLC0415 - whoever has a settings file needs it, nobody else
    except ImportError:
        import tomli as tomllib  # type: ignore[import-not-found, no-redef, unused-ignore]  # noqa: PLC0415 - Python 3.10
    return tomllib


def _take_file(made: Config, given: Mapping[str, Any]) -> None:
    """Take over a settings file: known settings, and sections of the user's own."""
    for name, value in given.items():
        if name == "context":  # its secrets are kept apart, see `configured_secrets`
            unknown = [f"context.{key}" for key in value if key != "secrets"] if isinstance(value, dict) else [name]
            if unknown:
                _warn_of(f"{', '.join(unknown)} in the settings file", "only [context.secrets] is known there.")
        elif name not in made and isinstance(value, dict) and not nearest(name, made):
            made.__dict__[name] = Config(value)
        else:
            _take(made, (name,), value, f"{name} in the settings file")


def _take(place: Any, path: tuple[str, ...], value: Any, said: str) -> None:
    """Set one setting, or each of a section, and warn where there is none of that name."""
    if isinstance(value, dict) and value:
        for name, below in value.items():
            _take(place, (*path, name), below, f"{'.'.join((*path, name))} in the settings file")
        return
    try:
        for name in path[:-1]:
            place = getattr(place, name)
        setattr(place, path[-1], value)
    except (AttributeError, UnknownArgument) as error:
        _warn_of(said, str(error))


def _warn_of(what: str, why: str) -> None:
    warnings.warn(f"{what} has no effect: {why}", UserWarning, stacklevel=2)


# -- ${...} ----------------------------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


def _interpolate(made: Config, environment: Mapping[str, str]) -> None:
    """Replace each ``${a.b}`` by that setting, and each ``${NAME}`` that is none by that environment variable."""

    def resolved(value: Any, inside: tuple[str, ...]) -> Any:
        if not isinstance(value, str) or "${" not in value:
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return looked_up(whole[1], value, inside)
        return _REFERENCE.sub(lambda found: str(looked_up(found[1], found[0], inside)), value)

    def looked_up(name: str, text: str, inside: tuple[str, ...]) -> Any:
        if name in inside:
            _warn_of(text, f"{' -> '.join((*inside, name))} leads back to itself.")
            return text
        place: Any = made
        for step in name.split("."):
            place = place.get(step, _MISSING) if isinstance(place, Config) else _MISSING
        if place is _MISSING or isinstance(place, Config):
            if name in environment:
                return environment[name]
            _warn_of(text, f"there is no setting and no environment variable {name!r}.")
            return text
        return resolved(place, (*inside, name))

    def walk(section: Config, path: tuple[str, ...]) -> None:
        for name in section:
            value = section[name]
            if isinstance(value, Config):
                walk(value, (*path, name))
            else:
                section.__dict__[name] = resolved(value, (".".join((*path, name)),))

    walk(made, ())


_MISSING = object()


# -- all of it -------------------------------------------------------------------------------------------------------


def configuration_from(environment: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Config:
    """Build the settings from the defaults, what a settings file gives, and an environment, the last one nearest.

    What names no setting is warned about rather than refused: nothing in an environment should keep flowbook from being
    imported.

    Args:
        environment: variables.
        given: the content of a settings file.

    >>> configuration_from({"FLOWBOOK__NOTEBOOK__AUTOSHOW": "false"}).notebook.autoshow
    False
    >>> configuration_from({}, {"mine": {"level": "${logging.level}"}}).mine.level
    'INFO'
    """
    made = Config(DEFAULTS)
    _take_file(made, given or {})
    for prefix in (_OTHER_PREFIX, PREFIX):
        for variable, text in environment.items():
            name = variable[len(prefix) :]
            if not variable.startswith(prefix) or name.startswith(_SECRETS) or variable == _FILE_VARIABLE:
                continue
            path = tuple(name.lower().split("__"))
            if prefix == PREFIX or _is_setting(path):
                _take(made, path, _coerced(text), f"{variable}={shown(text)}")
    _interpolate(made, environment)
    return made


def _is_setting(path: tuple[str, ...]) -> bool:
    place: Any = DEFAULTS
    for name in path:
        place = place.get(name, _MISSING) if isinstance(place, dict) else _MISSING
    return place is not _MISSING and not isinstance(place, dict)


def configured_secrets() -> dict[str, Any]:
    """Return the secrets that the settings file and the environment hold, the nearest last.

    They are kept out of the settings, which anybody may print. The environment is read anew: a notebook may set it.
    """
    found: dict[str, Any] = dict(_file_secrets)
    for prefix in (f"{_OTHER_PREFIX}{_SECRETS}", f"{PREFIX}{_SECRETS}"):
        found.update({name[len(prefix) :]: text for name, text in os.environ.items() if name.startswith(prefix)})
    return found


_file = read_user_file(os.environ)
config = configuration_from(os.environ, _file)
_context = _file.get("context")
_secrets = _context.get("secrets") if isinstance(_context, dict) else None
_file_secrets: dict[str, Any] = _secrets if isinstance(_secrets, dict) else {}
