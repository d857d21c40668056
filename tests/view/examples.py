"""Flows with all that pictures must tell apart: mapped tasks, branches, resources. Made by hand, with no run behind."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from flowbook import Flow, Parameter, Task, case, resource_manager, task
from flowbook.tasks.control_flow import merge
from flowbook.view.picture import FlowPicture, picture
from flowbook.view.protocol import NodeLook, RunLook

Shown = tuple[FlowPicture, list[NodeLook], RunLook | None]


@task
def any_task(x: Any = None, y: Any = None, rows: Any = None) -> None: ...


def named(name: str, **options: Any) -> Task:
    made = any_task.copy(name=name)
    for key, value in options.items():
        setattr(made, key, value)
    return made


def chain_flow() -> Flow:
    """A chain of three mapped tasks between one that finds the elements and one that takes all results."""
    with Flow("stations") as flow:
        find, read, clean, score, report = map(named, ("find_stations", "read", "clean", "score", "report"))
        flow.add_edge(Parameter("year", default=2013), find, key="x")
        flow.add_edge(find, read, key="x", mapped=True)
        flow.add_edge(read, clean, key="rows", mapped=True)
        flow.add_edge(clean, score, key="rows", mapped=True)
        flow.add_edge(find, score, key="y")
        flow.add_edge(score, report, key="rows")
    return flow


def chain_picture() -> FlowPicture:
    return picture(chain_flow())


def chain(counts: Mapping[str, Mapping[str, int]], **looks: NodeLook) -> Shown:
    shown = picture(chain_flow())
    made = [
        _mapped(card.node, counts[card.name]) if card.name in counts else _named(card.node, looks.get(card.name))
        for card in shown.cards
    ]
    return shown, made, RunLook("Running", "", 0.0)


FOUND = NodeLook(0, "Success", "", 1, 0.0, 0.4, None, "12 items")
YEAR = NodeLook(0, "Success", "", 1, 0.0, 0.0, None, "2013")


def half_way() -> Shown:
    return chain(
        {
            "read": {"Success": 9, "Failed": 1, "Running": 2},
            "clean": {"Success": 6, "TriggerFailed": 1, "Running": 1, "Retrying": 1, "Pending": 3},
            "score": {"Success": 5, "TriggerFailed": 1, "Pending": 6},
        },
        find_stations=FOUND,
        year=YEAR,
    )


def all_over() -> Shown:
    shown, looks, _ = chain(
        {
            "read": {"Success": 11, "Failed": 1},
            "clean": {"Success": 11, "TriggerFailed": 1},
            "score": {"Success": 8, "Skipped": 3, "TriggerFailed": 1},
        },
        find_stations=FOUND,
        year=YEAR,
        report=NodeLook(0, "TriggerFailed", 'Trigger was "all_successful" but some of the upstream tasks failed.'),
    )
    sentence = "read failed for 1 of its 12 elements: read[4]: HTTPError: 503."
    return shown, looks, RunLook("Failed", "Some reference tasks failed.", 0.0, 6.0, sentence=sentence)


def huge() -> Shown:
    """Ten thousand children in one node, three of them failed."""
    with Flow("ten thousand") as flow:
        read, clean = named("list_files"), named("clean_one_of_many_files", max_retries=2)
        flow.add_edge(read, clean, key="rows", mapped=True)
        flow.add_edge(clean, named("count"), key="x")
    shown = picture(flow)
    counts = {"Success": 7_412, "Failed": 3, "Running": 4, "Retrying": 1, "Pending": 2_580}
    looks = [
        NodeLook(0, "Success", "", 1, 0.0, 0.4, None, "10,000 items"),
        _mapped(1, counts),
        NodeLook(2, "Pending"),
    ]
    return shown, looks, RunLook("Running", "", 0.0)


def branches_flow() -> Flow:
    with Flow("branches") as flow:
        size = named("measure")()
        with case(size, "small"):
            small = named("fit_small")()
        with case(size, "large"):
            large = named("fit_large")()
        named("plot")(merge(small, large, name="merge"))
    return flow


def branches() -> Shown:
    shown = picture(branches_flow())
    states = {
        "measure": NodeLook(0, "Success", "", 1, 0.0, 0.3, None, "'small'"),
        "= 'small'": NodeLook(0, "Success"),
        "= 'large'": NodeLook(0, "Skipped", 'Provided value "small" did not match "large"'),
        "fit_small": NodeLook(0, "Running", "", 1, 0.4),
        "fit_large": NodeLook(0, "Skipped"),
    }
    return shown, [_named(card.node, states.get(card.name)) for card in shown.cards], RunLook("Running", "", 0.0)


class File:
    def __init__(self, file: str) -> None:
        self.file = file

    def setup(self) -> list[str]:
        return [self.file]

    def cleanup(self, connection: list[str]) -> None:
        connection.clear()


Database: Any = resource_manager(name="Database")(File)


def resource_flow() -> Flow:
    with Flow("report") as flow:
        with Database(Parameter("file", default="trips.db")) as connection:
            rows = named("query")(connection)
            named("store")(connection, rows=rows)
        named("publish")(rows=rows)
    return flow


def resource() -> Shown:
    shown = picture(resource_flow())
    states = {
        "file": NodeLook(0, "Success", "", 1, 0.0, 0.0, None, "'trips.db'"),
        "Database": NodeLook(0, "Success", "", 1, 0.0, 0.0),
        "Database.setup": NodeLook(0, "Success", "", 1, 0.0, 0.1),
        "query": NodeLook(0, "Success", "", 1, 0.1, 0.9, None, "1,204 rows"),
        "store": NodeLook(0, "Running", "", 1, 0.9),
        "publish": NodeLook(0, "Success", "", 1, 0.9, 1.2),
    }
    return shown, [_named(card.node, states.get(card.name)) for card in shown.cards], RunLook("Running", "", 0.0)


def flattened() -> Shown:
    """Lists of lists, one level less, mapped and gathered."""
    with Flow("flattened") as flow:
        pages, links, fetch = map(named, ("list_pages", "links_of", "fetch"))
        flow.add_edge(pages, links, key="x", mapped=True)
        flow.add_edge(links, fetch, key="x", mapped=True, flattened=True)
        flow.add_edge(links, named("count"), key="rows", flattened=True)
        flow.add_edge(fetch, named("index"), key="rows")
    return picture(flow), [], None


def many() -> Shown:
    """So many tasks that cards are small; every fifth one is mapped."""
    with Flow("many") as flow:
        rows = [[named(f"step_{rank}_{place}") for place in range(8)] for rank in range(9)]
        for before, after in itertools.pairwise(rows):
            for place, each in enumerate(after):
                flow.add_edge(before[place], each, key="x", mapped=place % 5 == 0)
                if place % 3 == 0:
                    flow.add_edge(before[(place + 1) % 8], each, key="y")
    shown = picture(flow)
    looks = [
        _mapped(card.node, {"Success": 40 + card.node, "Failed": card.node % 3, "Running": card.node % 2, "Pending": 9})
        if card.mapped
        else NodeLook(card.node, "Success", "", 1, 0.0, 0.5)
        for card in shown.cards
    ]
    return shown, looks, RunLook("Running", "", 0.0)


def _mapped(node: int, counts: Mapping[str, int]) -> NodeLook:
    """How a mapped task with these children is."""
    is_over = not counts.keys() & {"Running", "Pending", "Retrying"}
    ended = 3.0 if is_over else None
    return NodeLook(
        node, "Mapped" if is_over else "Mapping", "", 0, 0.4, ended, width=sum(counts.values()), counts=counts
    )


def _named(node: int, look: NodeLook | None) -> NodeLook:
    look = look or NodeLook(node, "Pending")
    return NodeLook(node, look.state, look.message, look.attempt, look.started, look.ended, look.due, look.result)
