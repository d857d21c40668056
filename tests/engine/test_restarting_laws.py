"""The law of restarting: a run that failed and was resumed ends like one in which nothing had failed."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowbook import Flow, Task, context, signals, triggers
from flowbook.states import Failed, Mapped, State

TRIGGERS = [triggers.all_successful, triggers.all_finished, triggers.any_failed, triggers.any_successful]


class Body(Task):
    """Return what it was given, three times; break or skip when it is told to."""

    broken: set[tuple[str, int | None]]

    def run(self, **inputs: Any) -> list[str]:
        me = (self.name, context.get("map_index"))
        if me in self.broken:
            raise ValueError(f"{me} is broken")
        if "skips" in self.tags:
            raise signals.SKIP("always")
        text = f"{self.name}({', '.join(f'{key}={_words(value)}' for key, value in sorted(inputs.items()))})"
        return [text[-200:]] * 3


def _words(value: Any) -> str:
    return "an error" if isinstance(value, BaseException) else str(value)[:100]


Node = tuple[list[tuple[int, bool]], int, bool, bool]

NODES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=3),  # upstream, and whether it is mapped over
        st.integers(0, len(TRIGGERS) - 1),
        st.sampled_from([False, False, False, True]),  # skips
        st.booleans(),  # skipped when upstream is
    ),
    min_size=1,
    max_size=9,
)
BROKEN = st.sets(st.tuples(st.integers(0, 8), st.sampled_from([None, 0, 1, 2])), max_size=6)


def built(nodes: list[Node], broken: set[tuple[str, int | None]]) -> Flow:
    """Return a flow of such nodes; the upstream of each is among those before it."""
    flow = Flow("random")
    made: list[Task] = []
    for number, (upstream, trigger, skips, is_skipped) in enumerate(nodes):
        task = Body(
            f"t{number}",
            trigger=TRIGGERS[trigger],
            tags=["skips"] if skips else [],
            skip_on_upstream_skip=is_skipped,
        )
        task.broken = broken
        flow.add_task(task)
        for key, (before, is_mapped) in enumerate(upstream):
            if made:
                flow.add_edge(made[before % len(made)], task, f"x{key}", mapped=is_mapped)
        made.append(task)
    flow.set_reference_tasks(made)  # so that each failure makes a run that can be resumed
    return flow


def told(state: State) -> Any:
    """Return all that counts of a state."""
    result = repr(state.result) if isinstance(state, Failed) else state.result
    inside = [told(child) for child in state.map_states if child is not None] if isinstance(state, Mapped) else []
    return type(state).__name__, str(result), inside


def ends(flow: Flow, state: State) -> dict[str, Any]:
    return {"flow": type(state).__name__, **{flow.slugs[task]: told(end) for task, end in state.result.items()}}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NODES, BROKEN, st.sampled_from(["local", "threads"]))
def test_a_resumed_run_ends_as_if_nothing_had_failed(
    nodes: list[Node], broken: set[tuple[int, int | None]], executor: str
) -> None:
    breaks = {(f"t{number}", index) for number, index in broken}
    flow = built(nodes, breaks)
    first = flow.run(show=False, executor=executor)
    assert flow.last_run is not None
    flow.last_run.runner.machine.check()
    breaks.clear()
    resumed = flow.last_run.resume()
    state = resumed.wait(20)
    resumed.runner.machine.check()
    fresh = flow.run(show=False)
    if first.is_successful():
        assert state is first
    else:
        assert ends(flow, state) == ends(flow, fresh)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NODES, st.integers(0, 8))
def test_a_part_of_a_run_ends_as_it_does_in_the_whole(nodes: list[Node], place: int) -> None:
    flow = built(nodes, {("t0", None)})
    whole = flow.run(show=False)
    task = flow.get_tasks()[place % len(flow)]
    for part in (flow.run(show=False, until=task), flow.run(show=False, start_at=task, state=whole)):
        assert flow.last_run is not None
        flow.last_run.runner.machine.check()
        assert told(part.result[task]) == told(whole.result[task])
        for one, end in part.result.items():
            assert not end.is_finished() or told(end) == told(whole.result[one])
