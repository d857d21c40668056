"""What each cell does, now that the other cells are known: functions followed, aliases resolved."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowbook.sources import knowledge as known
from flowbook.sources.effects import also_of, effect_of
from flowbook.sources.expressions import PLOT
from flowbook.sources.functions import (
    RECEIVER,
    Callee,
    changed_parameters,
    changes_argument,
    gives_view,
    lands_in,
    result_shares,
)
from flowbook.sources.names import Call, CellNames, Deferred
from flowbook.sources.sharing import ACCESS, CODE, IF, PARTS, VIEW, Sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# What IPython keeps of the cells before.
HISTORY = re.compile(r"_i?\d+|_{1,3}|_i{1,3}|_[iod]h|In|Out")
_REPLACED = "an earlier cell replaced what every cell uses unseen"
_HANDED_ON = "an earlier cell gave the whole namespace another name"
_ENTERED = "an earlier cell entered a context, which goes on"
# Methods of functions with `functools.lru_cache` that look at what earlier calls have left.
_OF_A_CACHE = frozenset(["cache_info", "cache_clear"])


@dataclass(slots=True)
class Uses:
    """What one cell does in its place.

    `may` gives for each name that may be changed the reason in words. `seen` and `touched` are the objects it
    reads (with the name it has them by) and those it changes or may change.
    `measures` holds the cells whose look at a clock it compares with its own.
    """

    reads: set[str]
    writes: set[str]
    maybe: set[str]
    mutates: set[str]
    deletes: set[str]
    effects: set[str]
    looks: set[str]
    hints: set[str]
    opaque: str | None
    may: dict[str, str] = field(default_factory=dict)
    seen: dict[int, str] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    measures: set[int] = field(default_factory=set)

    def changing(self) -> set[str]:
        """All names that are not the same afterwards."""
        return self.writes | self.maybe | self.mutates | self.may.keys() | self.deletes


class Notebook:
    """Follows the cells in document order and keeps which objects the names are bound to."""

    def __init__(self, cells: Sequence[CellNames]) -> None:
        self.cells = cells
        self.env: dict[str, tuple[int, ...]] = {}
        self.unknown: tuple[int, ...] = ()  # what any name may be bound to, once a cell had the whole namespace
        self.sharing = Sharing()
        self.count = 0
        self.code: dict[int, Deferred] = {}
        self.fixed: set[int] = set()  # modules, and what is imported from them
        self.consumable: set[int] = set()
        self.heard: set[int] = set()  # what log lines are written into
        self.clocked: dict[int, int] = {}  # what came from a clock -> the cell that looked at it
        self.replaced: set[str] = set()  # what stands where something else was that every cell uses
        self.in_order = ""  # why cells stay as they stand, until further notice
        self.modules: dict[str, str] = {}
        self.written = {name for cell in cells for name in cell.writes | cell.maybe_writes | cell.deletes}
        self.rebound = {
            name for cell in cells for name in (cell.writes | cell.maybe_writes) if name not in cell.modules
        }
        self.changing_methods = {
            name
            for cell in cells
            for made in cell.deferred.values()
            for name, method in made.methods.items()
            if changed_parameters(method, lambda _: None) & set(method.parameters[:1])
        }
        self.uses: list[Uses] = []
        for cell in cells:
            uses = self._follow(cell)
            self.uses.append(uses)
            self._bind(cell, uses)

    # ------------------------------------------------------------ what a cell does

    def _follow(self, cell: CellNames) -> Uses:
        uses = Uses(
            reads=cell.reads | (cell.builtins & self.written),  # type: ignore[arg-type]  # made a set below
            writes=set(cell.writes),
            maybe=set(cell.maybe_writes),
            mutates=set(cell.mutates),
            deletes=set(cell.deletes),
            effects=set(cell.effects - cell.observes),
            looks=set(cell.observes),
            hints=set(cell.hints),
            opaque=cell.opaque,
        )
        uses.reads = set(uses.reads)
        if uses.opaque is None and any(HISTORY.fullmatch(name) for name in cell.reads):
            uses.opaque = "uses what IPython keeps of the cell before (_, Out, In)"
        self._set_scene(cell, uses)
        for name in cell.may_mutate - cell.passed:
            uses.may[name] = f"may change {name}"
        assumed = set(cell.assumed)
        calls = [*cell.calls, *self._perform(uses, assumed)]
        for call in calls:
            self._call(call, uses)
        self._doubt(cell, uses, assumed)
        self._patch(cell, uses)
        if self.heard and "log" in uses.hints:
            for name, tokens in self.env.items():
                if not self.heard.isdisjoint(tokens):
                    uses.may.setdefault(name, f"may change {name}, into which log lines are written")
        self._use_objects(cell, uses)
        if "clock" in uses.hints and self.clocked:
            reached = self.sharing.reach(uses.seen, through_code=False)
            uses.measures = {position for token, position in self.clocked.items() if token in reached}
        return uses

    def _set_scene(self, cell: CellNames, uses: Uses) -> None:
        """Keep cells as they stand while something is in force that every cell feels."""
        if uses.opaque is None and self.in_order:
            uses.opaque = self.in_order
        self.replaced ^= {word for word in cell.scene if word.startswith("replaces ")}
        if "hands on" in cell.scene or self.in_order == _HANDED_ON:
            self.in_order = _HANDED_ON
        elif self.replaced:
            self.in_order = _REPLACED
        elif "enters" in cell.scene:
            self.in_order = _ENTERED
        elif self.in_order == _REPLACED or "leaves" in cell.scene:
            self.in_order = ""

    def _patch(self, cell: CellNames, uses: Uses) -> None:
        """Follow what attributes are set of: modules are everybody's, and classes their objects'."""
        for name in sorted(cell.patches):
            path = self.modules.get(name)
            if path is not None and effect_of(path) is None and uses.opaque is None:
                uses.opaque = f"changes {path}, which code of any cell may use"
        for name in cell.mutates:
            effect = effect_of(self.modules[name]) if name in self.modules else None
            if effect is not None:
                uses.effects.add(effect[0])
        classes = {
            token: name
            for name in cell.patches & cell.mutates
            for token in self._tokens(name)
            if token in self.code and self.code[token].makes_code
        }
        for name, tokens in self.env.items() if classes else ():
            changed = self.sharing.reach(tokens, through_code=True) & classes.keys()
            if changed and name not in cell.mutates:
                uses.may.setdefault(name, f"changes {classes[min(changed)]}, of which {name} has something")

    def _perform(self, uses: Uses, assumed: set[str]) -> list[Call]:
        """Take over what the functions and objects a cell gets hold of do when called."""
        calls: list[Call] = []
        done: set[int] = set()
        waiting = list(uses.reads)
        while waiting:
            name = waiting.pop()
            for token, body in self._leads_to(self._tokens(name)):
                if token in done:
                    continue
                done.add(token)
                new = (body.reads | (body.builtins & self.written)) - uses.reads
                uses.reads |= new
                waiting += new
                uses.maybe |= body.writes - uses.writes
                uses.deletes |= body.deletes
                uses.mutates |= {
                    changed for changed in body.mutates if self._tokens(changed) and self._is_fixed(changed)
                }
                for changed in body.mutates | (body.may_mutate - body.passed):
                    uses.may.setdefault(changed, f"may change {changed} by calling {name}")
                uses.effects |= body.effects
                uses.looks |= body.observes
                uses.hints |= body.hints
                assumed |= body.assumed
                uses.opaque = uses.opaque or body.opaque
                own = {one.lstrip("*") for one in body.parameters}
                for call in body.calls:
                    given = tuple(one for one in call.arguments if one[1] not in own)
                    calls.append(Call(call.function, given, call.result))
        return calls

    def _leads_to(self, tokens: Iterable[int]) -> list[tuple[int, Deferred]]:
        """The functions and classes that can be called by who has these objects."""
        found: dict[int, Deferred] = {}
        reached: set[int] = set()
        waiting = [(token, False) for token in tokens]
        while waiting:
            token, made_by = waiting.pop()
            body = self.code.get(token)
            if made_by and body is not None and not body.makes_code:
                continue  # a plain result can not call the function it came from
            if token in reached:
                continue
            reached.add(token)
            if body is not None:
                found[token] = body
            waiting += [(source, how == CODE) for source, how in self.sharing.sources.get(token, ())]
        return list(found.items())

    def _call(self, call: Call, uses: Uses) -> None:
        root, _, rest = call.function.partition(".")
        names = [name for _, name in call.arguments]
        if rest in _OF_A_CACHE and root in uses.reads:
            uses.mutates.add(root)  # every call of the function makes another answer of it
        path = self.modules.get(root)
        tokens = self._tokens(root)
        bodies = [self.code[token] for token in tokens if token in self.code]
        reason = f"may change {{}} by calling {call.function}()"
        if call.result:
            callee = self._lookup(call.function)
            names = [name for slot, name in call.arguments if result_shares(callee, slot, deep=call.result == "deep")]
            if isinstance(callee, Deferred):
                parameters = {name.lstrip("*") for name in callee.parameters}
                names += [name for name, how in callee.gives if how == VIEW and name not in parameters]
            reason = f"may change {{}}, which {call.function}() may give out"
        elif path is not None:
            names = self._call_library(f"{path}.{rest}" if rest else path, call, uses)
        elif bodies and len(bodies) == len(tokens) and not rest:
            names = [name for body in bodies for name in self._changed(body, call.arguments)]
            names += [root for body in bodies if body.keeps]
        elif rest and (methods := self._methods(tokens, rest)):
            names = []
            for method in methods:
                arguments = [(slot + 1 if isinstance(slot, int) else slot, name) for slot, name in call.arguments]
                names += self._changed(method, [(0, root), *arguments])
        else:
            uses.hints.add("random")
            if (rest or tokens) and (not bodies or any(body.keeps for _, body in self._leads_to(tokens))):
                names.append(root)
        for name in names:
            uses.may.setdefault(name, reason.format(name))

    def _changed(self, body: Deferred, arguments: Iterable[tuple[int | str, str]]) -> list[str]:
        changed = changed_parameters(body, self._lookup)
        return [name for slot, name in arguments if lands_in(body, slot, changed)]

    def _lookup(self, function: str) -> Callee:
        root, _, rest = function.partition(".")
        path = self.modules.get(root)
        if path is not None:
            return f"{path}.{rest}" if rest else path
        tokens = self._tokens(root)
        if not rest and len(tokens) == 1:
            return self.code.get(tokens[0])
        return None

    def _methods(self, tokens: Iterable[int], method: str) -> list[Deferred]:
        """The bodies a method call on an object of this notebook's classes may run."""
        reached = self.sharing.reach(tokens, through_code=True)
        found = [self.code[token].methods.get(method) for token in reached if token in self.code]
        return [one for one in found if one is not None]

    def _call_library(self, path: str, call: Call, uses: Uses) -> list[str]:
        """The arguments a function of an imported module may change; its effects are noted."""
        effect = effect_of(path)
        if path in known.OPAQUE_FUNCTIONS:
            uses.opaque = uses.opaque or f"{path} {known.OPAQUE_FUNCTIONS[path]}"
        if path in known.CLOCKS:
            uses.hints.add("clock")
        if effect is not None:
            (uses.effects if effect[1] else uses.looks).add(effect[0])
            also = also_of(path)
            if also is not None:
                uses.effects.add(also)
        if not known.is_harmless_function(path) and effect is None:
            uses.hints.add("random")
        return [name for slot, name in call.arguments if changes_argument(path, slot, self._lookup)]

    def _doubt(self, cell: CellNames, uses: Uses, assumed: set[str]) -> None:
        """Take back what was believed of names by their spelling, if the notebook says otherwise."""
        for name, method in cell.trusted:
            if name in self.modules:
                self._call_library(f"{self.modules[name]}.{method}", Call(f"{name}.{method}"), uses)
            if method in self.changing_methods:
                uses.may.setdefault(name, f"may change {name} by calling its method {method}")
        wrong = (assumed | cell.builtins) & self.rebound
        if wrong:
            one = min(wrong)
            for name in uses.reads:
                uses.may.setdefault(name, f"may change {name}, since {one} is not what it usually is")

    # ------------------------------------------------------------ objects

    def _use_objects(self, cell: CellNames, uses: Uses) -> None:
        self._use_modules(uses)
        uses.may = {name: why for name, why in uses.may.items() if not self._is_fixed(name)}
        used_up = self._used_up(uses)
        starts = [(token, name not in cell.shallow) for name in uses.mutates for token in self._tokens(name)]
        starts += [(token, True) for name in uses.may for token in self._tokens(name)]
        affected = self.sharing.affected(starts) if starts else {}
        uses.seen = {token: name for name in sorted(uses.reads) for token in self._tokens(name)}
        uses.touched = affected.keys() | used_up
        if not affected and not used_up:
            return
        for name, tokens in self.env.items():
            if not used_up.isdisjoint(tokens):
                uses.mutates.add(name)
            elif affected.keys().isdisjoint(tokens) or name in uses.mutates or self._is_fixed(name):
                continue
            elif name == PLOT:
                uses.effects.add("plot")
            else:
                uses.may.setdefault(name, f"may change {name} (through an object that it may share)")

    def _is_fixed(self, name: str) -> bool:
        """Whether a name stands for a function, a class, a module, a number or a text: a use does not change it."""
        if name in self.modules:
            return True
        return name in self.env and all(token in self.code and not self.code[token].keeps for token in self.env[name])

    def _used_up(self, uses: Uses) -> set[int]:
        """The iterators and files a cell moves on by using them; a use of a figure is noted as well."""
        used_up: set[int] = set()
        if self.consumable or PLOT in self.env:
            for name in uses.reads:
                tokens = self._tokens(name)
                reached = self.sharing.reach(tokens, through_code=False)
                if not reached.isdisjoint(self.env.get(PLOT, ())):
                    uses.effects.add("plot")
                if not self.consumable.isdisjoint(tokens):
                    # One that calls functions may change whatever it gets at, when it is used.
                    used_up |= reached if self._leads_to(tokens) else reached & self.consumable
        return used_up

    def _use_modules(self, uses: Uses) -> None:
        """Using `shuffle` is using chance, when another cell says `from random import shuffle`."""
        for name in uses.reads:
            path = self.modules.get(name)
            effect = effect_of(path) if path is not None else None
            # A module itself is used through a path; that is noted where it is used.
            if effect is not None and path is not None and not _is_module(path):
                (uses.effects if effect[1] else uses.looks).add(effect[0])

    def _bind(self, cell: CellNames, uses: Uses) -> None:
        """Let the names stand for what they are bound to after the cell."""
        objects = cell.objects
        here = {token: self._objects_of(name) for token, name in objects.incoming}

        def translate(token: int) -> tuple[int, ...]:
            if token not in here:
                here[token] = (self._new(),)
            return here[token]

        for token, body in objects.code:
            self.code |= dict.fromkeys(translate(token), body)
        for token in objects.consumable:
            self.consumable.update(translate(token))
        for target, source, how in objects.shares:
            kind = how if how < IF else self._resolve(*objects.conditions[how - IF])
            if kind is not None:
                for one, other in itertools.product(translate(target), translate(source)):
                    self._link(one, other, kind)
        bound = dict(objects.bound)
        for name in cell.writes | uses.maybe:
            known_as = bound.get(name)
            new = (self._new(),) if known_as is None else tuple(one for token in known_as for one in translate(token))
            kept = () if name in cell.writes else self._tokens(name)
            self.env[name] = tuple(dict.fromkeys((*kept, *new)))
            if name in cell.modules:
                self.modules[name] = cell.modules[name]
                self.fixed.update(self.env[name])
            else:
                self.modules.pop(name, None)
            if "clock" in uses.hints and name in uses.maybe - cell.maybe_writes:  # by a function, which looks at one
                self.clocked |= dict.fromkeys(new, len(self.uses) - 1)
        self._bind_hidden(cell, uses, translate)
        if cell.opaque is not None and "forgets" in cell.scene:
            self._forget()

    def _keepers(self, function: str, cell: CellNames, uses: Uses) -> set[int]:
        """The objects in which a function of the notebook may keep what it was given."""
        root, _, rest = function.partition(".")
        names = {name for call in cell.calls if call.function == function for _, name in call.arguments}
        names &= uses.may.keys()
        names |= {root} if rest and root not in self.modules else set()
        done: set[int] = set()
        waiting = list(self._tokens(root))
        while waiting:
            for token, body in self._leads_to([waiting.pop()]):
                if token not in done:
                    done.add(token)
                    names |= body.mutates | body.may_mutate
                    waiting += [one for name in body.reads for one in self._tokens(name)]
        return {token for name in names for token in self._tokens(name)}

    def _bind_hidden(self, cell: CellNames, uses: Uses, translate: Callable[[int], tuple[int, ...]]) -> None:
        """Remember functions that were handed on, what runs in the background, logs, and looks at a clock."""
        objects = cell.objects
        background = set(objects.background)
        for function, handed in objects.handed:
            if self._lookup(function) in known.BACKGROUND:
                background.add(handed)
            code = [source for source in translate(handed) if self._leads_to([source])]
            for keeper in self._keepers(function, cell, uses) if code else ():
                for source in code:
                    self.sharing.link(keeper, source, ACCESS)
        for token in background:
            bodies = self._leads_to(translate(token))
            names = {name for _, body in bodies for name in body.reads | body.mutates | body.may_mutate}
            shared = [one for name in sorted(names) if not self._is_fixed(name) for one in self._tokens(name)]
            for one, other in itertools.pairwise(shared):  # what a thread does with one, it may do because of another
                self.sharing.link(one, other, VIEW)
        for token in objects.heard:
            self.heard.update(translate(token))
        clocked = list(objects.clocked)
        for token, function in objects.results:
            callee = self._lookup(function)
            if isinstance(callee, str):
                clocked += [token] if callee in known.CLOCKS else []
                self.consumable.update(translate(token) if known.is_consumable(callee) else ())
        for token in clocked:
            self.clocked |= dict.fromkeys(translate(token), len(self.uses) - 1)

    def _resolve(self, function: str, slot: int | str) -> int | None:
        """How the result of a function shares objects with its argument in this slot, now that it is known."""
        callee = self._lookup(function)
        if isinstance(callee, str):
            return VIEW if slot != RECEIVER and gives_view(callee) else PARTS
        return VIEW if result_shares(callee, slot, deep=True) else None

    def _link(self, target: int, source: int, how: int) -> None:
        if how == ACCESS and not self._leads_to([source]):
            return  # only functions are had by those who keep what they were given
        kept = source in self.code and self.code[source].keeps
        if how != CODE and (source in self.fixed or source in self.code) and not kept:
            how = ACCESS  # one does not change a module or a function by changing what comes from it
        self.sharing.link(target, source, how)
        body = self.code.get(source) if how == CODE else None
        if body is not None:
            if body.keeps:
                self.sharing.link(target, source, VIEW)
            if body.generator:
                self.consumable.add(target)
            if _is_stopwatch(body):
                self.clocked.setdefault(target, len(self.uses) - 1)
            parameters = {name.lstrip("*") for name in body.parameters}
            for name, kind in body.gives:
                if name not in parameters:
                    for other in self._objects_of(name):
                        self.sharing.link(target, other, kind)

    def _forget(self) -> None:
        """After `exec` and the like, any name may stand for any object."""
        any_object = self._new()
        for token in {token for tokens in self.env.values() for token in tokens}:
            self.sharing.link(any_object, token, VIEW)
        self.unknown = (any_object,)
        self.env = {name: (*tokens, any_object) for name, tokens in self.env.items()}

    def _tokens(self, name: str) -> tuple[int, ...]:
        return self.env.get(name, self.unknown)

    def _objects_of(self, name: str) -> tuple[int, ...]:
        if name not in self.env:
            self.env[name] = self.unknown or (self._new(),)
        return self.env[name]

    def _new(self) -> int:
        self.count += 1
        return self.count


def _is_stopwatch(body: Deferred) -> bool:
    """Whether a class keeps what a clock said."""
    methods = body.methods.values()
    return any("clock" in one.hints and not one.changes.isdisjoint(one.parameters[:1]) for one in methods)


def _is_module(path: str) -> bool:
    """Whether a path with an effect is a module, of which not every part has it."""
    return path in {
        "random",
        "numpy.random",
        "matplotlib.pyplot",
        "seaborn",
        "warnings",
        "logging",
        "os",
        "sys",
    } or (path in {"subprocess", "shutil", "tempfile", "glob", "signal", "threading", "sqlite3", "zipfile", "locale"})
