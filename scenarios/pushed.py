"""A Flask application that pushes an app context at import and never pops it.

Whoever is served in the context of that import, or in a copy of it, has one `g` with all others.
"""

from __future__ import annotations

from flask import Flask, g, request

app = Flask(__name__)
app.app_context().push()


@app.get("/who")
def who():
    if "name" not in g:
        g.name = request.args["name"]
    return {"name": g.name, "tag": request.args["tag"]}
