"""Notifications are state handlers: a message to a webhook, and handlers made of two functions."""

import http.server
import json
import os
import threading
from functools import partial

import flowbook
from flowbook import Flow, task
from flowbook.engine.state import Failed
from flowbook.utilities.notifications import callback_factory, slack_notifier

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
sent = []


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
webhook = f"http://127.0.0.1:{server.server_address[1]}"

told = []
tell = callback_factory(fn=lambda task, state: told.append(task.name), check=lambda state: state.is_failed())


@task(state_handlers=[partial(slack_notifier, only_states=[Failed]), tell])
def broken():
    raise ValueError("it broke")


@task(state_handlers=[slack_notifier(ignore_states=[flowbook.engine.state.Running]), tell])
def fine():
    return 1


with Flow("notified") as flow:
    broken()
    fine()

with flowbook.context(secrets={"SLACK_WEBHOOK_URL": webhook}):
    state = flow.run()
server.shutdown()
server.server_close()
assert state.is_failed()
assert told == ["broken"]
assert len(sent) == 2
assert "broken" in json.dumps(sent)
