"""Triggers: given the states upstream, may this task run?

A trigger is any callable that takes a dict of `Edge` to `State` and returns a bool; it may raise a signal instead.
The built-in ones also have a `judge`, which answers with a `Verdict`: passed or not, the sentence that says why, and
the edges that decided. That is what makes "why did this task end like this?" an exact answer.

States are counted once each: a task bound through two edges is one upstream state. Where a task takes the results of
all children of a mapped task, the state of each child counts, and that of their parent does not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.contexts import context
from flowbook.errors import shown
from flowbook.states import Failed, Finished, Mapped, Paused, Skipped, State, Success, TriggerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from flowbook.edges import Edge

__all__ = [
    "Trigger",
    "Verdict",
    "all_failed",
    "all_finished",
    "all_successful",
    "always_run",
    "any_failed",
    "any_successful",
    "expanded",
    "judge",
    "manual_only",
    "not_all_skipped",
    "resource_is_set_up",
    "some_failed",
    "some_successful",
]


@dataclass(frozen=True)
class Verdict:
    """What a trigger answers.

    Attributes:
        passed: the task may run.
        state: the state the task run gets when it may not.
        reason: the sentence that decided.
        decided_by: the edges whose states decided.

    """

    passed: bool
    reason: str
    state: State | None = None
    decided_by: tuple[Edge, ...] = field(default=())


class Trigger:
    """A built-in trigger: a name, a rule, and the words for when it does not pass."""

    def __init__(
        self, name: str, rule: Callable[[Mapping[Edge, State]], Verdict], doc: str, *, made_by: Any = None
    ) -> None:
        self.__name__ = name
        self.__qualname__ = name
        self.__doc__ = doc
        self._rule = rule
        self._made_by = made_by

    def judge(self, upstream_states: Mapping[Edge, State]) -> Verdict:
        """Answer with the reason; with nothing upstream every trigger but `manual_only` passes."""
        return self._rule(upstream_states)

    def __call__(self, upstream_states: Mapping[Edge, State]) -> bool:
        """Return True, or raise the signal of the state in which the task run ends."""
        verdict = self.judge(upstream_states)
        if verdict.passed:
            return True
        state = verdict.state or _refused(verdict.reason)
        raise signals.signal_from_state(state)

    def __reduce__(self) -> Any:
        return self._made_by or self.__name__

    def __repr__(self) -> str:
        return f"<trigger {self.__name__}>"


def judge(trigger: Callable[[dict[Edge, State]], Any], upstream_states: dict[Edge, State]) -> Verdict:
    """Ask any trigger, built in or not, and answer with a verdict; never raises what the trigger raises.

    Args:
        trigger: a callable of a dict of edges to states.
        upstream_states: the final states upstream.

    Returns:
        The verdict. A custom trigger that answers False or raises ends in `TriggerFailed`; a signal gives its state.

    """
    if isinstance(trigger, Trigger):
        return trigger.judge(upstream_states)
    name = getattr(trigger, "__name__", type(trigger).__name__)
    everyone = tuple(upstream_states)
    try:
        passed = bool(trigger(upstream_states))
    except signals.FlowbookSignal as signal:
        state = signal.state
        return Verdict(
            passed=False,
            reason=state.message or f"Trigger {name} raised {shown(signal)}.",
            state=state,
            decided_by=everyone,
        )
    except Exception as error:  # noqa: BLE001 - a user's trigger may raise anything; the run must end in a state
        reason = f"Trigger {name} raised {shown(error)}."
        state = TriggerFailed(f"Unexpected error while checking task trigger: {shown(error)}", result=error)
        return Verdict(passed=False, reason=reason, state=state, decided_by=everyone)
    if passed:
        return Verdict(passed=True, reason=f"Trigger {name} answered True.", decided_by=everyone)
    return Verdict(
        passed=False,
        reason=f"Trigger {name} answered False.",
        state=TriggerFailed("Trigger failed"),
        decided_by=everyone,
    )


def expanded(states: Mapping[Edge, State]) -> list[tuple[Edge, Collection[State]]]:
    """Return for each edge the states that count: those of the children, where all of them come together.

    An edge that is not mapped hands over the results of all children of a mapped task; one that is mapped, or leads
    from any other task, has one state. A task mapped over nothing has no children: it counts itself, as a success.

    Args:
        states: the final states upstream, by edge.

    """
    return [(edge, counted(edge, state)) for edge, state in states.items()]


def counted(edge: Edge, state: State) -> Collection[State]:
    """Return the states that count for one edge; see `expanded`."""
    if edge.mapped or not isinstance(state, Mapped):
        return (state,)
    children: Any = state.map_states
    if type(None) in set(map(type, children)):
        children = [child for child in children if child is not None]
    return children or (state,)


# What rules ask of a state depends on its class alone, so the states of 100,000 children are looked at as the one or
# two classes they have.


def _failed(kind: type[State]) -> bool:
    return issubclass(kind, Failed)


def _successful(kind: type[State]) -> bool:
    return issubclass(kind, Success)


def _finished(kind: type[State]) -> bool:
    return issubclass(kind, Finished)


def _kinds(states: Mapping[Edge, State]) -> list[tuple[Edge, set[type[State]]]]:
    return [(edge, set(map(type, counting))) for edge, counting in expanded(states)]


def _edges(kinds: list[tuple[Edge, set[type[State]]]], wanted: Callable[[type[State]], bool]) -> tuple[Edge, ...]:
    return tuple(edge for edge, found in kinds if any(map(wanted, found)))


def _refused(reason: str) -> State:
    return signals.TRIGGERFAIL(reason).state


def _every(
    name: str, wanted: Callable[[type[State]], bool], otherwise: str
) -> Callable[[Mapping[Edge, State]], Verdict]:
    def rule(states: Mapping[Edge, State]) -> Verdict:
        against = _edges(_kinds(states), lambda kind: not wanted(kind))
        if not against:
            return Verdict(passed=True, reason=f'Trigger "{name}" passed.', decided_by=tuple(states))
        reason = f'Trigger was "{name}" but {otherwise}.'
        return Verdict(passed=False, reason=reason, state=_refused(reason), decided_by=against)

    return rule


def _any(name: str, wanted: Callable[[type[State]], bool], otherwise: str) -> Callable[[Mapping[Edge, State]], Verdict]:
    def rule(states: Mapping[Edge, State]) -> Verdict:
        kinds = _kinds(states)
        in_favour = _edges(kinds, wanted)
        if in_favour or not states:
            return Verdict(passed=True, reason=f'Trigger "{name}" passed.', decided_by=in_favour)
        reason = f'Trigger was "{name}" but {otherwise}.'
        return Verdict(passed=False, reason=reason, state=_refused(reason), decided_by=tuple(states))

    return rule


def _manual(states: Mapping[Edge, State]) -> Verdict:
    if context.get("resume"):
        return Verdict(passed=True, reason='Trigger "manual_only" passed: a person let the task go on.', decided_by=())
    reason = 'Trigger is "manual_only": the task waits for a person.'
    return Verdict(passed=False, reason=reason, state=Paused(reason), decided_by=tuple(states))


def _not_all_skipped(states: Mapping[Edge, State]) -> Verdict:
    if states and all(issubclass(kind, Skipped) for _, found in _kinds(states) for kind in found):
        reason = 'Trigger was "not_all_skipped" but all of the upstream tasks were skipped.'
        return Verdict(passed=False, reason=reason, state=Skipped(reason), decided_by=tuple(states))
    return _every("not_all_skipped", _successful, "some of the upstream tasks failed")(states)


def _set_up(states: Mapping[Edge, State]) -> Verdict:
    missing = tuple(
        edge
        for edge, found in _kinds(states)
        if edge.key is not None and not all(_successful(kind) and not issubclass(kind, Skipped) for kind in found)
    )
    if missing:
        reason = 'Trigger was "resource_is_set_up" but the resource was not set up, so nothing is left to clean up.'
        return Verdict(passed=False, reason=reason, state=Skipped(reason), decided_by=missing)
    return _every("resource_is_set_up", _finished, "some of the upstream tasks were not finished")(states)


def _some(
    name: str,
    wanted: Callable[[type[State]], bool],
    at_least: float | None,
    at_most: float | None,
) -> Callable[[Mapping[Edge, State]], Verdict]:
    _check_bounds(name, at_least=at_least, at_most=at_most)

    def rule(states: Mapping[Edge, State]) -> Verdict:
        counting = expanded(states)
        # states are hashed by identity: a set holds each moment once, however equal two of them are
        kinds = Counter(map(type, set(chain.from_iterable(found for _, found in counting))))
        total, count = sum(kinds.values()), sum(number for kind, number in kinds.items() if wanted(kind))
        low, high = (
            None if bound is None else bound * total if 0 < bound < 1 else bound for bound in (at_least, at_most)
        )
        passed = not states or ((low is None or count >= low) and (high is None or count <= high))
        if passed:
            return Verdict(
                passed=True,
                reason=f'Trigger "{name}" passed with {count} of {total}.',
                decided_by=_edges(_kinds(states), wanted),
            )
        reason = (
            f'Trigger was "{name}" but thresholds were not met: '
            f"{count} of {total}, at least {at_least}, at most {at_most}."
        )
        return Verdict(passed=False, reason=reason, state=_refused(reason), decided_by=tuple(states))

    return rule


def _check_bounds(name: str, **bounds: object) -> None:
    for bound, value in bounds.items():
        if value is None:
            continue
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and value >= 0):  # type: ignore[operator]  # a number by then
            kind = ValueError if is_number else TypeError
            raise kind(
                f"{name}({bound}={shown(value)}): a bound is a number of states, or a fraction of them below 1, "
                f"for instance {bound}=2 or {bound}=0.5."
            )


def some_failed(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Return a trigger that passes when the number of failed upstream states lies within inclusive bounds.

    Args:
        at_least: a number of states, or a fraction of them when below 1.
        at_most: likewise.

    Raises:
        ValueError: a negative bound.
        TypeError: a bound that is no number.

    >>> some_failed(at_least=1)({})
    True

    """
    doc = f"Pass when between {at_least} and {at_most} upstream tasks failed."
    return Trigger(
        "some_failed",
        _some("some_failed", _failed, at_least, at_most),
        doc,
        made_by=(some_failed, (at_least, at_most)),
    )


def some_successful(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Return a trigger that passes when the number of successful upstream states lies within inclusive bounds.

    Args:
        at_least: a number of states, or a fraction of them when below 1.
        at_most: likewise.

    Raises:
        ValueError: a negative bound.
        TypeError: a bound that is no number.

    >>> some_successful(at_most=2)({})
    True

    """
    doc = f"Pass when between {at_least} and {at_most} upstream tasks succeeded."
    rule = _some("some_successful", _successful, at_least, at_most)
    return Trigger("some_successful", rule, doc, made_by=(some_successful, (at_least, at_most)))


all_successful = Trigger(
    "all_successful",
    _every("all_successful", _successful, "some of the upstream tasks failed"),
    "Pass when all upstream tasks succeeded; skipped, cached and mapped ones did. The default.",
)
all_failed = Trigger(
    "all_failed",
    _every("all_failed", _failed, "some of the upstream tasks succeeded"),
    "Pass when all upstream tasks failed.",
)
any_successful = Trigger(
    "any_successful",
    _any("any_successful", _successful, "none of the upstream tasks succeeded"),
    "Pass when at least one upstream task succeeded.",
)
any_failed = Trigger(
    "any_failed",
    _any("any_failed", _failed, "none of the upstream tasks failed"),
    "Pass when at least one upstream task failed.",
)
all_finished = Trigger(
    "all_finished",
    _every("all_finished", _finished, "some of the upstream tasks were not finished"),
    "Pass when all upstream tasks ended, however they did.",
)
always_run = all_finished
manual_only = Trigger("manual_only", _manual, "Pass only when a person lets the task go on.")
not_all_skipped = Trigger(
    "not_all_skipped",
    _not_all_skipped,
    "Pass when all upstream tasks succeeded and not all of them were skipped.",
)
resource_is_set_up = Trigger(
    "resource_is_set_up",
    _set_up,
    "Pass when what the task takes was made, however the others it waits for ended; otherwise it is skipped.",
)
