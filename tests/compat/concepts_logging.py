"""Logging from tasks, in three ways."""

import logging

import flowbook
from flowbook import Flow, Task, task
from flowbook.utilities.logging import get_logger

lines = []


class Collect(logging.Handler):
    def emit(self, record):
        lines.append((record.levelname, record.name.split(".")[-1], record.getMessage()))


get_logger().addHandler(Collect())


@task
def by_context():
    logger = flowbook.context.get("logger")
    logger.info("from the context")
    logger.debug("too fine")


class ByAttribute(Task):
    def run(self):
        self.logger.warning("from %s", "the task")


@task(log_stdout=True)
def by_print():
    print("printed")


with Flow("logging") as flow:
    by_context()
    ByAttribute(name="mine")()
    by_print()

assert flow.run().is_successful()
assert ("INFO", "by_context", "from the context") in lines
assert ("WARNING", "mine", "from the task") in lines
assert ("INFO", "by_print", "printed") in lines
assert not [line for line in lines if "too fine" in line[2]]
