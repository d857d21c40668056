"""Hand a flow to other programs: Graphviz, NetworkX, Mermaid.

Names are escaped so that whatever they hold, they stay names: no program sees more nodes, edges or links than the
flow has.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.states import Mapped, State
from flowbook.view.kinds import kind_of
from flowbook.view.measure import clean
from flowbook.view.palette import LIGHT, family_of, glyph_of
from flowbook.view.picture import node_cards, numbered_tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import graphviz
    import networkx as nx

    from flowbook.edges import Edge
    from flowbook.flows import Flow
    from flowbook.tasks.base import Task
    from flowbook.view.protocol import NodeCard, NodeLook

ALPHA = "80"
"""Fill colours let the label shine through: half."""
LONGEST = 200
"""Characters of a name; no program lays out longer ones well."""
MOST_CHILDREN = 100
"""Children of one mapped task that Graphviz draws; the rest is one node that says how many there are."""


# --- Graphviz


def visualize(
    flow: Flow,
    flow_state: State | None = None,
    *,
    filename: str | None = None,
    format: str | None = None,  # noqa: A002 - the reference API's name
    horizontal: bool = False,
) -> graphviz.Digraph:
    """Return a flow for Graphviz, and write or show it where that is asked for.

    Args:
        flow: any flow.
        flow_state: the final state of one of its runs, to colour the nodes.
        filename: write the picture there. Without it the picture is shown: by the notebook, or outside IPython
            in a viewer.
        format: of the file; from its ending, else "pdf".
        horizontal: draw from left to right.

    Returns:
        The `graphviz.Digraph`.

    Raises:
        ImportError: the Python package graphviz is not installed.
        graphviz.ExecutableNotFound: a file is asked for, and Graphviz's program `dot` is not installed.
    """
    graph = digraph(flow, flow_state, horizontal=horizontal)
    if filename is not None:
        render_or_explain(graph, filename, format)
    elif not _in_ipython():
        folder = tempfile.mkdtemp(prefix="flowbook-")
        render_or_explain(graph, str(Path(folder) / "flow"), format, view=True)
    return graph


def digraph(flow: Flow, flow_state: State | None = None, *, horizontal: bool = False) -> graphviz.Digraph:
    r"""Return a flow as a `graphviz.Digraph`; needs no program to build it.

    Args:
        flow: any flow, also one with a cycle.
        flow_state: the final state of one of its runs: each node is filled with the colour of its state, and each
            child of a mapped task is a node.
        horizontal: draw from left to right.

    Raises:
        ImportError: the Python package graphviz is not installed.

    >>> from flowbook import Flow, task
    >>> with Flow("one") as flow:
    ...     one = task(lambda: 1, name="one")()
    >>> digraph(flow).body
    ['\tn0 [label=one shape=ellipse]\n']
    """
    package = _graphviz()
    graph: graphviz.Digraph = package.Digraph()
    if horizontal:
        graph.attr(rankdir="LR")
    tasks, _ = numbered_tasks(flow)
    states = _task_states(flow_state)
    numbers = {task: number for number, task in enumerate(tasks)}
    edges = sorted(flow.edges, key=lambda edge: _place(edge, numbers))
    mapped = {edge.downstream_task for edge in edges if edge.mapped}
    dots = {task: list(_dots(numbers[task], task, states.get(task), is_mapped=task in mapped)) for task in tasks}
    for dot in (dot for task in tasks for dot in dots[task]):
        graph.node(dot.name, package.escape(dot.label), **dot.look)
    for edge in edges:
        style = {"style": "dashed"} if edge.mapped else {}
        for start, end in _dot_ends(edge, dots):
            graph.edge(start, end, edge.key, **style)
    return graph


def render_or_explain(
    graph: graphviz.Digraph,
    filename: str,
    format: str | None = None,  # noqa: A002 - the reference API's name
    *,
    view: bool = False,
) -> str:
    """Let Graphviz write a file, or say clearly what is missing.

    Args:
        graph: what to write.
        filename: where; the ending is added when it is missing.
        format: of the file; from the ending, else "pdf".
        view: open the file in a viewer.

    Returns:
        The path of the file.

    Raises:
        graphviz.ExecutableNotFound: Graphviz's program `dot` is not installed; the text says how to get it, and what
            works without it.
    """
    package = _graphviz()
    ending = Path(filename).suffix.lstrip(".").lower()
    chosen = format or (ending if ending in package.FORMATS else "pdf")
    outfile = filename if ending == chosen else f"{filename}.{chosen}"
    try:
        path: str = graph.render(outfile=outfile, format=chosen, view=view, cleanup=True)
    except package.ExecutableNotFound as error:
        explained = (
            f"{outfile} was not written: Graphviz's program 'dot' was not found on this machine. The Python package "
            "graphviz only talks to it. Install Graphviz (apt install graphviz, brew install graphviz, "
            "conda install graphviz; see graphviz.org/download), or use flow.to_svg(), which needs no program."
        )
        error.args = (explained,)
        raise
    return path


class _Dot:
    """One node of a Graphviz graph."""

    __slots__ = ("label", "look", "name")

    def __init__(self, name: str, label: str, look: dict[str, str]) -> None:
        self.name, self.label, self.look = name, label, look


def _graphviz() -> Any:
    try:
        import graphviz  # noqa: PLC0415 - loaded at the door that needs it
    except ImportError as error:
        msg = "flow.visualize() needs the Python package graphviz: pip install graphviz. flow.to_svg() needs nothing."
        raise ImportError(msg) from error
    return graphviz


def _in_ipython() -> bool:
    """Whether a returned graph is displayed by somebody. IPython is never imported just to find out."""
    module = sys.modules.get("IPython")
    return module is not None and module.get_ipython() is not None


def _task_states(flow_state: State | None) -> Mapping[Task, State]:
    result = None if flow_state is None else flow_state.result
    return result if isinstance(result, dict) else {}


def _dots(number: int, task: Task, state: State | None, *, is_mapped: bool) -> Iterator[_Dot]:
    """The nodes of a task: itself, or its mapped children when they are known."""
    label = clean(task.name, LONGEST) + (" <map>" if is_mapped else "")
    shape = {"shape": "box" if is_mapped else "ellipse"}
    children = state.map_states if isinstance(state, Mapped) else []
    if not children:
        yield _Dot(f"n{number}", label, shape | _filled(state))
    for index, child in enumerate(children[:MOST_CHILDREN]):
        yield _Dot(f"n{number}_{index}", label, shape | _filled(child) | {"tooltip": f"map index {index}"})
    left = children[MOST_CHILDREN:]
    if left:
        bad = [child for child in left if child is not None and child.is_failed()]
        failed = f", {len(bad):,} of them failed" if bad else ""
        yield _Dot(f"n{number}_more", f"{label}, {len(left):,} more{failed}", shape | _filled(bad[0] if bad else None))


def _filled(state: State | None) -> dict[str, str]:
    return {} if state is None else {"color": state.color + ALPHA, "style": "filled", "colorscheme": "svg"}


def _dot_ends(edge: Edge, dots: Mapping[Task, Sequence[_Dot]]) -> Iterator[tuple[str, str]]:
    """Child to child where both ends are mapped children, else every one to every one."""
    ups, downs = dots[edge.upstream_task], dots[edge.downstream_task]
    if edge.mapped and len(ups) > 1 and len(downs) > 1:
        yield from ((up.name, down.name) for up, down in zip(ups, downs, strict=False))
    else:
        yield from ((up.name, down.name) for up in ups for down in downs)


def _place(edge: Edge, numbers: Mapping[Task, int]) -> tuple[int, int, str]:
    """Sort edges the same way on every run: a flow keeps them in a set."""
    return numbers[edge.upstream_task], numbers[edge.downstream_task], edge.key or ""


# --- NetworkX


def networkx_graph(flow: Flow) -> nx.MultiDiGraph[Any]:
    """Return a flow as a NetworkX graph.

    Args:
        flow: any flow, also one with a cycle.

    Returns:
        One node per task, named by its slug, with `name`, `kind`, `trigger`, `max_retries`, `mapped`, `tags`; one
        edge per edge, with `argument` (empty for a state dependency), `mapped` and `flattened`. All attributes are
        plain values, so that every format of NetworkX can write them.

    Raises:
        ImportError: NetworkX is not installed.

    >>> from flowbook import Flow, task
    >>> with Flow("sum") as flow:
    ...     total = task(lambda: 1, name="one")() + 2
    >>> list(networkx_graph(flow).edges(data="argument"))
    [('one-1', 'Add-1', 'x')]
    """
    try:
        import networkx as nx  # noqa: PLC0415 - loaded at the door that needs it
    except ImportError as error:
        msg = "flow.to_networkx() needs NetworkX: pip install networkx."
        raise ImportError(msg) from error
    graph: nx.MultiDiGraph[Any] = nx.MultiDiGraph(name=flow.name)
    tasks, _ = numbered_tasks(flow)
    numbers = {task: number for number, task in enumerate(tasks)}
    for task in tasks:
        graph.add_node(
            flow.slugs[task],
            name=task.name,
            kind=kind_of(task),
            trigger=getattr(task.trigger, "__name__", shown(task.trigger, 40)),
            max_retries=int(task.max_retries or 0),
            mapped=any(edge.mapped for edge in flow.edges_to(task)),
            tags=", ".join(sorted(task.tags)),
        )
    for edge in sorted(flow.edges, key=lambda edge: _place(edge, numbers)):
        graph.add_edge(
            flow.slugs[edge.upstream_task],
            flow.slugs[edge.downstream_task],
            argument=edge.key or "",
            mapped=edge.mapped,
            flattened=edge.flattened,
        )
    return graph


# --- Mermaid


def mermaid(flow: Flow, looks: Iterable[NodeLook] | None = None) -> str:
    """Return a flow as Mermaid text, which Markdown draws on many sites.

    Args:
        flow: any flow, also one with a cycle.
        looks: how its nodes are, to colour them.

    >>> from flowbook import Flow, task
    >>> with Flow("sum") as flow:
    ...     total = task(lambda: 1, name="one")() + 2
    >>> print(mermaid(flow))
    flowchart LR
      n0["one"]
      n1("Add")
      n0 -->|"x"| n1
    """
    cards = node_cards(flow)
    given = {look.node: look for look in looks or () if look.state}
    tasks, _ = numbered_tasks(flow)
    numbers = {task: number for number, task in enumerate(tasks)}
    lines = ["flowchart LR"]
    lines += [f"  {_mermaid_node(card, given.get(card.node))}" for card in cards]
    for edge in sorted(flow.edges, key=lambda edge: _place(edge, numbers)):
        arrow = "==>" if edge.mapped else "-.->" if edge.key is None else "-->"
        label = f'|"{_mermaid_text(edge.key)}"|' if edge.key is not None else ""
        lines.append(f"  n{numbers[edge.upstream_task]} {arrow}{label} n{numbers[edge.downstream_task]}")
    if given:
        lines += [
            f"  classDef {family} fill:{tone.fill},stroke:{tone.strong},color:{tone.text}"
            for family, tone in LIGHT.families.items()
        ]
    return "\n".join(lines)


_MERMAID_SHAPES = {
    "parameter": ("([", "])"),
    "constant": ("([", "])"),
    "operator": ("(", ")"),
    "collection": ("(", ")"),
    "condition": ("{{", "}}"),
    "merge": ("[/", "\\]"),
}


def _mermaid_node(card: NodeCard, look: NodeLook | None) -> str:
    start, end = _MERMAID_SHAPES.get(card.kind, ("[", "]"))
    name = clean(card.name, LONGEST)
    text = name if look is None else f"{glyph_of(look.state)} {name}"
    family = "" if look is None else f":::{family_of(look.state)}"
    return f'n{card.node}{start}"{_mermaid_text(text)}"{end}{family}'


def _mermaid_text(text: str) -> str:
    """Write everything but letters, digits and a few harmless signs as a code that Mermaid reads as that character."""
    return "".join(c if c.isalnum() or c in " _.," or not c.isascii() else f"#{ord(c)};" for c in clean(text, LONGEST))
