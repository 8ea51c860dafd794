"""The same shop: the error page names the customer of the request itself, or nobody."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


@app.get("/account")
def account() -> str:
    return f"Your account, {request.args['tag']}"


@app.errorhandler(404)
def missing(error: Exception) -> tuple[str, int]:
    customer = request.authorization.username if request.authorization else "nobody"
    return f"Nothing here. Tell support that {customer} was affected.", 404
