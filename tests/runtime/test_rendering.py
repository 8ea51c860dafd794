"""Templates are rendered to the text that Jinja's own classes give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment, StrictUndefined, Template, UndefinedError
from markupsafe import Markup, escape

from ctxsim.runtime import LocalProxy
from ctxsim.runtime.rendering import PageTemplate, put_out

SOURCES = {
    "base.html": "<{% block body %}{{ value }}{% endblock %}>{{ shop }}",
    "child.html": "{% extends 'base.html' %}{% block body %}{{ super() }}{{ own }}{% endblock %}",
    "macros.html": "{% macro twice(x) %}{{ x }}{{ x }}{{ shop }}{{ own }}{% endmacro %}",
    "plain.txt": "{{ value }}{{ own }}",
    "page.html": """
        {%- import 'macros.html' as m -%}
        {%- import 'macros.html' as seeing with context -%}
        {%- from 'macros.html' import twice -%}
        {{ m.twice(value) }}{{ seeing.twice(value) }}{{ twice(value)|upper }}
        {%- include 'plain.txt' %}{% include 'base.html' without context %}
        {%- set kept %}{{ value }}<b>{% endset %}{{ kept }}{{ kept ~ value }}
        {%- filter upper %}{{ value }}<i>{% endfilter %}
        {%- autoescape false %}{{ value }}{{ twice(value) }}{% endautoescape %}
        {%- autoescape loud %}{{ value }}{% endautoescape %}
        {%- for n in [1, value, none, true, 2.5] %}{{ loop.index }}{{ n }}{% endfor %}
        {%- call(x) between() %}{{ x }}{{ value }}{% endcall %}{{ missing }}{{ value|e|safe }}
        {%- macro inner() %}{{ caller is defined }}{% endmacro %}{{ inner() }}""",
}


def between(caller: Any) -> Markup:
    return Markup("[") + caller("<x>") + Markup("]")


def environment(kind: type[Template]) -> Environment:
    made = Environment(
        loader=DictLoader(SOURCES),
        autoescape=lambda name: name is None or name.endswith("html"),
    )
    made.template_class = kind
    made.globals.update(shop="<shop>", between=between)
    return made


class Page:
    def __html__(self) -> str:
        return "<page>"

    def __str__(self) -> str:
        return "&"


VALUES = st.one_of(
    st.text(), st.text("&<>'\"ab"), st.integers(), st.floats(), st.booleans(), st.none(),
    st.text().map(Markup), st.lists(st.text()), st.builds(Page), st.binary(),
    st.text().map(lambda text: LocalProxy(lambda: text)), st.text().map(type("T", (str,), {})),
)  # fmt: skip
BOTH = [environment(Template), environment(PageTemplate)]


@settings(deadline=None)
@given(value=VALUES)
@example(value="&")
@example(value="<")
@example(value=">")
@example(value="'")
@example(value='"')
def test_what_is_put_out_is_escaped(value: object) -> None:
    """Every value as markupsafe escapes it, with or without a way to say that it is markup."""
    assert str(put_out(value)) == str(escape(value))


@settings(deadline=None)
@given(value=VALUES, name=st.sampled_from(sorted(SOURCES)), loud=st.booleans())
def test_the_same_text_as_jinjas(value: object, name: str, loud: bool) -> None:
    """Inheritance, macros, imports, includes, blocks, and escaping that is switched off."""
    names = {"value": value, "own": "<own>", "loud": loud}
    theirs, ours = (each.get_template(name).render(names) for each in BOTH)
    assert ours == theirs
    assert type(ours) is str


def test_globals_of_the_environment_and_of_a_template() -> None:
    """Later ones are seen, a template's own come first, and neither changes the other."""
    texts = []
    for kind in (Template, PageTemplate):
        each = environment(kind)
        page = each.from_string("{{ shop }}{{ late }}{{ own }}", globals={"own": 1})
        first = page.render()
        each.globals["late"] = "late"
        page.globals["shop"] = "other"
        assert each.globals["shop"] == "<shop>"
        texts.append((first, page.render(), page.render(own=2), page.module.__html__()))
    assert texts[1] == texts[0]


def test_an_error_is_told_at_the_templates_line() -> None:
    """The traceback names the template, as Jinja's does."""
    each = Environment(undefined=StrictUndefined)
    each.template_class = PageTemplate
    with pytest.raises(UndefinedError, match="'missing' is undefined") as caught:
        each.from_string("\n{{ missing }}").render()
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1) == ("<template>", 2)
