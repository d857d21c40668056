"""Notifications: state handlers that tell somebody. They never change a state, and never fail a run."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from flowbook.client.secrets import Secret
from flowbook.errors import shown
from flowbook.redaction import redact
from flowbook.utilities.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.states import State

__all__ = ["callback_factory", "slack_notifier"]

WEBHOOK = "SLACK_WEBHOOK_URL"

# Seconds that a message may take; the run waits for it, so not many.
_PATIENCE = 10.0


def callback_factory(
    fn: Callable[[Any, State], object],
    check: Callable[[State], bool],
) -> Callable[[Any, State, State], State]:
    """Make a state handler that calls a function at some changes of state.

    Args:
        fn: called with the task or flow and its new state; what it returns does not matter.
        check: tells from the new state whether to call it.

    >>> from flowbook import Flow, task
    >>> tell = callback_factory(lambda task, state: print(task.name, "ended"), lambda state: state.is_finished())
    >>> with Flow("telling") as flow:
    ...     one = task(lambda: 1, name="one", state_handlers=[tell])()
    >>> state = flow.run(show=False)
    one ended

    """

    def handler(tracked_obj: Any, old_state: State, new_state: State) -> State:  # noqa: ARG001 - as handlers are called
        if check(new_state):
            fn(tracked_obj, new_state)
        return new_state

    return handler


def slack_notifier(
    tracked_obj: Any = None,
    old_state: State | None = None,  # noqa: ARG001 - as handlers are called
    new_state: State | None = None,
    ignore_states: Sequence[type[State]] | None = None,
    only_states: Sequence[type[State]] | None = None,
    webhook_secret: str | None = None,
    backend_info: bool = True,  # noqa: FBT001, FBT002 - the reference API's; there is no backend to tell of
    proxies: Mapping[str, str] | None = None,
) -> Any:
    """Post changes of state to a Slack channel; a state handler of tasks and flows.

    Called without a state, as ``slack_notifier(only_states=[Failed])``, it returns a state handler of these options.
    When nobody can be told, a line in the log says why, and the run goes on.

    Args:
        tracked_obj: the task or flow.
        old_state: its state before.
        new_state: its new state.
        ignore_states: kinds of states not to tell about, those derived from them included.
        only_states: the only kinds of states to tell about, likewise.
        webhook_secret: the name of the secret that holds the address of Slack's webhook;
            ``SLACK_WEBHOOK_URL`` when not given.
        backend_info: known to the reference API.
        proxies: addresses of proxies, by scheme.

    Returns:
        The new state, or a state handler.

    """
    if new_state is None:
        return functools.partial(
            slack_notifier,
            ignore_states=ignore_states,
            only_states=only_states,
            webhook_secret=webhook_secret,
            backend_info=backend_info,
            proxies=proxies,
        )
    is_ignored = isinstance(new_state, tuple(ignore_states or ()))
    if is_ignored or (only_states and not isinstance(new_state, tuple(only_states))):
        return new_state
    try:
        _post(str(Secret(webhook_secret or WEBHOOK).get()), _message(tracked_obj, new_state), proxies)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong on the way to Slack must not fail the run
        get_logger("notifications").warning(
            "Slack was not told that %s is %s: %s", shown(tracked_obj.name, 60), type(new_state).__name__, error
        )
    return new_state


def _message(tracked_obj: Any, state: State) -> dict[str, Any]:
    # by its family tree, since the ground knows no flow: a task has a trigger
    kind = "Task" if hasattr(tracked_obj, "trigger") else "Flow"
    title = redact(f"{kind} {tracked_obj.name} is {type(state).__name__}")
    words = redact(str(state.message or ""))
    return {"text": title, "attachments": [{"color": state.color, "fallback": title, "title": title, "text": words}]}


def _post(url: str, message: dict[str, Any], proxies: Mapping[str, str] | None) -> None:
    from urllib import request  # noqa: PLC0415 - loaded when there is something to tell

    if not url.startswith(("https://", "http://")):
        raise ValueError("the address of the webhook must begin with https://.")
    posted = request.Request(  # noqa: S310 - the scheme was looked at
        url, data=json.dumps(message).encode(), headers={"Content-Type": "application/json"}
    )
    opener = request.build_opener(*([request.ProxyHandler(dict(proxies))] if proxies else []))
    with opener.open(posted, timeout=_PATIENCE) as answer:
        answer.read()
