"""Links and texts that a task leaves to be shown with its run."""

from flowbook import Flow, task
from flowbook.artifacts import create_link, create_markdown, update_markdown


@task
def report():
    create_link("https://example.org/report")
    kept = create_markdown("# Weather")
    update_markdown(kept, "# Weather\n\nSunny.")
    return "done"


with Flow("report") as flow:
    reported = report()
assert flow.run().result[reported].result == "done"
