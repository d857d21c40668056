"""Reading statements: what they bind, on which paths, and in what order."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from flowbook.sources.calls import Calls
from flowbook.sources.effects import effect_of
from flowbook.sources.expressions import is_place, root_name
from flowbook.sources.knowledge import OPAQUE_MODULES, WINDOWS, is_harmless_function
from flowbook.sources.scopes import MAY, SURE, Frame, State
from flowbook.sources.sharing import FRESH, PARTS, SAME, VIEW, Value, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Statements(Calls):
    """Visit statements; methods are named `_do_` and the node's class in small letters."""

    def __init__(self, **scope: object) -> None:
        super().__init__(**scope)  # type: ignore[arg-type]  # handed on as it came
        self.loops: list[tuple[list[State], list[State]]] = []  # where break and continue left each loop

    def run(self, body: Sequence[ast.stmt]) -> None:
        """Read statements in order, as far as a run can come."""
        for statement in body:
            if self.state.dead:
                return
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Read one statement."""
        name = _METHODS.get(node.__class__)
        if name is None:
            name = _METHODS[node.__class__] = "_do_" + node.__class__.__name__.lower()
        visit: Callable[[ast.stmt], None] | None = getattr(self, name, None)
        if visit is None:
            # A kind of statement that a later Python brings; nothing may be assumed of it.
            self.refuse(f"holds a statement unknown to flowbook ({node.__class__.__name__})")
        else:
            visit(node)

    # ------------------------------------------------------------ assignments

    def _do_expr(self, node: ast.Expr) -> None:
        if node.value.__class__ is not ast.Constant:
            self.value(node.value)
        self.hints.add("settings")

    def _do_assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        pairs = _pairs(target, node.value) if len(node.targets) == 1 else None
        if pairs is not None:
            tokens = [self.tokens_of(self.value(value)) for _, value in pairs]
            for (part, _), token in zip(pairs, tokens, strict=True):
                self.assign(part, tuple([(one, SAME) for one in token]))
            return
        if isinstance(node.value, ast.Lambda) and all(isinstance(part, ast.Name) for part in node.targets):
            value = self._define_lambda(node.value, [part.id for part in node.targets if isinstance(part, ast.Name)])
        else:
            value = self.value(node.value)
        if isinstance(node.value, _IMMUTABLE):
            whole: Value = FRESH
            for part in node.targets:
                if isinstance(part, ast.Name):
                    self.store(part.id, ())
                else:
                    self.assign(part, whole)
            return
        # One object for all targets, and for the parts of an unpacked one.
        whole = tuple([(token, SAME) for token in self.tokens_of(value)])
        for part in node.targets:
            self.assign(part, whole)

    def _define_lambda(self, node: ast.Lambda, names: Sequence[str]) -> Value:
        """A lambda with a name is a function: its body is read when it is called."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Value, *, loose: bool = False) -> None:
        """Bind a target of any shape to a value."""
        if isinstance(target, ast.Name):
            self.store(target.id, self.tokens_of(value), loose=loose)
        elif isinstance(target, (ast.Tuple, ast.List)):
            part = taken(value)
            for element in target.elts:
                self.assign(element, part, loose=loose)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, loose=loose)
        else:
            self.store_into(target, value)

    def store_into(self, target: ast.expr, value: Value) -> None:
        """Assign to an attribute or an element, which changes the object it belongs to."""
        if not isinstance(target, (ast.Attribute, ast.Subscript)):
            self.value(target)
            return
        if isinstance(target, ast.Subscript):
            self.value(target.slice)
        place = target.value if isinstance(target, ast.Subscript) else target
        path = self.path(place)
        if path is not None:
            root = self.read(root_name(place) or "")
            if place is target:
                self.replace(path)
            if (effect := effect_of(path)) is not None:
                self.touch(effect[0])
            else:
                self.change(root, deep=True)
            return
        place = target.value
        if isinstance(place, ast.Attribute) and place.attr in WINDOWS:
            place = place.value  # df.loc[0] = 1 is a store into df itself
        base = self.value(place)
        if isinstance(target, ast.Attribute) and isinstance(place, ast.Name) and not self.is_shadowed(place.id):
            self.patches.add(place.id)
        self.change(base, SURE if is_place(place) else MAY)
        self.hold(base, value)

    def _do_augassign(self, node: ast.AugAssign) -> None:
        target = node.target
        if not isinstance(target, ast.Name):
            value = self.value(node.value)
            self.value(target)
            self.store_into(target, value)
            return
        before = self.read(target.id)
        value = self.value(node.value)
        self.change(before)
        tokens = tuple(token for token, _ in before) or (self.new_token(),)
        for token in tokens:
            for source, how in value:
                self.sharing.link(token, source, PARTS if how in (SAME, VIEW) else how)
        self.store(target.id, tokens)

    def _do_annassign(self, node: ast.AnnAssign) -> None:
        if self.is_cell and all(frame.kind == "class" for frame in self.frames):
            self.value(node.annotation)  # those in functions are never looked at
        if node.value is not None:
            self.assign(node.target, self.value(node.value))
        elif not isinstance(node.target, ast.Name):
            self.value(node.target)

    def _do_typealias(self, node: ast.AST) -> None:  # a node of Python 3.12
        name: ast.Name = node.name  # type: ignore[attr-defined]
        with self.type_names(node):
            self.value(node.value)  # type: ignore[attr-defined]
        self.store(name.id, (self.new_token(),))

    def type_names(self, node: ast.AST) -> TypeNames:
        """A scope for the type parameters of a function, class or alias."""
        return TypeNames(self, node)

    def _do_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._delete(target)

    def _delete(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.remove(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self._delete(part)
        else:
            self.store_into(target, FRESH)

    # ------------------------------------------------------------ modules

    def _do_import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self._import(alias.asname or top, alias.name if alias.asname else top)
            self._import_hints(alias.name)

    def _do_importfrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.refuse(f"from {module} import * binds names the text does not tell", apart=True)
            else:
                joined = module + alias.name if module.endswith(".") else f"{module}.{alias.name}"
                self._import(alias.asname or alias.name, joined)
        self._import_hints(module)

    def _import(self, name: str, path: str) -> None:
        if path in OPAQUE_MODULES:
            self.refuse(f"import {path} {OPAQUE_MODULES[path]}")
        self.store(name, (self.new_token(),))
        self.paths[name] = path
        if name not in self.local and not self.frames:
            self.imports.add(name)
            self.modules[name] = path

    def _import_hints(self, module: str) -> None:
        top = module.partition(".")[0]
        if top not in sys.stdlib_module_names and not is_harmless_function(top + "."):
            self.hints |= {"files", "process"}  # it may be a file that another cell writes or makes findable

    # ------------------------------------------------------------ branches

    def _do_if(self, node: ast.If) -> None:
        self.value(node.test)
        constant = _constant(node.test)
        if constant is not None:
            self.run(node.body if constant else node.orelse)
            return
        other = self.state.copy()
        self.run(node.body)
        one, self.state = self.state, other
        self.run(node.orelse)
        self.state = self.merge([one, self.state])

    def _do_match(self, node: ast.Match) -> None:
        subject = self.value(node.subject)
        ends: list[State] = []
        for case in node.cases:
            other = self.state.copy()
            self._pattern(case.pattern, subject)
            if case.guard is not None:
                self.value(case.guard)
            self.run(case.body)
            ends.append(self.state)
            self.state = other
            always = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
            if always and case.guard is None:
                self.state = self.merge(ends)
                return
        self.state = self.merge([self.state, *ends])

    def _pattern(self, pattern: ast.pattern, subject: Value) -> None:
        inner = taken(subject)
        match pattern:
            case ast.MatchAs(pattern=None, name=str(name)):
                self.store(name, self.tokens_of(subject))
                return
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                self.store(name, self.tokens_of(inner))
        for child in ast.iter_child_nodes(pattern):
            if isinstance(child, ast.pattern):
                self._pattern(child, inner)
            elif isinstance(child, ast.expr):
                self.value(child)

    def _do_try(self, node: ast.Try) -> None:
        snapshots = [self.state.copy()]
        for statement in node.body:
            if self.state.dead:
                break
            self.statement(statement)
            snapshots.append(self.state.copy())
        self.run(node.orelse)
        ends = [self.state]
        for handler in node.handlers:
            self.state = self._interrupted(snapshots)
            if handler.type is not None:
                self.value(handler.type)
            if handler.name is None:
                self.run(handler.body)
            else:
                self._run_handler(handler.name, handler.body)
            ends.append(self.state)
        self.state = self.merge(ends)
        if node.finalbody:
            dead = self.state.dead
            if dead:
                self.state = self._interrupted([*snapshots, *(_alive(end) for end in ends)])
            self.run(node.finalbody)
            self.state.dead |= dead

    _do_trystar = _do_try

    def _interrupted(self, snapshots: Sequence[State]) -> State:
        """What may be true when an exception stopped the body somewhere."""
        return self.merge([_alive(state) for state in snapshots])

    def _run_handler(self, name: str, body: Sequence[ast.stmt]) -> None:
        """Bind the exception's name for the handler; Python unbinds it at its end."""
        state = self.state
        had = name in state.bound
        state.env[name] = (self.new_token(),)
        state.sure.add(name)
        self.run(body)
        if name in self.local or self.frames:
            return
        self.fleeting.add(name)
        state = self.state
        state.env.pop(name, None)
        state.sure.discard(name)
        state.bound.discard(name)
        if had:
            state.gone.add(name)

    # ------------------------------------------------------------ loops

    def _do_for(self, node: ast.For | ast.AsyncFor) -> None:
        items = taken(self.value(node.iter))
        once = _is_filled(node.iter)
        self._loop(lambda: self.assign(node.target, items, loose=True), node.body, node.orelse, once=once)

    _do_asyncfor = _do_for

    def _do_while(self, node: ast.While) -> None:
        self.value(node.test)
        forever = _constant(node.test) is True
        self._loop(lambda: None, node.body, node.orelse, once=forever, forever=forever)

    def _loop(
        self,
        start: Callable[[], None],
        body: Sequence[ast.stmt],
        orelse: Sequence[ast.stmt],
        *,
        once: bool,
        forever: bool = False,
    ) -> None:
        before = self.state.copy()
        breaks: list[State] = []
        # Twice, for what one turn leaves to the next; loops in loops once more is enough, or it would double.
        for _ in range(1 if self.loops else 2):
            continues: list[State] = []
            self.loops.append((breaks, continues))
            start()
            self.run(body)
            self.loops.pop()
            self.state = self.merge([self.state, *continues])
            if self.state.dead:
                break
        normal = self.state
        if forever:
            normal.dead = True
        elif not once:
            normal = self.merge([normal, before])
        self.state = normal
        self.run(orelse)
        self.state = self.merge([self.state, *breaks])

    def _do_break(self, node: ast.Break) -> None:
        self._leave(node, 0, "'break' outside a loop")

    def _do_continue(self, node: ast.Continue) -> None:
        self._leave(node, 1, "'continue' outside a loop")

    def _leave(self, node: ast.stmt, how: int, problem: str) -> None:
        if not self.loops:
            raise SyntaxError(problem, ("", node.lineno, 0, ""))
        self.loops[-1][how].append(self.state.copy())
        self.state.dead = True

    # ------------------------------------------------------------ with, and small ones

    def _do_with(self, node: ast.With | ast.AsyncWith) -> None:
        swallows = False
        for item in node.items:
            value = self.value(item.context_expr)
            self.change(value, MAY)  # entering a lock, a file, a connection is a use of it
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value, loose=True)
            call = item.context_expr
            named = call.func if isinstance(call, ast.Call) else call
            last = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
            swallows |= last in {"suppress", "raises", "ignored"}
        before = self.state.copy() if swallows else None
        self.run(node.body)
        if before is not None:
            self.state = self.merge([self.state, before])

    _do_asyncwith = _do_with

    def _do_return(self, node: ast.Return) -> None:
        if self.is_cell and not any(frame.kind == "function" for frame in self.frames):
            raise SyntaxError("'return' outside a function", ("", node.lineno, 0, ""))
        if node.value is not None:
            value = self.value(node.value)
            if not self.frames:
                self.returned += value
        self.state.dead = True

    def _do_raise(self, node: ast.Raise) -> None:
        for part in (node.exc, node.cause):
            if part is not None:
                self.value(part)
        self.state.dead = True

    def _do_assert(self, node: ast.Assert) -> None:
        self.value(node.test)
        if node.msg is not None:
            self.maybe([node.msg])

    def _do_pass(self, _node: ast.Pass) -> None:
        """Nothing to read."""

    # Which names these make global is found out before a function's body is read.
    _do_global = _do_nonlocal = _do_pass


class TypeNames:
    """The scope in which the type parameters of Python 3.12 live."""

    def __init__(self, scope: Statements, node: ast.AST) -> None:
        self.scope = scope
        self.parameters: list[ast.AST] = getattr(node, "type_params", [])

    def __enter__(self) -> None:
        if self.parameters:
            self.scope.frames.append(Frame("comprehension", [getattr(one, "name", "") for one in self.parameters]))
            for one in self.parameters:
                bound = getattr(one, "bound", None)
                if bound is not None:
                    self.scope.value(bound)

    def __exit__(self, *_error: object) -> None:
        if self.parameters:
            self.scope.frames.pop()


_METHODS: dict[type[ast.AST], str] = {}


# Values nobody can change in place: names bound to them have no object to share.
_IMMUTABLE = (ast.Constant, ast.JoinedStr)


def _alive(state: State) -> State:
    state = state.copy()
    state.dead = False
    return state


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]] | None:
    """`a, b = x, y` as (a, x), (b, y), where that says all."""
    if not isinstance(target, (ast.Tuple, ast.List)) or not isinstance(value, (ast.Tuple, ast.List)):
        return None
    if len(target.elts) != len(value.elts):
        return None
    if any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts)):
        return None
    return list(zip(target.elts, value.elts, strict=True))


def _constant(test: ast.expr) -> bool | None:
    """What a condition always is, as far as its text tells: `True`, `1`, `__name__ == "__main__"`."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__":
        other = test.comparators[0]
        if isinstance(other, ast.Constant) and other.value == "__main__" and isinstance(test.ops[0], ast.Eq):
            return True
    return None


def _is_filled(node: ast.expr) -> bool:
    """Whether a loop over this surely takes one turn: a written-out list, `range(3)`."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return bool(node.elts) and not any(isinstance(part, ast.Starred) for part in node.elts)
    if isinstance(node, ast.Dict):
        return bool(node.keys) and None not in node.keys
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        values = [part.value if isinstance(part, ast.Constant) else None for part in node.args]
        if node.func.id == "range" and values and all(isinstance(value, int) for value in values):
            return bool(range(*values)) if values[2:] != [0] else False  # type: ignore[arg-type]
        if node.func.id == "enumerate" and node.args:
            return _is_filled(node.args[0])
    return False
