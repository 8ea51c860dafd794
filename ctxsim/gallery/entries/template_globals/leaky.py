"""A wiki that puts the reader into `app.jinja_env.globals` before each request.

Templates find it there when they are rendered, which is after the page came from the database. By
then another request may have put another reader there.
"""

from __future__ import annotations

from flask import Flask, render_template_string, request

from ctxsim import pause

app = Flask(__name__)


@app.before_request
def greet() -> None:
    app.jinja_env.globals["reader"] = request.args["reader"]


@app.get("/page")
def page() -> str:
    pause(0.001)
    return render_template_string("<p>You read this as {{ reader }}.</p>")
