"""The interpreter: a shell of its own for each notebook, also when several run in one process."""

from __future__ import annotations

import sys
import threading
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from flowbook.notebook.documents import CodeCell
from flowbook.notebook.interpreter import Interpreter
from flowbook.notebook.outputs import Outputs
from flowbook.sources import analyse


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
