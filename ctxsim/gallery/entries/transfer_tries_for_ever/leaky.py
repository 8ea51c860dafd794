"""A shop that moves money between two accounts, and holds both while it does.

The second account is never waited for, lest two transfers wait for each other: it is tried again
and again.
"""

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
    with held[source]:
        balance[source] -= 1
        pause()
        while not held[target].acquire(blocking=False):
            pause()
        balance[target] += 1
        held[target].release()
    return request.args["tag"]
