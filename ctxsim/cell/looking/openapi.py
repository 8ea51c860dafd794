"""Routes as an OpenAPI document tells them: parameters, and request bodies by their schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ctxsim.cell.looking.found import METHODS, Found
from ctxsim.cell.looking.paths import BRACES, CANARY, FILLED, NUMBER, of_braces
from ctxsim.cell.looking.schemas import Schemas
from ctxsim.cell.sights import Place, Read

# What the client writes by itself, so that a document's word for it says nothing (OpenAPI 3.1).
_OWN_HEADERS = ("accept", "content-type", "authorization")
_PLACES: dict[str, Place] = {"query": "query", "header": "header", "cookie": "cookie"}
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_BINARY = ("binary", "byte")


def tells_of(document: dict[str, Any], found: Found) -> bool:
    paths = {of_braces(path) for path in document.get("paths", {})}
    return bool({found.path, _untyped(found.path)} & paths)


def _untyped(path: str) -> str:
    return path.replace(NUMBER, CANARY)


def operations(document: dict[str, Any], views: dict[tuple[str, str], Any]) -> Iterator[Found]:
    schemas = Schemas(document)
    for path, every in schemas.followed(document.get("paths")).items():
        item = schemas.followed(every)
        for method in METHODS:
            operation = schemas.followed(item.get(method.lower()))
            if not operation:
                continue
            parameters = _parameters(schemas, item, operation)
            filled = _path_of(schemas, path, parameters)
            view = next((v for (m, p), v in views.items() if m == method and p == filled), None)
            reads = [*_declared(schemas, parameters), *_secured(schemas, operation)]
            wants = ""
            if body := schemas.followed(operation.get("requestBody")):
                inside, wants = _body(schemas, body)
                reads += inside
            yield Found(method, filled, view, tuple(dict.fromkeys(reads)), wants)


def _parameters(
    schemas: Schemas, item: dict[str, Any], operation: dict[str, Any]
) -> list[dict[str, Any]]:
    """The parameters of an operation; its own come in the place of its path's."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for owner in (item, operation):
        listed = owner.get("parameters")
        for each in listed if isinstance(listed, list) else ():
            parameter = schemas.followed(each)
            name, place = parameter.get("name"), parameter.get("in")
            if isinstance(name, str) and isinstance(place, str):
                found[name, place] = parameter
    return list(found.values())


def _path_of(schemas: Schemas, path: str, parameters: list[dict[str, Any]]) -> str:
    kinds = {each["name"]: _schema_of(schemas, each) for each in parameters if each["in"] == "path"}

    def filled(found: re.Match[str]) -> str:
        schema = schemas.plain(kinds.get(found[1], {}))
        read = schemas.read_of("query", found[1], schema)
        if read.kind == "choice":
            return quote(read.words[0], safe="")
        # Numbers tell users apart, whatever bounds they have.
        known = FILLED.get(str(schema.get("format") or schema.get("type", "")))
        if read.kind == "value" and known in (None, CANARY):
            return quote(str(_loads(read)), safe="{}")
        return known or CANARY

    return BRACES.sub(filled, path)


def _loads(read: Read) -> object:
    return json.loads(read.words[0])


def _declared(schemas: Schemas, parameters: list[dict[str, Any]]) -> Iterator[Read]:
    for each in parameters:
        place = _PLACES.get(each["in"])
        if place is not None and each["name"].lower() not in _OWN_HEADERS:
            name = each["name"].title() if place == "header" else each["name"]
            yield schemas.read_of(place, name, _schema_of(schemas, each))


def _schema_of(schemas: Schemas, parameter: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, with the example that stands beside it."""
    schema = schemas.plain(parameter.get("schema"))
    given = parameter.get("example")
    return schema if given is None else {**schema, "example": given}


def _secured(schemas: Schemas, operation: dict[str, Any]) -> Iterator[Read]:
    """How a user may say who it is, where the operation, or the document, asks for that."""
    wanted = operation.get("security", schemas.document.get("security"))
    components = schemas.followed(schemas.document.get("components"))
    known = schemas.followed(components.get("securitySchemes"))
    for each in wanted if isinstance(wanted, list) else ():
        for name in each if isinstance(each, dict) else ():
            scheme = schemas.followed(known.get(name))
            kind, place = scheme.get("type"), _PLACES.get(str(scheme.get("in")))
            if kind == "apiKey" and place is not None and isinstance(scheme.get("name"), str):
                yield Read(place, scheme["name"])
            elif kind == "http" and str(scheme.get("scheme")).lower() == "basic":
                yield Read("auth", "basic")
            elif kind in ("http", "oauth2", "openIdConnect"):
                yield Read("auth", "header")


def _body(schemas: Schemas, body: dict[str, Any]) -> tuple[list[Read], str]:
    """What a body holds, and why it cannot be sent where it can not."""
    content = schemas.followed(body.get("content"))
    reads: list[Read] = []
    wants = ""
    for kind, media in content.items():
        schema = schemas.plain(schemas.followed(media).get("schema"))
        place: Place = "json" if "json" in kind else "form"
        if place == "form" and kind.lower() not in _FORMS:
            wants = wants or f"its body is {kind}"
            continue
        members = list(schemas.members(schema))
        if not members and place == "json" and schema:
            wants = wants or "its JSON body is no object with members that are known"
            continue
        for name, inner in members:
            if place == "form" and _is_file(schemas, inner):
                reads.append(Read("file", name))
            else:
                reads.append(schemas.read_of(place, name, inner))
    # What may be left out need not be sent, and one of several kinds will do.
    return reads, wants if body.get("required") is True and not reads else ""


def _is_file(schemas: Schemas, schema: dict[str, Any]) -> bool:
    """Whether a field is a file, or a list of them, of which one will do."""
    inner = schemas.plain(schema.get("items")) if schema.get("type") == "array" else schema
    return inner.get("format") in _BINARY or "contentMediaType" in inner
