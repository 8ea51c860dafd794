"""The routes of a server, asked of the OpenAPI document that it serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from ctxsim.cell.bodies import plain_body
from ctxsim.cell.looking import openapi
from ctxsim.cell.looking.paths import is_filled
from ctxsim.cell.looking.schemas import Schemas
from ctxsim.cell.plan import Look, Plan
from ctxsim.cell.sights import Route
from ctxsim.cell.targets.http import Http
from ctxsim.cell.targets.wire import NoResponseError

_FOUND = 200
_ACCEPT = "application/json, application/yaml;q=0.9, */*;q=0.5"
# Longer ones have more in them than is read as YAML.
_MAX_BYTES = 5_000_000
_UNFILLED = "its path has an argument that could not be filled"
_WAY_OUT = (
    "name it with --openapi PATH; without one, `ctxsim init TARGET` writes a scenario with a place "
    "for requests, and `ctxsim run` sends them"
)


@dataclass(frozen=True, slots=True)
class Described:
    """What a document tells; `missing` says why there is none, and what to do about it.

    `unread` is the text that came in its place: YAML, perhaps, which the harness can read and no
    standard library.
    """

    routes: tuple[Route, ...] = ()
    missing: str = ""
    unread: str = ""


class _UnansweredError(Exception):
    """There is no document at a path: why."""


def described(target: Http, plan: Plan, look: Look) -> Described:
    """Fetch the document that `look` names from the server, and read its routes."""
    if look.document:
        return _told(json.loads(look.document), plan, _place(plan, look.openapi[0]))
    refusals: list[str] = []
    for path in look.openapi:
        place = _place(plan, path)
        try:
            body = _asked(target, path, place)
        except _UnansweredError as error:
            refusals.append(str(error))
        else:
            return _read(body, plan, place)
    return _missing(refusals[0])


def _place(plan: Plan, path: str) -> str:
    return f"{plan.target.app.rstrip('/')}{path}"


def _asked(target: Http, path: str, place: str) -> bytes:
    """What is at that path of the server."""
    try:
        received = target.fetch(path, _ACCEPT)
    except (NoResponseError, OSError) as error:
        told = str(error) or type(error).__name__
        raise _UnansweredError(
            f"{place} was asked for the server's routes, and got no answer: {told}"
        ) from error
    if received.status != _FOUND:
        moved = next((v for k, v in received.headers if k.lower() == "location"), "")
        told = f" (to {moved})" if moved else ""
        raise _UnansweredError(
            f"no OpenAPI document is at {place}: it answered {received.status}{told}"
        )
    return plain_body(received.body, received.headers)


def _read(body: bytes, plan: Plan, place: str) -> Described:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        told = f"what is at {place} is neither JSON nor YAML, and no OpenAPI document"
        return replace(_missing(told), unread=_text(body))
    return _told(document, plan, place)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig") if len(body) <= _MAX_BYTES else ""
    except UnicodeDecodeError:
        return ""


def _told(document: object, plan: Plan, place: str) -> Described:
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
        return _missing(f"what is at {place} is no OpenAPI document of version 3")
    return Described(tuple(_routes(document, plan, place)))


def _missing(what: str) -> Described:
    return Described(missing=f"{what}\n  {_WAY_OUT}")


def _routes(document: dict[str, Any], plan: Plan, place: str) -> Iterator[Route]:
    base = _base(document, plan, place)
    for found in openapi.operations(document, {}):
        path = base + found.path
        wants = found.wants or ("" if is_filled(path) else _UNFILLED)
        yield Route(found.method, path, found.reads, wants=wants)


def _base(document: dict[str, Any], plan: Plan, place: str) -> str:
    """The path that the document's paths go below, without the one that all steps go below.

    A document may also name servers elsewhere, such as the one in production: requests go to the
    URL that was given, and to no other place.
    """
    assert plan.target.address is not None
    prefix = plan.target.address.prefix
    listed = document.get("servers")
    for each in listed if isinstance(listed, list) else ():
        server = Schemas(document).followed(each)
        url = str(server.get("url", ""))
        for name, variable in Schemas(document).followed(server.get("variables")).items():
            default = Schemas(document).followed(variable).get("default", "")
            url = url.replace(f"{{{name}}}", str(default))
        try:
            split, own = urlsplit(urljoin(place, url)), urlsplit(place)
        except ValueError:
            continue
        if split.netloc == own.netloc and split.path.startswith(prefix):
            return split.path.removeprefix(prefix).rstrip("/")
    return ""
