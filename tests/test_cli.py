"""The command line: the demo without a browser, and what it says when something is missing."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from flowbook.cli import flow_of_notebook, main, tutorial


def test_the_demo_runs_in_a_terminal_and_leaves_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "flights.html"
    result = CliRunner().invoke(main, ["demo", "--headless", "--month", "1", "--output", str(picture)])
    assert result.exit_code == 0, result.output
    assert "Retrying" in result.output
    assert "13 of 13" in result.output
    assert str(picture) in result.output.replace("\n", "")
    page = picture.read_text("utf-8")
    assert "data:image/svg+xml;base64," in page
    assert "https://" not in page


def test_the_demos_flow_is_the_tutorials() -> None:
    flow = flow_of_notebook(tutorial())
    assert flow.name == "flights"
    assert {parameter.name for parameter in flow.parameters()} == {"month"}


def test_help_names_the_headless_way() -> None:
    assert "--headless" in CliRunner().invoke(main, ["demo", "--help"]).output


def test_each_example_of_the_help_of_convert_stands_on_a_line_of_its_own() -> None:
    lines = CliRunner().invoke(main, ["convert", "--help"]).output.splitlines()
    assert "  flowbook convert report.ipynb report.py" in lines
    assert "  flowbook convert report.py report.ipynb" in lines


def test_a_wrong_month_is_refused_with_the_rule() -> None:
    result = CliRunner().invoke(main, ["demo", "--headless", "--month", "13"])
    assert result.exit_code == 2
    assert "1<=x<=12" in result.output
