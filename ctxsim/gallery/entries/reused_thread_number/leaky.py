"""A bank that knows each thread's customer by `get_ident`, as storages did before context variables.

A thread's number is free again when it ends. The next thread that gets it finds the customer whom it
never served.
"""

from __future__ import annotations

from threading import get_ident

from flask import Flask, request

app = Flask(__name__)
customers: dict[int, str] = {}


@app.before_request
def log_in() -> None:
    if request.authorization:
        customers[get_ident()] = request.authorization.username


@app.get("/balance")
def balance() -> str:
    customer = customers.get(get_ident())
    return f"{request.args['tag']}: balance of {customer or 'nobody'}"
