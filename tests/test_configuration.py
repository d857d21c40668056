"""Settings: nested, with defaults, set by the environment or by hand, and loud about names that do not exist."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from typing import Any

import pytest

from flowbook.configuration import DEFAULTS, Config, configuration_from
from flowbook.errors import UnknownArgument


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("3", 3),
        ("-1.5", -1.5),
        ("[1, 2]", [1, 2]),
        ("None", None),
        ("plain words", "plain words"),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        ("", ""),
    ],
)
def test_the_environment_gives_values_of_the_right_type(text: str, value: Any) -> None:
    made = configuration_from({"FLOWBOOK__LOGGING__LEVEL": text})
    assert made.logging.level == value
    assert type(made.logging.level) is type(value)


def test_settings_have_defaults_and_are_not_shared() -> None:
    one, other = configuration_from({}), configuration_from({})
    one.tasks.defaults.max_retries = 5
    assert other.to_dict() == DEFAULTS
    assert one.tasks.defaults["max_retries"] == 5
    assert one.get("tasks").defaults.get("no such", 7) == 7
    assert list(one) == list(DEFAULTS)


def test_variables_of_others_are_none_of_our_business() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert configuration_from({"HOME": "x", "FLOWBOOK": "x", "PREFIX__A": "1"}).to_dict() == DEFAULTS


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("FLOWBOOK__NOTBOOK__AUTOSHOW", "Did you mean 'notebook'"),
        ("FLOWBOOK__NOTEBOOK__AUTOSHO", "Did you mean 'autoshow'"),
        ("FLOWBOOK__TASKS", "'tasks' is a section of settings, not 1. Set one of its own: defaults"),
        ("FLOWBOOK__LOGGING__LEVEL__DEEP", "has no effect"),
        ("FLOWBOOK__", "has no effect"),
    ],
)
def test_a_variable_that_names_no_setting_warns_and_changes_nothing(variable: str, words: str) -> None:
    with pytest.warns(UserWarning, match=f"^{variable}='1' has no effect") as caught:
        made = configuration_from({variable: "1"})
    assert words in str(caught[0].message)
    assert made.to_dict() == DEFAULTS


def test_unknown_settings_are_refused_with_the_nearest_one() -> None:
    made = Config(DEFAULTS)
    with pytest.raises(
        AttributeError, match=r"no setting 'flow' here\. Did you mean 'flows'\? Known: flows, home_dir, logging"
    ):
        made.flow  # noqa: B018 - looked at, not used
    with pytest.raises(UnknownArgument, match=r"unknown setting 'flow'\. Did you mean 'flows'"):
        made.flow = 1
    with pytest.raises(KeyError):
        made["flow"]


def test_a_section_takes_a_part_of_a_section_and_nothing_else() -> None:
    made = Config(DEFAULTS)
    made.tasks = {"defaults": {"max_retries": 2}}
    assert made.tasks.defaults.to_dict() == {"max_retries": 2, "retry_delay": None, "timeout": None}
    with pytest.raises(UnknownArgument, match="'tasks' is a section"):
        made.tasks = 5
    with pytest.raises(UnknownArgument, match="unknown setting 'retries'"):
        made.tasks.defaults = {"retries": 2}


def test_settings_of_the_environment_are_read_when_flowbook_is_imported() -> None:
    code = "import flowbook; print(flowbook.config.flows.eager_edge_validation)"
    environment = {**os.environ, "FLOWBOOK__FLOWS__EAGER_EDGE_VALIDATION": "true"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_settings_show_themselves() -> None:
    assert repr(Config({"a": {"b": 1}})) == "Config({'a': {'b': 1}})"
