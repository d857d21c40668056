"""Reading expressions: names they need, names they bind, and what their value shares with known objects."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from flowbook.sources.effects import LOOK
from flowbook.sources.knowledge import (
    BUILTINS,
    CONVENTIONS,
    OPAQUE_BUILTINS,
    PLAIN_ATTRIBUTES,
    READING_METHODS,
    is_harmless_function,
)
from flowbook.sources.names import Deferred
from flowbook.sources.scopes import Frame, Scope
from flowbook.sources.sharing import CODE, FRESH, SAME, Value, copied, put, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLOT = "*plot"  # a name no cell can write: the current figure, and all that pyplot hands out


def is_place(node: ast.expr) -> bool:
    """Whether an expression names a place, like `a.b[0]`, rather than a result, like `f(a)`."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return isinstance(node, ast.Name)


def root_name(node: ast.expr) -> str | None:
    """The name a place or a chain of calls starts at."""
    while True:
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return node.id if isinstance(node, ast.Name) else None


def _names_main(index: ast.expr) -> bool:
    return isinstance(index, ast.Name) or (isinstance(index, ast.Constant) and index.value == "__main__")


def _selects_copy(index: ast.expr) -> bool:
    """Whether `x[index]` is a new object in pandas and numpy: a mask, or a list of columns."""
    return isinstance(index, (ast.Compare, ast.List)) or (
        isinstance(index, ast.BinOp) and isinstance(index.op, (ast.BitAnd, ast.BitOr))
    )


class Expressions(Scope):
    """Visit each kind of expression; methods are named `_see_` and the node's class in small letters."""

    def value(self, node: ast.expr) -> Value:
        """Read an expression; the answer says what its value has to do with known objects."""
        visit: Callable[[ast.expr], Value] | None = getattr(self, _method(node.__class__), None)
        return visit(node) if visit is not None else self._any(node)

    def _any(self, node: ast.AST) -> Value:
        """A kind of expression that a later Python brings: read all that is in it."""
        found: Value = FRESH
        for child in ast.iter_child_nodes(node):
            found += copied(self.value(child)) if isinstance(child, ast.expr) else self._any(child)
        return found

    def _see_constant(self, _node: ast.Constant) -> Value:
        return FRESH

    def _see_name(self, node: ast.Name) -> Value:
        found = self.read(node.id)
        if node.id == "__annotations__" and not self.is_shadowed(node.id):
            self.refuse("reads __annotations__, which any cell with an annotated name adds to", apart=True)
        if not found and node.id in OPAQUE_BUILTINS and node.id != "get_ipython" and not self.is_shadowed(node.id):
            self.scene.add("hands on")
            self.refuse(f"hands on {node.id}, which {OPAQUE_BUILTINS[node.id]}")
        if node.id in self.paths or node.id in CONVENTIONS or node.id in self.outer_paths:
            path = self.path(node)
            if path is not None:
                self.use_path(path)
        return found

    def _see_attribute(self, node: ast.Attribute) -> Value:
        path = self.path(node)
        if path is not None:
            name = root_name(node)
            assert name is not None
            root = self.read(name)
            self.use_path(path)
            return FRESH if is_harmless_function(path) else taken(root)
        base = self.value(node.value)
        if isinstance(node.value, ast.Name) and not self.is_shadowed(node.value.id):
            self.trusted.add((node.value.id, node.attr))  # a property may change its object
        if node.attr in READING_METHODS and isinstance(node.value, ast.Call):
            self.look_in("files", change=LOOK)
        return FRESH if node.attr in PLAIN_ATTRIBUTES else taken(base)

    def _see_subscript(self, node: ast.Subscript) -> Value:
        base = self.value(node.value)
        self.value(node.slice)
        if self.path(node.value) == "sys.modules" and _names_main(node.slice):
            self.refuse("looks at __main__, which holds the whole namespace")
        return copied(base) if _selects_copy(node.slice) else taken(base)

    def _see_slice(self, node: ast.Slice) -> Value:
        for part in (node.lower, node.upper, node.step):
            if part is not None:
                self.value(part)
        return FRESH

    def _see_starred(self, node: ast.Starred) -> Value:
        return copied(self.value(node.value))

    # ------------------------------------------------------------ operators

    def _see_binop(self, node: ast.BinOp) -> Value:
        chain = [node]  # long sums lean to the left: go down without recursion
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        found = copied(self.value(chain[-1].left))
        for part in reversed(chain):
            found += copied(self.value(part.right))
        return tuple(dict.fromkeys(found)) if found else FRESH

    def _see_unaryop(self, node: ast.UnaryOp) -> Value:
        found = self.value(node.operand)
        return FRESH if isinstance(node.op, ast.Not) else copied(found)

    def _see_compare(self, node: ast.Compare) -> Value:
        self.value(node.left)
        for part in node.comparators:
            self.value(part)
        return FRESH

    def _see_boolop(self, node: ast.BoolOp) -> Value:
        found = self.value(node.values[0])
        return found + self.maybe(node.values[1:])

    def _see_ifexp(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        return self.maybe([node.body]) + self.maybe([node.orelse])

    def maybe(self, nodes: Sequence[ast.expr]) -> Value:
        """Read expressions which are not always evaluated: what they bind is not sure."""
        sure = self.state.sure.copy()
        found: Value = FRESH
        for node in nodes:
            found += self.value(node)
        self._unsure(sure)
        return found

    def _unsure(self, sure: set[str]) -> None:
        state = self.state
        for name in state.sure - sure:
            state.env[name] = (*state.env[name], self.arrive(name))
            state.sure.discard(name)

    def _see_namedexpr(self, node: ast.NamedExpr) -> Value:
        tokens = self.tokens_of(self.value(node.value))
        self.store(node.target.id, tokens)
        return tuple([(token, SAME) for token in tokens])

    # ------------------------------------------------------------ text and containers

    def _see_joinedstr(self, node: ast.JoinedStr) -> Value:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self._see_formattedvalue(part)
        return FRESH

    def _see_formattedvalue(self, node: ast.FormattedValue) -> Value:
        self.value(node.value)
        if node.format_spec is not None:
            self.value(node.format_spec)
        return FRESH

    def _see_list(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        found: Value = FRESH
        for part in node.elts:
            if part.__class__ is not ast.Constant:
                found += put(self.value(part))
        return found

    _see_tuple = _see_list
    _see_set = _see_list

    def _see_dict(self, node: ast.Dict) -> Value:
        found: Value = FRESH
        for part in (*node.keys, *node.values):
            if part is not None and part.__class__ is not ast.Constant:
                found += put(self.value(part))
        return found

    def _see_listcomp(self, node: ast.ListComp | ast.SetComp) -> Value:
        return put(self._comprehension(node.generators, [node.elt]))

    _see_setcomp = _see_listcomp

    def _see_dictcomp(self, node: ast.DictComp) -> Value:
        return put(self._comprehension(node.generators, [node.key, node.value]))

    def _see_generatorexp(self, node: ast.GeneratorExp) -> Value:
        value = self.used_up(put(self._comprehension(node.generators, [node.elt])))
        if self.is_cell and not self.frames:
            self._read_later(value[0][0], node)
        return value

    def _read_later(self, token: int, node: ast.GeneratorExp) -> None:
        """What a generator reads, it reads when it is used, maybe in a later cell; only the first iterable is had."""
        first, *others = node.generators
        parts = [node.elt, *first.ifs, *others]
        names = {name.id for part in parts for name in ast.walk(part) if isinstance(name, ast.Name)}
        bound = {name.id for one in node.generators for name in ast.walk(one.target) if isinstance(name, ast.Name)}
        if names - bound - BUILTINS:
            body = self.new_token()
            self.code[body] = Deferred(reads=frozenset(names - bound - BUILTINS), makes_code=True)
            self.sharing.link(token, body, CODE)

    def used_up(self, value: Value) -> Value:
        """An iterator over this: looking at it changes it."""
        made = self.new_token()
        for token, how in value:
            self.sharing.link(made, token, how)
        self.consumable.add(made)
        return ((made, SAME),)

    def _comprehension(self, generators: Sequence[ast.comprehension], parts: Sequence[ast.expr]) -> Value:
        first = self.value(generators[0].iter)  # the only part read outside of the inner scope
        sure = self.state.sure.copy()
        frame = Frame("comprehension")
        self.frames.append(frame)
        try:
            for position, generator in enumerate(generators):
                items = first if position == 0 else self.value(generator.iter)
                self._bind_inner(generator.target, taken(items), frame)
                for test in generator.ifs:
                    self.value(test)
            found: Value = FRESH
            for part in parts:
                found += self.value(part)
        finally:
            self.frames.pop()
        self._unsure(sure)
        return found

    def _bind_inner(self, target: ast.expr, value: Value, frame: Frame) -> None:
        if isinstance(target, ast.Name):
            frame.names[target.id] = self.tokens_of(value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self._bind_inner(part, value, frame)
        elif isinstance(target, ast.Starred):
            self._bind_inner(target.value, value, frame)
        else:  # [0 for x.a in y]: legal, and a store
            self.store_into(target, value)

    def store_into(self, target: ast.expr, value: Value) -> None:
        """Assign to an attribute or an element."""
        raise NotImplementedError

    # ------------------------------------------------------------ waiting and yielding

    def _see_await(self, node: ast.Await) -> Value:
        return taken(self.value(node.value))

    def _see_yield(self, node: ast.Yield) -> Value:
        if self.is_cell and not self.frames:
            raise SyntaxError("'yield' outside a function", ("", node.lineno, 0, ""))
        if node.value is not None and not self.frames:
            self.returned += self.value(node.value)
        elif node.value is not None:
            self.value(node.value)
        return FRESH

    def _see_yieldfrom(self, node: ast.YieldFrom) -> Value:
        if self.is_cell and not self.frames:
            raise SyntaxError("'yield' outside a function", ("", node.lineno, 0, ""))
        value = taken(self.value(node.value))
        if not self.frames:
            self.returned += value
        return value


_METHODS: dict[type[ast.AST], str] = {}


def _method(kind: type[ast.AST]) -> str:
    name = _METHODS.get(kind)
    if name is None:
        name = _METHODS[kind] = "_see_" + kind.__name__.lower()
    return name
