"""A shop whose baskets list their items in an attribute of the class.

`items` stands in the class body, so there is one list, and every basket appends to it.
"""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


class Basket:
    items: list[str] = []

    def put(self, item: str) -> None:
        self.items.append(item)
        del self.items[:-5]


@app.post("/quote")
def quote() -> list[str]:
    basket = Basket()
    for item in request.form.getlist("item"):
        basket.put(item)
    return basket.items
