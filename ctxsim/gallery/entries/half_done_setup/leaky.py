"""A shop that reads its prices when the first request comes, as `before_first_request` did.

The flag is set before the prices are there. Requests that come in between skip the reading, and
fail.
"""

from __future__ import annotations

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
prices: dict[str, int] = {}
is_ready = False


@app.before_request
def read_prices() -> None:
    global is_ready
    if not is_ready:
        is_ready = True
        pause(0.02)
        prices["honey"] = 7


@app.get("/price")
def price() -> str:
    return f"{request.args['tag']}: honey costs {prices['honey']}"
