"""The runs of a schedule share one picture in their cell; while a run waits it counts down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from flowbook.view.protocol import MIME, decode_bundle

BUILD = """
import datetime as dt
from flowbook import Flow, task
from flowbook.schedules import Schedule, IntervalSchedule
from flowbook.schedules.clocks import DatesClock

def soon(*seconds):
    now = dt.datetime.now(dt.timezone.utc)
    return Schedule([DatesClock([now + dt.timedelta(seconds=after) for after in seconds])])

with Flow("scheduled") as flow:
    task(lambda: 1, name="one")()
"""


def outputs_of(tmp_path: Path, *cells: str) -> list[list[Any]]:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (BUILD, *cells)])
    NotebookClient(made, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    return [
        [decode_bundle(output.data[MIME]) for output in cell.outputs if MIME in output.get("data", {})]
        for cell in made.cells[1:]
    ]


def test_one_picture_serves_all_runs_and_ends_with_the_last_of_them(tmp_path: Path) -> None:
    (ran,) = outputs_of(tmp_path, "flow.schedule = soon(0.4, 0.8)\nstate = flow.run()")
    assert [(bundle.live, bundle.snapshot.flow.state) for bundle in ran] == [(False, "Success")]


def test_hundreds_of_runs_in_virtual_time_end_in_one_picture_of_the_last(tmp_path: Path) -> None:
    day = "dt.timedelta(days=1)"
    (ran, told) = outputs_of(
        tmp_path,
        f"start = dt.datetime(2035, 1, 1)\nflow.schedule = IntervalSchedule(start, {day}, start + 299 * {day})\n"
        "state = flow.run(clock='fast')",
        "flow.last_run",
    )
    assert [(bundle.live, bundle.snapshot.flow.state) for bundle in ran] == [(False, "Success")]
    assert ran[0].run == told[0].run


def test_a_picture_of_a_run_that_waits_tells_until_when(tmp_path: Path) -> None:
    waiting, ended = outputs_of(
        tmp_path,
        "flow.schedule = soon(3000)\nruns = flow.start()\n"
        "import re; assert re.search('Scheduled, 0 of 1, in (49|50) min', flow.to_html()), runs\n"
        "assert re.search('Scheduled · 0 of 1 · in (49|50) min', flow.to_text()), flow.to_text()\n"
        "runs.cancel(); runs.wait(5); runs",
        "runs.current",
    )
    assert [(bundle.live, bundle.snapshot.flow.state) for bundle in waiting] == [(False, "Cancelled")]
    assert ended[0].snapshot.flow.due is None


def test_the_handle_shows_its_present_run_once(tmp_path: Path) -> None:
    (told,) = outputs_of(tmp_path, "flow.schedule = soon(3600)\nruns = flow.start(); runs.cancel(); runs.wait(5)\nruns")
    assert len(told) == 1
