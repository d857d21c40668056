"""The desk: what a page is told of its notebook, and what it can order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flowbook import Flow, Parameter, task
from flowbook.errors import FlowError, ParameterError
from flowbook.notebook import desk as desks
from flowbook.notebook.desk import Desk
from flowbook.notebook.hub import hub
from flowbook.view.protocol import (
    AskTask,
    CellLook,
    CellOutputs,
    CellText,
    Document,
    NotebookLook,
    ProtocolError,
    TaskDetails,
    decode,
)


class Page:
    """A page that has a notebook open: says what stands in it, and hears how it stands."""

    def __init__(self, desk: Desk, name: str = "notebook.ipynb") -> None:
        self.desk = desk
        self.name = name
        self.heard: list[Any] = []
        self._came = threading.Condition()

    def send(self, message: dict[str, Any]) -> None:
        with self._came:
            self.heard.append(decode(json.loads(json.dumps(message))))
            self._came.notify_all()

    def wait(self, kind: type[Any], is_right: Any = lambda _: True) -> Any:
        def found() -> Any:
            return next((one for one in reversed(self.heard) if isinstance(one, kind) and is_right(one)), None)

        with self._came:
            assert self._came.wait_for(lambda: found() is not None, 10), [type(one).__name__ for one in self.heard]
            return found()

    def show(self, *cells: str, basis: Any = "document", tags: Any = None) -> NotebookLook:
        """Tell the cells; their ids are "a", "b", and so on."""
        texts = [CellText(chr(97 + place), source, (tags or {}).get(place, ())) for place, source in enumerate(cells)]
        self.desk.asked = Document(self.name, basis, tuple(texts))
        return self.desk.look(self.desk.asked)

    def order(self, **orders: Any) -> NotebookLook:
        """Have the flow run, and return how it stands then."""
        desks.run_orders(json.dumps({"to": "", "from_failed": False, "parameters": {}, "notebook": "", **orders}))
        return self.look()

    def look(self) -> NotebookLook:
        assert self.desk.asked is not None
        return self.desk.look(self.desk.asked)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    yield shell
    InteractiveShell.clear_instance()
    hub.desk = None


@pytest.fixture
def page(shell: InteractiveShell) -> Iterator[Page]:
    desks.open_desk()
    page = Page(desks.desk_of(shell))
    hub.link("page", page)
    yield page
    hub.unlink("page")


def states(look: NotebookLook) -> dict[str, str]:
    return {cell.cell: cell.state + "*" * cell.dirty + "~" * cell.stale for cell in look.cells}


def of(look: NotebookLook, cell: str) -> CellLook:
    return next(one for one in look.cells if one.cell == cell)


# -- any notebook ------------------------------------------------------------------------------------------------------


def test_a_plain_notebook_is_shown_as_a_flow_and_nothing_runs(page: Page, shell: InteractiveShell) -> None:
    look = page.show("x = 1", "y = x + 1", "z = y * 2")
    assert (look.basis, look.flow, look.run) == ("document", "notebook", "")
    assert [cell.node for cell in look.cells] == [0, 1, 2]
    assert [(reason.upstream, reason.downstream, reason.text) for reason in look.reasons] == [
        ("a", "b", "reads x"),
        ("b", "c", "reads y"),
    ]
    assert look.bundle is not None
    assert [card.cell for card in look.bundle.picture.nodes] == ["a", "b", "c"]
    assert "x" not in shell.user_ns


def test_it_runs_in_the_names_of_the_kernel_and_each_output_comes_to_its_cell(
    page: Page, shell: InteractiveShell
) -> None:
    page.show("x = 1\nprint('one')", "y = x + 1\ny")
    look = page.order()
    assert states(look) == {"a": "Success", "b": "Success"}
    assert (shell.user_ns["x"], shell.user_ns["y"]) == (1, 2)
    first = page.wait(CellOutputs, lambda one: one.cell == "a" and "one" in one.outputs)
    assert json.loads(first.outputs) == [{"output_type": "stream", "name": "stdout", "text": "one\n"}]
    assert "execute_result" in page.wait(CellOutputs, lambda one: one.cell == "b" and "2" in one.outputs).outputs
    assert look.bundle is None  # the picture of the run shows the same


def test_a_broken_cell_is_mended_and_the_flow_goes_on_from_there(page: Page, shell: InteractiveShell) -> None:
    runs: list[str] = []
    shell.user_ns["runs"] = runs
    cells = ["runs.append('a')\nx = 1", "y = x / 0", "z = y + 1"]
    page.show(*cells)
    assert states(page.order()) == {"a": "Success", "b": "Failed", "c": "TriggerFailed"}
    cells[1] = "y = x / 2"
    assert states(page.show(*cells)) == {"a": "Success", "b": "Failed*", "c": "TriggerFailed~"}
    assert states(page.order(from_failed=True)) == {"a": "Success", "b": "Success", "c": "Success"}
    assert runs == ["a"]
    assert shell.user_ns["z"] == 1.5


def test_a_cell_that_was_changed_makes_what_follows_stale_and_only_that_runs_again(page: Page) -> None:
    cells = ["x = 1", "y = x + 1", "w = 5"]
    page.show(*cells)
    before = page.order()
    cells[0] = "x = 10"
    look = page.show(*cells)
    assert states(look) == {"a": "Success*", "b": "Success~", "c": "Success"}
    assert look.bundle is not None
    assert [node.state for node in look.bundle.snapshot.nodes] == ["Success"] * 3
    after = page.order(from_failed=True)
    assert of(after, "c").ended == of(before, "c").ended
    assert states(after) == {"a": "Success", "b": "Success", "c": "Success"}


def test_running_to_a_cell_runs_it_and_what_it_needs_and_no_more(page: Page, shell: InteractiveShell) -> None:
    page.show("x = 1", "y = x + 1", "z = y + 1", "w = 1")
    assert states(page.order(to="b")) == {"a": "Success", "b": "Success", "c": "", "d": ""}
    assert "z" not in shell.user_ns
    begun = of(page.look(), "a").started
    assert of(page.order(to="c"), "a").started == begun


def test_a_cell_that_a_person_runs_by_hand_counts(page: Page, shell: InteractiveShell) -> None:
    page.show("x = 1", "y = x + 1")
    page.order()
    shell.run_cell("x = 1", cell_id="a")
    look = page.look()
    assert states(look) == {"a": "Success", "b": "Success~"}
    assert of(look, "a").message == "Run by hand."
    shell.run_cell("1 / 0", cell_id="a")
    assert states(page.look())["a"] == "Failed*"
    assert states(page.order(from_failed=True)) == {"a": "Success", "b": "Success"}


def test_parameters_are_a_form_and_its_values_stand_until_others_are_given(page: Page, shell: InteractiveShell) -> None:
    tags = {0: ("parameters",)}
    cells = ("days = 7\nmode = 'fast'", "y = days * 2")
    look = page.show(*cells, tags=tags)
    assert [(field.name, field.kind, field.value) for field in look.fields] == [
        ("days", "integer", "7"),
        ("mode", "text", "fast"),
    ]
    page.order(parameters={"days": "30"})
    assert shell.user_ns["y"] == 60
    page.order()
    assert shell.user_ns["y"] == 60
    assert page.look().fields[0].value == "30"


def test_a_given_value_goes_when_a_person_writes_another_default_or_runs_the_cell(
    page: Page, shell: InteractiveShell
) -> None:
    tags, rest = {0: ("parameters",)}, "y = days * 2"
    page.show("days = 7\nmode = 'fast'", rest, tags=tags)
    page.order(parameters={"days": "30", "mode": "slow"})
    page.show("days = 7\nmode =", rest, tags=tags)  # in the middle of typing
    look = page.show("days = 7\nmode = 'fast'", rest, tags=tags)
    assert [field.value for field in look.fields] == ["30", "slow"]
    look = page.show("days = 8\nmode = 'fast'", rest, tags=tags)
    assert [field.value for field in look.fields] == ["8", "slow"]
    page.order()
    assert shell.user_ns["y"] == 16
    shell.run_cell("days = 8\nmode = 'fast'", cell_id="a")
    assert [field.value for field in page.look().fields] == ["8", "fast"]


def test_what_would_go_wrong_is_told_before_anything_runs(page: Page) -> None:
    look = page.show("print(nowhere)", "x = = 1", "y = later", "later = 1", "exec('q = 1')")
    told = {problem.cell: problem for problem in look.problems}
    assert told["a"].text == "cell 1 (print nowhere) reads nowhere, which no cell above it makes."
    assert (told["b"].grave, told["b"].line) == (True, 1)
    assert told["c"].text == "cell 3 (y) reads later, which only cell 4 (later) below it makes."
    assert "keeps its place" in told["e"].text
    assert [problem.grave for problem in look.problems] == [True, True, True, False]


def test_one_broken_cell_leaves_the_others_runnable(page: Page) -> None:
    page.show("x = = 1", "y = 2")
    assert states(page.order()) == {"a": "Failed", "b": "Success"}


def test_an_empty_notebook_is_refused_in_words(page: Page) -> None:
    assert page.show("").cells == ()
    with pytest.raises(FlowError, match="no cells to run"):
        page.order()


def test_captured_cells_are_kept_and_the_kernel_s_own_magic_comes_back(page: Page, shell: InteractiveShell) -> None:
    before = shell.find_cell_magic("capture")
    page.show("%%capture kept\nprint('hidden')", "kept.stdout")
    page.order()
    assert shell.user_ns["kept"].stdout == "hidden\n"
    assert shell.find_cell_magic("capture") == before


# -- one task ----------------------------------------------------------------------------------------------------------


def test_a_task_tells_its_story_its_inputs_its_result_and_its_code(page: Page) -> None:
    page.show("x = [1, 2]", "y = sum(x)\nprint('sum', y)\nz = y / 0")
    page.order()
    assert page.desk.run is not None
    page.desk.hear(AskTask(page.desk.run.id, 1))
    hub.ring()
    told: TaskDetails = page.wait(TaskDetails)
    assert "ZeroDivisionError" in told.why
    assert [moment.state for moment in told.moments] == ["Running", "Failed"]
    assert [(item.name, item.text, item.origin) for item in told.inputs] == [("x", "2 items", "x")]
    assert told.logs == "sum 3\n"
    assert told.code.startswith("y = sum(x)")
    assert told.cause == 1


def test_what_is_not_known_is_not_answered(page: Page) -> None:
    page.show("x = 1")
    page.order()
    assert page.desk.run is not None
    for asked in (AskTask("unknown", 0), AskTask(page.desk.run.id, 99), AskTask(page.desk.run.id, -1)):
        page.desk.hear(asked)
    assert not [one for one in page.desk.news() if isinstance(one, TaskDetails)]


def test_an_object_that_cannot_be_shown_does_not_hide_the_rest(page: Page) -> None:
    page.show("class Odd:\n    def __repr__(self):\n        raise ValueError\nodd = Odd()", "odd2 = odd")
    page.order()
    assert page.desk.run is not None
    page.desk.hear(AskTask(page.desk.run.id, 0))
    (told,) = (one for one in page.desk.news() if isinstance(one, TaskDetails))
    assert "whose repr raised ValueError" in told.result


# -- task cells --------------------------------------------------------------------------------------------------------


def test_task_cells_are_in_the_picture_before_they_ran(page: Page, shell: InteractiveShell) -> None:
    look = page.show("%%task read\nx = 1", "%%task clean --retries 1\ny = x + 1", "plain = 3", basis="tasks")
    assert (look.basis, look.flow) == ("tasks", "notebook")
    assert [(cell.role, cell.name) for cell in look.cells] == [("task", "read"), ("task", "clean"), ("outside", "")]
    assert "x" not in shell.user_ns
    page.order()
    assert shell.user_ns["y"] == 2
    assert states(page.look()) == {"a": "Success", "b": "Success", "c": ""}


def test_an_edited_task_cell_is_dirty_until_it_runs_with_its_new_text(page: Page, shell: InteractiveShell) -> None:
    page.show("%%task read\nx = 1", "%%task clean\ny = x + 1", basis="tasks")
    page.order()
    assert states(page.show("%%task read\nx = 5", "%%task clean\ny = x + 1", basis="tasks")) == {
        "a": "Success*",
        "b": "Success~",
    }
    assert states(page.order()) == {"a": "Success", "b": "Success"}
    assert shell.user_ns["y"] == 6


def test_a_deleted_task_cell_is_missed_by_its_readers_and_comes_back_with_undo(page: Page) -> None:
    both = ("%%task read\nx = 1", "%%task clean\ny = x + 1")
    page.show(*both, basis="tasks")
    page.order()
    desk = page.desk
    desk.asked = Document(page.name, "tasks", (CellText("b", both[1]),))
    look = page.look()
    assert [problem.cell for problem in look.problems] == ["b"]
    assert "forgotten cell 'read'" in look.problems[0].text
    assert page.show(*both, basis="tasks").problems == ()


def test_two_cells_of_one_name_are_told_with_a_name_that_is_free(page: Page, shell: InteractiveShell) -> None:
    look = page.show("%%task clean\nx = 1", "%%task clean\ny = 2", basis="tasks")
    (problem,) = look.problems
    assert (problem.cell, problem.fixes[0].label) == ("b", "Call it clean_2")
    assert problem.fixes[0].source == "%%task clean_2\ny = 2"
    with pytest.raises(FlowError, match="already the task 'clean'"):
        page.order(to="b")
    page.order()  # the rest can run
    assert "x" in shell.user_ns
    assert "y" not in shell.user_ns
    assert page.show("%%task clean\nx = 1", problem.fixes[0].source, basis="tasks").problems == ()


def test_settings_make_a_form_and_a_value_that_cannot_be_read_is_refused(page: Page) -> None:
    page.show(
        "%%flow\nfrom flowbook import Parameter\nParameter('days', default=7)", "%%task a\ny = days", basis="tasks"
    )
    look = page.order()
    assert [(field.name, field.kind) for field in look.fields] == [("days", "integer")]
    page.order(parameters={"days": "9"})
    assert page.desk.shell.user_ns["y"] == 9
    with pytest.raises((ParameterError, FlowError), match="no parameter"):
        page.order(parameters={"weeks": "3"})


def test_a_cell_that_is_run_with_its_magic_is_watched_too(page: Page, shell: InteractiveShell) -> None:
    page.show("%%task read\nx = 1", "%%task clean\nprint('cleaning')\ny = x", basis="tasks")
    shell.kernel = SimpleNamespace(get_parent=lambda _: {"metadata": {"cellId": "b"}})  # type: ignore[attr-defined]
    shell.run_cell("%%task clean\nprint('cleaning')\ny = x", cell_id="b")
    look = page.look()
    assert look.run
    assert shell.user_ns["y"] == 1


# -- other flows, and pages that come and go ---------------------------------------------------------------------------


def test_a_notebook_without_cells_of_a_flow_shows_its_latest_run(page: Page) -> None:
    @task
    def one() -> int:
        return 1

    with Flow("functions") as flow:
        one()
    flow.run(show=page.desk.follow)
    look = page.show("from flowbook import Flow", basis="tasks")
    assert flow.last_run is not None
    assert (look.basis, look.flow, look.run) == ("nothing", "functions", flow.last_run.id)


def test_a_flow_of_functions_is_run_again_from_the_panel_and_goes_on_where_it_failed(page: Page) -> None:
    calls: list[str] = []

    @task
    def first(days: int) -> int:
        calls.append(f"first {days}")
        return days

    @task
    def second(x: int) -> int:
        calls.append("second")
        if len(calls) == 2:
            raise ValueError("once")
        return x

    with Flow("functions") as flow:
        second(first(Parameter("days", default=3)))
    flow.run(show=page.desk.follow)
    look = page.show(basis="tasks")
    assert [(field.name, field.value) for field in look.fields] == [("days", "3")]
    page.order(from_failed=True)
    assert calls == ["first 3", "second", "second"]
    page.order(parameters={"days": "5"})
    assert calls[3:] == ["first 5", "second"]
    assert flow.last_run is not None
    assert page.look().run == flow.last_run.id


def test_a_page_that_comes_back_is_told_everything_at_once(page: Page) -> None:
    page.show("x = 1")
    page.order()
    page.heard.clear()
    hub.hear(
        {
            "type": "document",
            "name": "notebook.ipynb",
            "basis": "document",
            "cells": [
                {"cell": "a", "source": "x = 1", "tags": []},
            ],
        }
    )
    begun = time.monotonic()
    look = page.wait(NotebookLook)
    assert states(look) == {"a": "Success"}
    assert time.monotonic() - begun < 1


def test_looks_are_numbered_so_that_an_older_one_is_known(page: Page) -> None:
    first, second = page.show("x = 1"), page.show("x = 2")
    assert first.seq < second.seq


def test_each_cell_is_told_as_the_task_cell_it_would_be_and_such_a_notebook_runs_to_the_same_end(
    page: Page, shell: InteractiveShell
) -> None:
    plain = ("import math", "days = 7", "# clean\nx = math.floor(days * 2.5)", "# clean\ny = x + 1\ny", "exec('q = 1')")
    look = page.show(*plain, tags={1: ("parameters",)})
    texts = [cell.converted for cell in look.cells]
    assert [text.partition("\n")[0] for text in texts] == [
        "%%task imports",
        "%%flow",
        "%%task clean",
        "%%task clean_4",
        "",
    ]
    assert texts[1] == '%%flow\nParameter("days", default=7)'
    made = page.show(*(text or source for text, source in zip(texts, plain, strict=True)), basis="tasks")
    assert [cell.role for cell in made.cells] == ["task", "settings", "task", "task", "outside"]
    page.order(parameters={})
    assert shell.user_ns["y"] == 18


@pytest.mark.parametrize("basis", ["document", "tasks"])
def test_a_page_may_ask_at_any_moment_of_a_run(page: Page, basis: Any) -> None:
    head = "%%task t{}\n" if basis == "tasks" else ""
    cells = [head.format(n) + f"x{n} = {f'x{n - 1}' if n else 0} + 1" for n in range(30)]
    page.show(*cells, basis=basis)
    troubles: list[BaseException] = []
    is_over = threading.Event()

    def ask() -> None:
        try:
            while not is_over.is_set():
                page.look()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test tells
            troubles.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    for turn in range(5):
        cells[turn] += f"  # {turn}"
        page.show(*cells, basis=basis)
        page.order(from_failed=turn % 2 == 1)
    is_over.set()
    asking.join()
    assert not troubles
    assert set(states(page.look()).values()) == {"Success"}


def test_a_misspelt_name_is_told_with_the_line_and_one_step_mends_it(page: Page) -> None:
    cells = ["planes = [1]", "x = 1\ny = len(plnaes) + x\nz = 'plnaes'"]
    (problem,) = page.show(*cells).problems
    assert problem.text == "cell 2 (z) reads plnaes, which no cell above it makes. Did you mean planes?"
    assert problem.line == 2
    assert problem.fixes[0].label == "Write planes"
    assert problem.fixes[0].source == "x = 1\ny = len(planes) + x\nz = 'plnaes'"
    assert page.show(cells[0], problem.fixes[0].source).problems == ()


def test_a_name_that_only_a_deleted_cell_made_is_missed_though_the_kernel_has_it(page: Page) -> None:
    both = (CellText("a", "x = 1"), CellText("b", "y = x"))
    page.desk.asked = Document(page.name, "document", both)
    page.order()
    page.desk.asked = Document(page.name, "document", both[1:])
    (problem,) = page.look().problems
    assert problem.text == "cell 1 (y) reads x, which is only left from code that is not in the notebook any more."


def test_a_name_is_not_missed_below_a_cell_that_may_make_any(page: Page) -> None:
    cells = ["x = nowhere", "%run helper.py", "print(GREETING)"]
    told = page.show(*cells).problems
    assert [(problem.cell, problem.grave) for problem in told] == [("a", True), ("b", False)]


def test_a_page_that_was_loaded_again_while_a_run_ended_is_told_what_its_cells_have_shown(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.show("1 + 1")
    page.order()
    again = Page(page.desk)
    hub.link("again", again)
    assert "2" in again.wait(CellOutputs).outputs
    monkeypatch.setattr(desks, "_MISSED", -1.0)  # a minute later what the file holds is what a person has saved
    later = Page(page.desk)
    hub.link("later", later)
    later.desk.touch()
    later.wait(NotebookLook)
    assert not [one for one in later.heard if isinstance(one, CellOutputs)]
    hub.unlink("again")
    hub.unlink("later")


def test_a_cell_that_was_not_run_says_in_plain_words_what_it_needs(page: Page) -> None:
    page.show("x = 1 / 0", "y = x", "z = y")
    told = {cell.cell: (cell.state, cell.message) for cell in page.order().cells}
    assert told["b"] == ("TriggerFailed", "It needs x.")
    assert told["c"] == ("TriggerFailed", "It needs y.")
    run = page.desk.run
    assert run is not None
    words = [str(run.story(task).why) for task in run.runner.plan.tasks]
    assert words[1] == "It did not run, since x failed (ZeroDivisionError: division by zero)."
    assert words[2] == "It did not run, since y did not run."
    assert run.flow.to_text().count("It needs ") == 2


TYPO = (
    "import pandas as pd\nloads = []",
    "loads.append(1)\nraw = pd.DataFrame({'a': [1, 2]})",
    "clean = raw.dropna()\nshares = clean / clean.sum()",
)


@pytest.mark.parametrize("basis", ["document", "tasks"])
@pytest.mark.parametrize(
    ("wrong", "right"), [("shares.nope()", "shares.mean()"), ("shares * undefined_name", "shares * 2")]
)
def test_a_typo_does_not_have_everything_before_it_run_again(
    page: Page, shell: InteractiveShell, basis: Any, wrong: str, right: str
) -> None:
    def cells(last: str) -> list[str]:
        found = [*TYPO, f"{last}\nraw['b'] = 3"]
        return [f"%%task t{at}\n{cell}" for at, cell in enumerate(found)] if basis == "tasks" else found

    page.show(*cells(wrong), basis=basis)
    look = page.order()
    assert [cell.cell for cell in look.cells if cell.again] == ["d"]
    page.show(*cells(right), basis=basis)
    look = page.order(from_failed=True)
    assert [cell.state for cell in look.cells] == ["Success"] * 4
    assert shell.user_ns["loads"] == [1]


def test_what_a_cell_changed_before_its_typo_is_made_anew(page: Page, shell: InteractiveShell) -> None:
    page.show("x = []", "x.append(1)\nx.nope()")
    assert next(cell.again for cell in page.order().cells).endswith("ran since may have changed it")
    page.show("x = []", "x.append(1)")
    page.order(from_failed=True)
    assert shell.user_ns["x"] == [1]


def test_an_order_up_to_a_cell_is_not_for_another_one_that_is_called_as_its_id(
    page: Page, shell: InteractiveShell
) -> None:
    page.show("%%task b\nx = 1", "%%task a\ny = 2", basis="tasks")  # their ids are "a" and "b"
    page.order(to="a")
    assert "x" in shell.user_ns
    assert "y" not in shell.user_ns


def test_a_required_parameter_is_asked_for_once_and_others_may_be_changed_after_it(page: Page) -> None:
    settings = "%%flow\nParameter('days', required=True)\nParameter('unit', default='h')"
    page.show(settings, "%%task a\ny = (days, unit)", basis="tasks")
    page.order(parameters={"days": "5"})
    page.order(parameters={"unit": "d"})
    assert page.desk.shell.user_ns["y"] == (5, "d")


def test_a_flow_of_functions_keeps_the_values_that_are_not_changed(page: Page) -> None:
    got: list[tuple[int, str]] = []

    @task
    def take(days: int, unit: str) -> None:
        got.append((days, unit))

    with Flow("kept") as flow:
        take(Parameter("days", default=1), Parameter("unit", default="h"))
    flow.run({"days": 7}, show=page.desk.follow)
    page.show(basis="tasks")
    page.order(parameters={"unit": "d"})
    assert got == [(7, "h"), (7, "d")]


def test_orders_that_are_none_are_refused_in_words(page: Page) -> None:
    with pytest.raises(ProtocolError, match="orders lacks"):
        desks.run_orders('{"to": ""}')
