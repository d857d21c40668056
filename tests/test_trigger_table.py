"""Every trigger against every crowd of up to four upstream states of every final class.

`tests/test_triggers.py` says in words what triggers mean. This table was written from the documented rules alone, so
that it does not share a mistake with the code, nor with those words.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

import pytest

from flowbook import Edge, Flow, Task, states, triggers
from flowbook.states import (
    Cached,
    Cancelled,
    Failed,
    Finished,
    Mapped,
    Paused,
    Skipped,
    State,
    Success,
    TimedOut,
    TriggerFailed,
    ValidationFailed,
)
from flowbook.triggers import Trigger, judge

# g: went well, k: skipped, f: failed, x: cancelled. Rules say nothing finer than this.
CLASSES: dict[str, tuple[type[State], ...]] = {
    "g": (Success, Cached, Mapped),
    "k": (Skipped,),
    "f": (Failed, TimedOut, TriggerFailed, ValidationFailed),
    "x": (Cancelled,),
}

TRIGGERS: list[Trigger] = [
    triggers.all_successful,
    triggers.all_failed,
    triggers.any_successful,
    triggers.any_failed,
    triggers.all_finished,
    triggers.not_all_skipped,
    triggers.manual_only,
    triggers.some_failed(at_least=2),
    triggers.some_failed(at_most=0.5),
    triggers.some_successful(at_least=0.5),
    triggers.some_successful(1, 2),
]

# P: the task runs; F: TriggerFailed; S: Skipped; W: waits for a person. One column for each of TRIGGERS:
# all_successful, all_failed, any_successful, any_failed, all_finished, not_all_skipped, manual_only,
# at least two failed, at most half of them failed, at least half of them successful, one or two successful.
TABLE = """
-     P P P P P P W P P P P
g     P F P F P P W F P P P
k     P F P F P S W F P P P
f     F P F P P F W F F F F
x     F F F F P F W F P F F
gg    P F P F P P W F P P P
gk    P F P F P P W F P P P
gf    F F P P P F W F P P P
gx    F F P F P F W F P P P
kk    P F P F P S W F P P P
kf    F F P P P F W F P P P
kx    F F P F P F W F P P P
ff    F P F P P F W P F F F
fx    F F F P P F W F P F F
xx    F F F F P F W F P F F
ggg   P F P F P P W F P P F
ggk   P F P F P P W F P P F
ggf   F F P P P F W F P P P
ggx   F F P F P F W F P P P
gkk   P F P F P P W F P P F
gkf   F F P P P F W F P P P
gkx   F F P F P F W F P P P
gff   F F P P P F W P F F P
gfx   F F P P P F W F P F P
gxx   F F P F P F W F P F P
kkk   P F P F P S W F P P F
kkf   F F P P P F W F P P P
kkx   F F P F P F W F P P P
kff   F F P P P F W P F F P
kfx   F F P P P F W F P F P
kxx   F F P F P F W F P F P
fff   F P F P P F W P F F F
ffx   F F F P P F W P F F F
fxx   F F F P P F W F P F F
xxx   F F F F P F W F P F F
gggg  P F P F P P W F P P F
gggk  P F P F P P W F P P F
gggf  F F P P P F W F P P F
gggx  F F P F P F W F P P F
ggkk  P F P F P P W F P P F
ggkf  F F P P P F W F P P F
ggkx  F F P F P F W F P P F
ggff  F F P P P F W P P P P
ggfx  F F P P P F W F P P P
ggxx  F F P F P F W F P P P
gkkk  P F P F P P W F P P F
gkkf  F F P P P F W F P P F
gkkx  F F P F P F W F P P F
gkff  F F P P P F W P P P P
gkfx  F F P P P F W F P P P
gkxx  F F P F P F W F P P P
gfff  F F P P P F W P F F P
gffx  F F P P P F W P P F P
gfxx  F F P P P F W F P F P
gxxx  F F P F P F W F P F P
kkkk  P F P F P S W F P P F
kkkf  F F P P P F W F P P F
kkkx  F F P F P F W F P P F
kkff  F F P P P F W P P P P
kkfx  F F P P P F W F P P P
kkxx  F F P F P F W F P P P
kfff  F F P P P F W P F F P
kffx  F F P P P F W P P F P
kfxx  F F P P P F W F P F P
kxxx  F F P F P F W F P F P
ffff  F P F P P F W P F F F
fffx  F F F P P F W P F F F
ffxx  F F F P P F W P P F F
fxxx  F F F P P F W F P F F
xxxx  F F F F P F W F P F F
"""

ENDS: dict[str, type[State]] = {"P": Success, "F": TriggerFailed, "S": Skipped, "W": Paused}


def rows() -> dict[str, list[str]]:
    split = [line.split() for line in TABLE.split("\n") if line]
    return {crowd.strip("-"): letters for crowd, *letters in split}


@cache
def crowds() -> list[tuple[str, tuple[type[State], ...]]]:
    """Return every multiset of up to four final classes, with its row of the table."""
    letter_of = {kind: letter for letter, kinds in CLASSES.items() for kind in kinds}
    return [
        ("".join(sorted(map(letter_of.__getitem__, crowd), key="gkfx".index)), crowd)
        for size in range(5)
        for crowd in itertools.combinations_with_replacement(letter_of, size)
    ]


def test_the_table_has_a_row_for_every_crowd_and_every_final_class_is_in_it() -> None:
    table = rows()
    assert len(table) == 1 + 4 + 10 + 20 + 35
    assert {crowd for crowd, _ in crowds()} == set(table)
    assert all(len(letters) == len(TRIGGERS) for letters in table.values())
    assert len(crowds()) == 715
    final = set(Finished.children()) - {states.Looped}
    assert final == set(itertools.chain.from_iterable(CLASSES.values()))


def cells(column: int) -> Iterator[tuple[str, tuple[type[State], ...], str]]:
    table = rows()
    return ((crowd, kinds, table[crowd][column]) for crowd, kinds in crowds())


@pytest.mark.parametrize("column", range(len(TRIGGERS)), ids=[repr(trigger) for trigger in TRIGGERS])
def test_a_trigger_says_what_the_table_says(column: int) -> None:
    downstream = Task("downstream")
    for crowd, kinds, wanted in cells(column):
        upstream: dict[Edge, State] = {Edge(Task(), downstream): kind() for kind in kinds}
        verdict = judge(TRIGGERS[column], upstream)
        said = Success if verdict.passed else type(verdict.state)
        assert said is ENDS[wanted], (crowd, kinds)


@pytest.mark.parametrize("column", range(len(TRIGGERS)), ids=[repr(trigger) for trigger in TRIGGERS])
def test_a_trigger_says_the_same_of_as_many_children_of_a_mapped_task(column: int) -> None:
    edge = Edge(Task("mapped"), Task("downstream"), "x")
    for crowd, kinds, wanted in cells(column):
        if crowd:
            verdict = judge(TRIGGERS[column], {edge: Mapped(map_states=[kind() for kind in kinds])})
            said = Success if verdict.passed else type(verdict.state)
            assert said is ENDS[wanted], (crowd, kinds)


def test_tasks_end_in_a_run_as_the_table_says() -> None:
    table = rows()
    for size in range(5):
        flow, before = Flow(f"{size} upstream"), [Task(f"before {number}") for number in range(size)]
        after = [Task("after", trigger=trigger, skip_on_upstream_skip=False) for trigger in TRIGGERS]
        for each in after:
            each.set_dependencies(flow, upstream_tasks=before)
        for crowd, kinds in crowds():
            if len(kinds) == size:
                seeds = {each: kind() for each, kind in zip(before, kinds, strict=True)}
                result = flow.run(task_states=seeds, show=False).result
                ends = [type(result[each]) for each in after]
                assert ends == [ENDS[letter] for letter in table[crowd]], (crowd, kinds)


def test_a_skip_upstream_comes_before_every_trigger() -> None:
    table = rows()
    for size in range(1, 5):
        flow, before = Flow(f"{size} upstream"), [Task(f"before {number}") for number in range(size)]
        after = [Task("after", trigger=trigger) for trigger in TRIGGERS]
        for each in after:
            each.set_dependencies(flow, upstream_tasks=before)
        for crowd in (crowd for crowd in table if len(crowd) == size):
            seeds = {each: CLASSES[letter][-1]() for each, letter in zip(before, crowd, strict=True)}
            result = flow.run(task_states=seeds, show=False).result
            ends = [type(result[each]) for each in after]
            assert ends == [Skipped if "k" in crowd else ENDS[letter] for letter in table[crowd]], crowd
