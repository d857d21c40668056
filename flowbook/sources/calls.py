"""Reading calls: what they change, what they touch, and what their result shares with what was given."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from flowbook.sources import knowledge as known
from flowbook.sources.effects import CHANGE, LOOK, SEEDS, draws_unless_seeded, effect_of
from flowbook.sources.expressions import PLOT, is_place, root_name
from flowbook.sources.functions import (
    RECEIVER,
    Callee,
    Slot,
    changed_parameters,
    gives_view,
    is_harmless,
    lands_in,
    result_shares,
)
from flowbook.sources.hazards import Given, Hazards
from flowbook.sources.names import Call, Deferred
from flowbook.sources.scopes import BY_CALL, MAY, SURE
from flowbook.sources.sharing import CODE, FRESH, HOLDS, IF, SAME, VIEW, Value, called, copied, put, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VARIABLE_IN_TEXT = re.compile(r"@([A-Za-z_]\w*)")
_WORD_IN_TEXT = re.compile(r"[A-Za-z_]\w*")


class Calls(Hazards):
    """Visit calls."""

    def _see_call(self, node: ast.Call) -> Value:
        func = node.func
        if isinstance(func, ast.Attribute):
            if _is_magic(func):
                return self.magic(node, func.attr)
            path = self.path(func)
            if path is None:
                return self._method_call(node, func)
            root = self.read(root_name(func) or "")
            self.heed_part(path, func, root)
            return self._library(path, node, self._given(node)) + called(root)
        if isinstance(func, ast.Name):
            return self._call_name(node, func)
        what = self.value(func)
        given = self._given(node)
        self.hints |= {"settings", "random"}
        if not isinstance(func, ast.Lambda):
            self.change(what, MAY, deep=True)
        self._change_all(given, MAY)
        return self._result([what, *(value for _, value in given)])

    def magic(self, node: ast.Call, verb: str) -> Value:
        """What IPython's own transform made of a magic."""
        raise NotImplementedError

    def _given(self, node: ast.Call) -> Given:
        given: Given = []
        starred = False
        for position, argument in enumerate(node.args):
            if isinstance(argument, ast.Starred):
                starred = True
            if argument.__class__ is not ast.Constant:
                given.append(("*" if starred else position, self.value(argument)))
        for keyword in node.keywords:
            if keyword.value.__class__ is not ast.Constant:
                given.append((keyword.arg or "*", self.value(keyword.value)))
        return given

    def _result(self, values: Iterable[Value]) -> Value:
        found: Value = FRESH
        for value in values:
            found += taken(value)
        return tuple(dict.fromkeys(found)) if found else FRESH

    def _change_all(self, given: Given, flag: int) -> None:
        for _, value in given:
            self.change(value, flag, deep=True)

    # ------------------------------------------------------------ functions by name

    def _call_name(self, node: ast.Call, func: ast.Name) -> Value:
        name = func.id
        if self.is_shadowed(name) and name not in self.paths:
            what = self.value(func)
            given = self._given(node)
            self.hints |= {"settings", "random"}
            self._change_all([("", what), *given], MAY)
            return self._result([what, *(value for _, value in given)])
        path = self.path(func)
        if path is not None:
            self.read(name)
            return self._library(path, node, self._given(node))
        what = self.read(name)
        given = self._given(node)
        if not what and name in known.BUILTINS:
            return self._builtin(name, node, given)
        if draws_unless_seeded(name) and not _is_seeded(node):
            self.touch("random")
        return self.call_by_name(name, given, what)

    def call_by_name(self, function: str, given: Sequence[tuple[Slot, Value]], what: Value | None = None) -> Value:
        """Call a dotted global name: a function read in this scope, or one that other cells define."""
        name = function.partition(".")[0]
        if what is None:
            what = self.read(name)
        self.hints.add("settings")
        inside = [self.code.get(token) for token, _ in what] if function == name else [None]
        outside = name not in self.state.sure
        if outside:
            arguments = [(slot, root) for slot, value in given for root in sorted(self.roots(value))]
            self.calls[Call(function, tuple(arguments))] = None
        found: Value = FRESH
        for body in inside:
            if body is not None:
                found += self._call_body(body, given, what)
                continue
            self.hand(function, given)
            flag = BY_CALL if outside else MAY
            self._change_all(list(given), flag)
            if not outside or function != name:
                self.change(what, flag, deep=True)
            if outside:
                found += self._conditional(function, [*given, (RECEIVER, what)])
            else:
                self.hints.add("random")
                found += self._result([what, *(value for _, value in given)])
        return tuple(dict.fromkeys(found))

    def _call_body(self, body: Deferred, given: Sequence[tuple[Slot, Value]], what: Value) -> Value:
        """Call a function of this scope; the answer is what its result shares."""
        changed = changed_parameters(body, self._lookup)
        self.keep_code(body, given, changed)
        found: Value = called(what) if body.makes_code else FRESH
        if body.keeps:
            self.change(what, MAY, deep=True)
            found += taken(what)
        for slot, value in given:
            if lands_in(body, slot, changed):
                self.change(value, MAY, deep=True)
            if result_shares(body, slot, deep=True):
                found += taken(value)
        parameters = {name.lstrip("*") for name in body.parameters}
        for name, how in sorted(body.gives):
            if name not in parameters:
                value = self._given_by(name)
                found += called(value) if how == CODE else taken(value)
        return self.used_up(found) if body.generator else found

    def _given_by(self, name: str) -> Value:
        if name == PLOT:
            return ((self.arrive(PLOT), SAME),)
        return tuple([(token, SAME) for token in self.state.env.get(name) or (self.arrive(name),)])

    def _conditional(self, function: str, given: Sequence[tuple[Slot, Value]]) -> Value:
        """What the result of another cell's function shares with its arguments, if it does."""
        made = self.new_token()
        self.results[made] = function
        for slot, value in given:
            if slot == RECEIVER:
                for token, how in called(value):
                    self.sharing.link(made, token, how)
                if "." not in function:
                    continue
            for token, how in value:
                if how != CODE:
                    self.conditions.append((function, slot))
                    self.sharing.link(made, token, IF + len(self.conditions) - 1)
        return ((made, SAME),)

    def _lookup(self, function: str) -> Callee:
        """What is known in this scope about a function that another function calls."""
        root, _, rest = function.partition(".")
        path = self.paths.get(root)
        if path is not None:
            return f"{path}.{rest}" if rest else path
        for token in self.state.env.get(function, ()):
            if token in self.code:
                return self.code[token]
        return None

    def _builtin(self, name: str, node: ast.Call, given: Given) -> Value:
        reason = known.OPAQUE_BUILTINS.get(name)
        if reason is not None or (name in {"vars", "dir"} and not node.args):
            self.refuse(f"{name}() {reason or 'tells of the whole namespace'}", apart=name == "dir")
        if name not in known.SILENT_BUILTINS:
            self.hints.add("settings")
        values = [value for _, value in given]
        for slot, value in given:
            if slot == "file":
                self.change(value)
        if name == "open":
            self.touch("files", change=_opens_to_write(node))
            return self.used_up(FRESH)
        if name in known.CHANGING_BUILTINS and values:
            self._change_by_builtin(name, node, values)
        if name in {"map", "filter", "sorted", "min", "max"}:
            self.call_back(_functions_of(name, node), [value for slot, value in given if slot != "key"])
            self.use_up_owners(_functions_of(name, node))
        if name in known.FRESH_BUILTINS:
            return FRESH
        if name in known.COPYING_BUILTINS:
            return tuple(dict.fromkeys(part for value in values for part in copied(value)))
        if name in known.CONSUMABLE_BUILTINS:
            return self.used_up(self._result(values))
        return self._result(values)

    def _change_by_builtin(self, name: str, node: ast.Call, values: Sequence[Value]) -> None:
        if name.endswith("attr"):
            self.set_attribute(node)
        self.change(values[0])
        for value in values[1:]:
            self.hold(values[0], value)

    def call_back(self, arguments: Iterable[ast.expr], over: Sequence[Value]) -> None:
        """A function among the arguments is called with what the others hold."""
        for argument in arguments:
            if isinstance(argument, ast.Name) and not self.is_shadowed(argument.id):
                if self.path(argument) is None and argument.id not in known.BUILTINS:
                    what = self.read(argument.id)
                    given: Given = [("*", value) for value in over if value != what]
                    self.call_by_name(argument.id, given, what)
            elif isinstance(argument, ast.Lambda):
                for token, _ in self.value(argument):
                    body = self.code.get(token)
                    if body is not None and changed_parameters(body, self._lookup):
                        for value in over:
                            self.change(value, MAY, deep=True)

    # ------------------------------------------------------------ functions of modules

    def _library(self, path: str, node: ast.Call, given: Given) -> Value:
        self.hints.add("settings")
        self.heed_library(path, given)
        self.use_path(path)
        if draws_unless_seeded(path) and not _is_seeded(node):
            self.touch("random")
        if path in known.CHANGES_FIRST or (path.startswith("torch.") and path.endswith("_")):
            self._change_first(given, 0)
        if path in known.CHANGES_SECOND:
            self._change_first(given, 1)
        self._change_named(given)
        if path.startswith(("duckdb.", "pandas.eval", "pandasql.", "numexpr.")):
            self._read_text(node, _WORD_IN_TEXT)
        if path == "functools.reduce":
            self.call_back(_arguments(node), [value for slot, value in given if slot != 0])
        if path in known.CLOCKS:
            return self.look_at_clock()
        effect = effect_of(path)
        if not is_harmless(path):
            self._change_all(given, MAY)
        values = [value for _, value in given]
        if effect is not None and effect[0] == "plot":
            return (*self._result(values), (self.arrive(PLOT), VIEW))
        if path == "open" or known.is_consumable(path):
            return self.used_up(self._result(values))
        if gives_view(path):
            return self._result(values)
        return tuple(dict.fromkeys(part for value in values for part in copied(value)))

    def _change_first(self, given: Given, position: int) -> None:
        for slot, value in given:
            if slot == position:
                self.change(value)
                for _, other in given:
                    if other is not value:
                        self.hold(value, other)

    def _change_named(self, given: Given) -> None:
        for slot, value in given:
            if slot in {"out", "file"}:
                self.change(value)

    def _read_text(self, node: ast.Call, pattern: re.Pattern[str]) -> None:
        """Read the variables that a text among the arguments names."""
        for argument in ast.walk(node):
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                for name in pattern.findall(argument.value):
                    if name not in known.BUILTINS:
                        self.read(name)
                        self.captured.add(name)

    # ------------------------------------------------------------ methods

    def _method_call(self, node: ast.Call, func: ast.Attribute) -> Value:
        attr, receiver = func.attr, self.value(func.value)
        given = self._given(node)
        values = [value for _, value in given]
        self.hints.add("settings")
        is_class = isinstance(func.value, ast.Name) and func.value.id in known.BUILTINS and not receiver
        if is_class and attr in known.CHANGING_METHODS:
            self._change_first(given, 0)  # list.append(x, 1) is x.append(1)
            return self._result(values)
        self._change_named(given)
        self._method_effects(node, func)
        if attr in known.NAMING_METHODS or attr == "sql":
            self._read_text(node, _WORD_IN_TEXT if attr == "sql" else _VARIABLE_IN_TEXT)
        if _changes_itself(node, attr):
            self.change(receiver, SURE if is_place(func.value) else MAY)
        elif self._is_harmless(node, func):
            return self._harmless_method(node, func, receiver, values)
        elif attr in known.DRAWING_METHODS:
            self.change(receiver, MAY)
            return self._result([receiver])
        else:
            return self._unknown_method(func, receiver, given)
        for value in values:
            self.hold(receiver, value)
        return self._result([receiver])

    def _harmless_method(self, node: ast.Call, func: ast.Attribute, receiver: Value, values: Sequence[Value]) -> Value:
        attr, root = func.attr, root_name(func)
        if root is not None and not self.is_shadowed(root):
            self.trusted.add((root, attr))
        if attr in known.CALLING_METHODS:
            self.call_back(_arguments(node), [receiver, *values])
        if attr in known.ITERATING_METHODS:
            return self.used_up(taken(receiver))
        if attr in known.PLOTTING_METHODS:
            return ((self.arrive(PLOT), VIEW),)
        shared = taken(receiver) if attr in known.VIEWING_METHODS else copied(receiver)
        if attr == "time" and (function := _dotted(func)) is not None:  # of a date, or `time.time` by another name
            made = self.new_token()
            self.results[made] = function
            shared = (*shared, (made, SAME))
        return shared

    def _is_harmless(self, node: ast.Call, func: ast.Attribute) -> bool:
        if func.attr in known.PLOTTING_METHODS:
            return not node.args  # df.plot(x="day"); ax.plot(x, y) draws into ax
        if func.attr in known.HARMLESS_METHODS:
            return True
        return isinstance(func.value, ast.Attribute) and func.value.attr in known.ACCESSORS

    def _unknown_method(self, func: ast.Attribute, receiver: Value, given: Given) -> Value:
        dotted = _dotted(func)
        root = root_name(func)
        values = [value for _, value in given]
        if dotted is not None and root is not None and not self.is_shadowed(root) and root not in self.state.sure:
            return self.call_by_name(dotted, given, receiver)
        self.hints.add("random")
        self._change_all([("", receiver), *given], MAY)
        for value in values:
            self.hold(receiver, value)
        return self._result([receiver, *values])

    def _method_effects(self, node: ast.Call, func: ast.Attribute) -> None:
        attr = func.attr
        if attr in known.FITTING_METHODS:
            self.hints.add("random")
        self.heed_method(node, attr)
        if attr in known.WRITING_METHODS:
            self.touch("files")
        elif attr in known.READING_METHODS:
            self.look_in("files", change=LOOK)
        elif attr == "open":
            self.look_in("files", change=CHANGE)
        if attr in known.PLOTTING_METHODS or (isinstance(func.value, ast.Attribute) and func.value.attr == "plot"):
            self.touch("plot")
        if attr == "sample" and not _is_seeded(node):
            self.touch("random")
        if isinstance(func.value, ast.Name) and func.value.id in known.GENERATORS:
            name = func.value.id
            if not self.is_shadowed(name) and name not in self.state.sure:
                self.touch("random")

    def hold(self, container: Value, value: Value) -> None:
        """The objects of `container` hold those of `value` from now on."""
        for target, how in container:
            if how in (SAME, VIEW):
                for source, kind in put(value):
                    self.sharing.link(target, source, CODE if kind == CODE else HOLDS)


def _is_magic(func: ast.Attribute) -> bool:
    return (
        isinstance(func.value, ast.Call)
        and isinstance(func.value.func, ast.Name)
        and func.value.func.id == "get_ipython"
        and not func.value.args
    )


def _is_seeded(node: ast.Call) -> bool:
    return any(keyword.arg in SEEDS for keyword in node.keywords)


def _changes_itself(node: ast.Call, attr: str) -> bool:
    if attr in known.CHANGING_METHODS or (attr in {"get", "join"} and not node.args):
        return True  # a queue's get() and a thread's join() take nothing; those of dicts and texts do
    return any(
        keyword.arg == "inplace" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        for keyword in node.keywords
    )


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def _functions_of(builtin: str, node: ast.Call) -> list[ast.expr]:
    """Return which arguments of `map`, `sorted` and the like are functions that it calls."""
    if builtin in {"map", "filter"}:
        return node.args[:1]
    return [keyword.value for keyword in node.keywords if keyword.arg in {"key", None}]


def _opens_to_write(node: ast.Call) -> bool:
    modes = [keyword.value for keyword in node.keywords if keyword.arg == "mode"] + node.args[1:2]
    if not modes:
        return False
    mode = modes[0]
    return not (isinstance(mode, ast.Constant) and isinstance(mode.value, str)) or bool(set("wax+") & set(mode.value))


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else None
