"""Mapping: one task run per element.

A mapped task is never run itself. When all it maps over is known, it is *spread*: its children get numbers of their
own, and from then on each of them is a task run like any other, with its own states, attempts, handlers and timers. The
task itself stays Pending until all children have ended and then becomes `Mapped`.

A child waits only for what is its own. Where one mapped task maps over another, child 3 of the second waits for child 3
of the first, so that each element runs through the whole chain by itself; the second task is spread as soon as the
first one is, before any of its children has ended.

What a mapped edge hands out is a `Supply`. How long it is can be a question to code of a user (``len`` of anything), so
the machine has it asked unless it is a plain list or tuple.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from flowbook.engine.kept import is_settled
from flowbook.engine.lazy import PLAIN, mapped_over
from flowbook.errors import shown
from flowbook.events import Spread
from flowbook.states import Cached, Failed, Mapped, Skipped, State, Success

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flowbook.edges import Edge
    from flowbook.engine.machine import Machine
    from flowbook.engine.plan import Plan

__all__ = [
    "NOTHING_TO_MAP",
    "UNMAPPABLE",
    "Family",
    "Supply",
    "child_finished",
    "child_states",
    "flattened",
    "gathered",
    "is_known",
    "supplies_of",
    "take_supplies",
    "upstream_numbers",
    "was_skipped",
]

NOTHING_TO_MAP = "No upstream states can be mapped over."
UNMAPPABLE = "At least one upstream state has an unmappable result."

# Their length and their items are no code of a user.
_PLAIN = (list, tuple, range)


@dataclass(frozen=True, slots=True)
class Supply:
    """What one edge hands out to the children of a mapped task.

    Attributes:
        edge: the edge.
        width: how many elements there are; None when every child gets the same.
        values: the elements, when they are known.
        states: the state of each element, when they have their own.
        family: the mapped task whose children are the elements, while they may still run.

    """

    edge: Edge
    width: int | None = None
    values: Any = None
    states: Sequence[State] | None = None
    family: Family | None = None


class Family:
    """A mapped task that was spread.

    Attributes:
        parent: the number of the mapped task.
        base: the number of its first child.
        width: how many children there are.
        left: how many of them have not ended.
        supplies: what its edges hand out.
        fixed: the arguments that all children share.
        indexed: arguments by sequence: child i gets item i.
        linked: arguments by family: child i gets the result of child i of that one.
        followers: mapped tasks whose child i waits for child i of this one.

    """

    __slots__ = ("base", "fixed", "followers", "indexed", "left", "linked", "parent", "supplies", "width")

    def __init__(self, parent: int, base: int, width: int, supplies: tuple[Supply, ...]) -> None:
        self.parent = parent
        self.base = base
        self.width = width
        self.left = width
        self.supplies = supplies
        self.fixed: dict[str, Any] = {}
        self.indexed: list[tuple[str, Any]] = []
        self.linked: list[tuple[str, int]] = []
        self.followers: list[Family] = []

    def arguments(self, number: int, states: Sequence[State]) -> dict[str, Any]:
        """Return what the body of a child is called with."""
        index = number - self.base
        kwargs = dict(self.fixed)
        for key, values in self.indexed:
            kwargs[key] = values[index]
        for key, base in self.linked:
            kwargs[key] = states[base + index].result
        return kwargs


# -- how many --------------------------------------------------------------------------------------------------------


def is_known(machine: Machine, parent: int) -> bool:
    """Tell whether a mapped task can be spread without asking code of a user."""
    states, index = machine.states, machine.plan.structure.index
    for edge in machine.plan.structure.edges[parent]:
        if edge.flattened:
            return False
        upstream = index[edge.upstream_task]
        if not edge.mapped or upstream in machine.families:
            continue
        state = states[upstream]
        if state.is_successful() and (type(state) is not Success or type(state.result) not in _PLAIN):
            return False
    return True


def supplies_of(machine: Machine, parent: int) -> tuple[Supply, ...] | State:
    """Return what the edges of a mapped task hand out, or the state it ends in because it cannot be mapped."""
    index, states = machine.plan.structure.index, machine.states
    made: list[Supply] = []
    for edge in machine.plan.structure.edges[parent]:
        upstream = index[edge.upstream_task]
        state = states[upstream]
        family = machine.families.get(upstream)
        if not (edge.mapped or edge.flattened):
            made.append(Supply(edge))
        elif family is not None and not edge.flattened:
            made.append(Supply(edge, family.width, family=family))
        elif not state.is_successful():
            made.append(Supply(edge))  # every child sees that it failed
        else:
            try:
                made.append(_elements(edge, state))
            except Exception as error:  # noqa: BLE001 - a user's sequence may raise anything when it is looked at
                return Failed(UNMAPPABLE, result=error)
    if all(supply.width is None for supply in made):
        return Failed(NOTHING_TO_MAP)
    return tuple(made)


def _elements(edge: Edge, state: State) -> Supply:
    """Return what an edge from a state that is known hands out.

    Raises:
        TypeError: it has no elements.

    """
    if not edge.mapped:
        return Supply(edge, values=flattened(state))
    if edge.flattened:
        values, states = _opened(state)
        return Supply(edge, len(values), values, states)
    values = state.result
    if not hasattr(values, "__getitem__") or not hasattr(values, "__len__"):
        msg = f"a {type(values).__name__} has no elements to map over; return a list."
        raise TypeError(msg)
    known: Any = state.map_states if isinstance(state, Mapped) and len(state.map_states) == len(values) else None
    return Supply(edge, len(values), values, known)


def _opened(state: State) -> tuple[list[Any], list[State] | None]:
    """Take one level of nesting out of a result; a mapped child that failed or was skipped stays one element."""
    if not isinstance(state, Mapped) or not state.map_states:
        return _joined(state.result), None
    values: list[Any] = []
    states: list[State] = []
    for child in state.map_states:
        if child is None:
            continue
        items = list(child.result) if child.is_successful() and not isinstance(child, Skipped) else [child.result]
        values.extend(items)
        states.extend([child] * len(items))
    return values, states


def _joined(items: Any) -> list[Any]:
    try:
        return list(chain.from_iterable(items))
    except TypeError as error:
        for place, item in enumerate(items if hasattr(items, "__iter__") else [items]):
            if not hasattr(item, "__iter__"):
                what = f"item {place} is {shown(item, 40)}" if item is not items else f"got {shown(item, 40)}"
                msg = f"flatten takes a list of lists, and {what}, which has none. Return lists, or leave flatten out."
                raise TypeError(msg) from error
        raise


def flattened(state: State) -> Any:
    """Return the argument for a flattened edge to a task that is not mapped: one level of nesting less.

    Raises:
        TypeError: an item that has no elements.

    """
    return _opened(state)[0] if state.is_successful() else state.result


# -- spreading -------------------------------------------------------------------------------------------------------


def take_supplies(machine: Machine, task: int, supplies: tuple[Supply, ...] | State, at: float) -> None:
    """Spread a mapped task over what its edges hand out, or end it because that cannot be."""
    if isinstance(supplies, State):
        machine.move(task, supplies, at, may_retry=False)
        return
    family = _spread(machine, task, supplies, at)
    for child in machine.plan.structure.followers.get(task, ()):
        machine.release(child, is_plain=True)
    if not family.left:
        machine.undecided.append(task)


def _spread(machine: Machine, parent: int, supplies: tuple[Supply, ...], at: float) -> Family:
    """Give a mapped task its children and make those ready that wait for nothing."""
    plan, states = machine.plan, machine.states
    width = min(supply.width for supply in supplies if supply.width is not None)
    family = Family(parent, len(states), width, supplies)
    _bind(family, plan, states)
    machine.families[parent] = family
    machine.log.append(at, parent, Spread(family.base, width))
    plan.spread(family)
    machine.unfinished += width
    sources = [supply.family for supply in supplies if supply.family is not None]
    states.extend([states[parent]] * width)
    machine.waiting.extend([len(sources)] * width)
    seeds = machine.family_seeds.pop(parent, None)
    needs_look = plan.special[parent] or plan.handled[parent] or seeds is not None or _is_troubled(machine, supplies)
    machine.flagged.extend([needs_look] * width)
    children = range(family.base, family.base + width)
    for source in sources:
        source.followers.append(family)
        _catch_up(machine, source, family)
    if seeds is not None:
        _plant_children(machine, children, seeds, at)
    if not needs_look and not sources:
        machine.ready.extend(children)
        return family
    waiting, flagged = machine.waiting, machine.flagged
    for child in children:
        if not waiting[child]:
            (machine.undecided if flagged[child] else machine.ready).append(child)
    return family


def _plant_children(machine: Machine, children: range, seeds: Iterable[State | None], at: float) -> None:
    """Take in what a run before this one left of mapped children: what ended well is kept."""
    for child, seed in zip(children, seeds, strict=False):
        if seed is not None and is_settled(seed):
            machine.enter(child, seed, at, may_retry=False)
        elif isinstance(seed, Cached):
            machine._seeds[child] = seed  # noqa: SLF001 - the machine's own books: it has to prove itself again


def _catch_up(machine: Machine, source: Family, family: Family) -> None:
    """Count down what has ended already of the children which those of a new family wait for."""
    states = machine.states
    for offset in range(family.width):
        before = source.base + offset
        if machine.has_ended(before):
            machine.waiting[family.base + offset] -= 1
            if type(states[before]) not in PLAIN:
                machine.flagged[family.base + offset] = True


def _bind(family: Family, plan: Plan, states: Sequence[State]) -> None:
    structure = plan.structure
    family.fixed.update(structure.constants[family.parent] or {})
    for supply in family.supplies:
        edge = supply.edge
        if edge.key is None:
            continue
        if supply.family is not None:
            family.linked.append((edge.key, supply.family.base))
        elif supply.width is not None:
            family.indexed.append((edge.key, supply.values))
        else:
            state = states[structure.index[edge.upstream_task]]
            family.fixed[edge.key] = supply.values if edge.flattened and state.is_successful() else state.result


def _is_troubled(machine: Machine, supplies: tuple[Supply, ...]) -> bool:
    """Tell whether children have more to look at than plain successes."""
    index, states = machine.plan.structure.index, machine.states
    return any(
        supply.states is not None or not _is_plain(supply.edge, states[index[supply.edge.upstream_task]])
        for supply in supplies
        if supply.family is None
    )


def _is_plain(edge: Edge, state: State) -> bool:
    """Tell whether what comes by an edge is nothing but plain successes: looked at once, and not by every child."""
    if isinstance(state, Mapped) and not edge.mapped:
        return PLAIN.issuperset(map(type, state.map_states))
    return type(state) in PLAIN


def child_finished(machine: Machine, task: int, *, is_plain: bool) -> None:
    """Count down what waits for a mapped child: its family, and the child at its place in each that follows.

    That one is the next to be run: depth first, so that one element is through before too many are begun.
    """
    family = machine.plan.homes[task - machine.static]
    family.left -= 1
    if not family.left:
        machine.undecided.append(family.parent)
    waiting, flagged, offset = machine.waiting, machine.flagged, task - family.base
    for follower in family.followers:
        if offset < follower.width:
            child = follower.base + offset
            waiting[child] -= 1
            if not is_plain:
                flagged[child] = True
            if not waiting[child]:
                if flagged[child] or machine.cancelled is not None:
                    machine.undecided.append(child)
                else:
                    machine.ready.appendleft(child)


def child_states(machine: Machine, number: int) -> dict[Edge, State]:
    """Return the states upstream of a mapped child, by edge."""
    family = machine.plan.home(number)
    assert family is not None
    return dict(_upstream(machine, family, number - family.base))


def _upstream(machine: Machine, family: Family, offset: int) -> Iterator[tuple[Edge, State]]:
    states, index = machine.states, machine.plan.structure.index
    for supply in family.supplies:
        if supply.family is not None:
            yield supply.edge, states[supply.family.base + offset]
        elif supply.states is not None:
            yield supply.edge, supply.states[offset]
        else:
            yield supply.edge, states[index[supply.edge.upstream_task]]


def upstream_numbers(machine: Machine, task: int, edge: Edge) -> Sequence[int]:
    """Return the task runs at the upper end of an edge, by number: all children, where it brings their results."""
    upstream = machine.plan.structure.index[edge.upstream_task]
    family = machine.families.get(upstream)
    if family is None:
        return [upstream]
    own = machine.plan.home(task)
    linked = own is not None and any(supply.edge is edge and supply.family is not None for supply in own.supplies)
    if own is not None and linked:
        return [family.base + task - own.base]
    return range(family.base, family.base + family.width)


def gathered(machine: Machine, family: Family) -> State:
    """Return the state of a mapped task whose children have all ended."""
    states = machine.states[family.base : family.base + family.width]
    return mapped_over("All mapped children have ended.", states)


def was_skipped(edge: Edge, state: State) -> bool:
    """Tell whether a state upstream, or one of its mapped children where an edge brings all of them, was skipped."""
    if isinstance(state, Mapped) and not edge.mapped:
        return any(isinstance(child, Skipped) for child in state.map_states)
    return isinstance(state, Skipped)
