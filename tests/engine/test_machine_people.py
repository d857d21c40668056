"""What people ask of a run, and what a run before it left behind, as lists of stimuli."""

from __future__ import annotations

from flowbook import Flow, signals, triggers
from flowbook.engine import messages as m
from flowbook.engine.ends import failure
from flowbook.engine.outcome import NOT_RUN
from flowbook.states import Cancelled, Failed, Paused, Resume, Retrying, Running, Scheduled, Submitted, Success
from tests.engine.bare import Bare, chain, moment, plain

# -- pausing tasks ---------------------------------------------------------------------------------------------------


def test_a_paused_task_parks_the_run_until_a_person_resumes_it() -> None:
    flow, (only, after) = chain(2)
    bare = Bare(flow)
    bare.fail(only, signals.PAUSE("look at this"))
    assert bare.machine.is_parked
    assert not bare.machine.is_done
    outcome = bare.machine.outcome()
    assert type(outcome) is Running
    assert "step" in (outcome.message or "")
    assert outcome.result[after] is NOT_RUN
    bare.ask(m.ResumeAsked(1.0))
    assert bare.ready == [only]
    assert 0 in bare.machine.resumed
    bare.give(only)
    assert bare.moves(only) == ["Running", "Paused", "Resume", "Running", "Success"]


def test_a_pause_with_a_time_ends_by_itself_or_by_a_person() -> None:
    for by_person in (True, False):
        flow, (only,) = chain(1)
        bare = Bare(flow)
        bare.fail(only, signals.PAUSE(start_time=moment(30.0)))
        assert bare.asked() == [m.StartTimer(0, 30.0)]
        assert not bare.machine.is_parked
        bare.at = 30.0
        bare.ask(m.ResumeAsked(30.0)) if by_person else bare.ring(only)
        assert bare.ready == [only]
        bare.ring(only)  # the timer of a pause that a person has ended
        assert bare.ready == [only]


def test_resume_of_one_task_leaves_the_others_and_a_held_run_alone() -> None:
    with Flow("two") as flow:
        one, other = plain(), plain()
    bare = Bare(flow)
    bare.fail(one, signals.PAUSE())
    bare.fail(other, signals.PAUSE())
    bare.ask(m.PauseAsked(1.0))
    bare.ask(m.ResumeAsked(2.0, task=1))
    assert bare.ready == [other]
    assert isinstance(bare[one], Paused)
    assert bare.machine.held


def test_manual_only_waits_for_a_person_and_then_runs() -> None:
    flow, (up, last) = chain(2, trigger=triggers.manual_only)
    bare = Bare(flow)
    bare.give(up)
    assert isinstance(bare[last], Paused)
    bare.ask(m.ResumeAsked(1.0, task=1))
    assert bare.ready == [last]
    assert bare.moves(last) == ["Paused", "Resume"]


def test_manual_only_runs_at_once_when_it_was_let_go_on_before() -> None:
    flow, (up, last) = chain(2, trigger=triggers.manual_only)
    bare = Bare(flow, resumed=[last])
    bare.give(up)
    assert bare.ready == [last]


def test_a_second_pause_of_a_resumed_task_pauses_again() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow)
    for _ in range(3):
        bare.fail(only, signals.PAUSE())
        bare.ask(m.ResumeAsked(1.0))
    assert bare.ready == [only]


# -- holding the run -------------------------------------------------------------------------------------------------


def test_a_held_run_starts_nothing_and_a_step_starts_one() -> None:
    with Flow("three") as flow:
        first, second, third = plain(), plain(), plain()
    bare = Bare(flow)
    bare.ask(m.PauseAsked(1.0))
    assert not bare.machine.may_start
    bare.ask(m.StepAsked(2.0))
    bare.give(first)
    assert not bare.machine.may_start
    bare.ask(m.StepAsked(3.0))
    bare.ask(m.StepAsked(4.0))
    bare.give(second)
    bare.give(third)
    assert bare.machine.is_done


def test_a_step_on_a_running_run_holds_it_after_one_task() -> None:
    with Flow("two") as flow:
        first, _ = plain(), plain()
    bare = Bare(flow)
    bare.ask(m.StepAsked(1.0))
    bare.give(first)
    assert not bare.machine.may_start
    bare.ask(m.ResumeAsked(2.0))
    assert bare.machine.may_start


def test_pausing_twice_is_pausing_once_and_takes_back_steps() -> None:
    with Flow("two") as flow:
        plain(), plain()
    bare = Bare(flow)
    bare.ask(m.StepAsked(1.0))
    bare.ask(m.PauseAsked(2.0))
    bare.ask(m.PauseAsked(3.0))
    assert not bare.machine.may_start
    assert [what.text for _, _, what in bare.machine.log.rows() if hasattr(what, "text")] == ["step"]


def test_what_runs_while_the_run_is_held_goes_on_to_its_end() -> None:
    flow, (first, second) = chain(2)
    bare = Bare(flow)
    bare.start(first)
    bare.ask(m.PauseAsked(1.0))
    bare.ask(m.Returned(0, 1, 2.0))
    assert bare[first].is_successful()
    assert bare.ready == [second]
    assert not bare.machine.may_start


# -- seeds -----------------------------------------------------------------------------------------------------------


def test_a_finished_seed_is_kept_as_it_is_and_its_body_does_not_run() -> None:
    flow, (first, second, third) = chain(3)
    seed = Success("from before", result=7)
    bare = Bare(flow, seeds={second: seed})
    assert bare[second] is seed
    bare.give(first)
    assert bare.ready == [third]
    bare.give(third)
    assert bare.machine.is_done


def test_a_seed_whose_upstream_ends_plainly_is_looked_at_and_not_run() -> None:
    flow, (first, second) = chain(2)
    bare = Bare(flow, seeds={second: Failed("kept")})
    bare.give(first)
    assert bare.ready == []
    assert bare.machine.is_done
    assert bare.machine.outcome().is_failed()


def test_a_waiting_seed_goes_on_waiting_when_its_turn_has_come() -> None:
    flow, (first, second) = chain(2)
    bare = Bare(flow, seeds={second: Retrying(start_time=moment(50.0), run_count=3)})
    bare.give(first)
    assert bare.asked() == [m.StartTimer(1, 50.0)]
    bare.at = 50.0
    bare.ring(second)
    assert bare.ready == [second]
    assert bare.machine.run_count(1) == 4


def test_a_scheduled_seed_asks_its_trigger_before_it_waits() -> None:
    flow, (first, second) = chain(2)
    bare = Bare(flow, seeds={second: Scheduled(start_time=moment(50.0))})
    bare.fail(first, ValueError("no"))
    assert type(bare[second]).__name__ == "TriggerFailed"


def test_a_scheduled_seed_runs_when_its_time_has_come() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow, seeds={only: Submitted(state=Scheduled(start_time=moment(50.0)))})
    assert isinstance(bare[only], Scheduled)
    bare.at = 50.0
    bare.ring(only)
    assert bare.ready == [only]


def test_a_resume_seed_lets_a_manual_task_go_on() -> None:
    flow, (first, second) = chain(2, trigger=triggers.manual_only)
    bare = Bare(flow, seeds={second: Resume()})
    bare.give(first)
    assert bare.ready == [second]


def test_a_paused_seed_stays_paused() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow, seeds={only: Paused("since yesterday")})
    assert bare.machine.is_parked
    bare.ask(m.ResumeAsked(1.0))
    assert bare.ready == [only]


def test_a_looped_seed_goes_on_with_its_loop_when_its_turn_has_come() -> None:
    flow, (first, second) = chain(2)
    bare = Bare(flow, seeds={second: failure(signals.LOOP(result="kept", loop_count=4))})
    assert bare.ready == [first]
    bare.give(first)
    assert bare.machine.loops[1] == (5, "kept")
    assert bare.ready == [second]


def test_a_cancelled_seed_is_neither_success_nor_failure() -> None:
    flow, (only,) = chain(1)
    bare = Bare(flow, seeds={only: Cancelled("before")})
    assert bare.machine.is_done
    assert bare.machine.outcome() == Success("No reference tasks failed.", result={only: Cancelled()})
