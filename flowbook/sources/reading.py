"""Read one cell."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from flowbook.sources.definitions import changes, deep_changes
from flowbook.sources.expressions import PLOT
from flowbook.sources.magics import Magics, parse_cell
from flowbook.sources.names import CellNames, CellSyntaxError, Objects

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CONSTANT = (
    ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.JoinedStr,
    ast.FormattedValue, ast.operator, ast.unaryop, ast.expr_context, ast.Lambda,
)  # fmt: skip


def analyse(code: str) -> CellNames:
    r"""Tell from a cell's text which names it needs and makes, what it changes, what hidden state it touches.

    Nothing is ever evaluated. IPython's syntax (magics, `!`, `?`) and top-level `await` are understood.

    Args:
        code: the text of the cell, as a person wrote it.

    Returns:
        Its names. When the text does not tell (`exec`, a star import, `%%bash`), `opaque` says why, and the
        rest holds what is known none the less.

    Raises:
        CellSyntaxError: if the cell is not Python, with the line of the cell and its text.

    >>> names = analyse("delays = flights[flights.late > limit]\nfor day in delays: print(day)")
    >>> sorted(names.reads), sorted(names.writes), sorted(names.maybe_writes)
    (['flights', 'limit'], ['delays'], ['day'])
    >>> sorted(analyse("frames.append(new)").mutates)
    ['frames']
    >>> sorted(analyse("%time result = model.predict(x)").writes)
    ['result']
    >>> analyse("def area(r): return pi * r**2").deferred["area"].reads
    frozenset({'pi'})
    >>> analyse("np.random.seed(0)").effects
    frozenset({'random'})
    >>> analyse("from tools import *").opaque
    'from tools import * binds names the text does not tell'
    """
    scope = Magics(is_cell=True)
    try:
        body = parse_cell(code)
        scope.run(body)
    except SyntaxError as error:
        raise CellSyntaxError(error.msg, error.lineno or 1, code) from None
    except RecursionError:
        return CellNames(opaque="is too deeply nested to be read")
    return _names(scope, body)


def _names(scope: Magics, body: Sequence[ast.stmt]) -> CellNames:
    state = scope.state
    sure, maybe, by_call = changes(scope)
    if PLOT in sure | maybe | by_call:
        scope.touch("plot")
    hidden = {PLOT}
    bound = state.bound
    return CellNames(
        reads=frozenset(scope.reads - hidden),
        writes=frozenset(bound & state.sure),
        maybe_writes=frozenset(bound - state.sure),
        mutates=frozenset(sure - hidden),
        may_mutate=frozenset((maybe | by_call) - hidden),
        deletes=frozenset(state.gone),
        imports=frozenset(scope.imports & bound),
        effects=frozenset(scope.effects | scope.looks),
        deferred={name: made for name, made in scope.deferred.items() if name in bound},
        opaque=scope.opaque,
        builtins=frozenset(scope.builtins),
        observes=frozenset(scope.looks - scope.effects),
        hints=frozenset(scope.hints),
        temporary=frozenset((scope.loose - scope.plain - scope.captured - scope.reads) & bound),
        fleeting=frozenset(scope.fleeting),
        shareable=_is_shareable(scope, body),
        modules={name: path for name, path in scope.modules.items() if name in bound},
        calls=tuple(scope.calls),
        passed=frozenset(by_call - hidden),
        shallow=frozenset(sure - deep_changes(scope) - hidden),
        patches=frozenset(scope.patches),
        scene=frozenset(scope.scene),
        assumed=frozenset(scope.assumed),
        trusted=frozenset(scope.trusted),
        objects=_objects(scope),
    )


def _objects(scope: Magics) -> Objects:
    """What later cells must know of the objects; those that lead nowhere are left out."""
    bound = tuple((name, scope.state.env[name]) for name in sorted(scope.state.bound) if name in scope.state.env)
    return Objects(
        bound=bound,
        incoming=tuple((token, name) for name, token in scope.incoming.items()),
        shares=tuple(sorted(scope.sharing.edges)),
        code=tuple(scope.code.items()),
        consumable=frozenset(scope.consumable),
        conditions=tuple(scope.conditions),
        handed=frozenset(scope.handed),
        background=frozenset(scope.background),
        heard=frozenset(scope.heard),
        clocked=frozenset(scope.clocked),
        results=tuple(scope.results.items()),
    )


def _is_shareable(scope: Magics, body: Sequence[ast.stmt]) -> bool:
    """Whether a cell only imports, defines, and binds constants."""
    if scope.opaque is not None or scope.effects or scope.looks or scope.changed or scope.state.gone:
        return False
    return all(isinstance(node, _DEFINITIONS) or _binds_constant(node) for node in body)


def _binds_constant(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        if not all(isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets):
            return False
    elif not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        return isinstance(node, ast.Pass)
    value = node.value
    if value is None or isinstance(value, ast.Lambda):
        return True
    return all(isinstance(part, _CONSTANT) for part in ast.walk(value))
