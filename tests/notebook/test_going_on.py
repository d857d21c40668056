"""Going on in an open notebook ends as a whole run would, whatever was broken, mended, edited, or run by hand."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from flowbook.notebook.live_document import LiveDocument
from flowbook.states import Failed, Success
from flowbook.view.protocol import CellText

# What a cell may do with the names that cells above it made; `{n}` makes each text one of its own.
BODIES = (
    "a = {n}",
    "a = a + {n}",
    "b = [{n}]",
    "b.append({n})",
    "b = b + [a]",
    "c = len(b) + a",
    "alias = b\nalias.append({n})",
    "import random\nrandom.seed({n})",
    "d = random.randint(0, 1000)",
    "def grow(x, by={n}):\n    x.append(by)",
    "grow(b)",
    "e = {{'k': b}}",
    "e['k'].append({n})",
    "exec('a = a + {n}')",
    "for i in range(3):\n    a += i",
    "del a\na = {n}",
    "a = 1 / 0",
    "b.append({n})\nraise ValueError('half way')",
    "if a % 2:\n    c = {n}",
)
FIRST = "a = 1; b = []; c = 0; e = {'k': b}\nimport random\nrandom.seed(0)\ndef grow(x):\n    x.append(0)\nd = 0"
NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def whole(sources: list[str]) -> tuple[dict[str, Any], bool]:
    """Run all cells from top to bottom, and tell whether all ended well."""
    names: dict[str, Any] = {}
    for source in sources:
        try:
            exec(source, names)
        except Exception:  # noqa: BLE001, PERF203 - whatever a cell raises
            return {}, False
    return {name: names.get(name) for name in NAMES}, True


def source_of(dice: Random) -> str:
    return dice.choice(BODIES).format(n=dice.randint(0, 99))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(seed=st.integers(0, 2**32))
@example(seed=1)
def test_a_resumed_notebook_has_the_names_of_one_that_ran_from_top_to_bottom(
    shell: InteractiveShell, seed: int
) -> None:
    dice = Random(seed)
    shell.reset(new_session=False)
    live = LiveDocument(shell)
    sources = [FIRST, *(source_of(dice) for _ in range(dice.randint(2, 7)))]

    ids = [f"c{place}" for place in range(len(sources))]

    def show() -> None:
        live.see("n.ipynb", [CellText(one, source) for one, source in zip(ids, sources, strict=True)])

    show()
    live.run()
    for turn in range(4):
        place, what = dice.randrange(1, len(sources)), dice.random()
        if what < 0.2:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                result = shell.run_cell(sources[place], silent=True)
            state = Success() if result.success else Failed()
            live.by_hand(ids[place], sources[place], state, 0.0, 0.0)
        elif what < 0.3 and len(sources) > 2:
            del sources[place], ids[place]
        elif what < 0.4:
            sources.insert(place, source_of(dice))
            ids.insert(place, f"new{turn}")
        elif what < 0.5:
            other = dice.randrange(1, len(sources))
            sources[place], sources[other] = sources[other], sources[place]
            ids[place], ids[other] = ids[other], ids[place]
        elif what < 0.6:
            shell.run_cell("a = 12345", silent=True)
            live.elsewhere("a = 12345")
        else:
            sources[place] = source_of(dice)
        show()
        if dice.random() < 0.3:
            live.run(to=dice.choice(ids))
        live.run(from_failed=True)
        wanted, is_well = whole(sources)
        if is_well:
            assert {name: shell.user_ns.get(name) for name in NAMES} == wanted, sources
            assert live.again() == {}, sources
