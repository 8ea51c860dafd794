"""Documents are read as OpenAPI 3 has them; what is not as it should be is taken for nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.looking import openapi
from ctxsim.cell.looking.attempts import CANARY, attempts, value_of
from ctxsim.cell.looking.schemas import Schemas
from ctxsim.cell.sights import Read, Route

USER = "{user.canary}"


def document(**operation: Any) -> dict[str, Any]:
    return {"paths": {"/x": {"post": operation}}}


def found(told: dict[str, Any]) -> openapi.Found:
    [only] = openapi.operations(told, {})
    return only


def sent(schema: dict[str, Any], name: str = "it", **components: Any) -> Any:
    """What is sent in a JSON body under a name."""
    return value_of(Schemas({"components": components}).read_of("json", name, schema))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, CANARY),
        ({}, CANARY),
        ({"type": ["null", "string"]}, CANARY),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 2),
        ({"type": "integer"}, 2),
        ({"type": "integer", "minimum": 10}, 10),
        ({"type": "integer", "exclusiveMinimum": 10}, 11),
        ({"type": "integer", "minimum": 10, "exclusiveMinimum": True}, 11),
        ({"type": "integer", "maximum": 1}, 1),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number"}, 1.5),
        ({"type": "number", "minimum": 2.5}, 2.5),
        ({"type": "boolean"}, True),
        ({"type": "string", "enum": ["slow", "fast"]}, "slow"),
        ({"enum": [3, 4]}, 3),
        ({"const": "v1"}, "v1"),
        ({"type": "string", "format": "email"}, f"{CANARY}@example.com"),
        ({"type": "string", "format": "date"}, "2024-02-01"),
        ({"type": "string", "minLength": 30}, CANARY + "aaaaa"),
        ({"type": "string", "maxLength": 2}, "aa"),
        ({"type": "string", "maxLength": 5, "example": "abcde"}, "abcde"),
        ({"type": "string", "maxLength": 20}, "{user.short}"),
        ({"type": "string", "maxLength": 20, "minLength": 3}, "{user.short}"),
        ({"type": "string", "maxLength": 20, "minLength": 8}, "{user.short}-aaaa"),
        ({"type": "string", "maxLength": 20, "example": "monthly"}, "monthly"),
        ({"type": "string", "pattern": "^A-", "examples": ["A-1"]}, "A-1"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [2, 2]),
        ({"properties": {"a": {"type": "string"}, "b": {"readOnly": True}}}, {"a": CANARY}),
        ({"type": "object", "properties": {"user": {}}}, {"user": USER}),
        ({"$ref": "#/components/Word"}, "word"),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]},
            {"a": 1, "b": 2},
        ),
    ],
)
def test_a_value_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert sent(schema, Word={"enum": ["word"]}) == value


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"type": "integer", "minimum": 18}, [18, 19]),
        ({"type": "integer", "minimum": 18, "maximum": 18}, [18]),
        ({"type": "string", "format": "date"}, ["2024-02-01", "2024-03-01"]),
        ({"type": "array", "items": {"type": "number"}}, [[1.5], [2.0]]),
        (
            {"properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}},
            [{"a": 2, "b": True}, {"a": 3, "b": False}],
        ),
        ({"type": "string", "maxLength": 9, "example": "monthly"}, ["monthly", "{user.short}"]),
        ({"enum": [3, 4]}, [3, 4]),
        ({"const": 3}, [3]),
    ],
)
def test_what_all_would_send_alike_has_another_value(
    schema: dict[str, Any], values: list[Any]
) -> None:
    read = Schemas({}).read_of("json", "it", schema)
    assert [json.loads(each) for each in read.words] == values
    tried = attempts(Route("POST", "/x", (read,)), ())
    assert [a.step.json for a in tried if a.variant == "other values"] == [
        {"it": each} for each in values[1:]
    ]


def test_a_short_text_is_its_users_own() -> None:
    schema = {"type": "string", "maxLength": 20, "minLength": 8, "example": "alice"}
    [step] = [
        each.step
        for each in attempts(
            Route("POST", "/x", (Schemas({}).read_of("json", "user", schema),)), ()
        )
        if each.variant == "full"
    ]
    assert (step.json, step.mine) == ({"user": "{user.short}-aaaa"}, ("{user.short}",))
    assert sent({"maxLength": 20, "minLength": 10}, "password") == "passwordaa"
    assert sent({"maxLength": 30}, "email") == "{user.short}@example.com"


def test_who_a_user_is_is_told_by_names_as_everywhere() -> None:
    assert sent({"type": "string"}, "username") == USER
    assert sent({"type": "string", "format": "email"}, "email") == f"{USER}@example.com"


def test_what_holds_its_own_kind_comes_to_an_end() -> None:
    tree = {"properties": {"text": {}, "left": {"$ref": "#/components/Tree"}}}
    value = sent({"$ref": "#/components/Tree"}, Tree=tree)
    assert value["left"]["left"]["text"] == CANARY
    assert len(json.dumps(value)) < 1000
    assert sent({"$ref": "#/components/A"}, A={"$ref": "#/components/A"}) == CANARY


def test_a_parameter_is_read_where_it_stands() -> None:
    """Those of a path are common to its methods; references are followed; lists are their items."""
    told = {
        "paths": {
            "/shops/{shop}/items/{number}": {
                "parameters": [
                    {"name": "shop", "in": "path", "schema": {"enum": ["old town", "new"]}},
                    {"name": "number", "in": "path", "schema": {"type": "integer"}},
                    {"name": "q", "in": "query", "schema": {"type": "integer"}},
                ],
                "get": {
                    "parameters": [
                        {"$ref": "#/components/parameters/q"},
                        {"name": "x-tenant", "in": "header", "schema": {"type": "string"}},
                        {"name": "accept", "in": "header"},
                        {"name": "ids", "in": "query", "schema": {"items": {"type": "integer"}}},
                    ]
                },
            }
        },
        "components": {"parameters": {"q": {"name": "q", "in": "query"}}},
    }
    only = found(told)
    assert only.path == "/shops/old%20town/items/{user.number}"
    assert only.reads == (
        Read("query", "q"),
        Read("header", "X-Tenant"),
        Read("query", "ids", "int"),
    )


def test_a_body_is_json_or_a_form() -> None:
    schema = {"properties": {"a": {"type": "string"}}}
    body = {"content": {"application/problem+json": {"schema": schema}}}
    assert found(document(requestBody=body)).reads == (Read("json", "a"),)
    form = {"content": {"multipart/form-data": {"schema": schema}}}
    assert found(document(requestBody=form)).reads == (Read("form", "a"),)


@pytest.mark.parametrize(
    "file",
    [
        {"type": "string", "format": "binary"},
        {"type": "string", "contentMediaType": "application/octet-stream"},
        {"type": "array", "items": {"type": "string", "format": "binary"}},
    ],
)
def test_a_field_of_a_form_may_be_a_file(file: dict[str, Any]) -> None:
    schema = {"properties": {"file": file, "a": {"type": "string"}}}
    needed = {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    only = found(document(requestBody=needed))
    assert (only.wants, only.reads) == ("", (Read("file", "file"), Read("form", "a")))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"application/xml": {}}, "its body is application/xml"),
        ({"application/json": {"schema": {"type": "array"}}}, "no object"),
    ],
)
def test_a_body_that_cannot_be_made_is_told_where_it_must_be_sent(
    content: dict[str, Any], told: str
) -> None:
    needed = document(requestBody={"required": True, "content": content})
    assert told in found(needed).wants
    assert found(document(requestBody={"content": content})).wants == ""


@pytest.mark.parametrize(
    ("scheme", "read"),
    [
        ({"type": "http", "scheme": "basic"}, Read("auth", "basic")),
        ({"type": "http", "scheme": "bearer"}, Read("auth", "header")),
        ({"type": "oauth2", "flows": {}}, Read("auth", "header")),
        ({"type": "apiKey", "in": "query", "name": "key"}, Read("query", "key")),
    ],
)
def test_who_one_is_is_said_as_the_document_has_it(scheme: dict[str, Any], read: Read) -> None:
    told = document(security=[{"it": []}])
    told["components"] = {"securitySchemes": {"it": scheme}}
    assert found(told).reads == (read,)


def test_a_nested_value_is_sent_whole() -> None:
    read = Schemas({}).read_of("json", "lines", {"items": {"properties": {"item": {}}}})
    [first, *_] = attempts(Route("POST", "/x", (read,)), ())
    assert first.step.json == {"lines": [{"item": CANARY}]}


WORDS = [
    *("paths", "get", "post", "parameters", "name", "in", "schema", "type", "requestBody"),
    *("content", "application/json", "properties", "items", "$ref", "enum", "allOf", "anyOf"),
    *("security", "required", "minimum", "example"),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(ANYTHING, ANYTHING)
def test_whatever_a_document_holds_it_is_read(item: Any, components: Any) -> None:
    """It comes from outside."""
    told = {"paths": {"/a/{b}": {"get": item, "post": item}}, "components": components}
    for each in openapi.operations(told, {}):
        attempts(Route(each.method, each.path, each.reads), ())
