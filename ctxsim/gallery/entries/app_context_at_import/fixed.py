"""The same notebook: the context lasts as long as the set-up."""

from __future__ import annotations

from flask import Flask, current_app, g, request

app = Flask(__name__)
with app.app_context():
    current_app.config["NOTEBOOK"] = "main"


@app.before_request
def find_author() -> None:
    if "author" not in g:
        g.author = request.args["author"]


@app.get("/notes")
def notes() -> str:
    return f"{request.args['author']} reads the notes"
