"""What was read in a cell: records only, frozen, with nothing of how they were found."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


class CellSyntaxError(SyntaxError):
    r"""Say that a cell is not Python, with the line of the cell and its text.

    `lineno` counts from 1 in the cell as it was written, magics and empty lines included; `text` is the line.

    >>> from flowbook.sources import analyse
    >>> analyse("x = 1\ny = = 2")
    Traceback (most recent call last):
    flowbook.sources.names.CellSyntaxError: line 2 of the cell: invalid syntax: 'y = = 2'. ...
    """

    def __init__(self, problem: str, line: int, source: str) -> None:
        lines = re.split(r"\r\n|\r|\n", source)  # the only line ends Python counts
        line = min(max(line, 1), len(lines))
        text = lines[line - 1]
        shown = text.strip() if len(text) <= 80 else text.strip()[:77] + "..."  # noqa: PLR2004  a line to be read
        super().__init__(f"line {line} of the cell: {problem}: {shown!r}. Correct the line.")
        self.problem, self.lineno, self.text = problem, line, text

    def __str__(self) -> str:
        return str(self.msg)  # Python would append the line a second time


@dataclass(frozen=True, slots=True)
class Call:
    """A call of something that other cells define: what it does to its arguments is known only with them.

    `function` is dotted and starts at a global name. `arguments` pairs a slot (position, keyword, or "*" for
    an unpacked argument) with a name whose object the callee gets hold of. When `result` is "own" or "deep", it is
    not the call that may change it, but such a change of what came out of the call.
    """

    function: str
    arguments: tuple[tuple[int | str, str], ...] = ()
    result: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """What the body of a function, or of a class with all its methods, does when it is called.

    `reads`, `writes`, `mutates`, `may_mutate`, `deletes` and `builtins` are global names. `changes` holds the
    parameters whose objects it changes, or may change; `methods` a class's methods by name. `calls` are calls
    of what other cells define, whose arguments are parameters or globals. A `generator`'s result is used up.
    `gives` holds the names whose objects the result may share, and how; what comes out of one that
    `makes_code` (a class, a function that returns functions) can call it again. One that `keeps` has objects of
    its own that calls can change: default arguments, class attributes.
    """

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    may_mutate: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    builtins: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()
    observes: frozenset[str] = frozenset()
    hints: frozenset[str] = frozenset()
    opaque: str | None = None
    parameters: tuple[str, ...] = ()
    changes: frozenset[str] = frozenset()
    calls: tuple[Call, ...] = ()
    passed: frozenset[str] = frozenset()
    assumed: frozenset[str] = frozenset()
    methods: Mapping[str, Deferred] = field(default_factory=dict, hash=False)
    generator: bool = False
    gives: frozenset[tuple[str, int]] = frozenset()
    makes_code: bool = False
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Objects:
    """Which objects a cell's names are bound to at its end, and which share parts: integers stand for them.

    `bound` gives the objects of each name written; `incoming` names the objects that came from earlier
    cells; `shares` lists (object, object it has something of, how), see `flowbook.sources.sharing`; `code`
    the functions and classes among them; `consumable` those which a use changes: iterators, open files;
    `conditions` the (function, slot) which conditional entries of `shares` count. `handed` pairs functions of
    other cells with what they were given, and may keep; `background` to what calls them while other cells run;
    `heard` to what writes log lines into them. `clocked` came from a clock; `results` tells which came out of which
    function of other cells.
    """

    bound: tuple[tuple[str, tuple[int, ...]], ...] = ()
    incoming: tuple[tuple[int, str], ...] = ()
    shares: tuple[tuple[int, int, int], ...] = ()
    code: tuple[tuple[int, Deferred], ...] = ()
    consumable: frozenset[int] = frozenset()
    conditions: tuple[tuple[str, int | str], ...] = ()
    handed: frozenset[tuple[str, int]] = frozenset()
    background: frozenset[int] = frozenset()
    heard: frozenset[int] = frozenset()
    clocked: frozenset[int] = frozenset()
    results: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CellNames:
    """What a cell does to the names of the notebook, as far as its text tells.

    * `reads`: global names needed from earlier cells (a name the cell surely binds first is not read).
    * `writes`: names bound for sure when the cell ends well; `maybe_writes`: bound on some path only.
    * `mutates`: objects of earlier cells changed in place (`x += 1`, `x[k] = v`, `x.append(v)`).
    * `may_mutate`: objects that may be: an unknown method, a function that changes its argument, an alias.
    * `deletes`: names gone when the cell ends. `imports`: names that import statements bind.
    * `effects`: hidden state it touches: `random`, `files`, `process`, `settings`, `plot`.
    * `deferred`: function or class name -> what its body does when called.
    * `opaque`: why the text does not tell what the cell does, or None.

    The remaining fields serve `dependencies`:

    * `builtins`: builtins it uses, which matter only when a cell rebinds one. `observes`: the effects it only
      looks at. `hints`: effects it may feel or have, which matter only when another cell surely has
      them; besides, "log" when it writes log lines, and "clock" when it asks what time it is.
    * `temporary`: loop, with and underscore names nothing else in the cell captures; `fleeting`: except names.
    * `shareable`: holds only imports, definitions and constants. `modules`: what each import binds, dotted.
    * `calls`: calls of what other cells define; `passed`: what `may_mutate` holds only because of them;
      `assumed`: names taken for well-known modules by their spelling (`np`); `trusted`: (name, attribute) pairs
      taken as harmless by the attribute's name. `shallow`: what of `mutates` keeps its elements as they are.
      `patches`: names of which it sets an attribute; `scene`: what goes on below: "replaces sys.stdout" (or
      something else that all cells use unseen), "hands on" (`globals` and its like), "enters" and "leaves" (a context),
      "forgets" (any name may stand for any object now). `objects`: see `Objects`.

    >>> from flowbook.sources import analyse
    >>> names = analyse("total += price * count")
    >>> sorted(names.reads), sorted(names.writes), sorted(names.mutates)
    (['count', 'price', 'total'], ['total'], ['total'])
    """

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    maybe_writes: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    may_mutate: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()
    deferred: Mapping[str, Deferred] = field(default_factory=dict, hash=False)
    opaque: str | None = None
    builtins: frozenset[str] = frozenset()
    observes: frozenset[str] = frozenset()
    hints: frozenset[str] = frozenset()
    temporary: frozenset[str] = frozenset()
    fleeting: frozenset[str] = frozenset()
    shareable: bool = False
    modules: Mapping[str, str] = field(default_factory=dict, hash=False)
    calls: tuple[Call, ...] = ()
    passed: frozenset[str] = frozenset()
    assumed: frozenset[str] = frozenset()
    trusted: frozenset[tuple[str, str]] = frozenset()
    shallow: frozenset[str] = frozenset()
    patches: frozenset[str] = frozenset()
    scene: frozenset[str] = frozenset()
    objects: Objects = Objects()


@dataclass(frozen=True, slots=True)
class Dependency:
    """One cell must run before another: `upstream` and `downstream` are positions in the list of cells.

    `kind` is "data" when the downstream cell reads `names` from the upstream one, and "order" when only their
    order counts; `reason` says why, in words a person can check.
    """

    upstream: int
    downstream: int
    names: tuple[str, ...]
    kind: Literal["data", "order"]
    reason: str
