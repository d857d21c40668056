"""SQLite as tasks: values stay values, and what fails is not kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from flowbook import Flow, Parameter
from flowbook.tasks.database import SQLiteQuery, SQLiteScript


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "cities.db"
    SQLiteScript(path).run(
        script="""
        CREATE TABLE cities (name TEXT UNIQUE, people INT);
        INSERT INTO cities VALUES ('Delft', 104), ('Leiden', 125);
        """
    )
    return path


def test_a_script_and_a_query_work_together_in_a_flow(tmp_path: Path) -> None:
    db = tmp_path / "new.db"
    with Flow("cities") as flow:
        made = SQLiteScript(db, "CREATE TABLE c (name TEXT); INSERT INTO c VALUES ('Delft');", name="make")()
        found = SQLiteQuery(db, name="find")(
            query="SELECT name FROM c WHERE name LIKE ?", data=[Parameter("like")], upstream_tasks=[made]
        )
    state = flow.run(show=False, like="D%")
    assert state.result[found].result == [("Delft",)]
    assert state.result[made].result is None


def test_values_are_never_read_as_sql(db: Path) -> None:
    hostile = "x'; DROP TABLE cities; --"
    query = SQLiteQuery(db, "SELECT name FROM cities WHERE name = :name")
    assert query.run(data={"name": hostile}) == []
    assert query.run(data={"name": "Delft"}) == [("Delft",)]


def test_what_a_query_changes_is_kept(db: Path) -> None:
    assert SQLiteQuery(db).run(query="INSERT INTO cities VALUES (?, ?)", data=("Gouda", 75)) == []
    assert SQLiteQuery(db, "SELECT count(*) FROM cities").run() == [(3,)]


def test_what_a_failing_query_changed_is_not_kept(db: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        SQLiteQuery(db, "INSERT INTO cities VALUES ('Gouda', 75), ('Delft', 1)").run()
    assert SQLiteQuery(db, "SELECT count(*) FROM cities").run() == [(2,)]


def test_the_connection_is_closed_when_a_query_fails(db: Path) -> None:
    """An open connection would raise a ResourceWarning, which fails the suite, or hold the file."""
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        SQLiteQuery(db, "SELECT * FROM nowhere").run()
    SQLiteScript(db, "DROP TABLE cities;").run()


def test_a_script_that_is_one_whole_leaves_nothing_when_it_fails(db: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        SQLiteScript(db, "BEGIN; DELETE FROM cities; SELECT * FROM nowhere; COMMIT;").run()
    assert SQLiteQuery(db, "SELECT count(*) FROM cities").run() == [(2,)]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="has no db"):
        SQLiteQuery(query="SELECT 1").run()
    with pytest.raises(ValueError, match="has no query"):
        SQLiteQuery(":memory:").run()
    with pytest.raises(ValueError, match="has no script"):
        SQLiteScript(":memory:").run()
