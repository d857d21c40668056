"""Live progress of `flowbook run`: tasks done of all, what runs, what failed and why; on a terminal and in a pipe."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from flowbook.cli import _most_telling
from flowbook.view.protocol import NodeLook
from tests.notebook.test_documents import written


def command(path: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "flowbook", "run", str(path), *more]


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_in_a_pipe_each_change_is_a_line_with_how_many_are_done_and_why_one_failed(tmp_path: Path) -> None:
    path = written(tmp_path / "piped.ipynb", ["a = 1", "# divide\n1 / 0", "print(a)"])
    done = subprocess.run(command(path, "--executor", "local"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [re.sub(r"^\d\d:\d\d:\d\d +", "", line) for line in done.stdout.splitlines()]
    assert lines[0] == "0/3  Running        a"
    assert "1/3  Success        a" in lines
    assert any(re.match(r"\d/3  Failed         divide: .*ZeroDivisionError", line) for line in lines), lines
    assert any("3 of 3" in line and "1 failed" in line for line in lines)
    assert "\x1b[" not in done.stdout  # nothing for a terminal to obey
    assert "✗ cell 2 (divide), line 2: ZeroDivisionError: division by zero" in done.stderr
    well = subprocess.run(command(path, "--to", "3"), capture_output=True, text=True, check=False)
    assert well.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of this kind are POSIX's")
def test_on_a_terminal_what_runs_is_seen_though_there_is_no_room_for_all(tmp_path: Path) -> None:
    import fcntl
    import pty
    import termios

    cells = [*(f"x{n} = {n}" for n in range(40)), "1 / 0", "import time\ntime.sleep(1.2)"]
    path = written(tmp_path / "terminal.ipynb", cells)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(command(path), stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            said += data
        os.close(ours)
    assert process.returncode == 1
    assert b"\x1b[" in said
    frames = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode()).split("terminal · Running")
    middle = frames[len(frames) // 2]
    assert "▶  time.sleep" in middle
    assert re.search(r"✗ +cell 41 +Failed · ZeroDivisionError", middle)
    assert re.search(r"and \d+ more", middle)
    assert "41 of 42" in middle
    assert "42 of 42" in frames[-1]


def test_trouble_and_what_runs_are_shown_first_and_in_order() -> None:
    states = ["Success", "Pending", "Failed", "Success", "Running", "Pending", "Success"]
    looks = [NodeLook(place, state, ended=float(place)) for place, state in enumerate(states)]
    assert _most_telling(looks, None) == list(range(7))
    assert _most_telling(looks, 7) == list(range(7))
    assert _most_telling(looks, 4) == [2, 4, 6]
    assert _most_telling(looks, 1) == [2]
