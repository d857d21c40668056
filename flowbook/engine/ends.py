"""What things come to: an error in a body, the answer of a trigger, a state that wraps another one.

Nothing here raises, whatever a user's code does when it is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.errors import shown
from flowbook.redaction import redact, redact_error
from flowbook.states import Failed, Pending, State, TriggerFailed
from flowbook.triggers import Verdict, judge

if TYPE_CHECKING:
    from flowbook.edges import Edge

__all__ = ["failure", "innermost", "keep_secrets", "said", "verdict_of"]


def failure(error: BaseException) -> State:
    """Return the state which an error in a body leads to: that of a signal, else `Failed`.

    >>> failure(ZeroDivisionError("no"))
    <Failed: "Unexpected error: ZeroDivisionError('no')">

    """
    if isinstance(error, signals.FlowbookSignal):
        state = getattr(error, "state", None)  # a subclass may have forgotten to call ours
        if isinstance(state, State):
            return state
    return Failed(f"Unexpected error: {said(error, 500)}", result=error)


def keep_secrets(state: State) -> None:
    """Mask secrets in the words of a state and of the error it carries: events, pictures and reprs are made of them."""
    if type(state.message) is str:
        state.message = redact(state.message)
    if isinstance(state.result, BaseException):
        redact_error(state.result)


def said(value: object, limit: int = 300) -> str:
    """Return the repr of anything; one that raises something other than an `Exception` is not let through either."""
    try:
        return shown(value, limit)
    except BaseException:  # noqa: BLE001 - a user's __repr__ may raise SystemExit, and a message must still be made
        return f"<{type(value).__name__}>"


def verdict_of(trigger: Any, upstream: dict[Edge, State]) -> Verdict:
    """Ask any trigger and return its verdict; whatever it raises is one, too."""
    try:
        return judge(trigger, upstream)
    except Exception as error:  # noqa: BLE001 - a Trigger made by a user may raise anything
        state = TriggerFailed(f"Unexpected error while checking task trigger: {said(error)}", result=error)
        return Verdict(passed=False, reason=state.message or "", state=state, decided_by=tuple(upstream))


def innermost(state: State) -> State:
    """Return the state that a meta state such as `Submitted` wraps."""
    while state.is_meta_state():
        state = state.state or Pending()  # type: ignore[attr-defined]  # every meta state has one
    return state
