"""What all tests share: golden files, and the rule that CI skips nothing for want of a program."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowbook import redaction
from flowbook.contexts import caches

GOLDEN = Path(__file__).parent / "golden"

Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write golden files instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a golden file, so that .ci/golden runs these tests and no others."""
    for item in items:
        if "golden" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.golden)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Forget what a test left for the whole process: kept results, and the secrets that are masked in all text."""
    yield
    caches.clear()
    redaction.known.clear()
    redaction._values.clear()
    redaction._pattern.clear()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with the file of that name in tests/golden: ``golden("diamond.svg", text)``."""
    write = bool(request.config.getoption("--write-golden"))

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file():
            pytest.fail(f"tests/golden/{name} does not exist. Write it with: bash .ci/golden")
        elif (wanted := path.read_text(encoding="utf-8")) != text:
            # Plain assert shows the difference line by line.
            assert _lines(text) == _lines(wanted), f"tests/golden/{name} differs; if that is right: bash .ci/golden"

    return compare


def skip_or_fail(reason: str) -> None:
    """Skip what can't run on this machine; in CI the same is a failure, so that a skip hides nothing."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} In CI this must not be skipped: see .ci/install.")
    pytest.skip(reason)


def _lines(text: str) -> list[str]:
    return re.split(r"(?<=>)(?=<)|\n", text)
