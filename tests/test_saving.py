"""Saving: flows as files; and that flows, tasks and states survive pickle and cloudpickle."""

from __future__ import annotations

import copy
import copyreg
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from flowbook import Flow, Parameter, Task, config, signals, states, task, triggers
from flowbook.errors import FlowError
from flowbook.parameters import DateTimeParameter
from flowbook.saving import flow_path
from flowbook.states import Failed, State, Success
from flowbook.tasks.core.function import FunctionTask

PICKLES = pytest.mark.parametrize("pickled", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])


@task(max_retries=1, retry_delay=__import__("datetime").timedelta(seconds=1), tags=["kept"])
def double(x: int) -> int:
    """Double it."""
    return 2 * x


@task(trigger=triggers.some_failed(at_least=1))
def clean_up(x: Any = None) -> str:
    return "clean"


def plain(x: int) -> int:
    return x + 1


named_otherwise = task(plain, name="other")


class Add(Task):
    def __init__(self, number: int, **options: Any) -> None:
        super().__init__(**options)
        self.number = number

    def run(self, x: int) -> int:
        return x + self.number


class Picky(Exception):
    """An exception that cannot be read back by pickle."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


def made() -> Flow:
    """Return a flow with one of each."""
    with Flow("One of each!") as flow:
        number = Parameter("number", default=3, type=int)
        doubled = [double(number) for _ in range(3)]
        added = Add(5)(doubled[0])
        doubled[1].name = "renamed"
        clean_up(named_otherwise(added), upstream_tasks=[DateTimeParameter("when", required=False), *doubled])
        task(lambda x: x, name="lambda")(added)
    return flow


def importable() -> Flow:
    """Return a flow of which all code can be imported."""
    with Flow("importable") as flow:
        clean_up(Add(5)(double(Parameter("number", default=3))))
    return flow


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    before, config.home_dir = config.home_dir, str(tmp_path / "home")
    yield tmp_path / "home"
    config.home_dir = before


def outcome(flow: Flow) -> list[tuple[str, str, Any]]:
    result = flow.run(show=False, clock="fast").result
    return sorted((flow.slugs[one], type(state).__name__, repr(state.result)) for one, state in result.items())


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_flow_is_saved_and_loaded_by_path(tmp_path: Path) -> None:
    flow = made()
    path = flow.save(tmp_path / "deep" / "flow.flow")
    loaded = Flow.load(path)
    assert loaded.name == "One of each!"
    assert loaded.serialize() == flow.serialize()
    assert outcome(loaded) == outcome(flow)
    assert loaded.tasks.isdisjoint(flow.tasks)


def test_a_flow_without_a_path_is_saved_under_its_name(home: Path) -> None:
    path = made().save()
    assert path == home / "flows" / "one-of-each.flow" == flow_path("One of each!")
    assert Flow.load("One of each!").name == Flow.load("one-of-each").name == "One of each!"
    assert [file.name for file in path.parent.iterdir()] == ["one-of-each.flow"], "nothing is left beside it"


def test_saving_again_replaces_the_file(tmp_path: Path) -> None:
    path = made().save(tmp_path / "a.flow")
    importable().save(path)
    assert Flow.load(str(path)).name == "importable"


def test_a_flow_of_a_notebook_is_loaded_in_another_process(tmp_path: Path) -> None:
    code = """
import sys
from flowbook import Flow, task
factor = 3
@task
def triple(x): return factor * x
with Flow("of a notebook") as flow: result = triple(14)
flow.save(sys.argv[1])
"""
    path = str(tmp_path / "notebook.flow")
    subprocess.run([sys.executable, "-c", code, path], check=True)
    read = """
import sys
from flowbook import Flow
print(*(state.result for state in Flow.load(sys.argv[1]).run().result.values()))
"""
    done = subprocess.run([sys.executable, "-c", read, path], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["42"]


@pytest.mark.parametrize("change", [{"python": "3.2"}, {"implementation": "PyPy"}])
def test_the_code_of_another_python_is_refused_before_it_is_read(tmp_path: Path, change: dict[str, str]) -> None:
    path = made().save(tmp_path / "a.flow")
    line, _, _ = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(line), **change}).encode() + b"\nthis would crash")
    with pytest.raises(FlowError, match=r"flow 'One of each!' in .*a\.flow' was saved by \w+ 3\.\d+; this is CPython"):
        Flow.load(path)


def test_what_is_no_saved_flow_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flow"
    for content in (b"", b"no json\n", b"[1]\n", b"\x80\x04", pickle.dumps(1), b'{"kind": "other"}\n'):
        path.write_bytes(content)
        with pytest.raises(FlowError, match="is no saved flow"):
            Flow.load(path)
    path.write_bytes(b'{"kind": "flowbook.flow", "format": 99, "flowbook": "9.9"}\n')
    with pytest.raises(FlowError, match=r"saved in format 99 by flowbook 9\.9; this is flowbook .* Upgrade flowbook"):
        Flow.load(path)
    cut = made().save(path).read_bytes()[:-100]
    path.write_bytes(cut)
    with pytest.raises(FlowError, match=r"cannot be read: .*cut off"):
        Flow.load(path)


def test_a_flow_that_is_not_there_names_those_that_are() -> None:
    made().save()
    with pytest.raises(FileNotFoundError, match=r"neither a file 'two' nor a saved flow.*Saved by name: one-of-each"):
        Flow.load("two")
    with pytest.raises(FileNotFoundError, match="there is no saved flow in"):
        Flow.load(Path("two"))


def test_what_cannot_be_saved_leaves_no_file(tmp_path: Path) -> None:
    lock = threading.Lock()
    with Flow("locked") as flow:
        task(lambda: lock, name="holds a lock")()
    with pytest.raises(FlowError, match=r"flow 'locked' cannot be saved: TypeError: .*lock.* make it inside a task"):
        flow.save(tmp_path / "a.flow")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FlowError, match=r"no file can be named after flow '\?\?\?'"):
        Flow("???").save()


# -- pickling ----------------------------------------------------------------------------------------------------------


def test_flows_survive_cloudpickle_and_keep_running() -> None:
    flow = made()
    expected = outcome(flow)
    loaded = cloudpickle.loads(cloudpickle.dumps(flow))
    assert loaded.last_run is None
    assert outcome(loaded) == expected
    with loaded:
        double(1)
    assert len(loaded) == len(flow) + 1


def test_a_function_of_a_notebook_may_refer_to_its_own_flow() -> None:
    code = """
import cloudpickle
from flowbook import Flow, task
@task
def factorial(n):
    if n > 100:
        print(flow, first)
    return 1 if n < 2 else n * factorial.run(n - 1)
with Flow("factorial") as flow:
    first = factorial(3)
    second = factorial(first)
for whole in (flow, [factorial, flow], [second, flow]):
    loaded = cloudpickle.loads(cloudpickle.dumps(whole))
    loaded = loaded[1] if isinstance(loaded, list) else loaded
    print(*(state.result for state in loaded.run(show=False).result.values()), end=" ")
print(cloudpickle.loads(cloudpickle.dumps(factorial.run))(4))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["6", "720"] * 3 + ["24"]


@PICKLES
def test_flows_of_importable_code_survive(pickled: Any) -> None:
    flow = importable()
    expected = outcome(flow)
    loaded = pickled.loads(pickled.dumps(flow))
    assert outcome(loaded) == expected
    assert loaded.serialized_hash() == flow.serialized_hash()
    assert outcome(copy.deepcopy(flow)) == expected


@PICKLES
def test_decorated_functions_of_a_module_are_pickled_by_name(pickled: Any) -> None:
    made = pickled.dumps(double)
    assert len(made) < 2000
    loaded = pickled.loads(made)
    assert loaded.run is double.run
    assert loaded.__wrapped__ is double.run
    assert (loaded.name, loaded.max_retries, loaded.tags, loaded.__doc__) == ("double", 1, {"kept"}, "Double it.")
    assert loaded.inputs() == double.inputs()
    assert loaded.run_signature.takes_types


@PICKLES
def test_a_function_that_kept_its_own_name_survives(pickled: Any) -> None:
    loaded = pickled.loads(pickled.dumps(named_otherwise))
    assert (loaded.name, loaded.run(1)) == ("other", 2)


def test_a_function_that_is_gone_is_named_when_the_pickle_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pickle.dumps(double)
    monkeypatch.delattr(sys.modules[__name__], "double")
    with pytest.raises(AttributeError, match=r"has no task 'double' any more, which a pickled task was made from"):
        pickle.loads(made)


def test_code_is_in_the_pickle_when_its_module_is_to_be_pickled_by_value() -> None:
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        loaded = cloudpickle.loads(cloudpickle.dumps(double))
        assert (loaded.run(2), loaded.run is double.run) == (4, False)
    finally:
        cloudpickle.unregister_pickle_by_value(module)


@PICKLES
def test_copies_share_their_attributes_before_and_after(pickled: Any) -> None:
    copies = [double.copy() for _ in range(1000)]
    made = pickled.dumps(copies)
    assert len(made) < 60_000, "what they share is written once"
    loaded = pickled.loads(made)
    assert loaded[0].__dict__ is loaded[1].__dict__
    loaded[0].name = "own"
    loaded[1].tags.add("own")
    assert [one.name for one in loaded[:3]] == ["own", "double", "double"]
    assert [one.tags for one in loaded[:3]] == [{"kept"}, {"kept", "own"}, {"kept"}]


def test_a_copied_task_does_not_see_the_attributes_of_the_other() -> None:
    for twin in (copy.copy(double), copy.deepcopy(double)):
        assert isinstance(twin, FunctionTask)
        assert twin.run is double.run
        twin.name = "twin"
        twin.tags.add("twin")
    assert (double.name, double.tags) == ("double", {"kept"})


@PICKLES
@pytest.mark.parametrize("name", [name for name in triggers.__all__ if not name.startswith("some_")])
def test_triggers_survive(pickled: Any, name: str) -> None:
    trigger = getattr(triggers, name)
    assert pickled.loads(pickled.dumps(trigger)) is trigger


@PICKLES
@pytest.mark.parametrize("name", sorted(set(states.__all__) - {"State"}))
def test_states_survive(pickled: Any, name: str) -> None:
    state = getattr(states, name)("words", result=[1, {"a": 2}], context={"tags": ["x"]})
    loaded = pickled.loads(pickled.dumps(state))
    assert loaded == state
    assert (loaded.message, loaded.context) == (state.message, state.context)


@PICKLES
@pytest.mark.parametrize("error", [Picky(7, reason="no"), ValueError(threading.Lock()), OSError(2, "no such file")])
def test_an_exception_that_cannot_be_pickled_becomes_words(
    pickled: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dask, once loaded, teaches pickle how to take any exception
    monkeypatch.delitem(copyreg.dispatch_table, type(error), raising=False)
    state = Failed("broken", result=error)
    loaded = pickled.loads(pickled.dumps(state))
    assert state.result is error, "the state itself is untouched"
    if isinstance(error, OSError):
        assert repr(loaded.result) == repr(error)
    else:
        assert loaded.result == repr(error)


@PICKLES
def test_the_state_of_a_run_survives_with_all_its_tasks(pickled: Any) -> None:
    @task
    def breaks() -> None:
        raise Picky(7, reason="no")

    with Flow("state") as flow:
        doubled = double(1)
        mapped = double.map([1, 2])
        skipped = double(Parameter("x", default=2), upstream_tasks=[mapped])
    state = flow.run(show=False, task_states={skipped: states.Skipped("no")})
    assert flow.last_run is not None
    loaded = pickled.loads(pickled.dumps(flow.last_run.state))
    assert loaded.is_successful()
    found = {(one.name, type(kept).__name__, repr(kept.result)) for one, kept in loaded.result.items()}
    assert found == {(one.name, type(kept).__name__, repr(kept.result)) for one, kept in state.result.items()}
    assert ("double", "Success", "2") in found
    with pytest.raises(KeyError, match="is no task of this run"):
        loaded.result[doubled]


@PICKLES
def test_signals_survive(pickled: Any) -> None:
    loaded = pickled.loads(pickled.dumps(signals.FAIL("no", result=3)))
    assert (type(loaded), loaded.state.message, loaded.state.result) == (signals.FAIL, "no", 3)


# -- states as JSON ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(states.__all__))
def test_every_state_is_carried_by_json(name: str) -> None:
    state = getattr(states, name)("words", result=(1, 2.5, None), context={"a": {1, 2}}, cached_inputs={"x": b"bytes"})
    document = json.loads(json.dumps(state.serialize(), allow_nan=False))
    loaded = State.deserialize(document)
    assert loaded == state
    assert type(loaded) is type(state)
    assert (loaded.message, loaded.context, loaded.cached_inputs) == ("words", {"a": {1, 2}}, {"x": b"bytes"})


def test_states_in_states_are_carried() -> None:
    mapped = states.Mapped(result=[1, 2], map_states=[Success(result=1), None])
    queued = states.Queued(state=states.Retrying(run_count=3))
    for state in (mapped, queued):
        assert State.deserialize(json.loads(json.dumps(state.serialize()))) == state
    assert State.deserialize(states.Mapped(n_map_states=3).serialize()).n_map_states == 3  # type: ignore[attr-defined]


def test_what_json_cannot_carry_is_told_and_not_passed_off_as_something_else() -> None:
    loaded = State.deserialize(json.loads(json.dumps(Success(result=[object()]).serialize())))
    assert loaded.result[0].type == "object"
    assert "that JSON could not carry: <object object at" in repr(loaded.result[0])
    failed = Failed(result=Picky(7, reason="no"))
    assert State.deserialize(failed.serialize()).result == "Picky('7: no')"
    flow = made()
    state = flow.run(show=False, clock="fast")
    assert "the states of 9 tasks" in repr(State.deserialize(state.serialize()).result)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "describes no state"),
        ([], "describes no state"),
        ({"type": "Sucess"}, "there is no state called 'Sucess'. Did you mean 'Success'?"),
        ({"type": "Success", "colour": "red"}, "does not describe a Success"),
        ({"type": "Success", "result": {"$moon": 1}}, "is marked '[$]moon', which this version"),
    ],
)
def test_a_document_of_no_state_is_refused(document: Any, words: str) -> None:
    with pytest.raises(FlowError, match=words):
        State.deserialize(document)
