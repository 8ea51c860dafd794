"""The two ways around Werkzeug's matcher lead where it would lead itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, Map, RequestRedirect, Rule

from ctxsim.runtime import App, Request
from ctxsim.runtime.matching import PlainRules
from ctxsim.runtime.routing import AppRule, Router

FIXED = ["a", "b", "3", "12", "ab", "x.y", "a-b", "pre3"]
VARIABLE = [
    "<{n}>", "<int:{n}>", "<int:{n}>", "<float:{n}>", "<uuid:{n}>", "<string(length=2):{n}>",
    "<string(maxlength=1):{n}>", "<int(min=2, max=5):{n}>", "<int(fixed_digits=2):{n}>",
    "<int(signed=True):{n}>", "<path:{n}>", "<any(a, b):{n}>", "<any('a:b', c):{n}>", "pre<{n}>",
    "<{n}>-<{n}x>", "<odd:{n}>",
]  # fmt: skip
UUID_TEXT = "12345678-1234-5678-1234-567812345678"
SENT = [*FIXED, "", "-4", "1.5", "\u0663", "c", "a:b", UUID_TEXT, "new\nline", "\u00e9", "9" * 5000]
METHODS = ["GET", "POST", "HEAD", "OPTIONS"]


class OddConverter(BaseConverter):
    """Has the regular expression of another one, and another meaning."""

    regex = r"\d+"

    def to_python(self, value: str) -> Any:
        return -len(value)


@dataclass(frozen=True)
class Declared:
    """One rule, to be made once for each of the two that are compared."""

    text: str
    methods: tuple[str, ...] | None
    options: tuple[tuple[str, Any], ...]

    def made(self, number: int) -> AppRule:
        options = dict(self.options)
        endpoint = options.pop("endpoint", f"view{number}")
        return AppRule(self.text, endpoint=endpoint, methods=self.methods, **options)


def rule_text(parts: list[str], slash: str) -> str:
    return "/" + "/".join(part.format(n=f"v{i}") for i, part in enumerate(parts)) + slash


OPTIONS = st.sampled_from(
    [
        *[()] * 8,
        (("strict_slashes", False),),
        (("merge_slashes", False),),
        (("defaults", {"v1": 3}), ("endpoint", "shared")),
        (("endpoint", "shared"),),
        (("subdomain", "shop"),),
        (("build_only", True),),
        (("redirect_to", "a/b"),),
        (("websocket", True),),
    ]
)
DECLARED = st.builds(
    Declared,
    st.builds(
        rule_text,
        st.lists(st.sampled_from([*FIXED, *VARIABLE]), min_size=1, max_size=3),
        st.sampled_from(["", "", "/", "//"]),
    ),
    st.none() | st.lists(st.sampled_from(METHODS), min_size=1, max_size=3).map(tuple),
    OPTIONS,
)
PATHS = st.builds(
    lambda first, parts, last: first + "/".join(parts) + last,
    st.sampled_from(["/", "/", "/", "", "//"]),
    st.lists(st.sampled_from(SENT), max_size=3),
    st.sampled_from(["", "", "/", "//"]),
)


def told(rule: Rule, arguments: Any) -> tuple[Any, ...]:
    kinds = [type(value) for value in arguments.values()]
    return rule.rule, rule.endpoint, rule.methods, dict(arguments), kinds


def raised(error: HTTPException) -> tuple[Any, ...]:
    target = error.new_url if isinstance(error, RequestRedirect) else None
    allowed = set(error.valid_methods or ()) if isinstance(error, MethodNotAllowed) else None
    return type(error), target, allowed


def ours(router: Router, method: str, path: str) -> tuple[Any, ...]:
    request = Request(method, path)
    router.match(request, lambda _: router.url_map.bind("localhost"))
    if request.routing_exception is not None:
        return raised(request.routing_exception)
    assert request.url_rule is not None
    return told(request.url_rule, request.view_args)


def werkzeugs(url_map: Map, method: str, path: str) -> tuple[Any, ...]:
    try:
        return told(*url_map.bind("localhost").match(path, method, return_rule=True))
    except HTTPException as error:
        return raised(error)


@settings(max_examples=400, deadline=None)
@given(
    rules=st.lists(DECLARED, min_size=1, max_size=6),
    asked=st.lists(st.tuples(st.sampled_from([*METHODS, "get", "PURGE"]), PATHS), max_size=12),
)
def test_the_same_as_werkzeug(rules: list[Declared], asked: list[tuple[str, str]]) -> None:
    """Any rules, any paths: the same rule and arguments, the same redirect, the same 404 or 405."""
    router, url_map = Router(), Map()
    for where in (router.url_map, url_map):
        where.converters["odd"] = OddConverter
        for number, rule in enumerate(rules):
            # Where Werkzeug refuses a rule it does so twice.
            with suppress(ValueError):
                where.add(rule.made(number))
    for method, path in asked * 2:
        assert ours(router, method, path) == werkzeugs(url_map, method, path)


def plain(*texts: str, **options: Any) -> PlainRules:
    rules = [
        Rule(text, endpoint=text, methods=["GET", "POST"] if i == 0 else ["GET"], **options)
        for i, text in enumerate(texts)
    ]
    return PlainRules(Map(rules))


@pytest.mark.parametrize(
    ("texts", "path", "arguments"),
    [
        (["/item/<int:n>"], "/item/3", {"n": 3}),
        (["/item/<int:n>/"], "/item/3/", {"n": 3}),
        (["/<a>/x/<b>", "/<a>/y/<b>"], "/1/x/2", {"a": "1", "b": "2"}),
        (["/item/<int:n>", "/item/new", "/files/<path:p>"], "/item/3", {"n": 3}),
        (["/item/<int(min=2):n>", "/user/<name>"], "/item/2", {"n": 2}),
        (["/p.q/<float:n>"], "/p.q/1.5", {"n": 1.5}),
    ],
)
def test_plain_rules_need_no_werkzeug(texts: list[str], path: str, arguments: Any) -> None:
    """Rules that no other one competes with are matched here."""
    found = plain(*texts).find("GET", path)
    assert found is not None
    assert (found[0].rule, found[1]) == (texts[0], arguments)


@pytest.mark.parametrize(
    ("texts", "path"),
    [
        (["/item/<name>", "/item/new"], "/item/old"),
        (["/item/<int:n>", "/item/<name>"], "/item/3"),
        (["/item/<int:n>", "/item/<int:n>/"], "/item/3"),
        (["/item/<int:n>", "/<path:p>"], "/item/3"),
        (["/item/<int:n>", "/item/3/"], "/item/3"),
        (["/item/<path:p>"], "/item/3"),
        (["/item/<int(max=2):n>"], "/item/3"),
        (["/item/<int:n>"], "/item/3/"),
        (["/item/<int:n>"], "//item/3"),
    ],
)
def test_rules_that_compete_are_left_to_werkzeug(texts: list[str], path: str) -> None:
    """So is a path that no plain rule fits: only Werkzeug says what the client gets for it."""
    assert plain(*texts).find("GET", path) is None


@pytest.mark.parametrize(
    ("text", "path", "options"),
    [
        ("/item/<int:n>", "/item/3", {"websocket": True, "methods": ["GET"]}),
        ("/item/<int:n>", "/item/3", {"build_only": True}),
        ("/item/<int:n>", "/item/3", {"subdomain": "shop"}),
        ("/item/<int:n>", "/item/3", {"redirect_to": "other"}),
        ("/item/<int:n>", "/item/3", {"defaults": {"page": 1}}),
        ("/item/<int:n>", "/item/3", {"alias": True}),
        ("/item/<int:n>", "/item/3", {"methods": None}),
        ("/item//<int:n>", "/item//3", {}),
    ],
)
def test_unusual_rules_are_left_to_werkzeug(text: str, path: str, options: Any) -> None:
    """Whatever gives a match another meaning than its rule and arguments."""
    rule = Rule(text, **{"endpoint": "item", "methods": ["GET"], **options})
    rules = PlainRules(Map([rule, Rule("/<n>", endpoint="other", methods=["GET"])]))
    assert rules.find("GET", path) is None
    assert rules.find("GET", "/plain") is not None


def test_a_rule_whose_endpoint_has_defaults_elsewhere_is_left_to_werkzeug(app: App) -> None:
    """A path that spells out the defaults of another rule is redirected there."""
    app.add_url_rule("/items", "items", lambda page: f"page {page}", defaults={"page": 1})
    app.add_url_rule("/items/<int:page>", "items")
    assert app.handle(Request("GET", "/items/1")).location == "http://localhost/items"
    assert app.handle(Request("GET", "/items/2")).data == b"page 2"


def test_rules_compete_for_a_method() -> None:
    """A rule that serves another method is no rival."""
    rules = plain("/item/<int:n>", "/item/<name>")
    assert rules.find("GET", "/item/3") is None
    assert rules.find("POST", "/item/3") is not None


def test_a_rule_added_later_counts(app: App) -> None:
    """Also one that is added to the map itself, past the App."""
    app.add_url_rule("/<word>", "word", lambda word: f"word {word}")
    app.add_url_rule("/item/<word>", "item", lambda word: f"item {word}")
    assert app.handle(Request("GET", "/item/new")).data == b"item new"
    app.view_functions["new"] = lambda: "new"
    app.url_map.add(AppRule("/item/new", endpoint="new", methods=["GET"]))
    assert app.handle(Request("GET", "/item/new")).data == b"new"
    assert app.handle(Request("GET", "/item/old")).data == b"item old"


def test_nothing_that_clients_send_is_kept(app: App) -> None:
    """Neither paths nor methods: they would stay for as long as the process lives."""
    app.add_url_rule("/item/<word>", "item", lambda word: word)
    app.handle(Request("GET", "/item/first"))
    router = app.router
    before = repr((router._fixed, vars(router._plain)))
    for number in range(3):
        app.handle(Request("GET", f"/item/{number}"))
        app.handle(Request(f"M{number}", "/item/3"))
        app.handle(Request("GET", f"/nowhere/{number}"))
    assert repr((router._fixed, vars(router._plain))) == before
