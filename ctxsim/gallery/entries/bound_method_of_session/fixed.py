"""The same shop: the method is looked up through the proxy each time."""

from __future__ import annotations

from flask import Flask, request, session

app = Flask(__name__)
app.secret_key = "for trying things out"


@app.get("/basket")
def basket() -> str:
    session["seen"] = request.args["seen"]
    language = session.get("language", "en")
    return f"{language}: basket of {session['seen']}"
