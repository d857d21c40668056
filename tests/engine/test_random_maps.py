from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook.states import Mapped
from tests.engine.random_maps import COUNT, endings, random_flow, run_in_random_order


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 1_000_000))
def test_how_a_flow_with_maps_ends_does_not_depend_on_the_order(seed: int, chance: int) -> None:
    flow = random_flow(seed)
    first_come = run_in_random_order(flow, Random(0), lambda _, __: 0)
    last_come = run_in_random_order(flow, Random(0), lambda _, count: count - 1)
    assert first_come == last_come == run_in_random_order(flow, Random(chance))


def test_a_run_agrees_with_the_machine_driven_by_hand() -> None:
    for seed in range(COUNT):
        flow = random_flow(seed)
        state = flow.run(show=False, clock="fast")
        assert endings(flow, state.result) == run_in_random_order(flow, Random(seed)), f"seed {seed}"


def test_random_flows_reach_what_they_are_for() -> None:
    seen: set[str] = set()
    widths: set[int] = set()
    for seed in range(60):
        flow = random_flow(seed)
        state = flow.run(show=False, clock="fast")
        for ended in state.result.values():
            seen.add(type(ended).__name__)
            if isinstance(ended, Mapped):
                widths.add(ended.n_map_states)
                seen.update(f"child {type(child).__name__}" for child in ended.map_states)
    assert {"Success", "Failed", "Skipped", "TriggerFailed", "Mapped"} <= seen
    assert {"child Success", "child Failed", "child Skipped", "child TriggerFailed"} <= seen
    assert {0, 1, 2, 3, 4, 5} <= widths
