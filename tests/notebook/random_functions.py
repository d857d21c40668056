"""Random notebooks: functions that are defined anew, kept by whatever may keep them, and called from there."""

from __future__ import annotations

import random
import re

HEAD = [
    "import functools, types\nfrom collections import defaultdict",
    """REG = []
TAB = {}
def reg(fn):
    REG.append(fn)
    return fn
def named(k):
    def deco(fn):
        TAB[k] = fn
        return fn
    return deco
def call(fn, *a):
    return fn(*a)""",
    """class Bus:
    kinds = []
    count = 0
    def __init__(self): self.fs = []; self.n = 0
    def on(self, fn): self.fs.append(fn); return fn
    def fire(self): self.n += 1; return [fn() for fn in self.fs]
    @property
    def tick(self): self.n += 1; return self.n
    @classmethod
    def up(cls): cls.count += 1; return cls.count
    def __init_subclass__(cls, **k): Bus.kinds.append(cls)
    def __iter__(self): self.n += 1; return iter(self.fs)
    def __len__(self): return len(self.fs)
bus, bus2 = Bus(), Bus()""",
    """a, b, c = 1, 2, 3
def f(): return a
def g(): return b
def h(): return c
dd, log, ns = defaultdict(int), [], types.SimpleNamespace(v=1)""",
]
# X and Y stand for numbers' names, F and G for functions', B for a bus, N for a number.
STATEMENTS = [
    "X = N",
    "X = Y + N",
    "X = call(F)\nX = X if isinstance(X, int) else N",
    "def F(): return X * N",
    "def F():\n    global X\n    X += 1\n    return X",
    "F = lambda: (X, N)",
    "F = functools.partial(call, lambda: X)",
    "reg(F);",
    "@reg\ndef F(): return (X, 'rN')",
    "@named(N)\ndef F(): return Y",
    "@B.on\ndef F(): return X",
    "B.on(F);",
    "B.fs = [F]",
    "B.fs += [G]",
    "B = Bus()",
    "class KN(Bus):\n    def go(self): return X",
    "Bus.extra = lambda self: X",
    "setattr(Bus, 'mark', N)",
    "print([str(k())[:30] for k in REG[-4:]])",
    "print({k: str(v())[:30] for k, v in TAB.items()})",
    "print([str(k)[:30] for k in B.fire()[-4:]])",
    "print(B.tick, B.n)",
    "print(Bus.up())",
    "print(len(Bus.kinds), Bus.count)",
    "print([k().go() for k in Bus.kinds])",
    "print(B.extra() if hasattr(B, 'extra') else 'no')",
    "print(getattr(B, 'mark', None))",
    "print(len(B))",
    "for k in B: print(str(k())[:20])",
    "print(str(F())[:30], str(call(G))[:30])",
    "print(str(ns.v() if callable(ns.v) else ns.v)[:30])",
    "print([str(k())[:20] for k in log[-3:]])",
    "print(sorted(dd))",
    "print(getattr(F, 'tag', None))",
    "print([str(k())[:20] for k in sorted([F, G], key=lambda k: str(k()))])",
    "dd[N];",
    "ns.v = F",
    "ns.v = X",
    "log.append(F)",
    "log = [F, G]",
    "F.tag = N",
    "REG.clear()",
    "del REG[:1]",
    "gen = (fn() for fn in REG)",
    "print([str(k)[:20] for k in gen])",
    "it = iter([X, Y, N])\nprint(next(it))",
    "memo = functools.lru_cache(lambda k: X)",
    "try:\n    X = Y // N\nexcept ZeroDivisionError:\n    X = 0",
]


def cells_of(seed: int, count: int = 14) -> list[str]:
    """Return the cells of a notebook; the same for the same seed."""
    chance = random.Random(seed)
    cells = ("\n".join(_statement(chance) for _ in range(chance.randint(1, 2))) for _ in range(count))
    return [*HEAD, "gen = iter(())", *cells]


def _statement(chance: random.Random) -> str:
    meant = {one: chance.choice("abc") for one in "XY"} | {one: chance.choice("fgh") for one in "FG"}
    meant |= {"B": chance.choice(["bus", "bus2"]), "N": str(chance.randrange(9))}
    text = re.sub(r"\b[XYFGBN]\b", lambda found: meant[found[0]], chance.choice(STATEMENTS))
    return re.sub(r"(?<=\bK)N|(?<='r)N", meant["N"], text)
