"""Cells that a person runs, and what a page is told of a flow before it has run."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flowbook.errors import FlowError
from flowbook.notebook.hub import hub
from tests.notebook.test_desk import Page, of, page, shell, states

__all__ = ["page", "shell"]


def test_all_cells_run_by_hand_in_their_order_leave_nothing_to_run(page: Page, shell: InteractiveShell) -> None:
    cells = [
        "import random",
        "x = []",
        "x.append(1)",
        "random.seed(3)",
        "a = random.random()",
        "b = random.random()",
        "eval('1 + 1')",
        "y = len(x)",
    ]
    page.show(*cells)

    def run_all(*order: int) -> None:
        for place in order:
            result = shell.run_cell(cells[place], store_history=True, cell_id=chr(97 + place))
            result.raise_error()

    def left() -> dict[str, str]:
        return {cell.cell: cell.again for cell in page.look().cells if cell.again}

    for _ in range(2):
        run_all(*range(8))
        assert left() == {}
    page.order()
    assert left() == {}
    run_all(*range(8))
    assert left() == {}
    run_all(2)  # x has a second 1 in it now
    assert {"b", "c", "h"} <= left().keys()
    run_all(*range(8))
    assert left() == {}
    run_all(5)  # another random number than after the one of the cell before
    assert {"e", "f"} <= left().keys()


def test_a_cell_that_failed_by_hand_after_a_run_is_shown_so_and_not_as_it_was_in_the_run(
    page: Page, shell: InteractiveShell
) -> None:
    cells = ["x = 1", "y = 2 / x"]
    page.show(*cells)
    assert page.order().bundle is None
    shell.user_ns["x"] = 0
    shell.run_cell(cells[1], store_history=True, cell_id="b")
    look = page.look()
    assert of(look, "b").state == "Failed"
    assert of(look, "b").message == "Run by hand: ZeroDivisionError: division by zero"
    assert look.bundle is not None, "the picture of the run shows something else"
    assert [node.state for node in look.bundle.snapshot.nodes] == ["Success", "Failed"]
    shell.user_ns["x"] = 1
    shell.run_cell(cells[1], store_history=True, cell_id="b")
    assert page.look().bundle is None


def test_task_cells_that_are_asked_for_where_there_are_none_are_told_to_be_missing(page: Page) -> None:
    hub.viewings.clear()  # of other tests
    cells = ["x = 1", "y = x + 1"]
    page.show(*cells)
    page.order()
    look = page.show(*cells, basis="tasks")
    assert (look.basis, look.run, {cell.role for cell in look.cells}) == ("tasks", "", {"outside"})
    with pytest.raises(FlowError, match="no cells to run"):
        page.order()
    none = page.show(*cells, basis="nothing")
    assert (none.basis, none.run) == ("nothing", ""), "a run of cells is none of functions"
    assert states(page.show(*cells)) == {"a": "Success", "b": "Success"}


def test_the_form_is_there_before_the_settings_have_run_and_nothing_is_run_for_it(
    page: Page, shell: InteractiveShell
) -> None:
    settings = '%%flow\nParameter("days", default=7)'
    look = page.show(settings, "%%task double\ntwice = 2 * days", basis="tasks")
    assert [(field.name, field.kind, field.value) for field in look.fields] == [("days", "integer", "7")]
    assert "days" not in shell.user_ns
    page.order(parameters={"days": "21"})
    assert shell.user_ns["twice"] == 42


def test_settings_that_run_code_of_a_person_wait_until_the_flow_runs(page: Page, shell: InteractiveShell) -> None:
    asked: list[int] = []
    shell.user_ns["asked"] = asked
    settings = '%%flow\nParameter("days", default=asked.append(1) or 7)'
    look = page.show(settings, "%%task double\ntwice = 2 * days", basis="tasks")
    assert (look.fields, asked) == ((), [])
