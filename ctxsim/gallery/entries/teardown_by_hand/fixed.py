"""The same shop: the connection is closed by a function of its own, the teardown is left to Flask."""

from __future__ import annotations

from flask import Flask, g, request

app = Flask(__name__)


@app.before_request
def connect() -> None:
    g.connection = "open"


@app.teardown_request
def disconnect(error: BaseException | None) -> None:
    g.connection = "closed"


@app.get("/catalogue")
def catalogue() -> str:
    title = f"Catalogue for {request.args['reader']}"
    g.connection = "closed"
    return title
