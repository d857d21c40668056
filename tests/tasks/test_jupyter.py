"""Notebooks as tasks, executed by papermill and by nbclient: both do the same."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from flowbook import Flow, Parameter, signals
from flowbook.tasks import jupyter
from flowbook.tasks.jupyter import ExecuteNotebook


@pytest.fixture(params=["papermill", "nbclient"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Execute by papermill, or as if it were not installed."""
    find = importlib.util.find_spec
    if request.param == "nbclient":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "papermill" else find(name))
    return str(request.param)


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., Path]:
    """Write a notebook of code cells; one whose text begins with "# defaults" gets the tag."""

    def write(*cells: str, language: str = "python") -> Path:
        made = nbformat.v4.new_notebook()
        made.metadata["kernelspec"] = {"name": "python3", "language": language, "display_name": "Python 3"}
        for text in cells:
            tags = ["parameters"] if text.startswith("# defaults") else []
            made.cells.append(nbformat.v4.new_code_cell(text, metadata={"tags": tags}))
        path = tmp_path / "made.ipynb"
        nbformat.write(made, path)
        return path

    return write


def printed(text: str) -> str:
    """Return what all cells of an executed notebook printed."""
    return "".join(
        "".join(output.get("text", "")) for cell in json.loads(text)["cells"] for output in cell.get("outputs", [])
    )


VALUES: dict[str, Any] = {"n": 3, "text": 'a "b"\n', "items": [1, None, {"k": (True, 2.5)}]}


def test_a_flow_sets_the_parameters_of_a_notebook(by: str, notebook: Callable[..., Path]) -> None:
    path = notebook("# defaults\nn = 1\nunset = 'kept'", "print(n, unset)")
    before = path.read_text()
    with Flow("report") as flow:
        done = ExecuteNotebook(path)(parameters={"n": Parameter("n")})
    state = flow.run(show=False, n=42)
    assert printed(state.result[done].result) == "42 kept\n"
    assert path.read_text() == before


def test_values_of_all_kinds_arrive(by: str, notebook: Callable[..., Path]) -> None:
    path = notebook("import json; print(json.dumps([n, text, items]))")
    text = ExecuteNotebook(path, parameters=VALUES).run()
    assert json.loads(printed(text)) == [3, 'a "b"\n', [1, None, {"k": [True, 2.5]}]]


def test_a_failing_cell_fails_the_task_and_is_named(by: str, notebook: Callable[..., Path]) -> None:
    path = notebook("x = 0", "1 / x", "print('never')")
    with pytest.raises(signals.FAIL, match=r"cell 2 of .*made.ipynb failed: ZeroDivisionError: division by zero"):
        ExecuteNotebook(path).run()


def test_a_notebook_can_become_a_page(notebook: Callable[..., Path]) -> None:
    path = notebook("print('hello from inside')")
    html = ExecuteNotebook(path, output_format="html", exporter_kwargs={"exclude_input": True}).run()
    assert "hello from inside" in html
    assert "print" not in html[html.index("<body") :]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "[]"),
        ([1, [None]], "[1, [None]]"),
        ({"a": {"b": True}}, "{'a': {'b': True}}"),
        ({"a": float("inf")}, "{'a': float('inf')}"),
        ("\"'", "'\"\\''"),
    ],
)
def test_values_are_written_as_python_reads_them(value: object, text: str) -> None:
    assert jupyter._literal(value) == text
    assert eval(text) == value


@pytest.mark.parametrize("value", [[object()], {1: "x"}, b"x", {"deep": [1j]}], ids=repr)
def test_a_value_that_cannot_be_written_is_refused(value: object, by: str, notebook: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match=r"parameter 'rows' is .*hand other values over in a file"):
        ExecuteNotebook(notebook("1"), parameters={"rows": value}).run()


@pytest.mark.parametrize("name", ["two words", "class", "x = 1; y"])
def test_a_parameter_that_is_no_name_is_refused(name: str, notebook: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="not a name that a cell could set"):
        ExecuteNotebook(notebook("1"), parameters={name: 1}).run()


def test_without_papermill_only_python_takes_parameters(
    notebook: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="written in R; setting its parameters takes papermill"):
        ExecuteNotebook(notebook("1", language="R"), parameters={"x": 1}).run()


def test_a_missing_path_and_an_unknown_format_are_named(notebook: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="has no path"):
        ExecuteNotebook().run()
    with pytest.raises(ValueError, match=r"output_format='htlm' is not known. Did you mean 'html'\?"):
        ExecuteNotebook(notebook("1"), output_format="htlm").run()
