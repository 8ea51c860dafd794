"""A bank with a pool of connections, on each of which the current customer is set.

Where a statement is not found, the view gives the connection back and the `finally` does so again.
The pool hands it out to two requests at once.
"""

from __future__ import annotations

from flask import Flask, abort, request

from ctxsim import pause

app = Flask(__name__)


class Connection:
    customer = ""


pool = [Connection() for _ in range(4)]


def take() -> Connection:
    return pool.pop() if pool else Connection()


@app.get("/statements/<number>")
def statement(number: str) -> str:
    connection = take()
    try:
        connection.customer = request.args["customer"]
        pause(0.001)
        if number == "0":
            pool.append(connection)
            abort(404)
        return f"Statement {number} of {connection.customer}"
    finally:
        pool.append(connection)
