"""Settings: nested, with defaults, set by the environment or by hand, and loud about names that do not exist."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from flowbook.configuration import DEFAULTS, Config, configuration_from, read_user_file
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


# -- the settings file, and variables of the reference API -----------------------------------------------------------


def in_file(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    return {"FLOWBOOK__USER_CONFIG_PATH": str(file)}


def test_a_settings_file_is_read_and_the_environment_beats_it(tmp_path: Path) -> None:
    environment = in_file(
        tmp_path, "[logging]\nlevel = 'DEBUG'\n[tasks.defaults]\nmax_retries = 3\n[notebook]\nautoshow = false\n"
    )
    made = configuration_from({**environment, "FLOWBOOK__LOGGING__LEVEL": "ERROR"}, read_user_file(environment))
    assert (made.logging.level, made.tasks.defaults.max_retries, made.notebook.autoshow) == ("ERROR", 3, False)
    assert made.tasks.defaults.timeout is None


def test_sections_of_ones_own_are_kept_and_misspelt_ones_are_warned_about(tmp_path: Path) -> None:
    given = read_user_file(in_file(tmp_path, "[mine]\nfolder = 'here'\n[mine.deep]\nx = [1, 2]\n"))
    made = configuration_from({}, given)
    assert (made.mine.folder, made.mine.deep.x) == ("here", [1, 2])
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"notebok": {"autoshow": False}}, "Did you mean 'notebook'"),
        ({"notebook": {"autosho": False}}, "Did you mean 'autoshow'"),
        ({"notebook": 3}, "is a section of settings"),
        ({"alone": 3}, "unknown setting 'alone'"),
        ({"context": {"date": 3}}, r"only \[context.secrets\] is known"),
    ]
    for wrong, words in wrongs:
        with pytest.warns(UserWarning, match=words):
            assert configuration_from({}, wrong).to_dict() == DEFAULTS


def test_settings_refer_to_each_other_and_to_the_environment() -> None:
    given = {
        "mine": {
            "level": "${logging.level}",
            "retries": "${tasks.defaults.max_retries}",
            "path": "${HOME}/flows/${mine.level}",
            "format": "${nested.a}",
        },
        "nested": {"a": "<${nested.b}>", "b": "end"},
    }
    made = configuration_from({"HOME": "/there", "FLOWBOOK__LOGGING__LEVEL": "DEBUG"}, given).mine
    assert (made.level, made.retries, made.path, made.format) == ("DEBUG", 0, "/there/flows/DEBUG", "<end>")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mine": {"a": "${mine.b}", "b": "${mine.a}"}}, "leads back to itself"),
        ({"mine": {"a": "${no.such}"}}, "no setting and no environment variable 'no.such'"),
        ({"mine": {"a": "${logging}"}}, "no setting"),
    ],
)
def test_what_refers_to_nothing_stays_as_it_is_and_is_warned_about(given: dict[str, Any], words: str) -> None:
    with pytest.warns(UserWarning, match=words):
        made = configuration_from({}, given)
    assert made.mine.a.startswith("${")


@pytest.mark.parametrize("text", ["[broken", "\x00", "a = "])
def test_a_settings_file_that_cannot_be_read_is_warned_about(tmp_path: Path, text: str) -> None:
    with pytest.warns(UserWarning, match=r"config.toml has no effect: .* Correct it"):
        assert read_user_file(in_file(tmp_path, text)) == {}


def test_a_settings_file_that_is_named_and_missing_is_warned_about(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="has no effect"):
        assert read_user_file({"FLOWBOOK__USER_CONFIG_PATH": str(tmp_path / "nowhere.toml")}) == {}


def test_variables_of_the_reference_api_are_taken_where_they_name_something_here() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = configuration_from(
            {
                "PREFECT__LOGGING__LEVEL": "DEBUG",
                "PREFECT__TASKS__DEFAULTS__MAX_RETRIES": "2",
                "FLOWBOOK__TASKS__DEFAULTS__MAX_RETRIES": "3",
                "PREFECT__CLOUD__API": "none of ours",
                "PREFECT__TASKS": "1",
                "PREFECT__CONTEXT__SECRETS__X": "kept apart",
            }
        )
    assert (made.logging.level, made.tasks.defaults.max_retries) == ("DEBUG", 3)
    assert "kept apart" not in repr(made)


def test_the_file_of_the_user_counts_when_flowbook_is_imported(tmp_path: Path) -> None:
    folder = tmp_path / ".flowbook"
    folder.mkdir()
    (folder / "config.toml").write_text(
        "[logging]\nlevel = 'DEBUG'\n[context.secrets]\nTOKEN = 'zaphod'\n[mine]\nx = '${logging.level}'\n"
    )
    code = (
        "from flowbook import config; from flowbook.client import Secret\n"
        "from flowbook.utilities.diagnostics import diagnostics\n"
        "print(config.logging.level, config.mine.x, Secret('TOKEN').get(), 'zaphod' in repr(config), diagnostics()[:1])"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["DEBUG", "DEBUG", "zaphod", "False", "{"]
