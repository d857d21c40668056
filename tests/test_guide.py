"""The guide is true: its code runs and draws its pictures, its links lead somewhere, and nothing is left out."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import flowbook
from flowbook import Flow, Task, config, context, errors, signals, states, task, triggers
from flowbook.cli import main
from flowbook.configuration import configuration_from
from flowbook.engine import arguments
from flowbook.engine.flow_run import FlowRun
from flowbook.engine.scheduled import ScheduledRuns
from flowbook.notebook import magics
from flowbook.view.palette import DARK, FAMILY_WORD, LIGHT, family_of, glyph_of
from tests.conftest import Golden
from tests.guide import GUIDE, PAGES, anchors, code_of, links, parts, run_page, table

ROOT = Path(__file__).parents[1]

# What a run's handle has for the engine alone.
OF_THE_ENGINE = {
    "driven_by",
    "earlier",
    "error",
    "executor",
    "flow",
    "on_change",
    "resumed_by",
    "runner",
    "settle",
    "taken_up",
    "turns",
}
# What a flow has for its builders, and for those who write its messages.
OF_THE_BUILDERS = {"checks_types", "connect", "missing_parameters", "node", "nodes", "unknown_parameters"}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Any]:
    """Make an IPython shell that leaves nothing behind."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.ipython_dir = str(tmp_path / "ipython")
    made = InteractiveShell.instance(config=settings, colors="NoColor")
    yield made
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_from_top_to_bottom_and_its_pictures_are_drawn_by_it(
    page: Path, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    has_cells = any(part.kind == "ipython" for part in parts(page))
    run_page(page, golden, request.getfixturevalue("shell") if has_cells else None)


def test_every_picture_is_drawn_by_a_page() -> None:
    drawn = {part.file for page in PAGES for part in parts(page) if part.file}
    # photographs of JupyterLab (PNG) are not drawn by a page, but shown by one
    assert drawn == {f"pictures/{path.name}" for path in (GUIDE / "pictures").glob("*.svg")}
    for path in (GUIDE / "pictures").glob("*.png"):
        assert any(f"](pictures/{path.name})" in page.read_text("utf-8") for page in PAGES), path


def test_every_block_says_what_it_is() -> None:
    known = {"python", "pycon", "ipython", "text", "bash", "mermaid"}
    fences = {
        fence
        for page in PAGES
        for fence in re.findall(r"^```(\w*)$(?:.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    }
    assert fences <= known


# ---------------------------------------------------------------- links


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{path}#{anchor}")
    assert lost == []


def test_every_page_is_on_the_map() -> None:
    listed = {path for path, _ in links(GUIDE / "index.md")}
    assert {page.name for page in PAGES} - {"index.md"} <= listed


def test_the_readme_leads_to_the_guide() -> None:
    assert "notebooks/guide/index.md" in {path for path, _ in links(ROOT / "README.md")}


# ---------------------------------------------------------------- nothing is left out


def context_keys() -> set[str]:
    """Return all that a body can ask for, in a run that has all there is."""

    @task
    def ask() -> set[str]:
        if "task_loop_result" not in context:
            raise signals.LOOP(result=1)
        return set(context.keys())

    with Flow("keys") as flow:
        asked = ask()
    keys: set[str] = flow.run(show=False).result[asked].result
    return keys


def settings(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Return the path of each setting."""
    for name, value in values.items():
        yield from settings(value, (*above, name)) if isinstance(value, dict) else [(*above, name)]


def event_kinds() -> set[str]:
    """Return the kinds of events, and what people can ask for."""
    engine = "".join(path.read_text("utf-8") for path in (ROOT / "flowbook").rglob("*.py"))
    requests = set(re.findall(r'self\._note\(at, "(\w+)"\)', engine))
    assert {"pause", "cancel"} <= requests
    return {"state", *re.findall(r'Note\("(\w+)"', engine), *requests}


def command_line(command: click.Command) -> Iterator[str]:
    """Return the names of all commands below one, and their options."""
    for option in command.params:
        yield from option.opts
    for name, below in getattr(command, "commands", {}).items():
        yield name
        yield from command_line(below)


def magic_words(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Return the options and verbs of a magic."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for verb, below in action.choices.items():
                yield verb
                yield from magic_words(below)


def members(kind: type) -> set[str]:
    """Return the public names of a class and of what it derives from."""
    return {
        name
        for above in kind.__mro__
        if above is not object
        for name in (*vars(above), *vars(above).get("__annotations__", ()))
        if not name.startswith("_")
    }


def variable_of(path: tuple[str, ...]) -> str:
    return "FLOWBOOK__" + "__".join(path).upper()


def error_classes() -> set[str]:
    return {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}


EVERYTHING: dict[str, Callable[[], Iterable[str]]] = {
    "public names": lambda: flowbook.__all__,
    "states": lambda: states.__all__,
    "signals": lambda: signals.__all__,
    "triggers": lambda: triggers.__all__,
    "errors": error_classes,
    "context keys": context_keys,
    "settings": lambda: [".".join(path) for path in settings(config.to_dict())],
    "environment variables": lambda: [variable_of(path) for path in settings(config.to_dict())],
    "event kinds": event_kinds,
    "commands and options": lambda: command_line(main),
    "options of %%task": lambda: ["%%task", *magic_words(magics._task_parser())],
    "options of %flowbook": lambda: ["%flowbook", *magic_words(magics._flowbook_parser())],
    "options of tasks": lambda: set(Task.__init__.__annotations__) - {"return"},
    "options of a run": lambda: arguments._OPTIONS,
    "what a flow can do": lambda: members(Flow) - OF_THE_BUILDERS,
    "what a run can do": lambda: members(FlowRun) - OF_THE_ENGINE,
    "what the runs of a schedule can do": lambda: (
        members(ScheduledRuns) - {"drive", "drive_cooperatively", "drive_elsewhere", "when_over"}
    ),
    "what a task can do": lambda: members(Task) - {"auto_generated", "run_signature"},
}


@pytest.mark.parametrize("what", EVERYTHING)
def test_everything_is_in_the_guide(what: str) -> None:
    code = "\n".join(code_of(page) for page in PAGES)
    names = set(EVERYTHING[what]())
    assert names
    left_out = [name for name in names if not re.search(rf"(?<![\w%-]){re.escape(name)}(?![\w-])", code)]
    assert sorted(left_out) == []


# ---------------------------------------------------------------- tables


def test_the_table_of_states_is_true() -> None:
    rows = table(GUIDE / "states.md", "State")
    assert {row[0] for row in rows} == set(states.__all__) - {"State"}
    for name, _, glyph, family, colour, finished, successful in rows:
        kind = getattr(states, name)
        said = ["yes" if answer else "" for answer in (kind().is_finished(), kind().is_successful())]
        assert [glyph, family, colour] == [glyph_of(name), family_of(name), kind.color], name
        assert [finished, successful] == said, name


def test_the_table_of_families_is_true() -> None:
    rows = table(GUIDE / "states.md", "Family")
    assert {row[0]: row[1:4] for row in rows} == {
        family: [FAMILY_WORD[family], tone.strong, DARK.families[family].strong]
        for family, tone in LIGHT.families.items()
    }


def test_the_table_of_settings_is_true() -> None:
    rows = table(GUIDE / "settings.md", "Setting")
    paths = {".".join(path): path for path in settings(config.to_dict())}
    assert [row[0] for row in rows] == list(paths)
    for name, variable, default, _ in rows:
        made = configuration_from({})
        given: Any = configuration_from({variable: "7"})
        for step in paths[name]:
            made, given = made[step], given[step]
        assert (str(made), given) == (default, 7), name


def test_the_table_of_moved_names_is_true() -> None:
    """Each import of the table works, under the reference API's path and under our own."""
    rows = table(GUIDE / "coming-from-prefect.md", "Prefect 1")
    assert len(rows) > 10
    for line in [cell for _, *ours in rows for cell in ours if cell.startswith("from")]:
        exec(line, {})
