"""Reading functions, classes and lambdas: their bodies run later, so they are read apart, as `Deferred`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from flowbook.sources.expressions import is_place, root_name
from flowbook.sources.knowledge import CHANGING_METHODS, HARMLESS_DECORATORS
from flowbook.sources.names import Deferred
from flowbook.sources.scopes import BY_CALL, MAY, SURE, Frame, Scope
from flowbook.sources.sharing import CODE, FRESH, SAME, VIEW, Value, called, put, taken
from flowbook.sources.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_SILENT = (ast.Constant, ast.expr_context, ast.operator, ast.cmpop)  # most nodes; they bind nothing
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_names(body: Iterable[ast.AST]) -> tuple[set[str], set[str], bool]:
    """Names a function body binds, names it declares global or nonlocal, and whether it yields."""
    bound: set[str] = set()
    outside: set[str] = set()
    yields = False
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, _SILENT):
            continue
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                bound.add(node.id)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound.add(node.name)
            case ast.Import() | ast.ImportFrom():
                bound |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.add(name)
            case ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case ast.Global() | ast.Nonlocal():
                outside |= set(node.names)
            case ast.Yield() | ast.YieldFrom():
                yields = True
        if isinstance(node, _COMPREHENSIONS):
            bound |= {part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr)}
        elif not isinstance(node, _INNER):
            waiting += ast.iter_child_nodes(node)
    return bound - outside, outside, yields


def parameter_names(arguments: ast.arguments) -> tuple[str, ...]:
    """The parameters in order; those which take the rest are marked with their stars."""
    plain = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    rest = [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    named = [one.arg for one in arguments.kwonlyargs]
    extra = [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return (*plain, *rest, *named, *extra)


def _mutable_defaults(arguments: ast.arguments) -> frozenset[str]:
    """Parameters whose default is an object that calls can change."""
    plain = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(plain[len(plain) - len(arguments.defaults) :], arguments.defaults, strict=True))
    pairs += [(name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    return frozenset(name.arg for name, value in pairs if not isinstance(value, ast.Constant))


class Definitions(Statements):
    """Visit definitions."""

    def __init__(self, **scope: object) -> None:
        super().__init__(**scope)
        self.deferred: dict[str, Deferred] = {}
        self.methods: dict[str, Deferred] | None = None  # of the class whose body is being read
        self.of_class: set[str] = set()  # its methods that get the class itself

    # ------------------------------------------------------------ functions

    def _see_lambda(self, node: ast.Lambda) -> Value:
        value = self._function(node)
        for token, _ in value:
            if token in self.code:
                self.perform(token)  # as an argument it may be called at once
        return value

    def _define_lambda(self, node: ast.Lambda, names: Sequence[str]) -> Value:
        value = self._function(node)
        for token, _ in value:
            if token in self.code and not self.frames:
                for name in names:
                    self.deferred[name] = _joined(self.deferred.get(name), self.code[token])
        return value

    def _do_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = FRESH
        for decorator in node.decorator_list:
            decorators += taken(self.value(decorator))
        with self.type_names(node):
            value = self._function(node)
        token = value[0][0]
        if token in self.code:
            if self.methods is not None:
                self.methods[node.name] = self.code[token]
                if node.name in _OF_CLASS or any(_is_classmethod(one) for one in node.decorator_list):
                    self.of_class.add(node.name)
            elif not self.frames:
                self.deferred[node.name] = _joined(self.deferred.get(node.name), self.code[token])
            decorating = [one for one in node.decorator_list if not self._is_harmless_decorator(one)]
            if decorating:
                self.perform(token)  # a decorator may call what it decorates
            self._decorate(decorating, value)
        self.store(node.name, self.tokens_of((*value, *called(decorators))))

    _do_asyncfunctiondef = _do_functiondef

    def _decorate(self, decorators: Sequence[ast.expr], value: Value) -> None:
        """Let decorators keep what they decorate, to call it later."""
        for decorator in decorators:
            if isinstance(decorator, ast.Name) and not self.is_shadowed(decorator.id):
                self.call_by_name(decorator.id, [(0, value)])
                continue
            self.hand(root_name(decorator) or "", [(0, value)])
            if isinstance(decorator, ast.Attribute) and self.path(decorator) is None:
                owner = self.value(decorator.value)  # @show.register, @app.before
                self.change(owner, SURE if decorator.attr in CHANGING_METHODS and is_place(decorator) else MAY)
                self.hold(owner, value)
            elif isinstance(decorator, ast.Call):
                self.keep_decorated(decorator, value)

    def keep_decorated(self, decorator: ast.Call, value: Value) -> None:
        """`@app.route("/")` and `@register("name")`: who makes the decorator may keep what is decorated."""
        func = decorator.func
        owner = self.value(func.value if isinstance(func, ast.Attribute) else func)
        bodies = [self.code[token] for token, _ in owner if token in self.code]
        for body in bodies:
            self.keep_code(body, [(0, value)], ())
        if not bodies and self.path(func) is None:
            self.hold(owner, value)

    def _is_harmless_decorator(self, node: ast.expr) -> bool:
        node = node.func if isinstance(node, ast.Call) else node
        path = self.path(node)
        last = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        return path in HARMLESS_DECORATORS or last in HARMLESS_DECORATORS or last in {"setter", "getter", "deleter"}

    def _function(self, node: Function) -> Value:
        """Read a function; the answer is the function object."""
        arguments = node.args
        held = FRESH
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                held += put(self.value(default))
        if not isinstance(node, ast.Lambda):
            self._annotations(node)
        token = self.new_token()
        for source, how in held:
            self.sharing.link(token, source, how)
        if self.is_cell and all(frame.kind == "class" for frame in self.frames):
            self.code[token] = self._apart(node)
            self.captured |= self.code[token].reads | self.code[token].writes
        else:
            self.inner.add(token)
            self._in_place(node)
        return ((token, SAME),)

    def _annotations(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        for annotation in (*(one.annotation for one in every), node.returns):
            if annotation is not None and annotation.__class__ is not ast.Constant:
                self.value(annotation)

    def _apart(self, node: Function) -> Deferred:
        """Read a body in a scope of its own."""
        body: list[ast.stmt] = [ast.Return(node.body)] if isinstance(node, ast.Lambda) else node.body
        bound, outside, yields = bound_names([node.body] if isinstance(node, ast.Lambda) else node.body)
        parameters = parameter_names(node.args)
        plain = [name.lstrip("*") for name in parameters]
        scope = type(self)(is_cell=False, parameters=plain, local=(bound | set(plain)) - outside)
        scope.outer_paths = {**self.outer_paths, **self.paths}
        scope.run(body)
        later = yields or isinstance(node, ast.AsyncFunctionDef)  # the body runs when the result is used
        return summary(scope, parameters, generator=later, defaults=_mutable_defaults(node.args))

    def _in_place(self, node: Function) -> None:
        """Read a nested body where it is defined, as if it were called there."""
        bound, outside, _ = bound_names([node.body] if isinstance(node, ast.Lambda) else node.body)
        plain = {name.lstrip("*") for name in parameter_names(node.args)}
        before, loops, methods = self.state.copy(), self.loops, self.methods
        self.frames.append(Frame("function", (bound | plain) - outside, outside))
        self.loops, self.methods = [], None
        if isinstance(node, ast.Lambda):
            self.value(node.body)
        else:
            self.run(node.body)
        self.loops, self.methods = loops, methods
        self.frames.pop()
        self.state.dead = False
        self.state = self.merge([self.state, before])

    # ------------------------------------------------------------ classes

    def _do_classdef(self, node: ast.ClassDef) -> None:
        bases = FRESH
        for part in (*node.bases, *(keyword.value for keyword in node.keywords), *node.decorator_list):
            bases += called(self.value(part))
        apart = self.is_cell and all(frame.kind == "class" for frame in self.frames)
        outer, self.methods = self.methods, {} if apart else None
        outer_of_class, self.of_class = self.of_class, set()
        bound, outside, _ = bound_names(node.body)
        frame = Frame("class", (), outside)
        with self.type_names(node):
            self.frames.append(frame)
            self.run(node.body)
            self.frames.pop()
        methods, self.methods = self.methods, outer
        of_class, self.of_class = self.of_class, outer_of_class
        token = self.new_token()
        for name in bound & frame.names.keys():
            for held in frame.names[name]:
                if held not in self.code:
                    self.sharing.link(token, held, VIEW)
        if apart:
            names = {root for base in node.bases if (root := root_name(base)) is not None}
            keeps = bool(self.sharing.sources.get(token)) or any(
                not body.changes.isdisjoint(body.parameters[:1])
                for name in of_class
                for body in [(methods or {})[name]]
            )
            self.code[token] = _class(methods or {}, names, keeps=keeps)
            if not self.frames:
                self.deferred[node.name] = _joined(self.deferred.get(node.name), self.code[token])
            elif outer is not None:
                outer[node.name] = self.code[token]
        else:
            self.inner.add(token)
        for base in node.bases:
            self.hand(root_name(base) or "", [(0, ((token, SAME),))])  # it may keep a list of the classes made of it
        self.store(node.name, self.tokens_of((*bases, (token, SAME))))


def changes(scope: Scope) -> tuple[set[str], set[str], set[str]]:
    """Names from outside whose objects change: surely, maybe, and maybe by a call that other cells tell."""
    names = {token: name for name, token in (*scope.incoming.items(), *scope.arguments.items())}
    found: dict[int, set[str]] = {SURE: set(), MAY: set(), BY_CALL: set()}
    for (token, _), flags in scope.changed.items():
        for flag, those in found.items():
            if flags & flag and token in names:
                those.add(names[token])
    sure, maybe, by_call = found.values()
    return sure, maybe - sure, by_call - maybe - sure


def deep_changes(scope: Scope) -> set[str]:
    """Names whose objects change somewhere below their own level."""
    names = {token: name for name, token in scope.incoming.items()}
    return {names[token] for token, deep in scope.changed if deep and token in names}


def summary(scope: Definitions, parameters: tuple[str, ...], *, generator: bool, defaults: frozenset[str]) -> Deferred:
    """What was noticed in a function's body, in terms of its parameters and of global names."""
    sure, maybe, by_call = changes(scope)
    own = scope.arguments.keys()
    given = {(name, VIEW) for name in scope.roots(scope.returned)}
    leads = scope.sharing.reach((token for token, _ in scope.returned), through_code=True)
    given |= {(name, CODE) for name, token in scope.incoming.items() if token in leads and (name, VIEW) not in given}
    return Deferred(
        reads=frozenset(name for name in scope.reads if not name.startswith("*")),
        writes=frozenset(scope.plain | scope.loose),
        mutates=frozenset(sure - own),
        may_mutate=frozenset((maybe | by_call) - own),
        deletes=frozenset(scope.state.gone),
        builtins=frozenset(scope.builtins),
        effects=frozenset(scope.effects),
        observes=frozenset(scope.looks - scope.effects),
        hints=frozenset(scope.hints),
        opaque=scope.opaque,
        parameters=parameters,
        changes=frozenset((sure | maybe) & own),
        calls=tuple(scope.calls),
        passed=frozenset(by_call - own),
        gives=frozenset(given),
        keeps=any(token in scope.inner for token, _ in scope.changed)  # a wrapper that counts its calls
        or not defaults.isdisjoint(
            sure
            | maybe
            | by_call
            | {name for name, _ in given}
            | {n for call in scope.calls for _, n in call.arguments}
        ),
        makes_code=generator or not scope.inner.isdisjoint(leads),
        assumed=frozenset(scope.assumed),
        generator=generator,
    )


def _class(methods: dict[str, Deferred], bases: set[str], *, keeps: bool) -> Deferred:
    """A class as a function: calling it, or holding an object of it, may run any of its methods."""
    joined: Deferred = Deferred(reads=frozenset(bases))
    for method in methods.values():
        joined = _joined(joined, method)
    start = methods.get("__init__")
    return Deferred(
        **{name: getattr(joined, name) for name in _SETS},
        opaque=joined.opaque,
        parameters=start.parameters[1:] if start else (),
        changes=start.changes - set(start.parameters[:1]) if start else frozenset(),
        calls=joined.calls,
        methods=methods,
        makes_code=True,
        keeps=keeps,
    )


# They get the class without a decorator that says so.
_OF_CLASS = frozenset(["__new__", "__init_subclass__", "__class_getitem__"])


def _is_classmethod(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id == "classmethod"


_SETS = (
    "reads", "writes", "mutates", "may_mutate", "deletes", "builtins", "effects", "observes", "hints",
    "passed", "assumed",
)  # fmt: skip


def _joined(one: Deferred | None, two: Deferred) -> Deferred:
    """What either of two bodies does; the parameters are the second's."""
    if one is None:
        return two
    joined: dict[str, frozenset[str]] = {name: getattr(one, name) | getattr(two, name) for name in _SETS}
    return Deferred(
        **joined,
        opaque=one.opaque or two.opaque,
        parameters=two.parameters,
        changes=one.changes | two.changes,
        calls=tuple(dict.fromkeys((*one.calls, *two.calls))),
        methods={**one.methods, **two.methods},
        generator=one.generator or two.generator,
        gives=one.gives | two.gives,
        makes_code=one.makes_code or two.makes_code,
        keeps=one.keeps or two.keeps,
    )
