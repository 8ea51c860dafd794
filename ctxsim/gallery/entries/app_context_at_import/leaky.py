"""A notebook that pushes an app context at import, because its set-up needs `current_app`.

Nobody pops it. Where requests run in that thread, or in copies of its context, Flask finds an app
context there already and uses its `g` for all of them.
"""

from __future__ import annotations

from flask import Flask, current_app, g, request

app = Flask(__name__)
app.app_context().push()
current_app.config["NOTEBOOK"] = "main"


@app.before_request
def find_author() -> None:
    if "author" not in g:
        g.author = request.args["author"]


@app.get("/notes")
def notes() -> str:
    return f"{request.args['author']} reads the notes"
