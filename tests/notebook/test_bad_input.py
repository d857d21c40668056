"""Notebook files with something wrong: a message names cell and line, and the rest is shown and run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from flowbook import Flow
from flowbook.notebook.documents import read_document
from tests.notebook.test_documents import run_line, words, written

EXECUTORS = ["local", "threads", "processes"]
POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and signals are POSIX's")


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(tmp_path: Path, cells: list[str], executor: str = "threads") -> tuple[str, list[Any], int]:
    """Run cells on the command line; return what it says in one line, what the cells show, and the exit code."""
    out = tmp_path / "out.ipynb"
    done = run_line("run", str(written(tmp_path / "bad.ipynb", cells)), "--executor", executor, "-o", str(out))
    shown = [words(cell) for cell in nbformat.read(out, as_version=4).cells] if out.exists() else []
    return " ".join(done.output.split()), shown, done.exit_code


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("x = 1\nexit()", "line 2: RuntimeError: exit() would end the program that runs the notebook"),
        ("quit()", "line 1: RuntimeError: exit() would end the program"),
        ("exit", "RuntimeError: exit() would end the program"),
        ("import sys\nsys.exit(3)", "line 2: SystemExit: sys.exit(3) would end the program"),
        ("raise SystemExit", "line 1: SystemExit: sys.exit() would end the program"),
        ("import os\nos._exit(4)", "line 2: RuntimeError: os._exit(4) would end the program"),
        ("import os\n\nos.abort()", "line 3: RuntimeError: os.abort() would end the program"),
        ("x = input('who? ')", "line 1: RuntimeError: input('who? ') asks a person, and nobody is there"),
        ("import getpass\ngetpass.getpass()", "line 2: RuntimeError: getpass('') asks a person"),
        ("import builtins\nbuiltins.input('x')", "line 2: RuntimeError: input('x') asks a person"),
        ("a = 1\nb = (", "line 2: CellSyntaxError: line 2 of the cell: '(' was never closed"),
        ("import os\nos.chdir('nowhere')", "line 2: FileNotFoundError"),
    ],
)
def test_a_cell_that_cannot_be_run_is_named_with_its_line_and_the_rest_runs(
    tmp_path: Path, cell: str, said: str, executor: str
) -> None:
    told, shown, code = run(tmp_path, ["print('before')", cell, "print('beside')"], executor)
    assert code == 1
    bare = re.sub(r"✗ cell 2(?: \([^)]*\))?[:,] ", "✗ cell 2, ", told)
    assert f"✗ cell 2, {said}" in bare or f"✗ cell 2, line 1: {said}" in bare
    assert [shown[0], shown[2]] == [[("stdout", "before\n")], [("stdout", "beside\n")]]
    assert shown[1][-1][0] == "error"


def test_what_a_cell_reads_from_the_terminal_is_nothing(tmp_path: Path) -> None:
    _, shown, code = run(tmp_path, ["import sys", "sys.stdin.readline(), sys.stdin.read(), [*sys.stdin]"])
    assert code == 0
    assert shown[1] == [("execute_result", "('', '', [])")]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_names_that_cells_delete_from_each_other_are_told_of(tmp_path: Path, executor: str) -> None:
    cells = ["x = 1", "y = 2", "del x", "print(x)", "print(late)", "late = 1", "print(y)"]
    told, shown, code = run(tmp_path, cells, executor)
    assert code == 1
    assert "cell 4 (print x), line 1: NameError: name 'x' is not defined: cell 3 deletes it" in told
    late = "NameError: name 'late' is not defined: cell 6, further down, is the first to make it"
    assert f"cell 5 (print late), line 1: {late}" in told
    assert shown[6] == [("stdout", "2\n")]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_threads_and_servers_that_a_cell_leaves_behind_are_told_of_and_the_program_ends(
    tmp_path: Path, executor: str
) -> None:
    serve = "server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)"
    cells = [
        "import http.server, threading, urllib.request",
        f"{serve}\nthread = threading.Thread(target=server.serve_forever, name='serving')\nthread.start()",
        "urllib.request.urlopen(f'http://127.0.0.1:{server.server_port}').status",
        "1 + 1",
    ]
    command = [sys.executable, "-m", "flowbook", "run", str(written(tmp_path / "serves.ipynb", cells))]
    out = tmp_path / "out.ipynb"
    done = subprocess.run(
        [*command, "--executor", executor, "-o", str(out)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cell 2 has left running: serving" in done.stderr
    assert words(nbformat.read(out, as_version=4).cells[2]) == [("execute_result", "200")]


@POSIX
def test_a_process_that_a_cell_forks_may_end_and_print(tmp_path: Path) -> None:
    child = "if not pid:\n    print('from the child')\n    os._exit(3)"
    cell = f"import os\npid = os.fork()\n{child}\nos.waitpid(pid, 0)[1] >> 8"
    _, shown, code = run(tmp_path, [cell])
    assert code == 0
    assert shown[0] == [("execute_result", "3")]


def test_a_cell_that_closes_the_streams_harms_nobody(tmp_path: Path) -> None:
    told, shown, code = run(tmp_path, ["import sys\nsys.stdout.close()\nsys.stderr.close()", "print('still there')"])
    assert code == 0
    assert "Success" in told
    assert shown[1] == [("stdout", "still there\n")]


@POSIX
def test_a_cell_that_never_ends_is_left_at_an_interrupt(tmp_path: Path) -> None:
    path = written(tmp_path / "forever.ipynb", ["import time", "time.sleep(600)", "# beside\nprint('beside')"])
    process = subprocess.Popen(
        [sys.executable, "-m", "flowbook", "run", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.rstrip().endswith("Success        beside"):
            break
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Cancelled" in said


@pytest.mark.timeout(60)
def test_fifty_megabytes_of_output_in_the_file_are_no_burden(tmp_path: Path) -> None:
    path = written(tmp_path / "big.ipynb", ["print(1)", "1 + 1"])
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 50_000_000}]
    path.write_text(json.dumps(notebook), "utf-8")
    begun = time.monotonic()
    flow = Flow.from_notebook(path)
    assert flow.run(show=False).is_successful()
    assert words(flow.executed().cells[0]) == [("stdout", "1\n")]
    assert time.monotonic() - begun < 5


@pytest.mark.timeout(60)
def test_fifty_megabytes_that_a_cell_prints_are_kept(tmp_path: Path) -> None:
    _, shown, code = run(tmp_path, ["print('x' * 50_000_000)", "print('rest')"], "processes")
    assert code == 0
    assert len(shown[0][0][1]) == 50_000_001
    assert shown[1] == [("stdout", "rest\n")]


@pytest.mark.parametrize("language", ["julia", "R", "scala"])
def test_kernels_of_other_languages_are_refused(tmp_path: Path, language: str) -> None:
    path = written(tmp_path / "other.ipynb", ["x <- 1"])
    notebook = json.loads(path.read_text("utf-8"))
    notebook["metadata"] = {"kernelspec": {"name": "other", "display_name": "x", "language": language}}
    path.write_text(json.dumps(notebook), "utf-8")
    for verb in ("run", "explain"):
        done = run_line(verb, str(path))
        assert done.exit_code == 2
        assert f"is a notebook of '{language}'; only Python notebooks can be run" in " ".join(done.output.split())


def test_ids_that_are_missing_or_there_twice_are_given(tmp_path: Path) -> None:
    path = written(tmp_path / "ids.ipynb", ["a = 1", "b = a", "c = b", "c"])
    notebook = json.loads(path.read_text("utf-8"))
    for cell, cell_id in zip(notebook["cells"], [None, "cell-2", "same", "same"], strict=True):
        cell["id"] = cell_id
    del notebook["cells"][0]["id"]
    notebook["cells"][1]["id"] = "cell-0"
    path.write_text(json.dumps(notebook), "utf-8")
    ids = [cell.id for cell in read_document(path).cells]
    assert len(set(ids)) == 4
    assert ids[1:3] == ["cell-0", "same"]
    assert ids == [cell.id for cell in read_document(path).cells]  # the same at each reading
    assert run_line("run", str(path)).exit_code == 0


def test_a_file_without_cells_that_run_is_refused(tmp_path: Path) -> None:
    done = run_line("run", str(written(tmp_path / "none.ipynb", ["", "  \n"])))
    assert done.exit_code == 2
    assert "has no code cells, so there is nothing to run" in " ".join(done.output.split())
