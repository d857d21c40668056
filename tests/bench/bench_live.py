"""What it costs to be watched, and how soon a change is seen: ``python -m tests.bench.bench_live``.

The second half needs Chromium: a real JupyterLab shows a flow of 1,000 nodes, a script in the page notes when a node
changed its look and was painted, and the run's own events say when its state changed; both read the same clock.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from flowbook import Flow, task
from flowbook.engine import running
from flowbook.engine.arguments import options_of
from flowbook.notebook.hub import Hub, Viewing

Row = tuple[str, float, float, bool]
NODES = 1000

WATCHED = f"""
import random, time
from flowbook import Flow, task

@task
def step(x=0, seconds=0.0):
    time.sleep(seconds)

chance = random.Random(1)
with Flow("watched") as flow:
    # time for the page to draw: the figure is about changes of a picture that is there
    shown = step(seconds=6.0)
    made = []
    for number in range({NODES} - 1):
        upstream = made[-40:-10]
        slow = 0.02 if number % 4 == 0 else 0.0
        made.append(step(chance.choice(upstream), seconds=slow) if upstream else step(shown, seconds=slow))
"""
RUN = "state = flow.run()"
TELL = """
import json
slugs = {slug: number for number, slug in enumerate(flow.last_run.runner.plan.structure.slugs)}
print(json.dumps([[slugs[e.task], e.state, e.at] for e in flow.last_run.events if e.task]))
"""
# A node's look is one attribute; when it has changed, the next animation frame has painted it.
OBSERVE = """
window.seen = [];
const watch = root => new MutationObserver(records => requestAnimationFrame(() => {
    const at = (performance.timeOrigin + performance.now()) / 1000;
    for (const record of records) {
        const node = record.target;
        window.seen.push([Number(node.dataset.node), node.dataset.state, at]);
    }
})).observe(root, { attributes: true, attributeFilter: ["data-state"], subtree: true });
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    watch(root);
    return root;
};
"""


class _Counting:
    """A channel that writes JSON as a kernel does, and counts."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.bytes = 0

    def send(self, message: dict[str, Any]) -> None:
        self.times.append(time.monotonic())
        self.bytes += len(json.dumps(message))


@task
def nothing(x: object = None) -> object:
    return x


def _flow(count: int) -> Flow:
    with Flow("no-ops") as flow:
        last = nothing()
        for _ in range(count - 1):
            last = nothing(last)
    return flow


def _run_seconds(flow: Flow, hub: Hub | None) -> float:
    """Return how long the tasks of one run took, from its first event to its last.

    The picture is there before the run begins, as in a notebook.
    """
    run = running._prepare(flow, None, options_of(flow, (), {}))
    if hub is not None:
        viewing = Viewing(run)
        viewing.feed.snapshot(0.0)
        hub.follow(viewing)
        run.on_change(lambda run: hub.settle(viewing, ended=True))
    running._drive(run)
    assert run.state.is_successful()
    at = run.runner.machine.log.at
    return at[-1] - at[0]


def cost_of_being_watched(rounds: int = 31) -> float:
    """Return the median ratio of a run of 1,000 no-op tasks with a view open to one without, in pairs."""
    flow = _flow(NODES)
    hub = Hub()
    hub.link("view", _Counting())
    ratios = []
    for _ in range(rounds):
        alone = _run_seconds(flow, None)
        ratios.append(_run_seconds(flow, hub) / alone)
    return statistics.median(ratios)


def messages_a_second() -> float:
    """Return how many messages a second a view gets of a run that changes all the time."""

    @task
    def short(x: object = None) -> None:
        time.sleep(0.001)

    with Flow("busy") as flow:
        for _ in range(NODES):
            short()
    hub, channel = Hub(), _Counting()
    hub.link("view", channel)
    run = flow.start(show=False)
    viewing = Viewing(run)
    hub.follow(viewing)
    run.wait(60)
    hub.settle(viewing, ended=True)
    return (len(channel.times) - 1) / (channel.times[-1] - channel.times[0])


def seconds_to_the_pixel() -> list[float]:
    """Return, for each change of a node that was painted, how long after its event that was."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS
    from tests.browser.notebooks import NotebookPage
    from tests.browser.servers import running_server

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server("lab", Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(OBSERVE)
        server.write_notebook("watched.ipynb", [WATCHED, RUN, TELL])
        notebook = NotebookPage(page, server, "watched.ipynb")
        notebook.open()
        notebook.run_cell(0)
        notebook.run_cell(1)
        notebook.run_cell(2)
        happened = json.loads(notebook.output_text(2))
        seen = page.evaluate("() => window.seen")
        browser.close()
    at = {(node, state): when for node, state, when in happened}
    painted: dict[tuple[int, str], float] = {}
    for node, state, when in seen:
        painted.setdefault((node, state), when)
    return [painted[key] - when for key, when in at.items() if key in painted]


def rows() -> list[Row]:
    """The figures: (name, value, bar, whether it is met)."""
    ratio = cost_of_being_watched()
    rate = messages_a_second()
    made: list[Row] = [
        ("run of 1,000 no-op tasks, watched / alone", ratio, 1.1, ratio <= 1.1),
        ("messages a second to a view", rate, 30, rate <= 30),
    ]
    if any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        delays = sorted(seconds_to_the_pixel())
        p95 = delays[int(len(delays) * 0.95)]
        made.append((f"change to pixel, p95, 1,000 nodes, {len(delays)} changes, s", p95, 0.15, p95 <= 0.15))
    return made


@pytest.mark.bench
def test_being_watched_is_cheap_and_prompt() -> None:
    for name, value, bar, _ in rows():
        print(f"{name}: {value:g} (bar {bar:g})")


if __name__ == "__main__":
    for name, value, bar, ok in rows():
        print(f"{'ok ' if ok else 'NO '} {name}: {value:g} (bar {bar:g})")
