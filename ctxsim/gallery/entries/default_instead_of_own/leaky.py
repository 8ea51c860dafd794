"""A wholesaler that reads its discounts anew for each order, into one dict.

While it is empty, other orders find no discount and are worked out with the default. Nothing fails,
and nobody's name is in the wrong place.
"""

from __future__ import annotations

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
discounts: dict[str, int] = {}


def read_discounts() -> None:
    discounts.clear()
    pause(0.001)
    discounts.update(gold=20, silver=10)


@app.get("/order")
def order() -> str:
    read_discounts()
    pause(0.001)
    return f"{request.args['order']}: your discount is {discounts.get('gold', 0)} percent"
