"""A small Flask application: what a request costs is mostly Flask's own work."""

from __future__ import annotations

from flask import Flask, g, request

app = Flask(__name__)


@app.before_request
def keep_tag() -> None:
    g.tag = request.args["tag"]


@app.get("/tag")
def show_tag() -> str:
    return f"This request is {g.tag}."
