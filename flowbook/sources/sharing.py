"""Which objects have parts in common: a change of one is then a change of the other.

Objects are small integers. An edge says that `target` has something of `source`, and how:

* `VIEW`: target may be a part of source, or a window on it (`b = a[0]`, `b = a.T`, `b = f(a)`);
* `HOLDS`: target is a new container with source in it (`b = [a]`, `b.append(a)`);
* `PARTS`: target is a new object with the same elements (`b = list(a)`, `b = a + c`);
* `CODE`: target came out of calling source; no data in common;
* `ACCESS`: target gives access to source, a function or a module, which no change of target changes.

`SAME` is no edge: two names for one object have one integer. `how` from `IF` on is a `VIEW` that holds only if
the result of a function which other cells define shares objects with its arguments: `how - IF` counts such calls.

A change is *own* (`a.append(1)`) or *deep* (`a[0].append(1)`, or unknown). A deep change covers an own one.
Own changes pass to fewer neighbours; this keeps `c = a + b; c[0] = 1` from being a change of `a`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SAME, VIEW, HOLDS, PARTS, CODE, ACCESS, IF = range(7)

Value = tuple[tuple[int, int], ...]  # what an expression's value has to do with known objects: (object, how)
FRESH: Value = ()

# How the relation changes when a value is taken out of, put into, or copied from the one before.
_TAKEN = (VIEW, VIEW, VIEW, VIEW, CODE, ACCESS, VIEW)
_PUT = (HOLDS, HOLDS, HOLDS, HOLDS, CODE, ACCESS, HOLDS)
_COPIED = (PARTS, PARTS, HOLDS, PARTS, CODE, ACCESS, PARTS)


def taken(value: Value) -> Value:
    """What an element, an attribute or an unknown result of this value has of the same objects."""
    return tuple([(token, _TAKEN[min(how, IF)]) for token, how in value]) if value else FRESH


def put(value: Value) -> Value:
    """What a new container has of the objects of a value put into it."""
    return tuple([(token, _PUT[min(how, IF)]) for token, how in value]) if value else FRESH


def copied(value: Value) -> Value:
    """What a shallow copy has of the same objects."""
    return tuple([(token, _COPIED[min(how, IF)]) for token, how in value]) if value else FRESH


def called(value: Value) -> Value:
    """What a result has of the function that made it: only its code."""
    return tuple([(token, CODE) for token, _ in value]) if value else FRESH


class Sharing:
    """A growing graph of objects; tells how far a change goes and what an object leads to."""

    __slots__ = ("edges", "sources", "targets")

    def __init__(self) -> None:
        self.edges: set[tuple[int, int, int]] = set()
        self.sources: dict[int, list[tuple[int, int]]] = {}  # target -> (source, how)
        self.targets: dict[int, list[tuple[int, int]]] = {}  # source -> (target, how)

    def link(self, target: int, source: int, how: int) -> None:
        """Remember that target has something of source."""
        if target == source or (target, source, how) in self.edges:
            return
        self.edges.add((target, source, how))
        self.sources.setdefault(target, []).append((source, how))
        self.targets.setdefault(source, []).append((target, how))

    def affected(self, changes: Iterable[tuple[int, bool]], *, surely: bool = False) -> dict[int, bool]:
        """Every object that changes when these do; the truth value says whether the change is deep.

        Args:
            changes: the objects changed, each with whether deeply.
            surely: leave out what holds only if some function's result shares objects with its arguments.
        """
        reached: dict[int, bool] = {}
        waiting = list(changes)
        while waiting:
            token, deep = waiting.pop()
            if reached.get(token, -1) >= deep:
                continue
            reached[token] = deep
            for target, how in self.targets.get(token, ()):
                if how == VIEW or (how >= IF and not surely):
                    waiting.append((target, deep))
                elif how == HOLDS or (how == PARTS and deep):
                    waiting.append((target, True))
            for source, how in self.sources.get(token, ()):
                if how == VIEW or (how >= IF and not surely) or (deep and how in (HOLDS, PARTS)):
                    waiting.append((source, True))
        return reached

    def reach(self, tokens: Iterable[int], *, through_code: bool) -> set[int]:
        """Every object that can be got at from these."""
        reached: set[int] = set()
        waiting = list(tokens)
        while waiting:
            token = waiting.pop()
            if token in reached:
                continue
            reached.add(token)
            waiting += [s for s, how in self.sources.get(token, ()) if through_code or how != CODE]
        return reached
