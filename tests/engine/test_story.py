"""Stories: why a task is in the state it is in, told exactly, and never an error."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flowbook import Flow, Task, signals, task, triggers
from flowbook.engine.story import Story, sentence
from flowbook.states import Cancelled, Failed, State, Success

MINUTE = dt.timedelta(minutes=1)


@task
def end_as(error: BaseException | None, x: object = None) -> None:
    if error is not None:
        raise error


def told(*errors: BaseException | None, **options: Any) -> Story:
    """Tell the story of a task that waits for tasks which end like this."""

    @task(name="last", **options)
    def last() -> None: ...

    with Flow("story") as flow:
        upstream = [end_as(error, task_args={"name": f"up{place}"}) for place, error in enumerate(errors)]
        made = last(upstream_tasks=upstream)
    flow.run(show=False, clock="fast")
    assert flow.last_run is not None
    return flow.last_run.story(made)


def of_body(error: BaseException | None, **options: Any) -> str:
    """Return the sentence about a task that ends like this."""
    with Flow("story") as flow:
        made = end_as(error, task_args=options)
    flow.run(show=False, clock="fast")
    assert flow.last_run is not None
    return flow.last_run.story(made).why


BROKEN = ValueError("no disk")
HERE = f"at test_story.py:{end_as.run.__code__.co_firstlineno + 3}"


@pytest.mark.parametrize(
    ("error", "options", "words"),
    [
        (None, {}, "Task run succeeded."),
        (BROKEN, {}, f"It failed {HERE}: ValueError: no disk."),
        (ValueError(), {}, f"It failed {HERE}: ValueError."),
        (ValueError("Really?"), {}, f"It failed {HERE}: ValueError: Really?"),
        (BROKEN, {"max_retries": 2, "retry_delay": MINUTE}, f"It failed after 3 attempts {HERE}: ValueError: no disk."),
        (signals.FAIL("by choice", result=3), {}, "It failed: by choice."),
        (signals.FAIL(result=3), {}, "It failed: no reason was given."),
        (signals.TRIGGERFAIL("by itself", result=3), {}, "It failed: by itself."),
        (signals.SKIP("not today"), {}, "It left itself out: not today."),
        (signals.SKIP(), {}, "It left itself out."),
        (signals.PAUSE("look"), {}, "It waits for a person. look."),
        (signals.ENDRUN(Cancelled("enough")), {}, "enough."),
        (signals.ENDRUN(Cancelled()), {}, "The run was cancelled."),
        (signals.ENDRUN(Success()), {}, "It is Success."),
    ],
)
def test_the_sentence_about_a_task_that_ran(error: BaseException | None, options: Any, words: str) -> None:
    assert of_body(error, **options) == words


SKIP = signals.SKIP("not today")


@pytest.mark.parametrize(
    ("errors", "options", "words"),
    [
        ([None, BROKEN], {}, "It did not run: its trigger all_successful saw up1 Failed (ValueError: no disk)."),
        ([BROKEN] * 5, {}, "up2 Failed (ValueError: no disk) and 2 more."),
        ([None, None], {"trigger": triggers.any_failed}, "its trigger any_failed saw up0 Success, up1 Success."),
        ([SKIP], {}, "It was left out because up0 Skipped."),
        (
            [SKIP],
            {"trigger": triggers.not_all_skipped, "skip_on_upstream_skip": False},
            "left out because up0 Skipped.",
        ),
        ([None], {"trigger": triggers.manual_only}, 'It waits for a person. Trigger is "manual_only"'),
        ([BROKEN], {"trigger": lambda states: False}, "its trigger <lambda> saw up0 Failed (ValueError: no disk)."),
        ([None], {"trigger": lambda states: 1 / 0}, "It did not run. Trigger <lambda> raised ZeroDivisionError"),
        ([], {"trigger": lambda states: False}, "It did not run. Trigger <lambda> answered False."),
    ],
)
def test_the_sentence_about_a_task_that_was_kept_from_running(errors: Any, options: Any, words: str) -> None:
    assert words in told(*errors, **options).why


def test_the_story_has_the_events_the_upstream_states_and_where_it_began() -> None:
    with Flow("long") as flow:
        first = end_as(BROKEN, task_args={"name": "first"})
        second = end_as(None, first)
        third = end_as(None, second)
    flow.run(show=False)
    assert flow.last_run is not None
    story = flow.last_run.story(third)
    assert (story.task, story.state, story.root_cause) == (flow.slugs[third], "TriggerFailed", flow.slugs[first])
    assert story.upstream == ((flow.slugs[second], "TriggerFailed"),)
    assert [event.state for event in story.events] == ["TriggerFailed"]
    text = str(story)
    assert text.splitlines()[0].startswith(f"{flow.slugs[third]} is TriggerFailed. It did not run")
    assert f"it began with: {flow.slugs[first]}" in text
    assert repr(story) == text


def test_where_all_is_well_nothing_began() -> None:
    assert told(None).root_cause == ""
    assert "began with" not in str(told(None))


@pytest.mark.parametrize(
    ("errors", "options", "cause"),
    [
        ([None, BROKEN], {}, "up1-1"),
        ([SKIP], {}, "up0-1"),
        ([None], {"trigger": triggers.any_failed}, "last-1"),
        ([signals.ENDRUN(Cancelled())], {}, "up0-1"),
        ([BROKEN], {"trigger": triggers.always_run}, ""),
    ],
)
def test_the_root_cause_is_the_first_whose_own_body_brought_it(errors: Any, options: Any, cause: str) -> None:
    assert told(*errors, **options).root_cause == cause


def test_a_raised_triggerfail_is_its_own_cause() -> None:
    with Flow("raised") as flow:
        first = end_as(BROKEN)
        made = end_as(signals.TRIGGERFAIL("mine"), first, task_args={"trigger": triggers.always_run})
    flow.run(show=False)
    assert flow.last_run is not None
    assert flow.last_run.story(made).root_cause == flow.slugs[made]


def test_waiting_is_told_while_it_lasts() -> None:
    seen: dict[str, str] = {}

    @task
    def look(x: object = None) -> None:
        assert flow.last_run is not None
        for one in flow.tasks:
            seen[one.name] = flow.last_run.story(one).why

    with Flow("live") as flow:
        made = look()
        ready = end_as(None, task_args={"name": "ready"})
        others = [end_as(None, made, task_args={"name": f"other {place}"}) for place in range(5)]
        end_as(None, ready, task_args={"name": "after"})
        end_as(None, others, task_args={"name": "many"})
    flow.run(show=False)
    assert seen["look"] == "Starting task run."
    assert seen["ready"] == "It is ready and waits for its turn."
    assert seen["other 1"] == "It waits for 'look'."
    assert seen["after"] == "It waits for 'ready'."


def test_a_retry_says_which_attempt_it_waits_for() -> None:
    seen: list[str] = []

    def handler(one: Task, old: State, new: State) -> None:
        if old.is_retrying():
            assert flow.last_run is not None
            seen.append(flow.last_run.story(one).why)

    for error, attempts, words in (
        (BROKEN, 2, "Attempt 1 of 3 failed (ValueError('no disk')); it waits for its next one."),
        (signals.RETRY(), 0, "It waits for attempt 2, which it asked for itself."),
    ):
        options: dict[str, Any] = {"max_retries": attempts, "retry_delay": MINUTE} if attempts else {}

        def body(error: BaseException = error) -> None:
            if not seen:
                raise error

        with Flow("retries") as flow:
            task(state_handlers=[handler], **options)(body)()
        seen.clear()
        flow.run(show=False, clock="fast")
        assert seen == [words]


def test_a_task_that_waits_for_its_time_says_so() -> None:
    from tests.engine.bare import Bare, chain

    flow, (only,) = chain(1)
    bare = Bare(flow, seeds={only: _scheduled()})

    class Runner:
        machine, plan = bare.machine, bare.plan

    assert sentence(Runner, 0) == "It waits for its time."  # type: ignore[arg-type]
    assert isinstance(bare[only], State)
    assert not isinstance(bare[only], Failed)


def _scheduled() -> State:
    from flowbook.states import Scheduled

    return Scheduled(start_time=dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc))


# ---------------------------------------------------------------- tasks of one name


def test_tasks_of_one_name_are_called_by_their_slugs() -> None:
    with Flow("twins") as flow:
        twins = [end_as(BROKEN), end_as(None)]
        last = end_as(None, upstream_tasks=twins, task_args={"name": "last"})
        after = end_as(None, upstream_tasks=[last])
    flow.run(show=False)
    assert flow.last_run is not None
    assert "saw end_as-1 Failed (ValueError: no disk)" in flow.last_run.story(last).why
    assert "saw last TriggerFailed" in flow.last_run.story(after).why


def test_a_task_that_waits_for_tasks_of_one_name_tells_which() -> None:
    with Flow("twins") as flow:
        twins = [end_as(signals.PAUSE("look")), end_as(None)]
        last = end_as(None, upstream_tasks=twins)
    flow.run(show=False)
    assert flow.last_run is not None
    assert flow.last_run.story(last).why == "It waits for 'end_as-1'."
