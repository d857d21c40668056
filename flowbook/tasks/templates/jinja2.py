"""Fill the gaps of a Jinja template."""

from __future__ import annotations

from typing import Any

from flowbook.contexts import context
from flowbook.tasks.base import Task
from flowbook.tasks.given import check_given, import_hint
from flowbook.utilities.tasks import defaults_from_attrs

__all__ = ["JinjaTemplate"]


class JinjaTemplate(Task):
    """Render a Jinja template with the call's arguments, and with the context for those it does not give.

    A name that nobody gave can be tested and given a default, but not printed: that is an error, not a hole in the
    text. Nothing is escaped; write ``{{ name | e }}`` in HTML.

    Args:
        template: the text, or a ``jinja2.Template``.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: there is no template.
        ImportError: Jinja2 is not installed (the extra ``templates``).
        jinja2.UndefinedError: a name is printed that nobody gave.

    >>> JinjaTemplate("{% for x in xs %}<{{ x }}>{% endfor %}").run(xs=[1, 2])
    '<1><2>'

    """

    def __init__(self, template: Any = None, **kwargs: Any) -> None:
        self.template = template
        super().__init__(**kwargs)

    @defaults_from_attrs("template")
    def run(self, template: Any = None, **format_kwargs: Any) -> str:
        """Render; see the class."""
        check_given(self, template=template)
        known = {**context.to_dict(), **format_kwargs}
        return str(_template(template).render(**known))


def _template(template: Any) -> Any:
    try:
        import jinja2  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(import_hint("JinjaTemplate", "Jinja2", "templates")) from error

    if isinstance(template, jinja2.Template):
        return template

    class NotGiven(jinja2.Undefined):
        """A name that nobody gave: false when asked, an error when printed or gone through."""

        __str__ = __iter__ = __len__ = jinja2.Undefined._fail_with_undefined_error  # noqa: SLF001 - as in StrictUndefined

    # not only HTML is made here, so nothing is escaped: the docstring says so
    return jinja2.Environment(undefined=NotGiven).from_string(template)  # noqa: S701
