"""The interpreter: a shell of its own for each notebook, also when several run in one process."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from flowbook import Flow
from flowbook.notebook.documents import CodeCell
from flowbook.notebook.interpreter import Interpreter
from flowbook.notebook.live_document import LiveDocument
from flowbook.notebook.outputs import Outputs
from flowbook.sources import analyse
from flowbook.states import Success
from flowbook.view.protocol import CellText


def ran(interpreter: Interpreter, source: str, number: int = 1) -> list[dict[str, Any]]:
    outputs = Outputs()
    cell = CodeCell("a", number - 1, number, f"cell {number}", source, frozenset(), analyse(source))
    interpreter.run(cell, outputs)
    return outputs.saved()


def shown(value: str) -> list[dict[str, Any]]:
    return [{"output_type": "display_data", "data": {"text/plain": value}, "metadata": {}}]


SHOW = "from IPython.display import display\ndisplay(1 / 3)"


def test_a_second_interpreter_shows_by_its_own_settings_while_the_first_is_not_closed() -> None:
    first, second = Interpreter({}), Interpreter({})
    ran(first, "%precision 2")
    ran(second, "%precision 5")
    assert ran(second, SHOW) == shown("0.33333")
    assert ran(first, SHOW) == shown("0.33")


def test_what_one_interpreter_shows_is_its_own_while_another_one_comes_and_goes() -> None:
    first, second = Interpreter({}), Interpreter({})
    first.namespace["is_there"], first.namespace["goes_on"] = is_there, goes_on = threading.Event(), threading.Event()
    found: list[Any] = []
    running = threading.Thread(target=lambda: found.append(ran(first, f"is_there.set()\ngoes_on.wait(10)\n{SHOW}")))
    main = sys.modules["__main__"]
    running.start()
    assert is_there.wait(10)
    assert ran(second, SHOW) == shown("0.3333333333333333")
    second.close()
    goes_on.set()
    running.join(10)
    assert found == [shown("0.3333333333333333")]
    assert sys.modules["__main__"] is main
    assert not InteractiveShell.initialized()


def test_what_is_asked_for_the_shell_of_the_process_is_the_running_one_s() -> None:
    first, second = Interpreter({}), Interpreter({})
    for interpreter in (first, second, first):
        ran(interpreter, "import IPython\nfound = IPython.get_ipython()")
        assert interpreter.namespace["found"] is interpreter.shell


def test_cells_that_want_the_main_thread_get_it_also_when_cells_run_side_by_side(tmp_path: Path) -> None:
    sources = [
        "import signal, sqlite3, threading",
        "before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
        "is_main = threading.current_thread() is threading.main_thread()",
        "def done():\n    return signal.signal(signal.SIGUSR1, before)\ndone()",
    ]
    node = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {"cell_type": "code", "id": str(at), "source": source, "metadata": {}, "outputs": []}
            for at, source in enumerate(sources)
        ],
    }
    path = tmp_path / "main.ipynb"
    path.write_text(json.dumps(node))
    flow: Any = Flow.from_notebook(path)
    assert flow.run(executor="threads", show=False).is_successful(), flow.failures()
    assert flow.last_document_run.names["is_main"]


def test_a_connection_that_a_person_opened_by_hand_is_used_on_its_thread() -> None:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    try:
        live = LiveDocument(shell)
        cells = [
            CellText("a", "import sqlite3\ncon = sqlite3.connect(':memory:')"),
            CellText("b", "x = con.execute('select 1').fetchall()"),
        ]
        live.see("n.ipynb", cells)
        shell.run_cell(cells[0].source)
        live.by_hand("a", cells[0].source, Success(), 0.0, 0.0)
        assert live.run(from_failed=True, executor="threads").is_successful()
        assert shell.user_ns["x"] == [(1,)]
    finally:
        InteractiveShell.clear_instance()
