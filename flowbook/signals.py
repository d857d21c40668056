"""Signals: a task body raises one to say in which state its run shall go on.

They derive from `BaseException`, so that a body's own ``except Exception`` does not swallow them.

>>> from flowbook import signals
>>> signals.SKIP("nothing new today").state
<Skipped: "nothing new today">
"""

from __future__ import annotations

from typing import Any, ClassVar

from flowbook.errors import shown
from flowbook.states import (
    Failed,
    Looped,
    Paused,
    Retrying,
    Skipped,
    State,
    Success,
    TriggerFailed,
    ValidationFailed,
)

__all__ = [
    "ENDRUN",
    "FAIL",
    "LOOP",
    "PAUSE",
    "RETRY",
    "SKIP",
    "SUCCESS",
    "TRIGGERFAIL",
    "VALIDATIONFAIL",
    "FlowbookSignal",
    "PrefectSignal",
    "signal_from_state",
]


class FlowbookSignal(BaseException):
    """Root of all signals.

    Args:
        message: a sentence for people, kept by the state.
        *args: passed on to the state.
        **kwargs: passed on to the state; without ``result`` the signal itself is the result.

    """

    state_class: ClassVar[type[State]] = State

    def __init__(self, message: str | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(message)
        kwargs.setdefault("result", self._default_result())
        self.state: State = (
            self.state_class(message, *args, **kwargs) if not args else self._positional(message, args, kwargs)
        )

    def __reduce__(self) -> Any:
        # A signal is the result of its own state: pickle would go round in circles, so the state travels without it.
        is_own = self.state.result is self
        state = self.state.without_result() if is_own else self.state
        return _revived, (type(self), self.args, {**vars(self), "state": state}, int(is_own))

    def _default_result(self) -> Any:
        return self

    def _positional(self, message: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> State:
        kwargs.pop("result")
        return self.state_class(message, *args, **kwargs)


def _revived(kind: type[FlowbookSignal], args: tuple[Any, ...], values: dict[str, Any], own: int) -> FlowbookSignal:
    """Make a signal again; its own result when that was what its state held."""
    made = kind.__new__(kind, *args)
    made.args = args
    made.__dict__.update(values)
    if own:
        made.state.result = made
    return made


# The name under which the reference API offers the same class.
PrefectSignal = FlowbookSignal


class ENDRUN(FlowbookSignal):
    """Stop here with the given state; nothing is retried.

    Args:
        state: the state in which the run ends.

    """

    def __init__(self, state: State) -> None:
        super().__init__(state.message)
        self.state = state


class FAIL(FlowbookSignal):
    """Fail the run; retried like any error."""

    state_class = Failed


class TRIGGERFAIL(FAIL):
    """Say that the trigger did not let the task run; not retried."""

    state_class = TriggerFailed


class VALIDATIONFAIL(FAIL):
    """Say that the result was refused by a check."""

    state_class = ValidationFailed


class SUCCESS(FlowbookSignal):
    """End the run well, at once."""

    state_class = Success


class SKIP(FlowbookSignal):
    """Leave the run out; tasks downstream are left out too, unless they say otherwise."""

    state_class = Skipped


class RETRY(FlowbookSignal):
    """Try again at ``start_time`` (now when not given), whatever ``max_retries`` says."""

    state_class = Retrying


class PAUSE(FlowbookSignal):
    """Wait for a person, or for ``start_time`` when it is given."""

    state_class = Paused


class LOOP(FlowbookSignal):
    """Run the body again at once; ``result`` is handed to the next iteration."""

    state_class = Looped

    def _default_result(self) -> Any:
        return repr(self)


_BY_STATE: dict[type[State], type[FlowbookSignal]] = {
    kind.state_class: kind for kind in (FAIL, TRIGGERFAIL, VALIDATIONFAIL, SUCCESS, SKIP, RETRY, PAUSE, LOOP)
}


def signal_from_state(state: State) -> FlowbookSignal:
    """Return the signal which leads to a state like this one.

    Raises:
        ValueError: no signal leads to a state of this class.

    >>> signal_from_state(Failed("no"))
    FAIL('no')

    """
    kind = _BY_STATE.get(type(state))
    if kind is None:
        names = ", ".join(sorted(known.__name__ for known in _BY_STATE))
        raise ValueError(f"no signal leads to {shown(state)}; there is one for each of: {names}.")
    made = kind(state.message)
    made.state = state
    return made
