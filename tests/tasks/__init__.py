"""Tests of the tasks flowbook brings along."""

from __future__ import annotations
