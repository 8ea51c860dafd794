"""A service that adds the user to each line of its log, by structlog's context variables.

What is bound is never cleared. Requests of users bind it anew; those of visitors bind nothing, and
their lines name whoever came before on the same thread.
"""

from __future__ import annotations

from flask import Flask, request
from structlog.contextvars import bind_contextvars, get_contextvars

app = Flask(__name__)


@app.before_request
def name_user_in_log():
    if request.authorization is not None:
        bind_contextvars(user=request.authorization.username)


@app.get("/prices")
def prices():
    # The line as it would be logged.
    return f"shown to {get_contextvars().get('user', 'a visitor')}, {request.args['tag']}"
