"""What a call does to its arguments, and what its result shares with them, once the function is known.

A function is known as the `Deferred` of its body, or as the dotted path of a library's function; None is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.sources import knowledge as known
from flowbook.sources.effects import effect_of
from flowbook.sources.names import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Slot = int | str
Callee = Deferred | str | None
RECEIVER: Slot = "."  # the slot of what a method is called on


def is_harmless(path: str) -> bool:
    """Whether a library's function leaves its arguments alone."""
    return effect_of(path) is not None or known.is_harmless_function(path)


def lands_in(body: Deferred, slot: Slot, names: Collection[str]) -> bool:
    """Whether the argument in this slot becomes one of these parameters."""
    if not names:
        return False
    if slot == "*":
        return True
    if isinstance(slot, int):
        plain = [name for name in body.parameters if not name.startswith("*")]
        if slot < len(plain):
            return plain[slot] in names
    elif slot in body.parameters:
        return slot in names
    # An argument beyond the named ones lands in *args or **kwargs.
    return any(name.lstrip("*") in names for name in body.parameters if name.startswith("*"))


def changed_parameters(body: Deferred, lookup: Callable[[str], Callee], seen: frozenset[str] = frozenset()) -> set[str]:
    """The parameters whose objects a function may change, counting the functions it calls.

    Args:
        body: what the function does.
        lookup: finds a function by its global name.
        seen: the functions on the way here, for those that call each other.
    """
    changed = set(body.changes)
    parameters = {name.lstrip("*") for name in body.parameters}
    for call in body.calls:
        own = [(slot, name) for slot, name in call.arguments if name in parameters]
        if not own or call.function in seen:
            continue
        callee = lookup(call.function)
        for slot, name in own:
            if call.result:
                hit = result_shares(callee, slot, deep=call.result == "deep")
            else:
                hit = changes_argument(callee, slot, lookup, seen | {call.function})
            if hit:
                changed.add(name)
    return changed


def changes_argument(
    callee: Callee, slot: Slot, lookup: Callable[[str], Callee], seen: frozenset[str] = frozenset()
) -> bool:
    """Whether a call may change the argument in this slot."""
    if callee is None:
        return True
    if isinstance(callee, Deferred):
        return lands_in(callee, slot, changed_parameters(callee, lookup, seen))
    if callee in known.CHANGES_FIRST or callee.endswith("_"):
        return slot in {0, "*"}
    return slot in {"out", "file"} if is_harmless(callee) else slot != RECEIVER


def result_shares(callee: Callee, slot: Slot, *, deep: bool) -> bool:
    """Whether a change of a call's result may be a change of the argument in this slot.

    Args:
        callee: the function.
        slot: where the argument was.
        deep: whether something inside the result changes, not only the result itself.
    """
    if callee is None:
        return True
    if isinstance(callee, Deferred):
        return callee.makes_code or lands_in(callee, slot, {name for name, _ in callee.gives})
    return slot != RECEIVER and (deep or gives_view(callee))


def gives_view(path: str) -> bool:
    """Whether the result of a library's function may be a part of its arguments, or hold them."""
    last = path.rpartition(".")[2]
    return not is_harmless(path) or path in known.VIEWING_FUNCTIONS or last[:1].isupper()
