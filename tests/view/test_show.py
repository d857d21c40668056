"""What an output keeps of a flow or a run, and the files it can be written to."""

from __future__ import annotations

import json

import pytest

from flowbook import Flow, task
from flowbook.errors import CycleError, FlowbookError
from flowbook.view.protocol import MIME, decode_bundle


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@pytest.fixture
def flow() -> Flow:
    with Flow("sum <b>") as made:
        add(add(1), y=2)
    return made


def test_a_flow_shows_itself_from_the_richest_to_the_plainest(flow: Flow) -> None:
    bundle = flow._repr_mimebundle_()
    assert set(bundle) == {MIME, "text/html", "text/plain"}
    read = decode_bundle(json.loads(json.dumps(bundle[MIME])))
    assert (read.live, read.run, read.picture.flow) == (False, "", "sum <b>")
    assert "<svg" not in bundle["text/html"]  # stripped where a notebook is not trusted: an image is not
    assert "data:image/svg+xml;base64," in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert "<style" not in bundle["text/html"]


def test_a_run_shows_its_final_states_and_no_more_buttons(flow: Flow) -> None:
    flow.run(show=False)
    assert flow.last_run is not None
    bundle = flow.last_run._repr_mimebundle_()
    read = decode_bundle(bundle[MIME])
    assert not read.live
    assert not read.picture.controls
    assert [look.state for look in read.snapshot.nodes] == ["Success", "Success"]
    assert "Success" in bundle["text/plain"]


def test_the_page_needs_nothing_else_and_cannot_be_broken_by_a_name(flow: Flow) -> None:
    with Flow("</script><script>alert(1)</script>") as hostile:
        task(lambda: 1, name="</script><img src=x onerror=alert(1)>")()
    page = hostile.to_html()
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page


def test_svg_is_drawn_in_a_theme(flow: Flow) -> None:
    assert 'data-theme="dark"' in flow.to_svg(theme="dark")
    with pytest.raises(FlowbookError, match=r"'purple'.*'light'"):
        flow.to_svg(theme="purple")


def test_a_circle_is_drawn_and_named() -> None:
    flow = Flow("circle")
    first, second = add.copy(), add.copy()
    flow.add_edge(first, second)
    flow.add_edge(second, first)
    assert 'data-kind="cycle"' in flow._repr_mimebundle_()[MIME]["picture"]["svg"]
    with pytest.raises(CycleError):
        flow.run(show=False)


def test_a_picture_is_laid_out_once_until_the_flow_changes(flow: Flow) -> None:
    from flowbook.view.show import picture_of

    first = picture_of(flow)
    assert picture_of(flow) is first
    flow.add_task(add.copy())
    assert picture_of(flow) is not first


def test_text_needs_no_colour(flow: Flow) -> None:
    flow.run(show=False)
    assert flow.to_text().count("Success") >= 2
    assert flow.to_text(ascii_only=True).isascii()
