"""Databases as tasks."""

from __future__ import annotations

from flowbook.tasks.database.sqlite import SQLiteQuery, SQLiteScript

__all__ = ["SQLiteQuery", "SQLiteScript"]
