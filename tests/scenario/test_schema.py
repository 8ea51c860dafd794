"""The JSON Schema that editors use agrees with what the loader takes and refuses."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsim import Scenario, ScenarioError
from ctxsim.scenario import json_schema

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
texts = st.text("abc/ {}%:1", min_size=1, max_size=6)
plain = texts.map(lambda text: text.replace("{", "").replace("}", "") or "x")
names = st.from_regex(r"[a-z][a-z0-9_-]{0,4}", fullmatch=True).filter(
    lambda name: name not in ("user", "canary", "n")
)
codes = st.sampled_from(["CTX101", "CTX201", "CTX204"])


def one_or_many(words: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of `words`, or a list of them."""
    return words | st.lists(words, min_size=1, max_size=3, unique=True)


storages = st.sampled_from(["contextvar", "greenlet", "thread", "ident", "shared"])
shares = st.sampled_from(["2%", "0.5 %", "10%", 0])
workers = st.sampled_from(
    ["sync", "threads:3", "tasks:4:executor", "greenlets:9", "threads:2 x greenlets:5"]
)
bodies = st.one_of(
    st.fixed_dictionaries({"form": st.dictionaries(plain, plain | st.integers(0, 99))}),
    st.fixed_dictionaries({"json": st.recursive(plain | st.integers() | st.none(), st.lists)}),
    st.fixed_dictionaries({"body": plain}),
    st.just({}),
)
expects = st.fixed_dictionaries(
    {},
    optional={
        "status": one_or_many(st.integers(100, 599)),
        "contains": one_or_many(plain),
        "absent": one_or_many(plain),
        "json": st.dictionaries(plain, plain | st.none() | st.booleans()),
    },
)


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    """One right step."""
    method = draw(st.sampled_from(["get", "post", "put", "patch", "delete", "head", "options"]))
    more = st.fixed_dictionaries(
        {},
        optional={
            "headers": st.dictionaries(names, plain),
            "auth": st.lists(names, min_size=2, max_size=2),
            "mine": st.just("{user.canary}"),
            "route": plain.map(lambda text: "/" + text.replace("?", "")),
            "expect": expects,
        },
    )
    return {method: "/" + draw(plain), **draw(bodies), **draw(more)}


many_steps = st.lists(steps(), min_size=1, max_size=3)
sent = st.one_of(
    st.fixed_dictionaries({"steps": many_steps}),
    st.fixed_dictionaries(
        {
            "flows": st.dictionaries(
                names,
                st.fixed_dictionaries(
                    {"steps": many_steps}, optional={"weight": st.integers(1, 9) | st.just(0.5)}
                ),
                min_size=1,
                max_size=2,
            )
        }
    ),
)
top = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "target": st.fixed_dictionaries(
            {"app": st.sampled_from(["a:b", "a.b:c.d()", "x/y.py:app"])},
            optional={
                "kind": st.sampled_from(["auto", "runtime"]),
                "python": plain,
                "path": one_or_many(plain),
                "storage": one_or_many(storages),
            },
        ),
    },
    optional={
        "name": names,
        "users": st.fixed_dictionaries(
            {},
            optional={
                "count": st.integers(1, 65535),
                "visitor": st.booleans(),
                "vars": st.dictionaries(names, plain | st.integers()),
            },
        ),
        "faults": st.just("none")
        | st.fixed_dictionaries({}, optional={"error": shares, "abort": shares, "cancel": shares}),
        "workers": one_or_many(workers),
        "load": st.sampled_from(
            [{"requests": 1}, {"duration": "30s"}, {"duration": "500ms"}, {"duration": "1.5m"}]
        ),
        "checks": st.just("all") | one_or_many(codes | st.sampled_from(["contexts", "residue"])),
        "shared": st.lists(st.sampled_from(["/wall", "a.b:C.d"])),
        "expect": st.just("clean")
        | one_or_many(codes)
        | st.fixed_dictionaries({"*": st.just("clean") | one_or_many(codes)}),
        "thresholds": st.fixed_dictionaries(
            {}, optional={"p95": st.just("< 250ms"), "checked": st.just(">= 99%")}
        ),
        "seed": st.integers(0),
    },
)
documents = st.builds(lambda first, second: {**first, **second}, top, sent)


def _loads(document: object) -> bool:
    try:
        # JSON is YAML 1.2, but for the numbers' width of line.
        Scenario.parse(json.dumps(document))
    except ScenarioError:
        return False
    return True


def test_the_schema_is_one_of_the_draft_it_names() -> None:
    """The schema is valid itself, and has its identity."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "ctxsim-scenario-1.json"
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def _properties(schema: Any, path: str = "") -> list[tuple[str, Any]]:
    found = []
    if isinstance(schema, dict):
        found += [(f"{path}.{k}", v) for k, v in schema.get("properties", {}).items()]
        for key, each in schema.items():
            found += _properties(each, f"{path}/{key}") if key not in ("oneOf",) else []
    if isinstance(schema, list):
        for each in schema:
            found += _properties(each, path)
    return found


def test_editors_can_show_what_each_key_means() -> None:
    """Every key has a description, as plain text and as Markdown, and an example that is right."""
    every = _properties(SCHEMA)
    assert len(every) > 40
    for path, schema in every:
        assert schema["description"], path
        assert schema["markdownDescription"] == schema["description"], path
        in_place = {**schema, "$defs": SCHEMA["$defs"]}
        for example in schema["examples"]:
            jsonschema.Draft202012Validator(in_place).validate(example)


@settings(max_examples=60, deadline=None)
@given(documents)
def test_what_is_right_is_right_for_both(document: dict[str, Any]) -> None:
    """Every right document is taken by the loader and by the schema."""
    Scenario.parse(json.dumps(document))
    VALIDATOR.validate(document)


ODD = st.sampled_from([None, True, 5, -1.5, "odd", "", [], [[]], {}, {"odd": 1}, ["odd"], [None]])


@st.composite
def _mutated(draw: st.DrawFn) -> Any:
    document = copy.deepcopy(draw(documents))
    node: Any = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if isinstance(node, dict) and draw(st.integers(0, 3)) == 0:
            node[draw(st.sampled_from(["odd", "steps", "json", "get", "requests"]))] = draw(ODD)
            return document
        if not keys:
            return document
        key = draw(st.sampled_from(keys))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 3)) == 0:
            node[key] = draw(ODD)
            return document
        node = inner


@settings(max_examples=250, deadline=None)
@given(_mutated())
def test_the_schema_takes_nothing_that_the_loader_refuses(document: Any) -> None:
    """What the schema takes the loader takes: a wrong key or type shows in the editor too."""
    if VALIDATOR.is_valid(document):
        assert _loads(document)


def test_the_schema_refuses_what_must_stand_alone() -> None:
    """Exactly one method, one body, one load, and steps or flows."""
    right = {"version": 1, "target": {"app": "a:b"}, "steps": [{"get": "/"}]}
    VALIDATOR.validate(right)
    wrong: list[dict[str, Any]] = [
        {"steps": [{"get": "/", "post": "/"}]},
        {"steps": [{"post": "/", "form": {}, "json": 1}]},
        {"load": {"requests": 1, "duration": "1s"}},
        {"load": {}},
        {"flows": {"a": {"steps": [{"get": "/"}]}}},
        {"workers": "thread:8"},
        {"expect": {"sync": "clean"}},
    ]
    for change in wrong:
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate({**right, **change})
