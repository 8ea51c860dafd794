"""The same shop: `itertools.count` gives each number once, in one step."""

from __future__ import annotations

import itertools
from typing import Any

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
numbers = itertools.count(1001)


@app.post("/invoices")
def invoice() -> dict[str, Any]:
    number = next(numbers)
    pause(0.001)
    return {"number": number, "for": request.form["customer"]}
