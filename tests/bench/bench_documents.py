"""What `flowbook run` costs beside nbclient: `python -m tests.bench.bench_documents`, or `pytest -m bench`.

Whole processes are timed, from the command to the written notebook, since that is what a person waits for. The floor is
a Python that loads IPython, runs the same cells in its shell one after another, and writes nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import pytest

CELLS = 30
ROUNDS = 3


def _notebook(path: Path) -> Path:
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": f"x{n} = {n}\nprint(x{n})",
        }
        for n in range(CELLS)
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}), "utf-8")
    return path


def _seconds(*command: str) -> float:
    begun = perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return perf_counter() - begun


_FLOOR = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1]))["cells"]:
    shell.run_cell(cell["source"]).raise_error()
"""


def measure(folder: Path) -> tuple[float, float, float]:
    """Return the best times of flowbook, of nbclient, and of the floor, in seconds, taken in turns."""
    path, out = str(_notebook(folder / "trivial.ipynb")), str(folder / "out.ipynb")
    ours, theirs, floor = [], [], []
    for _ in range(ROUNDS):
        ours.append(_seconds("-m", "flowbook", "run", path, "-o", out))
        theirs.append(_seconds("-m", "jupyter", "execute", path, f"--output={out}"))
        floor.append(_seconds("-c", _FLOOR, path))
    return min(ours), min(theirs), min(floor)


def rows() -> list[tuple[str, float, float, bool]]:
    """Return the figures for the table of all benches."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs, floor = measure(Path(folder))
    label = f"flowbook run beside nbclient, {CELLS} trivial cells (floor {floor / theirs:.2f})"
    return [(label, ours / theirs, 0.5, ours < theirs / 2)]


@pytest.mark.bench
@pytest.mark.timeout(120)
def test_running_a_notebook_file_takes_less_than_half_of_what_nbclient_takes(tmp_path: Path) -> None:
    ours, theirs, _ = measure(tmp_path)
    assert ours < theirs / 2


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        mine, kernel, bare = measure(Path(made))
    print(
        f"{CELLS} trivial cells: flowbook run {mine:.2f} s, nbclient {kernel:.2f} s, ratio {mine / kernel:.2f}; "
        f"floor {bare:.2f} s, {bare / kernel:.2f}"
    )
