"""Results: a value and where it is kept."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowbook import Task, config
from flowbook.errors import FlowbookError, FlowError
from flowbook.results import (
    AzureResult,
    ConstantResult,
    FlowbookResult,
    FSSpecResult,
    GCSResult,
    LocalResult,
    NoResult,
    PrefectResult,
    Result,
    S3Result,
    SecretResult,
)
from flowbook.serializers import JSONSerializer, PickleSerializer
from flowbook.states import Success


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---------------------------------------------------------------- what all have


def test_a_template_is_filled_in_on_a_copy() -> None:
    result = Result(location="{x:02d}/{name}")
    made = result.format(x=3, name="a")

    assert (made.location, result.location) == ("03/a", "{x:02d}/{name}")


def test_a_location_may_be_a_function() -> None:
    assert Result(location=lambda x, **_: f"{x}.txt").format(x=1, y=2).location == "1.txt"
    with pytest.raises(FlowError, match="returned 3, where a text was expected"):
        Result(location=lambda **_: 3).format()  # type: ignore[arg-type]


def test_a_template_that_names_what_is_not_there_offers_the_nearest() -> None:
    with pytest.raises(
        FlowError, match=r"names 'nmae', which is not there\. Did you mean 'name'\? It may name: name\."
    ):
        Result(location="{nmae}").format(name=1)
    with pytest.raises(FlowError, match="cannot be filled in"):
        Result(location="{").format()


def test_a_template_may_name_location_and_self() -> None:
    assert Result(location="{location}-{self}").format(location=1, self=2).location == "1-2"


def test_a_result_in_memory_says_where_values_could_be_written() -> None:
    for call in (lambda: Result().read("x"), lambda: Result().write(1), lambda: Result().exists("x")):
        with pytest.raises(NotImplementedError, match="a Result keeps its value in memory only"):
            call()


def test_results_are_equal_by_kind_value_and_place() -> None:
    assert Result(1) == Result(1)
    assert Result(1) != Result(2)
    assert Result(1, location="a") != Result(1, location="b")
    assert LocalResult("a") != LocalResult("b")
    assert Result(1) != ConstantResult(1)
    assert Result(np.arange(3)) != Result(np.arange(3)), "arrays give no single answer: then they are not equal"


def test_no_result_is_one_thing_also_after_pickling() -> None:
    assert pickle.loads(pickle.dumps(NoResult)) is NoResult
    assert repr(NoResult) == "<No result>"
    assert Success()._result is NoResult


@pytest.mark.parametrize("options", [{"location": 3}, {"serializer": "pickle"}])
def test_what_is_no_place_and_no_serializer_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(options))):
        Result(**options)


def test_a_copy_keeps_the_place_and_takes_another_value() -> None:
    made = Result(1, location="a").from_value(2)
    assert (made.value, made.location) == (2, "a")


# ---------------------------------------------------------------- files


def test_a_file_is_written_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    result = LocalResult(str(tmp_path / "deep/er"), location="{day}/{x}.pickle")
    written = result.write([1, 2], day="monday", x=7)

    assert (written.value, written.location, result.value) == ([1, 2], "monday/7.pickle", None)
    assert result.exists("monday/7.pickle")
    assert result.exists("{day}/{x}.pickle", day="monday", x=7)
    assert not result.exists("monday/8.pickle")
    assert not result.exists("monday"), "a folder is no result"
    assert result.read("monday/7.pickle").value == [1, 2]
    assert mode(tmp_path / "deep/er/monday/7.pickle") == 0o600
    assert [mode(tmp_path / made) for made in ("deep", "deep/er", "deep/er/monday")] == [0o700] * 3


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    LocalResult(tmp_path, location="a").write(1)
    assert mode(tmp_path) == 0o755


def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = LocalResult(tmp_path, location="a")
    result.write("old")

    def broken(old: str, new: str) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        result.write("new")
    monkeypatch.undo()

    assert result.read("a").value == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"], "nothing half written stays"


def test_a_value_that_cannot_be_pickled_touches_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        LocalResult(tmp_path, location="a").write(x for x in [1])
    assert list(tmp_path.iterdir()) == []


def test_a_location_of_its_own_is_found_where_none_is_given(tmp_path: Path) -> None:
    result = LocalResult(tmp_path)
    one, two = result.write(1), result.write(2)

    assert one.location != two.location
    assert result.read(str(one.location)).value == 1
    assert result.write(1, flow_name="a/b ..", flow_run_id="1", task_slug="t[3]").location == "a-b/1/t-3.result"


def test_a_relative_location_stays_in_the_folder(tmp_path: Path) -> None:
    result = LocalResult(tmp_path / "results")
    with pytest.raises(FlowError, match=r"'a/\.\./\.\./secret' leads out of"):
        result.read("a/../../secret")
    absolute = str(tmp_path / "elsewhere.pickle")
    absolutely = result.copy()
    absolutely.location = absolute
    absolutely.write(3)
    assert result.read(absolute).value == 3


def test_the_default_folder_is_in_the_home_of_flowbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "home_dir", str(tmp_path))
    assert LocalResult().dir == str(tmp_path / "results")
    assert not (tmp_path / "results").exists(), "it is made when something is written"


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file; give the folder"):
        LocalResult(tmp_path / "file")
    assert LocalResult(tmp_path / "file", validate_dir=False).dir == str(tmp_path / "file")


def test_a_folder_holds_when_the_working_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert LocalResult("here").dir == str(tmp_path / "here")
    assert LocalResult("here", validate_dir=False).dir == "here"


def test_a_serializer_decides_about_the_bytes(tmp_path: Path) -> None:
    LocalResult(tmp_path, location="a.json", serializer=JSONSerializer()).write({"a": 1})
    assert (tmp_path / "a.json").read_text() == '{"a": 1}'


# ---------------------------------------------------------------- without a store


def test_a_small_value_is_kept_in_its_location() -> None:
    written = PrefectResult().write({"a": [1]}, any_word=3)

    assert (written.location, written.value) == ('{"a": [1]}', {"a": [1]})
    assert PrefectResult().read('{"a": [1]}').value == {"a": [1]}
    assert PrefectResult().exists("3")
    assert not PrefectResult().exists("{")
    assert FlowbookResult is PrefectResult


def test_a_constant_is_read_and_never_written() -> None:
    constant = ConstantResult(3)
    assert constant.read("x").value == 3
    assert constant.exists("x")
    assert not constant.is_writable
    with pytest.raises(ValueError, match="keeps 3 and nothing else; 4 was given"):
        constant.write(4)


def test_a_secret_is_asked_for_and_never_written() -> None:
    class Password(Task):
        def run(self) -> str:
            return "sesame"

    secret = SecretResult(Password(name="PASSWORD"))
    assert secret.location == "PASSWORD"
    assert secret.exists("PASSWORD")
    read = secret.read("PASSWORD")
    assert read.value == "sesame"
    assert "sesame" not in repr(read)
    assert read.__getstate__()["value"] is None
    with pytest.raises(ValueError, match="never written") as caught:
        secret.write("sesame")
    assert "sesame" not in str(caught.value)


# ---------------------------------------------------------------- other people's stores


def test_any_store_of_fsspec_is_written_and_read() -> None:
    result = FSSpecResult("memory://bucket/results", location="{x}/a.pickle")
    written = result.write({"a": 1}, x="one")

    assert written.location == "one/a.pickle"
    assert result.exists("one/a.pickle")
    assert result.exists("{x}/a.pickle", x="one")
    assert not result.exists("two/a.pickle")
    assert result.read("one/a.pickle").value == {"a": 1}
    assert FSSpecResult("memory://").read("memory://bucket/results/one/a.pickle").value == {"a": 1}


def test_an_address_needs_a_protocol() -> None:
    with pytest.raises(ValueError, match="'bucket' names no protocol"):
        FSSpecResult("bucket")


def test_a_store_whose_package_is_missing_says_what_to_install() -> None:
    import importlib.util

    if importlib.util.find_spec("adlfs"):
        pytest.skip("it is installed here")
    with pytest.raises(FlowbookError, match=r"pip install 'jupyter-flowbook\[cloud\]'"):
        AzureResult("results", connection_string="x").read("a")


def test_the_clouds_are_told_what_the_reference_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = S3Result("b", boto3_kwargs={"aws_access_key_id": "k", "region_name": "eu"}, location="x")
    assert s3.options() == {"key": "k", "client_kwargs": {"region_name": "eu"}}
    assert s3.address("a") == "s3://b/a"
    assert GCSResult("b").address("/a") == "gs://b/a"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "from-environment")
    assert AzureResult("c").options() == {"connection_string": "from-environment"}
    assert AzureResult("c", connection_string="given").options() == {"connection_string": "given"}
    with pytest.raises(FlowbookError, match=r"no secret is called 'AZ'"):
        AzureResult("c", connection_string_secret="AZ").options()
    assert "given" not in repr(AzureResult("c", connection_string="given"))


# ---------------------------------------------------------------- in states


def test_a_state_takes_a_result_apart(tmp_path: Path) -> None:
    written = LocalResult(tmp_path, location="a").write([1])
    state = Success("done", result=written)

    assert state.result == [1]
    assert (type(state._result), state._result.location, state._result.value) == (LocalResult, "a", [1])


def test_a_state_that_lost_its_value_reads_it_again(tmp_path: Path) -> None:
    state = pickle.loads(pickle.dumps(Success(result=LocalResult(tmp_path, location="a").write([1])))).without_result()

    assert state.result is None
    assert state.load_result() is state
    assert state.result == [1]


def test_the_place_is_not_left_behind_when_a_state_gets_another_result(tmp_path: Path) -> None:
    state = Success(result=LocalResult(tmp_path, location="a").write([1]))
    state._result = Result(2)
    assert (state.result, state._result.location) == (2, None)


def test_the_reference_has_them_in_the_engine() -> None:
    from flowbook.engine import result, results

    assert results.LocalResult is LocalResult
    assert (result.Result, result.NoResult) == (Result, NoResult)
    assert LocalResult("x").serializer == PickleSerializer()


def test_a_kind_that_is_not_there_names_those_that_are() -> None:
    import flowbook.results

    with pytest.raises(AttributeError, match=r"nothing called 'Nowhere'"):
        _ = flowbook.results.Nowhere


def test_arguments_may_be_given_by_name(tmp_path: Path) -> None:
    written = LocalResult(dir=str(tmp_path), location="{day}.txt").write(value_=3, day="monday")
    assert written.exists(location="monday.txt")
    assert written.exists(location="{day}.txt", day="monday")
    assert written.read(location="monday.txt").value == 3
