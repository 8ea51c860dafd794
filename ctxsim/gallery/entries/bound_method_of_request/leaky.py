"""A shop that keeps `request.get_json` in a variable, to save a look-up.

`request` is a proxy, its method is not: what is kept belongs to the request that came first, and
goes on reading its body.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, request

app = Flask(__name__)
body = None


@app.post("/basket")
def basket() -> dict[str, Any]:
    global body
    if body is None:
        body = request.get_json
    return {"basket": body()["item"]}
