"""The Dask executor: where values are, who decides, mapping, and what bodies may do to it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from distributed import Client

from flowbook import Flow, Parameter, context, flatten, signals, task, triggers, unmapped
from flowbook.caching import all_inputs
from flowbook.engine.lazy import LazyMapped, LazySuccess, held_by
from flowbook.redaction import redact
from flowbook.results import LocalResult
from flowbook.states import Cached, Failed, Mapped, Skipped, State, Success, TriggerFailed
from flowbook.tasks.secrets import SecretBase
from tests.engine.clusters import add, numbers, one, run, whoami
from tests.engine.random_maps import COUNT, endings, random_flow, run_in_random_order

HERE = os.getpid()


# ---------------------------------------------------------------- values stay where they are


def test_a_chain_ends_well_and_values_come_when_they_are_looked_at(dask_threads: Client) -> None:
    with Flow("chain") as flow:
        first = one()
        second = add(first, y=10)
        third = add(second, y=first)
    made = run(flow, dask_threads)
    assert made.state.is_successful()
    assert [type(made[part]) for part in (first, second, third)] == [LazySuccess] * 3
    assert made[third].result == 12
    assert type(made[third]) is Success
    assert type(made[second]) is LazySuccess


def test_bodies_run_in_the_worker_processes(dask_processes: Client) -> None:
    with Flow("elsewhere") as flow:
        found = whoami()
    assert run(flow, dask_processes)[found].result not in {HERE, 0}


class Marked:
    """Remembers in which processes it was unpickled."""

    def __init__(self) -> None:
        self.seen: list[int] = [os.getpid()]
        self.load = bytearray(1000)

    def __setstate__(self, values: dict[str, Any]) -> None:
        vars(self).update(values)
        self.seen = [*self.seen, os.getpid()]


def test_a_value_that_goes_from_task_to_task_never_comes_here(dask_processes: Client) -> None:
    @task
    def make() -> Any:
        return Marked()

    @task
    def look(marked: Any, wait: Any) -> list[int]:
        return list(marked.seen)

    with Flow("stays") as flow:
        made = make()
        pids = whoami()
        seen = look(made, pids)
    done = run(flow, dask_processes)
    assert HERE not in done[seen].result
    assert done[made].result.seen[-1] == HERE, "and comes when somebody looks at it"


def test_the_handle_of_a_value_says_what_it_is(dask_threads: Client) -> None:
    with Flow("words") as flow:
        listed = numbers(count=3)
    held = held_by(run(flow, dask_threads)[listed])
    assert repr(held).startswith("<list, ")
    assert held is not None
    assert held.preview() == "3 items"  # type: ignore[attr-defined]
    assert "on the Dask workers, from task 'numbers-1'" in repr(held)


def test_a_trigger_of_a_user_sees_values(dask_threads: Client) -> None:
    def is_small(upstream: dict[Any, State]) -> bool:
        return all(state.result < 5 for state in upstream.values())

    @task(trigger=is_small)
    def after(x: int) -> int:
        return x

    with Flow("looks") as flow:
        first = one()
        small = after(first)
        large = after(add(first, y=10))
    made = run(flow, dask_threads)
    assert made[small].result == 1
    assert isinstance(made[large], TriggerFailed)


def test_a_state_handler_sees_values(dask_threads: Client) -> None:
    seen = []

    def handler(_: Any, __: State, new: State) -> State:
        seen.append((type(new).__name__, new.result))
        return new

    @task(state_handlers=[handler])
    def watched(x: int) -> int:
        return x + 1

    with Flow("handled") as flow:
        after = watched(one())
    assert run(flow, dask_threads)[after].result == 2
    assert seen == [("Running", None), ("Success", 2)]


# ---------------------------------------------------------------- the engine decides


def test_retries_are_the_engines(dask_threads: Client, tmp_path: Path) -> None:
    log = tmp_path / "attempts"

    @task(max_retries=2, retry_delay=timedelta(hours=1))
    def flaky() -> int:
        with log.open("a") as file:
            file.write(f"{context.task_run_count}\n")
        if context.task_run_count < 3:
            raise ValueError(context.task_run_count)
        return context.task_run_count  # type: ignore[no-any-return]

    with Flow("retried") as flow:
        tried = flaky()
    made = run(flow, dask_threads, clock="fast")
    assert made[tried].result == 3
    assert log.read_text() == "1\n2\n3\n"
    states = [event.state for event in made.events if event.task == "flaky-1"]
    assert states == ["Running", "Failed", "Retrying", "Running", "Failed", "Retrying", "Running", "Success"]


def test_a_failure_brings_its_exception_and_what_follows_is_as_everywhere(dask_threads: Client) -> None:
    @task
    def fail(x: int) -> None:
        raise ZeroDivisionError(x)

    @task(trigger=triggers.any_failed)
    def repair(error: Any) -> str:
        return repr(error)

    with Flow("fails") as flow:
        failed = fail(one())
        after = add(failed)
        repaired = repair(failed)
        flow.set_reference_tasks([repaired])
    made = run(flow, dask_threads)
    assert made.state.is_successful()
    assert isinstance(made[failed].result, ZeroDivisionError)
    assert isinstance(made[after], TriggerFailed)
    assert made[repaired].result == "ZeroDivisionError(1)"


def test_signals_and_loops(dask_threads: Client) -> None:
    @task
    def skip() -> None:
        raise signals.SKIP("not today")

    @task
    def count() -> int:
        so_far = int(context.get("task_loop_result", 0))
        if so_far < 3:
            raise signals.LOOP(result=so_far + 1)
        return so_far

    with Flow("signals") as flow:
        skipped = skip()
        after = add(skipped)
        counted = count()
    made = run(flow, dask_threads)
    assert isinstance(made[skipped], Skipped)
    assert isinstance(made[after], Skipped)
    assert made[counted].result == 3


def test_a_body_finds_its_run_in_the_context(dask_threads: Client) -> None:
    @task(tags={"blue"})
    def ask() -> dict[str, Any]:
        keys = ("flow_name", "task_name", "task_slug", "task_run_id", "parameters", "flow_run_id", "today", "country")
        return {key: context[key] for key in keys}

    with Flow("asks") as flow:
        asked = ask(upstream_tasks=[Parameter("month", default=3)])
    made = run(flow, dask_threads, month=4, context={"country": "NL"})
    found = made[asked].result
    assert found["flow_name"] == "asks"
    assert found["task_slug"] == "ask-blue-1"
    assert found["parameters"] == {"month": 4}
    assert found["task_run_id"] == f"{made.id}:ask-blue-1"
    assert found["country"] == "NL"
    assert made[asked].context == {"tags": ["blue"]}


# ---------------------------------------------------------------- mapping


def test_mapped_children_pass_values_on_among_themselves(dask_processes: Client) -> None:
    @task
    def double(x: int) -> int:
        return x * 2

    @task
    def total(xs: list[int]) -> int:
        return sum(xs)

    with Flow("mapped") as flow:
        listed = numbers(count=200)
        doubled = double.map(listed)
        added = add.map(doubled, y=unmapped(one()))
        result = total(added)
    made = run(flow, dask_processes)
    assert type(made[listed]) is LazySuccess, "to know how many they are, they are not fetched"
    assert made[result].result == 2 * sum(range(200)) + 200
    assert isinstance(made[added], LazyMapped)
    assert made[added].result == [2 * x + 1 for x in range(200)]
    assert type(made[added]) is Mapped
    assert all(type(state) is Success for state in made[added].map_states)  # type: ignore[attr-defined]


def test_one_failing_element_fails_alone_and_is_retried_alone(dask_threads: Client) -> None:
    @task(max_retries=1, retry_delay=timedelta(minutes=1))
    def check(x: int) -> int:
        if x == 7 and context.task_run_count == 1:
            raise ValueError(x)
        if x == 13:
            raise SystemExit("leave")
        return x

    with Flow("one of many") as flow:
        checked = check.map(numbers(count=20))
    made = run(flow, dask_threads, clock="fast")
    states = made[checked].map_states  # type: ignore[attr-defined]
    assert [index for index, state in enumerate(states) if state.is_failed()] == [13]
    assert states[7].result == 7
    assert isinstance(states[13].result, SystemExit)
    retried = {event.task for event in made.events if event.state == "Retrying"}
    assert retried == {"check-1[7]", "check-1[13]"}


def test_children_of_a_chunk_know_their_place(dask_threads: Client) -> None:
    @task
    def place(x: str) -> Any:
        return x, context.map_index, context.task_full_name, context.task_slug, context.task_run_id

    with Flow("places") as flow:
        placed = place.map(["a", "b", "c"])
    made = run(flow, dask_threads)
    assert made[placed].result == [
        (letter, index, f"place[{index}]", f"place-1[{index}]", f"{made.id}:place-1[{index}]")
        for index, letter in enumerate("abc")
    ]


def test_a_chunk_hands_back_the_elements_it_does_not_come_to(dask_threads: Client) -> None:
    @task
    def slow(x: int) -> int:
        time.sleep(0.05)
        return x

    with Flow("slow") as flow:
        slept = slow.map(list(range(80)))  # two slots with four chunks each: ten elements, half a second
    made = run(flow, dask_threads)
    children = made[slept].map_states  # type: ignore[attr-defined]
    sizes = Counter(id(held_by(child).source) for child in children)  # type: ignore[union-attr]
    assert max(sizes.values()) <= 6
    assert made[slept].result == list(range(80))


def test_mapping_over_what_has_no_elements_fails_with_words(dask_threads: Client) -> None:
    with Flow("unmappable") as flow:
        added = add.map(one())
    made = run(flow, dask_threads)
    assert made[added].message == "At least one upstream state has an unmappable result."


def test_mapping_over_nothing_is_a_success(dask_threads: Client) -> None:
    with Flow("empty") as flow:
        added = add.map(numbers(count=0))
    made = run(flow, dask_threads)
    assert made[added].is_mapped()
    assert made[added].result == []


def test_flatten_opens_results_wherever_they_are(dask_threads: Client) -> None:
    @task
    def pair(x: int) -> list[int]:
        return [x, x]

    @task
    def listed(xs: list[int]) -> list[int]:
        return xs

    with Flow("flat") as flow:
        pairs = pair.map(numbers(count=3))
        added = add.map(flatten(pairs))
        all_of_them = listed(flatten(pairs))
    made = run(flow, dask_threads)
    assert made[added].result == [1, 1, 2, 2, 3, 3]
    assert made[all_of_them].result == [0, 0, 1, 1, 2, 2]


# ---------------------------------------------------------------- hostile bodies and values


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_a_body_that_raises_what_would_hang_dask_fails_at_once(dask_threads: Client, error: Any) -> None:
    @task
    def leave() -> None:
        raise error("out")

    with Flow("leaves") as flow:
        left = leave()
        also = one()
    made = run(flow, dask_threads)
    assert isinstance(made[left], Failed)
    assert type(made[left].result) is error
    assert made[also].result == 1


class Awkward(Exception):
    """Cannot be made from its arguments: it does not survive a pickle."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def test_an_exception_that_cannot_be_unpickled_arrives_all_the_same(dask_processes: Client) -> None:
    @task
    def fail() -> None:
        raise Awkward("one", "two")

    with Flow("awkward") as flow:
        failed = fail()
    made = run(flow, dask_processes)
    assert isinstance(made[failed], Failed)
    assert isinstance(made[failed].result, Awkward)
    assert str(made[failed].result) == "one two"
    assert "in fail" in str(made[failed].result.__cause__), "with its traceback over there"


def test_a_result_that_cannot_be_pickled_fails_with_words(dask_processes: Client) -> None:
    @task
    def lock() -> Any:
        return threading.Lock()

    with Flow("lock") as flow:
        made_lock = lock()
        after = add(made_lock)
    made = run(flow, dask_processes)
    assert isinstance(made[made_lock], Failed)
    assert "lock" in str(made[made_lock].message)
    assert isinstance(made[after], TriggerFailed)


def test_an_argument_that_cannot_be_pickled_fails_with_the_next_step(dask_threads: Client) -> None:
    lock = threading.Lock()
    with Flow("argument") as flow:
        failed = add(lock)
    made = run(flow, dask_threads)
    assert isinstance(made[failed], Failed)
    assert "task 'add-1' or what it is called with cannot be sent to a Dask worker" in str(made[failed].message)


def test_a_large_argument_is_sent_once(dask_threads: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    scatter = Client.scatter

    def counting(client: Client, data: Any, **options: Any) -> Any:
        sent.append(len(data))
        return scatter(client, data, **options)

    monkeypatch.setattr(Client, "scatter", counting)

    @task
    def size(x: bytes, place: int) -> int:
        return len(x) + place

    with Flow("large") as flow:
        sizes = size.map(unmapped(b"x" * 2_000_000), list(range(50)))
    assert run(flow, dask_threads)[sizes].result[3] == 2_000_003
    assert sent == [1]


# ---------------------------------------------------------------- kept results, secrets, logs, pictures


def test_a_result_is_written_by_the_worker_and_not_fetched_for_it(dask_processes: Client, tmp_path: Path) -> None:
    @task(result=LocalResult(str(tmp_path), location="{task_slug}.bin"), tags={"blue"})
    def make(x: int) -> int:
        return x + 1

    with Flow("written") as flow:
        single = make(1)
        mapped = make.map([1, 2])
    made = run(flow, dask_processes)
    assert type(made[single]) is LazySuccess
    assert made[single].context == {"tags": ["blue"]}
    assert len(list(tmp_path.iterdir())) == 3
    assert made[single]._result.location == "make-blue-1.bin"
    assert made[single]._result.value == 2
    assert [state._result.value for state in made[mapped].map_states] == [2, 3]  # type: ignore[attr-defined]


def test_a_cached_result_comes_here_and_outlives_the_workers(dask_processes: Client) -> None:
    @task(cache_for=timedelta(hours=1), cache_key="test of Dask")
    def ask() -> int:
        return os.getpid()

    with Flow("cached") as flow:
        asked = ask()
        after = add(asked)
    first, second = run(flow, dask_processes), run(flow, dask_processes)
    assert [type(made[asked]) for made in (first, second)] == [Cached, Cached]
    assert second[asked].result == first[asked].result != HERE
    assert second[after].result == first[asked].result + 1


def test_elements_on_workers_are_compared_by_what_they_are(dask_processes: Client) -> None:
    @task
    def three() -> list[int]:
        return [1, 2, 3]

    @task(cache_for=timedelta(hours=1), cache_validator=all_inputs, cache_key="elements on Dask")
    def ask(x: int) -> tuple[int, float]:
        return x, time.time()

    with Flow("cached elements") as flow:
        asked = ask.map(three())
    first, second = run(flow, dask_processes), run(flow, dask_processes)
    assert second[asked].result == first[asked].result


def test_a_run_goes_on_from_results_on_workers_of_another_client(dask_threads: Client, dask_processes: Client) -> None:
    with Flow("moved") as flow:
        first = one()
        second = add(first)
    earlier = run(flow, dask_threads)
    made = run(flow, dask_processes, task_states={first: earlier[first]})
    assert made[second].result == 2


def test_prints_and_logs_of_workers_are_told_here(dask_processes: Client, capsys: pytest.CaptureFixture[str]) -> None:
    @task(log_stdout=True)
    def talk(x: int) -> None:
        print(f"printed {x}")
        context.logger.warning("logged %s", x)

    with Flow("talks") as flow:
        talk(1)
        talk.map([2, 3])
    run(flow, dask_processes)
    said = capsys.readouterr().out
    assert [said.count(f"{how} {x}") for how in ("printed", "logged") for x in (1, 2, 3)] == [1] * 6
    assert "flowbook.talk[1]" in said


def test_a_secret_is_in_no_event_and_no_message(dask_processes: Client) -> None:
    class Password(SecretBase):
        def run(self) -> str:
            return "correct horse battery"

    @task
    def leak(password: str) -> None:
        raise ValueError(f"wrong password: {password}")

    with Flow("secretive") as flow:
        password = Password()
        leaked = leak(password)
    made = run(flow, dask_processes)
    assert made[leaked].message == "Unexpected error: ValueError('wrong password: ***')"
    assert "battery" not in repr(made[leaked].result) + repr(made[leaked].result.__cause__)
    assert "battery" not in repr(dask_processes.get_events(f"flowbook-{dask_processes.id}"))
    assert redact(made[password].result) == "***", "and is masked here from the moment it is here"


def test_a_picture_brings_no_value_here(dask_threads: Client) -> None:
    with Flow("pictured") as flow:
        listed = numbers(count=3)
        added = add.map(listed)
    made = run(flow, dask_threads)
    html = made._repr_mimebundle_()["text/html"]
    assert "3 items" in html
    assert type(made[listed]) is LazySuccess
    assert all(type(state) is LazySuccess for state in made[added].map_states)  # type: ignore[attr-defined]


# ---------------------------------------------------------------- one truth table


def test_random_flows_with_maps_end_on_dask_as_on_the_machine_driven_by_hand(dask_threads: Client) -> None:
    for seed in range(COUNT):
        flow = random_flow(seed)
        made = run(flow, dask_threads, clock="fast")
        assert endings(flow, made.state.result) == run_in_random_order(flow, Random(seed)), f"seed {seed}"
