"""What ties cells together without a name for it: whatever order they are run in, they end as they stand.

Each row is a small notebook in which a cell depends on another one by something no name tells: a function kept in a
container, a clock, a patched class, `sys.stdout`. It is run as it stands, and then with the last of the cells that may
run each time, which is as far from the notebook's order as the dependencies allow.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flowbook import Flow
from tests.notebook.test_documents import words, written
from tests.notebook.test_real_notebooks import AnyOrder, Last

TIES: dict[str, list[str]] = {
    "a decorator keeps functions in a list": [
        "steps = []\ndef step(f):\n    steps.append(f)\n    return f",
        "unit = 'old'",
        "@step\ndef load(): return unit",
        "first = [f() for f in steps]",
        "unit = 'new'",
        "print(first, [f() for f in steps])",
    ],
    "an object keeps a function it was given": [
        (
            "class Bus:\n    def __init__(self): self.f = []\n    def on(self, f): self.f.append(f)\n"
            "    def fire(self): return [f() for f in self.f]\nbus = Bus()"
        ),
        "word = 1",
        "def answer(): return word",
        "bus.on(answer)",
        "a = bus.fire()",
        "word = 2",
        "print(a, bus.fire())",
    ],
    "a method decorates": [
        (
            "class App:\n    def __init__(self): self.r = {}\n    def route(self, p):\n        def keep(f):\n"
            "            self.r[p] = f\n            return f\n        return keep\napp = App()"
        ),
        "name = 'a'",
        "@app.route('/')\ndef home(): return name",
        "x = app.r['/']()",
        "name = 'b'",
        "print(x, app.r['/']())",
    ],
    "a base class knows the classes made of it": [
        "class Plug:\n    made = []\n    def __init_subclass__(cls): Plug.made.append(cls)",
        "k = 1",
        "class A(Plug):\n    def go(self): return k",
        "r = [one().go() for one in Plug.made]",
        "k = 2",
        "print(r)",
    ],
    "a function for one more type": [
        "import functools\n@functools.singledispatch\ndef show(x): return 'object'",
        "a = show(1)",
        "@show.register\ndef _of_int(x: int): return 'int'",
        "print(a, show(1))",
    ],
    "a lambda in a list": [
        "subs = []\ndef sub(f): subs.append(f)",
        "v = 1",
        "sub(lambda: v)",
        "a = [s() for s in subs]",
        "v = 2",
        "print(a)",
    ],
    "a clock": [
        "import time",
        "start = time.perf_counter()",
        "time.sleep(0.05)",
        "print(time.perf_counter() - start >= 0.05)",
    ],
    "a clock by another name": [
        "from time import monotonic as now, sleep",
        "marks = {'start': now()}",
        "sleep(0.05)",
        "print(now() - marks['start'] >= 0.05)",
    ],
    "a module of clocks by another name": [
        "import time as t",
        "start = t.time()",
        "t.sleep(0.05)",
        "print(t.time() - start >= 0.05)",
    ],
    "a stopwatch": [
        (
            "import time\nclass Watch:\n    def __init__(self): self.t = time.time()\n"
            "    def took(self): return time.time() - self.t"
        ),
        "watch = Watch()",
        "time.sleep(0.05)",
        "print(watch.took() >= 0.05)",
    ],
    "tic and toc": [
        "import time\ndef tic():\n    global _start\n    _start = time.time()\ndef toc(): return time.time() - _start",
        "tic()",
        "time.sleep(0.05)",
        "print(toc() >= 0.05)",
    ],
    "a method is replaced": [
        "class C:\n    def hi(self): return 'old'\ncs = [C()]",
        "r = [c.hi() for c in cs]",
        "C.hi = lambda self: 'new'",
        "print(r, cs[0].hi())",
    ],
    "a class gets an attribute by setattr": [
        "class C: pass\nc = C()",
        "print(hasattr(c, 'v'))",
        "setattr(C, 'v', 1)",
        "print(c.v)",
    ],
    "a class counts for itself": [
        "class C:\n    n = 0\n    @classmethod\n    def up(cls): cls.n += 1",
        "C.up()",
        "print(C.n)",
        "C.up()",
        "print(C.n)",
    ],
    "a wrapper counts its calls": [
        (
            "def counted(f):\n    def wrapper():\n        wrapper.calls += 1\n        return f()\n"
            "    wrapper.calls = 0\n    return wrapper"
        ),
        "@counted\ndef hello(): return 'hello'",
        "hello()",
        "n = hello.calls",
        "hello()",
        "print(n, hello.calls)",
    ],
    "a property moves on": [
        (
            "class L:\n    def __init__(self): self.n = 0\n    @property\n    def tick(self):\n        self.n += 1\n"
            "        return self.n\nl = L()"
        ),
        "a = l.tick",
        "b = l.tick",
        "print(a, b)",
    ],
    "a module's function is replaced": [
        "import math",
        "keep = math.floor\nmath.floor = lambda x: 'patched'",
        "print(math.floor(2.5))",
        "math.floor = keep",
        "print(math.floor(2.5))",
    ],
    "a list in a module": [
        "import math\nmath.extra = [1]",
        "math.extra.append(2)",
        "print(math.extra)",
        "del math.extra",
    ],
    "print itself is replaced": [
        "import builtins\nkeep = builtins.print",
        "builtins.print = lambda *a: keep('>>', *a)",
        "print('x')",
        "builtins.print = keep",
        "print('y')",
    ],
    "sys.stdout is replaced": [
        "import io, sys\nbuffer, keep = io.StringIO(), sys.stdout",
        "sys.stdout = buffer",
        "print('x')",
        "got = buffer.getvalue()",
        "print('y')",
        "sys.stdout = keep",
        "print(repr(got), repr(buffer.getvalue()))",
    ],
    "a context entered by hand": [
        "import contextlib, io\nbuffer = io.StringIO()\nhidden = contextlib.redirect_stdout(buffer)",
        "hidden.__enter__();",
        "print('x')",
        "hidden.__exit__(None, None, None)",
        "print(repr(buffer.getvalue()))",
    ],
    "log lines": [
        "import io, logging\nbuffer = io.StringIO()\nlogger = logging.getLogger('tied')",
        "handler = logging.StreamHandler(buffer)\nlogger.addHandler(handler)",
        "logger.warning('one')",
        "got = buffer.getvalue()",
        "logger.warning('two')",
        "print(repr(got), repr(buffer.getvalue()))",
        "logger.removeHandler(handler)",
    ],
    "a thread that takes from a queue": [
        "import queue, threading\nq, out = queue.Queue(), []",
        "def work():\n    while (x := q.get()) is not None:\n        out.append(x)\n        q.task_done()",
        "threading.Thread(target=work, daemon=True).start()",
        "q.put(1); q.put(2)",
        "q.join()",
        "print(out)",
        "q.put(None)",
    ],
    "two connections to one file": [
        "import sqlite3",
        "con = sqlite3.connect('tied.db')",
        "con.execute('create table z(y)')\ncon.execute('insert into z values (1)')\ncon.commit()",
        "n = sqlite3.connect('tied.db').execute('select count(*) from z').fetchone()",
        "print(n)",
        "con.close()",
    ],
    "a look-up that inserts": [
        "from collections import defaultdict",
        "d = defaultdict(list)",
        "n = len(d)",
        "d['k']",
        "print(n, len(d))",
    ],
    "a bound method in a lazy map": [
        "base = [1]",
        "it = map(base.append, [7, 8])",
        "list(it)",
        "print(base)",
    ],
    "a method called through its class": ["base = [1]", "list.append(base, 'm')", "print(base)"],
    "dir()": ["print('late' in dir())", "late = 1", "print('late' in dir())"],
    "__main__": ["import sys", "print(hasattr(sys.modules['__main__'], 'late'))", "late = 1"],
    "globals by another name": ["g = globals", "g()['made'] = 6", "print(made)"],
    "annotations": ["y: int = 1", "print(sorted(__annotations__))", "z: int = 2"],
    "os.environ by another name": [
        "import os\nfrom os import environ as E\nE['TIED'] = 'a'",
        "a = os.environ['TIED']",
        "E.update(TIED='b')",
        "print(a, os.environ['TIED'])",
        "del E['TIED']",
    ],
}


@pytest.mark.parametrize("cells", TIES.values(), ids=TIES)
def test_cells_that_no_name_ties_run_as_they_stand(
    cells: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    said = []
    for number, executor in enumerate(("local", AnyOrder(Last()))):
        folder = tmp_path / str(number)
        folder.mkdir()
        flow = Flow.from_notebook(written(folder / "tied.ipynb", cells))
        state = flow.run(show=False, executor=executor)
        assert state.is_successful(), flow.failures()
        said.append([words(cell) for cell in flow.executed().cells])
    assert said[0] == said[1]
