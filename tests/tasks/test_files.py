"""Files as tasks; above all that they do no harm."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from flowbook import Flow
from flowbook.tasks.files import Copy, Glob, Move, Remove, Unzip, Zip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Make a folder with two files, one in a folder below."""
    folder = tmp_path / "data"
    (folder / "below").mkdir(parents=True)
    (folder / "b.csv").write_text("b")
    (folder / "below" / "a.csv").write_text("a")
    return folder


def everything_in(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_go_through_a_flow(data: Path, tmp_path: Path) -> None:
    with Flow("pack") as flow:
        packed = Zip(zip_path=tmp_path / "data.zip")(data)
        unpacked = Unzip(extract_dir=tmp_path / "out")(packed)
        found = Glob(pattern="**/*.csv")(unpacked)
        Remove()(packed, upstream_tasks=[unpacked])
    state = flow.run(show=False)
    assert state.is_successful()
    out = tmp_path / "out" / "data"
    assert state.result[found].result == [out / "b.csv", out / "below" / "a.csv"]
    assert not (tmp_path / "data.zip").exists()


# ---------------------------------------------------------------- move, copy, remove, find


def test_move_returns_where_it_is_then(data: Path, tmp_path: Path) -> None:
    assert Move(data / "b.csv").run(target_path=tmp_path / "c.csv") == tmp_path / "c.csv"
    assert Move(tmp_path / "c.csv", data / "below").run() == data / "below" / "c.csv"
    assert everything_in(tmp_path) == {"data/below/a.csv": "a", "data/below/c.csv": "b"}


def test_copy_takes_files_and_folders(data: Path, tmp_path: Path) -> None:
    assert Copy(data / "b.csv", data / "below").run() == data / "below" / "b.csv"
    assert Copy(data).run(target_path=tmp_path / "copy") == tmp_path / "copy"
    assert everything_in(tmp_path / "copy") == everything_in(data)


def test_remove_takes_a_folder_with_all_that_is_in_it(data: Path) -> None:
    Remove(data / "b.csv").run()
    assert everything_in(data) == {"below/a.csv": "a"}
    Remove().run(path=data)
    assert not data.exists()


def test_of_a_link_only_the_link_is_removed(data: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(data)
    Remove(link).run()
    assert not link.exists()
    assert everything_in(data)


@pytest.mark.parametrize("path", [".", "..", "/", "below/.."])
def test_remove_refuses_the_folder_that_somebody_is_in(path: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    with pytest.raises(ValueError, match="is not removed by a task"):
        Remove(path).run()
    assert everything_in(data) == {"b.csv": "b", "below/a.csv": "a"}


def test_glob_sorts_and_refuses_a_folder_that_is_not_there(data: Path) -> None:
    assert Glob(data, "*").run() == [data / "b.csv", data / "below"]
    assert Glob(data).run(pattern="*.txt") == []
    with pytest.raises(NotADirectoryError, match=r"elsewhere' is not a folder"):
        Glob(data / "elsewhere", "*").run()


@pytest.mark.parametrize(
    ("task", "missing"),
    [
        (Move("a"), "target_path"),
        (Copy(), "source_path"),
        (Remove(), "path"),
        (Glob("a"), "pattern"),
        (Zip(zip_path="a.zip"), "source_path"),
        (Zip("a"), "zip_path"),
        (Unzip(), "zip_path"),
    ],
    ids=repr,
)
def test_a_missing_path_is_named(task: Move | Copy | Remove | Glob | Zip | Unzip, missing: str) -> None:
    with pytest.raises(ValueError, match=f"has no {missing}"):
        task.run()


# ---------------------------------------------------------------- packing


@pytest.mark.parametrize("method", ["deflate", "store", "bzip2", "lzma"])
def test_packing_keeps_everything(method: str, data: Path, tmp_path: Path) -> None:
    archive = Zip(data, tmp_path / "x.zip", compression_method=method).run()
    Unzip(archive, tmp_path / "out", remove_after_unzip=True).run()
    assert everything_in(tmp_path / "out") == {"data/b.csv": "b", "data/below/a.csv": "a"}
    assert not archive.exists()


def test_several_things_are_packed_side_by_side(data: Path, tmp_path: Path) -> None:
    archive = Zip([data / "b.csv", data / "below"], tmp_path / "x.zip", compression_level=9).run()
    assert zipfile.ZipFile(archive).namelist() == ["b.csv", "below/", "below/a.csv"]


def test_an_archive_in_the_folder_it_packs_does_not_hold_itself(data: Path) -> None:
    for _ in range(2):
        Zip(data, data / "x.zip").run()
    assert zipfile.ZipFile(data / "x.zip").namelist() == ["data/", "data/b.csv", "data/below/", "data/below/a.csv"]
    assert sorted(path.name for path in data.iterdir()) == ["b.csv", "below", "x.zip"]


def test_two_things_of_one_name_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("other")
    with pytest.raises(ValueError, match=r"would both be called 'b.csv'"):
        Zip([data / "b.csv", tmp_path / "b.csv"], tmp_path / "x.zip").run()


def test_a_failure_leaves_the_old_archive(data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    archive.write_text("old")
    with pytest.raises(FileNotFoundError, match="nothing at source_path"):
        Zip([data, tmp_path / "nowhere"], archive).run()
    with pytest.raises(ValueError, match=r"compression_method='deflated' is not known. Did you mean 'deflate'\?"):
        Zip(data, archive, compression_method="deflated").run()
    assert archive.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "x.zip"]


# ---------------------------------------------------------------- archives from elsewhere


@pytest.mark.parametrize(
    "name", ["../evil", "good/../../evil", "/evil", "..\\evil", "C:/evil", "C:\\evil", "good/.."], ids=repr
)
def test_an_archive_that_leads_out_of_the_folder_is_refused_whole(name: str, tmp_path: Path) -> None:
    archive = tmp_path / "sent.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("good/fine", "fine")
        file.writestr(zipfile.ZipInfo(name), "evil")
    with pytest.raises(ValueError, match=r"sent.zip is not safe.*Nothing was written"):
        Unzip(archive, tmp_path / "out" / "deep").run()
    assert [path.name for path in tmp_path.iterdir()] == ["sent.zip"]


def test_an_archive_cannot_write_through_a_link_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    archive = tmp_path / "sent.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("link/evil", "evil")
    with pytest.raises(ValueError, match="is not safe"):
        Unzip(archive, tmp_path / "out").run()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_in_an_archive_becomes_a_plain_file(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    archive = tmp_path / "sent.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(link, "/etc/passwd")
    out = Unzip(archive, tmp_path / "out").run()
    assert not (out / "link").is_symlink()
    assert (out / "link").read_text() == "/etc/passwd"


def test_without_a_folder_the_working_directory_takes_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Zip(data / "b.csv", tmp_path / "x.zip").run()
    monkeypatch.chdir(data / "below")
    assert Unzip(archive).run() == data / "below"
    assert (data / "below" / "b.csv").read_text() == "b"


def test_what_is_no_archive_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("no archive")
    with pytest.raises(zipfile.BadZipFile):
        Unzip(tmp_path / "x.zip", tmp_path / "out", remove_after_unzip=True).run()
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]
