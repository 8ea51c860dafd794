"""The same shop: each request opens the session that its cookie holds."""

from __future__ import annotations

from flask import Flask, request, session

app = Flask(__name__)
app.secret_key = "for trying things out"


@app.get("/basket")
def basket() -> str:
    session["item"] = request.args["item"]
    return f"In your basket: {session['item']}"
