"""Secrets: from the context, from the environment, inside tasks."""

import os

import flowbook
from flowbook import Flow, task
from flowbook.client import Secret
from flowbook.tasks.secrets import EnvVarSecret, PrefectSecret

os.environ["FLOWBOOK__CONTEXT__SECRETS__FROM_ENVIRONMENT"] = "e"
os.environ["MY_TOKEN"] = "t0k3n"


@task
def use(a, b):
    return f"{len(a)} {len(b)} {Secret('PASSWORD').get()[0]}"


with Flow("secrets") as flow:
    password = PrefectSecret("PASSWORD")
    token = EnvVarSecret("MY_TOKEN")
    used = use(password, token)

with flowbook.context(secrets={"PASSWORD": "hunter2"}):
    assert Secret("PASSWORD").get() == "hunter2"
    state = flow.run()
assert state.is_successful()
assert state.result[used].result == "7 5 h"
assert Secret("FROM_ENVIRONMENT").get() == "e"

try:
    Secret("NOT_THERE").get()
except ValueError as error:
    assert "NOT_THERE" in str(error)
else:
    raise AssertionError("a secret out of nowhere")
assert flow.run().is_failed()
