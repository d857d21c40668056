"""The interpreter: an IPython of its own, in which the cells of one run of a document run.

It has magics, ``display`` and top-level ``await``. All cells share one namespace, as in a kernel; cells that do not
conflict may run on several threads at a time, and what each prints and shows is kept for it.
"""

from __future__ import annotations

import ast
import asyncio
import atexit
import contextlib
import contextvars
import inspect
import io
import linecache
import re
import shutil
import sys
import tempfile
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO
from traitlets import Type
from traitlets.config import Config

from flowbook.notebook.cells import Overlay
from flowbook.notebook.outputs import Outputs, collecting, current_outputs, take_clear, take_display
from flowbook.notebook.refusals import refuse_exit, refuse_input, refusing
from flowbook.notebook.surroundings import any_thread_for_sqlite
from flowbook.sources import CellSyntaxError, analyse
from flowbook.sources.notebook import HISTORY
from flowbook.sources.trees import is_quiet, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import CodeType, TracebackType

    from flowbook.notebook.documents import CodeCell

__all__ = ["Interpreter", "line_of", "words_of"]

# Functions of asyncio that ask for the loop that runs; in a kernel one always does.
_ASKS_FOR_LOOP = re.compile(r"\b(?:create_task|ensure_future|get_running_loop|get_event_loop|TaskGroup|current_task)\b")


# What works on the main thread only, or tells threads apart.
_OF_MAIN_THREAD = re.compile(r"\b(signal\.\w+|import signal|tkinter|turtle|main_thread|current_thread|get_ident)\b")


class _Displays(DisplayPublisher):
    """Shows for the cell that runs, also while cells of another interpreter run beside it."""

    def publish(self, data: Any, metadata: Any = None, *args: Any, **more: Any) -> None:
        """Show something."""
        if not take_display(data, metadata, more.get("transient"), update=more.get("update", False)):
            super().publish(data, metadata, *args, **more)

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's own signature
        """Forget what was shown."""
        if not take_clear(wait=wait):
            super().clear_output(wait)  # type: ignore[no-untyped-call]


class _Shell(InteractiveShell):
    """A shell without terminal, history file, or configuration of the person's own."""

    display_pub_class = Type(_Displays)

    def enable_gui(self, gui: Any = None) -> None:
        """Take no event loop of a window system in: figures are drawn into the notebook."""


class Interpreter:
    """One namespace and what runs code in it.

    Args:
        sources: the text of all cells that are going to run, by number, for ``In``.
        name: of the document, for tracebacks.

    Attributes:
        namespace: all global names.

    """

    def __init__(self, sources: Mapping[int, str], name: str = "notebook") -> None:
        self._begin(sources, name)
        home = tempfile.mkdtemp(prefix="flowbook-ipython-")
        # removed with the interpreter, whether somebody closes it or not
        self._remove_home: Callable[[], object] = weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        config = Config()
        config.HistoryManager.enabled = False
        module = types.ModuleType("__main__", "Automatically created module for IPython interactive environment")
        options: dict[str, Any] = {"config": config, "ipython_dir": home, "user_module": module}
        main = sys.modules["__main__"]
        shell: Any = _Shell
        self.shell: Any = shell(**options)
        sys.modules["__main__"] = main
        # it would clear the names when the program ends, and keep every shell alive until then
        atexit.unregister(self.shell.atexit_operations)
        self.module = module
        self.namespace: dict[str, Any] = self.shell.user_ns
        self.namespace.update(exit=refuse_exit, quit=refuse_exit, input=refuse_input)
        self.namespace["In"] = self.namespace["_ih"] = [""]
        self.namespace["Out"] = self.namespace["_oh"] = {}
        self.shell.register_magic_function(self._capture, "cell", "capture")
        self._hidden = {*self.namespace, "__annotations__", "__warningregistry__"}

    def _begin(self, sources: Mapping[int, str], name: str) -> None:
        self.name = name
        self._sources = sources
        self._remove_home = int  # nothing to remove
        self._shown: dict[int, Any] = {}
        self._owner: dict[str, int] = {}
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_loop: Callable[[], object] = int  # nothing to stop
        self._carried = _own_settings()
        self._context = contextvars.Context()
        self._context_is_free = threading.Lock()
        self._last: Any = ""  # what `_` was given for the last time

    @property
    def names(self) -> dict[str, Any]:
        """The names which cells made, with their values."""
        return {
            name: value for name, value in self.namespace.items() if name not in self._hidden and not _is_history(name)
        }

    @property
    def own_names(self) -> frozenset[str]:
        """The names that are there before any cell."""
        return frozenset(self._hidden)

    @property
    def publisher(self) -> Any:
        """The display publisher of this process, where it is not one of ours."""
        shell = _the_shell()
        return None if isinstance(shell, _Shell | None) else shell.display_pub

    def begin(self, sources: Mapping[int, str]) -> None:
        """Forget all that cells have made, and take other texts of cells."""
        self._sources = sources
        for name in self.namespace.keys() - self._hidden:
            del self.namespace[name]
        for kept in (self._shown, self._owner, self.namespace["Out"]):
            kept.clear()

    def take(self, number: int, names: Mapping[str, Any], private: frozenset[str], shown: list[Any]) -> None:
        """Take over what a cell has made in another process, and the value it has shown there, if any."""
        own = Overlay(self.namespace, private)
        for name, value in names.items():
            own[name] = value
        self._hand_over(number, own)
        for value in shown:
            self._shown[number] = self.namespace["Out"][number] = value

    def shown(self, number: int) -> list[Any]:
        """Return the value that a cell has shown, in a list; an empty one when it showed none."""
        return [self._shown[number]] if number in self._shown else []

    def close(self) -> None:
        """Let go of the event loop; the names stay."""
        self._stop_loop()
        self._remove_home()

    def is_for_driver(self, cell: CodeCell) -> bool:
        """Tell whether a cell has to run on the thread that drives the run, which is the kernel's main one mostly.

        Signal handlers, window systems and connections that were opened elsewhere want to be used there.
        """
        if _OF_MAIN_THREAD.search(cell.source):
            return True
        sqlite = sys.modules.get("sqlite3")
        if sqlite is None:
            return False
        return any(
            isinstance(self.namespace.get(name), (sqlite.Connection, sqlite.Cursor)) for name in cell.names.reads
        )

    # -- running -----------------------------------------------------------------------------------------------------

    def run(self, cell: CodeCell, outputs: Outputs, private: frozenset[str] = frozenset()) -> None:
        """Run a cell; its last expression is shown, as in a notebook.

        Args:
            cell: the cell.
            outputs: where what it prints and shows goes.
            private: names that it makes for itself alone, since other cells that may run now use the same ones.

        Raises:
            BaseException: whatever the cell raises.

        """
        __tracebackhide__ = True
        with self.as_main(), collecting(outputs, self.publisher), self.refusing(), any_thread_for_sqlite():
            try:
                self._across_threads(self._run, cell, private)
            except BaseException as error:
                kind = "SyntaxError" if isinstance(error, CellSyntaxError) else type(error).__name__
                outputs.error(kind, words_of(error), self._traceback(error))
                if _draws(cell):
                    with contextlib.suppress(Exception):  # the error of the cell is the one to tell
                        self._show_figures()
                raise

    def _run(self, cell: CodeCell, private: frozenset[str]) -> None:
        __tracebackhide__ = True
        count = self._counted(cell)
        outputs = current_outputs()
        if outputs is not None:
            outputs.count = count
        if cell.problem is not None:
            raise cell.problem
        if cell.names.opaque is not None or any(HISTORY.fullmatch(name) for name in cell.names.reads):
            self._remember(cell.number)
        code = self.shell.transform_cell(cell.source)
        filename = self.filename(cell.number)
        self.shell.compile._filename_map[filename] = count or cell.number  # noqa: SLF001 - tracebacks say "Cell In[3], line 2"
        linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
        names: Any = Overlay(self.namespace, private) if private else self.namespace
        on_loop = bool(_ASKS_FOR_LOOP.search(cell.source))
        try:
            value = self._value(code, filename, names, on_loop=on_loop)
            if value is refuse_exit:
                value()  # a kernel calls it when it stands alone
            if value is not None and not is_quiet(cell.source):
                self._show(cell.number, value, count)
            if _draws(cell):
                self._show_figures()
        finally:
            if private:
                self._hand_over(cell.number, names)

    def _value(self, code: str, filename: str, names: Any, *, on_loop: bool = False) -> Any:
        """Run code and return the value of its last expression, None when it ends in something else."""
        __tracebackhide__ = True
        tree = parsed(code, filename)
        last = tree.body[-1] if tree.body else None
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        if not isinstance(last, ast.Expr):
            return self._execute(compile(tree, filename, "exec", flags, dont_inherit=True), names, on_loop=on_loop)
        tree.body.pop()
        self._execute(compile(tree, filename, "exec", flags, dont_inherit=True), names, on_loop=on_loop)
        return self._execute(
            compile(ast.Expression(last.value), filename, "eval", flags, dont_inherit=True), names, on_loop=on_loop
        )

    def filename(self, number: int) -> str:
        """Return what tracebacks call a cell."""
        return f"<{self.name}, cell {number}>"

    def _show_figures(self) -> None:
        """Show the figures of the cell, as matplotlib does after each cell of a kernel."""
        backend = sys.modules.get("matplotlib_inline.backend_inline")
        if backend is not None:
            backend.flush_figures()

    def _execute(self, code: CodeType, names: Any, *, on_loop: bool = False) -> Any:
        __tracebackhide__ = True
        if on_loop:
            return self._finish(self._execute_on_loop(code, names))
        made = eval(code, self.namespace, names)  # noqa: S307 - running the notebook's cells is what we are for
        return self._finish(made) if inspect.iscoroutine(made) and code.co_flags & inspect.CO_COROUTINE else made

    async def _execute_on_loop(self, code: CodeType, names: Any) -> Any:
        """Run code where a loop runs: cells of a kernel can make asyncio tasks without awaiting them."""
        made = eval(code, self.namespace, names)  # noqa: S307 - as above
        return await made if inspect.iscoroutine(made) and code.co_flags & inspect.CO_COROUTINE else made

    def _finish(self, coroutine: Any) -> Any:
        """Run the coroutine of a cell to its end, on a loop that lives as long as the namespace."""
        __tracebackhide__ = True
        loop, carried = self._running_loop(), contextvars.copy_context()
        made: list[asyncio.Task[Any]] = []

        async def whole() -> Any:
            made.append(carried.run(asyncio.ensure_future, coroutine))
            return await made[0]

        future = asyncio.run_coroutine_threadsafe(whole(), loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_serve, args=(self._loop,), name="flowbook-cells", daemon=True)
                self._stop_loop = weakref.finalize(self, _stop, self._loop, thread)  # also when nobody closes us
                contextvars.Context().run(thread.start)  # what it may print belongs to no cell
            return self._loop

    def _counted(self, cell: CodeCell) -> int | None:
        """Return the number that the prompt of a cell gets now: its place, as when all cells are run from the top."""
        return cell.number

    def _show(self, number: int, value: Any, count: int | None) -> None:
        outputs = current_outputs()
        data, metadata = self.shell.display_formatter.format(value)
        if data and outputs is not None:
            outputs.result(data, metadata, count)
        self._shown[number] = value
        if count is not None:
            self.namespace["Out"][count] = value

    def _remember(self, number: int) -> None:
        """Make `_`, `__`, `_3`, `_i` and the like what they are at this place in document order."""
        before = sorted(one for one in self._shown if one < number)
        values = [self._shown[one] for one in before[::-1]]
        if self.namespace.get("_", self._last) is self._last:  # who binds it keeps it, in IPython too
            for name, value in zip(("_", "__", "___"), [*values, "", "", ""], strict=False):
                self.namespace[name] = value
            self._last = self.namespace["_"]
        for one in before:
            self.namespace[f"_{one}"] = self._shown[one]
        texts = [self._sources.get(one, "") for one in range(number + 1)]
        self.namespace["In"] = self.namespace["_ih"] = texts
        for back, name in enumerate(("_i", "_ii", "_iii"), 1):
            self.namespace[name] = texts[number - back] if number > back else ""
        for one in range(1, number):
            self.namespace[f"_i{one}"] = texts[one]

    def _hand_over(self, number: int, names: Overlay) -> None:
        """Give the namespace a cell's private names; of cells that make one name, the last in the document counts."""
        with self._lock:
            for name, value in dict(names).items():
                if self._owner.get(name, 0) <= number:
                    self._owner[name] = number
                    self.namespace[name] = value

    def _in_cells(self, error: BaseException) -> TracebackType | None:
        """Return the traceback of an error from the cell on; all of it when no cell is in it."""
        trace = error.__traceback__
        while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(f"<{self.name}, cell "):
            trace = trace.tb_next
        return trace or error.__traceback__

    def _traceback(self, error: BaseException) -> list[str]:
        shell = self.shell
        try:
            told = shell.InteractiveTB.structured_traceback
            made: list[str] = told(type(error), error, self._in_cells(error), tb_offset=0)
        except Exception:  # noqa: BLE001 - a user's error may raise anything when it is looked at
            return [f"{type(error).__name__}: {words_of(error)}"]
        return made

    @contextlib.contextmanager
    def as_main(self) -> Iterator[None]:
        """Let others find us where they look: pickles what cells define in ``__main__``, `display` the shell."""
        with _running_lock:
            if not self._users:
                _take_the_stage(self)
            self._users += 1
        try:
            yield
        finally:
            with _running_lock:
                self._users -= 1
                if not self._users:
                    _leave_the_stage(self)

    def refusing(self) -> contextlib.AbstractContextManager[None]:
        """Refuse what cells cannot do here while a block lasts."""
        return refusing()

    def _across_threads(self, call: Callable[..., None], *arguments: Any) -> None:
        """Let cells on several threads find what earlier ones have set for their thread: in a kernel all have one.

        Settings of `decimal` and numpy are context variables. Cells that run one after another have one context, as in
        a kernel, since what `ContextVar.set` returns is of use in its own context only; one that runs beside another
        gets a copy.
        """
        __tracebackhide__ = True
        is_ours = self._context_is_free.acquire(blocking=False)
        context = self._context if is_ours else contextvars.copy_context()
        try:
            for variable, value in [*(contextvars.copy_context() if is_ours else {}).items(), *self._carried.items()]:
                if context.get(variable, context) is not value:
                    context.run(variable.set, value)
            before = dict(context.items())
            try:
                context.run(call, *arguments)
            finally:
                for variable, value in context.items():
                    if before.get(variable, context) is not value:
                        self._carried[variable] = value
                for variable in before.keys() - set(context):  # taken back by its token
                    self._carried.pop(variable, None)
        finally:
            if is_ours:
                self._context_is_free.release()

    def _capture(self, line: str, cell: str) -> None:
        """Run a cell and keep its outputs: ``%%capture [name] [--no-stdout] [--no-stderr] [--no-display]``."""
        __tracebackhide__ = True
        words = line.split()
        kept = next((word for word in words if not word.startswith("-")), "")
        inner, outer = Outputs(), current_outputs()
        with collecting(inner, self.publisher):
            value = self._value(self.shell.transform_cell(cell), "<captured cell>", self.namespace)
            if value is not None and not is_quiet(cell):
                data, metadata = self.shell.display_formatter.format(value)
                inner.show(data, metadata, None)
            names = analyse(cell)
            if "plot" in names.effects | names.hints:
                self._show_figures()
        texts = {"stdout": "", "stderr": ""}
        shown: list[Any] = []
        for item in inner.items:
            if item["output_type"] == "stream":
                texts[item["name"]] += item["text"]
                if f"--no-{item['name']}" in words and outer is not None:
                    outer.write(item["name"], item["text"])
            elif "--no-display" in words and outer is not None:
                outer.show(item["data"], item["metadata"], None)
            else:
                shown.append({"data": item["data"], "metadata": item["metadata"]})
        if kept and is_quiet(cell):  # as IPython does
            self.namespace.pop(kept, None)
        elif kept:
            self.namespace[kept] = CapturedIO(io.StringIO(texts["stdout"]), io.StringIO(texts["stderr"]), shown)


def _own_settings() -> dict[contextvars.ContextVar[Any], Any]:
    """Return context variables to begin with: a context of `decimal` that is changed in place must be nobody else's."""
    import decimal  # noqa: PLC0415 - who reads this file need not pay for it

    context = contextvars.copy_context()
    before = dict(context.items())
    context.run(decimal.setcontext, decimal.DefaultContext.copy())
    return {one: value for one, value in context.items() if before.get(one) is not value}


def _the_shell() -> Any:
    """Return the shell which ``display()`` and matplotlib ask for: there is one in a process."""
    return InteractiveShell.instance() if InteractiveShell.initialized() else None


# Interpreters in which a cell runs now, and what was there before the first of them.
_running: list[Interpreter] = []
_running_lock = threading.Lock()
_before: list[Any] = []


def _take_the_stage(interpreter: Interpreter) -> None:
    if not _running:
        _before[:] = sys.modules["__main__"], _the_shell()
    _running.append(interpreter)
    _set_main(interpreter.module, interpreter.shell)


def _leave_the_stage(interpreter: Interpreter) -> None:
    _running.remove(interpreter)
    if _running:
        _set_main(_running[-1].module, _running[-1].shell)
    else:
        _set_main(*_before)
        _before.clear()


def _set_main(module: Any, shell: Any) -> None:
    sys.modules["__main__"] = module
    if isinstance(_the_shell(), _Shell | None):  # the one of a kernel stays
        for one in _Shell.__mro__:
            if issubclass(one, InteractiveShell):
                one._instance = shell  # noqa: SLF001 - instance() would make a new one


def _draws(cell: CodeCell) -> bool:
    """Tell whether a cell may draw figures."""
    return "plot" in cell.names.effects | cell.names.hints or cell.names.opaque is not None


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
        thread.join(1.0)


def _is_history(name: str) -> bool:
    return bool(name) and not name.strip("_0123456789i") and name.startswith("_")


def line_of(error: BaseException, filename: str) -> int | None:
    """Return the line of a cell in which an error arose, from 1: the innermost one of that file."""
    found = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def words_of(error: BaseException) -> str:
    """Return what an error says, whatever its `__str__` does."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - a user's __str__ may raise anything
        return ""
