"""The same notes: `with` pops the context, whatever the look-up comes to."""

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
    with notes.app_context():
        if environ.get("HTTP_X_TENANT") not in current_app.config["TENANTS"]:
            raise LookupError("no such tenant")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    try:
        check_tenant(environ)
    except LookupError:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such tenant"]
    return notes(environ, start_response)
