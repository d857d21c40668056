"""Turn a flow into something that can be drawn: cards with a size and a place, edges with a route and a label.

Sizes come from measured text, places from `layout`. What is here does not change during a run; how a node looks is
decided by CSS from its state, so a picture is laid out once and only recoloured.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flowbook.errors import CycleError
from flowbook.view.kinds import COLLECTIONS, bands, is_aside, kind_of, name_of
from flowbook.view.layout import Layout, Route, layout
from flowbook.view.measure import clean, elide, text_width
from flowbook.view.places import Place, place_of
from flowbook.view.protocol import Kind, NodeCard
from flowbook.view.words import TIMELESS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from flowbook.edges import Edge
    from flowbook.flows import Flow
    from flowbook.hints import EdgeTypes
    from flowbook.tasks.base import Task

__all__ = ["FlowPicture", "Link", "Node", "node_cards", "numbered_tasks", "picture"]

EdgeKind = Literal["data", "state", "mapped", "gathered", "branch", "cycle"]
"""What is told apart by its line: a result, only the end of a task, one result for each child, the results of all
children, a condition, and a part of a circle."""
Direction = Literal["right", "down"]

MANY = 60
"""More nodes than this are drawn small and without labels on their edges: less to read, more to see."""
HUGE = 400
"""More nodes than this are laid out only once, in the direction that their shape suggests."""
WIDE = 1200.0
"""A picture wider than this is drawn downwards when that makes it narrower."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The measures of a card: where its texts stand, how large they are."""

    height: float
    least: float
    most: float
    step: float
    left: float
    right: float
    name_size: float
    name_line: float
    badge: float
    badge_x: float
    state_line: float = 0.0


CARD = Shape(
    height=52,
    least=140,
    most=300,
    step=10,
    left=46,
    right=12,
    name_size=13,
    name_line=22,
    badge=11,
    badge_x=26,
    state_line=39,
)
SMALL = Shape(
    height=30,
    least=60,
    most=240,
    step=10,
    left=34,
    right=12,
    name_size=12,
    name_line=19.5,
    badge=8,
    badge_x=19,
)
HEXAGON = Shape(
    height=34,
    least=70,
    most=240,
    step=10,
    left=40,
    right=18,
    name_size=12,
    name_line=21.5,
    badge=8,
    badge_x=24,
)
"""A condition: its two points take room from its words."""
TAG = Shape(
    height=32,
    least=70,
    most=240,
    step=10,
    left=34,
    right=20,
    name_size=12,
    name_line=20.5,
    badge=8,
    badge_x=19,
)
"""Where branches come together: pointed at its right."""
RIGHT_GAP, DOWN_GAP, NODE_GAP = 64.0, 44.0, 22.0
STATE_SIZE = 11.0
TIME_SIZE = 11.0
LABEL_SIZE = 10.5
LABEL_HEIGHT = 16.0
LABEL_MOST = 120.0


@dataclass(frozen=True, slots=True)
class Node:
    """One card: what it is, what is written on it, where it is."""

    card: NodeCard
    label: str
    shape: Shape
    x: float
    y: float
    width: float

    @property
    def is_mapped(self) -> bool:
        """Whether it stands for all children of a mapped task."""
        return self.card.mapped

    @property
    def room(self) -> float:
        """The width its state line may take."""
        return self.width - self.shape.left - self.shape.right


@dataclass(frozen=True, slots=True)
class Link:
    """All edges from one node to another, drawn as one."""

    source: int
    target: int
    kind: EdgeKind
    label: str
    route: Route
    is_inside: bool = False
    """Whether both its ends belong to one resource, whose ground it is drawn on."""
    types: str = ""
    """What the annotations at its ends say, for those who point at it: `rows: list[int] -> list[int]`."""


@dataclass(frozen=True, slots=True)
class FlowPicture:
    """The drawable model of a flow. Node n is `nodes[n]`; node numbers are those of the protocol."""

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    width: float
    height: float
    direction: Direction
    places: tuple[Place, ...] = ()

    @property
    def cards(self) -> tuple[NodeCard, ...]:
        """What the nodes are, for the protocol."""
        return tuple(node.card for node in self.nodes)


@dataclass(frozen=True, slots=True)
class _Bond:
    """A `Link` before it has a route."""

    source: int
    target: int
    kind: EdgeKind
    label: str
    types: str = ""

    def is_in(self, members: AbstractSet[int]) -> bool:
        """Whether both its ends are among some tasks."""
        return self.source in members and self.target in members


def picture(flow: Flow, *, direction: Direction | None = None) -> FlowPicture:
    """Lay out a flow for drawing.

    Args:
        flow: any flow, also one with a cycle: its edges are then drawn red.
        direction: "right" or "down"; when None, to the right unless that gets wide and downwards is narrower.

    Returns:
        The drawable model; the number of a task is its place in `numbered_tasks`.

    >>> from flowbook import Flow, task
    >>> with Flow("sum") as flow:
    ...     total = task(lambda: 1, name="one")() + 2
    >>> drawn = picture(flow)
    >>> [node.label for node in drawn.nodes], [link.label for link in drawn.links]
    (['one', 'Add'], ['x'])
    """
    tasks, cycle = numbered_tasks(flow)
    numbers = {task: number for number, task in enumerate(tasks)}
    bonds = _bonds(flow, numbers, cycle)
    cards = _cards(flow, tasks, bonds)
    is_big = len(tasks) > MANY
    shapes = [_shape(card.kind, is_big=is_big) for card in cards]
    sizes = [(_width(card, shape), shape.height) for card, shape in zip(cards, shapes, strict=True)]
    labels = ["" if is_big else elide(bond.label, LABEL_MOST, LABEL_SIZE, "mono") for bond in bonds]
    placed, chosen = _place(sizes, bonds, labels, direction)
    if not is_big:
        sizes = _even(sizes, shapes, placed.ranks)
        placed, chosen = _place(sizes, bonds, labels, direction)
    nodes = tuple(
        Node(card, _fitted(card, shape, width), shape, x, y, width)
        for card, shape, (width, _), (x, y) in zip(cards, shapes, sizes, placed.nodes, strict=True)
    )
    found = bands(tasks, [(bond.source, bond.target) for bond in bonds])
    links = tuple(
        Link(
            bond.source,
            bond.target,
            bond.kind,
            label,
            route,
            any(bond.is_in(band.members) for band in found),
            bond.types,
        )
        for bond, label, route in zip(bonds, labels, placed.edges, strict=True)
    )
    places = tuple(place_of(band, nodes, links, placed.ranks, chosen) for band in found)
    return FlowPicture(clean(flow.name), nodes, links, placed.width, placed.height, chosen, places)


def node_cards(flow: Flow) -> tuple[NodeCard, ...]:
    """Return what the nodes of a flow are, without laying them out.

    >>> from flowbook import Flow, task
    >>> with Flow("one") as flow:
    ...     one = task(lambda: 1, name="one")()
    >>> [card.name for card in node_cards(flow)]
    ['one']
    """
    tasks, cycle = numbered_tasks(flow)
    return tuple(_cards(flow, tasks, _bonds(flow, {task: number for number, task in enumerate(tasks)}, cycle)))


def numbered_tasks(flow: Flow) -> tuple[tuple[Task, ...], tuple[Task, ...]]:
    """Return the tasks in the order that numbers them, and those of a cycle when there is one.

    >>> from flowbook import Flow, task
    >>> with Flow("one") as flow:
    ...     one = task(lambda: 1, name="one")()
    >>> [task.name for task in numbered_tasks(flow)[0]]
    ['one']
    """
    try:
        return tuple(flow.sorted_tasks()), ()
    except CycleError as error:
        # No order exists; slugs are at least the same on each call.
        return tuple(sorted(flow.tasks, key=lambda task: flow.slugs[task])), error.cycle


def _shape(kind: Kind, *, is_big: bool) -> Shape:
    if kind == "condition":
        return HEXAGON
    if kind == "merge":
        return TAG
    return SMALL if is_big or is_aside(kind) else CARD


def _cards(flow: Flow, tasks: Sequence[Task], bonds: Sequence[_Bond]) -> list[NodeCard]:
    upstream: list[list[int]] = [[] for _ in tasks]
    downstream: list[list[int]] = [[] for _ in tasks]
    for bond in bonds:
        upstream[bond.target].append(bond.source)
        downstream[bond.source].append(bond.target)
    slugs = flow.slugs
    mapped = {edge.downstream_task for edge in flow.edges if edge.mapped}
    return [
        NodeCard(
            node=number,
            slug=slugs[task],
            name=name_of(task),
            kind=kind_of(task),
            upstream=tuple(sorted(upstream[number])),
            downstream=tuple(sorted(downstream[number])),
            attempts=1 + int(task.max_retries or 0),
            mapped=task in mapped,
            cell=str(getattr(task, "cell_id", "")),
        )
        for number, task in enumerate(tasks)
    ]


def _bonds(flow: Flow, numbers: Mapping[Task, int], cycle: Sequence[Task]) -> list[_Bond]:
    """Merge the edges between the same two nodes, in the order of their numbers."""
    between: dict[tuple[int, int], list[Edge]] = {}
    for edge in flow.edges:
        between.setdefault((numbers[edge.upstream_task], numbers[edge.downstream_task]), []).append(edge)
    circle = {(numbers[one], numbers[other]) for one, other in zip(cycle, (*cycle[1:], *cycle[:1]), strict=True)}
    mapped = {edge.downstream_task for edge in flow.edges if edge.mapped}
    types = flow.edge_types()
    return [
        _Bond(
            *pair,
            kind="cycle" if pair in circle else _edge_kind(edges, mapped),
            label=_label(edges),
            types=_types(edges, types),
        )
        for pair, edges in sorted(between.items())
    ]


def _edge_kind(edges: Sequence[Edge], mapped: AbstractSet[Task]) -> EdgeKind:
    if any(edge.mapped for edge in edges):
        return "mapped"
    source = edges[0].upstream_task
    if kind_of(source) == "condition":
        return "branch"
    if all(edge.key is None for edge in edges):
        return "state"
    return "gathered" if source in mapped else "data"


def _label(edges: Sequence[Edge]) -> str:
    """Name what flows. Keys that flowbook made up for what it connects say nothing."""
    if isinstance(edges[0].downstream_task, COLLECTIONS) or kind_of(edges[0].downstream_task) in _NAMELESS:
        keys = ["flatten" for edge in edges if edge.flattened][:1]
    else:
        keys = sorted(_flowing(edge) for edge in edges if edge.key is not None or edge.flattened)
    return ", ".join(keys)


def _types(edges: Sequence[Edge], known: Mapping[Edge, EdgeTypes]) -> str:
    """Say of which type what flows is, and which one is taken, as far as annotations tell."""
    typed = sorted((edge for edge in edges if edge.key is not None and edge in known), key=lambda edge: str(edge.key))
    return clean("; ".join(f"{edge.key}: {known[edge]}" for edge in typed))[:_MOST_TYPES]


# Longer types (characters) are not read by anybody.
_MOST_TYPES = 200

_NAMELESS: frozenset[Kind] = frozenset({"condition", "merge"})


def _flowing(edge: Edge) -> str:
    """Write an edge's name as it is written in the flow."""
    if edge.key is None:
        return "flatten"
    # cells of a notebook may make a name several times: which one flows here?
    key = getattr(edge.downstream_task, "incoming", {}).get(edge.key, edge.key)
    return f"flatten({clean(key)})" if edge.flattened else clean(key)


def _time_room(card: NodeCard, shape: Shape) -> float:
    """Room for the time beside the name. A countdown is longer than a duration; values of others take no time."""
    if card.kind in TIMELESS:
        return 0.0
    longest = "in 59 min 59 s" if card.attempts > 1 else "59 min 59 s"
    return text_width(longest, TIME_SIZE) + (8 if shape is CARD else 6)


def _width(card: NodeCard, shape: Shape) -> float:
    name = text_width(clean(card.name), shape.name_size, "bold") + _time_room(card, shape)
    state = "TriggerFailed · all_successful" if card.upstream else "Failed · ConnectionError"
    if card.attempts > 1:
        state = "Retrying · attempt 10 of 10"
    if card.mapped:
        state = "Mapping · 999 of 999 · 99 failed"
    words = max(name, text_width(state, STATE_SIZE) if shape is CARD else 0.0)
    wanted = min(shape.most, max(shape.least, shape.left + words + shape.right))
    steps = -(-(wanted - shape.least) // shape.step)  # equal widths in a column are calm; few widths come near it
    return shape.least + steps * shape.step


def _even(
    sizes: Sequence[tuple[float, float]],
    shapes: Sequence[Shape],
    ranks: Sequence[int],
) -> list[tuple[float, float]]:
    """Give cards of one kind in one rank the same width: columns with straight edges are calm."""
    widest: dict[tuple[int, float], float] = {}
    for (width, height), rank in zip(sizes, ranks, strict=True):
        widest[rank, height] = max(width, widest.get((rank, height), 0.0))
    return [(widest[rank, shape.height], shape.height) for shape, rank in zip(shapes, ranks, strict=True)]


def _fitted(card: NodeCard, shape: Shape, width: float) -> str:
    """Return the name, shortened to what the card has room for beside the time."""
    room = width - shape.left - shape.right - _time_room(card, shape)
    return elide(clean(card.name), room, shape.name_size, "bold")


def _place(
    sizes: Sequence[tuple[float, float]],
    bonds: Sequence[_Bond],
    labels: Sequence[str],
    direction: Direction | None,
) -> tuple[Layout, Direction]:
    edges = [(bond.source, bond.target) for bond in bonds]
    boxes = [(text_width(label, LABEL_SIZE, "mono") + 10, LABEL_HEIGHT) if label else None for label in labels]
    is_big = len(sizes) > MANY

    def towards(way: Direction) -> Layout:
        rank_gap = (RIGHT_GAP if way == "right" else DOWN_GAP) * (0.75 if is_big else 1)
        return layout(
            sizes,
            edges,
            labels=boxes,
            direction=way,
            rank_gap=rank_gap,
            node_gap=NODE_GAP * (0.6 if is_big else 1),
        )

    if direction is None and len(sizes) > HUGE:
        direction = _likely(len(sizes), edges)
    if direction is not None:
        return towards(direction), direction
    right = towards("right")
    if right.width <= WIDE:
        return right, "right"
    down = towards("down")
    return (down, "down") if down.width < right.width else (right, "right")


def _likely(count: int, edges: Sequence[tuple[int, int]]) -> Direction:
    """Choose by the shape of the flow alone; trying both ways would take the time of two layouts."""
    depth = [0] * count
    for source, target in sorted(edges):
        if source < target:  # always so but in a cycle: numbers are an order in which the flow can run
            depth[target] = max(depth[target], depth[source] + 1)
    longest = max(depth, default=0) + 1
    broadest = max(Counter(depth).values())
    return "right" if longest <= broadest else "down"
