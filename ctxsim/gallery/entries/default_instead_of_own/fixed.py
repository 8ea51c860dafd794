"""The same wholesaler: a new dict is filled and then takes the place of the old one."""

from __future__ import annotations

from flask import Flask, request

from ctxsim import pause

app = Flask(__name__)
discounts: dict[str, int] = {}


def read_discounts() -> None:
    global discounts
    pause(0.001)
    discounts = {"gold": 20, "silver": 10}


@app.get("/order")
def order() -> str:
    read_discounts()
    pause(0.001)
    return f"{request.args['order']}: your discount is {discounts.get('gold', 0)} percent"
