"""Fill the gaps of a text, as ``str.format`` does."""

from __future__ import annotations

from typing import Any

from flowbook.contexts import context
from flowbook.errors import nearest, shown
from flowbook.tasks.base import Task
from flowbook.tasks.given import check_given
from flowbook.utilities.tasks import defaults_from_attrs

__all__ = ["StringFormatter"]


class StringFormatter(Task):
    """Fill the gaps of a text from the call's arguments, and from the context for those it does not give.

    Args:
        template: the text, as for ``str.format``; it can read attributes of values, so it should be your own.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: there is no template, or a gap that nothing fits.

    >>> StringFormatter("{greeting}, {person}!").run(greeting="Hello", person="Marvin")
    'Hello, Marvin!'

    """

    def __init__(self, template: str | None = None, **kwargs: Any) -> None:
        self.template = template
        super().__init__(**kwargs)

    @defaults_from_attrs("template")
    def run(self, template: str | None = None, **format_kwargs: Any) -> str:
        """Fill the gaps; see the class."""
        check_given(self, template=template)
        known = {**context.to_dict(), **format_kwargs}
        try:
            return str(template).format(**known)
        except (KeyError, IndexError) as error:
            gap = str(error.args[0]) if isinstance(error, KeyError) else "{}"
            raise ValueError(
                f"template {shown(template)} of task {shown(self.name)} has a gap {shown(gap)} that nothing fits."
                f"{nearest(gap, known)} Give it in the call; known here: {', '.join(known)}."
            ) from None
