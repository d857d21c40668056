"""Signals: raised by a body, a handler or a trigger, each leads to a state."""

from __future__ import annotations

import datetime as dt
import pickle

import pytest

from flowbook import Flow, signals, states, task
from flowbook.engine import signals as second_name
from flowbook.signals import ENDRUN, FAIL, LOOP, PAUSE, RETRY, SKIP, SUCCESS, FlowbookSignal, signal_from_state
from flowbook.states import State

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.timezone.utc)

LEADS_TO: dict[type[FlowbookSignal], type[State]] = {
    signals.FAIL: states.Failed,
    signals.TRIGGERFAIL: states.TriggerFailed,
    signals.VALIDATIONFAIL: states.ValidationFailed,
    signals.SUCCESS: states.Success,
    signals.SKIP: states.Skipped,
    signals.RETRY: states.Retrying,
    signals.PAUSE: states.Paused,
    signals.LOOP: states.Looped,
}
EVERY = pytest.mark.parametrize("kind", LEADS_TO, ids=lambda kind: kind.__name__)


@EVERY
def test_a_signal_leads_to_its_state_and_is_its_result(kind: type[FlowbookSignal]) -> None:
    signal = kind("because")
    assert type(signal.state) is LEADS_TO[kind]
    assert signal.state.message == "because"
    assert signal.state.result is signal if kind is not LOOP else signal.state.result == "LOOP('because')"
    assert str(signal) == "because"


@EVERY
def test_a_result_that_is_given_stays_also_when_it_is_none(kind: type[FlowbookSignal]) -> None:
    assert kind("because", result=7).state.result == 7
    assert kind("because", result=None).state.result is None
    assert kind("because", 7).state.result == 7
    assert kind().state.message is None


@EVERY
def test_signals_are_not_swallowed_by_except_exception(kind: type[FlowbookSignal]) -> None:
    assert issubclass(kind, BaseException)
    assert not issubclass(kind, Exception)


@EVERY
def test_signals_survive_pickle(kind: type[FlowbookSignal]) -> None:
    again = pickle.loads(pickle.dumps(kind("because", context={"a": 1})))
    assert type(again) is kind
    assert (again.state.message, again.state.context) == ("because", {"a": 1})
    assert again.state.result is again or kind is LOOP
    state = pickle.loads(pickle.dumps(kind("because").state))
    assert isinstance(state.result, kind) or kind is LOOP


@EVERY
def test_a_signal_is_found_from_a_state(kind: type[FlowbookSignal]) -> None:
    state = LEADS_TO[kind]("because", result=7)
    signal = signal_from_state(state)
    assert type(signal) is kind
    assert signal.state is state


@pytest.mark.parametrize("state", [states.Running(), states.Pending(), states.Cached(), states.Cancelled()])
def test_no_signal_leads_to_other_states(state: State) -> None:
    with pytest.raises(ValueError, match=r"no signal leads to <.*>; there is one for each of: Failed, Looped"):
        signal_from_state(state)


def test_moments_are_handed_on_to_the_state() -> None:
    for kind in (RETRY, PAUSE):
        state = kind("later", start_time=NOON).state
        assert isinstance(state, states.Scheduled)
        assert state.start_time == NOON
    now = RETRY().state
    assert isinstance(now, states.Retrying)
    assert now.start_time is not None
    forever = PAUSE().state
    assert isinstance(forever, states.Paused)
    assert forever.start_time is None


def test_endrun_takes_any_state() -> None:
    state = states.Cancelled("enough", result=3)
    signal = ENDRUN(state)
    assert signal.state is state
    assert pickle.loads(pickle.dumps(signal)).state == state


def test_the_signals_have_the_names_of_the_reference_api() -> None:
    assert signals.PrefectSignal is FlowbookSignal
    assert second_name.SKIP is SKIP
    assert issubclass(signals.TRIGGERFAIL, FAIL)
    assert issubclass(signals.VALIDATIONFAIL, FAIL)


@pytest.mark.parametrize(
    ("signal", "wanted"),
    [
        (SUCCESS("early", result=3), states.Success),
        (FAIL("no"), states.Failed),
        (SKIP("not today"), states.Skipped),
        (signals.VALIDATIONFAIL("odd"), states.ValidationFailed),
    ],
)
def test_a_body_that_raises_a_signal_ends_in_its_state(signal: FlowbookSignal, wanted: type[State]) -> None:
    def stop() -> None:
        raise signal

    @task
    def body() -> None:
        try:
            stop()
        except Exception:  # noqa: BLE001 - careless bodies do this; a signal passes through
            return

    state = Flow("signal", tasks=[body]).run().result[body]
    assert (type(state), state.message) == (wanted, str(signal))
    assert state.result == (3 if isinstance(signal, SUCCESS) else signal)
