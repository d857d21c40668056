"""What the labextension declares fits together: settings, commands, the guide, and what is built for the wheel."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "js" / "schema" / "plugin.json").read_text("utf-8"))
HOST = ROOT / "js" / "src" / "host"
GUIDE = (ROOT / "notebooks" / "guide" / "panel.md").read_text("utf-8")


def declared() -> set[str]:
    """Return the ids of the commands that the extension adds."""
    return set(re.findall(r'"(flowbook:[a-z-]+)"', (HOST / "commands.ts").read_text("utf-8")))


def used(part: object) -> set[str]:
    """Return the ids of all commands that menus and tool bars name."""
    if isinstance(part, dict):
        own = {part["command"]} if isinstance(part.get("command"), str) else set()
        return own.union(*(used(inner) for inner in part.values()))
    return set().union(*(used(inner) for inner in part)) if isinstance(part, list) else set()


def test_menus_and_tool_bars_name_commands_that_there_are() -> None:
    named = used(SCHEMA["jupyter.lab.toolbars"]) | used(SCHEMA["jupyter.lab.menus"])
    assert named
    assert named <= declared()


def test_each_setting_has_a_title_a_description_and_a_default_and_is_read() -> None:
    read = (HOST / "settings.ts").read_text("utf-8")
    for name, setting in SCHEMA["properties"].items():
        assert setting["title"], name
        assert setting["description"].endswith("."), name
        assert "default" in setting, name
        assert name in read, f"{name} is a setting that nothing reads"


def test_the_guide_names_every_command_and_setting() -> None:
    labels = re.findall(r"label: (?:\(\) => .*: )?trans.__\(\"([^\"]+)\"\)", (HOST / "commands.ts").read_text("utf-8"))
    assert len(labels) == len(declared())
    titles = [setting["title"] for setting in SCHEMA["properties"].values()]
    assert [text for text in [*labels, *titles] if text not in GUIDE] == []


def test_what_is_built_has_the_settings_where_the_server_looks() -> None:
    built = ROOT / "flowbook" / "labextension"
    if not (built / "package.json").is_file():
        pytest.skip("The browser part is not built here: python js/hatch_build.py builds it.")
    manifest = json.loads((built / "package.json").read_text("utf-8"))
    assert manifest["jupyterlab"]["schemaDir"] == "schemas"
    assert json.loads((built / "schemas" / manifest["name"] / "plugin.json").read_text("utf-8")) == SCHEMA
    assert (built / manifest["jupyterlab"]["_build"]["load"]).is_file()
