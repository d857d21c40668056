"""Artifacts: what bodies leave with their run for people to look at."""

from __future__ import annotations

from functools import partial

import pytest

from flowbook import Flow, artifacts, task
from flowbook.artifacts import Artifact, create_link, create_markdown, delete_artifact, update_link, update_markdown


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_a_body_leaves_links_and_texts_changes_them_and_takes_them_away(executor: str) -> None:
    @task
    def leaves() -> tuple[str | None, ...]:
        link, text, gone = create_link("http://old"), create_markdown("# Old"), create_markdown("gone")
        update_link(link, "http://new")
        update_markdown(text, "# New")
        delete_artifact(gone)
        return link, text

    with Flow("leaving") as flow:
        left = leaves()
    ids = flow.run(executor=executor, show=False).result[left].result
    assert flow.last_run is not None
    assert flow.last_run.artifacts == [
        Artifact(ids[0], "link", "http://new", "leaves-1"),
        Artifact(ids[1], "markdown", "# New", "leaves-1"),
    ]


def test_each_run_has_its_own() -> None:
    with Flow("counting") as flow:
        task(lambda: create_link("http://one"))()
    flow.run(show=False)
    first = flow.last_run
    flow.run(show=False)
    assert first is not None
    assert flow.last_run is not None
    assert len(first.artifacts) == len(flow.last_run.artifacts) == 1
    assert first.artifacts[0].id != flow.last_run.artifacts[0].id


def test_outside_of_a_run_nothing_happens() -> None:
    made = create_link("http://nowhere")
    assert made is None
    update_link(made, "http://nowhere")
    update_markdown(made, "")
    delete_artifact(made)


def test_what_is_not_there_is_refused_and_so_is_what_is_no_text() -> None:
    @task
    def confuses() -> list[str]:
        said = []
        text = create_markdown("x")
        for wrong in (
            partial(update_link, text, "http://x"),
            partial(update_link, "artifact-x", "http://x"),
            partial(delete_artifact, "artifact-x"),
        ):
            with pytest.raises(ValueError, match="artifact") as caught:
                wrong()
            said.append(str(caught.value))
        with pytest.raises(TypeError, match="a link is a text, not 3"):
            create_link(3)  # type: ignore[arg-type]
        return said

    with Flow("confused") as flow:
        confused = confuses()
    said = flow.run(show=False).result[confused].result
    assert "is a markdown, not a link: use update_markdown." in said[0]
    assert "this run has no artifact 'artifact-x'. It has: artifact-" in said[1]
    assert said[2].startswith("this run has no artifact")
    assert artifacts.__all__
