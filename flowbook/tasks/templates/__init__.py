"""Texts with gaps as tasks."""

from __future__ import annotations

from flowbook.tasks.templates.jinja2 import JinjaTemplate
from flowbook.tasks.templates.strings import StringFormatter

__all__ = ["JinjaTemplate", "StringFormatter"]
