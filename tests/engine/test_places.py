"""Where in the user's code an error came from."""

from __future__ import annotations

import json
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow, Task, task
from flowbook.engine.journey import packed_error, unpacked_error
from flowbook.engine.places import place_of
from flowbook.tasks.shell import ShellTask
from flowbook.tasks.templates import StringFormatter


def raised_by(body: Callable[[], Any]) -> Exception:
    try:
        body()
    except Exception as error:  # noqa: BLE001 - of any kind
        return error
    raise AssertionError("nothing was raised")


def of_run(made: Task, **options: Any) -> str:
    """Return the sentence about a task that fails in a flow."""
    with Flow("places") as flow:
        called = made(task_args=options)
    flow.run(show=False)
    assert flow.last_run is not None
    return flow.last_run.story(called).why


def code_in(file: str, code: str) -> Callable[[], Any]:
    """Return the function `body` of a text, as if it stood in a file."""
    namespace: dict[str, Any] = {}
    exec(compile(code, file, "exec"), namespace)
    body: Callable[[], Any] = namespace["body"]
    return body


def line_of(text: str) -> int:
    """Return the line of this file that holds the text first."""
    return next(number for number, line in enumerate(Path(__file__).read_text().splitlines(), 1) if text in line)


def test_an_error_in_a_library_is_placed_at_the_users_line() -> None:
    @task
    def read() -> Any:
        return json.loads("no json")  # here it is called

    line = line_of("# here it is called")
    assert of_run(read).startswith(f"It failed at test_places.py:{line}: JSONDecodeError: ")
    assert of_run(read, timeout=5).startswith(f"It failed at test_places.py:{line}: JSONDecodeError: ")
    assert of_run(read, log_stdout=True).startswith(f"It failed at test_places.py:{line}: JSONDecodeError: ")


def test_of_the_users_lines_it_is_the_innermost() -> None:
    def deeper() -> int:
        raise KeyError("x")  # here it is raised

    assert place_of(raised_by(lambda: sorted([1, 2], key=lambda _: deeper()))) == (
        f"at test_places.py:{line_of('# here it is raised')}"
    )


@pytest.mark.parametrize("made", [ShellTask("exit 1", name="x"), StringFormatter("{gap}", name="x")], ids=repr)
def test_a_task_that_flowbook_brings_along_has_no_place(made: Task) -> None:
    assert of_run(made).startswith(("It failed: Command failed", "It failed: ValueError: template"))


def test_a_body_in_an_installed_package_is_placed_in_the_body() -> None:
    body = code_in("/usr/lib/site-packages/etl/steps.py", "import json\ndef body():\n    return json.loads('')\n")
    assert of_run(task(body)).startswith("It failed at steps.py:3: JSONDecodeError")


def test_an_error_without_a_traceback_has_no_place() -> None:
    assert place_of(ValueError("never raised")) == ""


def test_an_error_that_hides_its_traceback_has_one_all_the_same() -> None:
    class Sly(Exception):
        @property
        def __traceback__(self) -> Any:
            raise RuntimeError("hands off")

        @__traceback__.setter
        def __traceback__(self, trace: Any) -> None: ...

    def fall() -> None:
        raise Sly  # here it hides

    assert place_of(raised_by(fall)) == f"at test_places.py:{line_of('# here it hides')}"


def test_the_code_of_a_task_cell_is_called_by_its_name() -> None:
    assert place_of(raised_by(code_in("<task clean>", "\ndef body():\n    1 / 0\n"))) == "in task cell clean, line 3"


def test_the_code_of_a_notebook_cell_is_called_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from IPython.core.compilerop import CachingCompiler

    class Shell:
        compile = CachingCompiler()

    code = "def body():\n    return 1 / 0\n"
    file = Shell.compile.cache(code, 7)
    try:
        monkeypatch.setattr("IPython.get_ipython", Shell)
        assert place_of(raised_by(code_in(file, code))) == "in cell 7, line 2"
        assert place_of(raised_by(code_in("/elsewhere/etl.py", code))) == "at etl.py:2"
        assert place_of(raised_by(code_in("<etl, cell 3>", code))) == "in cell 3, line 2"
    finally:
        linecache.cache.pop(file, None)


def test_an_error_from_a_worker_is_placed_where_it_came_from_there() -> None:
    error = raised_by(code_in("/elsewhere/etl.py", "import json\ndef body():\n    return json.loads('')\n"))
    home = unpacked_error(packed_error(error))
    assert place_of(home) == "at etl.py:3"
    assert place_of(unpacked_error(packed_error(home))) == "at etl.py:3"
    assert place_of(unpacked_error(packed_error(ValueError("never raised")))) == ""


def carried(body: Callable[..., Any]) -> Exception:
    """Return the error of a body that cloudpickle carried by value, as it comes home from a worker."""
    import cloudpickle

    error = unpacked_error(packed_error(raised_by(cloudpickle.loads(cloudpickle.dumps(body)))))
    assert isinstance(error, Exception)
    return error


CALLS = """
def helper():
    return 1 / 0
def body():
    return helper()
"""
CLASSES = """
class Steps:
    def fall(self):
        return 1 / 0
def body():
    return Steps().fall()
"""


def in_main(code: str) -> Callable[[], Any]:
    """Return the function `body` of a text, as if it stood in a script or a notebook, so that it travels by value."""
    body = code_in("/elsewhere/etl.py", code)
    for value in body.__globals__.values():
        if getattr(value, "__module__", None) == "builtins":
            value.__module__ = "__main__"
    return body


def test_code_that_was_carried_to_a_worker_is_placed_in_the_file_it_has_here() -> None:
    body = in_main(CALLS)
    assert place_of(carried(body), body) == "at etl.py:3"
    assert place_of(carried(body), task(body)) == "at etl.py:3"


def test_carried_code_that_is_not_found_has_no_place_rather_than_a_name_of_cloudpickle() -> None:
    body = in_main(CALLS)
    assert place_of(carried(body), code_in("/elsewhere/other.py", "def body(): ...")) == ""
    assert place_of(carried(body)) == ""


@pytest.mark.parametrize(("code", "line"), [(CALLS, 3), (CLASSES, 4)], ids=["calls", "classes"])
def test_a_task_that_fails_in_a_process_says_where_in_its_file(code: str, line: int) -> None:
    body = in_main(code)
    with Flow("processes") as flow:
        fallen = task(body)()
    flow.run(executor="processes", show=False)
    assert flow.last_run is not None
    assert flow.last_run.story(fallen).why.startswith(f"It failed at etl.py:{line}: ZeroDivisionError")


def test_what_a_worker_told_counts_more_than_a_traceback_that_was_made_anew() -> None:
    body = in_main(CALLS)
    error = carried(body)
    made_anew = code_in("<dynamic-code>", "def helper():\n    return 1 / 0\nbody = helper\n")
    assert place_of(error.with_traceback(raised_by(made_anew).__traceback__), body) == "at etl.py:3"
