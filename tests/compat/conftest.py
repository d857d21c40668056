"""The programs here are run by tests/test_compatibility.py, each in a folder of its own; importing them would run them."""

from __future__ import annotations

collect_ignore_glob = ["*.py"]
