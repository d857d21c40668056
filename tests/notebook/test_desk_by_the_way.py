"""The desk, and what cells do by the way: end the kernel, ask, draw and fail, tell secrets, write half characters."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flowbook import redaction
from flowbook.errors import FlowError, UnknownArgument
from flowbook.notebook.hub import hub
from flowbook.view.protocol import AskTask, CellOutputs, CellText, Document, TaskDetails
from tests.notebook.test_desk import Page, of, page, shell, states

__all__ = ["page", "shell"]


def outputs(page: Page, cell: str) -> list[dict[str, Any]]:
    """Return what a cell of the last run has printed and shown."""
    made = page.desk.live.outputs.get(cell) or page.desk.tasks.outputs_of(cell)
    assert made is not None
    return made.saved()


def by_hand(shell: InteractiveShell, cell: str, source: str) -> None:
    shell.run_cell(source, store_history=True, cell_id=cell)


def cancel_at(page: Page, is_there: threading.Event) -> None:
    """Cancel the run as soon as a cell says that it is there."""

    def cancel() -> None:
        is_there.wait(10)
        assert page.desk.run is not None
        page.desk.run.cancel()

    threading.Thread(target=cancel).start()


@pytest.fixture
def secret() -> Iterator[str]:
    known = set(redaction.known)
    yield redaction.hide("correct-horse")
    redaction.known.clear()
    redaction.learn(known)


# -- what would end or stop the kernel ---------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["exit()", "quit", "input('name? ')"])
@pytest.mark.parametrize("basis", ["document", "tasks"])
def test_a_cell_cannot_end_the_kernel_and_not_wait_for_a_person(
    page: Page, shell: InteractiveShell, source: str, basis: Any
) -> None:
    before = {name: shell.user_ns.get(name) for name in ("exit", "quit", "input")}
    page.show(source if basis == "document" else f"%%task ends\n{source}", basis=basis)
    look = page.order()
    if source == "quit" and basis == "tasks":
        return  # a name in a cell of more than a line is only shown, as in a plain cell
    assert states(look) == {"a": "Failed"}
    words = "would end the program" if source in {"exit()", "quit"} else "asks a person"
    assert words in of(look, "a").message
    assert {name: shell.user_ns.get(name) for name in before} == before
    assert ("input" in shell.user_ns) is False


def test_names_of_one_s_own_are_left_as_they_are(page: Page, shell: InteractiveShell) -> None:
    by_hand(shell, "a", "input = [1]")
    page.show("input.append(2)", "# two lines\nquit = 'mine'")
    page.order()
    assert (shell.user_ns["input"], shell.user_ns["quit"]) == ([1, 2], "mine")


# -- prompts -----------------------------------------------------------------------------------------------------------


def test_prompts_are_counted_on_from_those_of_the_kernel_and_its_history_keeps_what_ran(
    page: Page, shell: InteractiveShell
) -> None:
    shell.run_cell("early = 1", store_history=True)
    page.show("x = 1", "y = x / 0", "x + 1")
    page.order()
    counts = {one: page.wait(CellOutputs, lambda told, one=one: told.cell == one and told.count).count for one in "abc"}
    assert sorted(counts.values()) == [2, 3, 4]
    shell.run_cell("late = 1", store_history=True)
    assert shell.execution_count == 6
    history, shown = shell.user_ns["In"], shell.user_ns["Out"]
    assert (history[1], history[5]) == ("early = 1", "late = 1")
    assert [history[counts[one]] for one in "abc"] == ["x = 1", "y = x / 0", "x + 1"]
    assert shown == {counts["c"]: 2}
    told = page.wait(CellOutputs, lambda one: one.cell == "c" and "execute_result" in one.outputs)
    assert json.loads(told.outputs)[0]["execution_count"] == counts["c"]
    failed = page.wait(CellOutputs, lambda one: one.cell == "b" and "ZeroDivisionError" in one.outputs)
    assert f"In[{counts['b']}]" in failed.outputs


# -- figures and captured cells ----------------------------------------------------------------------------------------


def test_a_figure_is_shown_below_the_cell_that_drew_it_and_failed(page: Page) -> None:
    pytest.importorskip("matplotlib")

    page.show(
        "import matplotlib\nmatplotlib.use('module://matplotlib_inline.backend_inline')",
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nraise ValueError('after it')",
    )
    page.order()
    assert [item["output_type"] for item in outputs(page, "b")] == ["error", "display_data"]


def test_a_captured_cell_can_be_shown_again_with_all_it_has_shown(page: Page, shell: InteractiveShell) -> None:
    page.show(
        "%%capture kept\nprint('printed')\ndisplay('shown')\n40 + 2",
        "kept.show()\n[one.data['text/plain'] for one in kept.outputs]",
        "%%capture quiet\n1;",
    )
    look = page.order()
    assert states(look) == {"a": "Success", "b": "Success", "c": "Success"}
    assert outputs(page, "a") == []
    shown = [item.get("text") or item["data"]["text/plain"] for item in outputs(page, "b")]
    assert shown == ["printed\n", "'shown'", "42", "[\"'shown'\", '42']"]
    assert "quiet" not in shell.user_ns  # as IPython does


# -- cells run by hand -------------------------------------------------------------------------------------------------


def test_a_cell_that_runs_code_itself_is_noted_as_the_person_ran_it(page: Page, shell: InteractiveShell) -> None:
    cells = ["%%capture kept\nx = 1", "get_ipython().run_cell('y = 2'); z = 3", "%%capture\nw = 1 / 0", ""]
    page.show(*cells)
    for cell, source in zip("abcd", cells, strict=True):
        by_hand(shell, cell, source)
    assert states(page.look()) == {"a": "Success", "b": "Success", "c": "Failed"}


def test_a_run_that_was_refused_changes_nothing_that_is_known(page: Page, shell: InteractiveShell) -> None:
    cells = ["%%task a\nx = 1", "%%task b\ny = x"]
    page.show(*cells, basis="tasks")
    page.order()
    book = page.desk.tasks.book
    before = [book.ended(word) for word in "ab"]
    with pytest.raises(UnknownArgument):
        book.run(show=False, state=3)
    assert [book.ended(word) for word in "ab"] == before


# -- task cells --------------------------------------------------------------------------------------------------------


def test_a_cell_that_is_no_task_any_more_does_not_run_with_its_old_text(page: Page, shell: InteractiveShell) -> None:
    cells = ["%%task a\nx = 1", "%%task b\ny = 2"]
    page.show(*cells, basis="tasks")
    page.order()
    look = page.show("x = 5", cells[1], basis="tasks")
    assert [cell.role for cell in look.cells] == ["outside", "task"]
    shell.user_ns["x"] = 7
    page.order()
    assert shell.user_ns["x"] == 7
    assert states(page.show(*cells, basis="tasks")) == {"a": "Success", "b": "Success"}  # undone: with its history


# -- what pages are told -----------------------------------------------------------------------------------------------


def test_no_secret_is_told_to_a_page(page: Page, shell: InteractiveShell, secret: str) -> None:
    shell.user_ns["given"] = secret
    look = page.show(
        f"password = '{secret}'",
        "print(given)\ngiven",
        "raise ValueError(given)",
        "more = [given]",
        tags={0: ("parameters",)},
    )
    assert secret not in repr(look)
    look = page.order()
    assert page.desk.run is not None
    for node in range(len(page.desk.run.runner.plan.tasks)):
        page.desk.hear(AskTask(page.desk.run.id, node))
    hub.ring()
    last = len(page.desk.run.runner.plan.tasks) - 1
    page.wait(TaskDetails, lambda one: one.node == last)
    page.wait(CellOutputs, lambda one: one.cell == "c" and "ValueError" in one.outputs)
    assert "***" in page.wait(CellOutputs, lambda one: one.cell == "b" and "stream" in one.outputs).outputs
    assert [message for message in [*page.heard, look] if secret in repr(message)] == []


def test_half_a_character_in_a_cell_does_not_keep_the_page_from_hearing(page: Page, shell: InteractiveShell) -> None:
    heard: list[Any] = []

    class Strict:
        def send(self, message: dict[str, Any]) -> None:
            json.dumps(message, ensure_ascii=False).encode()  # as a kernel sends it
            heard.append(message)

    hub.link("strict", Strict())
    try:
        page.show("# \ud800 half", "print('\ud800')", "raise ValueError('\ud800')")
        page.order()
        end = time.monotonic() + 5
        while not any(one["type"] == "notebook" and one["run"] for one in heard):
            assert time.monotonic() < end, [one["type"] for one in heard]
            time.sleep(0.01)
        assert "strict" in hub.channels
    finally:
        hub.unlink("strict")


# -- going on with task cells ------------------------------------------------------------------------------------------


def whole(*cells: str) -> dict[str, Any]:
    """Return the names that cells make when all of them run in order."""
    names: dict[str, Any] = {}
    for cell in cells:
        exec(cell.partition("\n")[2], names)
    return {name: value for name, value in names.items() if not name.startswith("_")}


def agree(shell: InteractiveShell, *cells: str) -> bool:
    return all(shell.user_ns.get(name) == value for name, value in whole(*cells).items())


def test_what_a_deleted_or_changed_task_cell_had_changed_is_made_again(page: Page, shell: InteractiveShell) -> None:
    cells = ["%%task a\nx = 1", "%%task b\ny = 2", "%%task c\nx = 5"]
    page.show(*cells, basis="tasks")
    page.order()
    look = page.show(*cells[:2], basis="tasks")
    assert of(look, "a").again == "x was changed by something that is not in the flow any more"
    page.order(from_failed=True)
    assert agree(shell, *cells[:2])
    cells[1] = "%%task b\nx.append(3)"
    cells[0] = "%%task a\nx = [1]"
    page.show(*cells[:2], basis="tasks")
    page.order()
    cells[1] = "%%task b\ny = 4"
    page.show(*cells[:2], basis="tasks")
    page.order(from_failed=True)
    assert agree(shell, *cells[:2])


def test_what_a_task_cell_run_twice_has_changed_twice_is_made_again(page: Page, shell: InteractiveShell) -> None:
    cells = ["%%task a\nx = [1]", "%%task b\nx.append(2)", "%%task c\nz = list(x)"]
    page.show(*cells, basis="tasks")
    page.order()
    page.desk.tasks.book.run(to="b", show=False)  # as a person runs it
    assert shell.user_ns["x"] == [1, 2, 2]
    page.order(from_failed=True)
    assert agree(shell, *cells)
    page.order(to="c")
    assert agree(shell, *cells)
    page.order(to="b")
    assert shell.user_ns["x"] == [1, 2]


def test_what_a_plain_cell_has_changed_of_a_task_is_made_again(page: Page, shell: InteractiveShell) -> None:
    cells = ["%%task a\nx = 1", "%%task b\ny = x", "x = 7", "print(y)"]
    page.show(*cells, basis="tasks")
    page.order()
    by_hand(shell, "d", cells[3])
    assert [cell.again for cell in page.look().cells] == ["", "", "", ""]
    by_hand(shell, "c", cells[2])
    page.order(from_failed=True)
    assert agree(shell, *cells[:2])


def test_what_every_cell_can_use_is_not_missed_because_a_later_cell_binds_it(
    page: Page, shell: InteractiveShell
) -> None:
    cells = [
        "%%task a\ndisplay(sum([1, 2]))",
        "%%task b\nfrom IPython.display import display\nsum = 3",
    ]
    assert page.show(*cells, basis="tasks").problems == ()
    assert states(page.order()) == {"a": "Success", "b": "Success"}


def test_an_order_is_for_the_notebook_it_was_given_in(page: Page, shell: InteractiveShell) -> None:
    for name, source in (("one.ipynb", "made = 'one'"), ("two.ipynb", "made = 'two'")):
        page.desk.hear(Document(name, "document", (CellText("a", source),)))
    page.order(notebook="one.ipynb")
    assert shell.user_ns["made"] == "one"
    page.order(notebook="two.ipynb")
    assert shell.user_ns["made"] == "two"


@pytest.mark.parametrize("basis", ["document", "tasks"])
def test_a_cell_that_was_cancelled_has_changed_what_it_changed(page: Page, shell: InteractiveShell, basis: Any) -> None:
    goes_on, is_there = threading.Event(), threading.Event()
    shell.user_ns.update(goes_on=goes_on, is_there=is_there)
    cells = ["x = [1]", "x.append(2)\nis_there.set()\ngoes_on.wait(10)\nx.append(3)", "y = list(x)"]
    if basis == "tasks":
        cells = [f"%%task {name}\n{cell}" for name, cell in zip("abc", cells, strict=True)]
    page.show(*cells, basis=basis)
    cancel_at(page, is_there)
    look = page.order()
    assert of(look, "b").state == "Cancelled"
    called = "cell 2" if basis == "document" else "task b"
    assert of(look, "a").again == f"{called} needs x as before, and what ran since may have changed it"
    goes_on.set()
    page.order(from_failed=True)
    assert shell.user_ns["y"] == [1, 2, 3]


def test_a_cell_that_goes_on_after_its_run_was_cancelled_is_known_to_have_changed_names(
    page: Page, shell: InteractiveShell
) -> None:
    waits = [threading.Event(), threading.Event()]
    waits[1].set()
    is_there, has_ended = threading.Event(), threading.Event()
    shell.user_ns.update(waits=iter(waits), is_there=is_there)
    page.desk.live.told_late = has_ended.set
    page.show("wait = next(waits)\nis_there.set()\nwait.wait(10)\nx = id(wait)", "y = x")
    cancel_at(page, is_there)
    page.order()
    threading.Timer(0.3, waits[0].set).start()
    assert states(page.order(from_failed=True)) == {"a": "Success", "b": "Success"}  # waits for its end
    assert has_ended.is_set()
    assert shell.user_ns["x"] == id(waits[1])


def test_a_cell_of_a_cancelled_run_is_stopped_before_another_run_begins(page: Page, shell: InteractiveShell) -> None:
    is_there = threading.Event()
    ticks: list[int] = []
    shell.user_ns.update(is_there=is_there, ticks=ticks, time=time)
    page.show(
        "log = []", "is_there.set()\nfor i in range(200):\n    log.append(i)\n    ticks.append(i)\n    time.sleep(0.02)"
    )
    cancel_at(page, is_there)
    assert states(page.order())["b"] == "Cancelled"
    assert page.desk.live.bodies.stopped(5) == []
    so_far = len(ticks)
    assert so_far < 100
    assert "KeyboardInterrupt" in json.dumps(outputs(page, "b"))
    page.show("log = []", "len(log)")
    page.order()
    assert shell.user_ns["log"] == []
    assert len(ticks) == so_far


def test_no_run_begins_beside_a_cell_that_cannot_be_stopped(page: Page, shell: InteractiveShell) -> None:
    goes_on, is_there = threading.Event(), threading.Event()
    shell.user_ns.update(goes_on=goes_on, is_there=is_there)
    page.show("# stubborn\nis_there.set()\ntry:\n    goes_on.wait(30)\nexcept KeyboardInterrupt:\n    goes_on.wait(30)")
    cancel_at(page, is_there)
    page.order()
    with pytest.raises(FlowError, match=r"cell 1 \(stubborn\) of the run before still runs"):
        page.order()
    goes_on.set()
    assert states(page.order()) == {"a": "Success"}
