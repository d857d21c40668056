"""States by themselves: kinds, questions, equality, repr."""

from flowbook.engine import state as states
from flowbook.engine.result import Result
from flowbook.engine.state import (
    Cached,
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    Success,
    TimedOut,
    TriggerFailed,
)

good = Success(message="fine", result=5)
assert good.is_finished() and good.is_successful() and not good.is_failed()
assert good.result == 5
assert good == Success(result=5)
assert repr(good) == '<Success: "fine">'
assert repr(Success()) == "<Success>"

for kind in (Cached, Mapped, Skipped):
    assert kind().is_successful()
for kind in (TimedOut, TriggerFailed):
    assert kind().is_failed() and isinstance(kind(), Failed)
for kind in (Scheduled, Retrying, Paused):
    assert kind().is_pending() and kind().is_scheduled()
assert Skipped().is_skipped() and Running().is_running() and Pending().is_pending()
assert Cancelled().is_finished() and not Cancelled().is_failed() and not Cancelled().is_successful()
assert states.Success.color == "#28a745"
assert Success(result=Result(value=3)).result == 3
