"""Texts with gaps: who fills them, and what happens when nobody does."""

from __future__ import annotations

import sys

import jinja2
import pytest

from flowbook import Flow, Parameter, context
from flowbook.tasks.templates import JinjaTemplate, StringFormatter

BOTH = pytest.mark.parametrize(
    ("kind", "text"), [(StringFormatter, "{who} of {flow_name}"), (JinjaTemplate, "{{ who }} of {{ flow_name }}")]
)


@BOTH
def test_gaps_are_filled_by_the_call_and_by_the_context(kind: type[StringFormatter | JinjaTemplate], text: str) -> None:
    with Flow("greetings") as flow:
        made = kind(template=text)(who=Parameter("who"))
    assert flow.run(show=False, who="Marvin").result[made].result == "Marvin of greetings"


@BOTH
def test_the_template_can_come_with_the_call(kind: type[StringFormatter | JinjaTemplate], text: str) -> None:
    with context(flow_name="none"):
        assert kind().run(template=text, who="Ford") == "Ford of none"
        assert kind(template="other").run(template=text, who="Ford") == "Ford of none"


@BOTH
def test_the_call_wins_over_the_context(kind: type[StringFormatter | JinjaTemplate], text: str) -> None:
    with context(flow_name="none", who="Ford"):
        assert kind(template=text).run(who="Arthur") == "Arthur of none"


@pytest.mark.parametrize("kind", [StringFormatter, JinjaTemplate])
def test_without_a_template_the_error_says_where_to_give_it(kind: type[StringFormatter | JinjaTemplate]) -> None:
    with pytest.raises(ValueError, match=rf"has no template.*{kind.__name__}\(template=\.\.\.\)"):
        kind().run()


def test_a_gap_that_nothing_fits_is_named_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"has a gap 'persn' that nothing fits. Did you mean 'person'\?"):
        StringFormatter("Hello, {persn}!").run(person="Marvin")
    with pytest.raises(ValueError, match=r"has a gap '\{\}'"):
        StringFormatter("Hello, {}!").run(person="Marvin")


def test_jinja_prints_no_hole_for_a_name_that_nobody_gave() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'who' is undefined"):
        JinjaTemplate("Hello, {{ who }}!").run()
    with pytest.raises(jinja2.UndefinedError, match="'rows' is undefined"):
        JinjaTemplate("{% for row in rows %}{{ row }}{% endfor %}").run()


def test_jinja_may_ask_for_a_name_that_nobody_gave() -> None:
    template = "{% if who %}{{ who }}{% else %}nobody{% endif %} {{ who | default('here') }} {{ who is defined }}"
    assert JinjaTemplate(template).run() == "nobody here False"


def test_jinja_takes_a_template_of_its_own() -> None:
    assert JinjaTemplate(jinja2.Template("{{ x + 1 }}")).run(x=1) == "2"


def test_without_jinja_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"pip install 'jupyter-flowbook\[templates\]'"):
        JinjaTemplate("x").run()
