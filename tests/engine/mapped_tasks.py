"""Tasks that the tests of mapping map, and what they compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowbook import signals, task
from flowbook.states import Mapped, State

__all__ = ["Run", "add", "double", "gather", "kinds", "numbers", "picky", "wait"]

Run = Callable[..., State]


@task
def numbers(n: int = 4) -> list[int]:
    return list(range(n))


@task
def double(x: Any) -> Any:
    return 2 * x


@task
def picky(x: int) -> int:
    """Fail for 1 and leave itself out for 2."""
    if x == 1:
        raise ValueError("one")
    if x == 2:
        raise signals.SKIP("two")
    return x


@task
def add(x: Any, y: Any) -> Any:
    return x + y


@task
def gather(xs: Any) -> Any:
    return list(xs)


@task
def wait(**upstream: Any) -> str:
    return "done"


def kinds(state: State) -> list[str]:
    assert isinstance(state, Mapped)
    return [type(child).__name__ for child in state.map_states]
