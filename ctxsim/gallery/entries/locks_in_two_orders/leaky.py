"""A shop that counts its stock and its orders, each under a lock of its own.

An order takes the lock of the orders first and then that of the stock. A return, which came to the
shop later, takes them the other way round.
"""

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
    with of_stock:
        stock += 1
        with of_orders:
            orders -= 1
    return f"given back: {request.args['tag']}"
