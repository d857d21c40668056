"""Cells that are tasks: names make the edges, the notebook's namespace holds the results."""

from __future__ import annotations

from typing import Any

import pytest

from flowbook import states
from flowbook.errors import FlowError
from flowbook.notebook.book import Notebook
from flowbook.notebook.cells import TaskCell, names_of, run_code


def cell(name: str, code: str, **options: Any) -> TaskCell:
    reads, writes = options.pop("reads", None), options.pop("writes", None)
    given = frozenset(key for key, value in (("in", reads), ("out", writes)) if value is not None)
    return TaskCell(name, name, code, names_of(code, reads, writes), given=given, **options)


@pytest.fixture
def notebook() -> Notebook:
    return Notebook({})


def edges(notebook: Notebook) -> set[tuple[str, str, str | None]]:
    return {(edge.upstream_task.name, edge.downstream_task.name, edge.key) for edge in notebook.flow().edges}


def test_what_a_cell_reads_makes_its_edges(notebook: Notebook) -> None:
    notebook.put(cell("load", "raw = [3, 1]"))
    notebook.put(cell("clean", "rows = sorted(raw)"))
    notebook.put(cell("total", "total = sum(rows)"))
    assert edges(notebook) == {("load", "clean", "raw"), ("clean", "total", "rows")}


def test_a_run_leaves_its_results_in_the_namespace(notebook: Notebook) -> None:
    notebook.put(cell("load", "raw = [3, 1]"))
    notebook.put(cell("clean", "rows = sorted(raw)"))
    state = notebook.run(show=False)
    assert state.is_successful()
    assert notebook.namespace["rows"] == [1, 3]


def test_a_change_in_place_comes_after_those_who_read_the_old_version(notebook: Notebook) -> None:
    notebook.put(cell("load", "rows = [1]"))
    notebook.put(cell("look", "count = len(rows)"))
    notebook.put(cell("grow", "rows.append(2)"))
    notebook.put(cell("end", "final = len(rows)"))
    notebook.run(show=False, executor="threads")
    assert (notebook.namespace["count"], notebook.namespace["final"]) == (1, 2)
    assert ("look", "grow", None) in edges(notebook)


def test_a_cell_is_replaced_in_its_place(notebook: Notebook) -> None:
    notebook.put(cell("load", "raw = [1]"))
    notebook.put(cell("clean", "rows = raw"))
    notebook.put(cell("load", "raw = [5, 6]"))
    notebook.run(show=False)
    assert notebook.namespace["rows"] == [5, 6]
    assert [task.name for task in notebook.flow().sorted_tasks()] == ["load", "clean"]


def test_running_to_a_cell_runs_only_what_is_not_fresh(notebook: Notebook) -> None:
    notebook.namespace["ran"] = []
    notebook.put(cell("load", "ran.append('load'); raw = [1]", reads=["ran"], writes=["raw"]))
    notebook.put(cell("clean", "ran.append('clean'); rows = raw", reads=["raw"], writes=["rows"]))
    notebook.put(cell("other", "ran.append('other')", reads=[], writes=[]))
    notebook.run(to="clean", show=False)
    assert notebook.namespace["ran"] == ["load", "clean"]
    notebook.run(to="clean", show=False)
    assert notebook.namespace["ran"] == ["load", "clean", "clean"]
    notebook.put(cell("load", "ran.append('load anew'); raw = [2]", reads=["ran"], writes=["raw"]))
    notebook.run(to="clean", show=False)
    assert notebook.namespace["ran"][-2:] == ["load anew", "clean"]


def test_a_second_cell_of_one_name_is_refused_with_the_way_out(notebook: Notebook) -> None:
    notebook.put(cell("load", "x = 1"))
    twin = TaskCell("another id", "load", "y = 1", names_of("y = 1", None, None))
    with pytest.raises(FlowError, match=r"already the task 'load'.*%%task load_2.*%flowbook forget load"):
        notebook.put(twin)


def test_code_that_cannot_be_read_is_refused_unless_it_is_said(notebook: Notebook) -> None:
    with pytest.raises(FlowError, match=r"--in a b --out c"):
        notebook.put(cell("odd", "exec('x = 1')"))
    notebook.put(cell("odd", "exec('x = 1')", reads=[], writes=["x"]))
    assert notebook.run(show=False).is_successful()
    assert notebook.namespace["x"] == 1


def test_a_promise_that_is_not_kept_fails_the_task(notebook: Notebook) -> None:
    notebook.put(cell("empty", "pass", reads=[], writes=["x"]))
    state = notebook.run(show=False)
    (ended,) = state.result.values()
    assert isinstance(ended, states.Failed)
    assert "without making x" in str(ended.result)


def test_forgetting_offers_the_nearest_name(notebook: Notebook) -> None:
    notebook.put(cell("clean", "x = 1"))
    with pytest.raises(FlowError, match="Did you mean 'clean'"):
        notebook.forget("claen")
    notebook.forget("clean")
    with pytest.raises(FlowError, match="Begin a cell with %%task"):
        notebook.flow()


def test_a_failing_cell_shows_its_own_lines(notebook: Notebook) -> None:
    import traceback

    notebook.put(cell("boom", "x = 1\ny = x / 0"))
    (ended,) = notebook.run(show=False).result.values()
    shown = "".join(traceback.format_exception(ended.result))
    assert 'File "<task boom>", line 2' in shown
    assert "y = x / 0" in shown


def test_top_level_await_works() -> None:
    namespace: dict[str, Any] = {}
    run_code("import asyncio\nawait asyncio.sleep(0)\nx = 1", "<test>", namespace)
    assert namespace["x"] == 1


def test_cells_side_by_side_may_use_the_same_loop_variable(notebook: Notebook) -> None:
    loop = (
        "import time\nfor i in range(5):\n    time.sleep(0.01)\n"
        "    _before = i\n    time.sleep(0.01)\n    {name} = {value} + i\n    assert i == _before"
    )
    for value, name in ((100, "a"), (200, "b"), (300, "c")):
        notebook.put(cell(name, loop.format(name=name, value=value)))
    assert not notebook.flow().edges
    assert notebook.run(show=False, executor="threads").is_successful()
    assert [notebook.namespace[name] for name in "abc"] == [104, 204, 304]
    assert notebook.namespace["i"] == 4


def test_functions_and_comprehensions_in_a_cell_find_its_names(notebook: Notebook) -> None:
    notebook.put(cell("define", "factor = 3\ndef scaled(x):\n    return [x * factor for x in range(x)]"))
    notebook.put(cell("use", "total = 0\nfor k in range(3):\n    total += sum([k * j for j in scaled(2)])"))
    assert notebook.run(show=False).is_successful(), notebook.flow().last_run
    assert notebook.namespace["total"] == 9


def test_a_changed_cell_makes_all_that_follows_from_it_stale(notebook: Notebook) -> None:
    notebook.put(cell("load", "rows = [3, 1, 2, 9]"))
    notebook.put(cell("clean", "kept = sorted(r for r in rows if r > 1)"))
    notebook.put(cell("stats", "total = sum(kept)"))
    notebook.run(show=False)
    assert notebook.namespace["total"] == 14
    notebook.put(cell("load", "rows = [100, 1]"))
    notebook.run(to="load", show=False)
    notebook.run(to="stats", show=False)
    assert notebook.namespace["total"] == 100


def test_a_semicolon_before_a_comment_keeps_the_value_from_being_shown(capsys: pytest.CaptureFixture[str]) -> None:
    run_code("1 + 1;  # not shown", "<cell>", {})
    run_code("'a;'  # ;", "<cell>", {})
    assert capsys.readouterr().out == "'a;'\n"


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_of_cells_that_may_run_the_upper_one_runs_first(notebook: Notebook, executor: str) -> None:
    notebook.put(cell("load", "a = 1"))
    notebook.put(cell("use", "b = a"))
    notebook.put(cell("other", "c = 3"))
    assert ("use", "other", None) not in edges(notebook)
    for _ in range(20):
        flow = notebook.flow()
        assert flow.run(show=False, executor=executor).is_successful()
        assert flow.last_run is not None
        begun = [event.task for event in flow.last_run.events if event.state == "Running" and event.task]
        assert begun == ["load", "use", "other"]
