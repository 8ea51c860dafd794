"""Notes for many tenants; a middleware looks the tenant up in the application's configuration.

It pushes an app context for that. Of a tenant that does not exist the look-up raises, and the context
stays: Flask takes it for the one of later requests, and they share its `g`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, current_app, g, request

notes = Flask(__name__)
notes.config["TENANTS"] = {"north", "south"}


@notes.get("/notes")
def read() -> str:
    if "author" in request.args:
        g.author = request.args["author"]
    return f"{request.args['tag']} reads notes by {g.get('author', 'anybody')}"


def check_tenant(environ: dict[str, Any]) -> None:
    context = notes.app_context()
    context.push()
    if environ.get("HTTP_X_TENANT") not in current_app.config["TENANTS"]:
        raise LookupError("no such tenant")
    context.pop()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    try:
        check_tenant(environ)
    except LookupError:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such tenant"]
    return notes(environ, start_response)
