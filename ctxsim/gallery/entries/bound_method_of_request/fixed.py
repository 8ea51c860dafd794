"""The same shop: the method is looked up through the proxy each time."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

app = Flask(__name__)


@app.post("/basket")
def basket() -> dict[str, Any]:
    return {"basket": request.get_json()["item"]}
