"""Every test of the engine guards every invariant: all machines that were made are checked at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flowbook.engine.machine import Machine


@pytest.fixture(autouse=True)
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Machine]]:
    """Collect the machines of a test and check them when it has ended."""
    made: list[Machine] = []
    initialise = Machine.__init__

    def collecting(machine: Machine, *args: Any, **kwargs: Any) -> None:
        initialise(machine, *args, **kwargs)
        made.append(machine)

    monkeypatch.setattr(Machine, "__init__", collecting)
    yield made
    for machine in made:
        machine.check()
