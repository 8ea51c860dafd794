"""The same shop: each request gets a response of its own."""

from __future__ import annotations

from flask import Flask, Response, request

app = Flask(__name__)


@app.after_request
def track(response: Response) -> Response:
    response.set_cookie("session_of_visit", request.args["visit"])
    return response


@app.get("/health")
def health() -> Response:
    return Response("fine")
