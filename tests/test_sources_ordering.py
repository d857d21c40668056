"""Ordering cells: which must run before which, and why."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook.sources import CellNames, Dependency, analyse, dependencies, outputs, shared_cells, temporaries


def edges(*cells: str) -> set[str]:
    """Write the dependencies as `0-1 data x`."""
    return {f"{e.upstream}-{e.downstream} {' '.join((e.kind, *e.names))}" for e in dependencies(cells)}


# Each row: a rule, the cells, their dependencies.
TABLE: list[tuple[str, list[str], set[str]]] = [
    ("a read binds to the nearest earlier writer", ["x = 1", "x = 2", "y = x"], {"0-1 order x", "1-2 data x"}),
    ("independent cells have no edges", ["a = 1", "b = 2", "c = 3"], set()),
    ("a name nobody writes binds to nothing", ["y = x", "z = x"], set()),
    ("a writer below does not count", ["y = x", "x = 1"], {"0-1 order x"}),
    ("write after read", ["x = 1", "y = x", "x = 2"], {"0-1 data x", "0-2 order x", "1-2 order x"}),
    ("readers run beside each other", ["x = 1", "a = x", "b = x"], {"0-1 data x", "0-2 data x"}),
    (
        "a change is a new version",
        ["x = []", "x.append(1)", "print(x)"],
        {"0-1 data x", "1-2 data x"},
    ),
    (
        "a call of what is not known may write a file that is read below",
        ["import tool", "tool.prepare()", "text = open('a.txt').read()", "tool.tidy()", "text = open('b.txt').read()"],
        {"0-1 data tool", "1-2 order", "0-3 data tool", "2-3 order", "1-4 order", "3-4 order", "2-4 order text"},
    ),
    (
        "nobody waits for calls of what is not known where no files are used",
        ["import tool", "a = tool.guess(1)", "b = tool.guess(2)", "text = 'a.txt'"],
        {"0-1 data tool", "0-2 data tool"},
    ),
    ("annotations in a class are read", ["class A: pass", "class B:\n    a: A\n    b: int = 1"], {"0-1 data A"}),
    (
        "what a cache tells is another answer after each call",
        ["@lru_cache\ndef f(x): return x", "f(1)", "f(2)", "f.cache_info()", "f(3)"],
        {"0-1 data f", "0-2 data f", "0-3 data f", "1-3 order f", "2-3 order f", "3-4 data f"},
    ),
    (
        "a connection answers one question at a time",
        ["import sqlite3", "c = sqlite3.connect('x.db')", "def ask(q): return c.execute(q)", "ask('1')", "ask('2')"],
        {"0-1 data sqlite3", "1-3 data c", "2-3 data ask", "3-4 data c", "2-4 data ask"},
    ),
    (
        "readers of the old version come first",
        ["x = []", "n = len(x)", "x += [1]", "m = len(x)"],
        {"0-1 data x", "0-2 data x", "1-2 order x", "2-3 data x"},
    ),
    (
        "writers in several cells",
        ["df = 1", "a = df", "df = 2", "b = df"],
        {"0-1 data df", "0-2 order df", "1-2 order df", "2-3 data df"},
    ),
    (
        "a maybe-writer keeps the earlier one",
        ["x = 1", "if c: x = 2", "y = x"],
        {"0-1 order x", "0-2 data x", "1-2 data x"},
    ),
    ("an unknown method may change", ["m = f()", "m.go()", "m.score(1)"], {"0-1 data m", "0-2 data m", "1-2 order m"}),
    ("a harmless one does not", ["m = f()", "m.mean()", "m.sum()"], {"0-1 data m", "0-2 data m"}),
    (
        "a function of the notebook that changes its argument",
        ["def f(a): a.append(1)", "x = []", "f(x)", "y = x"],
        {"0-2 data f", "1-2 data x", "1-3 data x", "2-3 order x"},
    ),
    (
        "one that does not",
        ["def f(a): return a + 1", "x = 1", "f(x)", "y = x"],
        {"0-2 data f", "1-2 data x", "1-3 data x"},
    ),
    (
        "followed through a function of another cell",
        ["def g(b): b.clear()", "def f(a): g(a)", "x = []", "f(x)", "y = x"],
        {"0-3 data g", "1-3 data f", "2-3 data x", "2-4 data x", "3-4 order x"},
    ),
    ("a caller reads what the function reads", ["k = 1", "def f(): return k", "f()"], {"0-2 data k", "1-2 data f"}),
    (
        "late, at the call",
        ["def f(): return k", "k = 1", "f()", "k = 2", "f()"],
        {"0-2 data f", "0-4 data f", "1-2 data k", "1-3 order k", "2-3 order k", "3-4 data k"},
    ),
    (
        "also through other functions",
        ["k = 1", "def g(): return k", "def f(): return g()", "f()"],
        {"0-3 data k", "1-3 data g", "2-3 data f"},
    ),
    (
        "and through objects of a class",
        ["k = 1", "class A:\n  def go(self): return k", "a = A()", "a.go()"],
        {"0-2 data k", "0-3 data k", "1-2 data A", "2-3 data a"},
    ),
    (
        "and through containers",
        ["k = 1", "def f(): return k", "fs = [f]", "k = 2", "y = fs[0]()"],
        {"0-2 data k", "0-3 order k", "1-2 data f", "2-3 order k", "2-4 data fs", "3-4 data k"},
    ),
    (
        "a function that writes a global",
        ["n = 0", "def f():\n  global n\n  n += 1", "f()", "m = n"],
        {"0-2 data n", "0-3 data n", "1-2 data f", "2-3 data n"},
    ),
    (
        "a method that changes its object",
        [
            "class A:\n  def grow(self): self.n = 1\n  def size(self): return 1",
            "a = A()",
            "a.size()",
            "a.grow()",
            "a.size()",
        ],
        {"0-1 data A", "1-2 data a", "1-3 data a", "1-4 data a", "2-3 order a", "3-4 order a"},
    ),
    (
        "even one with a harmless name",
        ["class A:\n  def mean(self): self.n = 1", "a = A()", "a.mean()", "print(a)"],
        {"0-1 data A", "1-2 data a", "1-3 data a", "2-3 order a"},
    ),
    (
        "an alias shares its object's changes",
        ["a = []", "b = a", "b.append(1)", "print(a)"],
        {"0-1 data a", "0-3 data a", "1-2 data b", "2-3 order a", "0-2 order a"},
    ),
    (
        "so do elements",
        ["rows = [{}]", "row = rows[0]", "row['x'] = 1", "print(rows)"],
        {"0-1 data rows", "0-3 data rows", "1-2 data row", "2-3 order rows", "0-2 order rows"},
    ),
    (
        "a sum does not",
        ["a = [1]", "b = a + [2]", "b.append(3)", "print(a)"],
        {"0-1 data a", "0-3 data a", "1-2 data b"},
    ),
    (
        "an iterator is moved by its use",
        ["it = iter(x)", "a = list(it)", "b = list(it)"],
        {"0-1 data it", "1-2 data it"},
    ),
    (
        "a generator function makes one",
        ["def g(): yield 1", "it = g()", "a = list(it)", "b = list(it)"],
        {"0-1 data g", "1-2 data it", "2-3 data it"},
    ),
    ("an open file too", ["fh = open('a')", "a = fh.readline()", "b = fh.readline()"], {"0-1 data fh", "1-2 data fh"}),
    (
        "fit is a change in place",
        ["m = M()", "m.fit(1)", "m.predict(2)", "m.score(3)"],
        {"0-1 data m", "1-2 data m", "1-3 data m"},
    ),
    ("del comes after all readers", ["x = 1", "y = x", "del x"], {"0-1 data x", "0-2 data x", "1-2 order x"}),
    ("and before the next writer", ["x = 1", "del x", "x = 2"], {"0-1 data x", "1-2 order x"}),
    ("loop names are nobody else's", ["for i in a: f(i)", "for i in b: g(i)"], set()),
    (
        "unless another cell reads them",
        ["for i in a: pass", "print(i)", "for i in b: pass"],
        {"0-1 data i", "0-2 order i", "1-2 order i"},
    ),
    (
        "or a comprehension in the cell captures them",
        ["for i in a: [i for _ in b]", "for i in c: [i for _ in d]"],
        {"0-1 order i"},
    ),
    ("except names are nobody else's", ["try: f()\nexcept E as e: 1", "try: g()\nexcept E as e: 2"], set()),
    (
        "unless they are a name of another",
        ["e = 2.7", "try: f()\nexcept E as e: 1", "print(e)"],
        {"0-1 order e", "0-2 data e", "1-2 order e"},
    ),
    (
        "random numbers keep document order",
        ["np.random.seed(0)", "a = np.random.rand()", "b = np.random.rand()"],
        {"0-1 order random", "1-2 order random"},
    ),
    (
        "through a name from another cell",
        ["from random import random as r", "a = r()", "b = r()"],
        {"0-1 data r", "0-2 data r", "1-2 order random"},
    ),
    (
        "and through an unusual one",
        ["import numpy as N", "N.random.seed(1)", "b = N.random.rand()"],
        {"0-1 data N", "0-2 data N", "1-2 order random"},
    ),
    (
        "and through a function",
        ["def f(): return random.random()", "a = f()", "b = f()"],
        {"0-1 data f", "0-2 data f", "1-2 order random"},
    ),
    (
        "models may draw, if the notebook does",
        ["np.random.seed(0)", "m.fit(x)", "n.fit(x)"],
        {"0-1 order random", "1-2 order random"},
    ),
    ("if nobody seeds, they are free", ["m.fit(x)", "n.fit(x)"], set()),
    ("files: readers beside each other", ["a = pd.read_csv('a')", "b = pd.read_csv('b')"], set()),
    (
        "files: writers against all",
        ["a = pd.read_csv('a')", "a.to_csv('b')", "b = pd.read_csv('b')"],
        {"0-1 data a", "1-2 order files"},
    ),
    ("files are found from the working directory", ["os.chdir('d')", "a = open('a').read()"], {"0-1 order process"}),
    ("shell commands keep their order", ["!make a", "!make b"], {"0-1 order files process"}),
    (
        "settings come before what is shown",
        ["print(1)", "pd.options.display.max_rows = 3", "df"],
        {"0-1 order settings", "1-2 order settings"},
    ),
    ("pyplot's figure", ["plt.figure()", "plt.plot(x)", "plt.show()"], {"0-1 order plot", "1-2 order plot"}),
    (
        "a figure belongs to pyplot",
        ["fig, ax = plt.subplots()", "ax.plot(x)", "plt.title('t')", "fig"],
        {"0-1 data ax", "0-3 data fig", "1-2 order plot", "2-3 order plot", "1-3 order fig"},
    ),
    (
        "opaque cells are barriers",
        ["a = 1", "b = 2", "exec(t)", "c = 3", "d = a"],
        {"0-2 order", "1-2 order", "2-3 order", "2-4 order", "0-4 data a"},
    ),
    ("history too", ["1 + 1", "x = _", "2"], {"0-1 order", "1-2 order"}),
    ("a builtin rebound is a name", ["sum = max", "y = sum(x)"], {"0-1 data sum"}),
    (
        "a spelling is no proof",
        ["np = []", "np.append(1)", "print(np)"],
        {"0-1 data np", "0-2 data np", "1-2 order np"},
    ),
    (
        "importing again is nothing new",
        ["import numpy as np", "a = np.ones(3)", "import numpy as np", "b = np.ones(3)"],
        {"0-1 data np", "0-3 data np"},
    ),
    (
        "importing something else is",
        ["import a as m", "m.f()", "import b as m"],
        {"0-1 data m", "0-2 order m", "1-2 order m"},
    ),
    (
        "an object outlives the name it was read by",
        ["a = [1]", "b = a", "n = len(b)", "b = 0", "a.append(2)"],
        {"0-1 data a", "0-4 data a", "1-2 data b", "1-3 order b", "2-3 order b", "1-4 order a", "2-4 order"},
    ),
    (
        "a result that is new leaves the argument alone",
        ["def f(t): return len(t)", "x = []", "y = f(x)", "y += 1", "print(x)"],
        {"0-2 data f", "1-2 data x", "1-4 data x", "2-3 data y"},
    ),
    (
        "one that is the argument does not",
        ["def f(t): return t", "x = []", "y = f(x)", "y += [1]", "print(x)"],
        {"0-2 data f", "1-2 data x", "1-4 data x", "2-3 data y", "1-3 order x", "3-4 order x"},
    ),
    (
        "nor one that is a global",
        ["cache = {}", "def get(): return cache", "c = get()", "c['k'] = 1", "print(cache)"],
        {"0-2 data cache", "0-4 data cache", "1-2 data get", "2-3 data c", "0-3 order cache", "3-4 order cache"},
    ),
    (
        "what a function reads is nothing to who reads its result",
        ["def load(): return pd.read_csv('a')", "df = load()", "m = df.mean()", "m.to_csv('b')"],
        {"0-1 data load", "1-2 data df", "2-3 data m", "1-3 order files"},
    ),
    (
        "unless the result can call again",
        ["k = 1", "def make(): return lambda: k", "g = make()", "k = 2", "y = g()"],
        {"0-2 data k", "1-2 data make", "0-3 order k", "2-3 order k", "2-4 data g", "3-4 data k"},
    ),
    (
        "a generator reads when it is used",
        ["k = 1", "it = (z * k for z in xs)", "k = 2", "y = list(it)"],
        {"0-1 data k", "0-2 order k", "1-2 order k", "1-3 data it", "2-3 data k"},
    ),
    (
        "a default argument is kept between calls",
        ["def f(q=[]):\n  q.append(1)\n  return len(q)", "a = f()", "b = f()"],
        {"0-1 data f", "0-2 data f", "1-2 order a f"},
    ),
    ("functions are not changed by being called", ["def f(): pass", "g(f)", "h(f)"], {"0-1 data f", "0-2 data f"}),
    (
        "nor are modules",
        ["import tools", "a = tools.make(1)", "b = tools.make(2)"],
        {"0-1 data tools", "0-2 data tools"},
    ),
    (
        "a module from a file comes after the file",
        ["%%writefile helpers.py\nx = 1", "import helpers"],
        {"0-1 order files"},
    ),
    ("text may name variables", ["limit = 3", "df.query('a > @limit')"], {"0-1 data limit"}),
    (
        "a branch of work runs beside another",
        ["import time", "time.sleep(1); a = 1", "time.sleep(1); b = 2", "a + b"],
        {"0-1 data time", "0-2 data time", "1-3 data a", "2-3 data b"},
    ),
]


@pytest.mark.parametrize(("rule", "cells", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_cells_follow_the_rule(rule: str, cells: list[str], expected: set[str]) -> None:
    assert edges(*cells) == expected


def test_cells_may_be_analysed_before() -> None:
    cells = ["x = 1", "y = x"]
    assert dependencies([analyse(cell) for cell in cells]) == dependencies(cells)
    assert dependencies([]) == []


def test_names_made_by_hand_will_do() -> None:
    cells = [CellNames(writes=frozenset("x")), CellNames(reads=frozenset("x"), mutates=frozenset("x"))]
    assert dependencies(cells) == [Dependency(0, 1, ("x",), "data", "reads x")]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["x = []", "x.append(1)"], "reads x"),
        (["y = x", "x = 1"], "writes x, which the earlier cell reads"),
        (["x = 1", "x = 2"], "writes x, and the earlier cell writes x"),
        (["y = len(x)", "x.append(1)"], "changes x in place, which the earlier cell reads"),
        (["y = len(x)", "x.go()"], "may change x by calling x.go(), which the earlier cell reads"),
        (["y = len(x)", "go(x)"], "may change x by calling go(), which the earlier cell reads"),
        (["print(x)", "del x"], "deletes x, which the earlier cell reads"),
        (["x.go()", "y = len(x)"], "reads x, and the earlier cell may change x by calling x.go()"),
        (["import a", "exec(t)"], "runs after all cells above: exec() runs text as code"),
    ],
)
def test_reasons_are_sentences(cells: list[str], reason: str) -> None:
    assert dependencies(cells)[0].reason == reason


def test_shared_cells_are_those_nobody_touches() -> None:
    cells = [
        "import a",  # 0 shared
        "log = []",  # 1 changed below
        "k = 3",  # 2 shared
        "def f(): return k * m",  # 3 shared
        "m = k + 1",  # 4 shared: of a shared constant
        "log.append(f())",  # 5 works
        "n = 1",  # 6 written twice
        "n = 2",  # 7
        "o = n",  # 8 of a cell that is not shared
        "q = 5",  # 9 deleted below
        "del q",  # 10
        "import a",  # 11 shared: the same again
    ]
    assert shared_cells(cells) == {0, 2, 3, 4, 11}


def test_a_constant_changed_by_a_function_of_another_cell_is_not_shared() -> None:
    assert shared_cells(["n = 0", "def f():\n  global n\n  n += 1", "f()"]) == {1}


def test_outputs_are_what_others_read() -> None:
    cells = ["a = 1\nb = 2\nfor i in x: pass", "c = a", "a = 3", "print(a, c)"]
    assert outputs(cells) == (frozenset("a"), frozenset("c"), frozenset("a"), frozenset())


def test_temporaries_are_off_when_a_cell_is_opaque() -> None:
    assert temporaries(["for i in x: pass", "for i in y: pass"]) == (frozenset("i"), frozenset("i"))
    assert temporaries(["for i in x: pass", "exec(t)"]) == (frozenset(), frozenset())


def test_underscored_names_are_temporary() -> None:
    assert temporaries(["_tmp = f()\nx = _tmp", "_tmp = g()\ny = _tmp"]) == (frozenset({"_tmp"}),) * 2


# ---------------------------------------------------------------- laws

NAMES = "abcd"
name = st.sampled_from(NAMES)
pair = st.tuples(name, name, st.integers(0, 3))
SHAPES = (
    "{x} = {n}", "{x} = [{n}]", "{x} = [[{n}]]", "{x} = {y}", "{x} = [{y}]", "{x} = [{y}, {y}]",
    "{x} = list({y})", "{x} = {y} + {y}", "{x} += {y}", "{x} += [{n}]", "{x}.append({y})", "{x}.append({n})",
    "{x}[0] = {y}", "{x}[0] = {n}", "{x}[0].append({n})", "{x} = {y}[0]", "{x}, {y} = {y}, {x}",
    "{x} = {y} = [{n}]", "del {x}", "if {n} > 1: {x} = {y}", "for i in [*{y}]: {x} = i",
    "{x} = [z for z in {y}]", "{x} = len({y})", "{x}.sort(key=lambda z: str(z)[:3])", "for i in [*{y}]: i.append({n})",
    "{x} = {y}.copy()", "{x} = ({y}, {n})", "{x} = {y} if {n} > 1 else {x}", "def f(): return {y}",
    "def f(q): q.append({n})", "def f(q): return [q, {y}]", "def f():\n  global {x}\n  {x} = [{n}]",
    "{x} = f()", "f({y})", "{x} = f({y})", "h = lambda q: q.append({x})", "h({y})", "def g(q): return f(q)",
    "g({y})", "{x} = [f]", "{x}[0]({y})", "it = iter({y})", "{x} = next(it)", "{x} = list(it)",
    "it = (z for z in {y})", "it = (({x}, z) for z in {y})", "it = map(f, {y})",
    "class K:\n  def go(self): return {y}\n  def put(self, q): self.q = q; q.append({n})", "k = K()",
    "k.put({y})", "{x} = k.go()", "{x} = k.q", "k.q.append({n})", "{x} = {{'k': {y}}}", "{x}['k'] = {y}",
    "{x}.update(k={n})", "{x} = max({y}, key=lambda z: str(z)[:3])", "{x} = list(map(f, [*{y}]))",
    "exec('{x} = [{n}]')",
    "{x} = globals()['{y}']", "[{x} := z for z in {y}]", "{x} = sorted({y}, key=lambda z: str(z)[:3])",
    "r = {y}; r.append({n})", "{x}.extend({y})", "with_ = [{y}]; with_[0].append({n})", "{x} = [*{y}, {n}]",
    "setattr(k, 'q', {y})", "random.seed({n})", "def f(q): return q", "def f(q): return {y}",
    "def f(): return lambda: {y}", "{x} = f({y})[0]", "{x} = f()()",
    "def f(q):\n  def inner(): return q\n  return inner", "{x} = f({y})()", "f({y})().append({n})",
    "u = f; {x} = u({y})", "v = f({y}); v.append({n})", "def m(): return K()", "k = m()",
    "def f(q=[{n}]):\n  q.append(1)\n  return q", "def f(*q): q[0].append({n})", "f({y}, {x})",
    "def f(**q): return q['z']", "{x} = f(z={y})", "w = (f, {y})", "w[0](w[1])", "{x} = w[1]",
    "def f(q): yield q; yield {y}", "it = f({y})", "for i in [*f({y})]: i.append({n})",
    "{x} = [f({y}) for z in [*{y}]]", "def f(q):\n  try: return q[0]\n  except Exception as e: return {y}",
    "match {y}:\n  case [{x}, *_]: pass\n  case _: {x} = [{n}]", "with K2() as {x}: {x}.append({n})",
    "class K2:\n  o = {y}\n  def __enter__(self): return self.o\n  def __exit__(self, *e): {x}.append(1)",
    "if {n} > 1: del {x}", "try:\n  {x} = {y}[0][0]\nexcept Exception:\n  {x} = [{n}]", "{x}: list = {y}",
    "f.n = {y}", "{x} = f.n", "def f():\n  f.n = [{n}]", "{x} = K2.o", "{x} = K2().o", "k.o = {y}",
    "K.o = {y}", "{x} = k.o", "k.__class__.o.append({n})", "{x} = random.random()",
    "{x} = random.sample(range(9), 3)", "random.shuffle({y})",
)  # fmt: skip


@st.composite
def statement(draw: Any) -> str:
    x, y, n = draw(pair)
    return str(draw(st.sampled_from(SHAPES)).format(x=x, y=y, n=n))


notebooks = st.lists(st.lists(statement(), min_size=1, max_size=2).map("\n".join), min_size=2, max_size=14)
START = "import random\nrandom.seed(7)\na = [[1], [2]]\nb = [[3]]\nc = [4]\nd = 5"


def fresh_namespace() -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "cells"}
    exec(START, space)
    return space


def picture(space: dict[str, Any]) -> str:
    """Write down all values and which of them are the same object."""
    seen: dict[int, int] = {}

    def draw(value: Any) -> str:
        if isinstance(value, (int, float, str)) or value is None:
            return repr(value)
        if id(value) in seen:
            return f"#{seen[id(value)]}"
        seen[id(value)] = len(seen)
        if isinstance(value, (list, tuple)):
            return f"{type(value).__name__}({', '.join(draw(one) for one in value)})"
        if isinstance(value, dict):
            return f"dict({', '.join(f'{key}: {draw(one)}' for key, one in value.items())})"
        if type(value).__name__ in {"list_iterator", "tuple_iterator"}:
            return f"iter({draw(value.__reduce__()[1][0])}, {value.__length_hint__()})"
        if callable(value) or not hasattr(value, "__dict__"):
            return type(value).__name__
        return f"{type(value).__name__}({draw(vars(value))})"

    hidden = {"__builtins__", "__annotations__", "random", "i"}
    return "; ".join(f"{key} = {draw(space[key])}" for key in sorted(space.keys() - hidden))


def run(cells: list[str], order: list[int]) -> str:
    space = fresh_namespace()
    for position in order:
        exec(cells[position], space)
    return picture(space)


def runnable(cells: list[str]) -> list[str]:
    """Leave out the cells that fail in document order."""
    kept: list[str] = []
    space = fresh_namespace()
    for cell in cells:
        trial = [*kept, cell]
        try:
            space = fresh_namespace()
            for one in trial:
                exec(one, space)
        except Exception:  # noqa: BLE001  random cells fail in any way there is
            continue
        kept = trial
    return kept


def allowed_order(found: list[Dependency], count: int, dice: random.Random) -> list[int]:
    before: dict[int, set[int]] = {position: set() for position in range(count)}
    for edge in found:
        before[edge.downstream].add(edge.upstream)
    order: list[int] = []
    while len(order) < count:
        ready = [position for position in before if position not in order and before[position] <= set(order)]
        order.append(dice.choice(ready))
    return order


def grow(dice: random.Random, length: int) -> list[str]:
    """Write a notebook, cell by cell, of what does not fail there."""
    cells: list[str] = []
    while len(cells) < length:
        few = dice.sample(NAMES, 2) if dice.random() < 0.5 else NAMES  # few names meet more often
        shapes = dice.choices(SHAPES, k=dice.randint(1, 2))
        made = [one.format(x=dice.choice(few), y=dice.choice(few), n=dice.randint(0, 3)) for one in shapes]
        cells = runnable([*cells, "\n".join(made)])
    return cells


def check_orders(cells: list[str], dice: random.Random) -> None:
    found = dependencies([START, *cells])
    inner = [Dependency(e.upstream - 1, e.downstream - 1, e.names, e.kind, e.reason) for e in found if e.upstream > 0]
    expected = run(cells, list(range(len(cells))))
    for _ in range(4):
        order = allowed_order(inner, len(cells), dice)
        assert run(cells, order) == expected, f"order {order} of {cells}"


@settings(max_examples=150, deadline=None)
@given(notebooks, st.randoms(use_true_random=True))
def test_every_allowed_order_ends_like_document_order(cells: list[str], dice: random.Random) -> None:
    check_orders(runnable(cells), dice)


@pytest.mark.parametrize("seed", range(8))
def test_so_it_does_in_longer_notebooks(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(40):
        check_orders(grow(dice, dice.randint(6, 14)), dice)


@settings(max_examples=200, deadline=None)
@given(notebooks)
def test_edges_go_down_once_for_each_two_cells_and_give_a_reason(cells: list[str]) -> None:
    found = dependencies(cells)
    assert len({(e.upstream, e.downstream) for e in found}) == len(found)
    for edge in found:
        assert 0 <= edge.upstream < edge.downstream < len(cells)
        assert edge.reason
        assert edge.names == tuple(sorted(edge.names))
    assert found == sorted(found, key=lambda e: (e.downstream, e.upstream))


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        ("sorted(f)", False),
        ("max(f, 3)", False),
        ("sorted(rows, key=f)", True),
        ("min(rows, **f)", True),
        ("list(map(f, rows))", True),
        ("list(map(str, f))", False),
        ("list(filter(f, rows))", True),
    ],
)
def test_of_what_sorting_and_the_like_are_given_only_the_function_is_called(code: str, *, calls: bool) -> None:
    cells = ["rows = [[1]]", "def f(x):\n    x.append(1)\n    return x", code]
    found = [one for one in dependencies(cells) if (one.upstream, one.downstream) == (0, 2)]
    names = analyse(code)
    assert any(call.function == "f" for call in names.calls) is calls
    assert bool(found) is ("rows" in code)
