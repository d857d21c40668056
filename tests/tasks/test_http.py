"""Web servers as tasks, against a small one of our own."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flowbook import Flow, signals
from flowbook.tasks.http import HTTPGet, HTTPPost


class Echo(BaseHTTPRequestHandler):
    """Tell what was asked; a path of digits is the status of the answer, /flaky says no twice, /moved leads on."""

    flaky = 0

    def do_GET(self) -> None:
        self.answer(None)

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"] or 0)).decode())

    def answer(self, body: str | None) -> None:
        path = urlsplit(self.path)
        status = int(path.path[1:]) if path.path[1:].isdigit() else 200
        if path.path == "/flaky":
            type(self).flaky += 1
            status = 503 if type(self).flaky < 3 else 200
        if path.path == "/moved":
            status = 302
        said = {"path": path.path, "query": parse_qs(path.query), "body": body, "headers": dict(self.headers)}
        text = json.dumps(said).encode() if status < 400 else b"not today"
        self.send_response(status)
        self.send_header("Location", "/there")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Echo, "flaky", 0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_flow_gets_json(url: str) -> None:
    with Flow("get") as flow:
        got = HTTPGet(returns="json")(url=f"{url}/here", params={"city": "Delft"})
        path = got["path"]
    state = flow.run(show=False)
    assert state.result[path].result == "/here"
    assert state.result[got].result["query"] == {"city": ["Delft"]}


@pytest.mark.parametrize(
    ("given", "sent"), [({"json": {"a": 1}}, '{"a":1}'), ({"data": {"a": "1 2"}}, "a=1+2"), ({"data": "raw"}, "raw")]
)
def test_a_post_sends_json_a_form_or_a_text(given: dict[str, Any], sent: str, url: str) -> None:
    assert HTTPPost(url, returns="json").run(**given)["body"] == sent
    assert HTTPPost(url, returns="json", **given).run()["body"] == sent


def test_headers_and_credentials_are_sent(url: str) -> None:
    headers = HTTPGet(url, headers={"X-Mine": "1"}, returns="json").run(auth=("me", "secret"))["headers"]
    assert headers["X-Mine"] == "1"
    assert headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(("returns", "kind"), [("text", "str"), ("bytes", "bytes"), ("response", "Response")])
def test_what_is_returned_can_be_chosen(returns: str, kind: str, url: str) -> None:
    assert type(HTTPGet(url, returns=returns).run()).__name__ == kind


def test_redirects_are_followed(url: str) -> None:
    assert HTTPGet(f"{url}/moved", returns="json").run()["path"] == "/there"


@pytest.mark.parametrize("kind", [HTTPGet, HTTPPost])
def test_a_status_of_400_or_above_fails_the_task(kind: type[HTTPGet | HTTPPost], url: str) -> None:
    with Flow("failing") as flow:
        failed = kind(url=f"{url}/404")()
    state = flow.run(show=False).result[failed]
    assert state.is_failed()
    assert state.message is not None
    assert state.message.endswith("/404: 404 Not Found: 'not today'")
    assert state.result.status_code == 404


def test_the_message_holds_no_query_and_no_password(url: str) -> None:
    with pytest.raises(signals.FAIL) as caught:
        HTTPGet(url.replace("//", "//me:hidden@") + "/403", params={"key": "hidden"}).run()
    assert "hidden" not in str(caught.value)


def test_a_failure_is_retried_as_any_other(url: str) -> None:
    with Flow("flaky") as flow:
        got = HTTPGet(f"{url}/flaky", max_retries=2, retry_delay=timedelta(seconds=10))()
    assert flow.run(show=False, clock="fast").result[got].is_successful()
    assert Echo.flaky == 3


def test_what_is_missing_or_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="has no url"):
        HTTPGet().run()
    with pytest.raises(ValueError, match=r"returns='jason' is not known. Did you mean 'json'\?"):
        HTTPGet("http://x", returns="jason")
    with pytest.raises(ValueError, match="both json and data"):
        HTTPPost("http://x", json=1, data={"a": 1}).run()


def test_without_httpx_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ImportError, match=r"HTTPPost needs httpx.*pip install 'jupyter-flowbook\[http\]'"):
        HTTPPost("http://x").run()
