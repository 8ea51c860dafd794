"""The same shop: who does not get the second account gives back the first one, and begins anew."""

from __future__ import annotations

import threading

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
held = {"honey": threading.Lock(), "bread": threading.Lock()}
balance = {"honey": 1000, "bread": 1000}


@app.post("/transfer")
def transfer() -> str:
    source, target = request.args["from"], request.args["to"]
    while not moved(source, target):
        pause()
    return request.args["tag"]


def moved(source: str, target: str) -> bool:
    with held[source]:
        if not held[target].acquire(blocking=False):
            return False
        balance[source] -= 1
        balance[target] += 1
        held[target].release()
    return True
