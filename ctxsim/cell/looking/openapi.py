"""Routes as an OpenAPI document tells them: parameters, and request bodies by their schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ctxsim.cell.looking.found import METHODS, Found
from ctxsim.cell.looking.paths import BRACES, CANARY, FILLED, NUMBER, of_braces
from ctxsim.cell.sights import Read


def tells_of(document: dict[str, Any], found: Found) -> bool:
    paths = {of_braces(path) for path in document.get("paths", {})}
    return bool({found.path, _untyped(found.path)} & paths)


def _untyped(path: str) -> str:
    return path.replace(NUMBER, CANARY)


def operations(document: dict[str, Any], views: dict[tuple[str, str], Any]) -> Iterator[Found]:
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            operation = item.get(method.lower())
            if operation is None:
                continue
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            filled = _path_of(path, parameters)
            view = next((v for (m, p), v in views.items() if m == method and p == filled), None)
            yield Found(method, filled, view, tuple(_declared(document, operation, parameters)))


def _path_of(path: str, parameters: list[dict[str, Any]]) -> str:
    kinds = {
        each["name"]: each.get("schema", {}) for each in parameters if each.get("in") == "path"
    }

    def filled(found: re.Match[str]) -> str:
        schema = kinds.get(found[1], {})
        return FILLED.get(schema.get("format") or schema.get("type", ""), CANARY)

    return BRACES.sub(filled, path)


_SCHEMA_KINDS = {"integer": "int", "number": "float", "boolean": "bool"}


def _declared(
    document: dict[str, Any], operation: dict[str, Any], parameters: list[dict[str, Any]]
) -> Iterator[Read]:
    for each in parameters:
        place = each.get("in")
        if place in ("query", "header", "cookie"):
            name = each["name"].title() if place == "header" else each["name"]
            yield Read(place, name, _kind_of(each.get("schema", {})))
    content = operation.get("requestBody", {}).get("content", {})
    for kind, media in content.items():
        schema = _resolved(document, media.get("schema", {}))
        for name, inner in schema.get("properties", {}).items():
            yield Read("json" if "json" in kind else "form", name, _kind_of(inner))


def _kind_of(schema: dict[str, Any]) -> Any:
    choices = [schema, *schema.get("anyOf", [])]
    kinds = (_SCHEMA_KINDS.get(each.get("type", "")) for each in choices)
    return next((kind for kind in kinds if kind), "text")


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    if reference.startswith("#/"):
        found: Any = document
        for part in reference[2:].split("/"):
            found = found.get(part, {})
        return dict(found)
    return schema
