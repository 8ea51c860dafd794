"""A shop that keeps the current customer in a `threading.local`, and clears it after each request.

With a thread for each request that is sound. Under gevent without monkey-patching all greenlets of
the thread have one value.
"""

from __future__ import annotations

import threading

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
current = threading.local()


@app.before_request
def find_customer() -> None:
    current.customer = request.args["customer"]


@app.teardown_request
def forget_customer(error: BaseException | None) -> None:
    current.customer = None


@app.get("/basket")
def basket() -> str:
    pause(0.001)
    return f"Basket of {current.customer}"
