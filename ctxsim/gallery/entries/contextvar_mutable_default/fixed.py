"""The same shop: the default cannot be changed, and each request sets a tuple of its own."""

from __future__ import annotations

from contextvars import ContextVar

from flask import Flask, request

app = Flask(__name__)
trail: ContextVar[tuple[str, ...]] = ContextVar("trail", default=())


@app.get("/look")
def look() -> str:
    before = trail.set((*trail.get(), request.args["item"])[-3:])
    try:
        return f"Seen lately: {', '.join(trail.get())}"
    finally:
        trail.reset(before)
