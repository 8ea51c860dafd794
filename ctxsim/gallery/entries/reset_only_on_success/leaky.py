"""A bank that notes in a thread-local on whose behalf it books, and clears it after the booking.

Where the booking is refused, nothing clears it: whatever the thread does next is done in the name of
the customer whose booking failed.
"""

from __future__ import annotations

import threading

from flask import Flask, abort, request

app = Flask(__name__)
audit = threading.local()


@app.post("/transfers")
def transfer() -> str:
    audit.customer = request.form["customer"]
    if request.form["amount"] == "0":
        abort(422)
    receipt = f"booked for {audit.customer}"
    audit.customer = None
    return receipt


@app.get("/rates")
def rates() -> str:
    return f"rates for {request.args['customer']}"
