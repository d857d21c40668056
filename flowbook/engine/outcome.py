"""The outcome: the state of a flow, from the states of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.errors import shown
from flowbook.states import Cancelled, Failed, Finished, Mapped, Paused, Pending, Running, State, Success, TaskStates

if TYPE_CHECKING:
    from flowbook.engine.machine import Machine

__all__ = ["NOT_RUN", "PENDING", "outcome_of"]

# Shared by all task runs that say nothing of their own: a state is a value.
PENDING = Pending("Waits for its turn.")
NOT_RUN = Pending("Task not run.")


def outcome_of(machine: Machine) -> State:
    """Return the state of the flow which the states of its tasks lead to."""
    plan = machine.plan
    states = (
        [NOT_RUN if state is PENDING else state for state in machine.states] if machine.unfinished else machine.states
    )
    result = TaskStates(zip(plan.tasks, states[: machine.static], strict=True))
    if machine.cancelled is not None:
        return Cancelled(machine.cancelled, result=result)
    # a flow may have as many terminal tasks as tasks: look at each once, then at the few kinds of states they have
    if not all(issubclass(kind, Finished) for kind in {type(states[task]) for task in plan.terminal}):
        paused = [plan.name(number) for number, state in enumerate(states) if isinstance(state, Paused)]
        names = ", ".join(shown(name, 40) for name in paused[:5])
        return Running(
            f"Waits for a person to resume {names}." if paused else "Some tasks have not ended.",
            result=result,
        )
    decisive = {type(states[task]) for task in plan.reference}
    if Mapped in decisive:  # a mapped task ends well whatever becomes of its children: they decide
        mapped = [state.map_states for task in plan.reference if isinstance(state := states[task], Mapped)]
        decisive.update(*(map(type, children) for children in mapped))
    if any(issubclass(kind, Failed) for kind in decisive):
        return Failed("Some reference tasks failed.", result=result)
    if all(issubclass(kind, Success) for kind in decisive):
        return Success("All reference tasks succeeded.", result=result)
    return Success("No reference tasks failed.", result=result)
