"""A shop whose orders page keeps the current user in a variable of the module.

The variable is set before each request and read after the database has answered. Meanwhile another
request has set it anew.
"""

from __future__ import annotations

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
current_user = "guest"


@app.before_request
def find_user() -> None:
    global current_user
    current_user = request.authorization.username if request.authorization else "guest"


@app.get("/orders")
def orders() -> str:
    pause(0.001)
    return f"Orders of {current_user}"
