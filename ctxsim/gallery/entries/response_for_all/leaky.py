"""A shop that answers its health checks with one response made beforehand.

A cookie is set on every response. On this one they pile up: each client gets the cookies of
all who asked before.
"""

from __future__ import annotations

from flask import Flask, Response, request

app = Flask(__name__)
FINE = Response("fine")


@app.after_request
def track(response: Response) -> Response:
    response.set_cookie("session_of_visit", request.args["visit"])
    return response


@app.get("/health")
def health() -> Response:
    return FINE
