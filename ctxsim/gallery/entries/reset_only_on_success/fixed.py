"""The same bank: a `finally` clears the customer, whether the booking went well or not."""

from __future__ import annotations

import threading

from flask import Flask, abort, request

app = Flask(__name__)
audit = threading.local()


@app.post("/transfers")
def transfer() -> str:
    audit.customer = request.form["customer"]
    try:
        if request.form["amount"] == "0":
            abort(422)
        return f"booked for {audit.customer}"
    finally:
        audit.customer = None


@app.get("/rates")
def rates() -> str:
    return f"rates for {request.args['customer']}"
