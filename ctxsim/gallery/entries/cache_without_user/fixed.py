"""The same wholesaler: the customer is an argument, and so a part of the key."""

from __future__ import annotations

from functools import lru_cache

from flask import Flask, g, request

app = Flask(__name__)


@app.before_request
def find_customer() -> None:
    g.customer = request.authorization.username if request.authorization else "anybody"


@lru_cache(maxsize=100)
def offer(product: str, customer: str) -> str:
    return f"{product} for {customer}"


@app.get("/offers/<product>")
def offers(product: str) -> str:
    return offer(product, g.customer)
