"""The panel "Flow" in a bare tab, on a desk that is in the page: what a person does with it, by mouse and by keyboard.

That JupyterLab mounts it, and what its kernel tells it, is tested where the extension is.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import skip_or_fail

JS = Path(__file__).parents[2] / "js"
ARTEFACTS = Path(__file__).parents[2] / ".artefacts"

OpenPanel = Callable[..., Page]


@pytest.fixture(scope="module")
def pages() -> Path:
    """The demo page, built from the sources."""
    node = shutil.which("node") or ""
    if not node:
        skip_or_fail("No node found. Install Node 18 or later to build the demo page.")
    subprocess.run([node, "build.mjs", "--only-pages"], cwd=JS, check=True, timeout=60)
    return JS / "demo" / "panel.html"


@pytest.fixture
def open_panel(browser: Browser, pages: Path) -> Iterator[OpenPanel]:
    """Open the panel as wide as asked for; the test fails when the page threw an error."""
    errors: list[str] = []
    opened: list[Page] = []

    def open_(width: int = 400, height: int = 900, *, dark: bool = False, **asked: object) -> Page:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.on("pageerror", lambda error: errors.append(str(error)))
        query = urlencode({**asked, **({"theme": "dark"} if dark else {})})
        page.goto(f"{pages.as_uri()}?{query}")
        opened.append(page)
        return page

    yield open_
    for page in opened:
        page.close()
    assert not errors


def heard(page: Page) -> list[str]:
    """What the panel has asked of its desk."""
    asked: list[str] = page.evaluate("() => window.desk.heard")
    return asked


def wait_until_heard(page: Page, wanted: str) -> None:
    page.wait_for_function("wanted => window.desk.heard.includes(wanted)", arg=wanted, timeout=5000)


def focused(page: Page) -> str:
    """Return the text or the label of what has the focus, inside of shadow roots."""
    text: str = page.evaluate(
        "() => { let at = document; while (at.activeElement?.shadowRoot) at = at.activeElement.shadowRoot;"
        " const here = at.activeElement; return here?.getAttribute('aria-label') ?? here?.id ?? ''; }"
    )
    return text


def test_a_newcomer_sees_the_graph_after_one_click_and_nothing_has_run(open_panel: OpenPanel) -> None:
    page = open_panel(280, status="off", n=9, tall=3)
    expect(page.get_by_role("heading", name="This notebook is not shown as a flow")).to_be_visible()
    expect(page.get_by_text("Nothing runs, and no cell is changed.")).to_be_visible()
    page.get_by_role("button", name="Show as flow").click()
    expect(page.get_by_text("Reading the cells …")).to_be_visible()
    expect(page.get_by_text("Not run yet", exact=True).first).to_be_visible()
    expect(page.locator(".fb-node")).to_have_count(9)
    assert heard(page) == ["open document"]


def test_a_node_that_is_clicked_is_chosen_and_a_double_click_shows_its_cell(open_panel: OpenPanel) -> None:
    page = open_panel(at="failed", n=12, tall=3)
    node = page.locator(".fb-node[data-node='1']")
    node.click()
    wait_until_heard(page, "choose 1")
    expect(node).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".fp-row[aria-selected='true'] .fp-name")).to_have_text("clean_planes")
    node.click()
    expect(node).to_have_attribute("aria-pressed", "true")  # a second click must not take it back
    node.dblclick()
    wait_until_heard(page, "reveal cell-1")


def test_a_node_that_is_chosen_elsewhere_is_marked_in_the_picture_and_in_the_list(open_panel: OpenPanel) -> None:
    page = open_panel(at="failed", n=300)
    page.evaluate("() => window.desk.choose(250)")
    expect(page.locator(".fb-node[data-node='250']")).to_be_in_viewport()
    expect(page.locator(".fb-node[data-node='250']")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".fp-row[aria-selected='true']")).to_be_in_viewport()
    assert heard(page).count("choose 250") == 1, "the picture must not choose again what it was told"


def test_the_tasks_are_walked_by_keyboard_and_enter_goes_to_the_cell(open_panel: OpenPanel) -> None:
    page = open_panel(at="failed", n=12, tall=3)
    page.locator(".fp-row[tabindex='0']").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(30)
    wait_until_heard(page, "choose 3")
    page.keyboard.press("Enter")
    wait_until_heard(page, "reveal cell-3")
    page.keyboard.press("End")
    wait_until_heard(page, "choose 11")
    assert "choose 1" not in heard(page), "rows that are only passed are not asked about"
    page.keyboard.press("Escape")
    wait_until_heard(page, "choose null")
    expect(page.get_by_role("tablist")).to_be_hidden()


def test_tabs_are_turned_with_arrow_keys(open_panel: OpenPanel) -> None:
    page = open_panel(at="failed", n=12, tall=3, choose=11)
    page.get_by_role("tab", name="State").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel")).to_contain_text("HTTPError: 503")
    expect(page.get_by_role("tabpanel")).to_contain_text("Runs after")
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel")).to_contain_text("groupby")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="State")).to_be_focused()


def test_a_required_parameter_is_asked_for_and_only_what_was_typed_is_sent(open_panel: OpenPanel) -> None:
    page = open_panel(n=9, tall=3, fields=1, pace=60)
    page.get_by_role("button", name="Run flow").click()
    assert focused(page) == "fp-field-token"
    expect(page.get_by_text("token is required.")).to_be_visible()
    assert not heard(page)
    page.keyboard.type("s3cret")
    page.get_by_role("textbox", name="year").fill("many")
    page.get_by_role("button", name="Run flow").click()
    expect(page.get_by_text("year takes a whole number, e.g. 30.")).to_be_visible()
    page.get_by_role("button", name="Reset year to its default").click()
    page.get_by_role("checkbox", name="with_plots").uncheck()
    page.get_by_role("button", name="Run flow").click()
    wait_until_heard(page, 'run {"to":"","from_failed":false,"parameters":{"with_plots":"False","token":"s3cret"}}')
    expect(page.locator("#fp-field-token")).to_have_attribute("type", "password")


def test_while_it_runs_the_run_is_paused_stepped_and_cancelled_and_then_resumed(open_panel: OpenPanel) -> None:
    page = open_panel(n=12, tall=3, pace=150)
    page.get_by_role("button", name="Run flow").click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Step").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Run flow").wait_for()
    assert [said for said in heard(page) if said.startswith("command")] == [
        "command pause",
        "command step",
        "command resume",
        "command cancel",
    ]


def test_a_log_that_is_read_grows_while_its_task_runs(open_panel: OpenPanel) -> None:
    page = open_panel(at="running", n=12, tall=3)
    running: int = page.evaluate("() => window.desk.play.looks.find(look => look.state === 'Running').node")
    page.evaluate("node => window.desk.choose(node)", running)
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("read 336,776 rows")
    page.evaluate("() => { window.desk.more = 'and 12 more'; }")
    expect(page.get_by_role("tabpanel")).to_contain_text("and 12 more", timeout=4000)


def test_a_failed_task_is_retried_while_the_run_lives(open_panel: OpenPanel) -> None:
    page = open_panel(at="running", share=0.75, n=20, tall=3)
    failed: list[int] = page.evaluate("() => window.desk.play.looks.filter(l => l.state === 'Failed').map(l => l.node)")
    assert failed, "the scene has one"
    page.evaluate("node => window.desk.choose(node)", failed[0])
    page.get_by_role("button", name="Retry").click()
    wait_until_heard(page, f"command retry {failed[0]}")
    expect(page.locator(".fp-row[aria-selected='true']")).to_contain_text("Running")
    expect(page.get_by_role("button", name="Retry")).to_be_hidden()


def test_what_failed_is_resumed_with_the_number_of_cells_that_will_run(open_panel: OpenPanel) -> None:
    page = open_panel(at="changed", edit=2, n=12, tall=3, pace=80)
    page.get_by_role("button", name="Needs attention").click()
    expect(page.locator(".fp-body .fp-row")).to_have_count(
        page.evaluate("() => 1 + window.desk.state.look.cells.filter(c => c.dirty || c.stale).length")
    )
    expect(page.get_by_role("button", name="Resume from failed (6)")).to_be_visible()
    page.get_by_role("button", name="Resume from failed (6)").click()
    wait_until_heard(page, 'run {"to":"","from_failed":true,"parameters":{}}')


def test_a_problem_is_shown_with_its_cell_and_mended_with_one_click(open_panel: OpenPanel) -> None:
    page = open_panel(n=9, tall=3, problems=1)
    first = page.locator(".fp-problem").first
    expect(first).to_contain_text("Did you mean 'planes'?")
    expect(first).to_contain_text("clean_planes, line 4")
    first.get_by_role("button", name="Show cell").click()
    first.get_by_role("button", name="Write planes").click()
    assert heard(page) == ["reveal cell-1", "rewrite cell-1 planes.head()"]
    expect(page.locator(".fp-problem")).to_have_count(1)


def test_keys_pressed_in_the_panel_are_no_commands_of_the_page_around(open_panel: OpenPanel) -> None:
    page = open_panel(n=9, tall=3, at="failed")
    page.locator(".fp-row[tabindex='0']").focus()
    marked = "() => document.querySelector('body > div').hasAttribute('data-lm-suppress-shortcuts')"
    page.keyboard.press("d")
    assert page.evaluate(marked)
    page.keyboard.press("Control+s")
    assert not page.evaluate(marked), "saving stays the page's own"


def test_a_changed_value_says_that_results_are_from_another_one(open_panel: OpenPanel) -> None:
    page = open_panel(at="failed", n=12, tall=3, fields=1)
    page.locator(".fp-form summary").wait_for()
    if not page.locator(".fp-field").first.is_visible():
        page.locator(".fp-form summary").click()
    page.get_by_role("textbox", name="year").fill("2014")
    note = page.get_by_text("Not run with this year yet: results are from another value.")
    expect(note).to_be_visible()
    page.get_by_role("button", name="Reset year to its default").click()
    expect(note).to_be_hidden()


def test_a_chosen_row_stays_in_sight_when_the_form_opens(open_panel: OpenPanel) -> None:
    page = open_panel(400, 900, at="failed", choose=11, n=12, tall=3, fields=1)
    row = page.locator(".fp-row[aria-selected='true']")
    expect(row).to_be_in_viewport()
    page.wait_for_timeout(300)
    form = page.locator(".fp-form")
    form.evaluate("form => { form.open = false; }")
    page.wait_for_timeout(200)
    form.evaluate("form => { form.open = true; }")
    page.wait_for_timeout(200)
    hidden = row.evaluate(
        "row => row.getBoundingClientRect().bottom - row.closest('.fp-grid').getBoundingClientRect().bottom"
    )
    assert hidden <= 0.5


@pytest.mark.parametrize("width", [280, 400])
def test_the_picture_follows_what_runs_and_ends_at_what_failed(open_panel: OpenPanel, width: int) -> None:
    page = open_panel(width, n=60, tall=3, pace=80)
    page.get_by_role("button", name="Run flow").click()
    page.wait_for_timeout(2500)
    scroller = page.locator(".fb-scroller")
    assert scroller.evaluate("it => it.scrollLeft + it.scrollTop") > 100, "what runs has left the window long ago"
    page.wait_for_function("() => window.desk.state.look.run && window.desk.play.isOver", timeout=30_000)
    failed = "() => window.desk.play.looks.filter(l => l.state === 'Failed').sort((a, b) => a.ended - b.ended)[0].node"
    expect(page.locator(f".fb-node[data-node='{page.evaluate(failed)}']")).to_be_in_viewport()


def test_a_picture_that_a_person_has_moved_stays_where_it_is(open_panel: OpenPanel) -> None:
    page = open_panel(400, n=60, tall=3, pace=80)
    page.get_by_role("button", name="Run flow").click()
    page.wait_for_timeout(500)
    scroller = page.locator(".fb-scroller")
    scroller.hover()
    page.mouse.wheel(600, 0)
    page.wait_for_timeout(300)
    before = scroller.evaluate("it => it.scrollLeft")
    page.wait_for_timeout(2000)
    assert scroller.evaluate("it => it.scrollLeft") == before > 0


@pytest.mark.parametrize("width", [280, 400, 1000])
def test_the_text_of_show_cell_ends_at_the_margin(open_panel: OpenPanel, width: int) -> None:
    page = open_panel(width, at="failed", choose=11, n=12, tall=3)
    page.get_by_role("button", name="Show cell").wait_for()
    beyond = page.evaluate(
        """() => {
            const root = document.querySelector("body > div").shadowRoot;
            const button = root.querySelector(".fp-actions > :last-child");
            const text = document.createRange();
            text.selectNodeContents(button);
            const panel = root.querySelector(".fp-inspector");
            const margin = parseFloat(getComputedStyle(root.querySelector(".fp-inspector-head")).paddingLeft);
            return text.getBoundingClientRect().right - (panel.getBoundingClientRect().right - margin);
        }"""
    )
    assert abs(beyond) <= 0.5


def test_a_row_that_is_clicked_stays_in_sight_when_the_inspector_opens(open_panel: OpenPanel) -> None:
    page = open_panel(400, 700, at="failed", n=30)
    page.locator(".fp-row[tabindex='0']").wait_for()
    low = page.evaluate(
        """() => {
            const root = document.querySelector("body > div").shadowRoot;
            const end = root.querySelector(".fp-grid").getBoundingClientRect().bottom;
            const rows = [...root.querySelectorAll(".fp-body .fp-row")];
            return rows.filter(row => row.getBoundingClientRect().bottom <= end).at(-1).dataset.key;
        }"""
    )
    row = page.locator(f".fp-row[data-key='{low}']")
    row.click()
    page.get_by_role("tablist").wait_for()
    page.wait_for_timeout(200)
    hidden = row.evaluate(
        "row => row.getBoundingClientRect().bottom - row.closest('.fp-grid').getBoundingClientRect().bottom"
    )
    assert hidden <= 0.5


@pytest.mark.parametrize("width", [280, 400, 1000])
@pytest.mark.parametrize("asked", [{"at": "running"}, {"at": "failed", "choose": 11}, {"fields": 1, "problems": 1}])
def test_nothing_is_cut_off_at_any_width(open_panel: OpenPanel, width: int, asked: dict[str, Any]) -> None:
    page = open_panel(width, n=12, tall=3, **asked)
    page.locator(".fp-body .fp-row").first.wait_for()
    cut = page.evaluate(
        """() => {
            const root = document.querySelector("body > div").shadowRoot;
            const shown = [...root.querySelectorAll("button, .fp-tab, h2, h3, label, .fp-words, .fp-time, .fp-badge")];
            const inside = root.querySelector(".fp-root").getBoundingClientRect();
            return shown.filter(one => {
                const box = one.getBoundingClientRect();
                return box.width > 1 && (one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
                    || box.right > inside.right + 0.5 || box.left < inside.left - 0.5);
            }).map(one => one.textContent);
        }"""
    )
    assert cut == []


def test_every_control_has_a_name(open_panel: OpenPanel) -> None:
    page = open_panel(at="failed", choose=11, fields=1, problems=1, n=12, tall=3)
    page.get_by_role("tablist").wait_for()
    for role in ("button", "tab", "textbox", "combobox", "checkbox", "row", "separator", "grid"):
        for control in page.get_by_role(role).all():
            snapshot = control.aria_snapshot()
            assert '"' in snapshot.splitlines()[0], f"{role} without a name: {snapshot}"


@pytest.mark.parametrize("dark", [False, True])
def test_screenshots_are_kept(open_panel: OpenPanel, dark: bool) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    scenes: dict[str, dict[str, Any]] = {
        "off": {"width": 280, "status": "off"},
        "preview": {"width": 400, "problems": 1, "fields": 1, "n": 9, "tall": 3},
        "running": {"width": 280, "at": "running", "n": 12, "tall": 3},
        "failed": {"width": 400, "at": "failed", "choose": 11, "n": 12, "tall": 3},
        "wide": {"width": 1000, "at": "failed", "choose": 11, "n": 12, "tall": 3},
        "many": {"width": 400, "at": "running", "n": 300},
    }
    for name, scene in scenes.items():
        page = open_panel(dark=dark, **scene)
        page.wait_for_timeout(300)
        page.screenshot(path=ARTEFACTS / f"panel-{name}-{'dark' if dark else 'light'}.png")
