"""Settings by attribute, and defaults of tasks."""

import datetime

import flowbook
from flowbook import Task

assert flowbook.config.flows.eager_edge_validation is False
assert flowbook.config.logging.level == "INFO"
assert flowbook.config.tasks.defaults.max_retries == 0

flowbook.config.tasks.defaults.max_retries = 2
flowbook.config.tasks.defaults.retry_delay = 5
try:
    made = Task()
    assert made.max_retries == 2
    assert made.retry_delay == datetime.timedelta(seconds=5)
finally:
    flowbook.config.tasks.defaults.max_retries = 0
    flowbook.config.tasks.defaults.retry_delay = None
