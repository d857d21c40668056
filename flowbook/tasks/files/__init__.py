"""Files as tasks."""

from __future__ import annotations

from flowbook.tasks.files.compression import Unzip, Zip
from flowbook.tasks.files.operations import Copy, Glob, Move, Remove

__all__ = ["Copy", "Glob", "Move", "Remove", "Unzip", "Zip"]
