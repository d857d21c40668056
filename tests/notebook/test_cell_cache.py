"""Cells of notebook files are taken from the cache while code and inputs are unchanged, and it is said why not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from flowbook import Flow
from flowbook.notebook.kept import cache_folder
from tests.notebook.test_documents import run_line, words, written

CELLS = [
    "import time\n\ndef slow(x):\n    open('calls.txt', 'a').close()\n    return [x, x + 1]",
    "base = int('1')",
    "rows = [n * 10 for n in (base, 2)]\nprint('made', rows)",
    "same = rows if rows else None\nsame",
    "rows.append(5)",
    "same is rows, len(rows)",
    "stamp = time.time() > 0",
    "from pathlib import Path",
    "Path('data.txt').read_text()",
]


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(path: Path, *more: str) -> tuple[str, list[Any]]:
    out = path.with_name("out.ipynb")
    done = run_line("run", str(path), "--cache", "-o", str(out), *more)
    assert done.exit_code == 0, done.output
    return done.output, [words(cell) for cell in nbformat.read(out, as_version=4).cells]


def test_a_second_run_takes_what_is_unchanged_and_says_why_it_runs_the_rest(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("one")
    path = written(tmp_path / "cached.ipynb", CELLS)
    first, shown = run(path)
    assert "Taken from the cache, cells: none" in first
    assert "its code or something that it reads is new" in first
    (tmp_path / "data.txt").write_text("two")
    second, again = run(path)
    assert "Taken from the cache, cells: 2, 3, 4, 6" in second
    for said in (
        "Run, cell 5: changes rows in place",
        "Run, cell 7: may ask what time it is",
        "Run, cell 9: reads files, which may have changed",
        "imports or defines what others use",
    ):
        assert said in second
    assert shown[:8] == again[:8]
    assert again[5] == [("execute_result", "(True, 3)")]
    assert again[8] == [("execute_result", "'two'")]


def test_a_changed_cell_runs_again_and_only_those_that_read_something_else(tmp_path: Path) -> None:
    path = written(tmp_path / "cached.ipynb", ["a = int('1')", "b = a > 0", "c = not b", "print(a)"])
    run(path)
    written(path, ["a = int('2')", "b = a > 0", "c = not b", "print(a)"])
    said, shown = run(path)
    assert "Taken from the cache, cells: 3" in said  # b is what it was
    assert "Run, cells 1, 2, 4: its code or something that it reads is new" in said
    assert shown[3] == [("stdout", "2\n")]


def test_a_changed_function_is_a_change_of_the_cells_that_call_it(tmp_path: Path) -> None:
    path = written(tmp_path / "cached.ipynb", ["def f(x):\n    return x", "a = f(1)", "b = int('3')"])
    run(path)
    written(path, ["def f(x):\n    return x + 1", "a = f(1)", "b = int('3')"])
    said, _ = run(path)
    assert "Taken from the cache, cells: 3" in said


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes and owners of files are POSIX's")
def test_a_cell_that_others_could_have_written_is_not_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "cached.ipynb", ["a = int('1')"])
    run(path)
    (kept,) = (cache_folder() / "cells").glob("*/*.cell")
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.chmod(0o622)
    said, _ = run(path)
    assert "Taken from the cache, cells: none" in said


@pytest.mark.parametrize("executor", ["local", "threads", "processes"])
def test_the_story_says_that_a_cell_was_taken(tmp_path: Path, executor: str) -> None:
    path = written(tmp_path / "cached.ipynb", ["a = int('1')", "b = a + 1"])
    flow = Flow.from_notebook(path)
    flow.keeps_cells = True
    assert flow.run(show=False, executor=executor).is_successful()
    state = flow.run(show=False, executor=executor)
    assert flow.last_run is not None
    for task in flow.sorted_tasks():
        assert type(state.result[task]).__name__ == "Cached"
        assert "taken from the cache" in flow.last_run.story(task).why
    assert flow.last_document_run is not None
    assert flow.last_document_run.names["b"] == 2


def test_without_being_asked_nothing_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "cached.ipynb", ["a = int('1')"])
    assert run_line("run", str(path)).exit_code == 0
    assert not (cache_folder() / "cells").exists()
