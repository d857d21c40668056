"""What is known while a cell or a function body is read: names, objects, and all that was noticed."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from flowbook.sources.effects import CHANGE, also_of, effect_of
from flowbook.sources.knowledge import BUILTINS, CONVENTIONS, is_everybodys, is_harmless_function
from flowbook.sources.names import Call
from flowbook.sources.sharing import CODE, FRESH, HOLDS, IF, PARTS, SAME, VIEW, Sharing, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.sources.names import Deferred

SURE, MAY, BY_CALL = 1, 2, 4  # how certain a change is; BY_CALL: other cells can tell

Tokens = tuple[int, ...]


class State:
    """What may be true at one point of the text; branches copy it, and joins merge the copies.

    `env`: name -> objects it may be bound to. `sure`: names bound here on every path. `bound`: on some path.
    `gone`: deleted on some path. `dead`: no run comes past this point (after raise, return, break).
    """

    __slots__ = ("bound", "dead", "env", "gone", "sure")

    def __init__(self) -> None:
        self.env: dict[str, Tokens] = {}
        self.sure: set[str] = set()
        self.bound: set[str] = set()
        self.gone: set[str] = set()
        self.dead = False

    def copy(self) -> State:
        """The same knowledge, to go another way with."""
        other = State()
        other.env, other.sure = self.env.copy(), self.sure.copy()
        other.bound, other.gone, other.dead = self.bound.copy(), self.gone.copy(), self.dead
        return other


class Frame:
    """An inner scope which is read in place: a comprehension, a nested function, a class body."""

    __slots__ = ("kind", "names", "outside")

    def __init__(self, kind: str, names: Iterable[str] = (), outside: Iterable[str] = ()) -> None:
        self.kind = kind
        self.names: dict[str, Tokens] = dict.fromkeys(names, ())
        self.outside = frozenset(outside)


class Scope:
    """Reads names and keeps what is noticed; the visitors of expressions, calls and statements build on it."""

    def __init__(self, *, is_cell: bool, parameters: Iterable[str] = (), local: Iterable[str] = ()) -> None:
        self.is_cell = is_cell
        self.state = State()
        self.local = set(local)
        self.frames: list[Frame] = []
        self.sharing = Sharing()
        self.count = 0
        self.incoming: dict[str, int] = {}  # global name -> the object it brings from earlier cells
        self.arguments: dict[str, int] = {}  # parameter -> the object the caller gives
        self.code: dict[int, Deferred] = {}
        self.consumable: set[int] = set()
        self.changed: dict[tuple[int, bool], int] = {}
        self.paths: dict[str, str] = {}  # names that stand for a module or something from it
        self.outer_paths: dict[str, str] = {}
        self.modules: dict[str, str] = {}
        self.reads: set[str] = set()
        self.builtins: set[str] = set()
        self.imports: set[str] = set()
        self.effects: set[str] = set()
        self.looks: set[str] = set()
        self.hints: set[str] = set()
        self.opaque: str | None = None
        self.calls: dict[Call, None] = {}
        self.assumed: set[str] = set()
        self.trusted: set[tuple[str, str]] = set()
        self.captured: set[str] = set()
        self.plain: set[str] = set()
        self.loose: set[str] = set()
        self.fleeting: set[str] = set()
        self.performing: set[int] = set()
        self.conditions: list[tuple[str, int | str]] = []  # calls whose results may share with an argument
        self.results: dict[int, str] = {}  # what came out of functions of other cells
        self.returned: Value = FRESH
        self.inner: set[int] = set()  # functions and classes defined inside a body
        self.patches: set[str] = set()
        self.scene: set[str] = set()
        self.handed: set[tuple[str, int]] = set()
        self.background: set[int] = set()
        self.heard: set[int] = set()
        self.clocked: set[int] = set()
        for name in parameters:
            self.arguments[name] = self.new_token()
            self.state.env[name] = (self.arguments[name],)

    # ------------------------------------------------------------ objects

    def new_token(self) -> int:
        """A number for one more object."""
        self.count += 1
        return self.count

    def arrive(self, name: str) -> int:
        """The object that a global name brings from earlier cells."""
        token = self.incoming.get(name)
        if token is None:
            token = self.incoming[name] = self.new_token()
        return token

    def tokens_of(self, value: Value) -> Tokens:
        """The objects a name is bound to when this value is assigned to it."""
        same = [token for token, how in value if how == SAME]
        if value and len(same) == len(value):
            return tuple(same)
        made = self.new_token()
        for token, how in value:
            if how != SAME:
                self.sharing.link(made, token, how)
        return (*same, made)

    def roots(self, value: Value) -> set[str]:
        """Names (parameters, globals from outside) through which one gets at what is in this value."""
        if not value:
            return set()
        reached = self.sharing.reach((t for t, how in value if how != CODE), through_code=False)
        names = {name for name, token in self.incoming.items() if token in reached}
        return names | {name for name, token in self.arguments.items() if token in reached}

    def change(self, value: Value, flag: int = SURE, *, deep: bool = False) -> None:
        """Note that what this value stands for is changed in place, and all that shares the change now."""
        starts = [
            (token, deep or how != SAME)
            for token, how in value
            if how in (SAME, VIEW) or how >= IF or (deep and how in (HOLDS, PARTS))
        ]
        for key in starts:
            self.changed[key] = self.changed.get(key, 0) | flag
        if starts and self.sharing.edges:
            flag = BY_CALL if flag == BY_CALL else MAY
            surely = self.sharing.affected(starts, surely=True)
            for key in surely.items():
                self.changed[key] = self.changed.get(key, 0) | flag
            if self.results:
                self._change_results(self.sharing.affected(starts), surely, flag)

    def _change_results(self, reached: dict[int, bool], surely: dict[int, bool], flag: int) -> None:
        """Note what changes only if some function of another cell gives out what it has or was given."""
        extra = reached.items() - surely.items()
        for key in extra:
            self.changed[key] = self.changed.get(key, 0) | BY_CALL
        tokens = {token for token, _ in extra}
        names = [name for name, token in (*self.incoming.items(), *self.arguments.items()) if token in tokens]
        for made, function in self.results.items():
            if made in reached:
                result = "deep" if reached[made] else "own"
                given: list[tuple[int | str, str]] = []
                if flag != BY_CALL:  # a call that changes is noted with all that it may reach
                    slots = [how - IF for _, how in self.sharing.sources.get(made, ()) if how >= IF]
                    given = [(self.conditions[one][1], name) for one in slots for name in names]
                self.calls[Call(function, tuple(dict.fromkeys(given)), result)] = None

    # ------------------------------------------------------------ names

    def _in_frames(self, name: str) -> Value | None:
        top = len(self.frames) - 1
        for position in range(top, -1, -1):
            frame = self.frames[position]
            if frame.kind == "class" and position != top:
                continue  # a class body's names are not seen from functions and comprehensions in it
            if name in frame.outside:
                return None
            tokens = frame.names.get(name)
            if tokens is not None:
                return tuple([(token, SAME) for token in tokens])
        return None

    def is_shadowed(self, name: str) -> bool:
        """Whether a name means something local, so that what is known about globals of this name is void."""
        return name in self.local or (bool(self.frames) and self._in_frames(name) is not None)

    def read(self, name: str) -> Value:
        """Look a name up, note where it comes from, and what reading it can set going."""
        if self.frames:
            found = self._in_frames(name)
            if found is not None:
                return found
            self.captured.add(name)
        state = self.state
        tokens = state.env.get(name)
        if name not in self.local:
            if name not in state.sure:
                if name in BUILTINS:
                    self.builtins.add(name)
                    if tokens is None:
                        return FRESH
                self.reads.add(name)
            if tokens is None:
                tokens = (self.arrive(name),)
        elif tokens is None:
            return FRESH
        if self.code:
            for token in tokens:
                if token in self.code:
                    self.perform(token)
        return tuple([(token, SAME) for token in tokens])

    def store(self, name: str, tokens: Tokens, *, loose: bool = False) -> None:
        """Bind a name; `loose` for the targets of loops and with, which are rarely meant for others."""
        for frame in reversed(self.frames):
            if frame.kind == "comprehension":
                continue  # a walrus in a comprehension binds outside of it
            if name in frame.outside:
                break
            frame.names[name] = tokens
            return
        state = self.state
        state.env[name] = tokens
        if name in self.local:
            return
        state.sure.add(name)
        state.bound.add(name)
        state.gone.discard(name)
        (self.loose if loose or name.startswith("_") else self.plain).add(name)
        self.paths.pop(name, None)
        self.modules.pop(name, None)

    def remove(self, name: str) -> None:
        """Unbind a name."""
        for frame in reversed(self.frames):
            if name in frame.outside:
                break
            if name in frame.names:
                return
        state = self.state
        if name in self.local:
            return
        if name not in state.sure:
            self.reads.add(name)
        state.env.pop(name, None)
        state.sure.discard(name)
        state.bound.discard(name)
        state.gone.add(name)

    def merge(self, states: Sequence[State]) -> State:
        """What is true when any of these may have been the way here."""
        living = [state for state in states if not state.dead]
        if not living:
            return states[0]
        first, *rest = living
        for other in rest:
            mine, theirs = first.env, other.env
            for name in theirs.keys() | mine.keys():
                one, two = mine.get(name), theirs.get(name)
                if one != two:
                    missing = () if name in self.local else (self.arrive(name),)
                    both = (missing if one is None else one) + (missing if two is None else two)
                    mine[name] = tuple(dict.fromkeys(both))
            first.sure &= other.sure
            first.bound |= other.bound
            first.gone |= other.gone
        return first

    # ------------------------------------------------------------ modules and effects

    def path(self, node: ast.expr) -> str | None:
        """The dotted path of `np.random.seed` as `numpy.random.seed`, if it starts at a known module."""
        rest: list[str] = []
        while isinstance(node, ast.Attribute):
            rest.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        name = node.id
        if self.is_shadowed(name):
            path = self.paths.get(name) if name in self.local else None
        elif name in self.paths:
            path = self.paths[name]
        elif name in self.state.env and name not in self.incoming:
            path = None
        elif name in self.outer_paths:
            path = self.outer_paths[name]
        else:
            path = CONVENTIONS.get(name)
            if path is not None:
                self.assumed.add(name)
        if path is None:
            return None
        return ".".join((path, *reversed(rest))) if rest else path

    def touch(self, effect: str, *, change: bool = True) -> None:
        """Note an effect on hidden state."""
        (self.effects if change else self.looks).add(effect)

    def use_path(self, path: str) -> None:
        """Note the effects of using what a dotted path names."""
        found = effect_of(path)
        if found is not None:
            self.touch(found[0], change=found[1])
            also = also_of(path)
            if also is not None:
                self.touch(also)
        elif not is_harmless_function(path):
            self.hints.add("random")

    def look_in(self, effect: str, *, change: bool) -> None:
        """The same as touch, for methods whose name tells."""
        self.touch(effect, change=change is CHANGE)

    def replace(self, path: str) -> None:
        """Note that another value is put where a dotted path leads."""
        if is_everybodys(path):
            self.scene ^= {f"replaces {path}"}  # the second time in a cell puts back what was there
            self.refuse(f"replaces {path}, which every cell uses unseen", apart=True)
        elif (found := effect_of(path)) is not None:
            self.touch(found[0])
        else:
            self.refuse(f"changes {path}, which code of any cell may use", apart=True)

    def refuse(self, reason: str, *, apart: bool = False) -> None:
        """Note why the text does not tell what happens; the first reason is kept.

        Args:
            reason: in words, to come after "the cell".
            apart: whether the names above stand for what they stood for, none the less.
        """
        if not apart:
            self.scene.add("forgets")
        if self.opaque is None:
            self.opaque = reason

    # ------------------------------------------------------------ functions read earlier in the same scope

    def perform(self, token: int) -> None:
        """Take over what the body of a function does, where it is got hold of: it may be called now."""
        if token in self.performing:
            return
        self.performing.add(token)
        try:
            self._perform(self.code[token])
        finally:
            self.performing.discard(token)

    def _perform(self, body: Deferred) -> None:
        for name in body.reads | body.builtins:
            self.read(name)
        for name in body.mutates | (body.may_mutate - body.passed):
            self.change(self.read(name), MAY, deep=True)
        for name in body.writes - self.local:
            self.state.bound.add(name)
            self.plain.add(name)
            kept = self.state.env.get(name) or (self.arrive(name),)
            self.state.env[name] = (*kept, self.new_token())
        self.state.gone |= body.deletes
        self.effects |= body.effects
        self.looks |= body.observes
        self.hints |= body.hints
        self.assumed |= body.assumed
        if body.opaque is not None:
            self.refuse(body.opaque)
        for call in body.calls:
            own = {name.lstrip("*") for name in body.parameters}
            given = tuple((slot, name) for slot, name in call.arguments if name not in own)
            if call.result:
                self._change_given(Call(call.function, given, call.result))
                continue
            self.call_by_name(call.function, [(slot, self.read(name)) for slot, name in given])

    def _change_given(self, call: Call) -> None:
        """What came out of a function is changed, and so may be what it gives out."""
        bodies = [self.code[token] for token in self.state.env.get(call.function, ()) if token in self.code]
        if not bodies:
            self.calls[call] = None
        for name in {name for body in bodies for name, _ in body.gives} - self.local:
            self.change(self.read(name), MAY, deep=True)
        for _, name in call.arguments if bodies else ():
            self.change(self.read(name), MAY, deep=True)

    def call_by_name(self, function: str, given: Sequence[tuple[int | str, Value]], what: Value | None = None) -> Value:
        """Call a dotted global name with these values: known in this scope, or left to the other cells."""
        raise NotImplementedError

    def value(self, node: ast.expr) -> Value:
        """Read an expression; the answer says what its value has to do with known objects."""
        raise NotImplementedError

    def run(self, body: Sequence[ast.stmt]) -> None:
        """Read statements in order."""
        raise NotImplementedError
