"""The same, with the context cleared before each request and after it."""

from __future__ import annotations

from flask import Flask, request
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

app = Flask(__name__)


@app.before_request
def name_user_in_log():
    clear_contextvars()
    if request.authorization is not None:
        bind_contextvars(user=request.authorization.username)


@app.teardown_request
def forget_user(error):
    clear_contextvars()


@app.get("/prices")
def prices():
    # The line as it would be logged.
    return f"shown to {get_contextvars().get('user', 'a visitor')}, {request.args['tag']}"
