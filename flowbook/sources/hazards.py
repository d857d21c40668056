"""Reading what no name tells: functions that are kept to be called later, clocks, contexts, log lines, patches."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from flowbook.sources import knowledge as known
from flowbook.sources.effects import effect_of
from flowbook.sources.expressions import Expressions
from flowbook.sources.functions import Slot, lands_in
from flowbook.sources.sharing import ACCESS, CODE, SAME, Value

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from flowbook.sources.names import Deferred

Given = list[tuple[Slot, Value]]


class Hazards(Expressions):
    """Note what must keep its place among the cells, though no name connects it with them."""

    # ------------------------------------------------------------ functions given to somebody who keeps them

    def hand(self, function: str, given: Sequence[tuple[Slot, Value]]) -> None:
        """Note what is given to a function that may keep it: whoever has the keeper may call it, if it is code."""
        self.handed.update((function, token) for token in _objects(given))

    def keep_code(self, body: Deferred, given: Sequence[tuple[Slot, Value]], changed: Collection[str]) -> None:
        """What a function of this scope changes may hold the functions it was given, from now on."""
        brought = self.incoming.values()
        code = {token for token in _objects(given) if token in self.code or token in brought}
        if not code:
            return
        keepers = [self.read(name) for name in sorted(body.mutates | body.may_mutate)]
        keepers += [value for slot, value in given if lands_in(body, slot, changed)]
        for keeper in keepers:
            for target, _ in keeper:
                for source in code - {target}:
                    self.sharing.link(target, source, ACCESS)

    def use_up_owners(self, functions: Sequence[ast.expr]) -> None:
        """`map(base.append, xs)` changes `base` when it is looked at: so `base` counts as used up, too."""
        for function in functions:
            if not isinstance(function, ast.Attribute) or function.attr in known.HARMLESS_METHODS:
                continue
            if self.path(function) is None:
                self.consumable.update(token for token, _ in self.value(function.value))

    # ------------------------------------------------------------ functions of modules

    def heed_library(self, path: str, given: Sequence[tuple[Slot, Value]]) -> None:
        """Note what a call of a library's function leaves behind unseen."""
        if path in known.OPAQUE_FUNCTIONS:
            self.refuse(f"{path} {known.OPAQUE_FUNCTIONS[path]}", apart=path == "importlib.reload")
        if path in known.BACKGROUND:
            self.background.update(_objects(given))
        if path.startswith("logging."):
            self.hints.add("log")
            if path == "logging.basicConfig" or path.endswith("Handler"):
                self.heard.update(_objects(given))

    def heed_part(self, path: str, func: ast.Attribute, root: Value) -> None:
        """`config.paths.append(1)` changes what is in a module, and `from config import paths` makes no difference."""
        if func.attr not in known.CHANGING_METHODS - known.FITTING_METHODS or effect_of(path) is not None:
            return
        if isinstance(func.value, ast.Attribute) or not known.is_harmless_function(path):
            self.change(root, deep=True)

    def look_at_clock(self) -> Value:
        """What a clock says: cells between two looks at it must stay between them."""
        self.hints.add("clock")
        made = self.new_token()
        self.clocked.add(made)
        return ((made, SAME),)

    def set_attribute(self, node: ast.Call) -> None:
        """Note whose attribute `setattr` and `delattr` set."""
        if not node.args:
            return
        owner, *rest = node.args
        path = self.path(owner)
        if path is not None:
            name = rest[0] if rest else None
            is_told = isinstance(name, ast.Constant) and isinstance(name.value, str)
            self.replace(f"{path}.{ast.literal_eval(name)}" if name is not None and is_told else path)
        elif isinstance(owner, ast.Name) and not self.is_shadowed(owner.id):
            self.patches.add(owner.id)

    # ------------------------------------------------------------ methods

    def heed_method(self, node: ast.Call, attr: str) -> None:
        """Note what a method leaves in force for the cells below."""
        if attr in known.QUERYING_METHODS:
            self.touch("files", change=not _only_asks(node))
        if attr in known.LOGGING_METHODS:
            self.hints.add("log")
        if attr in known.ENTERING_METHODS:
            self.scene.add("enters")
            self.refuse(f"enters a context by {attr}(), which goes on in the cells below", apart=True)
        elif attr in known.LEAVING_METHODS:
            self.scene.add("leaves")


def _objects(given: Sequence[tuple[Slot, Value]]) -> set[int]:
    return {token for _, value in given for token, how in value if how != CODE}


def _only_asks(node: ast.Call) -> bool:
    """Whether the text of a query is known to change nothing."""
    text = node.args[0] if node.args else None
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        return False
    return text.value.lstrip().lower().startswith(known.QUERIES)
