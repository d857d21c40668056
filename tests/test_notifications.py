"""Notifications tell somebody about states, and never fail a run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from flowbook import Flow, task
from flowbook.states import Failed, Finished, Retrying, Running, State, Success, TimedOut
from flowbook.utilities.notifications import callback_factory, slack_notifier


class Slack:
    """A server that takes messages, as Slack does."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answer = 200
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                slack.heard.append(json.loads(body))
                self.send_response(slack.answer)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Be quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook-zaphod"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def titles(self) -> list[str]:
        return [message["text"] for message in self.heard]


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    made = Slack()
    monkeypatch.setenv("FLOWBOOK__CONTEXT__SECRETS__SLACK_WEBHOOK_URL", made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


def flow_with(handler: Any, *, fails: bool = True) -> Flow:
    @task(state_handlers=[handler])
    def works() -> None:
        if fails:
            raise ValueError("the disk is full")

    with Flow("nightly", state_handlers=[handler]) as flow:
        works()
    return flow


def test_each_change_of_state_is_told(slack: Slack) -> None:
    flow_with(slack_notifier).run(show=False)
    assert slack.titles == [
        "Flow nightly is Running",
        "Task works is Running",
        "Task works is Failed",
        "Flow nightly is Failed",
    ]
    told = slack.heard[2]["attachments"][0]
    assert "the disk is full" in told["text"]
    assert told["color"] == Failed.color


@pytest.mark.parametrize(
    ("options", "titles"),
    [
        ({"only_states": [Failed]}, ["Task works is Failed", "Flow nightly is Failed"]),
        ({"ignore_states": [Running]}, ["Task works is Failed", "Flow nightly is Failed"]),
        ({"ignore_states": [Finished]}, ["Flow nightly is Running", "Task works is Running"]),
        ({"only_states": [Finished], "ignore_states": [Failed]}, []),
        ({"only_states": [TimedOut]}, []),
    ],
)
def test_options_choose_what_is_told(slack: Slack, options: Any, titles: list[str]) -> None:
    flow_with(slack_notifier(**options)).run(show=False)
    assert slack.titles == titles


def test_options_can_be_given_step_by_step_and_the_state_is_returned(slack: Slack) -> None:
    handler = slack_notifier(only_states=[Failed])(webhook_secret="SLACK_WEBHOOK_URL")
    state = Failed("no")
    assert handler(task(lambda: 1, name="one"), Running(), state) is state
    assert slack.titles == ["Task one is Failed"]


@pytest.mark.parametrize("trouble", ["no secret", "no server", "refused", "no address"])
def test_trouble_on_the_way_is_logged_and_the_run_goes_on(
    slack: Slack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: str
) -> None:
    variable = "FLOWBOOK__CONTEXT__SECRETS__SLACK_WEBHOOK_URL"
    if trouble == "no secret":
        monkeypatch.delenv(variable)
    elif trouble == "no server":
        monkeypatch.setenv(variable, "http://127.0.0.1:1/hook-zaphod")
    elif trouble == "no address":
        monkeypatch.setenv(variable, "file:///etc/hook-zaphod")
    else:
        slack.answer = 500
    assert flow_with(slack_notifier, fails=False).run(show=False).is_successful()
    said = capsys.readouterr().out
    assert "Slack was not told that 'works' is Success" in said
    assert "hook-zaphod" not in said


def test_the_address_can_be_under_another_name(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK__CONTEXT__SECRETS__MINE", slack.url)
    monkeypatch.delenv("FLOWBOOK__CONTEXT__SECRETS__SLACK_WEBHOOK_URL")
    flow_with(slack_notifier(only_states=[Success], webhook_secret="MINE"), fails=False).run(show=False)
    assert slack.titles == ["Task works is Success", "Flow nightly is Success"]


def test_a_proxy_is_asked_when_one_is_given(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK__CONTEXT__SECRETS__SLACK_WEBHOOK_URL", "http://slack.invalid/hook")
    handler = slack_notifier(only_states=[Success], proxies={"http": slack.url.rpartition("/")[0]})
    flow_with(handler, fails=False).run(show=False)
    assert len(slack.heard) == 2


def test_handlers_on_many_threads_tell_all(slack: Slack) -> None:
    handler = slack_notifier(only_states=[Success])
    with Flow("many") as flow:
        for number in range(20):
            task(lambda: 1, name=f"task {number}", state_handlers=[handler])()
    flow.run(executor="threads", show=False)
    assert sorted(slack.titles) == sorted(f"Task task {number} is Success" for number in range(20))


def test_a_callback_is_called_where_its_check_says_so() -> None:
    told: list[tuple[str, type[State]]] = []
    handler = callback_factory(lambda one, state: told.append((one.name, type(state))), lambda state: state.is_failed())
    flow_with(handler).run(show=False)
    assert told == [("works", Failed), ("nightly", Failed)]
    state = Retrying()
    assert handler(flow_with(handler), Running(), state) is state
