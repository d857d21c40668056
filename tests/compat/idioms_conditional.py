"""Do something only when it is needed, else something other, then the same for both."""

import os

from flowbook import Flow, case, task
from flowbook.tasks.control_flow import merge


@task
def is_there(path):
    return os.path.exists(path)


@task
def make(path):
    with open(path, "w") as file:
        file.write("made")
    return "made"


@task
def read(path):
    with open(path) as file:
        return "read " + file.read()


@task
def report(text):
    return f"<{text}>"


with Flow("when needed") as flow:
    there = is_there("x.txt")
    with case(there, False):
        made = make("x.txt")
    with case(there, True):
        found = read("x.txt")
    reported = report(merge(made, found))

assert flow.run().result[reported].result == "<made>"
assert flow.run().result[reported].result == "<read made>"
