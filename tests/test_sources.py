"""Reading cells as code, and ordering them."""

from __future__ import annotations

import pytest

from flowbook.sources import CellNames, CellSyntaxError, analyse
from tests.sources_table import TABLE, Snippet

SETS = ("reads", "writes", "maybe_writes", "mutates", "may_mutate", "deletes", "imports", "effects")


def test_the_table_is_large_enough() -> None:
    assert len(TABLE) >= 120
    assert len({snippet.code for snippet in TABLE}) == len(TABLE)


@pytest.mark.parametrize("snippet", TABLE, ids=lambda snippet: snippet.rule)
def test_a_snippet_follows_its_rule(snippet: Snippet) -> None:
    names = analyse(snippet.code)
    found = {name: getattr(names, name) for name in SETS}
    assert found == {name: frozenset(getattr(snippet, name).split()) for name in SETS}
    if snippet.opaque:
        assert snippet.opaque in (names.opaque or "")
    else:
        assert names.opaque is None
