"""The same shop: the current user is kept in `g`, which each request has for itself."""

from __future__ import annotations

from flask import Flask, g, request

from ctxsim import pause

app = Flask(__name__)


@app.before_request
def find_user() -> None:
    g.user = request.authorization.username if request.authorization else "guest"


@app.get("/orders")
def orders() -> str:
    pause(0.001)
    return f"Orders of {g.user}"
