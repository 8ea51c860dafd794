"""The routes of a server, asked of the OpenAPI document that it serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
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
_UNFILLED = "its path has an argument that could not be filled"
_WAY_OUT = (
    "name it with --openapi PATH; without one, `ctxsim init TARGET` writes a scenario with a place "
    "for requests, and `ctxsim run` sends them"
)


@dataclass(frozen=True, slots=True)
class Described:
    """What a document tells; `missing` says why there is none, and what to do about it."""

    routes: tuple[Route, ...] = ()
    missing: str = ""


def described(target: Http, plan: Plan, look: Look) -> Described:
    """Fetch the document that `look` names from the server, and read its routes."""
    place = f"{plan.target.app.rstrip('/')}{look.openapi}"
    try:
        received = target.fetch(look.openapi, "application/json")
    except (NoResponseError, OSError) as error:
        told = str(error) or type(error).__name__
        return _missing(f"{place} was asked for the server's routes, and got no answer: {told}")
    if received.status != _FOUND:
        moved = next((v for k, v in received.headers if k.lower() == "location"), "")
        told = f" (to {moved})" if moved else ""
        return _missing(f"no OpenAPI document is at {place}: it answered {received.status}{told}")
    try:
        document = json.loads(plain_body(received.body, received.headers))
    except (ValueError, RecursionError):
        return _missing(f"what is at {place} is no JSON, and no OpenAPI document")
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
