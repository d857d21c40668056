"""Random notebooks: cells that share, change and hand on objects, in whatever way chance finds."""

from __future__ import annotations

import random
import re
from typing import Any

import numpy as np

NAMES = "abcde"
BOX = """class Box:
    def __init__(self, v):
        self.v = v

    def __repr__(self):
        return f'Box({self.v})'"""
FUNCTIONS = """def grow(x):
    if isinstance(x, list):
        x.append(9)
    return x

def pick(x, y):
    return x if isinstance(x, list) else y"""
FIRST = "\n".join(f"{name} = [{number}]" for number, name in enumerate(NAMES)) + "\nprint(a)"
HEAD = ["import numpy as np\nimport pandas as pd", BOX, FUNCTIONS, FIRST]
# x, y and z stand for names, N for a number.
STATEMENTS = [
    "x = [N, N + 1]",
    "x = y",
    "x = [y, z]",
    "x = {'k': y, 'n': N}",
    "x = y[0] if isinstance(y, list) and y else y",
    "x = list(y) if isinstance(y, list) else [y]",
    "if isinstance(x, list):\n    x.append(N)",
    "if isinstance(x, list):\n    x.append(y if not isinstance(y, list) else len(y))",
    "print(x is y, str(z)[:60])",
    "x = grow(y)",
    "x = pick(y, z)",
    "x = Box(y)",
    "x = y.v if isinstance(y, Box) else y",
    "if isinstance(x, Box):\n    x.v = N",
    "x = [q for q in (y, z)]",
    "x = tuple([y])",
    "len(str(x)) > N",
    "x = [i * N for i in range(3)]",
    "for i in range(N):\n    x = [i, y]",
    "try:\n    x = y + 1\nexcept TypeError:\n    x = z",
    "x, y = y, x",
    "x = None",
    "x = np.arange(N + 1.0)",
    "x = y[1:] if isinstance(y, np.ndarray) else y",
    "if isinstance(x, np.ndarray) and len(x):\n    x[0] = N",
    "x = dict(k=y)",
    "x = y['k'] if isinstance(y, dict) and 'k' in y else y",
    "if isinstance(x, dict):\n    x.update(n=N)",
    "x = pd.Series([1.0, N])",
    "x = y * 2 if isinstance(y, pd.Series) else y",
    "if isinstance(x, pd.Series):\n    x.iloc[0] = N",
    "if isinstance(x, pd.Series):\n    x.index.name = 'nN'",
    "x = y.rename('r') if isinstance(y, pd.Series) else y",
    "x = y.to_numpy() if isinstance(y, pd.Series) else y",
]


def cells_of(seed: int, count: int = 12) -> list[str]:
    """Return the cells of a notebook; the same for the same seed."""
    chance = random.Random(seed)
    return [*HEAD, *("\n".join(_statement(chance) for _ in range(chance.randint(1, 2))) for _ in range(count))]


def _statement(chance: random.Random) -> str:
    meant = {letter: chance.choice(NAMES) for letter in "xyz"} | {"N": str(chance.randrange(5))}
    text = re.sub(r"\b[xyz]\b", lambda found: meant[found[0]], chance.choice(STATEMENTS))
    return re.sub(r"\bN\b|(?<=n)N(?=')", meant["N"], text)


def shape(names: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return what the objects look like, and which of them are the same or share memory."""
    found = [one for name in NAMES if name in names for one in _parts(names[name], name)]
    first: dict[Any, str] = {}
    return [
        (
            path,
            type(one).__name__,
            first.setdefault(id(one), path),
            first.setdefault(("memory", _root(one)), path),
            str(one),
        )
        for path, one in found
        if not isinstance(one, (int, float, str, tuple, type(None)))
    ]


def _parts(value: Any, path: str, depth: int = 0) -> list[tuple[str, Any]]:
    found = [(path, value)]
    inner: list[tuple[str, Any]] = []
    if isinstance(value, (list, tuple)):
        inner = [(f"{path}[{place}]", one) for place, one in enumerate(value[:4])]
    elif isinstance(value, dict):
        inner = [(f"{path}[{key!r}]", one) for key, one in list(value.items())[:4]]
    elif type(value).__name__ == "Box":
        inner = [(f"{path}.v", value.v)]
    elif type(value).__name__ == "Series":
        inner = [(f"{path}.index", value.index)]
    if depth > 2:
        return found
    return found + [one for place, part in inner for one in _parts(part, place, depth + 1)]


def _root(value: Any) -> int:
    while isinstance(value, np.ndarray) and value.base is not None:
        value = value.base
    return id(value)
