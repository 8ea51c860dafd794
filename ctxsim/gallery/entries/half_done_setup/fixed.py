"""The same shop: a lock lets one request read the prices, and the others wait for it."""

from __future__ import annotations

import threading

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
prices: dict[str, int] = {}
reading = threading.Lock()


@app.before_request
def read_prices() -> None:
    with reading:
        if not prices:
            pause(0.02)
            prices["honey"] = 7


@app.get("/price")
def price() -> str:
    return f"{request.args['tag']}: honey costs {prices['honey']}"
