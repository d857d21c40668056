"""Flows of cells over time: settings, versions, what is out of date, what is gone, what is kept, and the way out."""

from __future__ import annotations

import datetime as dt
import runpy
from pathlib import Path
from typing import Any

import pytest

from flowbook.errors import FlowError
from flowbook.notebook.book import Notebook
from flowbook.notebook.cells import CellTask, TaskCell, names_of
from flowbook.notebook.exporting import script_of
from flowbook.notebook.telling import dependencies_told, standing, story_told
from flowbook.states import Cached

HOUR = dt.timedelta(hours=1)


def cell(name: str, code: str, **options: Any) -> TaskCell:
    reads, writes = options.pop("reads", None), options.pop("writes", None)
    given = frozenset(key for key, value in (("in", reads), ("out", writes)) if value is not None)
    options = {"id": name, "source": code, **options}
    return TaskCell(name=name, code=code, names=names_of(code, reads, writes), given=given, **options)


@pytest.fixture
def book() -> Notebook:
    return Notebook({"__name__": "__main__"})


def three(book: Notebook) -> None:
    book.put(cell("load", "rows = [3, 1]"))
    book.put(cell("clean", "kept = sorted(rows)"))
    book.put(cell("total", "total = sum(kept)"))
    book.put(cell("other", "aside = 1"))


def ended(book: Notebook, name: str) -> str:
    known = book.ended(name)
    return type(known.state).__name__ if known is not None else ""


# ---------------------------------------------------------------- options


def test_a_cell_waits_for_what_is_said_with_after(book: Notebook) -> None:
    book.put(cell("second", "b = 1", after=("first",)))
    book.put(cell("first", "a = 1"))
    assert [task.name for task in book.flow().sorted_tasks()] == ["first", "second"]


def test_waiting_for_a_task_that_is_not_there_offers_the_nearest(book: Notebook) -> None:
    book.put(cell("first", "a = 1"))
    book.put(cell("second", "b = 1", after=("frist",)))
    with pytest.raises(FlowError, match=r"runs after 'frist', which no cell is. Did you mean 'first'"):
        book.flow()


def test_timeout_and_tags_reach_the_task(book: Notebook) -> None:
    book.put(cell("slow", "a = 1", timeout=dt.timedelta(seconds=3), tags=frozenset({"night"})))
    (task,) = book.flow().nodes
    assert (task.timeout, task.tags) == (3, {"night"})


def test_a_kept_cell_runs_again_only_when_code_or_inputs_change(book: Notebook) -> None:
    ran: list[int] = []
    book.namespace["note"] = lambda: ran.append(1)
    code = "note()\nkept = sorted(rows)"
    book.put(cell("load", "rows = [3, 1]"))
    book.put(cell("clean", code, reads=["rows"], writes=["kept"], cache=HOUR))
    book.run(show=False)
    state = book.run(show=False)
    assert [type(one) for one in state.result.values()].count(Cached) == 1
    assert (len(ran), book.namespace["kept"]) == (1, [1, 3])
    book.put(cell("load", "rows = [3, 1, 2]"))
    book.run(show=False)
    assert (len(ran), book.namespace["kept"]) == (2, [1, 2, 3])


def test_a_kept_result_is_what_the_cell_made_not_what_became_of_it(book: Notebook) -> None:
    book.put(cell("load", "rows = [3, 1]", cache=HOUR))
    book.put(cell("grow", "rows.append(9)\nsize = len(rows)"))
    book.run(show=False)
    book.run(show=False)
    assert (ended(book, "load"), book.namespace["rows"]) == ("Cached", [3, 1, 9])


def test_a_cell_that_does_more_than_making_its_result_cannot_be_kept(book: Notebook) -> None:
    with pytest.raises(FlowError, match="changes rows in place, which a kept result cannot do again"):
        book.put(cell("grow", "rows.append(9)", cache=HOUR))
    with pytest.raises(FlowError, match="uses random numbers"):
        book.put(cell("draw", "import random\nx = random.random()", cache=HOUR))


# ---------------------------------------------------------------- settings


def test_cells_read_the_parameters_that_a_flow_cell_says(book: Notebook) -> None:
    book.set_up("notebook", "Parameter('days', default=2)\nexecutor = 'threads'")
    book.put(cell("load", "rows = [1] * days"))
    book.put(cell("clean", "kept = sorted(rows)"))
    book.run(show=False)
    assert book.namespace["kept"] == [1, 1]
    book.run(show=False, parameters={"days": 3})
    assert book.namespace["kept"] == [1, 1, 1]
    assert {(edge.upstream_task.name, edge.downstream_task.name) for edge in book.flow().edges} == {
        ("days", "load"),
        ("load", "clean"),
    }


def test_another_value_of_a_parameter_puts_its_readers_out_of_date(book: Notebook) -> None:
    book.set_up("notebook", "Parameter('days', default=2)")
    book.put(cell("load", "rows = [1] * days"))
    book.put(cell("clean", "kept = sorted(rows)"))
    book.put(cell("other", "aside = 1"))
    book.run(show=False)
    book.run(show=False, from_failed=True, parameters={"days": 4})
    assert book.namespace["kept"] == [1] * 4
    assert book.ended("other").serial < book.ended("load").serial  # type: ignore[union-attr]


def test_a_misspelt_setting_is_refused(book: Notebook) -> None:
    with pytest.raises(FlowError, match=r"no setting 'shedule'. Did you mean 'schedule'"):
        book.set_up("etl", "shedule = None")


def test_processes_are_refused_since_cells_share_a_namespace(book: Notebook) -> None:
    three(book)
    with pytest.raises(FlowError, match="share one namespace"):
        book.run(show=False, executor="processes")


# ---------------------------------------------------------------- several writers


def test_a_reader_gets_the_nearest_version_above_it_and_the_edge_says_which(book: Notebook) -> None:
    book.put(cell("one", "df = 1"))
    book.put(cell("first", "a = df"))
    book.put(cell("two", "df = 2"))
    book.put(cell("second", "b = df"))
    book.run(show=False, executor="threads")
    assert (book.namespace["a"], book.namespace["b"]) == (1, 2)
    labels = {task.name: task.incoming for task in book.flow().nodes if isinstance(task, CellTask)}
    assert (labels["first"], labels["second"]) == ({"df": "df@1"}, {"df": "df@2"})
    assert "df@2" in book.flow().to_svg()


def test_the_document_decides_the_order_where_it_is_known(book: Notebook) -> None:
    book.put(cell("two", "df = 2"))
    book.put(cell("read", "a = df"))
    book.put(cell("one", "df = 1"))
    book.see({"one": "df = 1", "read": "a = df", "two": "df = 2"})
    book.run(show=False)
    assert (book.namespace["a"], book.namespace["df"]) == (1, 2)
    assert "first run" not in dependencies_told(book, "notebook")


def test_a_reader_above_every_writer_is_a_problem_with_three_ways_out(book: Notebook) -> None:
    book.put(cell("read", "a = df"))
    book.put(cell("one", "df = 1"))
    (problem,) = book.problems()
    assert (problem.kind, problem.reader, problem.writers) == ("ambiguous", "read", ("one",))
    with pytest.raises(FlowError, match=r"(?s)Rename.*merge.*--in df.*first run"):
        book.run(show=False)
    book.namespace["df"] = 7
    book.put(cell("read", "a = df", reads=["df"]))
    assert book.run(show=False).is_successful()
    assert book.namespace["a"] == 7


def test_two_cells_that_may_make_a_name_are_a_problem_only_without_one_that_does(book: Notebook) -> None:
    book.namespace["flag"] = True
    book.put(cell("yes", "if flag:\n    df = 1"))
    book.put(cell("no", "if not flag:\n    df = 2"))
    book.put(cell("read", "a = df"))
    assert [problem.writers for problem in book.problems()] == [("yes", "no")]
    book.put(cell("yes", "df = 1"))
    assert book.problems() == ()
    assert book.run(show=False).is_successful()


# ---------------------------------------------------------------- out of date, and gone


def test_what_follows_from_an_edited_cell_is_stale_and_the_cell_itself_dirty(book: Notebook) -> None:
    three(book)
    assert (book.dirty(), book.stale()) == ((), ())
    book.run(show=False)
    assert (book.dirty(), book.stale()) == ((), ())
    book.put(cell("clean", "kept = sorted(rows)[1:]"))
    assert (book.dirty(), book.stale()) == (("clean",), ("total",))
    assert "Changed since it ran (dirty): clean." in standing(book, "notebook")
    book.run(to="clean", show=False)
    assert (book.dirty(), book.stale()) == ((), ("total",))
    book.run(from_failed=True, show=False)
    assert (book.dirty(), book.stale(), book.namespace["total"]) == ((), (), 3)


def test_an_edit_that_only_the_front_end_knows_is_dirty(book: Notebook) -> None:
    three(book)
    book.run(show=False)
    document = {name: book.cell(name).source for name in ("load", "clean", "total", "other")}
    book.see({**document, "load": "rows = [4]"})
    assert (book.dirty(), book.stale()) == (("load",), ("clean", "total"))


def test_running_from_what_failed_keeps_what_ended_well(book: Notebook) -> None:
    three(book)
    book.put(cell("clean", "kept = sorted(rows) / 0"))
    assert book.run(show=False).is_failed()
    before = book.ended("load").serial  # type: ignore[union-attr]
    book.put(cell("clean", "kept = sorted(rows)"))
    assert book.run(from_failed=True, show=False).is_successful()
    assert book.ended("load").serial == before  # type: ignore[union-attr]
    assert book.namespace["total"] == 4


def test_a_renamed_cell_keeps_its_history_and_answers_to_its_old_name(book: Notebook) -> None:
    book.put(cell("clean", "x = 1"))
    book.run(show=False)
    book.put(cell("tidy", "x = 1", id="clean"))
    assert book.cell("clean").name == "tidy"
    assert ended(book, "tidy") == "Success"
    assert book.dirty() == ()


def test_a_copied_cell_is_offered_a_name_that_is_free(book: Notebook) -> None:
    book.put(cell("clean", "x = 1"))
    book.put(cell("clean_2", "y = 1"))
    with pytest.raises(FlowError, match="%%task clean_3"):
        book.put(cell("clean", "x = 1", id="copied"))


def test_a_reader_of_a_forgotten_cell_does_not_run_until_it_is_restored(book: Notebook) -> None:
    three(book)
    book.run(show=False)
    book.forget("load")
    with pytest.raises(FlowError, match="'clean' needs rows, which the forgotten cell 'load' made"):
        book.run(show=False)
    assert book.run(to="other", show=False).is_successful()
    book.restore("load")
    assert [one.name for one in book.ordered()] == ["load", "clean", "total", "other"]
    assert ended(book, "load") == "Success"
    assert book.run(show=False).is_successful()


def test_forgetting_twice_takes_what_is_in_the_notebook(book: Notebook) -> None:
    three(book)
    book.run(show=False)
    book.forget("load")
    book.forget("load")
    assert book.run(show=False).is_successful()
    with pytest.raises(FlowError, match="no forgotten cell"):
        book.restore("load")


def test_cells_that_the_document_has_no_more_are_forgotten_and_come_back_with_it(book: Notebook) -> None:
    three(book)
    document = {name: book.cell(name).source for name in ("load", "clean", "total", "other")}
    book.see({name: source for name, source in document.items() if name != "load"})
    assert [problem.kind for problem in book.problems()] == ["missing"]
    book.see(document)
    assert book.problems() == ()
    book.delete(["load"])
    assert [problem.kind for problem in book.problems()] == ["missing"]


def test_a_cell_that_says_another_flow_moves_there(book: Notebook) -> None:
    book.put(cell("load", "x = 1"))
    book.put(cell("load", "x = 1"), "etl")
    assert [one.name for one in book.ordered("etl")] == ["load"]
    assert book.ordered() == ()


# ---------------------------------------------------------------- outputs


def test_prints_of_cells_that_run_side_by_side_do_not_mix(book: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        book.put(cell(name, f"import time\nfor _ in range(20):\n    print('{name}')\n    time.sleep(0.001)"))
    book.run(show=False, executor="threads")
    assert [book.shelf.text(name) for name in "abc"] == ["a\n" * 20, "b\n" * 20, "c\n" * 20]
    assert capsys.readouterr().out == ""


def test_what_the_shown_cell_prints_is_shown_and_kept(book: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    book.put(cell("load", "print('loading')\nrows = 1"))
    book.put(cell("clean", "print('cleaning', rows)"))
    book.shelf.shown = "clean"
    book.run(to="clean", show=False)
    assert capsys.readouterr().out == "cleaning 1\n"
    assert (book.shelf.text("load"), book.shelf.text("clean")) == ("loading\n", "cleaning 1\n")


# ---------------------------------------------------------------- telling and exporting


def test_explaining_tells_each_dependency_with_its_reason(book: Notebook) -> None:
    three(book)
    told = dependencies_told(book, "notebook")
    assert "clean\n  after load: reads rows\n" in told
    assert "other\n  needs no other cell" in told
    assert told.startswith("Cells stand in the order in which they were first run")


def test_explaining_a_task_tells_its_story_and_what_it_printed(book: Notebook) -> None:
    book.put(cell("load", "print('here')\nx = 1 / 0"))
    assert "has not run yet" in story_told(book, "load", "notebook")
    book.run(show=False)
    told = story_told(book, "load", "notebook")
    assert "load is Failed" in told
    assert "division by zero" in told
    assert "    here" in told


EXPORTED = {
    "imports": "import math\nfrom collections import Counter",
    "helpers": "scale = 2\ndef scaled(x):\n    return x * scale * factor",
    "factor": "factor = len(names) + days",
    "names": "names = ['a', 'b']",
    "grow": "names.append('''two\nlines''')\nfor i in range(2):\n    names += [str(i)]",
    "wait": "import asyncio\nawait asyncio.sleep(0)",
    "use": "result = [scaled(x) for x in range(3)]\ncounted = Counter(names)\nroot = math.sqrt(16)",
    "gone": "del scale",
}
ORDER = ("imports", "names", "factor", "helpers", "grow", "wait", "use", "gone")


def test_an_exported_flow_runs_to_the_same_end(book: Notebook, tmp_path: Path) -> None:
    book.set_up("notebook", "Parameter('days', default=7)\nexecutor = 'threads'")
    for name in ORDER:
        book.put(cell(name, EXPORTED[name], retries=1, delay=dt.timedelta(0), tags=frozenset({"x"})))
    assert book.run(show=False).is_successful(), dependencies_told(book, "notebook")
    script = tmp_path / "flow.py"
    script.write_text(script_of(book, "notebook"), "utf-8")
    made = runpy.run_path(str(script))
    assert made["flow"].run(show=False).is_successful()
    names = made["use"].run.__globals__ if hasattr(made["use"].run, "__globals__") else made
    for name in ("names", "factor", "result", "counted", "root"):
        assert names[name] == book.namespace[name]
    assert "scale" not in names


def test_exporting_names_the_line_that_only_ipython_runs(book: Notebook) -> None:
    book.put(cell("shell", "x = 1\nget_ipython().system('ls')", reads=[], writes=["x"]))
    with pytest.raises(FlowError, match="'shell', line 2, uses a magic"):
        script_of(book, "notebook")


def test_going_on_makes_anew_what_a_changed_cell_had_changed_in_place(book: Notebook) -> None:
    book.put(cell("make", "x = []"))
    book.put(cell("grow", "x.append(1)"))
    book.put(cell("other", "y = 2"))
    book.run(show=False)
    before = book.ended("other").serial  # type: ignore[union-attr]
    book.put(cell("grow", "x.append(5)"))
    book.run(from_failed=True, show=False)
    assert book.namespace["x"] == [5]  # not [1, 5]
    assert book.ended("other").serial == before  # type: ignore[union-attr]
