"""The same shop: the thread is given the order's number, and needs no request."""

from __future__ import annotations

import threading

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)


def confirm(order: str) -> None:
    pause(0.01)
    app.logger.debug("order %s is confirmed", order)


@app.post("/orders")
def order() -> str:
    threading.Thread(target=confirm, args=(request.form["order"],)).start()
    return f"order {request.form['order']} is placed"
