"""The same wiki: the version travels in `g`."""

from __future__ import annotations

from flask import Flask, Response, g, request

from ctxsim import pause

app = Flask(__name__)


@app.get("/page")
def page() -> str:
    g.version = f"v1-{request.args['page']}"
    pause(0.001)
    return f"This is {request.args['page']}"


@app.after_request
def tag(response: Response) -> Response:
    response.set_etag(g.get("version", ""))
    return response
