"""A shop that keeps `session.get` in a variable, to save a look-up.

`session` is a proxy, its method is not: what is kept belongs to the session of the request that came
first.
"""

from __future__ import annotations

from flask import Flask, request, session

app = Flask(__name__)
app.secret_key = "for trying things out"
remembered = None


@app.get("/basket")
def basket() -> str:
    global remembered
    if remembered is None:
        remembered = session.get
    session["seen"] = request.args["seen"]
    language = remembered("language", "en")
    return f"{language}: basket of {session['seen']}"
