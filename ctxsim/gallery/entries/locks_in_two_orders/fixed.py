"""The same shop: whoever needs both locks takes that of the orders first."""

from __future__ import annotations

import threading

from flask import Flask, request

app = Flask(__name__)
of_orders = threading.Lock()
of_stock = threading.Lock()
orders = 0
stock = 100


@app.post("/orders")
def order() -> str:
    global orders, stock
    with of_orders:
        orders += 1
        with of_stock:
            stock -= 1
    return f"ordered: {request.args['tag']}"


@app.post("/returns")
def give_back() -> str:
    global orders, stock
    with of_orders:
        orders -= 1
        with of_stock:
            stock += 1
    return f"given back: {request.args['tag']}"
