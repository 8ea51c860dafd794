"""A shop whose error page tells support who was affected.

The error handler cannot rely on a log-in, so it takes the customer whom the application noted last.
Whoever meets an error is shown that name.
"""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)
last_customer = "nobody"


@app.get("/account")
def account() -> str:
    global last_customer
    last_customer = request.authorization.username if request.authorization else last_customer
    return f"Your account, {request.args['tag']}"


@app.errorhandler(404)
def missing(error: Exception) -> tuple[str, int]:
    return f"Nothing here. Tell support that {last_customer} was affected.", 404
