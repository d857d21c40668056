"""The magics in an IPython: what a person types, and what is said below the cell."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from flowbook.notebook.book import notebook


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Any]:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.ipython_dir = str(tmp_path / "ipython")
    made = InteractiveShell.instance(config=config, colors="NoColor")
    made.run_line_magic("load_ext", "flowbook")
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture
def say(shell: Any, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    def run(cell: str) -> str:
        capsys.readouterr()
        shell.run_cell(cell)
        told = capsys.readouterr()
        return told.out + told.err

    return run


Say = Callable[[str], str]


def test_a_misspelt_option_names_the_nearest_one(say: Say) -> None:
    assert "%%task has no option --retires. Did you mean '--retries'?" in say("%%task a --retires 3\nx = 1")
    assert "%flowbook run has no option --form-failed. Did you mean '--from-failed'?" in say(
        "%flowbook run --form-failed"
    )
    assert "%flowbook cannot exprot. Did you mean 'export'?" in say("%flowbook exprot flow.py")


def test_a_cell_shows_its_own_outputs_and_not_those_of_what_ran_before_it(say: Say) -> None:
    say("%%task load --define\nprint('loading')\nrows = [2, 1]")
    told = say("%%task clean\nprint('cleaning')\nkept = sorted(rows)\nkept")
    assert told.startswith("cleaning\n")
    assert "[1, 2]" in told
    assert "loading" not in told
    assert "    loading" in say("%flowbook explain load")


def test_rich_displays_are_kept_with_the_task(say: Say, shell: Any) -> None:
    say("%%task load --define\nfrom IPython.display import HTML, display\ndisplay(HTML('<b>hi</b>'))\nrows = 1")
    say("%flowbook run")
    (item,) = notebook(shell.user_ns).shelf.outputs["load"].saved()
    assert item["data"]["text/html"] == "<b>hi</b>"


def test_a_kept_cell_shows_again_what_it_showed(say: Say) -> None:
    cell = "%%task load --cache 1h\nprint('loading')\nrows = [2, 1]\nrows"
    say(cell)
    told = say(cell)
    assert told.startswith("loading\n")
    assert told.endswith("load: Cached. Kept: code and inputs are unchanged.\n")


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_traceback_begins_in_the_cell_and_has_none_of_our_frames(say: Say, shell: Any, executor: str) -> None:
    say(f"%%flow\nexecutor = '{executor}'")
    told = say("%%task clean --timeout 5s\nx = 1\ny = x / 0")
    error = notebook(shell.user_ns).ended("clean").state.result  # type: ignore[union-attr]
    begins = [frame.filename for frame in traceback.extract_tb(error.__traceback__) if "<task" in frame.filename]
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "engine" in frame.filename]
    assert (len(begins), ours) == (1, [])
    assert "File <task clean>:2" in told
    assert "----> 2 y = x / 0" in told
    assert "flowbook/" not in told.replace("\\", "/")


def test_the_flow_of_an_edited_cell_says_what_is_out_of_date(say: Say) -> None:
    say("%%task load\nrows = [2, 1]")
    say("%%task clean\nkept = sorted(rows)")
    say("%%task load --define\nrows = [5, 4]")
    told = say("%flowbook show")
    assert "(dirty): load." in told
    assert "(stale): clean." in told
    say("%flowbook run --from-failed")
    assert say("print(kept)") == "[4, 5]\n"


def test_parameters_are_given_as_text_and_read_as_what_they_are(say: Say) -> None:
    say("%%flow etl\nParameter('days', default=2)")
    assert say("print(days)") == "2\n"
    say("%%task load --flow etl\nrows = [0] * days")
    say("%flowbook run etl -p days=3")
    assert say("print(len(rows))") == "3\n"
    assert "Did you mean 'days'" in say("%flowbook run etl -p dys=3")
    assert "write -p days=30" in say("%flowbook run etl -p 3")


def test_export_does_not_write_over_a_file_unasked(say: Say, tmp_path: Path) -> None:
    say("%%task load\nrows = [2, 1]")
    path = tmp_path / "flow.py"
    assert f"python {path}" in say(f"%flowbook export {path}")
    assert "--force" in say(f"%flowbook export {path}")
    assert "Wrote" in say(f"%flowbook export {path} --force")


def test_timeouts_are_whole_seconds(say: Say) -> None:
    assert "'500ms' is not a number of whole seconds" in say("%%task a --timeout 500ms\nx = 1")


def test_running_to_a_task_leaves_the_rest(say: Say, shell: Any) -> None:
    for name, code in (("load", "rows = [2, 1]"), ("clean", "kept = sorted(rows)"), ("other", "aside = 1")):
        say(f"%%task {name} --define\n{code}")
    say("%flowbook run --to clean")
    assert shell.user_ns["kept"] == [1, 2]
    assert "aside" not in shell.user_ns
    assert "no cell is the task 'claen'. Did you mean 'clean'" in say("%flowbook run --to claen")
