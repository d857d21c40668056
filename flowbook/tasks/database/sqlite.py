"""Ask and change SQLite databases; each run has a connection of its own, so executors of any kind will do."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from flowbook.tasks.base import Task
from flowbook.tasks.given import check_given
from flowbook.utilities.tasks import defaults_from_attrs

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["SQLiteQuery", "SQLiteScript"]


class SQLiteQuery(Task):
    """Run one statement and return the rows it finds; what it changes is kept, unless it fails.

    Values belong in `data`, not in the text of the query: SQLite then takes them as values, whatever is in them.

    Args:
        db: the file of the database; made when it is not there.
        query: one statement, with ``?`` or ``:name`` where values go.
        data: the values, as a sequence or by name.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: there is no database or no query.
        sqlite3.Error: what SQLite says.

    >>> SQLiteQuery(":memory:", "SELECT ? + ?").run(data=(1, 2))
    [(3,)]

    """

    def __init__(
        self,
        db: str | os.PathLike[str] | None = None,
        query: str | None = None,
        data: Sequence[Any] | Mapping[str, Any] = (),
        **kwargs: Any,
    ) -> None:
        self.db = db
        self.query = query
        self.data = data
        super().__init__(**kwargs)

    @defaults_from_attrs("db", "query", "data")
    def run(
        self,
        db: str | os.PathLike[str] | None = None,
        query: str | None = None,
        data: Sequence[Any] | Mapping[str, Any] = (),
    ) -> list[tuple[Any, ...]]:
        """Run the statement; see the class."""
        check_given(self, db=db, query=query)
        with closing(sqlite3.connect(str(db))) as connection, connection:
            return connection.execute(str(query), data).fetchall()


class SQLiteScript(Task):
    """Run several statements. They are not one whole: write ``BEGIN;`` and ``COMMIT;`` around what belongs together.

    Args:
        db: the file of the database; made when it is not there.
        script: statements with a semicolon after each.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: there is no database or no script.
        sqlite3.Error: what SQLite says.

    >>> SQLiteScript(":memory:").run(script="CREATE TABLE cities (name TEXT); DROP TABLE cities;")

    """

    def __init__(self, db: str | os.PathLike[str] | None = None, script: str | None = None, **kwargs: Any) -> None:
        self.db = db
        self.script = script
        super().__init__(**kwargs)

    @defaults_from_attrs("db", "script")
    def run(self, db: str | os.PathLike[str] | None = None, script: str | None = None) -> None:
        """Run the statements; see the class."""
        check_given(self, db=db, script=script)
        with closing(sqlite3.connect(str(db))) as connection, connection:
            connection.executescript(str(script))
