"""A shop that numbers its invoices from a counter of the module.

Between the reading and the writing the invoice is stored. Whoever comes in between reads the same
number.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
last_number = 1000


@app.post("/invoices")
def invoice() -> dict[str, Any]:
    global last_number
    number = last_number + 1
    pause(0.001)
    last_number = number
    return {"number": number, "for": request.form["customer"]}
