"""What the panel "Flow" costs the page while a flow of 300 cells runs: ``python -m tests.bench.bench_panel``.

Needs Node and Chromium. The page itself plays the kernel, with 20 messages a second, and measures:
`js/test/panelbench.ts`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

Row = tuple[str, float, float, bool]
JS = Path(__file__).parents[2] / "js"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def measured(tasks: int = 300) -> dict[str, Any]:
    """Return what the page has measured."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS

    subprocess.run(["node", "build.mjs", "--only-pages"], cwd=JS, check=True, timeout=60)
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, CHROMIUM)))
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=FLAGS)
        page = browser.new_page(viewport={"width": 420, "height": 920})
        page.goto(f"{(JS / 'test' / 'panelbench.html').as_uri()}?n={tasks}")
        result: dict[str, Any] = page.evaluate("() => window.__panelBench")
        browser.close()
    assert result["wrong"] == 0
    return result


def rows() -> list[Row]:
    """The figures: (name, value, bar, whether it is met)."""
    if shutil.which("node") is None or not any(map(shutil.which, CHROMIUM)):
        return []
    result = measured()
    script, frame = result["script"]["p50"], result["frame"]["max"]
    return [
        ("script a tick in the panel, 300 cells, p50, ms", script, 4, script <= 4),
        ("longest frame meanwhile, ms", frame, 50, frame <= 50),
    ]


@pytest.mark.bench
def test_the_panel_keeps_the_pace_of_the_page() -> None:
    for name, value, bar, _ in rows():
        print(f"{name}: {value:g} (bar {bar:g})")


if __name__ == "__main__":
    for name, value, bar, ok in rows():
        print(f"{'ok ' if ok else 'NO '} {name}: {value:g} (bar {bar:g})")
