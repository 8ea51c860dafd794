"""The same bank: the entry goes when its request ends, whatever the request came to."""

from __future__ import annotations

from threading import get_ident

from flask import Flask, request

app = Flask(__name__)
customers: dict[int, str] = {}


@app.before_request
def log_in() -> None:
    if request.authorization:
        customers[get_ident()] = request.authorization.username


@app.teardown_request
def log_out(error: BaseException | None) -> None:
    customers.pop(get_ident(), None)


@app.get("/balance")
def balance() -> str:
    customer = customers.get(get_ident())
    return f"{request.args['tag']}: balance of {customer or 'nobody'}"
