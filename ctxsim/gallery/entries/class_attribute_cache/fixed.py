"""The same shop: each basket makes a list of its own."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []

    def put(self, item: str) -> None:
        self.items.append(item)
        del self.items[:-5]


@app.post("/quote")
def quote() -> list[str]:
    basket = Basket()
    for item in request.form.getlist("item"):
        basket.put(item)
    return basket.items
