"""A shop that gives its database connection back before it renders a long page.

It does so with `do_teardown_request`, which runs all teardown functions. At the end of the request
they run again: a connection that another request has taken meanwhile is given back under its hands.
"""

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
    app.do_teardown_request()
    return title
