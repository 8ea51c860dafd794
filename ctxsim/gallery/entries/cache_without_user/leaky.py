"""A wholesaler whose price list is worked out once for each product and kept by `lru_cache`.

The discount depends on the customer, whom the function takes from `g`. The cache knows the product
alone.
"""

from __future__ import annotations

from functools import lru_cache

from flask import Flask, g, request

app = Flask(__name__)


@app.before_request
def find_customer() -> None:
    g.customer = request.authorization.username if request.authorization else "anybody"


@lru_cache(maxsize=100)
def offer(product: str) -> str:
    return f"{product} for {g.customer}"


@app.get("/offers/<product>")
def offers(product: str) -> str:
    return offer(product)
